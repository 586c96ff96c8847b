//! How much may wait for one JavaScript thread, whichever way it has come in: one count, one bound.
//!
//! ```text
//!   WebSockets, streams that JavaScript pumps ──► parts of messages, attachments ─┐
//!   kept connections ───────────────────────────► heads, bodies, what stands      ├─► held ──┐
//!                                                 behind a request                │          ├─► spent?
//!   requests that Node.js reads ────────────────► bodies, read and in mailboxes ──┘          │  then nobody
//!   records that JavaScript has not taken (`inbox.rs`) ──────────────────────────► queued ───┘  reads on
//! ```
//!
//! Who is about to read asks [`Budget::has_room`]. When there is none it stops reading, so that TCP
//! pushes back on the sender, and hears of the next time JavaScript takes something: nothing is
//! dropped.
//!
//! What is only *held* stops nobody while JavaScript keeps up: a part of a message gives its bytes
//! back when the rest of it is read, so a few clients that never send the rest would stop all
//! others for ever.
//!
//! Each worker may have [`RESERVED`] bytes whatever the others have: their clients can't starve its
//! own.

use std::cell::{Cell, Ref, RefCell};
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};

use super::clock;
use crate::id::Handle;

/// Bytes that may wait for JavaScript, over all connections, before nothing more is read.
pub const INBOX_LIMIT: usize = 64 << 20;
/// Bytes of it that each worker has for itself.
pub const RESERVED: usize = 1 << 20;
/// What all of them share.
const SHARED: usize = INBOX_LIMIT - LANES * RESERVED;
/// JavaScript is behind when more than this waits, which is about what it takes at once: only then
/// does anybody stop.
pub const BEHIND: usize = 1 << 20;
/// Who has stopped reading goes on when so much less than the limit waits: not all of them need to
/// be woken for each message that is taken.
const RELIEF: usize = 8 << 20;
/// Workers, and one for the JavaScript thread itself.
const LANES: usize = Handle::MAX_WORKERS + 1;

/// The lane of what the JavaScript thread reads itself.
pub const OWN_LANE: usize = Handle::MAX_WORKERS;

/// What one worker has. Alone on its cache lines: what one worker does slows no other.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Lane {
    queued: AtomicUsize,
    held: AtomicUsize,
}

/// What waits for one JavaScript thread, in bytes.
pub struct Budget {
    queued: AtomicUsize,
    held: AtomicUsize,
    lanes: Box<[Lane]>,
    /// Bit `n` is set while worker `n` waits to hear that JavaScript has taken something.
    waiting: AtomicU32,
    /// Connections that are not read ([`Budget::stop`]), and when the last of them was read again; 0:
    /// there was none.
    stops: AtomicUsize,
    stopped_at: AtomicU64,
}

impl fmt::Debug for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Budget")
            .field("queued", &self.queued)
            .field("held", &self.held)
            .finish_non_exhaustive()
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            queued: AtomicUsize::new(0),
            held: AtomicUsize::new(0),
            lanes: (0..LANES).map(|_| Lane::default()).collect(),
            waiting: AtomicU32::new(0),
            stops: AtomicUsize::new(0),
            stopped_at: AtomicU64::new(0),
        }
    }
}

impl Budget {
    /// Whether `lane` may read on.
    #[inline]
    pub fn has_room(&self, lane: usize) -> bool {
        self.queued() <= BEHIND || self.bytes() < SHARED || self.of_lane(lane) < RESERVED
    }

    /// Whether so little waits that any number of messages may be begun.
    pub fn has_plenty(&self, lane: usize) -> bool {
        self.bytes() < SHARED - RELIEF || self.of_lane(lane) < RESERVED
    }

    /// Whether JavaScript is behind, and so much waits for it that workers stop reading, or soon will: a lane with nothing
    /// of its own may read even then.
    pub fn is_scarce(&self) -> bool {
        self.queued() > BEHIND && self.bytes() >= SHARED - RELIEF
    }

    /// Whether `lane`, which had to stop, may go on.
    pub fn has_relief(&self, lane: usize) -> bool {
        self.queued() <= BEHIND || self.bytes() < SHARED - RELIEF || self.of_lane(lane) < RESERVED
    }

    /// Notes that `worker` wants to hear of the next time that JavaScript takes something. Whoever
    /// notes this looks again afterwards whether there is anything to wait for: what was taken before
    /// is not told.
    pub fn wait(&self, worker: usize) {
        self.waiting.fetch_or(1 << worker, Ordering::SeqCst);
    }

