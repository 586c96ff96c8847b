//! The thread of a hand-over: it has the Unix socket, and does all that takes time.

use std::collections::VecDeque;
use std::fs;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, Weak};
use std::thread;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::sockopt::socket_peercred;

use super::lock::ServingLock;
use super::peer::{Lost, MAX_SOCKETS, Peer};
use super::{Adoption, Channel, LANE, Outgoing, Phase, Ticket};
use crate::border::{HandoverEvent, RecordKind};
use crate::handover::serving::{self, Step, Word};
use crate::handover::{HandedSession, Invalid, Message, VERSION};
use crate::net::clock;
use crate::net::command::Command;
use crate::net::runtime::Runtime;
use crate::net::server::Environment;

/// While so many bytes wait for JavaScript, no more sessions are read.
const MOST_WAITING: usize = 16 << 20;
/// How long it waits then until it looks again.
const LOOK_AGAIN: Timespec = Timespec { tv_sec: 0, tv_nsec: 5_000_000 };
/// When JavaScript wants no more of it, what is queued still leaves, if the other process takes something within this time.
const LAST_WORDS: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };
/// The file is its owner's alone.
const MODE: u32 = 0o600;

/// Offers the clients of this process to who connects to `path`: one process of the same user.
///
/// # Errors
/// When another process offers there, or the file is none of a socket, or the system says so.
pub fn offer(path: &Path, number: u32, environment: Arc<Environment>) -> io::Result<Arc<Channel>> {
    let listener = listen(path)?;
    let file = File { path: path.to_owned(), inode: fs::symlink_metadata(path)?.ino() };
    start(number, environment, move |channel, bell| {
        let Some(socket) = accept(&listener, &channel, &bell) else { return };
        // The next process offers under this name.
        drop(listener);
        drop(file);
        run(&channel, &bell, socket, &mut Giver::default());
    })
}

/// Takes over what a process offers at `path`. None: there is no such process.
///
/// # Errors
/// When it is another user's, or the system says so.
pub fn take(
    path: &Path,
    number: u32,
    environment: Arc<Environment>,
    runtime: Weak<Runtime>,
    blob: Vec<u8>,
) -> io::Result<Option<Arc<Channel>>> {
    let socket = match UnixStream::connect(path) {
        Ok(socket) => socket,
        Err(error)
            if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) =>
        {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    if !is_same_user(&socket)? {
        return Err(io::Error::new(ErrorKind::PermissionDenied, "it is another user's"));
    }
    let channel = start(number, environment, move |channel, bell| {
        run(&channel, &bell, socket, &mut Taker::new(runtime));
    })?;
    channel.send(&Message::hello(blob), Vec::new());
    Ok(Some(channel))
}

/// Starts the thread of a channel; it is woken by the bell.
fn start(
    number: u32,
    environment: Arc<Environment>,
    body: impl FnOnce(Arc<Channel>, UnixStream) + Send + 'static,
) -> io::Result<Arc<Channel>> {
    let (bell, ringer) = UnixStream::pair()?;
    bell.set_nonblocking(true)?;
    ringer.set_nonblocking(true)?;
    let channel = Channel::new(number, environment, move || {
        // When it is full, it rings already; when nobody hears it, there is nothing to do.
        let _unheard = (&ringer).write(&[1]);
    });
    let for_thread = Arc::clone(&channel);
    thread::Builder::new()
        .name(format!("handover-{number}"))
        .spawn(move || body(for_thread, bell))?;
    Ok(channel)
}

/// The file of the socket. It goes when this does, if it is still the same.
struct File {
    path: PathBuf,
    inode: u64,
}

impl Drop for File {
    fn drop(&mut self) {
        if fs::symlink_metadata(&self.path).is_ok_and(|found| found.ino() == self.inode) {
            let _gone = fs::remove_file(&self.path);
        }
    }
}

/// Listens at `path`, which only this user can reach. What a process has left there that has ended is replaced.
fn listen(path: &Path) -> io::Result<UnixListener> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error),
        Ok(found) if !found.file_type().is_socket() => {
            return Err(io::Error::new(
                ErrorKind::AlreadyExists,
                "there is a file that is no socket",
            ));
        }
        Ok(_) => match UnixStream::connect(path) {
            Ok(_) => return Err(ErrorKind::AddrInUse.into()),
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => fs::remove_file(path)?,
            Err(error) => return Err(error),
        },
    }
    bind(path)
}

