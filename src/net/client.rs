//! One client: its Engine.IO session, its Socket.IO decoder and its wires.
//!
//! Protocol machines say *what* happens; this file carries it out: bytes to the wires, records to
//! JavaScript, deadlines to the worker.

mod backlog;
mod carrying;
mod incoming;
mod limiting;
mod outgoing;
mod records;
mod responding;

use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use super::budget::Held;
use super::clock;
use super::context::{Victim, Wire as _, WorkerContext};
use super::descriptor::Addresses;
use super::lifecycle::LifecycleEvent;
use super::metrics::{Parcel, ServerLane};
use super::panic_guard::Nobody;
use super::peer::Peer;
use super::places::Place;
use super::record::{Record, flags_of};
use super::server::{Requests, Server, SessionEntry};
use super::turns::BLOCKED;
use super::websocket_wire::WebSocketWire;
use crate::border::{RecordKind, session_flag};
use crate::engineio::{Action, CloseReason, Link, Session, Transport};
use crate::id::Handle;
use crate::limits::gate::Ticket;
use crate::socketio::Decoder;

/// What a session takes, about. As long as JavaScript has not heard of one, that is counted as what waits for it: workers
/// open sessions while it is blocked, and it takes no descriptor to have many.
pub const SESSION_BYTES: usize = 2 << 10;

/// One client.
pub struct Client {
    /// JavaScript's name for it.
    pub handle: Handle,
    /// The server that it is a client of.
    pub server: Arc<Server>,
    /// What both planes want to know of its requests.
    requests: Arc<Requests>,
    state: RefCell<State>,
    /// The deadline that the worker has for it; `u64::MAX` when none.
    pub scheduled: Cell<u64>,
    observed: Cell<u8>,
    /// Fences that JavaScript waits for: see [`Client::fence`].
    fences: Cell<u32>,
    /// Whether JavaScript has been told of the end: it hears nothing more of this handle. Not a part of the
    /// state, which may be borrowed when a panic ends the client.
    over: Cell<bool>,
    /// Whether one of the records that wait for JavaScript may be a CONNECT.
    joining: Cell<Joining>,
    /// Whether the worker knows that it waits for [`Client::flush_session`].
    unflushed: Cell<bool>,
    /// Whether the environment knows that something waits for the client.
    backlogged: Cell<bool>,
    /// What this client has put into the inbox since JavaScript had taken all of it.
    inbox_bytes: Cell<u32>,
    /// The end of its last record there.
    inbox_end: Cell<u64>,
    /// Whether it waits for JavaScript to look for what it has sent: [`Client::handle_turned`].
    doubted: Cell<bool>,
    /// Set when a record was too long for JavaScript.
    overlong: Cell<bool>,
    /// The place in the inbox that the answer to a POST waits for; 0 when none does.
    delayed_until: Cell<u64>,
    /// What the decoder keeps.
    held: Held,
}

/// What waits for JavaScript of a client that wants to join a namespace.
///
/// A client may send events as soon as its CONNECT is answered by "ok", but JavaScript must not find them behind that in
/// one batch: the socket would not be there yet. So the lane is cut between the two.
///
/// ```text
///        a CONNECT           another POST         an event in it: the lane is cut
///   No ────────────► Sent ─────────────────► Apart ────────────────────────────► Parted
///   ▲                  ▲◄─── the end of it ────┘                                    │
///   └── JavaScript has taken all ───────────────────────────────────────────────────┘
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Joining {
    /// No CONNECT.
    No,
    /// There may be one.
    Sent,
    /// What comes now was sent when that was answered.
    Apart,
    /// Something waits that was. The answer to it waits, too: each such client costs a batch, and is to have one at a time.
    Parted,
}

/// Where a session comes from.
#[derive(Debug)]
pub struct Origin {
    /// JavaScript's name for the request or connection.
    pub token: u32,
    /// Who is at the other end, and the addresses of its socket.
    pub ends: (Peer, Option<Addresses>),
    /// What another process says that has handed it over.
    pub adopted: Option<Adopted>,
    /// Its place among the clients, if they are counted.
    pub ticket: Option<Ticket>,
}

