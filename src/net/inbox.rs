//! The way up: what the workers have for one JavaScript thread.
//!
//! Each worker appends records to a lane of its own, of which no other worker touches a byte or a
//! lock. It announces them when it has looked at all sockets that were ready (or when much waits),
//! and the first announcement since JavaScript has seen all wakes it.
//!
//! ```text
//!   worker 0 ── push ──► lane 0: batch, batch … ─┐ announce
//!   worker 1 ── push ──► lane 1: batch …         ├─► announced: one bit a lane ─ 0 → not 0 ─► wake
//!      …                    …                    ┘        ◄── take: a batch of each ── JavaScript
//! ```
//!
//! A lane is cut into batches as it is written, between two records, and JavaScript takes about
//! [`BATCH_LIMIT`] bytes at once: the values of a batch live until the last of them has been looked
//! at, and between two batches timers and all else have their turn. The lanes take turns, too.
//!
//! How much may wait in all, and who has to stop when it does, is told in [`super::budget`].

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::budget::Budget;
use super::clock;
use super::metrics::{Counter, DELAY_BOUNDS, Histogram};
use super::record::{LONGEST_RECORD, Record, RecordBatch};
use super::turns::BLOCKED;
use crate::border::record_sentinel::{BUFFERS_BESIDE, MORE_WAIT, STRINGS_BESIDE};
use crate::id::Handle;

/// Bytes that one client may have waiting before its worker stops reading it: one client
/// can't fill the inbox alone, and a message of the default `maxHttpBufferSize` still fits.
pub const CLIENT_LIMIT: usize = 4 << 20;
/// Bytes that JavaScript takes at once, unless a single record has more.
pub const BATCH_LIMIT: usize = 1 << 20;
/// Bytes that are announced at once, before the worker has looked at all sockets: so much work
/// that JavaScript had better begin.
const ANNOUNCE_FROM: usize = 4 << 10;
/// The same, with the attachments: these JavaScript only copies.
const ANNOUNCE_ATTACHED_FROM: usize = 512 << 10;
/// The bit of no lane: JavaScript is awake, and takes what is announced without being woken.
const AWAKE: u32 = 1 << 31;
/// A buffer larger than this is given back after it is drained.
const KEEP_CAPACITY: usize = BATCH_LIMIT;

/// The queue of one worker. Alone on its cache lines: what one worker does slows no other.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Lane {
    queue: Mutex<Queue>,
    /// Whether records wait that were not announced.
    fresh: AtomicBool,
    /// Bytes of all the records that JavaScript has ever taken.
    taken: AtomicU64,
}

#[derive(Debug, Default)]
struct Queue {
    /// What is taken before all else.
    urgent: RecordBatch,
    /// Batches that are full, the oldest first.
    full: VecDeque<RecordBatch>,
    /// The one that is written to.
    batch: RecordBatch,
    /// Memory for the next one.
    spare: RecordBatch,
    /// Bytes that the budget counts.
    counted: usize,
    /// Bytes that it does not yet.
    uncounted: usize,
    /// What was not announced yet.
    fresh: Fresh,
    /// Bytes of all the records that were ever pushed.
    pushed: u64,
}

/// Records that JavaScript has not heard of.
#[derive(Clone, Copy, Debug, Default)]
struct Fresh {
    /// Their bytes.
    bytes: usize,
    /// Those that are no attachments.
    work: usize,
}

impl Fresh {
    /// Whether JavaScript is to hear of them at once.
    fn is_much(self) -> bool {
        self.work >= ANNOUNCE_FROM || self.bytes >= ANNOUNCE_ATTACHED_FROM
    }
}

