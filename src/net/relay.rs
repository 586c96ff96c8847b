//! A relay: a connection that a worker has, and a stream for Node.js whose other end the worker keeps. What comes by
//! either goes out by the other.
//!
//! ```text
//!   the peer ◄──its socket──► worker: Relay ◄──a pair of sockets──► Node.js, to which it is a socket like any other
//! ```
//!
//! **To use it:** [`Worker::relay`](super::worker) gets the socket, and what has been read from it already. It makes
//! the pair and tells JavaScript (`RecordKind::Relayed`), which takes its end by `takeDescriptor` and has the HTTP server
//! accept it, with the addresses of the peer (`lib/ingress/relayed.js`). The peer's side is a [`Peer`]: [`Tcp`] is the plain
//! one; one that decrypts implements it beside that ([`Peer::end`] gives what reads and writes the plain bytes), and is given
//! to [`Relay::open`] in its place.
//!
//! ```text
//!   Open ──┬── both directions are over ─────────────────────────────────────────────────────────► Gone
//!          ├── Node.js has closed its end ──► Left ── the rest is written, or none of it for 30 s ──► Gone
//!          └── the peer's side breaks ──► Broken: JavaScript destroys its socket with that error ──► Gone
//! ```
//!
//! What holds:
//!
//! - A half that is closed by one side is closed to the other, behind all bytes that came before. Node.js closes both halves
//!   at once when it destroys its socket: what it has written before still goes out.
//! - One read a direction is the most that waits here, so each side feels the back-pressure of the other.
//! - There are no deadlines but those of Node.js, which are for its end: when it closes that, the peer's is closed.
//! - A relay that JavaScript has not taken is closed with the environment.

pub mod deputy;
pub mod ledger;
pub mod passing;
pub mod pump;

use std::cell::{Cell, OnceCell, RefCell};
use std::fmt;
use std::io;
use std::rc::Rc;
use std::sync::Arc;

use self::deputy::{Answered, Deputy};
use self::pump::{End, Flow, Step};
use super::clock;
use super::command::{Answer, CloseHttp};
use super::context::{AnsweredWire, Victim, Wire, WorkerContext};
use super::descriptor::{is_hung_up, lies_unread, reset_when_closed};
use super::readiness::Readiness;
use super::server::Environment;
use super::tcp::{Tcp, Written};
use super::transfer::Channel;
use super::websocket_wire::CLOSE_TIMEOUT;
use super::write_queue::WriteQueue;
use crate::border::RecordKind;
use crate::id::Slot;

/// Steps before others of the worker have their turn.
const STEPS_PER_TURN: u32 = 8;
/// Bytes of one read, which wait when the other side does not take them.
const MOST: usize = 16 << 10;
/// Bytes that Node.js may have written before an answer that is given in its place.
const MOST_LEFT: usize = 256 << 10;

/// The peer's side of a relay.
pub trait Peer {
    /// What reads and writes the bytes that Node.js sees.
    type End<'a>: End
    where
        Self: 'a;

    /// Its socket.
    fn tcp(&self) -> &Tcp;
    /// Reads and writes, for now.
    fn end<'a>(&'a self, context: &'a WorkerContext) -> Self::End<'a>;
}

impl Peer for Tcp {
    type End<'a> = Socket<'a>;

    fn tcp(&self) -> &Tcp {
        self
    }

    fn end<'a>(&'a self, context: &'a WorkerContext) -> Socket<'a> {
        Socket { context, tcp: self }
    }
}

/// A plain socket as an end.
#[derive(Debug)]
pub struct Socket<'a> {
    context: &'a WorkerContext,
    tcp: &'a Tcp,
}

impl End for Socket<'_> {
    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.tcp.read(self.context, buffer)
    }

    fn write(&self, out: &mut WriteQueue) -> Written {
        self.tcp.write(self.context, out)
    }

    fn half_close(&self) {
        self.tcp.half_close(self.context);
    }
}

/// One of the two sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// That of the peer.
    Peer,
    /// The worker's end of the pair.
    Node,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    /// Node.js has closed its end.
    Left,
    /// JavaScript has been told that the peer's side is broken.
    Broken,
    Gone,
}