impl Origin {
    /// It has just been opened here.
    pub fn own(token: u32, ends: (Peer, Option<Addresses>), ticket: Option<Ticket>) -> Self {
        Self { token, ends, adopted: None, ticket }
    }
}

/// What a process says of a session that it hands over, and that is not Engine.IO's.
#[derive(Debug)]
pub struct Adopted {
    /// For so many milliseconds more the client may be in no namespace; none: it has been in one.
    pub join_left: Option<u64>,
    /// What JavaScript says.
    pub blob: Vec<u8>,
}

struct State {
    session: Session,
    decoder: Decoder,
    /// The wire of the session, once its transport is WebSocket.
    main: Option<Rc<WebSocketWire>>,
    /// The wire that asks to become the main one.
    probe: Option<Rc<WebSocketWire>>,
    /// When a client that has joined no namespace is reported; 0: not any more.
    join_deadline: u64,
    /// Whether that has been put off, as it may be once…
    join_prolonged: bool,
    /// …but for what JavaScript had not taken then and has not since: the lower bits of the end of that in the inbox.
    join_behind: u32,
    /// Set when the end begins to be carried out: nothing is asked of the session any more.
    closed: bool,
}

impl State {
    /// We have not read: the answer to our ping and the missing attachments may lie there, and an upgrade wait for it.
    fn defer(&mut self, now: u64) {
        self.session.put_off(now);
        self.decoder.handle_progress(now);
    }

    /// Whether something of the client may lie unread because nothing of it is taken for now. Who has ended its half sends nothing more: what
    /// is late will not come.
    fn lies_unread(&self) -> bool {
        self.session.is_held()
            || self.session.is_paused()
                && match &self.main {
                    Some(wire) => {
                        !wire.has_hung_up() && (self.session.has_kept() || wire.has_unread())
                    }
                    // Who has been answered polls on, or upgrades by a connection that is there.
                    None => {
                        self.session.owes_answer()
                            || self.session.has_kept()
                                && self.probe.as_ref().is_some_and(|wire| !wire.has_hung_up())
                    }
                }
    }

    /// Whether JavaScript brings what the client sends: by requests that Node.js reads, or by a stream that is
    /// pumped. Workers may read its requests, too; which way the next one comes is not known.
    fn is_read_by_javascript(&self) -> bool {
        self.main.as_ref().is_none_or(|wire| wire.is_bridged())
    }

    /// Whether something that the client was to send is late.
    fn is_overdue(&self, now: u64) -> bool {
        self.session.is_overdue(now)
            || self.is_join_overdue(now)
            || self.decoder.poll_timeout().is_some_and(|deadline| deadline <= now)
    }

    /// JavaScript was blocked, and what was late may be on its way now.
    fn prolong(&mut self, now: u64) {
        if self.session.is_overdue(now) {
            self.session.prolong_ping_timeout(now);
        }
        self.decoder.prolong(now);
    }

    /// Whether a client that has joined no namespace is to be reported.
    fn is_join_overdue(&self, now: u64) -> bool {
        self.join_deadline != 0 && self.join_deadline <= now
    }