impl Queue {
    /// Appends a record; gives its bytes, 0 when it is too long.
    fn push(&mut self, write: impl FnOnce(&mut Record<'_>)) -> usize {
        if self.batch.bytes >= BATCH_LIMIT {
            self.seal();
        }
        let (checkpoint, before) = (self.batch.checkpoint(), self.batch.bytes);
        let Some(attached) = self.batch.push(write) else { return 0 };
        let grown = self.batch.bytes - before;
        if before > 0 && self.batch.bytes > BATCH_LIMIT {
            self.batch.split_off(checkpoint, grown, &mut self.spare);
            self.seal();
        }
        self.uncounted += grown;
        self.fresh.bytes += grown;
        self.fresh.work += grown - attached;
        self.pushed += grown as u64;
        grown
    }

    /// Nothing more is written to the batch; the next one is what is in `spare`.
    fn seal(&mut self) {
        let next = std::mem::take(&mut self.spare);
        let mut full = std::mem::replace(&mut self.batch, next);
        full.seal();
        self.full.push_back(full);
    }

    fn is_empty(&self) -> bool {
        self.batch.is_empty() && self.full.is_empty()
    }

    /// Whether the oldest batch fits to what has been taken already: to its size, and to its text, since
    /// JavaScript has no string for more. To nothing all fits.
    fn fits(&self, batch: &RecordBatch) -> bool {
        let next = self.full.front().unwrap_or(&self.batch);
        (batch.bytes == 0 || batch.bytes + next.bytes <= BATCH_LIMIT)
            && (batch.text.is_empty() || batch.text.len() + next.text.len() <= LONGEST_RECORD)
    }

    /// Moves the oldest batch to `batch`; gives its bytes, and how many of them the budget counts.
    fn take(&mut self, batch: &mut RecordBatch) -> (usize, usize) {
        let before = batch.bytes;
        match self.full.pop_front() {
            Some(full) if batch.is_empty() => self.spare = std::mem::replace(batch, full),
            Some(mut full) => batch.append(&mut full),
            None if batch.is_empty() => std::mem::swap(&mut self.batch, batch),
            None => batch.append(&mut self.batch),
        }
        let taken = batch.bytes - before;
        let counted = taken.min(self.counted);
        self.counted -= counted;
        self.uncounted -= taken - counted;
        // What was not announced goes along: its announcement finds nothing left to tell.
        self.fresh.bytes = self.fresh.bytes.min(self.counted + self.uncounted);
        self.fresh.work = self.fresh.work.min(self.fresh.bytes);
        (taken, counted)
    }
}

impl Lane {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        // A panic while the lock is held leaves no half of a record; going on is better than taking
        // the whole process down.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What has become of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// The bytes that it takes; 0 when it is longer than JavaScript can take, and was left out.
    pub bytes: usize,
    /// Its end in the lane: it has been taken when [`Inbox::taken`] is as far.
    pub end: u64,
}

/// What JavaScript has taken.
#[derive(Debug)]
pub struct Taken {
    /// The records. The text ends in a space when more wait: who takes has to come again.
    pub batch: RecordBatch,
    /// The workers, one bit each, that wait to hear of it.
    pub waiting: u32,
    /// The workers, one bit each, that had something.
    pub lanes: u32,
    /// Milliseconds that it had waited.
    pub delay: u64,
}

/// The queues from all workers to one JavaScript thread.
pub struct Inbox {
    lanes: Box<[Lane]>,
    wake: Box<dyn Fn() + Send + Sync>,
    /// Bit `n` is set while lane `n` has something to be taken. JavaScript is awake while any bit is set, and
    /// [`AWAKE`] is set while it is about to look in any case.
    announced: AtomicU32,
    /// The lane that is looked at first.
    first: AtomicUsize,
    /// Since when records wait, in microseconds; 0: none do, or JavaScript takes them without being woken.
    waits_since: AtomicU64,
    /// Microseconds that records have waited, counted by JavaScript's thread: once for all that it takes at once.
    pub delays: Histogram,
    /// How often they have waited for as long as that of a blocked thread; counted by that.
    pub stalls: Counter,
    /// How much waits.
    pub budget: Arc<Budget>,
}

impl fmt::Debug for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbox").field("budget", &self.budget).finish_non_exhaustive()
    }
}

impl Inbox {
    /// An empty inbox; `wake` is called from a worker when there is something to take.
    pub fn new(wake: impl Fn() + Send + Sync + 'static) -> Self {
        Self {
            lanes: (0..Handle::MAX_WORKERS).map(|_| Lane::default()).collect(),
            wake: Box::new(wake),
            announced: AtomicU32::new(0),
            first: AtomicUsize::new(0),
            waits_since: AtomicU64::new(0),
            delays: Histogram::new(DELAY_BOUNDS),
            stalls: Counter::default(),
            budget: Arc::default(),
        }
    }

