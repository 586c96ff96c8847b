//! The connections that polling requests come by, and the sessions that they are for.

use std::rc::Rc;
use std::sync::Arc;

use super::{Connection, Worker};
use crate::border::RecordKind;
use crate::engineio::{Dialect, Protocol, Session, Transport};
use crate::net::clock;
use crate::net::command::{CloseHttp, IncomingHttp, Opening};
use crate::net::context::{Victim, Wire as _, WorkerContext};
use crate::net::descriptor::prepare;
use crate::net::http_wire::HttpWire;
use crate::net::panic_guard::Nobody;
use crate::net::tcp::{self, Handler, Next, Tcp};

impl Worker {
    /// Takes a connection: one that Node.js has just answered a request on, or has not read.
    pub(super) fn accept_http(&self, incoming: IncomingHttp) {
        let IncomingHttp { handover, stream, opening, peer, news } = incoming;
        let (server, token) = (Arc::clone(&handover.server), handover.token);
        self.context.wakeups.add(&server.environment);
        if let Some(news) = news {
            news.tell(&server.environment, self.context.index, token);
        }
        fault!("accept http", server.environment.id, token);
        let context = &self.context;
        let opened = self.connections.add(&context.run_queue, |place| {
            let addresses = prepare(stream.socket())?;
            let wire =
                HttpWire::open(context, handover, Tcp::open(context, stream, place)?, peer.told);
            Ok((Connection::Http(Rc::clone(&wire)), (wire, addresses)))
        });
        let Ok((wire, addresses)) = opened else {
            server.environment.inbox.push(self.context.index, |record| {
                record.kind(RecordKind::WireClosed).number(token);
            });
            return;
        };
        if let Some(Opening { sid, encoding, persistence, ticket }) = opening {
            let engine = Arc::clone(&server.engine);
            let dialect = Dialect::from(Protocol::V4);
            let session = Session::open(engine, sid, dialect, Transport::Polling, clock::now());
            let client = self.open(server, session, None, token, (peer, addresses), ticket);
            let opened = self.context.guard(&*client, || {
                fault!("opening", client.server.environment.id, token);
                let (context, clients) = (&self.context, &self.clients);
                wire.handle_opening(context, clients, client.handle, encoding, persistence);
            });
            if opened.is_none() {
                self.context.guard(&Nobody, || wire.handle_panic(&self.context));
            }
        }
    }

    /// Gives a connection its turn.
    pub(super) fn drive_http(&self, wire: &Rc<HttpWire>) {
        tcp::drive(&self.context, wire.tcp(), &Http { worker: self, wire });
    }

    /// JavaScript closes the connections of an HTTP server.
    pub(super) fn close_http(&self, close: CloseHttp) {
        for wire in self.context.http_table.all() {
            self.context.guard(&*wire, || Rc::clone(&wire).handle_close(&self.context, close));
        }
    }

    pub(super) fn fire_http_timers(&self, now: u64) {
        while let Some((entry, slot)) = self.context.http_table.pop_due(now) {
            if let Some(wire) = self.context.http_table.get(slot) {
                let context = &self.context;
                context.guard(&*wire, || Rc::clone(&wire).handle_timeout(context, entry, now));
            }
        }
    }
}

/// A connection that requests come by, with the worker, which finds their sessions.
struct Http<'a> {
    worker: &'a Worker,
    wire: &'a Rc<HttpWire>,
}

impl Victim for Http<'_> {
    fn handle_panic(&self, context: &WorkerContext) {
        self.wire.handle_panic(context);
    }
}

impl Handler for Http<'_> {
    fn is_blocked(&self) -> bool {
        self.wire.is_blocked()
    }

    fn handle_writable(&self) {
        self.wire.write_out(&self.worker.context);
    }

    fn next(&self) -> Next {
        self.wire.next(&self.worker.context, &self.worker.clients)
    }

    fn reads_on(&self) -> bool {
        self.wire.reads_on(&self.worker.context)
    }

    fn handle_bytes(&self, bytes: &mut [u8]) {
        self.wire.handle_bytes(&self.worker.context, &self.worker.clients, bytes);
    }

    fn handle_end(&self, broken: bool) {
        if broken {
            self.wire.handle_end(&self.worker.context);
        } else {
            self.wire.handle_last(&self.worker.context);
        }
    }

    fn is_over(&self) -> bool {
        self.wire.is_gone()
    }
}