    /// Whether `worker` has to wait until there is room. If so, it will hear when JavaScript has taken
    /// something.
    pub fn must_wait(&self, worker: usize, has_room: impl Fn() -> bool) -> bool {
        if has_room() {
            return false;
        }
        // Noted first: what is taken before this looks again is seen here.
        self.wait(worker);
        !has_room()
    }

    /// Takes the workers, one bit each, that want to hear of it.
    pub(super) fn take_waiting(&self) -> u32 {
        if self.waiting.load(Ordering::SeqCst) == 0 {
            return 0;
        }
        self.waiting.swap(0, Ordering::SeqCst)
    }

    /// A connection that requests come by is not read while what this gives lives. Nobody knows which session
    /// its next request is for, so a session that misses one may not be timed out meanwhile.
    pub fn stop(self: &Arc<Self>) -> Stop {
        self.stops.fetch_add(1, Ordering::SeqCst);
        Stop(Arc::clone(self))
    }

    /// Whether there was such a connection within the last `milliseconds`.
    pub fn has_stopped(&self, now: u64, milliseconds: u64) -> bool {
        let stopped_at = self.stopped_at.load(Ordering::Relaxed);
        self.stops.load(Ordering::SeqCst) > 0
            || stopped_at > 0 && stopped_at.saturating_add(milliseconds) >= now
    }

    /// Records of a worker have been announced to JavaScript.
    pub(super) fn add_queued(&self, lane: usize, bytes: usize) {
        self.lanes[lane].queued.fetch_add(bytes, Ordering::SeqCst);
        self.queued.fetch_add(bytes, Ordering::SeqCst);
    }

    /// JavaScript has taken them.
    pub(super) fn sub_queued(&self, lane: usize, bytes: usize) {
        self.lanes[lane].queued.fetch_sub(bytes, Ordering::SeqCst);
        self.queued.fetch_sub(bytes, Ordering::SeqCst);
    }

    /// Bytes of records that wait for JavaScript.
    pub fn queued(&self) -> usize {
        self.queued.load(Ordering::SeqCst)
    }

    /// Bytes that have been read and are no record yet.
    pub fn held(&self) -> usize {
        self.held.load(Ordering::SeqCst)
    }

    /// Both.
    pub fn bytes(&self) -> usize {
        self.queued() + self.held()
    }

    /// Both, of one lane.
    pub fn of_lane(&self, lane: usize) -> usize {
        let lane = &self.lanes[lane];
        lane.queued.load(Ordering::SeqCst) + lane.held.load(Ordering::SeqCst)
    }
}

/// A connection that is not read; see [`Budget::stop`].
pub struct Stop(Arc<Budget>);

impl fmt::Debug for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stop")
    }
}

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.stopped_at.fetch_max(clock::now(), Ordering::Relaxed);
        self.0.stops.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Bytes that somebody holds: counted for as long as this lives.
pub struct Held {
    budget: Arc<Budget>,
    /// Each connection has one of these: 4 GiB are enough.
    bytes: Cell<u32>,
    lane: u8,
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Held").field(&self.bytes).finish()
    }
}

impl Held {
    /// Nothing yet.
    pub fn new(budget: &Arc<Budget>, lane: usize) -> Self {
        let lane = u8::try_from(lane.min(OWN_LANE)).unwrap_or_default();
        Self { budget: Arc::clone(budget), lane, bytes: Cell::new(0) }
    }

    /// So many bytes.
    pub fn of(budget: &Arc<Budget>, lane: usize, bytes: usize) -> Self {
        let held = Self::new(budget, lane);
        held.set(bytes);
        held
    }

    /// How many there are now.
    #[inline]
    pub fn set(&self, bytes: usize) {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let before = self.bytes.replace(bytes);
        if bytes != before {
            self.note(before as usize, bytes as usize);
        }
    }

    fn note(&self, before: usize, bytes: usize) {
        let (all, lane) = (&self.budget.held, &self.budget.lanes[usize::from(self.lane)].held);
        if bytes > before {
            lane.fetch_add(bytes - before, Ordering::SeqCst);
            all.fetch_add(bytes - before, Ordering::SeqCst);
        } else {
            lane.fetch_sub(before - bytes, Ordering::SeqCst);
            all.fetch_sub(before - bytes, Ordering::SeqCst);
        }
    }

