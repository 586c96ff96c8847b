//! What another process has read of a client's WebSocket, and this one has not taken yet.

use std::cell::RefCell;
use std::fmt;

use rustc_hash::FxHashMap;

/// Frames, by the places of the clients. Most clients have nothing here, ever.
#[derive(Default)]
pub struct UnreadFrames(RefCell<FxHashMap<u32, Vec<u8>>>);

impl fmt::Debug for UnreadFrames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnreadFrames").field("len", &self.0.borrow().len()).finish_non_exhaustive()
    }
}

impl UnreadFrames {
    /// Keeps those of a client that has come, if there are any.
    pub fn put(&self, client: u32, frames: Vec<u8>) {
        if !frames.is_empty() {
            self.0.borrow_mut().insert(client, frames);
        }
    }

    /// Takes what is there.
    pub fn take(&self, client: u32) -> Vec<u8> {
        self.0.borrow_mut().remove(&client).unwrap_or_default()
    }
}
