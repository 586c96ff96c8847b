//! Clients that go to another process, and those that come from one.

use std::rc::Rc;
use std::sync::Arc;

use super::websocket::WebSocket;
use super::{Connection, Worker};
use crate::engineio::Session;
use crate::handover::HandedSession;
use crate::id::Slot;
use crate::net::client::{Adopted, Origin};
use crate::net::clock;
use crate::net::descriptor::{Addresses, prepare};
use crate::net::peer::Peer;
use crate::net::tcp::Tcp;
use crate::net::transfer::{Adoption, FinishTicket, Freeze};
use crate::net::websocket_wire::WebSocketWire;

impl Worker {
    /// Reads the sessions and the connections of a server no more, or again. Who waits for it hears so when `freeze` goes.
    pub(super) fn freeze(&self, freeze: &Freeze) {
        let Freeze { environment, server, ticket } = freeze;
        fault!("freeze", *environment, self.context.index as u64);
        for client in self.clients.all() {
            if client.server.id != *server || client.server.environment.id != *environment {
                continue;
            }
            if ticket.is_some() {
                self.context.guard(&*client, || client.hold());
            } else if self.clients.find(client.handle.slot()).is_some() {
                self.read_on(client.handle.slot());
            }
        }
        for wire in self.context.http_table.all() {
            self.context.guard(&*wire, || {
                wire.hold(&self.context, *environment, *server, ticket.is_some());
            });
        }
    }

    /// What the client of a session sends is read from here on.
    pub(super) fn read_on(&self, slot: Slot) {
        let Some(client) = self.clients.look_up(slot) else { return };
        let wire = client.wires().next();
        self.context.guard(&*client, || {
            let mut frames = client.read_on(&self.context);
            if let Some(wire) = wire.filter(|_| !frames.is_empty()) {
                WebSocket { worker: self, wire: &wire }.take_in(&mut frames);
            }
        });
    }

    /// The connections of a server go the way of its sessions.
    pub(super) fn finish_hand_over(&self, server: u32, ticket: &FinishTicket) {
        let channel = ticket.channel();
        fault!("finish hand-over", channel.environment.id, self.context.index as u64);
        for wire in self.context.http_table.all() {
            self.context.guard(&*wire, || {
                Rc::clone(&wire).hand_over(&self.context, server, channel);
            });
        }
    }

    /// A session comes from another process.
    pub(super) fn adopt(&self, adoption: Adoption) {
        let Adoption { server, session, socket, ticket } = adoption;
        let HandedSession { session, join_left, address, unread, unwritten, packet, posts, blob } =
            session;
        let environment = Arc::clone(&server.environment);
        if server.sessions.contains_key(&session.sid) {
            return; // nobody else may have its name
        }
        self.context.wakeups.add(&environment);
        let token = if socket.is_some() { environment.next_token() } else { 0 };
        let (context, dialect) = (&self.context, session.dialect);
        let mut main = None;
        let mut addresses: Option<Addresses> = None;
        if let Some(socket) = socket {
            let opened = self.connections.add(&context.run_queue, |place| {
                addresses = prepare(&socket)?;
                let tcp = Some(Tcp::open(context, socket, place)?);
                let wire = WebSocketWire::new(&server, context.index, token, tcp, dialect, None);
                let wire = Rc::new(wire);
                wire.hold();
                Ok((Connection::WebSocket(Rc::clone(&wire)), wire))
            });
            let Ok(wire) = opened else { return };
            main = Some(wire);
        }
        let session = Session::adopt(Arc::clone(&server.engine), session, clock::now());
        let peer = Peer { client: address, ..Peer::default() };
        let adopted = Some(Adopted { join_left, blob });
        // It has its place already: limits are for those who come.
        let ends = (peer, addresses);
        let gate = server.gate.as_ref();
        let place = gate.map(|gate| gate.take_in(peer.client(addresses), clock::now()));
        let origin = Origin { token, ends, adopted, ticket: place };
        let client = self.open_as(server, session, main.as_ref(), origin);
        ticket.note_opened();
        self.context.guard(&*client, || {
            if let Some(wire) = &main {
                wire.write_raw(&self.context, &unwritten);
            }
            if client.restore(&self.context, unread, posts, packet) {
                client.settle(&self.context);
            } else {
                client.close(&self.context, true);
            }
        });
    }
}