/// A socket whose file has its mode before anybody can connect to it.
fn bind(path: &Path) -> io::Result<UnixListener> {
    use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    rustix::net::bind(&socket, &SocketAddrUnix::new(path)?)?;
    fs::set_permissions(path, fs::Permissions::from_mode(MODE))?;
    rustix::net::listen(&socket, 1)?;
    Ok(UnixListener::from(socket))
}

/// Whether the process at the other end is one of the same user.
fn is_same_user(socket: &UnixStream) -> io::Result<bool> {
    Ok(socket_peercred(socket)?.uid == rustix::process::geteuid())
}

/// Waits for a process of the same user that speaks; others are sent away. None: nobody is wanted any more.
fn accept(listener: &UnixListener, channel: &Channel, bell: &UnixStream) -> Option<UnixStream> {
    loop {
        silence(bell);
        if !channel.is_open() {
            return None;
        }
        match listener.accept() {
            Ok((socket, _))
                if is_same_user(&socket).unwrap_or_default() && speaks(&socket, channel, bell) =>
            {
                return Some(socket);
            }
            Ok(_) => continue,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => {
                channel.lose();
                channel.fail(&format!("can't accept: {error}"));
                return None;
            }
        }
        let mut waits = [PollFd::new(listener, PollFlags::IN), PollFd::new(bell, PollFlags::IN)];
        let _interrupted = poll(&mut waits, None);
    }
}

/// Waits until a process says something; whether it does. Who only looks whether somebody offers here goes without a word, and takes
/// the offer from nobody.
fn speaks(socket: &UnixStream, channel: &Channel, bell: &UnixStream) -> bool {
    use rustix::io::Errno;
    use rustix::net::{RecvFlags, recv};

    loop {
        silence(bell);
        if !channel.is_open() {
            return false;
        }
        match recv(socket, &mut [0_u8; 1], RecvFlags::PEEK | RecvFlags::DONTWAIT) {
            Ok((count, _)) => return count > 0,
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(_) => return false,
        }
        let mut waits = [PollFd::new(socket, PollFlags::IN), PollFd::new(bell, PollFlags::IN)];
        let _interrupted = poll(&mut waits, None);
    }
}

/// Takes all rings.
fn silence(bell: &UnixStream) {
    let mut rings = [0; 64];
    while (&*bell).read(&mut rings).is_ok_and(|count| count == rings.len()) {}
}

/// One side of the conversation.
trait Side {
    /// A message has come.
    fn handle(
        &mut self,
        channel: &Arc<Channel>,
        message: Message,
        sockets: Vec<OwnedFd>,
    ) -> Result<(), Lost>;
    /// Something may have changed.
    fn poll(&mut self, channel: &Arc<Channel>);
    /// A word is about to be said; whether it may be.
    fn say(&mut self, channel: &Arc<Channel>, word: Word) -> bool;
    /// Nothing more comes from the other process.
    fn handle_end(&mut self, channel: &Arc<Channel>, why: String);
    /// Whether something is done again and again: the lock is tried.
    fn is_busy(&self) -> bool;
    /// Whether there is nothing to be done without the other process.
    fn is_settled(&self) -> bool;
    /// Whether nothing more may be read for now.
    fn must_wait(&self, channel: &Channel) -> bool;
}

/// Talks to the other process until JavaScript wants no more of it, or it goes; then it is decided who serves.
fn run(channel: &Arc<Channel>, bell: &UnixStream, socket: UnixStream, side: &mut impl Side) {
    let lost = Peer::new(socket)
        .map_err(Lost::from)
        .and_then(|mut peer| talk(channel, bell, &mut peer, side));
    let why = match lost {
        Ok(()) => return,
        Err(Lost::Gone) => "the other process has gone".into(),
        Err(Lost::Io(error)) => error.to_string(),
        Err(Lost::Invalid(invalid)) => invalid.to_string(),
    };
    channel.lose();
    side.handle_end(channel, why);
    loop {
        silence(bell);
        let is_open = channel.take_messages(side, |_| {});
        side.poll(channel);
        if !is_open || side.is_settled() {
            return;
        }
        let _interrupted = poll(&mut [PollFd::new(bell, PollFlags::IN)], Some(&LOOK_AGAIN));
    }
}

