//! Connections that JavaScript ends by their sockets, which programs have.

use std::rc::Rc;

use super::Worker;
use crate::net::command::EndWires;
use crate::net::context::Wire;

impl Worker {
    /// Ends connections, as if their peers had. What has been sent before leaves first.
    ///
    /// All are looked through: so nothing has to be kept for each of the many that nobody ends so.
    pub(super) fn end_wires(&self, end: &EndWires) {
        self.flush();
        let open = self.clients.borrow().iter().flat_map(|(_, c)| c.wires()).collect::<Vec<_>>();
        let open = open.into_iter().map(|wire| -> Rc<dyn Wire> { wire });
        let polling = self.context.http_table.all().into_iter();
        let polling = polling.map(|wire| -> Rc<dyn Wire> { wire });
        for wire in open.chain(self.context.closing()).chain(polling) {
            if wire.environment_id() == end.environment && end.tokens.contains(&wire.token()) {
                self.context.guard(&*wire, || Rc::clone(&wire).end(&self.context));
            }
        }
    }
}
