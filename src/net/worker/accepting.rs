//! The connections that the worker accepts itself, from the listening sockets of HTTP servers.
//!
//! ```text
//!   accepted ──► look at what has come ─┬─ a plain request that may be taken ──► the worker of its session
//!                  ▲                    ├─ a part of one, nothing ──► Newcomer ──┐
//!                  └── more has come ───┼────────────────────────────────────────┤
//!                                       └─ anything else ◄───────────────────────┘ too late
//!                                              └──► JavaScript, which has Node.js accept it
//! ```
//!
//! What has come is only looked at until that is decided, so who gets the connection finds all of it.

use std::cell::Cell;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::rc::Rc;
use std::sync::Arc;

use mio::Token;

use super::{Connection, Worker};
use crate::border::RecordKind;
use crate::http::request::Reading;
use crate::limits::gate::Refused;
use crate::net::admission::Verdict;
use crate::net::clock;
use crate::net::descriptor::{Addresses, is_half_closed};
use crate::net::listener::{Accepted, Listener};
use crate::net::newcomers::{Listening, MAX_NEWCOMERS, Newcomer};
use crate::net::operation_batch::Operation;
use crate::net::panic_guard::Nobody;
use crate::net::peer::Source;
use crate::net::reader_policy::ACCEPTED;
use crate::net::readiness::Readiness;
use crate::net::refusal::Refusal;
use crate::net::server::Environment;
use crate::net::stream::Stream;
use crate::net::taking::Taking;
use crate::net::tcp::Tcp;

/// Connections that are accepted before others of the worker have their turn.
const ACCEPTS_PER_TURN: u32 = 16;
/// How long a first request may take; then Node.js gets the connection, which waits for longer.
const LONGEST_HEAD: u64 = 1_000;
/// Pieces in which it may come, as each is read from the beginning; likewise.
const MAX_PIECES: u8 = 8;
/// When the system had no means for another connection, it is asked again after this time.
const RETRY: u64 = 100;

impl Worker {
    // --- the sockets ---------------------------------------------------------------------------

    /// Begins to accept from a socket, or looks at it again.
    pub(super) fn listen(&self, listener: &Arc<Listener>) {
        fault!("listen", listener.environment.id, listener.number);
        let context = &self.context;
        let known = |listening: &&Rc<Listening>| Arc::ptr_eq(&listening.listener, listener);
        if let Some(listening) = self.accepting.sockets.borrow().iter().find(known) {
            return context.run_queue.push(&listening.readiness);
        }
        context.wakeups.add(&listener.environment);
        let registered = self.connections.add(&context.run_queue, |place| {
            listener.register(context.registry.try_clone()?, Token(place as usize))?;
            let readiness = Readiness::new(place);
            let listening = Rc::new(Listening { listener: Arc::clone(listener), readiness });
            Ok((Connection::Listening(Rc::clone(&listening)), listening))
        });
        match registered {
            Ok(listening) => self.accepting.sockets.borrow_mut().push(listening),
            Err(_) => listener.tell_end(self.context.index),
        }
    }

    /// Forgets a socket, which is closed: Node.js gets those that have come by it and have not said what they want.
    pub(super) fn unlisten(&self, listener: &Arc<Listener>) {
        fault!("unlisten", listener.environment.id, listener.number);
        self.forget_sockets(|listening| Arc::ptr_eq(listening, listener));
        self.drop_handshakes(|of| Arc::ptr_eq(of, listener));
        let is_own = |newcomer: &&Rc<Newcomer>| Arc::ptr_eq(&newcomer.listener, listener);
        let own: Vec<_> =
            self.accepting.newcomers.borrow().iter().filter(is_own).map(Rc::clone).collect();
        for newcomer in own {
            self.decide(&newcomer, || self.give_up(&newcomer));
        }
        listener.tell_end(self.context.index);
    }

    fn forget_sockets(&self, doomed: impl Fn(&Arc<Listener>) -> bool) {
        self.accepting.sockets.borrow_mut().retain(|listening| {
            let stays = !doomed(&listening.listener);
            if !stays {
                listening.listener.close();
                self.context.run_queue.close(&listening.readiness);
            }
            stays
        });
    }

    /// Looks at all sockets again: there is room again for what comes by them.
    pub(super) fn accept_again(&self) {
        for listening in self.accepting.sockets.borrow().iter() {
            self.context.run_queue.push(&listening.readiness);
        }
    }