/// See the top of this file.
pub struct Relay<P = Tcp> {
    environment: Arc<Environment>,
    /// JavaScript's name for it.
    token: u32,
    peer: OnceCell<P>,
    node: Tcp,
    /// From the peer to Node.js.
    up: RefCell<Flow>,
    /// From Node.js to the peer.
    down: RefCell<Flow>,
    /// Answers in place of JavaScript, if somebody does.
    deputy: Option<Deputy>,
    state: Cell<State>,
    /// Whether the peer has taken something since this was looked at last.
    takes: Cell<bool>,
}

impl<P> fmt::Debug for Relay<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relay")
            .field("token", &self.token)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

impl<P: Peer + 'static> Relay<P> {
    /// A relay that has its end of the pair, and gets the peer's side next ([`set_peer`](Self::set_peer)). `read`: what has come
    /// by that before.
    pub fn open(
        environment: Arc<Environment>,
        token: u32,
        node: Tcp,
        read: &[u8],
        deputy: Option<Deputy>,
    ) -> Rc<Self> {
        Rc::new(Self {
            environment,
            token,
            peer: OnceCell::new(),
            node,
            up: RefCell::new(Flow::behind(read)),
            down: RefCell::default(),
            deputy,
            state: Cell::new(State::Open),
            takes: Cell::new(false),
        })
    }

    /// Gives it the peer's side; once.
    pub fn set_peer(&self, peer: P) {
        let known = self.peer.set(peer).is_err();
        debug_assert!(!known, "a relay has one peer");
    }

    /// What the socket of this side is known to be ready for.
    pub fn readiness(&self, side: Side) -> Option<&Readiness> {
        match side {
            Side::Peer => self.peer.get().map(|peer| peer.tcp().readiness()),
            Side::Node => Some(self.node.readiness()),
        }
    }

    /// Gives it its turn: one of its sockets is ready.
    pub fn drive(self: &Rc<Self>, context: &WorkerContext) {
        context.guard(&**self, || {
            fault!("relay", self.environment.id, self.token);
            if self.pump(context) {
                // Others have their turn.
                self.node.wake(context);
            }
        });
    }

    /// Ends it so that the peer sees a reset.
    pub fn reset(&self, context: &WorkerContext) {
        if let Some(peer) = self.peer.get() {
            peer.tcp().inspect(reset_when_closed);
        }
        self.finish(context);
    }

    /// Moves what can be moved. True: there may be more.
    fn pump(self: &Rc<Self>, context: &WorkerContext) -> bool {
        let Some(peer) = self.peer.get() else { return false };
        for _ in 0..STEPS_PER_TURN {
            let moved = match self.state.get() {
                State::Open => self.step(context, peer),
                State::Left => self.step_down(context, peer, &mut context.read_buffer()[..MOST]),
                State::Broken => {
                    if self.has_left() {
                        self.finish(context);
                    }
                    false
                }
                State::Gone => false,
            };
            if !moved {
                return false;
            }
        }
        true
    }

    fn step(self: &Rc<Self>, context: &WorkerContext, peer: &P) -> bool {
        let up = {
            let source = Shown { end: peer.end(context), context, deputy: self.deputy.as_ref() };
            let sink = self.node.end(context);
            let mut buffer = context.read_buffer();
            self.up.borrow_mut().step(&source, &sink, &mut buffer[..MOST])
        };
        match up {
            Step::SourceBroke => self.tell_broken(context, peer),
            Step::SinkBroke => self.leave(context),
            Step::Moved | Step::Stuck => {}
        }
        let down = self.step_down(context, peer, &mut context.read_buffer()[..MOST]);
        if self.state.get() != State::Open {
            return true;
        }
        let may_have_left = self.down.borrow().has_ended() || self.node.readiness().is_hung_up();
        if may_have_left && self.has_left() {
            self.leave(context);
            return true;
        }
        if self.up.borrow().is_over() && (self.down.borrow().is_over() || self.is_for_nobody()) {
            self.finish(context);
        }
        up == Step::Moved || down
    }

    fn step_down(self: &Rc<Self>, context: &WorkerContext, peer: &P, buffer: &mut [u8]) -> bool {
        if !matches!(self.state.get(), State::Open | State::Left) {
            return false;
        }
        let step = {
            let (source, sink) = (self.node.end(context), peer.end(context));
            let mut down = self.down.borrow_mut();
            let before = down.waiting();
            let step = down.step(&source, &sink, buffer);
            if step == Step::Moved || down.waiting() < before {
                self.takes.set(true);
            }
            step
        };
        match step {
            // Node.js has closed its end, and has not read all.
            Step::SourceBroke => {
                self.down.borrow_mut().end();
                self.leave(context);
                return true;
            }
            Step::SinkBroke if self.state.get() == State::Left => self.finish(context),
            Step::SinkBroke => self.tell_broken(context, peer),
            Step::Moved | Step::Stuck => {}
        }
        if self.state.get() == State::Left && self.down.borrow().is_over() {
            self.finish(context);
        }
        step == Step::Moved
    }

    /// Whether all that has come has been answered, the peer sends nothing more, and JavaScript has not taken its end: it would
    /// only find out that nobody is there any more. While it is blocked, such connections must not add up.
    fn is_for_nobody(&self) -> bool {
        let is_done = self.deputy.as_ref().is_some_and(Deputy::is_done);
        let end = if is_done { self.environment.take_stream(self.token) } else { None };
        if end.is_some() {
            self.environment.drop_ledger(self.token);
        }
        end.is_some()
    }

    /// Gives the peer an answer in place of JavaScript.
    fn write_answer(self: &Rc<Self>, context: &WorkerContext, answered: &Answered) {
        {
            let mut down = self.down.borrow_mut();
            down.queue(&answered.bytes);
            if answered.is_last {
                down.end(); // behind it
            }
        }
        self.is_clear(context);
    }

    /// Has what Node.js has written go out. False: the peer does not take it, or gets nothing more.
    fn is_clear(self: &Rc<Self>, context: &WorkerContext) -> bool {
        let Some(peer) = self.peer.get() else { return false };
        // Not that of the worker: another connection may be read right now.
        let mut buffer = [0; 4096];
        for _ in 0..MOST_LEFT / buffer.len() {
            if !self.step_down(context, peer, &mut buffer) {
                let down = self.down.borrow();
                return self.state.get() == State::Open && !down.has_ended() && down.waiting() == 0;
            }
        }
        self.node.wake(context);
        false
    }

    /// Whether Node.js has not read all that has come.
    fn lies_unread(&self) -> bool {
        let mut unread = self.up.borrow().waiting() > 0;
        self.node.inspect(|stream| unread |= lies_unread(stream));
        unread
    }

    /// Whether Node.js has closed its end, and not only half of it.
    fn has_left(&self) -> bool {
        let mut left = true;
        self.node.inspect(|stream| left = is_hung_up(stream));
        left
    }

    /// Node.js has closed its end: the peer gets what it has written, and nothing more is read from him.
    fn leave(self: &Rc<Self>, context: &WorkerContext) {
        if self.state.replace(State::Left) == State::Open {
            *self.up.borrow_mut() = Flow::default();
            self.watch(context);
        }
    }

    /// Ends it when the peer takes nothing for a while.
    fn watch(self: &Rc<Self>, context: &WorkerContext) {
        self.takes.set(false);
        context.watch_closing(clock::now() + CLOSE_TIMEOUT, Rc::<Self>::clone(self));
    }

    /// The peer's side is broken. A pair of sockets can't show that, so JavaScript is told, and its end is not closed before it
    /// has closed its own: it would take that for the end of the stream.
    fn tell_broken(&self, context: &WorkerContext, peer: &P) {
        self.state.set(State::Broken);
        peer.tcp().close(context);
        self.environment.inbox.push(context.index, |record| {
            record.kind(RecordKind::RelayBroken).number(self.token);
        });
    }
}

