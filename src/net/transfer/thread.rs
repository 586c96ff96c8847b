//! The thread of a hand-over: it has the Unix socket, and does all that takes time.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, Weak};
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::comers::{Comers, Greeting};
use super::lock::ServingLock;
use super::offer::{
    Announced, Connected, File, announce, connect, is_same_user, listen, under_way,
};
use super::peer::{Lost, MAX_SOCKETS, Peer};
use super::{Adoption, Asked, Channel, Outgoing, Phase, Ticket, is_out_of_files};
use crate::border::HandoverEvent;
use crate::handover::serving::{self, Step, Word};
use crate::handover::{HandedSession, Invalid, Message, against};
use crate::net::clock;
use crate::net::command::Command;
use crate::net::runtime::Runtime;
use crate::net::server::Environment;

/// While so many bytes wait for JavaScript, no more sessions are read.
const MOST_WAITING: usize = 16 << 20;
/// How long it waits then until it looks again.
const LOOK_AGAIN: Timespec = Timespec { tv_sec: 0, tv_nsec: 5_000_000 };
/// When JavaScript wants no more of it, what is queued still leaves, if the other process takes it within this time, in milliseconds.
const LAST_WORDS: u64 = 1000;
/// Who has taken clients over has so long, in milliseconds, to offer them in its turn, once nothing more is to be said. Until then who asks
/// for them is told to wait.
const OFFERING: u64 = 2000;

/// Offers the clients of this process to who connects to `path`: one process of the same user.
///
/// # Errors
/// When another process offers there (`AddrInUse`), the file is none of a socket (`AlreadyExists`), there can be no lock of who serves
/// (`Unsupported`), or the system says so.
pub fn offer(path: &Path, number: u32, environment: Arc<Environment>) -> io::Result<Arc<Channel>> {
    let (lock, theirs) = ServingLock::hold()?;
    let listener = listen(path)?;
    let file = File::of(path)?;
    let (channel, bell) = open(number, environment)?;
    channel.set_lock(lock, Some(theirs));
    channel.set_offered(file);
    channel.fill_reserve(bell.as_fd());
    start(channel, bell, Channel::abandon_giving, move |channel, bell| {
        let greeting = accept(&listener, &channel, &bell);
        // None: JavaScript has ended it, and may offer there again.
        let Some(mut file) = channel.take_offered() else { return };
        let Some((peer, hello, sockets)) = greeting else {
            // The file goes first: as long as somebody listens, nobody takes it for one that is left, and no other one has its inode.
            return drop((file, listener));
        };
        // The next process offers under this name. Who comes too early waits in the queue of this one.
        file.set_aside();
        let mut giver = Giver::default();
        let begun = giver.handle(&channel, hello, sockets).map(|()| peer);
        run(&channel, &bell, begun, &mut giver);
        drop((file, listener));
    })
}

/// Takes over what a process offers at `path`.
///
/// # Errors
/// When it is another user's (`PermissionDenied`), or the system says so.
pub fn take(
    path: &Path,
    number: u32,
    environment: Arc<Environment>,
    runtime: Weak<Runtime>,
    blob: Vec<u8>,
) -> io::Result<Asked> {
    let socket = match connect(path)? {
        Connected::To(socket) => socket,
        Connected::Crowd => return Ok(Asked::UnderWay),
        Connected::Nobody => {
            return Ok(match connect(&under_way(path)) {
                Ok(Connected::To(_) | Connected::Crowd) => Asked::UnderWay,
                Ok(Connected::Nobody) | Err(_) => Asked::Nobody,
            });
        }
    };
    if !is_same_user(&socket)? {
        return Err(io::Error::new(ErrorKind::PermissionDenied, "it is another user's"));
    }
    let own = path.to_owned();
    let (channel, bell) = open(number, environment)?;
    let channel = start(channel, bell, Channel::abandon_taking, move |channel, bell| {
        let peer = Peer::new(socket).map_err(Lost::from);
        let mut taker = Taker::new(runtime, own);
        run(&channel, &bell, peer, &mut taker);
        if taker.announced.is_some() {
            wait_until_ended(&channel, &bell, clock::now() + OFFERING);
        }
    })?;
    channel.send(&Message::hello(blob), Vec::new());
    Ok(Asked::Offered(channel))
}

