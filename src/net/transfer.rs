//! A hand-over of clients from one process to another: what the workers, JavaScript and the thread that has the Unix socket share.
//!
//! ```text
//!   JavaScript ── says, sessions' own words ──► workers ── sessions, sockets ─┐
//!        │                                                                    ▼
//!        └── messages ────────────────────────────────────────────────► Channel ──► its thread ──► the other process
//!   JavaScript ◄── records ──────────────────────────────────────────────────────── its thread ◄── the other process
//!   workers    ◄── sessions to be adopted ──────────────────────────────────────────┘
//! ```
//!
//! A session is in one message with its socket, and has ended here when that is queued: nobody reads a socket twice. What is
//! queued when the channel ends is closed with it, and its client comes back by itself.
//!
//! Which of the two processes serves is decided by its thread, with `src/handover/serving.rs` and a lock that both have. JavaScript
//! is told, and asks for it by messages: what it says too late is not said.

#![cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "only Linux gives sockets away"))]

#[cfg(target_os = "linux")]
mod comers;
#[cfg(target_os = "linux")]
mod lock;
#[cfg(target_os = "linux")]
mod offer;
#[cfg(target_os = "linux")]
mod peer;
#[cfg(target_os = "linux")]
pub mod thread;

use std::collections::VecDeque;
use std::fmt;
use std::net::TcpStream;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::record::Record;
use super::server::{Environment, Server};
use crate::border::{HandoverEvent, RecordKind};
use crate::handover::serving::Word;
use crate::handover::{HandedSession, Message};

/// The lane of the inbox in which news of hand-overs stand.
const LANE: usize = 0;

/// Descriptors that an offer keeps for later.
#[cfg(target_os = "linux")]
const RESERVE: usize = 2;

/// Whether this process, or the system, has as many files open as it may.
#[cfg(target_os = "linux")]
pub fn is_out_of_files(error: &std::io::Error) -> bool {
    use rustix::io::Errno;

    matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE))
}

/// Whether this process, or the system, has as many files open as it may.
#[cfg(not(target_os = "linux"))]
pub fn is_out_of_files(_error: &std::io::Error) -> bool {
    false
}

/// A message on its way to the other process.
#[derive(Debug)]
pub struct Outgoing {
    bytes: Vec<u8>,
    /// The sockets that go with its first byte. One that listens looks like any other here, and so does the lock.
    sockets: Vec<TcpStream>,
    /// What it decides, if it does.
    word: Option<Word>,
}

/// How far a channel is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Open,
    /// The other process has gone, or has said what it must not. Words still count, though nobody hears them.
    Lost,
    /// JavaScript wants no more of it.
    Ended,
}

#[derive(Debug, Default)]
struct Outbox {
    phase: Phase,
    waiting: VecDeque<Outgoing>,
}

/// A hand-over, as all see it that take part in it.
pub struct Channel {
    /// JavaScript's name for it.
    pub number: u32,
    /// That of the JavaScript thread.
    pub environment: Arc<Environment>,
    outbox: Mutex<Outbox>,
    /// That of who serves, as soon as both have it. It goes with the channel, so whoever serves keeps that.
    #[cfg(target_os = "linux")]
    lock: std::sync::OnceLock<lock::ServingLock>,
    /// The end of the lock that the other process gets.
    #[cfg(target_os = "linux")]
    theirs: Mutex<Option<std::os::fd::OwnedFd>>,
    /// The file of an offer that nobody has taken: by the thread, when somebody has greeted, or by who ends it before.
    #[cfg(target_os = "linux")]
    offered: Mutex<Option<offer::File>>,
    /// Descriptors for what an offer takes when somebody comes: his connection, and a socket that listens. A process that may open no more
    /// files by then is one that is to be restarted with a higher limit.
    #[cfg(target_os = "linux")]
    reserve: Mutex<Vec<std::os::fd::OwnedFd>>,
    /// Wakes the thread.
    wake: Box<dyn Fn() + Send + Sync>,
    /// Sessions that have been handed over here.
    sent: AtomicU32,
    /// Workers that have still something to hand over.
    busy: AtomicUsize,
    /// What JavaScript says at the end.
    last: Mutex<Vec<u8>>,
    /// Whose sessions those are that come, once JavaScript waits for them.
    adopter: Mutex<Option<Arc<Server>>>,
    /// Sessions that have come and that workers have not looked at yet.
    pending: AtomicUsize,
    /// Those of which JavaScript hears.
    opened: AtomicU32,
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel").field("number", &self.number).finish_non_exhaustive()
    }
}

