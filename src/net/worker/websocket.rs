//! What comes by a WebSocket of the worker, for the client that it carries.

use std::ops::ControlFlow;
use std::rc::Rc;
use std::sync::Arc;

use super::{Connection, Worker};
use crate::border::RecordKind;
use crate::engineio::{Link, Session, Transport};
use crate::limits::gate::Ticket;
use crate::net::client::Client;
use crate::net::clock;
use crate::net::command::{BridgeEvent, BridgeKey, IncomingStream, IncomingWebSocket, Purpose};
use crate::net::context::{Victim, Wire as _, WorkerContext};
use crate::net::descriptor::{Addresses, prepare};
use crate::net::peer::Peer;
use crate::net::server::Server;
use crate::net::tcp::{self, Handler, Next, Tcp};
use crate::net::websocket_wire::{Ended, PIECE, WebSocketWire};

impl Worker {
    /// Takes a WebSocket connection, and begins to drive it.
    pub(super) fn accept_websocket(&self, incoming: IncomingWebSocket) {
        let IncomingWebSocket {
            server,
            token,
            purpose,
            dialect,
            stream,
            head,
            response,
            deflate,
            peer,
            news,
            ticket,
        } = incoming;
        let environment = Arc::clone(&server.environment);
        self.context.wakeups.add(&environment);
        if let Some(news) = news {
            news.tell(&environment, self.context.index, token);
        }
        fault!("accept websocket", environment.id, token);
        let (context, index) = (&self.context, self.context.index);
        let bridged = matches!(stream, IncomingStream::Bridge);
        let make = |tcp| Rc::new(WebSocketWire::new(&server, index, token, tcp, dialect, deflate));
        let opened = match stream {
            // Registration fails when the limit of the event queue is reached: the wire is then
            // closed before it was open.
            IncomingStream::Tcp(stream) => self.connections.add(&context.run_queue, |place| {
                let addresses = prepare(stream.socket())?;
                let wire = make(Some(Tcp::open(context, stream, place)?));
                Ok((Connection::WebSocket(Rc::clone(&wire)), (wire, addresses)))
            }),
            IncomingStream::Bridge => Ok((make(None), None)),
        };
        let Ok((wire, addresses)) = opened else {
            environment.inbox.push(self.context.index, |record| {
                record.kind(RecordKind::WireClosed).number(token);
            });
            return;
        };
        let websocket = WebSocket { worker: self, wire: &wire };
        if bridged {
            self.bridges.borrow_mut().insert((environment.id, token), Rc::clone(&wire));
        }
        self.context.guard(&websocket, || {
            wire.write_raw(&self.context, &response.into_bytes());
            self.begin(&wire, server, purpose, (peer, addresses), ticket);
        });
        if head.is_empty() {
            return;
        }
        self.context.guard(&websocket, || {
            let mut head = head;
            if bridged {
                websocket.handle_bridged(&mut head, false);
            } else {
                websocket.take_in(&mut head);
            }
        });
    }

    /// Gives a connection its turn.
    pub(super) fn drive_websocket(&self, wire: &Rc<WebSocketWire>) {
        if let Some(tcp) = wire.tcp() {
            tcp::drive(&self.context, tcp, &WebSocket { worker: self, wire });
        }
    }

    /// Has a new wire carry what it has come for.
    fn begin(
        &self,
        wire: &Rc<WebSocketWire>,
        server: Arc<Server>,
        purpose: Purpose,
        ends: (Peer, Option<Addresses>),
        ticket: Option<Ticket>,
    ) {
        fault!("begin", server.environment.id, wire.token);
        match purpose {
            Purpose::Session(sid) => {
                let engine = Arc::clone(&server.engine);
                let now = clock::now();
                let dialect = wire.dialect();
                let session = Session::open(engine, sid, dialect, Transport::WebSocket, now);
                let client = self.open(server, session, Some(wire), wire.token, ends, ticket);
                client.settle(&self.context);
                fault!("opened", client.server.environment.id, wire.token);
            }
            Purpose::Upgrade(slot) => {
                let client = self.clients.look_up(slot);
                if client.as_ref().is_some_and(|client| client.handle_probe(wire)) {
                    if let Some(client) = client {
                        client.settle(&self.context);
                    }
                } else {
                    wire.begin_close(&self.context, None);
                }
            }
        }
    }

    /// Something has happened to a stream that JavaScript pumps.
    pub(super) fn handle_bridge(&self, key: BridgeKey, event: BridgeEvent) {
        let wire = self.bridges.borrow().get(&key).map(Rc::clone);
        let Some(wire) = wire else { return };
        fault!("bridge", key.0, key.1);
        let websocket = WebSocket { worker: self, wire: &wire };
        match event {
            BridgeEvent::Data { mut bytes, paused } => {
                websocket.handle_bridged(&mut bytes, paused);
            }
            BridgeEvent::Written(n) => {
                if wire.handle_written(&self.context, n) {
                    websocket.tell_drained();
                }
            }
            BridgeEvent::End { broken } => {
                if !wire.keep_end(&self.context, broken) {
                    websocket.handle_end(broken);
                }
            }
        }
    }
}