    /// Appends one record of `worker`, which announces it later.
    pub fn push(&self, worker: usize, write: impl FnOnce(&mut Record<'_>)) -> Pushed {
        let lane = &self.lanes[worker];
        let mut queue = lane.lock();
        let bytes = queue.push(write);
        let end = queue.pushed;
        if queue.uncounted >= ANNOUNCE_FROM {
            self.count(worker, &mut queue);
        }
        if queue.fresh.is_much() {
            self.announce_queue(worker, queue);
        } else {
            drop(queue);
            lane.fresh.store(true, Ordering::Relaxed);
        }
        Pushed { bytes, end }
    }

    /// Appends a record that has no buffer, and is taken before all that wait: it says that a
    /// connection is to be read or not.
    pub fn push_urgent(&self, worker: usize, write: impl FnOnce(&mut Record<'_>)) {
        let mut queue = self.lanes[worker].lock();
        queue.urgent.push(write);
        self.note(worker, queue);
    }

    /// Has what `worker` pushes next taken later than the record that ends at `end`, and not in one batch with it.
    pub fn part(&self, worker: usize, end: u64) {
        let mut queue = self.lanes[worker].lock();
        let begin = queue.pushed - queue.batch.bytes as u64;
        if end > begin {
            queue.seal();
        }
    }

    /// Whether `worker`, which asks, has something to announce.
    #[inline]
    pub fn has_news(&self, worker: usize) -> bool {
        self.lanes[worker].fresh.load(Ordering::Relaxed)
    }

    /// Lets JavaScript see what `worker` has pushed, and wakes it if nobody has yet. False: JavaScript has taken all
    /// of it already, and does not hear of it again.
    pub fn announce(&self, worker: usize) -> bool {
        self.announce_queue(worker, self.lanes[worker].lock())
    }

    fn announce_queue(&self, worker: usize, mut queue: MutexGuard<'_, Queue>) -> bool {
        let fresh = std::mem::take(&mut queue.fresh);
        self.lanes[worker].fresh.store(false, Ordering::Relaxed);
        if fresh.bytes > 0 {
            self.count(worker, &mut queue);
            self.note(worker, queue);
        }
        fresh.bytes > 0
    }

    /// Has the budget count what it does not yet. Under the lock: who takes the lane subtracts it, and must not be
    /// the first.
    fn count(&self, worker: usize, queue: &mut Queue) {
        let bytes = std::mem::take(&mut queue.uncounted);
        queue.counted += bytes;
        self.budget.add_queued(worker, bytes);
    }

    /// Notes that the lane has something to be taken. That is so exactly while its bit is set,
    /// which changes under its lock.
    fn note(&self, worker: usize, queue: MutexGuard<'_, Queue>) {
        let before = self.announced.fetch_or(1 << worker, Ordering::SeqCst);
        drop(queue);
        if before == 0 {
            self.waits_since.store(clock::now_micros(), Ordering::Relaxed);
            (self.wake)();
        }
    }

    /// JavaScript reads sockets by itself, and looks what there is to take when `read` is done: until then
    /// nobody wakes it. Gives what `read` gives, and whether there is something.
    pub fn while_awake<R>(&self, read: impl FnOnce() -> R) -> (R, bool) {
        /// Whatever happens, JavaScript is woken again afterwards.
        struct Rest<'a>(&'a AtomicU32);

        impl Drop for Rest<'_> {
            fn drop(&mut self) {
                self.0.fetch_and(!AWAKE, Ordering::SeqCst);
            }
        }

        self.announced.fetch_or(AWAKE, Ordering::SeqCst);
        let rest = Rest(&self.announced);
        let result = read();
        drop(rest);
        (result, self.announced.load(Ordering::SeqCst) != 0)
    }