    /// The worker ends: JavaScript has to see to the sockets.
    pub(super) fn lose_sockets(&self) {
        for listening in self.accepting.sockets.take() {
            listening.listener.close();
            listening.listener.tell_end(self.context.index);
        }
    }

    /// Drops what belongs to the environments that `doomed` names by their id.
    pub(super) fn drop_accepting(&self, doomed: impl Fn(u32) -> bool) {
        self.drop_handshakes(|listener| doomed(listener.environment.id));
        self.forget_sockets(|listener| doomed(listener.environment.id));
        self.accepting.newcomers.borrow_mut().retain(|newcomer| {
            let stays = !doomed(newcomer.listener.environment.id);
            if !stays {
                newcomer.tcp.close(&self.context);
                self.count_out(newcomer);
            }
            stays
        });
    }

    /// Some may have been closed.
    pub(super) fn recount_newcomers(&self) {
        for newcomer in self.accepting.newcomers.borrow().iter() {
            self.count_out(newcomer);
        }
    }

    /// Counts a newcomer no more if it is decided.
    fn count_out(&self, newcomer: &Newcomer) {
        if newcomer.tcp.is_closed() && newcomer.count(self.context.index, false) {
            self.accepting.waiting.set(self.accepting.waiting.get().saturating_sub(1));
        }
    }

    /// Accepts the connections that wait.
    pub(super) fn drive_listening(&self, listening: &Listening) {
        let listener = &listening.listener;
        for _ in 0..ACCEPTS_PER_TURN {
            if !self.may_accept(&listener.environment) {
                return;
            }
            match listener.accept() {
                Accepted::Stream(stream, peer) => {
                    self.context.count_read(ACCEPTED);
                    self.context.guard(&Nobody, || self.receive(listener, stream, peer));
                }
                Accepted::Shed => {}
                Accepted::Nobody => return,
                Accepted::Exhausted => {
                    self.accepting.retry_at.set(Some(clock::now() + RETRY));
                    return self.set_deadline();
                }
            }
        }
        self.context.run_queue.push(&listening.readiness);
    }

    /// Whether there is room for what one more connection brings. If not, the sockets are looked at again when
    /// there is.
    fn may_accept(&self, environment: &Environment) -> bool {
        let (index, budget) = (self.context.index, &environment.inbox.budget);
        let has_room =
            !budget.must_wait(index, || budget.has_room(index)) && !environment.is_crowded(index);
        if has_room {
            self.give_up_oldest();
        }
        has_room
    }

    /// When so many have not said what they want, Node.js gets those that have waited longest: who is slow must
    /// keep nobody else out.
    fn give_up_oldest(&self) {
        while self.accepting.waiting.get() >= MAX_NEWCOMERS {
            let oldest = self.accepting.newcomers.borrow_mut().pop_front();
            let Some(oldest) = oldest else { return };
            self.decide(&oldest, || self.give_up(&oldest));
        }
    }

    // --- the connections -----------------------------------------------------------------------

    /// A connection has been accepted.
    pub(super) fn receive(&self, listener: &Arc<Listener>, stream: TcpStream, peer: SocketAddr) {
        fault!("receive", listener.environment.id, listener.number);
        let source = Source { socket: peer, told: None };
        if let Some(within) = listener.preface_time(peer.ip()) {
            self.await_preface(listener, stream, source, within);
        } else {
            self.welcome(listener, stream, source);
        }
    }

    /// Begins with a connection of which is known where it comes from.
    pub(super) fn welcome(&self, listener: &Arc<Listener>, stream: TcpStream, source: Source) {
        if let Some(tls) = listener.tls() {
            return self.begin_tls(listener, stream, source, tls);
        }
        match self.judge(listener, source, |buffer| stream.peek(buffer)) {
            Reading::Request(verdict) => self.take(listener, stream.into(), source, verdict),
            Reading::Foreign => self.hand_over(listener, stream.into(), source.told),
            Reading::Partial => {
                let context = &self.context;
                // Registration fails when the limit of the event queue is reached: it is closed then.
                let kept = self.connections.add(&context.run_queue, |place| {
                    let newcomer = Rc::new(Newcomer {
                        listener: Arc::clone(listener),
                        tcp: Tcp::open(context, stream, place)?,
                        source,
                        awaits_preface: false,
                        handshake: Cell::default(),
                        tls: None,
                        deadline: Cell::new(clock::now() + LONGEST_HEAD),
                        asked: Cell::default(),
                        came: Cell::new(0),
                        pieces: Cell::new(0),
                        is_counted: Cell::new(false),
                    });
                    Ok((Connection::Newcomer(Rc::clone(&newcomer)), newcomer))
                });
                if let Ok(newcomer) = kept {
                    self.await_request(newcomer);
                }
            }
        }
    }