    /// Lets go of a wire that carries nothing any more. Its client may end much later: by then
    /// another wire may have the link, or another client the handle.
    fn detach(&mut self, link: Link) {
        let wire = match link {
            Link::Main => self.main.take(),
            Link::Probe => self.probe.take(),
        };
        if let Some(wire) = wire {
            wire.unbind();
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("handle", &self.handle).finish_non_exhaustive()
    }
}

impl Client {
    /// Opens a session. The caller feeds it its first request or wire, then calls `settle`.
    pub fn open(
        context: &WorkerContext,
        handle: Handle,
        server: Arc<Server>,
        requests: Arc<Requests>,
        session: Session,
        main: Option<Rc<WebSocketWire>>,
        origin: Origin,
    ) -> Rc<Self> {
        let Origin { token, ends: (peer, own), adopted, ticket } = origin;
        let is_adopted = adopted.is_some();
        let timeout = server.connect_timeout;
        let (join_in, blob) = match adopted {
            None => (Some(timeout), None),
            Some(adopted) => (adopted.join_left.map(|left| left.min(timeout)), Some(adopted.blob)),
        };
        let join_deadline = join_in.filter(|_| !server.plain).map_or(0, |left| clock::now() + left);
        let held = Held::new(&server.environment.inbox.budget, handle.worker());
        // A WebSocket's own address is asked for when it is wanted.
        let is_of_socket = main.is_some() && peer.is_of_socket();
        let address = if is_of_socket { None } else { peer.client(own) };
        let ticket = ticket.map(|mut ticket| {
            if join_deadline == 0 {
                ticket.authenticate();
            }
            ticket
        });
        context.places.put(handle.slot().index, Place { address, ticket });
        let client = Self {
            handle,
            server,
            requests,
            state: RefCell::new(State {
                session,
                decoder: Decoder::new(),
                main,
                probe: None,
                join_deadline,
                join_prolonged: false,
                join_behind: 0,
                closed: false,
            }),
            scheduled: Cell::new(u64::MAX),
            observed: Cell::new(0),
            fences: Cell::new(0),
            over: Cell::new(false),
            joining: Cell::new(Joining::No),
            unflushed: Cell::new(false),
            backlogged: Cell::new(false),
            inbox_bytes: Cell::new(0),
            inbox_end: Cell::new(0),
            doubted: Cell::new(false),
            overlong: Cell::new(false),
            delayed_until: Cell::new(0),
            held,
        };
        let state = client.state.borrow();
        for message in state.session.first_messages().filter(|_| !is_adopted) {
            client.count_sent(Parcel::of_message(&message.data, message.binary));
        }
        client.server.environment.lifecycle.push(LifecycleEvent::Opened(handle));
        client.push(|record| {
            let greeted = if state.session.is_greeted() { session_flag::GREETED } else { 0 };
            let adopted = if is_adopted { session_flag::ADOPTED } else { 0 };
            let flags =
                flags_of(state.session.transport(), state.session.protocol()) | greeted | adopted;
            record.kind(RecordKind::Opened).number(handle.raw()).number(client.server.id);
            record.string(state.session.sid().as_str()).number(flags).number(token);
            record.number(handle.generation()).count(SESSION_BYTES);
            if let Some(addresses) = peer.addresses(own) {
                record.addresses(addresses);
            }
            if let Some(blob) = blob {
                record.buffer(blob);
            }
        });
        if client.server.plain {
            // A Socket.IO client hears of JavaScript before its program may go on; this one's may at the handshake. A program
            // that is its own client must hear of the session before that, as from Node.js.
            client.server.environment.inbox.announce(handle.worker());
        }
        drop(state);
        Rc::new(client)
    }

    /// What the worker counts of its server.
    #[inline]
    fn counts(&self) -> &ServerLane {
        self.server.counts(self.handle.worker())
    }

    /// Whether JavaScript has been told of the end.
    pub fn is_over(&self) -> bool {
        self.over.get()
    }

    /// Its wires, in no order.
    pub fn wires(&self) -> impl Iterator<Item = Rc<WebSocketWire>> {
        let state = self.state.borrow();
        [state.main.clone(), state.probe.clone()].into_iter().flatten()
    }

    /// Bytes of it that wait for JavaScript.
    pub fn waiting_bytes(&self) -> usize {
        let taken = self.server.environment.inbox.taken(self.handle.worker());
        let left = self.inbox_end.get().saturating_sub(taken);
        usize::try_from(left.min(self.inbox_bytes.get().into())).unwrap_or(usize::MAX)
    }

    /// What waited has been written.
    pub fn handle_drained(&self) {
        let fences = self.fences.replace(0);
        if fences > 0 {
            self.note_backlog(0); // JavaScript may look when it hears of this
            self.push(|record| {
                record.kind(RecordKind::Drain).number(self.handle.raw()).number(fences);
            });
        }
    }

    /// Its wire reads on after the inbox was full.
    pub fn handle_resumed(&self, now: u64) {
        self.state.borrow_mut().defer(now);
    }

    /// Carries out what the session asks for, and keeps its deadline with the worker.
    pub fn settle(&self, context: &WorkerContext) {
        self.send_answers(context);
        loop {
            // Bound here, so that no borrow is held while the action is carried out.
            let action = self.state.borrow_mut().session.poll_action();
            match action {
                Some(action) => self.carry_out(context, action),
                None => break,
            }
        }
        self.schedule(context);
    }