impl<P: Peer + 'static> Victim for Relay<P> {
    fn handle_panic(&self, context: &WorkerContext) {
        self.finish(context);
    }
}

impl<P: Peer + 'static> Wire for Relay<P> {
    /// As the system does with what a closed socket has left to send: whoever reads gets all of it, however slowly.
    fn handle_overdue(self: Rc<Self>, context: &WorkerContext) {
        if self.takes.get() && !self.is_gone() {
            self.watch(context);
        } else {
            self.finish(context);
        }
    }

    fn flush(&self, _context: &WorkerContext) {}

    fn resume(&self, _context: &WorkerContext, _own: &dyn Fn() -> usize) -> bool {
        true
    }

    fn finish(&self, context: &WorkerContext) {
        if self.state.replace(State::Gone) == State::Gone {
            return;
        }
        self.node.close(context);
        if let Some(peer) = self.peer.get() {
            peer.tcp().close(context);
        }
        *self.up.borrow_mut() = Flow::default();
        *self.down.borrow_mut() = Flow::default();
        if let Some(deputy) = &self.deputy {
            deputy.forget(context);
            context.http_table.remove(deputy.ledger.wire.slot().index);
        }
        // Should JavaScript have taken its end, it may still read what has come, and asks who has answered that.
        if self.environment.take_stream(self.token).is_some() {
            self.environment.drop_ledger(self.token);
        }
        self.environment.inbox.push(context.index, |record| {
            record.kind(RecordKind::WireClosed).number(self.token);
        });
    }

    fn is_gone(&self) -> bool {
        self.state.get() == State::Gone
    }

    fn environment_id(&self) -> u32 {
        self.environment.id
    }

    fn token(&self) -> u32 {
        self.token
    }

    fn client(&self) -> Option<Slot> {
        None
    }
}