    /// Waits for the first request of a newcomer, or for the rest of it.
    fn await_request(&self, newcomer: Rc<Newcomer>) {
        newcomer.count(self.context.index, true);
        self.accepting.newcomers.borrow_mut().push_back(newcomer);
        self.accepting.waiting.set(self.accepting.waiting.get() + 1);
        self.set_deadline();
    }

    /// More may have come by a newcomer.
    pub(super) fn drive_newcomer(&self, newcomer: &Rc<Newcomer>) {
        if newcomer.handshake.get().is_none() {
            return self.decide(newcomer, || self.look(newcomer));
        }
        if newcomer.awaits_preface {
            return self.look_for_preface(newcomer);
        }
        if self.shake_hands(newcomer) {
            self.decide(newcomer, || self.look(newcomer));
            if !newcomer.tcp.is_closed() {
                self.give_up_oldest();
                newcomer.deadline.set(clock::now() + LONGEST_HEAD);
                self.await_request(Rc::clone(newcomer));
            }
        }
    }

    /// Looks at what has come by a newcomer.
    fn look(&self, newcomer: &Newcomer) {
        fault!("newcomer", newcomer.listener.environment.id, newcomer.listener.number);
        let mut came = newcomer.came.get();
        let reading = self.judge(&newcomer.listener, newcomer.source, |buffer| {
            came = newcomer.tcp.peek(&self.context, buffer)?;
            Ok(came)
        });
        // What has come encrypted may be no piece of it, or not all of one.
        let pieces = newcomer.pieces.get() + u8::from(came != newcomer.came.replace(came));
        newcomer.pieces.set(pieces);
        match reading {
            Reading::Partial if pieces <= MAX_PIECES && !has_ended(newcomer) => {}
            Reading::Request(verdict) => {
                if let Some(stream) = newcomer.tcp.give_away(&self.context) {
                    self.take(&newcomer.listener, stream, newcomer.source, verdict);
                }
            }
            Reading::Partial | Reading::Foreign => self.give_up(newcomer),
        }
    }

    /// Runs what may decide about a newcomer, and counts it no more if it has.
    fn decide(&self, newcomer: &Newcomer, decide: impl FnOnce()) {
        if newcomer.tcp.is_closed() {
            return;
        }
        self.context.guard(newcomer, decide);
        self.count_out(newcomer);
    }

    /// Those that have taken too long are to go to Node.js: JavaScript is asked whether it has time for them.
    pub(super) fn fire_accepting(&self, now: u64) {
        if self.context.accepting_until.get().is_none_or(|at| at > now) {
            return;
        }
        if self.accepting.retry_at.get().is_some_and(|at| at <= now) {
            self.accepting.retry_at.set(None);
            self.accept_again();
        }
        self.accepting.newcomers.borrow_mut().retain(|newcomer| !newcomer.tcp.is_closed());
        for newcomer in self.accepting.newcomers.borrow().iter() {
            if newcomer.deadline.get() > now {
                break;
            }
            if newcomer.asked.get().is_none() {
                let environment = &newcomer.listener.environment;
                newcomer.asked.set(Some(environment.ask_turn(self.context.index)));
            }
        }
        self.fire_handshakes(now);
        self.set_deadline();
    }

    /// JavaScript has gone a round of its event loop: Node.js gets those that wait for that.
    pub(super) fn give_up_asked(&self, environment: u32, round: u64) {
        let is_due = |newcomer: &Rc<Newcomer>| {
            newcomer.listener.environment.id == environment
                && newcomer.asked.get().is_some_and(|asked| asked <= round)
        };
        let mut due = Vec::new();
        self.accepting.newcomers.borrow_mut().retain(|newcomer| {
            let is_due = is_due(newcomer);
            if is_due {
                due.push(Rc::clone(newcomer));
            }
            !is_due
        });
        for newcomer in due {
            self.decide(&newcomer, || self.give_up(&newcomer));
        }
    }

