//! Hand-overs of clients to another process, or from one (`src/net/transfer.rs`). Only Linux has what they need.

use std::io;
#[cfg(target_os = "linux")]
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use napi::Result;
use napi::bindgen_prelude::Uint8ArraySlice;
use napi_derive::napi;

use super::DataPlane;
use crate::binding::error::BorderError;
use crate::border::returned;
use crate::handover::Message;
use crate::net::command::Command;
use crate::net::descriptor::duplicate_listener;
use crate::net::transfer::{Asked, Channel, Freeze, FreezeTicket, is_out_of_files};

#[napi]
impl DataPlane {
    /// Offers clients to who connects to the Unix socket `path`, one process of this user; gives the number of the hand-over, of
    /// which `RecordKind.HANDOVER` tells, or why there is none: a number of `Returned`.
    ///
    /// # Errors
    /// When the system says so.
    #[napi(catch_unwind)]
    pub fn offer_handover(&self, path: String) -> Result<i32> {
        let number = self.next_handover();
        match self.open_offer(&path, number) {
            Ok(channel) => Ok(self.add_channel(channel)),
            Err(cause) => refused("hand over", path, cause),
        }
    }

    /// Connects to the process that offers at `path`, and says `blob` to its JavaScript; gives the number of the hand-over, or why
    /// there is none: a number of `Returned`.
    ///
    /// # Errors
    /// When the system says so.
    #[napi(catch_unwind)]
    pub fn ask_handover(&self, path: String, blob: Uint8ArraySlice<'_>) -> Result<i32> {
        self.start()?;
        let number = self.next_handover();
        match self.open_taking(&path, number, blob.to_vec()) {
            Ok(Asked::Offered(channel)) => Ok(self.add_channel(channel)),
            Ok(Asked::UnderWay) => Ok(returned::HANDOVER_UNDER_WAY),
            Ok(Asked::Nobody) => Ok(returned::NO_HANDOVER),
            Err(cause) => refused("take over", path, cause),
        }
    }

    /// Answers the process that has connected: with `blob`, and duplicates of `descriptors`, sockets that listen.
    ///
    /// # Errors
    /// When the hand-over has ended, or a descriptor can't be duplicated.
    #[napi(catch_unwind)]
    pub fn greet_handover(
        &self,
        handover: u32,
        blob: Uint8ArraySlice<'_>,
        descriptors: Vec<i32>,
    ) -> Result<()> {
        let channel = self.channel(handover)?;
        channel.spend_reserve();
        let mut sockets = Vec::with_capacity(descriptors.len());
        for descriptor in descriptors {
            let listener = duplicate_listener(descriptor).map_err(BorderError::TakeOver)?;
            sockets.push(as_stream(listener));
        }
        channel.greet(blob.to_vec(), sockets);
        Ok(())
    }

    /// Says that this process is about to serve, and that sessions may come, for this server; or `against`, why none can.
    ///
    /// # Errors
    /// When the hand-over has ended, or the server is not open.
    #[napi(catch_unwind)]
    pub fn ready_handover(&self, handover: u32, server: u32, against: String) -> Result<()> {
        let channel = self.channel(handover)?;
        if against.is_empty() {
            channel.set_adopter(self.server(server)?);
        }
        channel.send(&Message::Ready { against }, Vec::new());
        Ok(())
    }

    /// Has the workers read nothing more of the clients of a server; each tells when it does not (`HandoverEvent.FROZEN`).
    ///
    /// # Errors
    /// When the hand-over has ended.
    #[napi(catch_unwind)]
    pub fn freeze_handover(&self, handover: u32, server: u32) -> Result<()> {
        let channel = self.channel(handover)?;
        let environment = self.environment.id;
        self.set_frozen(server, true);
        self.ask_workers(|worker| {
            let ticket = Some(FreezeTicket::new(&channel, worker));
            Command::Freeze(Freeze { environment, server, ticket })
        });
        Ok(())
    }

    /// Has the workers read on what has not been handed over.
    #[napi(catch_unwind)]
    pub fn thaw_handover(&self, _handover: u32, server: u32) {
        let environment = self.environment.id;
        self.set_frozen(server, false);
        self.ask_workers(|_| Command::Freeze(Freeze { environment, server, ticket: None }));
    }

    /// Says `blob` to the JavaScript of the other process, before the sessions.
    ///
    /// # Errors
    /// When the hand-over has ended.
    #[napi(catch_unwind)]
    pub fn state_handover(&self, handover: u32, blob: Uint8ArraySlice<'_>) -> Result<()> {
        self.channel(handover)?.send(&Message::State { blob: blob.to_vec() }, Vec::new());
        Ok(())
    }