impl Channel {
    /// The channel `number` of an environment; `wake` wakes its thread.
    pub fn new(
        number: u32,
        environment: Arc<Environment>,
        wake: impl Fn() + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self {
            number,
            environment,
            outbox: Mutex::default(),
            #[cfg(target_os = "linux")]
            lock: std::sync::OnceLock::new(),
            #[cfg(target_os = "linux")]
            theirs: Mutex::default(),
            #[cfg(target_os = "linux")]
            offered: Mutex::default(),
            #[cfg(target_os = "linux")]
            reserve: Mutex::default(),
            wake: Box::new(wake),
            sent: AtomicU32::new(0),
            busy: AtomicUsize::new(0),
            last: Mutex::default(),
            adopter: Mutex::default(),
            pending: AtomicUsize::new(0),
            opened: AtomicU32::new(0),
        })
    }

    fn outbox(&self) -> MutexGuard<'_, Outbox> {
        self.outbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether what is sent still gets somewhere.
    pub fn is_open(&self) -> bool {
        self.outbox().phase == Phase::Open
    }

    /// Queues a message with its sockets. False: it goes nowhere, and the sockets are closed.
    pub fn send(&self, message: &Message, sockets: Vec<TcpStream>) -> bool {
        let mut bytes = Vec::new();
        let count = u8::try_from(sockets.len()).ok();
        if count.and_then(|count| message.write(&mut bytes, count)).is_none() {
            return false;
        }
        let word = match message {
            Message::End { .. } => Some(Word::End),
            Message::Taken { .. } => Some(Word::Taken),
            Message::Refused { .. } => Some(Word::Refused),
            Message::Hello { .. }
            | Message::Welcome { .. }
            | Message::Ready { .. }
            | Message::State { .. }
            | Message::Session(_)
            | Message::Connection { .. } => None,
        };
        let mut outbox = self.outbox();
        if outbox.phase == Phase::Ended || (outbox.phase == Phase::Lost && word.is_none()) {
            return false;
        }
        // The thread takes all that waits.
        let sleeps = outbox.waiting.is_empty();
        outbox.waiting.push_back(Outgoing { bytes, sockets, word });
        drop(outbox);
        if sleeps {
            (self.wake)();
        }
        true
    }

    /// Greets the process that has connected: with what JavaScript says, the lock, which this process holds, and the sockets that
    /// listen.
    pub fn greet(&self, blob: Vec<u8>, mut listeners: Vec<TcpStream>) {
        #[cfg(target_os = "linux")]
        if let Some(theirs) = self.theirs.lock().unwrap_or_else(PoisonError::into_inner).take() {
            listeners.insert(0, theirs.into());
        }
        self.send(&Message::welcome(blob), listeners);
    }

    /// Both have the lock: `ours` is the end of this process, `theirs` goes with the greeting.
    #[cfg(target_os = "linux")]
    fn set_lock(&self, ours: lock::ServingLock, theirs: Option<std::os::fd::OwnedFd>) {
        let _set_before = self.lock.set(ours);
        *self.theirs.lock().unwrap_or_else(PoisonError::into_inner) = theirs;
    }

    /// Others find this process by that file.
    #[cfg(target_os = "linux")]
    fn set_offered(&self, file: offer::File) {
        *self.offered.lock().unwrap_or_else(PoisonError::into_inner) = Some(file);
    }

    /// They don't any more, or whoever takes it sees to that.
    #[cfg(target_os = "linux")]
    fn take_offered(&self) -> Option<offer::File> {
        self.offered.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Keeps descriptors for later, as far as there are some.
    #[cfg(target_os = "linux")]
    fn fill_reserve(&self, any: std::os::fd::BorrowedFd<'_>) {
        let mut reserve = self.reserve.lock().unwrap_or_else(PoisonError::into_inner);
        while reserve.len() < RESERVE
            && let Ok(descriptor) = any.try_clone_to_owned()
        {
            reserve.push(descriptor);
        }
    }

    /// Gives the one up that is kept for a connection. False: there is none.
    #[cfg(target_os = "linux")]
    fn spend_one(&self) -> bool {
        let mut reserve = self.reserve.lock().unwrap_or_else(PoisonError::into_inner);
        reserve.len() == RESERVE && reserve.pop().is_some()
    }

    /// Gives up all that are kept: what they were kept for comes now.
    pub fn spend_reserve(&self) {
        #[cfg(target_os = "linux")]
        self.reserve.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Says that this process serves, with all the sessions that have come.
    pub fn take(&self) {
        let sessions = self.opened.load(Ordering::SeqCst);
        self.send(&Message::Taken { sessions }, Vec::new());
    }

    /// Queues a session. False: it goes nowhere, and its socket is closed.
    pub fn send_session(&self, session: HandedSession, socket: Option<TcpStream>) -> bool {
        let message = Message::Session(Box::new(session));
        let sent = self.send(&message, socket.into_iter().collect());
        self.sent.fetch_add(u32::from(sent), Ordering::Relaxed);
        sent
    }

    /// All sessions are queued, and `workers` workers are about to hand over their connections: gives a ticket for each. When the last
    /// ticket has gone, this was all, and JavaScript's last word is `blob`.
    pub fn finish(self: &Arc<Self>, workers: usize, blob: Vec<u8>) -> Vec<FinishTicket> {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = blob;
        self.busy.store(workers, Ordering::SeqCst);
        (0..workers).map(|_| FinishTicket(Arc::clone(self))).collect()
    }

    /// Says that this was all, and why nobody comes: the other process is to serve, and the sessions stay here.
    pub fn part(&self, against: String) {
        self.send(&Message::End { sessions: 0, against, blob: Vec::new() }, Vec::new());
    }

    /// JavaScript wants no more of it: the thread ends. As long as it is not decided who serves, that is the old process, and `why` is
    /// told to the other one. Where nobody has come, the path is free at once.
    pub fn end(&self, why: &str) {
        #[cfg(target_os = "linux")]
        drop(self.take_offered());
        self.send(&Message::Refused { why: why.to_owned() }, Vec::new());
        self.outbox().phase = Phase::Ended;
        (self.wake)();
    }

    /// From now on sessions may come, for `server`.
    pub fn set_adopter(&self, server: Arc<Server>) {
        *self.adopter.lock().unwrap_or_else(PoisonError::into_inner) = Some(server);
    }

    /// Tells JavaScript of an event, in the order of `HandoverEvent`: numbers, a text, buffers.
    fn tell(
        &self,
        event: HandoverEvent,
        numbers: &[u32],
        text: Option<&str>,
        buffers: Vec<Vec<u8>>,
    ) {
        self.tell_on(LANE, event, |record| {
            for number in numbers {
                record.number(*number);
            }
            if let Some(text) = text {
                record.string(text);
            }
            for buffer in buffers {
                record.buffer(buffer);
            }
        });
    }

    /// The same, on the lane of a worker, behind all that it has told.
    fn tell_on(&self, lane: usize, event: HandoverEvent, write: impl FnOnce(&mut Record<'_>)) {
        let inbox = &self.environment.inbox;
        inbox.push(lane, |record| {
            record.kind(RecordKind::Handover).number(self.number).number(event as u32);
            write(record);
        });
        inbox.announce(lane);
    }
}

/// What came of asking for the clients of another process.
#[derive(Debug)]
pub enum Asked {
    /// It is there.
    Offered(Arc<Channel>),
    /// It hands them over to another one, or is asked by too many at once: ask again.
    UnderWay,
    /// There is no such process.
    Nobody,
}

/// A session that has come from another process, on its way to the worker that is to have it.
#[derive(Debug)]
pub struct Adoption {
    /// Whose it is.
    pub server: Arc<Server>,
    /// The session.
    pub session: HandedSession,
    /// The socket of its WebSocket.
    pub socket: Option<TcpStream>,
    /// Has the channel hear when a worker has looked at it.
    pub ticket: Ticket,
}

/// Counts a session that workers have not looked at yet, for as long as it lives.
pub struct Ticket(Arc<Channel>);

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ticket")
    }
}