    pub(super) fn set_deadline(&self) {
        let newcomers = self.accepting.newcomers.borrow();
        let oldest = newcomers.iter().find(|one| one.asked.get().is_none());
        let oldest = oldest.map(|one| one.deadline.get());
        let retry = self.accepting.retry_at.get();
        let deadline = oldest.into_iter().chain(retry).chain(self.first_handshake()).min();
        self.context.accepting_until.set(deadline);
    }

    fn give_up(&self, newcomer: &Newcomer) {
        if let Some(stream) = newcomer.tcp.give_away(&self.context) {
            self.hand_over(&newcomer.listener, stream, newcomer.source.told);
        }
    }

    /// Says what becomes of a connection, by what `peek` shows to have come.
    fn judge(
        &self,
        listener: &Listener,
        source: Source,
        peek: impl FnOnce(&mut [u8]) -> io::Result<usize>,
    ) -> Reading<Verdict> {
        let admission = listener.admission().filter(|admission| admission.takes_any());
        let Some(admission) = admission else { return Reading::Foreign };
        let mut buffer = self.context.read_buffer();
        match peek(&mut buffer) {
            Ok(count @ 1..) => {
                let from = Some(source.peer().ip());
                admission.judge(&buffer[..count], from, &self.context.session_ids)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Reading::Partial,
            // It has ended, or is broken.
            Ok(_) | Err(_) => Reading::Foreign,
        }
    }

    /// Has JavaScript hand a connection to Node.js.
    pub(super) fn hand_over(&self, listener: &Listener, stream: Stream, told: Option<Addresses>) {
        let environment = &listener.environment;
        let token = environment.next_token();
        let Stream::Plain(stream) = stream else {
            // It is closed when no descriptor is left.
            let _lost = self.relay(listener, stream, told, &[], None);
            return;
        };
        environment.keep_stream(token, stream);
        environment.inbox.push(self.context.index, |record| {
            record.kind(RecordKind::Foreign).number(token).number(listener.number);
            if let Some(told) = told {
                record.addresses(told);
            }
        });
    }

    /// Gives a connection to the worker of its session.
    fn take(&self, listener: &Arc<Listener>, mut stream: Stream, source: Source, verdict: Verdict) {
        let ticket = match verdict.let_in(clock::now()) {
            Ok(ticket) => ticket,
            Err(refused) => return self.turn_away(stream, &verdict, refused),
        };
        let head = verdict.admitted.head();
        let tls = stream.details().map(|details| details.to_string());
        let Some(taking) = Taking::new(verdict, ticket, listener, tls, source.told) else {
            return self.hand_over(listener, stream, source.told);
        };
        if !self.take_off(&mut stream, head) {
            return; // the peer has gone
        }
        let worker = taking.worker.unwrap_or_else(|| self.next_worker());
        let command = taking.into_command(stream, Vec::new());
        if worker == self.context.index {
            self.perform(Operation::Command(command));
        } else {
            self.context.post(worker, command);
        }
    }

    /// Refuses a connection whose first request asks for a session that must not be opened. JavaScript does not hear of it but by
    /// what was counted.
    fn turn_away(&self, mut stream: Stream, verdict: &Verdict, refused: Refused) {
        let mut buffer = self.context.read_buffer();
        let _gone = stream.take_off(&mut buffer);
        stream.say_last(&Refusal::from(refused).answer(verdict.form()));
        verdict.admission.server.tell_refusals(self.context.index);
    }

    /// Takes the request off a connection by which it has come.
    pub(super) fn take_off(&self, stream: &mut Stream, head: usize) -> bool {
        let mut buffer = self.context.read_buffer();
        // All of it is there, so one call reads it, unless the peer has reset the connection.
        head == 0 || stream.take_off(&mut buffer[..head]).is_ok_and(|count| count == head)
    }

    /// The worker for the next new session: each in turn, except those that have ended.
    fn next_worker(&self) -> usize {
        let count = self.context.workers();
        let first = self.accepting.next.get();
        self.accepting.next.set(first.wrapping_add(1));
        let mut each = (first..first.wrapping_add(count)).map(|next| next % count);
        each.find(|&worker| self.context.is_open(worker)).unwrap_or(self.context.index)
    }
}

/// Whether nothing more comes by a newcomer.
pub(super) fn has_ended(newcomer: &Newcomer) -> bool {
    let mut ended = false;
    newcomer.tcp.inspect(|stream| ended = is_half_closed(stream));
    ended
}
