//! Connections that programs end by the sockets that they see.

use std::rc::Rc;

use super::Worker;
use super::websocket::WebSocket;
use crate::net::command::EndWires;
use crate::net::context::Wire;
use crate::net::tcp::Handler as _;

impl Worker {
    /// Ends connections, as if their peers had. What has been sent before leaves first.
    ///
    /// It looks through all connections. So nothing has to be kept for the many that are never ended this way.
    pub(super) fn end_wires(&self, end: &EndWires) {
        self.flush();
        let ends = |wire: &dyn Wire| {
            wire.environment_id() == end.environment && end.tokens.contains(&wire.token())
        };
        let open: Vec<_> = self.clients.all().iter().flat_map(|client| client.wires()).collect();
        for wire in open.iter().filter(|wire| ends(&***wire)) {
            let websocket = WebSocket { worker: self, wire };
            self.context.guard(&websocket, || websocket.handle_end(false));
        }
        // Those that carry no client any more.
        for wire in self.context.closing().iter().filter(|wire| ends(&***wire)) {
            self.context.guard(&**wire, || wire.finish(&self.context));
        }
        for wire in self.context.http_table.all().iter().filter(|wire| ends(&***wire)) {
            self.context.guard(&**wire, || Rc::clone(wire).end(&self.context));
        }
    }
}
