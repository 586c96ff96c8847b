//! The way up: what the workers have for one JavaScript thread.
//!
//! Records are appended to one JSON text that JavaScript takes as a whole and parses once. The
//! first record since the last [`Inbox::take`] wakes JavaScript; later ones cost an append.
//! The inbox is bounded: past its limit the workers stop reading sockets, so that TCP pushes back
//! on the senders; nothing is dropped.

use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::record::Record;

/// Bytes that may wait for JavaScript, over all connections, before workers stop reading.
pub const INBOX_LIMIT: usize = 64 << 20;
/// Bytes that one connection may have waiting before its worker stops reading it: one client
/// can't fill the inbox alone, and a message of the default `maxHttpBufferSize` still fits.
pub const CONNECTION_LIMIT: usize = 4 << 20;
/// A text buffer larger than this is given back after it is drained.
const KEEP_CAPACITY: usize = 1 << 20;

/// What [`Inbox::take`] gives: records as JSON, and the buffers that they refer to, in order.
#[derive(Debug, Default)]
pub struct Batch {
    /// A JSON array of records, or empty.
    pub text: String,
    /// Attachments and bodies, in record order.
    pub buffers: Vec<Vec<u8>>,
}

#[derive(Debug, Default)]
struct Queue {
    batch: Batch,
    woken: bool,
    /// Bit `n` is set while worker `n` has connections that it stopped reading.
    stalled_workers: u32,
}

/// The queue from all workers to one JavaScript thread.
pub struct Inbox {
    queue: Mutex<Queue>,
    wake: Box<dyn Fn() + Send + Sync>,
    bytes: AtomicUsize,
    drains: AtomicU64,
}

impl fmt::Debug for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbox").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

impl Inbox {
    /// An empty inbox; `wake` is called from a worker when the first record comes in.
    pub fn new(wake: impl Fn() + Send + Sync + 'static) -> Self {
        Self {
            queue: Mutex::default(),
            wake: Box::new(wake),
            bytes: AtomicUsize::new(0),
            drains: AtomicU64::new(0),
        }
    }

    /// Appends one record; gives the bytes that it takes.
    pub fn push(&self, write: impl FnOnce(&mut Record<'_>)) -> usize {
        let mut queue = self.lock();
        let text = &mut queue.batch.text;
        let before = text.len();
        text.push(if text.is_empty() { '[' } else { ',' });
        let Batch { text, buffers } = &mut queue.batch;
        let mut record = Record::open(text, buffers);
        write(&mut record);
        let attached = record.close();
        let grown = queue.batch.text.len() - before + attached;
        self.bytes.fetch_add(grown, Ordering::Relaxed);
        let first = !std::mem::replace(&mut queue.woken, true);
        drop(queue);
        if first {
            (self.wake)();
        }
        grown
    }

    /// Takes everything that waits. `recycled` is the text buffer of an earlier batch.
    /// Gives the batch and the workers (one bit each) that wait for room.
    pub fn take(&self, mut recycled: String) -> (Batch, u32) {
        if recycled.capacity() > KEEP_CAPACITY {
            recycled = String::new();
        }
        recycled.clear();
        let mut queue = self.lock();
        queue.woken = false;
        let text = std::mem::replace(&mut queue.batch.text, recycled);
        let buffers = std::mem::take(&mut queue.batch.buffers);
        let stalled = std::mem::take(&mut queue.stalled_workers);
        self.bytes.store(0, Ordering::Relaxed);
        self.drains.fetch_add(1, Ordering::Relaxed);
        drop(queue);
        let mut batch = Batch { text, buffers };
        if !batch.text.is_empty() {
            batch.text.push(']');
        }
        (batch, stalled)
    }

    /// Bytes that wait now.
    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// How often the inbox was drained: tells whether bytes counted earlier still wait.
    pub fn drains(&self) -> u64 {
        self.drains.load(Ordering::Relaxed)
    }

    /// Notes that `worker` has stopped reading and wants to hear of the next drain.
    /// False when there is nothing to wait for: the inbox was drained meanwhile.
    pub fn stall(&self, worker: usize) -> bool {
        let mut queue = self.lock();
        if queue.batch.text.is_empty() {
            return false;
        }
        queue.stalled_workers |= 1 << worker;
        true
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        // A panic while the lock is held can only have left a record half-written; there is no
        // such path, and going on is better than taking the whole process down.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