/// What is said of a thread that has panicked.
const PANICKED: &str = "its thread has panicked";

/// A channel, and the bell that wakes its thread.
fn open(number: u32, environment: Arc<Environment>) -> io::Result<(Arc<Channel>, UnixStream)> {
    let (bell, ringer) = UnixStream::pair()?;
    bell.set_nonblocking(true)?;
    ringer.set_nonblocking(true)?;
    let channel = Channel::new(number, environment, move || {
        // When it is full, it rings already; when nobody hears it, there is nothing to do.
        let _unheard = (&ringer).write(&[1]);
    });
    Ok((channel, bell))
}

/// Starts the thread of a channel. `abandon` is called when it panics.
fn start(
    channel: Arc<Channel>,
    bell: UnixStream,
    abandon: fn(&Channel),
    body: impl FnOnce(Arc<Channel>, UnixStream) + Send + 'static,
) -> io::Result<Arc<Channel>> {
    let for_thread = Arc::clone(&channel);
    thread::Builder::new().name(format!("handover-{}", channel.number)).spawn(move || {
        let of_body = Arc::clone(&for_thread);
        if catch_unwind(AssertUnwindSafe(|| body(of_body, bell))).is_err() {
            abandon(&for_thread);
        }
    })?;
    Ok(channel)
}

/// Waits for a process of the same user that wants what is offered; others are sent away. None: nobody is wanted any more.
fn accept(listener: &UnixListener, channel: &Channel, bell: &UnixStream) -> Option<Greeting> {
    let mut comers = Comers::default();
    loop {
        let mut is_full = false;
        silence(bell);
        if !channel.is_open() {
            return None;
        }
        match listener.accept() {
            Ok((socket, _)) => {
                if is_same_user(&socket).unwrap_or_default() {
                    let _gone = comers.push(socket);
                }
                continue;
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) if is_out_of_files(&error) => {
                if channel.spend_one() {
                    continue;
                }
                is_full = true;
            }
            Err(error) => {
                channel.lose();
                channel.fail(&format!("can't accept: {error}"));
                return None;
            }
        }
        if let Some(greeting) = comers.hear() {
            return Some(greeting);
        }
        // Who connects waits in the queue until there is a descriptor.
        let interest = if is_full { PollFlags::empty() } else { PollFlags::IN };
        let mut waits = vec![PollFd::new(listener, interest), PollFd::new(bell, PollFlags::IN)];
        waits.extend(comers.fds().map(|socket| PollFd::from_borrowed_fd(socket, PollFlags::IN)));
        let _interrupted = poll(&mut waits, is_full.then_some(&LOOK_AGAIN));
        if !is_full {
            channel.fill_reserve(bell.as_fd());
        }
    }
}

