//! What is counted while connections are served, for who looks at a running server.
//!
//! ```text
//!   who has the worker's lock ── adds ──► cells of that worker ◄── reads, now and then ── JavaScript
//! ```
//!
//! A cell has one writer at a time: whoever has the lock of its worker. So nothing is locked to count, and an addition is
//! a load and a store of what that thread has at hand. A reader may see some cells later than others.

use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::id::Handle;
use crate::socketio::PacketType;

/// A number that one thread at a time adds to, and any may read.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds to it.
    #[inline]
    pub fn add(&self, count: u64) {
        // Nobody else writes meanwhile: an atomic addition would lock the cache line for nothing.
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(count), Ordering::Relaxed);
    }

    /// What has been added so far.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// How many values were how large.
#[derive(Debug)]
pub struct Histogram {
    /// The largest value of each bucket but the last, which has all that are larger.
    bounds: &'static [u64],
    counts: Box<[Counter]>,
    sum: Counter,
}

impl Histogram {
    /// An empty one with these bounds, which ascend.
    pub fn new(bounds: &'static [u64]) -> Self {
        let counts = (0..=bounds.len()).map(|_| Counter::default()).collect();
        Self { bounds, counts, sum: Counter::default() }
    }

    /// Adds a value. As for a [`Counter`], one thread at a time does so.
    pub fn observe(&self, value: u64) {
        self.counts[self.bounds.partition_point(|&bound| bound < value)].add(1);
        self.sum.add(value);
    }

    /// What has been added so far.
    pub fn values(&self) -> Values {
        let counts = self.counts.iter().map(Counter::get).collect();
        Values { bounds: self.bounds, counts, sum: self.sum.get() }
    }
}

/// What a [`Histogram`] had when it was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Values {
    /// The largest value of each bucket but the last.
    pub bounds: &'static [u64],
    /// How many values each bucket has.
    pub counts: Vec<u64>,
    /// All values together.
    pub sum: u64,
}

impl Values {
    /// Adds those of another one with the same bounds.
    fn merge(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        self.sum += other.sum;
    }
}

/// Milliseconds between a ping and its pong.
const ROUND_TRIP_BOUNDS: &[u64] =
    &[1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 20_000];
/// Microseconds that a record waits for JavaScript.
pub const DELAY_BOUNDS: &[u64] = &[
    100, 250, 500, 1000, 2500, 5000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
    2_500_000, 5_000_000, 10_000_000,
];
/// Clients that get a broadcast.
pub const AUDIENCE_BOUNDS: &[u64] = &[0, 1, 2, 5, 10, 50, 100, 500, 1000, 5000, 10_000, 50_000];

/// Kinds of packets that are told apart: the types of Socket.IO, one with attachments as the same without, and all else.
pub const KINDS: [&str; 6] = ["connect", "disconnect", "event", "ack", "connect_error", "other"];
/// What is no packet of Socket.IO, or one that only JavaScript can read.
const OTHER: usize = KINDS.len() - 1;

/// The place among [`KINDS`] of a packet of this type.
fn kind_of(packet: PacketType) -> usize {
    usize::from(packet.without_attachments() as u8).min(OTHER)
}

/// The place among [`KINDS`] of a packet that JavaScript has encoded.
fn kind_of_text(text: &[u8]) -> usize {
    match text.first() {
        Some(digit @ b'0'..=b'4') => usize::from(digit - b'0'),
        Some(b'5') => PacketType::Event as usize,
        Some(b'6') => PacketType::Ack as usize,
        Some(_) | None => OTHER,
    }
}

/// What has come or gone.
#[derive(Debug, Default)]
pub struct Traffic {
    packets: [Counter; KINDS.len()],
    attachments: Counter,
    bytes: Counter,
}

impl Traffic {
    /// A packet of Socket.IO, with so many attachments.
    pub fn count_packet(&self, packet: PacketType, attachments: usize) {
        self.packets[kind_of(packet)].add(1);
        if attachments > 0 {
            self.attachments.add(attachments as u64);
        }
    }

    /// A message that only JavaScript can read.
    pub fn count_other(&self) {
        self.packets[OTHER].add(1);
    }

    /// Bytes of messages.
    #[inline]
    pub fn count_bytes(&self, bytes: usize) {
        self.bytes.add(bytes as u64);
    }

    /// Messages that have been looked at.
    #[inline]
    pub fn count(&self, parcel: Parcel) {
        self.packets[parcel.kind].add(parcel.packets as u64);
        if parcel.attachments > 0 {
            self.attachments.add(parcel.attachments as u64);
        }
        self.count_bytes(parcel.bytes);
    }
}

/// A packet on its way out, as it is counted.
#[derive(Clone, Copy, Debug)]
pub struct Parcel {
    kind: usize,
    packets: usize,
    attachments: usize,
    bytes: usize,
}

impl Parcel {
    /// A packet without attachments.
    #[inline]
    pub fn of_text(text: &[u8]) -> Self {
        Self { kind: kind_of_text(text), packets: 1, attachments: 0, bytes: text.len() }
    }

    /// A message that stands for itself.
    pub fn of_message(data: &[u8], binary: bool) -> Self {
        Self::of(std::iter::once((data, !binary)))
    }

