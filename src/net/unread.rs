//! What has come of clients that are not read for now: they go to another process, or come from one.

use std::cell::RefCell;
use std::fmt;

use rustc_hash::FxHashMap;

use super::budget::HeldBytes;
use crate::engineio::RequestId;

/// What has come of a client while nothing of it may be taken.
#[derive(Debug, Default)]
pub struct Unread {
    /// What another process has read of its WebSocket, as frames.
    pub frames: Vec<u8>,
    /// The body of a POST that another process has answered, and whether it is binary.
    pub answered: Option<(Vec<u8>, bool)>,
    /// The POST that is under way: a client has one at a time.
    pub post: Option<(RequestId, HeldBytes, bool)>,
}

/// All of that, by the places of the clients. Most clients have nothing here, ever.
#[derive(Default)]
pub struct UnreadTable(RefCell<FxHashMap<u32, Unread>>);

impl fmt::Debug for UnreadTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnreadTable").field("len", &self.0.borrow().len()).finish_non_exhaustive()
    }
}

impl UnreadTable {
    /// Keeps all of a client that has come.
    pub fn put(&self, client: u32, unread: Unread) {
        self.0.borrow_mut().insert(client, unread);
    }

    /// Keeps the body of a POST.
    pub fn put_post(&self, client: u32, request: RequestId, body: HeldBytes, binary: bool) {
        self.0.borrow_mut().entry(client).or_default().post = Some((request, body, binary));
    }

    /// Whether the body of a POST is there.
    pub fn has_post(&self, client: u32) -> bool {
        self.0.borrow().get(&client).is_some_and(|unread| unread.post.is_some())
    }

    /// Takes what is there.
    pub fn take(&self, client: u32) -> Unread {
        self.0.borrow_mut().remove(&client).unwrap_or_default()
    }
}