fn talk(
    channel: &Arc<Channel>,
    bell: &UnixStream,
    peer: &mut Peer,
    side: &mut impl Side,
) -> Result<(), Lost> {
    loop {
        silence(bell);
        side.poll(channel);
        let is_open = channel.take_messages(side, |message| peer.queue(message));
        if let Err(lost) = peer.write() {
            // Who hears no more may have said why.
            while hear(channel, peer, side)? {}
            return Err(lost);
        }
        if !is_open && !peer.has_output() {
            return Ok(());
        }
        let waits = side.must_wait(channel);
        let mut interest = PollFlags::empty();
        interest.set(PollFlags::IN, !waits && is_open);
        interest.set(PollFlags::OUT, peer.has_output());
        let socket = peer.fd();
        let mut polled =
            [PollFd::from_borrowed_fd(socket, interest), PollFd::new(bell, PollFlags::IN)];
        let timeout = match (is_open, waits || side.is_busy()) {
            (false, _) => Some(&LAST_WORDS),
            (true, true) => Some(&LOOK_AGAIN),
            (true, false) => None,
        };
        let count = poll(&mut polled, timeout);
        if !is_open && count == Ok(0) {
            return Ok(());
        }
        let ready = polled[0].revents();
        if waits || !is_open || !ready.intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR) {
            continue;
        }
        hear(channel, peer, side)?;
    }
}

/// Reads once, and handles what has come; whether that was something.
fn hear(channel: &Arc<Channel>, peer: &mut Peer, side: &mut impl Side) -> Result<bool, Lost> {
    let has_come = peer.read()?;
    while let Some((frame, sockets)) = peer.next_message()? {
        side.handle(channel, Message::read(&frame)?, sockets)?;
    }
    Ok(has_come)
}

impl Channel {
    /// Gives what is to be sent to `queue`; false: nothing more will come.
    fn take_messages(
        self: &Arc<Self>,
        side: &mut impl Side,
        mut queue: impl FnMut(Outgoing),
    ) -> bool {
        let mut outbox = self.outbox();
        let waiting = std::mem::take(&mut outbox.waiting);
        let is_open = outbox.phase != Phase::Ended;
        drop(outbox);
        for message in waiting {
            if message.word.is_none_or(|word| side.say(self, word)) {
                queue(message);
            }
        }
        is_open
    }

    /// What is sent goes nowhere from now on.
    fn lose(&self) {
        let mut outbox = self.outbox();
        if outbox.phase == Phase::Open {
            outbox.phase = Phase::Lost;
        }
        let (kept, lost) =
            std::mem::take(&mut outbox.waiting).into_iter().partition(|each| each.word.is_some());
        outbox.waiting = kept;
        drop(outbox);
        drop::<VecDeque<Outgoing>>(lost); // with the sockets
    }

    /// JavaScript hears that the hand-over is over, and the other process is not the one that serves (old), or this one not (new).
    fn fail(&self, why: &str) {
        let inbox = &self.environment.inbox;
        inbox.push(LANE, |record| {
            record.kind(RecordKind::Handover).number(self.number);
            record.number(HandoverEvent::Failed as u32).string(why);
        });
        inbox.announce(LANE);
    }
}

/// The lock is tried again and again, as it may be that of a process that is about to end, but no longer than this, in milliseconds.
const ENDING: u64 = 1000;

/// Who wants the lock.
#[derive(Debug, Default)]
struct Attempt {
    /// Since when it has wanted it.
    since: Option<u64>,
}

impl Attempt {
    /// Whether it has it; none: not yet.
    fn poll(&mut self, channel: &Channel) -> Option<bool> {
        let Some(lock) = channel.lock.get() else { return Some(false) };
        if lock.try_lock() {
            return Some(true);
        }
        let now = clock::now();
        let since = *self.since.get_or_insert(now);
        (now >= since + ENDING).then_some(false)
    }
}

/// The process that gives.
#[derive(Debug, Default)]
struct Giver {
    serving: serving::Giver,
    attempt: Attempt,
    greeted: bool,
    /// Why it has failed, if it has.
    why: String,
    /// How many sessions the other one has.
    sessions: u32,
}

impl Giver {
    /// Does what has been decided. Gives whether something is said.
    fn carry_out(&mut self, channel: &Channel, steps: &[Step]) -> bool {
        for step in steps {
            match step {
                Step::Unlock => {
                    if let Some(lock) = channel.lock.get() {
                        lock.unlock();
                    }
                }
                Step::Serve => {
                    if let Some(lock) = channel.lock.get() {
                        lock.keep();
                    }
                    channel.lose(); // nobody takes any more what is still to be sent
                    channel.fail(&self.why);
                }
                Step::Yield => channel.tell(HandoverEvent::Sent, &[self.sessions], Vec::new()),
                Step::Say(_) => {}
            }
        }
        steps.iter().any(|step| matches!(step, Step::Say(_)))
    }
}

