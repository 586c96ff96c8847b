//! What waits for the client, when it reads more slowly than we write.

use super::Client;

impl Client {
    /// Notes how many bytes wait.
    pub(super) fn note_backlog(&self, bytes: usize) {
        if (bytes > 0 && !self.over.get()) || self.backlogged.get() {
            let bytes = if self.over.get() { 0 } else { bytes };
            self.backlogged.set(bytes > 0);
            self.server.environment.backlogs.set(self.handle, bytes);
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