/// Answers are given in place of JavaScript only when what Node.js has written has gone out.
impl<P: Peer + 'static> AnsweredWire for Relay<P> {
    fn handle_answer(self: Rc<Self>, context: &WorkerContext, generation: u32, answer: Answer) {
        let Some(deputy) = &self.deputy else { return };
        fault!("relay answer", self.environment.id, self.token);
        match answer {
            Answer::Lent { relay, text } if relay == self.token => {
                deputy.handle_lent(context, generation, text);
            }
            Answer::Respond { body, .. } => {
                let is_clear = self.is_clear(context);
                let unread = self.lies_unread();
                if let Some(answered) =
                    deputy.handle_ping(context, generation, is_clear, unread, &body)
                {
                    self.write_answer(context, &answered);
                }
            }
            Answer::Lent { .. } | Answer::Drop | Answer::Refused => {}
        }
    }

    fn handle_timeout(self: Rc<Self>, context: &WorkerContext, entry: u64, now: u64) {
        let Some(deputy) = &self.deputy else { return };
        fault!("relay timeout", self.environment.id, self.token);
        if deputy.is_due(context, entry, now)
            && self.is_clear(context)
            && let Some(answered) = deputy.stand_in(context, self.lies_unread())
        {
            self.write_answer(context, &answered);
        }
    }

    /// Node.js closes its end, and with it this.
    fn handle_close(self: Rc<Self>, _context: &WorkerContext, _close: CloseHttp) {}

    fn end(self: Rc<Self>, context: &WorkerContext) {
        self.finish(context);
    }

    /// Node.js reads on, as its sessions are JavaScript's to end.
    fn hold(&self, _context: &WorkerContext, _environment: u32, _server: u32, _is_held: bool) {}

    /// To Node.js it is one of its own.
    fn hand_over(self: Rc<Self>, _context: &WorkerContext, _server: u32, _channel: &Channel) {}
}

/// An end of which the deputy sees what comes.
struct Shown<'a, E> {
    end: E,
    context: &'a WorkerContext,
    deputy: Option<&'a Deputy>,
}

impl<E: End> End for Shown<'_, E> {
    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.end.read(buffer)?;
        if let Some(deputy) = self.deputy {
            deputy.handle_bytes(self.context, &buffer[..count]);
        }
        Ok(count)
    }

    fn write(&self, out: &mut WriteQueue) -> Written {
        self.end.write(out)
    }

    fn half_close(&self) {
        self.end.half_close();
    }
}