impl Side for Giver {
    fn handle(
        &mut self,
        channel: &Arc<Channel>,
        message: Message,
        _sockets: Vec<OwnedFd>,
    ) -> Result<(), Lost> {
        match message {
            Message::Hello { version, .. } if !self.greeted && version != VERSION => {
                self.greeted = true;
                self.why = format!("it speaks version {VERSION} of hand-overs, and not {version}");
                channel.end(&self.why);
                Ok(())
            }
            Message::Hello { blob, .. } if !self.greeted => {
                self.greeted = true;
                channel.tell(HandoverEvent::Peer, &[0, 0], vec![blob]);
                Ok(())
            }
            Message::Ready if self.greeted => {
                channel.tell(HandoverEvent::Ready, &[], Vec::new());
                Ok(())
            }
            Message::Taken { sessions } if self.serving == serving::Giver::Released => {
                self.sessions = sessions;
                let steps = self.serving.handle_word(Word::Taken);
                self.carry_out(channel, steps);
                Ok(())
            }
            Message::Refused { why } => {
                self.why = refusal(&why);
                let steps = self.serving.handle_word(Word::Refused);
                self.carry_out(channel, steps);
                Ok(())
            }
            Message::Hello { .. }
            | Message::Welcome { .. }
            | Message::Ready
            | Message::State { .. }
            | Message::Session(_)
            | Message::Connection { .. }
            | Message::End { .. }
            | Message::Taken { .. } => Err(Lost::Invalid(Invalid::Damaged)),
        }
    }

    fn poll(&mut self, channel: &Arc<Channel>) {
        if self.serving.is_locking()
            && let Some(is_locked) = self.attempt.poll(channel)
        {
            let steps = self.serving.handle_lock(is_locked);
            self.carry_out(channel, steps);
        }
    }

    fn say(&mut self, channel: &Arc<Channel>, word: Word) -> bool {
        let steps = self.serving.say(word);
        self.carry_out(channel, steps)
    }

    fn handle_end(&mut self, channel: &Arc<Channel>, why: String) {
        if self.why.is_empty() {
            self.why = why;
        }
        let steps = self.serving.handle_end();
        self.carry_out(channel, steps);
    }

    fn is_busy(&self) -> bool {
        self.serving.is_locking()
    }

    fn is_settled(&self) -> bool {
        self.serving.is_settled()
    }

    fn must_wait(&self, _channel: &Channel) -> bool {
        false
    }
}

/// What is said of a refusal by the other process.
fn refusal(why: &str) -> String {
    format!("the other process refuses: {why}")
}

/// The process that takes.
#[derive(Debug)]
struct Taker {
    runtime: Weak<Runtime>,
    serving: serving::Taker,
    attempt: Attempt,
    welcomed: bool,
    sessions: u32,
    /// HTTP connections wait until all sessions are there that their requests may be for.
    connections: VecDeque<(TcpStream, Vec<u8>, Vec<u8>)>,
    /// What JavaScript says at the end, if that has come.
    last: Vec<u8>,
    /// Why not all has come.
    why: String,
    /// Whether JavaScript is to hear that it serves, as soon as workers have looked at all sessions.
    untold: bool,
}

impl Taker {
    fn new(runtime: Weak<Runtime>) -> Self {
        Self {
            runtime,
            serving: serving::Taker::default(),
            attempt: Attempt::default(),
            welcomed: false,
            sessions: 0,
            connections: VecDeque::new(),
            last: Vec::new(),
            why: String::new(),
            untold: false,
        }
    }

    /// Does what has been decided. Gives whether something is said.
    fn carry_out(&mut self, channel: &Channel, steps: &[Step]) -> bool {
        for step in steps {
            match step {
                Step::Unlock => {
                    if let Some(lock) = channel.lock.get() {
                        lock.unlock();
                    }
                }
                Step::Serve => self.untold = true,
                Step::Yield => {
                    self.untold = false;
                    channel.fail(&self.why);
                }
                Step::Say(_) => {}
            }
        }
        steps.iter().any(|step| matches!(step, Step::Say(_)))
    }

    /// A worker gets a session.
    fn adopt(
        &mut self,
        channel: &Arc<Channel>,
        session: HandedSession,
        socket: Option<OwnedFd>,
    ) -> Result<(), Lost> {
        let adopter = channel.adopter.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let server = adopter.ok_or(Lost::Invalid(Invalid::Damaged))?;
        let runtime = self.runtime.upgrade().ok_or(Lost::Gone)?;
        self.sessions += 1;
        let (socket, ticket) = (socket.map(TcpStream::from), Ticket::new(channel));
        let adoption = Adoption { server, session, socket, ticket };
        runtime.mailbox(runtime.pick()).post_command(Command::Adopt(Box::new(adoption)));
        Ok(())
    }

