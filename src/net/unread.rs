//! What has come of clients that are not read for now: they go to another process, or come from one, or may send no more for a while.

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
    pub post: Option<Post>,
}

/// A POST whose body waits.
#[derive(Debug)]
pub struct Post {
    /// Which.
    pub request: RequestId,
    /// What has not been taken of its body.
    pub body: HeldBytes,
    /// Whether that is a binary payload.
    pub binary: bool,
    /// Whether something has been taken of it. What is left is a payload then, whatever the body was.
    pub is_begun: bool,
}

/// What has come of a POST, and whether it is binary.
#[derive(Clone, Copy, Debug)]
pub enum PostPart<'a> {
    /// Its body.
    Body(RequestId, &'a [u8], bool),
    /// What is left of that; the request is none when nobody is to be answered, and then nothing waits.
    Rest(Option<RequestId>, &'a [u8], bool),
    /// The body of one that another process has answered: nothing of it waits.
    Carried(&'a [u8], bool),
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

    /// Keeps a POST.
    pub fn put_post(&self, client: u32, post: Post) {
        self.0.borrow_mut().entry(client).or_default().post = Some(post);
    }

    /// Takes the POST, if there is one.
    pub fn take_post(&self, client: u32) -> Option<Post> {
        let mut table = self.0.borrow_mut();
        let unread = table.get_mut(&client)?;
        let post = unread.post.take();
        if unread.frames.is_empty() && unread.answered.is_none() {
            table.remove(&client);
        }
        post
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
