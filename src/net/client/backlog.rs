//! What waits for the client, when it reads more slowly than we write.

use std::rc::Rc;

use super::{Client, State};
use crate::net::context::WorkerContext;

impl Client {
    /// Notes how many bytes wait; true when that is more than may.
    pub(super) fn note_backlog(&self, bytes: usize) -> bool {
        if (bytes > 0 && !self.over.get()) || self.backlogged.get() {
            let bytes = if self.over.get() { 0 } else { bytes };
            self.backlogged.set(bytes > 0);
            self.server.environment.backlogs.set(self.handle, bytes);
        }
        bytes > self.server.buffers.session
    }

    /// The wire of the session has got rid of something or has taken something in while its peer
    /// does not read. A session for which too much waits ends when the worker is done with what
    /// it does: whoever tells this may be in the middle of a broadcast.
    pub(super) fn handle_wire_backlog(self: Rc<Self>, context: &WorkerContext, bytes: usize) {
        if self.note_backlog(bytes) {
            self.flush_later(context);
        }
    }

    /// Ends the session if too much waits. Called when nothing of it is borrowed or being sent.
    pub(super) fn end_if_overflowing(&self, state: &mut State) {
        let waiting = match &state.main {
            // Only what a peer leaves unread counts: the rest has not been offered to it yet.
            Some(wire) => wire.backlog(),
            None => state.session.buffered(),
        };
        if waiting > self.server.buffers.session {
            state.session.overflow();
        }
    }

    /// Notes what waits for the next poll, if the session is carried by polls.
    pub(super) fn note_unpolled(&self) {
        let state = self.state.borrow();
        if state.main.is_none() && !state.closed {
            let bytes = state.session.buffered();
            drop(state);
            self.note_backlog(bytes);
        }
    }
}
