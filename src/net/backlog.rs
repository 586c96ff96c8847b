//! What waits for clients that read too slowly.
//!
//! ```text
//!   the peer takes all ──► nothing is kept here, nothing is looked at
//!   the peer blocks ─────► the bytes are noted, and compared with the limits, whenever they change
//! ```
//!
//! A client that keeps up costs nothing: its bytes leave in the same turn of the worker.

use dashmap::DashMap;
use rustc_hash::FxBuildHasher;

use crate::id::Handle;

/// How much may wait for one client of a server, bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BufferLimits {
    /// A session for which more than this waits is ended.
    pub session: usize,
    /// A volatile packet is dropped while more than this waits because the client takes no more. 0,
    /// upstream's rule: while anything does.
    pub volatile: usize,
}

impl Default for BufferLimits {
    /// Upstream's rules: no session is ended, and no volatile packet waits for its client.
    fn default() -> Self {
        Self { session: usize::MAX, volatile: 0 }
    }
}

/// The connections of an environment for which something waits, and how many bytes.
///
/// Written by workers, read by the JavaScript thread.
#[derive(Debug, Default)]
pub struct Backlogs {
    bytes: DashMap<Handle, usize, FxBuildHasher>,
}

impl Backlogs {
    /// Notes that `bytes` wait for a client; 0 forgets it.
    pub fn set(&self, handle: Handle, bytes: usize) {
        if bytes == 0 {
            self.bytes.remove(&handle);
        } else {
            self.bytes.insert(handle, bytes);
        }
    }

    /// Bytes that wait for a client.
    pub fn get(&self, handle: Handle) -> usize {
        self.bytes.get(&handle).map_or(0, |bytes| *bytes)
    }

    /// Bytes that wait for all of them.
    pub fn total(&self) -> usize {
        self.bytes.iter().map(|bytes| *bytes).sum()
    }

    /// How many clients something waits for.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing waits for anybody.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}