/// Waits until then, unless JavaScript wants no more of it before.
fn wait_until_ended(channel: &Channel, bell: &UnixStream, until: u64) {
    loop {
        silence(bell);
        let left = until.saturating_sub(clock::now());
        if left == 0 || channel.outbox().phase == Phase::Ended {
            return;
        }
        let _interrupted = poll(&mut [PollFd::new(bell, PollFlags::IN)], Some(&milliseconds(left)));
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
    /// What comes can't be taken here, and the other process is still there. Gives whether it is to hear so.
    fn handle_fault(&mut self, channel: &Arc<Channel>, why: &str) -> bool;
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
fn run(channel: &Arc<Channel>, bell: &UnixStream, peer: Result<Peer, Lost>, side: &mut impl Side) {
    let lost = peer.and_then(|mut peer| {
        talk(channel, bell, &mut peer, side).inspect_err(|lost| {
            let why = lost.to_string();
            if !matches!(lost, Lost::Gone) && side.handle_fault(channel, &why) {
                peer.say_last(&Message::Refused { why });
            }
        })
    });
    let Err(lost) = lost else { return };
    channel.lose();
    side.handle_end(channel, lost.to_string());
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
    let mut last = None;
    take_in(channel, peer, side)?; // what has come behind a greeting
    loop {
        silence(bell);
        side.poll(channel);
        let is_open = channel.take_messages(side, |message| peer.queue(message));
        if let Err(lost) = peer.write() {
            // Who hears no more may have said why.
            while hear(channel, peer, side)? {}
            return Err(lost);
        }
        let now = clock::now();
        let until = if is_open { u64::MAX } else { *last.get_or_insert(now + LAST_WORDS) };
        if !is_open && (!peer.has_output() || now >= until) {
            return Ok(());
        }
        let waits = side.must_wait(channel);
        let mut interest = PollFlags::empty();
        interest.set(PollFlags::IN, !waits && is_open);
        interest.set(PollFlags::OUT, peer.has_output() && !peer.is_crowded());
        let socket = peer.fd();
        let mut polled =
            [PollFd::from_borrowed_fd(socket, interest), PollFd::new(bell, PollFlags::IN)];
        let looks = peer.is_crowded() || (is_open && (waits || side.is_busy()));
        let timeout = match (looks, is_open) {
            (true, _) => Some(LOOK_AGAIN),
            (false, true) => None,
            (false, false) => Some(milliseconds(until - now)),
        };
        let _interrupted = poll(&mut polled, timeout.as_ref());
        let ready = polled[0].revents();
        if waits || !is_open || !ready.intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR) {
            continue;
        }
        hear(channel, peer, side)?;
    }
}

fn milliseconds(count: u64) -> Timespec {
    Timespec::try_from(Duration::from_millis(count)).unwrap_or(LOOK_AGAIN)
}

/// Reads once, and handles what has come; whether that was something.
fn hear(channel: &Arc<Channel>, peer: &mut Peer, side: &mut impl Side) -> Result<bool, Lost> {
    fault!("hear", channel.environment.id, channel.number);
    let has_come = peer.read()?;
    take_in(channel, peer, side)?;
    Ok(has_come)
}

/// Handles all messages that have been read.
fn take_in(channel: &Arc<Channel>, peer: &mut Peer, side: &mut impl Side) -> Result<(), Lost> {
    while let Some((frame, sockets)) = peer.next_message()? {
        side.handle(channel, Message::read(&frame)?, sockets)?;
    }
    Ok(())
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

    /// The thread of the old process has panicked: that serves on, unless the new one has the lock.
    fn abandon_giving(&self) {
        self.lose();
        if self.lock.get().is_some_and(|lock| !lock.try_lock()) {
            return self.tell(HandoverEvent::Sent, &[0], None, Vec::new());
        }
        if let Some(lock) = self.lock.get() {
            lock.keep();
        }
        self.fail(PANICKED);
    }

    /// That of the new one has: it does not serve.
    fn abandon_taking(&self) {
        self.lose();
        if let Some(lock) = self.lock.get() {
            lock.unlock();
        }
        self.fail(PANICKED);
    }

    /// JavaScript hears that the hand-over is over, and the other process is not the one that serves (old), or this one not (new).
    fn fail(&self, why: &str) {
        self.tell(HandoverEvent::Failed, &[], Some(why), Vec::new());
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
                Step::Yield => {
                    channel.tell(HandoverEvent::Sent, &[self.sessions], None, Vec::new());
                }
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
            Message::Hello { version, blob } if !self.greeted => {
                self.greeted = true;
                let against = against(version).unwrap_or_default();
                channel.tell(HandoverEvent::Peer, &[0, 0], Some(&against), vec![blob]);
                Ok(())
            }
            Message::Ready { against } if self.greeted => {
                let against = refusal_of_sessions(&against);
                channel.tell(HandoverEvent::Ready, &[], Some(&against), Vec::new());
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
            | Message::Ready { .. }
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

    fn handle_fault(&mut self, _channel: &Arc<Channel>, _why: &str) -> bool {
        false // who has the clients serves on, or the other one does: the end says so
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

/// The same of what it has against sessions; empty: nothing.
fn refusal_of_sessions(against: &str) -> String {
    if against.is_empty() { String::new() } else { refusal(against) }
}

/// The process that takes.
#[derive(Debug)]
struct Taker {
    runtime: Weak<Runtime>,
    /// Where the clients are offered.
    path: PathBuf,
    /// Set as soon as this process has them.
    announced: Option<Announced>,
    serving: serving::Taker,
    attempt: Attempt,
    welcomed: bool,
    /// Whether the old one speaks another version, and so has no sessions for it.
    is_foreign: bool,
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
    fn new(runtime: Weak<Runtime>, path: PathBuf) -> Self {
        Self {
            runtime,
            path,
            announced: None,
            serving: serving::Taker::default(),
            attempt: Attempt::default(),
            welcomed: false,
            is_foreign: false,
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
            channel.tell(HandoverEvent::Connection, &[token], None, vec![unread, unwritten]);
        }
        let sessions = channel.opened.load(Ordering::SeqCst);
        let last = vec![std::mem::take(&mut self.last)];
        channel.tell(HandoverEvent::End, &[sessions], Some(&self.why), last);
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
            Message::Welcome { version, blob }
                if !self.welcomed && sockets.len() <= MAX_SOCKETS =>
            {
                self.welcomed = true;
                let against = against(version);
                self.is_foreign = against.is_some();
                let lock = sockets.next().ok_or(Lost::Invalid(Invalid::Descriptors))?;
                channel.set_lock(ServingLock::of(lock), None);
                let count = u32::try_from(sockets.len()).unwrap_or_default();
                let environment = &channel.environment;
                let first = environment.next_tokens(count);
                for (token, socket) in (first..).zip(sockets) {
                    environment.keep_stream(token, socket.into());
                }
                let against = against.unwrap_or_default();
                channel.tell(HandoverEvent::Peer, &[first, count], Some(&against), vec![blob]);
                Ok(())
            }
            Message::State { .. } | Message::Session(_) | Message::Connection { .. }
                if self.is_foreign =>
            {
                Err(Lost::Invalid(Invalid::Damaged)) // it means something else there
            }
            Message::State { blob } if self.welcomed => {
                channel.tell(HandoverEvent::State, &[], None, vec![blob]);
                Ok(())
            }
            Message::Session(session) => self.adopt(channel, *session, sockets.next()),
            Message::Connection { unread, unwritten } if self.welcomed => {
                let socket = sockets.next().ok_or(Lost::Invalid(Invalid::Descriptors))?;
                self.connections.push_back((socket.into(), unread, unwritten));
                Ok(())
            }
            Message::End { sessions, against, blob }
                if self.welcomed && sessions == self.sessions =>
            {
                self.last = blob;
                self.why = refusal_of_sessions(&against);
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
            | Message::Ready { .. }
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
        let is_said = self.carry_out(channel, steps);
        if is_said && word == Word::Taken {
            self.announced = announce(&self.path).ok(); // nothing rests on it
        }
        is_said
    }

    /// The other process has all that this one can't take: it is to serve on, if it can.
    fn handle_fault(&mut self, channel: &Arc<Channel>, why: &str) -> bool {
        if self.serving != serving::Taker::Waiting {
            return false;
        }
        why.clone_into(&mut self.why);
        self.say(channel, Word::Refused)
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
