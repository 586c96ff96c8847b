//! Those who were lost and may come back.

use std::collections::BTreeMap;
use std::rc::Rc;

use rustc_hash::FxHashMap;

use super::room_uses::RoomNumber;

/// What a session takes beside the names in it, about, in bytes. What the application keeps with
/// it is the application's.
pub const SESSION_OVERHEAD: usize = 512;

/// Names a session that was lost; never given out twice, and higher for one that was lost later.
pub type SessionKey = u64;

/// A socket as it was when its connection was lost.
#[derive(Clone, Debug)]
pub struct LostSession {
    /// The secret by which the client proves that it is the same.
    pub pid: Rc<str>,
    /// The id that the socket had, and gets again.
    pub socket_id: Box<str>,
    /// The rooms that it was in, in the order in which it gets them back.
    pub rooms: Box<[RoomNumber]>,
    /// When it was lost, in milliseconds.
    pub lost_at: u64,
    /// What the names of its rooms take, in bytes.
    pub size: usize,
}

impl LostSession {
    fn bytes(&self) -> usize {
        SESSION_OVERHEAD + self.size
    }
}

/// The sessions of a namespace, in the order in which they were lost.
#[derive(Debug)]
pub struct LostSessions {
    by_key: BTreeMap<SessionKey, LostSession>,
    /// Pids are made by the server: what a client makes up is looked for here, but never put in.
    keys: FxHashMap<Rc<str>, SessionKey>,
    next: SessionKey,
    bytes: usize,
    max_bytes: usize,
}

impl LostSessions {
    /// No sessions.
    pub fn new(max_bytes: usize) -> Self {
        let (by_key, keys) = (BTreeMap::new(), FxHashMap::default());
        Self { by_key, keys, next: 0, bytes: 0, max_bytes }
    }

    /// How many are kept.
    pub fn len(&self) -> usize {
        self.by_key.len()
    }

    /// Whether none is kept.
    pub fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }

    /// What they take, about, in bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// All of them, in the order in which they were lost.
    pub fn iter(&self) -> impl Iterator<Item = (SessionKey, &LostSession)> {
        self.by_key.iter().map(|(key, session)| (*key, session))
    }

    /// The session of that key.
    pub fn get(&self, key: SessionKey) -> Option<&LostSession> {
        self.by_key.get(&key)
    }

    /// The session of that pid.
    pub fn find(&self, pid: &str) -> Option<(SessionKey, &LostSession)> {
        let key = *self.keys.get(pid)?;
        Some((key, self.by_key.get(&key)?))
    }

    /// Adds a session whose pid is not there.
    pub(super) fn insert(&mut self, session: LostSession) -> SessionKey {
        let key = self.next;
        self.next += 1;
        self.bytes += session.bytes();
        self.keys.insert(Rc::clone(&session.pid), key);
        self.by_key.insert(key, session);
        key
    }

    /// Takes the session of that pid out.
    pub(super) fn remove(&mut self, pid: &str) -> Option<(SessionKey, LostSession)> {
        let key = self.keys.remove(pid)?;
        let session = self.by_key.remove(&key)?;
        self.bytes -= session.bytes();
        Some((key, session))
    }

    /// Takes the oldest out, while there is more than there may be.
    pub(super) fn pop_surplus(&mut self) -> Option<(SessionKey, LostSession)> {
        if self.bytes <= self.max_bytes { None } else { self.pop() }
    }

    /// Takes the oldest out, while it was lost before `oldest`.
    pub(super) fn pop_before(&mut self, oldest: u64) -> Option<(SessionKey, LostSession)> {
        if self.by_key.first_key_value()?.1.lost_at >= oldest { None } else { self.pop() }
    }

    fn pop(&mut self) -> Option<(SessionKey, LostSession)> {
        let (key, session) = self.by_key.pop_first()?;
        self.keys.remove(&session.pid);
        self.bytes -= session.bytes();
        Some((key, session))
    }
}