    /// All that has come is JavaScript's.
    fn tell(&mut self, channel: &Channel) {
        self.untold = false;
        for (socket, unread, unwritten) in self.connections.drain(..) {
            let token = channel.environment.next_tokens(1);
            channel.environment.keep_stream(token, socket);
            channel.tell(HandoverEvent::Connection, &[token], vec![unread, unwritten]);
        }
        let sessions = channel.opened.load(Ordering::SeqCst);
        let inbox = &channel.environment.inbox;
        inbox.push(LANE, |record| {
            record.kind(RecordKind::Handover).number(channel.number);
            record.number(HandoverEvent::End as u32).number(sessions).string(&self.why);
            record.buffer(std::mem::take(&mut self.last));
        });
        inbox.announce(LANE);
    }
}

impl Side for Taker {
    fn handle(
        &mut self,
        channel: &Arc<Channel>,
        message: Message,
        sockets: Vec<OwnedFd>,
    ) -> Result<(), Lost> {
        if self.serving == serving::Taker::Out {
            return Ok(()); // that is on its way there
        }
        if self.serving != serving::Taker::Waiting {
            return Err(Lost::Invalid(Invalid::Damaged)); // behind the end
        }
        let mut sockets = sockets.into_iter();
        match message {
            Message::Welcome { blob } if !self.welcomed && sockets.len() <= MAX_SOCKETS => {
                self.welcomed = true;
                let lock = sockets.next().ok_or(Lost::Invalid(Invalid::Descriptors))?;
                let _set_before = channel.lock.set(ServingLock::of(lock));
                let count = u32::try_from(sockets.len()).unwrap_or_default();
                let environment = &channel.environment;
                let first = environment.next_tokens(count);
                for (token, socket) in (first..).zip(sockets) {
                    environment.keep_stream(token, socket.into());
                }
                channel.tell(HandoverEvent::Peer, &[first, count], vec![blob]);
                Ok(())
            }
            Message::State { blob } if self.welcomed => {
                channel.tell(HandoverEvent::State, &[], vec![blob]);
                Ok(())
            }
            Message::Session(session) => self.adopt(channel, *session, sockets.next()),
            Message::Connection { unread, unwritten } if self.welcomed => {
                let socket = sockets.next().ok_or(Lost::Invalid(Invalid::Descriptors))?;
                self.connections.push_back((socket.into(), unread, unwritten));
                Ok(())
            }
            Message::End { sessions, blob } if self.welcomed && sessions == self.sessions => {
                self.last = blob;
                let steps = self.serving.handle_word(Word::End);
                self.carry_out(channel, steps);
                self.poll(channel);
                Ok(())
            }
            Message::Refused { why } => {
                self.why = refusal(&why);
                let steps = self.serving.handle_word(Word::Refused);
                self.carry_out(channel, steps);
                Ok(())
            }
            Message::Hello { .. }
            | Message::Welcome { .. }
            | Message::Ready
            | Message::State { .. }
            | Message::Connection { .. }
            | Message::End { .. }
            | Message::Taken { .. } => Err(Lost::Invalid(Invalid::Damaged)),
        }
    }

    fn poll(&mut self, channel: &Arc<Channel>) {
        if self.serving.is_locking()
            && let Some(is_locked) = self.attempt.poll(channel)
        {
            if !is_locked && self.why.is_empty() {
                self.why = "the other process goes on".into();
            }
            let steps = self.serving.handle_lock(is_locked);
            self.carry_out(channel, steps);
        }
        if self.untold && channel.pending.load(Ordering::SeqCst) == 0 {
            self.tell(channel);
        }
    }

    fn say(&mut self, channel: &Arc<Channel>, word: Word) -> bool {
        let steps = self.serving.say(word);
        self.carry_out(channel, steps)
    }

    fn handle_end(&mut self, channel: &Arc<Channel>, why: String) {
        if self.serving == serving::Taker::Waiting {
            self.why = why;
        }
        let steps = self.serving.handle_end();
        self.carry_out(channel, steps);
    }

    fn is_busy(&self) -> bool {
        self.serving.is_locking()
    }

    fn is_settled(&self) -> bool {
        self.serving.is_settled() && !self.untold
    }

    fn must_wait(&self, channel: &Channel) -> bool {
        channel.environment.inbox.budget.queued() > MOST_WAITING
    }
}