    /// Ends everything at once: the environment is gone, or the worker can't go on with it.
    pub fn abort(&self, context: &WorkerContext) {
        // If it is borrowed, the holder goes on with a session that is over.
        let Ok(mut state) = self.state.try_borrow_mut() else { return };
        let requests = state.session.abandon();
        context.unread.take(self.handle.slot().index);
        let wires = [state.main.take(), state.probe.take()];
        let told = self.over.get();
        drop(state);
        if !told {
            self.tell_closed(context, CloseReason::TransportError("internal error".into()));
            self.state.borrow_mut().closed = true;
        }
        for wire in wires.into_iter().flatten() {
            context.guard(&Nobody, || wire.finish(context));
        }
        for request in requests.into_iter().flatten() {
            context.guard(&Nobody, || self.drop_request(context, request));
        }
    }

    /// Lets go out what waits, if a poll waits for it; ends the session if too much does.
    pub fn flush_session(&self, context: &WorkerContext) {
        fault!("flush session", self.server.environment.id, self.handle.raw());
        self.unflushed.set(false);
        let mut state = self.state.borrow_mut();
        if state.closed {
            return;
        }
        state.session.flush();
        let waiting = match &state.main {
            // Only what a peer leaves unread counts: the rest has not been offered to it yet.
            Some(wire) => wire.report_backlog(),
            None => state.session.buffered(),
        };
        if waiting > self.server.buffers.session {
            state.session.overflow();
        }
        drop(state);
        self.note_backlog(waiting);
        self.settle(context);
    }

    // --- carrying out --------------------------------------------------------------------------

