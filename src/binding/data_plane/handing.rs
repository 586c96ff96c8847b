//! Hand-overs of clients to another process, or from one (`src/net/transfer.rs`). Only Linux has what they need.

use std::io;
#[cfg(target_os = "linux")]
use std::path::Path;
use std::sync::Arc;

use napi::Result;
use napi::bindgen_prelude::Uint8ArraySlice;
use napi_derive::napi;

use super::DataPlane;
use crate::binding::error::BorderError;
use crate::border::returned;
use crate::handover::Message;
use crate::net::command::Command;
use crate::net::descriptor::duplicate_listener;
use crate::net::transfer::{Channel, Freeze};

#[napi]
impl DataPlane {
    /// Offers clients to who connects to the Unix socket `path`, one process of this user; gives the number of the hand-over, of
    /// which `RecordKind.HANDOVER` tells.
    ///
    /// # Errors
    /// When another process offers there, or the system says so.
    #[napi(catch_unwind)]
    pub fn offer_handover(&self, path: String) -> Result<u32> {
        let number = self.next_handover();
        let opened = self.open_offer(&path, number);
        let failed = |cause| BorderError::HandOver { verb: "hand over", path, cause };
        self.add_channel(opened.map_err(failed)?);
        Ok(number)
    }

    /// Connects to the process that offers at `path`, and says `blob` to its JavaScript; gives the number of the hand-over, or
    /// `Returned.NO_HANDOVER`: there is no such process.
    ///
    /// # Errors
    /// When it is another user's, or the system says so.
    #[napi(catch_unwind)]
    pub fn ask_handover(&self, path: String, blob: Uint8ArraySlice<'_>) -> Result<i32> {
        self.start()?;
        let number = self.next_handover();
        let opened = self.open_taking(&path, number, blob.to_vec());
        let failed = |cause| BorderError::HandOver { verb: "take over", path, cause };
        let Some(channel) = opened.map_err(failed)? else { return Ok(returned::NO_HANDOVER) };
        self.add_channel(channel);
        Ok(i32::try_from(number).unwrap_or(i32::MAX))
    }

    /// Answers the process that has connected: with `blob`, and duplicates of `descriptors`, sockets that listen.
    ///
    /// # Errors
    /// When the hand-over has ended, a descriptor can't be duplicated, or there can be no lock of who serves.
    #[napi(catch_unwind)]
    pub fn greet_handover(
        &self,
        handover: u32,
        blob: Uint8ArraySlice<'_>,
        descriptors: Vec<i32>,
    ) -> Result<()> {
        let channel = self.channel(handover)?;
        let mut sockets = Vec::with_capacity(descriptors.len());
        for descriptor in descriptors {
            let listener = duplicate_listener(descriptor).map_err(BorderError::TakeOver)?;
            sockets.push(as_stream(listener));
        }
        channel.greet(blob.to_vec(), sockets).map_err(BorderError::ServingLock)?;
        Ok(())
    }

    /// Says that sessions may come, for this server.
    ///
    /// # Errors
    /// When the hand-over has ended, or the server is not open.
    #[napi(catch_unwind)]
    pub fn ready_handover(&self, handover: u32, server: u32) -> Result<()> {
        let channel = self.channel(handover)?;
        channel.set_adopter(self.server(server)?);
        channel.send(&Message::Ready, Vec::new());
        Ok(())
    }

    /// Has the workers read nothing more of the clients of a server; each tells when it does not (`HandoverEvent.FROZEN`).
    ///
    /// # Errors
    /// When the hand-over has ended.
    #[napi(catch_unwind)]
    pub fn freeze_handover(&self, handover: u32, server: u32) -> Result<()> {
        let channel = Some(self.channel(handover)?);
        let environment = self.environment.id;
        self.ask_workers(|| {
            let channel = channel.clone();
            Command::Freeze(Freeze { environment, server, channel })
        });
        Ok(())
    }

    /// Has the workers read on what has not been handed over.
    #[napi(catch_unwind)]
    pub fn thaw_handover(&self, _handover: u32, server: u32) {
        let environment = self.environment.id;
        self.ask_workers(|| Command::Freeze(Freeze { environment, server, channel: None }));
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
        let channel = self.channel(handover)?;
        channel.begin_end(self.workers() as usize, blob.to_vec());
        self.ask_workers(|| Command::FinishHandOver { server, channel: Arc::clone(&channel) });
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

    fn add_channel(&self, channel: Arc<Channel>) {
        self.operations().channels.insert(channel.number, channel);
    }

    fn channel(&self, number: u32) -> std::result::Result<Arc<Channel>, BorderError> {
        let operations = self.operations();
        operations.channels.get(&number).map(Arc::clone).ok_or(BorderError::UnknownHandOver(number))
    }

    fn ask_workers(&self, command: impl Fn() -> Command) {
        let Some(runtime) = self.shared.runtime() else { return };
        for worker in 0..runtime.workers() {
            runtime.mailbox(worker).post_command(command());
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
    fn open_taking(
        &self,
        path: &str,
        number: u32,
        blob: Vec<u8>,
    ) -> io::Result<Option<Arc<Channel>>> {
        use crate::net::transfer::thread::take;

        let runtime = self.shared.runtime().map(|runtime| Arc::downgrade(&runtime));
        let environment = Arc::clone(&self.environment);
        take(Path::new(path), number, environment, runtime.unwrap_or_default(), blob)
    }

    #[cfg(not(target_os = "linux"))]
    fn open_taking(
        &self,
        _path: &str,
        _number: u32,
        _blob: Vec<u8>,
    ) -> io::Result<Option<Arc<Channel>>> {
        Err(io::ErrorKind::Unsupported.into())
    }
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