impl Ticket {
    /// Counts one more.
    pub fn new(channel: &Arc<Channel>) -> Self {
        channel.pending.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(channel))
    }

    /// JavaScript has been told of it.
    pub fn note_opened(&self) {
        self.0.opened.fetch_add(1, Ordering::SeqCst);
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if self.0.pending.fetch_sub(1, Ordering::SeqCst) == 1 {
            (self.0.wake)();
        }
    }
}

/// Whether the sessions of a server are read.
#[derive(Debug)]
pub struct Freeze {
    /// The environment…
    pub environment: u32,
    /// …and there the server.
    pub server: u32,
    /// Has JavaScript hear when they are not any more; none: they are again.
    pub ticket: Option<FreezeTicket>,
}

/// What a worker owes that is to read nothing more of a server. JavaScript hears of it when it goes, whatever has become of the worker:
/// one that panics, or has ended, reads nothing either.
pub struct FreezeTicket {
    channel: Arc<Channel>,
    worker: usize,
}

impl fmt::Debug for FreezeTicket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FreezeTicket")
    }
}

impl FreezeTicket {
    /// That of the worker with this number.
    pub fn new(channel: &Arc<Channel>, worker: usize) -> Self {
        Self { channel: Arc::clone(channel), worker }
    }
}

impl Drop for FreezeTicket {
    fn drop(&mut self) {
        let worker = u32::try_from(self.worker).unwrap_or_default();
        self.channel.tell_on(self.worker, HandoverEvent::Frozen, |record| {
            record.number(worker);
        });
    }
}

/// What a worker owes that is to hand over its connections. The last one to go says that this was all, whatever has become of the
/// workers.
pub struct FinishTicket(Arc<Channel>);

impl fmt::Debug for FinishTicket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FinishTicket")
    }
}

impl FinishTicket {
    /// The way there.
    pub fn channel(&self) -> &Arc<Channel> {
        &self.0
    }
}

impl Drop for FinishTicket {
    fn drop(&mut self) {
        let channel = &self.0;
        if channel.busy.fetch_sub(1, Ordering::SeqCst) == 1 {
            let blob =
                std::mem::take(&mut *channel.last.lock().unwrap_or_else(PoisonError::into_inner));
            let sessions = channel.sent.load(Ordering::SeqCst);
            let against = String::new();
            channel.send(&Message::End { sessions, against, blob }, Vec::new());
        }
    }
}
