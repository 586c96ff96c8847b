//! The way up: what the workers have for one JavaScript thread.
//!
//! Each worker appends records to a lane of its own: one JSON text, of which no other worker
//! touches a byte or a lock. It announces them when it has looked at all sockets that were ready
//! (or when much waits), and the first announcement since the last [`Inbox::take`] wakes
//! JavaScript, which takes all announced lanes as one text and parses it once.
//!
//! ```text
//!   worker 0 ── push ──► lane 0 ─┐ announce
//!   worker 1 ── push ──► lane 1 ─┼──────────► announced: one bit a lane ── 0 → not 0 ──► wake
//!      …                    …    ┘                                     ◄── take ── JavaScript
//! ```
//!
//! The inbox is bounded: past its limit the workers stop reading sockets, so that TCP pushes back
//! on the senders; nothing is dropped.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::record::{Batch, Record};
use crate::id::Handle;

/// Bytes that may wait for JavaScript, over all connections, before workers stop reading.
pub const INBOX_LIMIT: usize = 64 << 20;
/// Bytes that one connection may have waiting before its worker stops reading it: one client
/// can't fill the inbox alone, and a message of the default `maxHttpBufferSize` still fits.
pub const CONNECTION_LIMIT: usize = 4 << 20;
/// Bytes that are announced at once, before the worker has looked at all sockets: so much work
/// that JavaScript had better begin.
const ANNOUNCE_FROM: usize = 4 << 10;
/// A buffer larger than this is given back after it is drained.
const KEEP_CAPACITY: usize = 1 << 20;

/// The queue of one worker. Alone on its cache lines: what one worker does slows no other.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Lane {
    queue: Mutex<Queue>,
    /// Whether records wait that were not announced.
    fresh: AtomicBool,
    /// How often the lane was taken.
    drains: AtomicU64,
}

#[derive(Debug, Default)]
struct Queue {
    batch: Batch,
    /// Bytes that were not announced.
    fresh: usize,
    /// Bytes that were.
    announced: usize,
}

impl Lane {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        // A panic while the lock is held can only have left a record half-written; there is no
        // such path, and going on is better than taking the whole process down.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The queues from all workers to one JavaScript thread.
pub struct Inbox {
    lanes: Box<[Lane]>,
    wake: Box<dyn Fn() + Send + Sync>,
    /// Bit `n` is set while lane `n` has announced records; JavaScript is awake while any is.
    announced: AtomicU32,
    /// Bit `n` is set while worker `n` has connections that it stopped reading.
    stalled: AtomicU32,
    /// Announced bytes of all lanes.
    bytes: AtomicUsize,
}

impl fmt::Debug for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbox").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

impl Inbox {
    /// An empty inbox; `wake` is called from a worker when there is something to take.
    pub fn new(wake: impl Fn() + Send + Sync + 'static) -> Self {
        Self {
            lanes: (0..Handle::MAX_WORKERS).map(|_| Lane::default()).collect(),
            wake: Box::new(wake),
            announced: AtomicU32::new(0),
            stalled: AtomicU32::new(0),
            bytes: AtomicUsize::new(0),
        }
    }

    /// Appends one record of `worker`, which announces it later; gives the bytes that it takes.
    pub fn push(&self, worker: usize, write: impl FnOnce(&mut Record<'_>)) -> usize {
        let lane = &self.lanes[worker];
        let mut queue = lane.lock();
        let text = &mut queue.batch.text;
        let before = text.len();
        text.push(if text.is_empty() { '[' } else { ',' });
        let mut record = Record::open(&mut queue.batch);
        write(&mut record);
        let attached = record.close();
        let grown = queue.batch.text.len() - before + attached;
        queue.fresh += grown;
        if queue.fresh < ANNOUNCE_FROM {
            drop(queue);
            lane.fresh.store(true, Ordering::Relaxed);
        } else {
            self.announce_queue(worker, queue);
        }
        grown
    }

    /// Whether `worker`, which asks, has something to announce.
    #[inline]
    pub fn has_news(&self, worker: usize) -> bool {
        self.lanes[worker].fresh.load(Ordering::Relaxed)
    }

    /// Lets JavaScript see what `worker` has pushed, and wakes it if nobody has yet.
    pub fn announce(&self, worker: usize) {
        self.announce_queue(worker, self.lanes[worker].lock());
    }

    fn announce_queue(&self, worker: usize, mut queue: MutexGuard<'_, Queue>) {
        let fresh = std::mem::take(&mut queue.fresh);
        queue.announced += fresh;
        // Added under the lock: who takes the lane subtracts it, and must not be the first.
        self.bytes.fetch_add(fresh, Ordering::SeqCst);
        drop(queue);
        self.lanes[worker].fresh.store(false, Ordering::Relaxed);
        if fresh == 0 {
            return;
        }
        if self.announced.fetch_or(1 << worker, Ordering::SeqCst) == 0 {
            (self.wake)();
        }
    }

    /// Takes everything that was announced. `recycled` is an earlier batch, of which only the memory
    /// counts. Gives the batch and the workers (one bit each) that wait for room.
    pub fn take(&self, recycled: Batch) -> (Batch, u32) {
        let mut batch = recycled;
        batch.clear(KEEP_CAPACITY);
        let mut lanes = self.announced.swap(0, Ordering::SeqCst);
        while lanes != 0 {
            self.take_lane(lanes.trailing_zeros() as usize, &mut batch);
            lanes &= lanes - 1;
        }
        if !batch.text.is_empty() {
            batch.text.push(']');
        }
        (batch, self.stalled.swap(0, Ordering::SeqCst))
    }

    fn take_lane(&self, worker: usize, batch: &mut Batch) {
        let lane = &self.lanes[worker];
        let mut queue = lane.lock();
        if batch.text.is_empty() {
            std::mem::swap(&mut queue.batch, batch);
        } else if !queue.batch.text.is_empty() {
            batch.append(&mut queue.batch);
        }
        // What was not announced goes along: its announcement finds nothing left to tell.
        queue.fresh = 0;
        let announced = std::mem::take(&mut queue.announced);
        lane.drains.fetch_add(1, Ordering::Relaxed);
        drop(queue);
        self.bytes.fetch_sub(announced, Ordering::SeqCst);
    }

    /// Announced bytes that wait now.
    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::SeqCst)
    }