    /// All sessions of a server have been handed over: their connections follow, and the end, with `blob`.
    ///
    /// # Errors
    /// When the hand-over has ended.
    #[napi(catch_unwind)]
    pub fn finish_handover(
        &self,
        handover: u32,
        server: u32,
        blob: Uint8ArraySlice<'_>,
    ) -> Result<()> {
        let Some(runtime) = self.shared.runtime() else { return Ok(()) };
        let tickets = self.channel(handover)?.finish(runtime.workers(), blob.to_vec());
        for (worker, ticket) in tickets.into_iter().enumerate() {
            runtime.mailbox(worker).post_command(Command::FinishHandOver { server, ticket });
        }
        Ok(())
    }

    /// No session is handed over, and the other process, which is told `why`, is to serve whoever comes: those that are here stay.
    ///
    /// # Errors
    /// When the hand-over has ended.
    #[napi(catch_unwind)]
    pub fn part_handover(&self, handover: u32, why: String) -> Result<()> {
        self.channel(handover)?.part(why);
        Ok(())
    }

    /// Says that this process serves, with all that has come.
    ///
    /// # Errors
    /// When the hand-over has ended.
    #[napi(catch_unwind)]
    pub fn take_handover(&self, handover: u32) -> Result<()> {
        self.channel(handover)?.take();
        Ok(())
    }

    /// Nothing more is to come of a hand-over. As long as it is not decided who serves, that is the old process, and the other one is
    /// told `why`. Who has taken over calls it when it serves no more.
    #[napi(catch_unwind)]
    pub fn end_handover(&self, handover: u32, why: String) {
        let channel = self.operations().channels.remove(&handover);
        if let Some(channel) = channel {
            channel.end(&why);
        }
    }
}

impl DataPlane {
    fn next_handover(&self) -> u32 {
        let number = self.last_handover.get().wrapping_add(1) & (u32::MAX >> 1);
        self.last_handover.set(number);
        number
    }

    /// Gives its number.
    fn add_channel(&self, channel: Arc<Channel>) -> i32 {
        let number = i32::try_from(channel.number).unwrap_or(i32::MAX);
        self.operations().channels.insert(channel.number, channel);
        number
    }

    fn channel(&self, number: u32) -> std::result::Result<Arc<Channel>, BorderError> {
        let operations = self.operations();
        operations.channels.get(&number).map(Arc::clone).ok_or(BorderError::UnknownHandOver(number))
    }

    fn set_frozen(&self, server: u32, is_frozen: bool) {
        if let Ok(server) = self.server(server) {
            server.is_frozen.store(is_frozen, Ordering::SeqCst);
        }
    }

    fn ask_workers(&self, command: impl Fn(usize) -> Command) {
        let Some(runtime) = self.shared.runtime() else { return };
        for worker in 0..runtime.workers() {
            runtime.mailbox(worker).post_command(command(worker));
        }
    }

    #[cfg(target_os = "linux")]
    fn open_offer(&self, path: &str, number: u32) -> io::Result<Arc<Channel>> {
        use crate::net::transfer::thread::offer;

        offer(Path::new(path), number, Arc::clone(&self.environment))
    }

    #[cfg(not(target_os = "linux"))]
    fn open_offer(&self, _path: &str, _number: u32) -> io::Result<Arc<Channel>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    #[cfg(target_os = "linux")]
    fn open_taking(&self, path: &str, number: u32, blob: Vec<u8>) -> io::Result<Asked> {
        use crate::net::transfer::thread::take;

        let runtime = self.shared.runtime().map(|runtime| Arc::downgrade(&runtime));
        let environment = Arc::clone(&self.environment);
        take(Path::new(path), number, environment, runtime.unwrap_or_default(), blob)
    }

    #[cfg(not(target_os = "linux"))]
    fn open_taking(&self, _path: &str, _number: u32, _blob: Vec<u8>) -> io::Result<Asked> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// Why there is no hand-over: JavaScript says what mends it, where that is known.
fn refused(verb: &'static str, path: String, cause: io::Error) -> Result<i32> {
    if is_out_of_files(&cause) {
        return Ok(returned::TOO_MANY_FILES);
    }
    let known = [
        (io::ErrorKind::AddrInUse, returned::HANDOVER_OFFERED),
        (io::ErrorKind::AlreadyExists, returned::OTHER_FILE),
        (io::ErrorKind::Unsupported, returned::NO_HANDING),
        (io::ErrorKind::PermissionDenied, returned::OTHER_USER),
    ];
    let found = known.into_iter().find(|(kind, _)| *kind == cause.kind());
    match found {
        // The system says that, too, of what this process may not reach.
        Some((_, returned::OTHER_USER)) if cause.raw_os_error().is_some() => {}
        Some((_, number)) => return Ok(number),
        None => {}
    }
    Err(BorderError::HandOver { verb, path, cause }.into())
}

/// A socket that listens, as descriptors are kept and handed on: nobody reads it.
#[cfg(unix)]
fn as_stream(listener: std::net::TcpListener) -> std::net::TcpStream {
    std::os::fd::OwnedFd::from(listener).into()
}

/// Nobody has any here.
#[cfg(not(unix))]
fn as_stream(_listener: std::net::TcpListener) -> std::net::TcpStream {
    unreachable!("there are no descriptors to be duplicated here")
}
