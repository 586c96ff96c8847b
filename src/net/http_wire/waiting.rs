//! Waiting for JavaScript to take what has come in.

use std::rc::Rc;

use super::{Exchange, HttpWire, State};
use crate::net::context::WorkerContext;

impl HttpWire {
    /// Whether the inbox has room for what comes next. If not, the worker wakes this wire once JavaScript has
    /// taken enough.
    pub(super) fn may_read(self: &Rc<Self>, context: &WorkerContext) -> bool {
        let budget = &self.handover.server.environment.inbox.budget;
        if self.is_stalled() {
            return false;
        }
        if budget.has_room(context.index) {
            return true;
        }
        self.stalled.set(Some(budget.stop()));
        self.begin_to_wait(context);
        !self.is_stalled()
    }

    /// Whether nothing is read, because the inbox is full.
    pub(super) fn is_stalled(&self) -> bool {
        let stop = self.stalled.take();
        let stalled = stop.is_some();
        self.stalled.set(stop);
        stalled
    }

    /// Whether to read on past this wire's turn: it is in the middle of a body, and little room is left.
    pub fn reads_on(&self, context: &WorkerContext) -> bool {
        matches!(self.state.get(), State::Body { .. })
            && !self.handover.server.environment.inbox.budget.has_plenty(context.index)
    }

    /// Delays the answer until JavaScript has reached this place of the inbox.
    pub(super) fn delay_answer(self: &Rc<Self>, context: &WorkerContext, after: u64) {
        // The request will not be given back any more.
        self.input.drop_front(self.kept());
        self.state.set(State::Full { after });
        self.begin_to_wait(context);
    }

    /// Whether JavaScript has not reached it yet.
    pub(super) fn is_ahead_of(&self, exchange: Exchange, after: u64) -> bool {
        self.handover.server.environment.inbox.taken(exchange.session.worker()) < after
    }

    fn begin_to_wait(self: &Rc<Self>, context: &WorkerContext) {
        if self.goes_on_waiting(context) && !self.listed.replace(true) {
            context.add_stalled(Rc::<Self>::clone(self));
        }
    }

    /// Ends the waiting for what is there now. True: something is left to wait for, and the worker will
    /// hear when JavaScript has taken more.
    pub(super) fn goes_on_waiting(&self, context: &WorkerContext) -> bool {
        let budget = &self.handover.server.environment.inbox.budget;
        budget.must_wait(context.index, || !self.waits(context))
    }

    fn waits(&self, context: &WorkerContext) -> bool {
        let budget = &self.handover.server.environment.inbox.budget;
        if let (State::Full { after }, Some(exchange)) = (self.state.get(), self.exchange.get())
            && !self.is_ahead_of(exchange, after)
        {
            self.state.set(State::Ready);
            self.tcp.wake(context);
        }
        if self.is_stalled() && budget.has_relief(context.index) {
            self.stalled.set(None);
            self.put_off_timeout(context);
            self.tcp.wake(context);
        }
        self.is_stalled() || matches!(self.state.get(), State::Full { .. })
    }

    /// It is us who did not read, so the peer's time begins anew.
    pub(super) fn put_off_timeout(&self, context: &WorkerContext) {
        match self.state.get() {
            State::Idle { .. } => self.await_request(context),
            State::Head { pieces, .. } => {
                let deadline = self.head_deadline();
                self.state.set(State::Head { pieces, deadline });
                self.await_head(context, deadline);
            }
            State::Body { .. } => self.await_body(context),
            State::Waiting { .. } | State::Full { .. } | State::Ready | State::Gone => {}
        }
    }
}