    /// Takes the next records, of each lane at most a batch. `recycled` is an earlier batch, of which
    /// only the memory counts.
    pub fn take(&self, recycled: RecordBatch) -> Taken {
        let mut batch = recycled;
        batch.clear(KEEP_CAPACITY);
        let lanes = self.announced.load(Ordering::SeqCst) & !AWAKE;
        let first = self.first.load(Ordering::Relaxed);
        self.take_urgent(lanes, &mut batch);
        let mut passed_over = None;
        // Those from the first on, then those before it.
        let from_first = lanes & (u32::MAX << first);
        for mut some in [from_first, lanes & !from_first] {
            while some != 0 {
                let lane = some.trailing_zeros() as usize;
                if !self.take_lane(lane, &mut batch) {
                    passed_over.get_or_insert(lane);
                }
                some &= some - 1;
            }
        }
        if let Some(lane) = passed_over {
            self.first.store(lane, Ordering::Relaxed);
        }
        let more = self.announced.load(Ordering::SeqCst) & !AWAKE != 0;
        let delay = self.note_delay(more);
        if !batch.text.is_empty() {
            batch.text.push(']');
            let (strings, buffers) = (!batch.strings.is_empty(), !batch.buffers.is_empty());
            let ends = [(strings, STRINGS_BESIDE), (buffers, BUFFERS_BESIDE), (more, MORE_WAIT)];
            for (_, end) in ends.into_iter().filter(|&(holds, _)| holds) {
                batch.text.push(char::from(end));
            }
        }
        Taken { batch, waiting: self.budget.take_waiting(), lanes, delay }
    }

    /// Notes how long what has been taken had waited; gives that in milliseconds. `more` waits on.
    fn note_delay(&self, more: bool) -> u64 {
        let since = self.waits_since.load(Ordering::Relaxed);
        if since == 0 && !more {
            return 0;
        }
        let now = clock::now_micros();
        self.waits_since.store(if more { now } else { 0 }, Ordering::Relaxed);
        if since == 0 {
            return 0;
        }
        let delay = now.saturating_sub(since);
        self.delays.observe(delay);
        let milliseconds = clock::in_millis(delay);
        if milliseconds >= BLOCKED {
            self.stalls.add(1);
        }
        milliseconds
    }

    /// Microseconds that records have waited so far; 0: none do.
    pub fn age(&self) -> u64 {
        match self.waits_since.load(Ordering::Relaxed) {
            0 => 0,
            since => clock::now_micros().saturating_sub(since),
        }
    }

    fn take_urgent(&self, mut lanes: u32, batch: &mut RecordBatch) {
        while lanes != 0 {
            batch.append(&mut self.lanes[lanes.trailing_zeros() as usize].lock().urgent);
            lanes &= lanes - 1;
        }
        // What is urgent leaves as much room for the rest.
        batch.bytes = 0;
    }

    /// Takes a batch of a lane, if it fits to what has been taken already.
    fn take_lane(&self, worker: usize, batch: &mut RecordBatch) -> bool {
        let lane = &self.lanes[worker];
        let mut queue = lane.lock();
        if !queue.fits(batch) {
            return false;
        }
        let (taken, counted) = queue.take(batch);
        lane.taken.fetch_add(taken as u64, Ordering::SeqCst);
        self.budget.sub_queued(worker, counted);
        if queue.is_empty() && queue.urgent.is_empty() {
            self.announced.fetch_and(!(1 << worker), Ordering::SeqCst);
        }
        true
    }

    /// Bytes of the records that wait now; the last few of a lane may not be counted yet.
    pub fn bytes(&self) -> usize {
        self.budget.queued()
    }

