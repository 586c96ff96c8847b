//! What JavaScript asks a worker for: each operation, and whom a panic in it costs.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::Worker;
use crate::engineio::{Link, Session, Transport};
use crate::id::Slot;
use crate::limits::gate::Ticket;
use crate::net::client::{Client, Origin};
use crate::net::clock;
use crate::net::command::{Blame, Command, Outgoing, RequestEvent};
use crate::net::context::{Victim, Wire as _, WorkerContext};
use crate::net::descriptor::Addresses;
use crate::net::operation_batch::Operation;
use crate::net::panic_guard::Nobody;
use crate::net::peer::Peer;
use crate::net::request_name::RequestName;
use crate::net::server::{Requests, Server, SessionEntry};
use crate::net::shared_frames::SharedFrames;
use crate::net::websocket_wire::WebSocketWire;

/// The one that an operation is for.
struct Blamed<'a> {
    worker: &'a Worker,
    blame: Blame,
}

impl Victim for Blamed<'_> {
    fn handle_panic(&self, context: &WorkerContext) {
        let worker = self.worker;
        match &self.blame {
            Blame::Nobody => {}
            Blame::Client(slot) => {
                if let Some(client) = worker.clients.look_up(*slot) {
                    client.abort(context);
                }
            }
            Blame::HttpWire(wire) => {
                if let Some(wire) = context.http_table.get(*wire) {
                    wire.handle_panic(context);
                }
            }
            Blame::Stream(key) => {
                let wire = worker.bridges.borrow().get(key).map(Rc::clone);
                if let Some(wire) = wire {
                    wire.handle_panic(context);
                }
            }
            blame @ (Blame::Newcomer(_) | Blame::Listener(_)) => blame.refuse(context.index),
        }
    }
}

impl Worker {
    /// Does what is asked for. A panic ends the one that it is for.
    pub(super) fn perform(&self, operation: Operation<'_>) {
        let victim = Blamed { worker: self, blame: operation.blame() };
        self.context.guard(&victim, || match operation {
            Operation::SendText { slot, flags, text } => {
                self.clients.each([slot], |client| client.send_text(&self.context, flags, text));
            }
            Operation::Command(command) => self.command(command),
        });
    }

    /// Gives `messages` to each of `slots`. All of them run under one guard, which remembers where they
    /// are: a guard for each would cost what a short packet costs.
    fn broadcast(&self, slots: impl Iterator<Item = Slot>, flags: u8, messages: &[Outgoing]) {
        let frames = SharedFrames::new(messages);
        let current = Cell::new(None);
        let mut slots = slots.inspect(|slot| current.set(Some(*slot)));
        loop {
            let done = catch_unwind(AssertUnwindSafe(|| {
                self.clients.each(slots.by_ref(), |client| {
                    client.send_shared(&self.context, flags, &frames);
                });
            }));
            if done.is_ok() {
                return;
            }
            if let Some(client) = current.take().and_then(|slot| self.clients.look_up(slot)) {
                self.context.guard(&Nobody, || client.abort(&self.context));
            }
        }
    }

    fn command(&self, command: Command) {
        match command {
            Command::Send { slot, flags, messages } => {
                if let Some(client) = self.clients.look_up(slot) {
                    client.send(&self.context, flags, &messages);
                }
            }
            Command::SendPacket { slot, flags, packet } => {
                if let Some(client) = self.clients.look_up(slot) {
                    client.send_packet(&self.context, flags, packet);
                }
            }
            Command::Broadcast { group, flags, messages } => {
                self.broadcast(group.iter(), flags, &messages);
            }
            Command::Close { slot, discard } => {
                if let Some(client) = self.clients.look_up(slot) {
                    client.close(&self.context, discard);
                }
            }
            Command::Release { slot } => {
                if self.clients.release(slot) {
                    self.context.idle_trim.handle_release();
                }
            }
            Command::Joined { slot } => {
                if let Some(client) = self.clients.look_up(slot) {
                    client.set_joined(&self.context);
                }
            }
            Command::Observe { slot, mask } => {
                if let Some(client) = self.clients.look_up(slot) {
                    client.observe(mask);
                }
            }
            Command::Fence { slot } => {
                if let Some(client) = self.clients.look_up(slot) {
                    client.fence(&self.context);
                }
            }
            Command::Listen(listener) => self.listen(&listener),
            Command::Receive(received) => {
                let (listener, stream) = *received;
                self.receive_for_node(&listener, stream);
            }
            Command::Unlisten(listener) => self.unlisten(&listener),
            Command::IncomingWebSocket(incoming) => self.accept_websocket(*incoming),
            Command::OpenPolling { server, token, sid, dialect, jsonp, peer, ticket } => {
                let engine = Arc::clone(&server.engine);
                let mut session =
                    Session::open(engine, sid, dialect, Transport::Polling, clock::now());
                if let Some(parameter) = jsonp {
                    session.set_jsonp(&parameter);
                }
                let client = self.open(server, session, None, token, (peer, None), ticket);
                let (context, request) = (&self.context, RequestName::Forwarded(token).into());
                self.clients.handle_request(context, client.handle, request, RequestEvent::Get);
            }
            Command::IncomingHttp(incoming) => self.accept_http(*incoming),
            Command::Answer { wire, generation, answer } => {
                if let Some(wire) = self.context.http_table.get(wire) {
                    wire.handle_answer(&self.context, generation, answer);
                }
            }
            Command::CloseHttp(close) => self.close_http(close),
            Command::Relay(incoming) => self.accept_relay(*incoming),
            Command::ResetRelay { environment, token } => self.reset_relay(environment, token),
            Command::EndWires(end) => self.end_wires(&end),
            Command::Request { slot, request, event } => {
                self.clients.handle_own_request(&self.context, slot, request, event);
            }
            Command::Bridge { key, event } => self.handle_bridge(key, event),
            Command::Resume => self.resume(),
            Command::Turned { environment, round } => {
                self.resolve_doubts(environment, round);
                self.give_up_asked(environment, round);
            }
            Command::DropEnvironment(id) => self.drop_clients(|environment| environment == id),
            Command::Freeze(freeze) => self.freeze(&freeze),
            Command::HandOver { slot, channel, blob } => {
                if let Some(client) = self.clients.look_up(slot) {
                    client.hand_over(&self.context, &channel, blob);
                }
            }
            Command::FinishHandOver { server, ticket } => self.finish_hand_over(server, &ticket),
            Command::Adopt(adoption) => self.adopt(*adoption),
            Command::ReadOn { slot } => self.read_on(slot),
            Command::Stop => {}
        }
    }