    /// Tells JavaScript something of this handle. Nothing once the client is over: the handle may be another
    /// client's by the time that JavaScript reads it.
    fn push(&self, write: impl FnOnce(&mut Record<'_>)) {
        if !self.over.get() {
            self.push_answer(write);
        }
    }

    /// Tells JavaScript something that does not name the handle.
    fn push_answer(&self, write: impl FnOnce(&mut Record<'_>)) {
        let inbox = &self.server.environment.inbox;
        let worker = self.handle.worker();
        let waiting = self.waiting_bytes();
        if waiting == 0 {
            self.joining.set(Joining::No);
        }
        let pushed = inbox.push(worker, write);
        self.inbox_end.set(pushed.end);
        self.inbox_bytes.set(u32::try_from(waiting + pushed.bytes).unwrap_or(u32::MAX));
        if pushed.bytes == 0 {
            self.overlong.set(true);
        }
    }

    fn wire(&self, link: Link) -> Option<Rc<WebSocketWire>> {
        let state = self.state.borrow();
        match link {
            Link::Main => state.main.clone(),
            Link::Probe => state.probe.clone(),
        }
    }

    fn carry_out(&self, context: &WorkerContext, action: Action) {
        match action {
            Action::SendText(link, text) => {
                if let Some(wire) = self.wire(link) {
                    wire.write_text(context, &text, true);
                }
            }
            Action::SendMessage(message) => {
                if let Some(wire) = self.wire(Link::Main) {
                    if message.binary {
                        wire.write_binary(context, &message.data, message.compress);
                    } else {
                        wire.write_message(context, &message.data, message.compress);
                    }
                }
            }
            Action::Respond { request, status, body } => {
                self.respond(context, request, status, body);
            }
            Action::CloseLink(link) => {
                if let Some(wire) = self.wire(link) {
                    if link == Link::Probe {
                        self.state.borrow_mut().probe = None;
                        wire.unbind();
                        wire.release(context);
                    }
                    wire.begin_close(context, None);
                }
            }
            Action::DetachProbe => {
                if let Some(wire) = self.state.borrow_mut().probe.take() {
                    wire.release(context);
                    wire.detach(context);
                }
            }
            Action::DropRequest(request) => self.drop_request(context, request),
            Action::Upgrading => self.tell_upgrade(RecordKind::Upgrading, Link::Probe),
            Action::Upgraded => self.upgrade(),
            Action::Heartbeat(took) => {
                if let Some(milliseconds) = took {
                    self.counts().round_trips.observe(milliseconds.into());
                }
            }
            Action::Drain => self.handle_drained(),
            Action::Closed(reason) => self.finish(context, reason),
        }
    }

    fn tell_upgrade(&self, kind: RecordKind, link: Link) {
        if let Some(wire) = self.wire(link) {
            self.push(|record| {
                record.kind(kind).number(self.handle.raw()).number(wire.token);
            });
        }
    }

    /// The probe has become the transport.
    fn upgrade(&self) {
        let mut state = self.state.borrow_mut();
        state.main = state.probe.take();
        if let Some(wire) = &state.main {
            wire.promote();
            if state.session.is_paused() {
                wire.limit();
            }
        }
        if let Some(mut entry) = self.server.sessions.get_mut(state.session.sid())
            && entry.handle == self.handle
        {
            entry.transport = Transport::WebSocket;
        }
        drop(state);
        self.note_backlog(0); // the wire has all of it
        self.set_apart(); // from what came by polling
        self.tell_upgrade(RecordKind::Upgraded, Link::Main);
    }

    /// The session has ended.
    fn finish(&self, context: &WorkerContext, reason: CloseReason) {
        let mut state = self.state.borrow_mut();
        if std::mem::replace(&mut state.closed, true) {
            return;
        }
        let frames = context.unread.take(self.handle.slot().index);
        let wires = [state.main.take(), state.probe.take()];
        drop(state);
        self.tell_closed(context, reason);
        for wire in wires.into_iter().flatten() {
            if reason == CloseReason::BufferOverflow {
                // A close frame would wait behind all that is to be dropped.
                wire.finish(context);
                continue;
            }
            wire.unbind();
            wire.release(context); // the peer's close frame is read, which comes as an answer
            wire.read_on(context); // also of one that might send no more
            if frames.is_empty() {
                wire.begin_close(context, None);
            } else {
                // What comes by it may begin in the middle of a frame, of which another process has read the beginning.
                wire.end(context, None, "");
            }
        }
    }

    fn tell_closed(&self, context: &WorkerContext, reason: CloseReason) {
        self.note_backlog(0);
        context.places.close(self.handle.slot().index);
        if let Ok(state) = self.state.try_borrow() {
            // A program that makes ids of its own may have given this one to another session, too.
            let is_own = |_: &_, entry: &SessionEntry| entry.handle == self.handle;
            self.server.sessions.remove_if(state.session.sid(), is_own);
        }
        self.server.environment.lifecycle.push(LifecycleEvent::Closed(self.handle));
        self.push(|record| {
            record.kind(RecordKind::Closed).number(self.handle.raw()).string(reason.as_str());
            match reason.message() {
                Some(fault) => record.string(&fault.to_string()),
                None => record.raw("null"),
            };
        });
        self.over.set(true);
    }

    /// Keeps the earliest deadline with the worker.
    fn schedule(&self, context: &WorkerContext) {
        let state = self.state.borrow();
        if state.closed {
            return;
        }
        // What is late is decided when JavaScript has looked; all else has its time.
        let since = self.doubted_since(context);
        let now = if since.is_some() { clock::now() } else { 0 };
        let deadline = [
            state.session.poll_timeout().filter(|_| !state.session.is_overdue(now)),
            state.decoder.poll_timeout().filter(|&deadline| deadline > now),
            Some(state.join_deadline).filter(|&deadline| deadline > now),
            Some(state.session.paused_until()).filter(|&until| until > 0),
            // While JavaScript is blocked it is pinged on.
            since.filter(|_| state.main.is_none()).map(|since| {
                let (first, interval) =
                    (since + BLOCKED, self.server.engine.ping_interval.max(BLOCKED));
                let beats = now.checked_sub(first).map_or(0, |late| late / interval + 1);
                first + beats * interval
            }),
        ]
        .into_iter()
        .flatten()
        .min();
        if let Some(deadline) = deadline
            && deadline < self.scheduled.get()
        {
            self.scheduled.set(context.schedule(deadline, self.handle.slot().index));
        }
    }
}

impl Victim for Client {
    fn handle_panic(&self, context: &WorkerContext) {
        self.abort(context);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_client_is_small() {
        // With the two counts of its `Rc`, it fits into a block of 256.
        assert!(size_of::<Client>() <= 240, "{}", size_of::<Client>());
    }
}