    /// As it was told last.
    pub fn bytes(&self) -> usize {
        self.bytes.get() as usize
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.set(0);
    }
}

/// Bytes on their way to whoever decodes them, counted until then.
#[derive(Debug)]
pub struct HeldBytes {
    bytes: Vec<u8>,
    /// What stands before those that count for something.
    skipped: usize,
    _held: Held,
}

impl HeldBytes {
    /// Bytes that count for `lane`.
    pub fn new(budget: &Arc<Budget>, lane: usize, bytes: Vec<u8>) -> Self {
        Self::behind(budget, lane, bytes, 0)
    }

    /// The same, without the first ones.
    pub fn behind(budget: &Arc<Budget>, lane: usize, bytes: Vec<u8>, skipped: usize) -> Self {
        let held = Held::of(budget, lane, bytes.len());
        Self { skipped: skipped.min(bytes.len()), bytes, _held: held }
    }
}

impl Deref for HeldBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[self.skipped..]
    }
}

impl DerefMut for HeldBytes {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[self.skipped..]
    }
}

/// A buffer that is counted as it grows.
#[derive(Debug)]
pub struct HeldBuffer {
    bytes: RefCell<Vec<u8>>,
    held: Held,
}

impl HeldBuffer {
    /// An empty one, which counts for `lane`.
    pub fn new(budget: &Arc<Budget>, lane: usize) -> Self {
        Self { bytes: RefCell::default(), held: Held::new(budget, lane) }
    }

    /// Its bytes.
    pub fn borrow(&self) -> Ref<'_, Vec<u8>> {
        self.bytes.borrow()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.bytes.borrow().len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes all of them.
    pub fn take(&self) -> Vec<u8> {
        self.held.set(0);
        self.bytes.take()
    }

    /// Puts these in their place.
    pub fn put(&self, bytes: &[u8]) {
        self.bytes.replace(bytes.to_vec());
        self.held.set(bytes.len());
    }

    /// Appends some.
    pub fn extend(&self, more: &[u8]) {
        self.extend_towards(more, usize::MAX);
    }

    /// The same, of `total` that are expected. It grows to twice what has come, but not beyond that.
    pub fn extend_towards(&self, more: &[u8], total: usize) {
        let mut bytes = self.bytes.borrow_mut();
        let needed = bytes.len() + more.len();
        if needed > bytes.capacity() {
            let capacity = needed.saturating_mul(2).min(total.max(needed));
            let missing = capacity - bytes.len();
            bytes.reserve_exact(missing);
        }
        bytes.extend_from_slice(more);
        self.held.set(needed);
    }

    /// Drops the first ones, or all.
    pub fn drop_front(&self, count: usize) {
        let mut bytes = self.bytes.borrow_mut();
        if count >= bytes.len() {
            *bytes = Vec::new();
        } else if count > 0 {
            bytes.drain(..count);
            bytes.shrink_to_fit();
        }
        self.held.set(bytes.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_stops_somebody_only_while_javascript_is_behind() {
        let budget = Arc::new(Budget::default());
        let held = Held::of(&budget, 1, INBOX_LIMIT);
        assert!(budget.has_room(1) && budget.has_relief(1));
        budget.add_queued(1, BEHIND + 1);
        assert!(!budget.has_room(1) && !budget.has_relief(1));
        // The worker that has nothing of it reads on.
        assert!(budget.has_room(0));
        held.set(0);
        assert!(budget.has_room(1));
        assert_eq!(budget.bytes(), BEHIND + 1);
    }

    #[test]
    fn room_is_scarce_also_for_who_has_none_of_what_waits() {
        let budget = Arc::new(Budget::default());
        let held = Held::of(&budget, 1, SHARED);
        assert!(!budget.is_scarce()); // JavaScript keeps up
        budget.add_queued(1, BEHIND + 1);
        assert!(budget.is_scarce() && budget.has_plenty(OWN_LANE));
        held.set(0);
        assert!(!budget.is_scarce());
    }

    #[test]
    fn what_is_dropped_is_not_counted_any_more() {
        let budget = Arc::new(Budget::default());
        let bytes = HeldBytes::new(&budget, OWN_LANE, vec![0; 5]);
        assert_eq!((budget.held(), budget.of_lane(OWN_LANE)), (5, 5));
        drop(bytes);
        assert_eq!((budget.held(), budget.of_lane(OWN_LANE)), (0, 0));
    }
}