    pub(super) fn open(
        &self,
        server: Arc<Server>,
        session: Session,
        main: Option<&Rc<WebSocketWire>>,
        token: u32,
        ends: (Peer, Option<Addresses>),
        ticket: Option<Ticket>,
    ) -> Rc<Client> {
        self.open_as(server, session, main, Origin::own(token, ends, ticket))
    }

    /// The same for a session that may have come from another process.
    pub(super) fn open_as(
        &self,
        server: Arc<Server>,
        session: Session,
        main: Option<&Rc<WebSocketWire>>,
        origin: Origin,
    ) -> Rc<Client> {
        fault!("open", server.environment.id, origin.token);
        self.context.wakeups.add(&server.environment);
        let is_frozen = server.is_frozen.load(Ordering::SeqCst);
        let client = self.clients.add(self.context.index, |handle| {
            let (transport, protocol) = (session.transport(), session.protocol());
            let requests = Arc::new(Requests::default());
            let for_client = Arc::clone(&requests);
            let known = SessionEntry { handle, transport, protocol, requests };
            server.sessions.insert(session.sid().clone(), known);
            if let Some(wire) = main {
                wire.bind(handle.slot(), Link::Main);
            }
            let main_wire = main.map(Rc::clone);
            Client::open(&self.context, handle, server, for_client, session, main_wire, origin)
        });
        if is_frozen {
            client.hold();
        }
        client
    }

    /// JavaScript has taken something: what was not read for want of room is, as far as there is some.
    fn resume(&self) {
        self.context.resume(|wire| {
            let client = wire.client().and_then(|client| self.clients.find(client));
            let own = || client.as_ref().map_or(0, |client| client.waiting_bytes());
            let goes_on = wire.resume(&self.context, &own);
            if goes_on && let Some(client) = &client {
                client.handle_resumed(clock::now());
            }
            goes_on
        });
        self.accept_again();
    }

    /// JavaScript has looked at all its sockets: what it has found there is in the mailbox before this.
    fn resolve_doubts(&self, environment: u32, round: u64) {
        let now = clock::now();
        for doubt in self.context.take_doubts(environment, round) {
            if let Some(client) = self.clients.find(doubt.client) {
                self.context.guard(&*client, || client.handle_turned(&self.context, now, &doubt));
            }
        }
    }

    /// Drops everything that belongs to the environments that `doomed` names by their id.
    pub(super) fn drop_clients(&self, doomed: impl Fn(u32) -> bool) {
        for client in self.clients.take(&doomed) {
            self.context.guard(&*client, || {
                fault!("drop", client.server.environment.id, client.handle.raw());
                client.abort(&self.context);
            });
        }
        let bridges: Vec<Rc<WebSocketWire>> = {
            let bridges = self.bridges.borrow();
            bridges.iter().filter(|((env, _), _)| doomed(*env)).map(|(_, w)| Rc::clone(w)).collect()
        };
        for wire in bridges {
            self.context.guard(&*wire, || wire.finish(&self.context));
        }
        self.context.drop_wires(&doomed);
        self.drop_accepting(&doomed);
        self.drop_relays(&doomed);
        self.announce_records();
        self.context.wakeups.forget(doomed);
    }
}