    /// Bytes of the records of `worker` that JavaScript has ever taken: it has seen all that ends
    /// there or before ([`Pushed::end`]).
    #[inline]
    pub fn taken(&self, worker: usize) -> u64 {
        self.lanes[worker].taken.load(Ordering::SeqCst)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::border::RecordKind;
    use crate::net::lone_packet::{LonePacket, Payload};
    use crate::socketio::LongString;

    fn inbox() -> (Inbox, Arc<AtomicU32>) {
        let wakes = Arc::new(AtomicU32::new(0));
        let for_inbox = Arc::clone(&wakes);
        let wake = move || {
            for_inbox.fetch_add(1, Ordering::Relaxed);
        };
        (Inbox::new(wake), wakes)
    }

    fn push(inbox: &Inbox, worker: usize, token: u32) -> Pushed {
        inbox.push(worker, |record| {
            record.kind(RecordKind::BridgeWrite).number(token).buffer(vec![0; token as usize]);
        })
    }

    #[test]
    fn what_waits_is_counted_once_each_time_that_it_is_taken() {
        let (inbox, _) = inbox();
        let count = || inbox.delays.values().counts.iter().sum::<u64>();
        assert_eq!(inbox.take(RecordBatch::default()).delay, 0);
        assert_eq!((inbox.age(), count()), (0, 0));
        push(&inbox, 0, 1);
        push(&inbox, 1, 1);
        inbox.announce(0);
        inbox.announce(1);
        inbox.take(RecordBatch::default());
        assert_eq!((inbox.age(), count(), inbox.stalls.get()), (0, 1, 0));
        // JavaScript looks by itself: nothing has waited for it.
        inbox.while_awake(|| {
            push(&inbox, 0, 1);
            inbox.announce(0)
        });
        inbox.take(RecordBatch::default());
        assert_eq!((inbox.age(), count()), (0, 1));
    }

    fn take(inbox: &Inbox) -> String {
        inbox.take(RecordBatch::default()).batch.text.replace(char::from(BUFFERS_BESIDE), "")
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
        let batch = inbox.take(RecordBatch::default()).batch;
        assert_eq!(batch.text, "[[30,1],[30,2],[30,4]]\n");
        assert_eq!(batch.buffers.iter().map(Vec::len).collect::<Vec<_>>(), [1, 2, 4]);
        assert_eq!(inbox.bytes(), 0);
        assert_eq!(inbox.take(batch).batch.text, "");
        push(&inbox, 0, 1);
        inbox.announce(0);
        assert_eq!(wakes.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn a_batch_that_is_one_packet_is_told_as_that() {
        let (inbox, _) = inbox();
        let packet = |worker: usize, id: Option<&str>, payload: &str| {
            inbox.push(worker, |record| {
                record.plain_packet(RecordKind::Ack, 7, id, payload);
            });
            inbox.announce(worker);
        };
        let mut recycled = RecordBatch::default();
        let mut lone = || {
            let batch = inbox.take(std::mem::take(&mut recycled)).batch;
            let told = batch.lone_packet().map(|LonePacket { kind, handle, id, payload }| {
                let payload = match payload {
                    Payload::Strings(first, second) => format!("{first} {second:?}"),
                    Payload::Json(json) => json.to_owned(),
                };
                (kind, handle, id, payload)
            });
            recycled = batch;
            told
        };
        let kind = RecordKind::Ack as u32;
        assert_eq!(lone(), None, "nothing");
        packet(3, Some("12"), "[{}]");
        assert_eq!(lone(), Some((kind, 7, 12, "[{}]".to_owned())));
        packet(0, None, r#"["]]"]"#);
        assert_eq!(lone(), Some((kind, 7, -1, "]] None".to_owned())));
        packet(0, Some("99999999999"), "[]");
        assert_eq!(lone(), None, "an id that is no number of theirs");
        packet(0, None, "[1]");
        packet(0, None, "[2]");
        assert_eq!(lone(), None, "two");
        packet(0, None, "[1]");
        packet(1, None, "[2]");
        assert_eq!(lone(), None, "two of two lanes");
        push(&inbox, 0, 1);
        packet(0, None, "[1]");
        assert_eq!(lone(), None, "another record before it");
        packet(0, None, "[1]");
        push(&inbox, 0, 1);
        inbox.announce(0);
        assert_eq!(lone(), None, "another record behind it");
        packet(0, None, "[1]");
        inbox.push_urgent(1, |record| {
            record.kind(RecordKind::BridgePause).number(9);
        });
        assert_eq!(lone(), None, "something urgent");
        packet(0, None, "[1]");
        inbox.part(0, 1 << 20);
        packet(0, None, "[2]");
        assert_eq!(lone(), None, "more waits, of which JavaScript has to hear");
        assert_eq!(lone(), Some((kind, 7, -1, "[2]".to_owned())));
        let overlong = format!("[{}]", " ".repeat(LONGEST_RECORD));
        packet(0, None, &overlong);
        assert_eq!(lone(), None, "it was left out");
        packet(0, None, "[1]");
        packet(0, None, &overlong);
        assert_eq!(lone(), Some((kind, 7, -1, "[1]".to_owned())), "that left nothing behind");
        // What does not fit to the others begins a batch of its own.
        push(&inbox, 0, u32::try_from(BATCH_LIMIT).unwrap() - 20);
        packet(0, None, "[1]");
        packet(0, None, "[2]");
        assert_eq!((lone(), lone()), (None, None));
        assert_eq!(lone(), None);
    }

    #[test]
    fn much_is_announced_at_once() {
        let (inbox, wakes) = inbox();
        let text = "x".repeat(ANNOUNCE_FROM);
        inbox.push(1, |record| {
            record.kind(RecordKind::Control).string(&text);
        });
        assert_eq!(wakes.load(Ordering::Relaxed), 1);
        assert!(inbox.bytes() > ANNOUNCE_FROM);
        push(&inbox, 1, 1);
        // It leaves with the rest; nothing is left to be announced, and nobody is woken for nothing.
        assert!(take(&inbox).ends_with(",[30,1]]"));
        assert!(inbox.has_news(1), "as far as its worker knows");
        assert!(!inbox.announce(1), "and that has to know");
        assert_eq!((wakes.load(Ordering::Relaxed), inbox.bytes()), (1, 0));
    }

    #[test]
    fn attachments_are_counted_at_once_and_announced_when_they_are_many() {
        const PIECE: usize = 64 << 10;
        let (inbox, wakes) = inbox();
        let piece = u32::try_from(PIECE).unwrap();
        for n in 1..ANNOUNCE_ATTACHED_FROM / PIECE {
            push(&inbox, 1, piece);
            assert!(inbox.bytes() > n * PIECE && inbox.has_news(1));
            assert_eq!(wakes.load(Ordering::Relaxed), 0);
        }
        push(&inbox, 1, piece);
        assert!(wakes.load(Ordering::Relaxed) == 1 && !inbox.has_news(1));

        // Some that nobody has heard of leave with the others, and what comes then is announced again.
        push(&inbox, 1, piece);
        take(&inbox);
        assert!(inbox.bytes() == 0 && !inbox.announce(1));
        push(&inbox, 1, piece);
        assert!(inbox.announce(1));
        assert_eq!(wakes.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn javascript_takes_a_bounded_batch_of_each_lane_in_turn() {
        let (inbox, wakes) = inbox();
        let large = u32::try_from(BATCH_LIMIT * 6 / 10).unwrap();
        for token in [1, large, large + 1, 3 * large, 2] {
            push(&inbox, 0, token);
        }
        push(&inbox, 5, 7);
        inbox.announce(0);
        inbox.announce(5);
        // A record that is too large goes alone, what fits goes together, and the others go on.
        assert_eq!(take(&inbox), format!("[[30,1],[30,{large}],[30,7]] "));
        assert_eq!(take(&inbox), format!("[[30,{}]] ", large + 1));
        push(&inbox, 5, 8);
        inbox.announce(5);
        assert_eq!(take(&inbox), format!("[[30,{}]] ", 3 * large));
        // The lane that was passed over is the first now.
        assert_eq!(take(&inbox), "[[30,8],[30,2]]");
        assert_eq!((take(&inbox).as_str(), inbox.bytes()), ("", 0));
        assert_eq!(wakes.load(Ordering::Relaxed), 1, "who is told that more waits is not woken");
    }

    #[test]
    fn full_batches_are_written_into_memory_that_javascript_has_given_back() {
        let (inbox, _) = inbox();
        let mut batch = RecordBatch::default();
        for round in 0..5 {
            for _ in 0..BATCH_LIMIT * 3 / 2 / 4096 {
                inbox.push(0, |record| {
                    let string = LongString::Latin1(vec![b'x'; 4096].into());
                    record.kind(RecordKind::Event).number(0).side_string(string);
                });
            }
            inbox.announce(0);
            let given = batch.strings.capacity();
            batch = inbox.take(batch).batch;
            assert_eq!(inbox.lanes[0].lock().spare.strings.capacity(), given);
            let full = batch.strings.drain().count();
            batch = inbox.take(batch).batch;
            assert_eq!(full + batch.strings.drain().count(), BATCH_LIMIT * 3 / 2 / 4096);
            assert!(round == 0 || given > BATCH_LIMIT / 2);
        }
    }

    #[test]
    fn what_is_parted_is_taken_one_after_the_other() {
        let (inbox, wakes) = inbox();
        let first = push(&inbox, 0, 1);
        inbox.part(0, first.end); // it is not announced yet
        inbox.part(0, first.end); // once is enough
        let second = push(&inbox, 0, 2);
        push(&inbox, 1, 3);
        inbox.announce(0);
        inbox.announce(1);
        inbox.part(0, first.end);
        push(&inbox, 0, 5);
        inbox.announce(0);
        assert_eq!(take(&inbox), "[[30,1],[30,3]] ");
        assert!(inbox.taken(0) >= first.end && inbox.taken(0) < second.end);
        assert_eq!(take(&inbox), "[[30,2],[30,5]]");
        inbox.part(0, second.end); // it has been taken
        push(&inbox, 0, 4);
        inbox.announce(0);
        assert_eq!(take(&inbox), "[[30,4]]");
        assert_eq!((wakes.load(Ordering::Relaxed), inbox.bytes()), (2, 0));
    }

    #[test]
    fn what_is_urgent_comes_first() {
        let (inbox, wakes) = inbox();
        push(&inbox, 2, 1);
        inbox.announce(2);
        inbox.push_urgent(3, |record| {
            record.kind(RecordKind::BridgePause).number(9);
        });
        assert_eq!(take(&inbox), "[[32,9],[30,1]]");
        inbox.push_urgent(3, |record| {
            record.kind(RecordKind::BridgeResume).number(9);
        });
        assert_eq!((take(&inbox).as_str(), take(&inbox).as_str()), ("[[33,9]]", ""));
        assert_eq!(wakes.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn who_waits_hears_of_the_next_take_and_knows_how_far_it_went() {
        let (inbox, _) = inbox();
        let pushed = push(&inbox, 2, 1);
        assert!(inbox.taken(2) < pushed.end);
        inbox.announce(2);
        inbox.budget.wait(4);
        assert_eq!(inbox.take(RecordBatch::default()).waiting, 1 << 4);
        assert_eq!(inbox.taken(2), pushed.end);
        assert_eq!(inbox.take(RecordBatch::default()).waiting, 0);
    }

    #[test]
    fn what_is_urgent_makes_no_text_longer_than_a_string() {
        let (inbox, _) = inbox();
        let longest = "x".repeat(LONGEST_RECORD - "[[30,\"\"]".len());
        let pushed = inbox.push(0, |record| {
            record.kind(RecordKind::BridgeWrite).string(&longest);
        });
        assert_eq!(pushed.bytes, LONGEST_RECORD);
        inbox.announce(0);
        for token in 0..5 {
            inbox.push_urgent(1, |record| {
                record.kind(RecordKind::BridgePause).number(token);
            });
        }
        assert_eq!(take(&inbox), "[[32,0],[32,1],[32,2],[32,3],[32,4]] ");
        assert_eq!(take(&inbox).len(), LONGEST_RECORD + 1);
        assert_eq!((take(&inbox).as_str(), inbox.bytes()), ("", 0));
    }

    #[test]
    fn a_record_that_panics_or_is_too_long_leaves_nothing() {
        let (inbox, _) = inbox();
        push(&inbox, 0, 1);
        let writing = || {
            inbox.push(0, |record| {
                record.kind(RecordKind::BridgeWrite).buffer(vec![1]);
                panic!("in the middle");
            })
        };
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(writing)).unwrap_err();
        let control = "\u{1}".repeat(200_000); // six characters each
        let overlong = inbox.push(0, |record| {
            record.kind(RecordKind::Control).string(&control).buffer(vec![2]);
        });
        assert_eq!(overlong.bytes, 0);
        push(&inbox, 0, 2);
        inbox.announce(0);
        let batch = inbox.take(RecordBatch::default()).batch;
        assert_eq!(batch.text, "[[30,1],[30,2]]\n");
        assert_eq!(batch.buffers.iter().map(Vec::len).collect::<Vec<_>>(), [1, 2]);
    }
}