    /// How often the lane of `worker` was taken: tells whether bytes counted earlier still wait.
    #[inline]
    pub fn drains(&self, worker: usize) -> u64 {
        self.lanes[worker].drains.load(Ordering::Relaxed)
    }

    /// Notes that `waiter`, a worker, wants to hear of the next drain, as it waits for what `worker`
    /// has pushed to be taken. False when there is nothing to wait for: it was taken meanwhile.
    pub fn stall(&self, waiter: usize, worker: usize) -> bool {
        // Noted first: a drain that this does not see any more will see the note.
        self.stalled.fetch_or(1 << waiter, Ordering::SeqCst);
        self.bytes() >= INBOX_LIMIT || !self.lanes[worker].lock().batch.text.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::net::record::Kind;

    fn inbox() -> (Inbox, Arc<AtomicU32>) {
        let wakes = Arc::new(AtomicU32::new(0));
        let for_inbox = Arc::clone(&wakes);
        let wake = move || {
            for_inbox.fetch_add(1, Ordering::Relaxed);
        };
        (Inbox::new(wake), wakes)
    }

    fn push(inbox: &Inbox, worker: usize, token: u32) {
        inbox.push(worker, |record| {
            record.kind(Kind::BridgeWrite).number(token).buffer(vec![0; token as usize]);
        });
    }

    #[test]
    fn many_records_are_one_wake_up_and_one_text() {
        let (inbox, wakes) = inbox();
        push(&inbox, 0, 1);
        push(&inbox, 0, 2);
        push(&inbox, 3, 4);
        assert!(inbox.has_news(0) && !inbox.has_news(1) && inbox.has_news(3));
        assert_eq!((wakes.load(Ordering::Relaxed), inbox.bytes()), (0, 0));
        inbox.announce(3);
        inbox.announce(0);
        assert!(!inbox.has_news(0));
        assert_eq!(wakes.load(Ordering::Relaxed), 1);
        let (batch, _) = inbox.take(Batch::default());
        assert_eq!(batch.text, "[[30,1],[30,2],[30,4]]");
        assert_eq!(batch.buffers.iter().map(Vec::len).collect::<Vec<_>>(), [1, 2, 4]);
        assert_eq!(inbox.bytes(), 0);
        assert_eq!(inbox.take(batch).0.text, "");
        push(&inbox, 0, 1);
        inbox.announce(0);
        assert_eq!(wakes.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn much_is_announced_at_once() {
        let (inbox, wakes) = inbox();
        push(&inbox, 1, u32::try_from(ANNOUNCE_FROM).unwrap());
        assert_eq!(wakes.load(Ordering::Relaxed), 1);
        assert!(inbox.bytes() > ANNOUNCE_FROM);
        push(&inbox, 1, 1);
        // It leaves with the rest; nothing is left to be announced, and nobody is woken for nothing.
        assert!(inbox.take(Batch::default()).0.text.ends_with(",[30,1]]"));
        inbox.announce(1);
        assert_eq!((wakes.load(Ordering::Relaxed), inbox.bytes()), (1, 0));
    }

    #[test]
    fn who_waits_for_room_hears_of_the_next_drain() {
        let (inbox, _) = inbox();
        assert!(!inbox.stall(2, 2));
        push(&inbox, 2, 1);
        inbox.announce(2);
        assert!(inbox.stall(2, 2) && inbox.stall(1, 2) && !inbox.stall(0, 1));
        assert_eq!(inbox.take(Batch::default()).1, 0b111);
        assert_eq!(inbox.take(Batch::default()).1, 0);
    }
}
