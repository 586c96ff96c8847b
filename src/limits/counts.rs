//! How many there are of what is counted, in all or of one address.

use std::sync::atomic::{AtomicU32, Ordering};

/// What is counted.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// Clients.
    Clients,
    /// Those of them that have joined no namespace yet.
    Unauthenticated,
    /// Handshakes about which JavaScript has not decided yet.
    Handshakes,
}

/// How many there may be, if that is limited.
#[derive(Clone, Copy, Debug, Default)]
pub struct Most {
    /// In all.
    pub in_all: Option<u32>,
    /// Of one address.
    pub per_address: Option<u32>,
}

impl Most {
    /// Whether anything is limited.
    pub fn is_set(self) -> bool {
        self.in_all.is_some() || self.per_address.is_some()
    }
}

/// How many there are of each kind.
#[derive(Debug, Default)]
pub struct Counts([AtomicU32; 3]);

impl Counts {
    fn of(&self, kind: Kind) -> &AtomicU32 {
        &self.0[kind as usize]
    }

    /// How many there are.
    pub(super) fn get(&self, kind: Kind) -> u32 {
        self.of(kind).load(Ordering::Relaxed)
    }

    /// Whether there are as many as there may be.
    pub(super) fn are_at(&self, kind: Kind, most: Option<u32>) -> bool {
        most.is_some_and(|most| self.get(kind) >= most)
    }

    /// Adds one, unless there are as many as there may be; then false.
    pub(super) fn add(&self, kind: Kind, most: Option<u32>) -> bool {
        let most = most.unwrap_or(u32::MAX);
        let more = |count: u32| (count < most).then(|| count + 1);
        self.of(kind).fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }

    /// One that was added is there no more.
    pub(super) fn subtract(&self, kind: Kind) {
        self.of(kind).fetch_sub(1, Ordering::Relaxed);
    }
}
