//! Waiting for JavaScript to take what has come in.

use std::rc::Rc;

use super::{HttpWire, State};
use crate::net::budget::MAX_READS_PER_TURN;
use crate::net::context::WorkerContext;

impl HttpWire {
    /// Whether the inbox has room for what comes next. When it has not, the worker wakes us after
    /// JavaScript has taken enough.
    pub(super) fn may_read(self: &Rc<Self>, context: &WorkerContext) -> bool {
        let budget = &self.server.environment.inbox.budget;
        if self.is_stalled() {
            return false;
        }
        if budget.has_room(context.index) {
            return true;
        }
        *self.stalled.borrow_mut() = Some(budget.stop());
        self.begin_to_wait(context);
        !self.is_stalled()
    }

    /// Whether nothing is read, because the inbox is full.
    pub(super) fn is_stalled(&self) -> bool {
        self.stalled.borrow().is_some()
    }

    /// Whether to read on although others wait for their turn: while little room is left, a body that
    /// has begun is better read to its end than many are begun.
    pub(super) fn reads_on(&self, context: &WorkerContext, reads: u32) -> bool {
        reads < MAX_READS_PER_TURN
            && matches!(self.state.get(), State::Body { .. })
            && !self.server.environment.inbox.budget.has_plenty(context.index)
    }

    /// Holds the answer back until JavaScript has come to this place of the inbox.
    pub(super) fn hold_answer(self: &Rc<Self>, context: &WorkerContext, after: u64) {
        self.after.set(after);
        self.state.set(State::Full { room: false });
        // The request will not be given back any more.
        self.input.drop_front(self.kept.take());
        self.begin_to_wait(context);
    }

    /// Whether JavaScript has not come there yet.
    pub(super) fn is_ahead_of(&self, after: u64) -> bool {
        self.server.environment.inbox.taken(self.session.get().worker()) < after
    }

    fn begin_to_wait(self: &Rc<Self>, context: &WorkerContext) {
        if self.goes_on_waiting(context) && !self.listed.replace(true) {
            context.add_stalled(Rc::<Self>::clone(self));
        }
    }

    /// Ends the waiting for what is there now. If something is left to wait for, JavaScript takes
    /// something later than this, and the worker hears of it.
    pub(super) fn goes_on_waiting(&self, context: &WorkerContext) -> bool {
        if !self.waits(context) {
            return false;
        }
        // Noted first: what is taken before this looks again is seen here.
        self.server.environment.inbox.budget.wait(context.index);
        self.waits(context)
    }

    fn waits(&self, context: &WorkerContext) -> bool {
        let budget = &self.server.environment.inbox.budget;
        if self.state.get() == (State::Full { room: false }) && !self.is_ahead_of(self.after.get())
        {
            self.state.set(State::Full { room: true });
            self.wake();
        }
        if self.is_stalled() && budget.has_relief(context.index) {
            *self.stalled.borrow_mut() = None;
            self.put_off_timeout(context);
            self.wake();
        }
        self.is_stalled() || self.state.get() == (State::Full { room: false })
    }

    /// It is us who don't read: the time that the peer has begins again.
    pub(super) fn put_off_timeout(&self, context: &WorkerContext) {
        match self.state.get() {
            State::Idle => self.set_timeout(context, self.profile.idle_timeout),
            State::Head { .. } => {
                self.begin_head();
                self.await_head(context);
            }
            State::Body { .. } => self.await_body(context),
            State::Waiting | State::Full { .. } | State::Gone => {}
        }
    }
}