/// A WebSocket with its worker, which knows the client that it carries.
pub(super) struct WebSocket<'a> {
    pub(super) worker: &'a Worker,
    pub(super) wire: &'a Rc<WebSocketWire>,
}

impl Victim for WebSocket<'_> {
    /// Its client ends with it.
    fn handle_panic(&self, context: &WorkerContext) {
        if let Some(client) = self.client() {
            client.abort(context);
        }
        self.wire.finish(context);
    }
}

impl Handler for WebSocket<'_> {
    fn is_blocked(&self) -> bool {
        self.wire.is_blocked()
    }

    fn handle_writable(&self) {
        if self.wire.write_on(&self.worker.context) {
            self.tell_drained();
        }
    }

    fn next(&self) -> Next {
        if self.wire.is_gone() {
            Next::Gone
        } else if self.wire.is_limited() && self.wire.is_broken() {
            self.handle_end(true);
            Next::Gone
        } else if self.wire.is_held() || self.wire.is_limited() || !self.may_read() {
            Next::Wait
        } else if self.wire.has_undecoded() {
            self.decode_on();
            Next::Again
        } else {
            Next::Read(self.wire.piece())
        }
    }

    fn reads_on(&self) -> bool {
        self.wire.reads_on(&self.worker.context)
    }

    fn handle_bytes(&self, bytes: &mut [u8]) {
        fault!("read", self.wire.environment_id(), self.wire.token);
        let read = self.decode(bytes);
        self.wire.keep(&self.worker.context, &bytes[read..]);
    }

    fn handle_end(&self, broken: bool) {
        let client = self.client();
        let ended = self.wire.handle_end(&self.worker.context, broken);
        if let Some(client) = client {
            self.tell_end(&client, ended);
        }
    }
}

impl WebSocket<'_> {
    fn client(&self) -> Option<Rc<Client>> {
        self.wire.client().and_then(|client| self.worker.clients.find(client))
    }

    /// Whether the inbox has room for what the peer sends.
    fn may_read(&self) -> bool {
        self.wire.may_read(&self.worker.context, || {
            self.client().map_or(0, |client| client.waiting_bytes())
        })
    }

    /// Bytes as they came from the peer. Gives how many have been read: fewer than all if its client may send no more for now.
    fn decode(&self, bytes: &mut [u8]) -> usize {
        let context = &self.worker.context;
        let Some(client) = self.client() else {
            self.wire.handle_bytes(context, bytes, |_, _| ControlFlow::Continue(()));
            context.flush_dirty();
            return bytes.len();
        };
        let now = clock::now();
        if self.wire.carried().is_some_and(|carried| carried.link == Link::Main) {
            client.handle_progress(now);
        }
        let (read, ended) = self.wire.handle_bytes(context, bytes, |link, message| {
            client.handle_websocket(context, now, link, message)
        });
        self.tell_end(&client, ended);
        read
    }

    /// Tells the client that this WebSocket has ended, if it has, and carries out what follows.
    fn tell_end(&self, client: &Client, ended: Option<Ended>) {
        let context = &self.worker.context;
        if let Some(ended) = ended {
            client.handle_link_end(clock::now(), &ended);
        }
        client.settle(context);
        context.flush_dirty();
    }

    fn tell_drained(&self) {
        if let Some(client) = self.client() {
            client.handle_drained();
        }
    }

    /// Any number of bytes as they came from the peer. What may be compressed is decoded in pieces, as far
    /// as there is room.
    pub(super) fn take_in(&self, mut bytes: &mut [u8]) {
        let context = &self.worker.context;
        let waits = self.wire.is_limited() || self.wire.is_stalled() && self.wire.is_compressed();
        if waits || self.wire.has_undecoded() {
            return self.wire.keep(context, bytes);
        }
        while !bytes.is_empty() {
            let count = bytes.len().min(self.wire.piece());
            let read = self.decode(&mut bytes[..count]);
            bytes = &mut bytes[read..];
            if read < count || !bytes.is_empty() && !self.may_read() {
                return self.wire.keep(context, bytes);
            }
        }
    }

    /// Decodes what waits, as far as there is room, and then takes the end of the stream if that waits too.
    fn decode_on(&self) {
        let mut piece = [0; PIECE];
        while self.wire.has_undecoded() && !self.wire.is_limited() && self.may_read() {
            let count = self.wire.copy_undecoded(&mut piece);
            let read = self.decode(&mut piece[..count]);
            if let Some(broken) = self.wire.drop_undecoded(read) {
                self.handle_end(broken);
            }
        }
    }

    /// Bytes of a stream that JavaScript pumps. They are taken in any case; if the inbox is full, JavaScript
    /// is asked to pause the stream, and so it is if the client may send no more for now. `paused`: it has done so already.
    fn handle_bridged(&self, bytes: &mut [u8], paused: bool) {
        let had_stopped = self.wire.is_stalled() || self.wire.is_limited();
        self.take_in(bytes);
        if had_stopped {
            return;
        }
        self.decode_on();
        if self.wire.is_gone() {
            return;
        }
        if self.wire.is_limited() || !self.may_read() {
            self.wire.push_urgent(RecordKind::BridgePause);
        } else if paused {
            self.wire.push_urgent(RecordKind::BridgeResume);
        }
    }
}