    /// Packets and attachments that belong together: all packets count as what the first is. Each is told with whether it is a text.
    pub fn of<'a>(messages: impl Iterator<Item = (&'a [u8], bool)>) -> Self {
        let mut parcel = Self { kind: OTHER, packets: 0, attachments: 0, bytes: 0 };
        for (data, is_text) in messages {
            if !is_text {
                parcel.attachments += 1;
            } else if parcel.packets == 0 && parcel.attachments == 0 {
                parcel = Self::of_text(data);
                continue;
            } else {
                parcel.packets += 1;
            }
            parcel.bytes += data.len();
        }
        parcel
    }

    /// The same, if messages are the program's own: their first byte says nothing, and each stands for itself.
    #[inline]
    #[must_use]
    pub fn unread(self, is_unread: bool) -> Self {
        let Self { packets, attachments, bytes, .. } = self;
        if is_unread {
            Self { kind: OTHER, packets: packets + attachments, attachments: 0, bytes }
        } else {
            self
        }
    }
}

/// What a worker counts of a server. Alone on its cache lines: what one worker does slows no other.
#[derive(Debug)]
#[repr(align(128))]
pub struct ServerLane {
    /// What has come from clients.
    pub received: Traffic,
    /// What has gone to clients.
    pub sent: Traffic,
    /// Volatile packets that were dropped.
    pub volatile_dropped: Counter,
    /// Clients that were late, and were not given up because JavaScript was blocked.
    pub spared: Counter,
    /// Milliseconds between pings and their pongs.
    pub round_trips: Histogram,
}

impl Default for ServerLane {
    fn default() -> Self {
        Self {
            received: Traffic::default(),
            sent: Traffic::default(),
            volatile_dropped: Counter::default(),
            spared: Counter::default(),
            round_trips: Histogram::new(ROUND_TRIP_BOUNDS),
        }
    }
}

/// What the workers count of a server.
#[derive(Debug)]
pub struct ServerMetrics(Box<[ServerLane]>);

impl Default for ServerMetrics {
    fn default() -> Self {
        Self((0..Handle::MAX_WORKERS).map(|_| ServerLane::default()).collect())
    }
}

impl ServerMetrics {
    /// Those of a worker, which alone writes them.
    #[inline]
    pub fn lane(&self, worker: usize) -> &ServerLane {
        &self.0[worker % Handle::MAX_WORKERS]
    }

    /// A number, over all workers.
    pub fn sum(&self, of: impl Fn(&ServerLane) -> &Counter) -> u64 {
        self.0.iter().map(|lane| of(lane).get()).sum()
    }

    /// What has come or gone, over all workers: packets by their kind, attachments, bytes.
    pub fn traffic(&self, of: impl Fn(&ServerLane) -> &Traffic) -> ([u64; KINDS.len()], u64, u64) {
        let packets = std::array::from_fn(|kind| self.sum(|lane| &of(lane).packets[kind]));
        (packets, self.sum(|lane| &of(lane).attachments), self.sum(|lane| &of(lane).bytes))
    }

    /// Milliseconds between pings and their pongs, over all workers.
    pub fn round_trips(&self) -> Values {
        let mut values = self.0[0].round_trips.values();
        for lane in &self.0[1..] {
            values.merge(&lane.round_trips.values());
        }
        values
    }
}

/// What a worker counts of itself.
#[derive(Debug, Default)]
pub struct WorkerMetrics {
    /// Bytes that its sockets have given.
    pub read: Counter,
    /// Bytes that they have taken.
    pub written: Counter,
    /// Bytes that it was to compress.
    pub deflated: Counter,
    /// What that made.
    pub deflated_to: Counter,
    /// Bytes of compressed messages that have come.
    pub inflated: Counter,
    /// What they were.
    pub inflated_to: Counter,
    /// Where the system tells of its thread.
    thread: OnceLock<PathBuf>,
}

impl WorkerMetrics {
    /// Notes that this thread is that of the worker.
    pub fn set_thread(&self) {
        if let Ok(task) = fs::read_link("/proc/thread-self") {
            let _already = self.thread.set(PathBuf::from("/proc").join(task).join("schedstat"));
        }
    }

    /// Nanoseconds that its thread has had a processor. None: this system does not tell.
    pub fn cpu_time(&self) -> Option<u64> {
        let text = fs::read_to_string(self.thread.get()?).ok()?;
        text.split_ascii_whitespace().next()?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_in_the_first_bucket_that_takes_it() {
        let histogram = Histogram::new(&[1, 10]);
        for value in [0, 1, 2, 10, 11, 1000] {
            histogram.observe(value);
        }
        assert_eq!(histogram.values().counts, [2, 2, 2]);
        assert_eq!(histogram.values().sum, 1024);
    }

    #[test]
    fn a_packet_is_counted_once_whatever_it_is_made_of() {
        let metrics = ServerMetrics::default();
        let attached: [(&[u8], bool); 2] = [(b"51-[]", true), (&[1, 2], false)];
        metrics.lane(0).sent.count(Parcel::of(attached.into_iter()));
        metrics.lane(1).sent.count(Parcel::of_text(b"3[]"));
        metrics.lane(1).sent.count(Parcel::of_text(b"2 is what it says").unread(true));
        metrics.lane(1).sent.count(Parcel::of_text(b""));
        assert_eq!(metrics.traffic(|lane| &lane.sent), ([0, 0, 1, 1, 0, 2], 1, 27));
    }

    #[test]
    fn the_round_trips_of_all_workers_are_added() {
        let metrics = ServerMetrics::default();
        metrics.lane(0).round_trips.observe(3);
        metrics.lane(15).round_trips.observe(100_000);
        let values = metrics.round_trips();
        assert_eq!((values.counts.iter().sum::<u64>(), values.sum), (2, 100_003));
        assert_eq!(values.counts.last(), Some(&1));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_time_of_a_thread_is_told() {
        let metrics = WorkerMetrics::default();
        assert_eq!(metrics.cpu_time(), None);
        metrics.set_thread();
        if fs::metadata("/proc/thread-self/schedstat").is_ok() {
            assert!(metrics.cpu_time().is_some());
        }
    }
}
