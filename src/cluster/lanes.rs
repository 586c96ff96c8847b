//! What goes to several places at once: to each, one batch is on its way, and the next gathers meanwhile. So a place that is away, or
//! hangs, holds up what goes there, and nothing else.
//!
//! ```text
//!            its place is free          done
//!   waiting ──────────────────► sent ────────► out
//!      ▲                         │ not taken
//!      └──── later each time ────┘
//! ```
//!
//! What has one key is sent in order, and where it goes is looked up when it is sent: it may have moved. Of a key, something is on
//! its way to one place at a time.
//!
//! It opens no socket and reads no clock.

use std::collections::{BTreeMap, VecDeque};
use std::hash::Hash;

use rustc_hash::{FxHashMap, FxHashSet};

/// How long what has not been taken waits after the second time, in ms; after the first one it is tried again at once, as it may be
/// known by then who takes it.
const SOON: u64 = 100;
/// How long at most, in ms.
const LATE: u64 = 2_000;

/// What can be sent.
pub(super) trait Item {
    /// What is sent in order has the same.
    type Key: Copy + Eq + Hash;
    /// Which.
    fn key(&self) -> Self::Key;
    /// What it takes in memory, about.
    fn weight(&self) -> usize;
    /// Of those that are about the same, only the last one counts. None: it counts in any case.
    fn subject(&self) -> Option<impl Eq + Hash> {
        None::<()>
    }
}

/// How much is sent at once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Batch {
    /// So many.
    pub(super) items: usize,
    /// Bytes, about.
    pub(super) bytes: usize,
}

/// All that goes by a link.
#[derive(Debug)]
pub(super) struct Lanes<T: Item, P> {
    most: Batch,
    /// None is empty, but while something of it is on its way.
    queues: FxHashMap<T::Key, Queue<T>>,
    /// Keys whose place is to be looked up.
    open: VecDeque<T::Key>,
    /// What is on its way to each place.
    flights: FxHashMap<P, Flight<T>>,
    /// Keys that wait for a time.
    later: BTreeMap<u64, Vec<T::Key>>,
    /// How many keys have not been taken when they were tried again.
    stalled: usize,
}

#[derive(Debug)]
struct Queue<T> {
    waiting: VecDeque<T>,
    /// How often it has not been taken, one time after the other.
    tries: u32,
    /// Whether it waits for a time.
    is_late: bool,
}

#[derive(Debug)]
struct Flight<T: Item> {
    since: u64,
    bytes: usize,
    sent: Vec<T>,
    /// Whose place it is, too.
    behind: Vec<T::Key>,
}

impl<T: Item, P: Clone + Eq + Hash> Lanes<T, P> {
    /// With nothing in them.
    pub(super) fn new(most: Batch) -> Self {
        Self {
            most,
            queues: FxHashMap::default(),
            open: VecDeque::new(),
            flights: FxHashMap::default(),
            later: BTreeMap::new(),
            stalled: 0,
        }
    }

    /// Something is to be sent.
    pub(super) fn push(&mut self, item: T) {
        let key = item.key();
        let queue = self.queues.entry(key).or_insert_with(|| {
            self.open.push_back(key);
            Queue { waiting: VecDeque::new(), tries: 0, is_late: false }
        });
        queue.waiting.push_back(item);
    }

    /// Sends what can be; gives the places to which a batch begins its way. `place`: where something goes now. `now`: in ms.
    pub(super) fn take(&mut self, now: u64, mut place: impl FnMut(&T) -> P) -> Vec<P> {
        self.wake(now);
        let mut begun: Vec<P> = Vec::new();
        while let Some(key) = self.open.pop_front() {
            let Some(queue) = self.queues.get_mut(&key) else { continue };
            let Some(first) = queue.waiting.front() else { continue };
            let at = place(first);
            let is_new = !self.flights.contains_key(&at);
            let flight = self.flights.entry(at.clone()).or_insert_with(|| Flight {
                since: now,
                bytes: 0,
                sent: Vec::new(),
                behind: Vec::new(),
            });
            if is_new {
                begun.push(at.clone());
            } else if !begun.contains(&at) || flight.is_full(self.most) {
                flight.behind.push(key);
                continue;
            }
            while !flight.is_full(self.most)
                && queue.waiting.front().is_some_and(|item| place(item) == at)
                && let Some(item) = queue.waiting.pop_front()
            {
                flight.bytes += item.weight();
                flight.sent.push(item);
            }
        }
        begun
    }

    /// What is on its way to a place, in order.
    pub(super) fn sent(&self, place: &P) -> &[T] {
        self.flights.get(place).map_or(&[], |flight| &flight.sent)
    }

    /// It is known what has come of what was on its way to a place. `is_out`: whether the one with that index is done with; if not, it
    /// is sent again.
    pub(super) fn land(&mut self, place: &P, now: u64, mut is_out: impl FnMut(usize, &T) -> bool) {
        let Some(Flight { sent, behind, .. }) = self.flights.remove(place) else { return };
        let mut keys: Vec<T::Key> = Vec::new();
        let mut back: FxHashMap<T::Key, Vec<T>> = FxHashMap::default();
        for (index, item) in sent.into_iter().enumerate() {
            let key = item.key();
            let again = back.entry(key).or_insert_with(|| {
                keys.push(key);
                Vec::new()
            });
            if !is_out(index, &item) {
                again.push(item);
            }
        }
        for key in keys {
            let again = back.remove(&key).unwrap_or_default();
            if again.is_empty() {
                self.settle(key);
            } else {
                self.put_back(key, again, now);
            }
        }
        self.open.extend(behind);
    }

    /// Places have changed: who waits behind one looks again where its own is.
    pub(super) fn moved(&mut self) {
        for flight in self.flights.values_mut() {
            self.open.extend(flight.behind.drain(..));
        }
    }

    /// The way to all places is lost. What was on it is sent again if it may be; the rest is given.
    pub(super) fn lost(&mut self, mut may: impl FnMut(&T) -> bool) -> Vec<T> {
        let mut gone = Vec::new();
        for (_, Flight { sent, .. }) in std::mem::take(&mut self.flights) {
            for item in sent.into_iter().rev() {
                if may(&item) {
                    let queue = self.queues.get_mut(&item.key());
                    queue.expect("what is on its way has a queue").waiting.push_front(item);
                } else {
                    gone.push(item);
                }
            }
        }
        self.later.clear();
        self.stalled = 0;
        self.queues.retain(|_, queue| !queue.waiting.is_empty());
        for queue in self.queues.values_mut() {
            (queue.tries, queue.is_late) = (0, false);
        }
        self.open = self.queues.keys().copied().collect();
        gone
    }

    /// Whether there is nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.queues.is_empty()
    }

    /// Whether something has not been taken although it was tried again.
    pub(super) fn is_stalled(&self) -> bool {
        self.stalled > 0
    }

    /// Whether something with this key would wait for long: what was sent before has not been taken, or has been on its way since
    /// before `since`.
    pub(super) fn is_held_up(&self, key: T::Key, since: u64, place: impl Fn(&T) -> P) -> bool {
        let Some(queue) = self.queues.get(&key) else { return false };
        let flight = || match queue.waiting.front() {
            Some(first) => self.flights.get(&place(first)),
            None => self.flights.values().find(|it| it.sent.iter().any(|it| it.key() == key)),
        };
        queue.is_late || flight().is_some_and(|flight| flight.since < since)
    }

    /// The first with a key that is not out.
    pub(super) fn first(&self, key: T::Key) -> Option<&T> {
        let queue = self.queues.get(&key)?;
        let mut sent = self.flights.values().flat_map(|flight| &flight.sent);
        sent.find(|item| item.key() == key).or_else(|| queue.waiting.front())
    }

    /// When [`take`](Self::take) has something to do, whatever comes.
    pub(super) fn next_time(&self) -> Option<u64> {
        self.later.first_key_value().map(|(&time, _)| time)
    }

    fn wake(&mut self, now: u64) {
        while let Some(entry) = self.later.first_entry().filter(|entry| *entry.key() <= now) {
            for key in entry.remove() {
                if let Some(queue) = self.queues.get_mut(&key) {
                    queue.is_late = false;
                    self.open.push_back(key);
                }
            }
        }
    }

    /// All of a key that was on its way is out.
    fn settle(&mut self, key: T::Key) {
        let Some(queue) = self.queues.get_mut(&key) else { return };
        self.stalled -= usize::from(queue.tries > 1);
        queue.tries = 0;
        if queue.waiting.is_empty() {
            self.queues.remove(&key);
        } else {
            self.open.push_back(key);
        }
    }

    fn put_back(&mut self, key: T::Key, again: Vec<T>, now: u64) {
        let Some(queue) = self.queues.get_mut(&key) else { return };
        for item in again.into_iter().rev() {
            queue.waiting.push_front(item);
        }
        queue.forget_replaced();
        queue.tries += 1;
        self.stalled += usize::from(queue.tries == 2);
        if queue.tries == 1 {
            return self.open.push_back(key);
        }
        let wait = LATE.min(SOON << (queue.tries - 2).min(10));
        queue.is_late = true;
        // Those that wait for as long are tried together.
        self.later.entry((now / wait + 1) * wait).or_default().push(key);
    }
}

impl<T: Item> Queue<T> {
    /// While nobody takes them, what came and went must not gather.
    fn forget_replaced(&mut self) {
        let mut counts = Vec::with_capacity(self.waiting.len());
        let mut seen = FxHashSet::default();
        for item in self.waiting.iter().rev() {
            counts.push(item.subject().is_none_or(|subject| seen.insert(subject)));
        }
        drop(seen);
        let mut counts = counts.into_iter().rev();
        self.waiting.retain(|_| counts.next() == Some(true));
    }
}

impl<T: Item> Flight<T> {
    fn is_full(&self, most: Batch) -> bool {
        self.sent.len() >= most.items || self.bytes >= most.bytes
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MOST: Batch = Batch { items: 4, bytes: usize::MAX };
    const KEYS: usize = 6;
    const PLACES: usize = 3;

    /// A key, and its number among those of the key.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    struct Numbered(usize, u64);

    impl Item for Numbered {
        type Key = usize;
        fn key(&self) -> usize {
            self.0
        }
        fn weight(&self) -> usize {
            1
        }
    }

    /// What is said of a room; only the last counts.
    #[derive(Clone, Debug, PartialEq, Eq)]
    struct Said(&'static str, u64);

    impl Item for Said {
        type Key = ();
        fn key(&self) {}
        fn weight(&self) -> usize {
            1
        }
        fn subject(&self) -> Option<impl Eq + Hash> {
            Some(self.0)
        }
    }

    /// Places, where each key has its own, and what has come of all.
    struct World {
        lanes: Lanes<Numbered, usize>,
        now: u64,
        home: [usize; KEYS],
        pushed: [u64; KEYS],
        out: [Vec<u64>; KEYS],
    }

    #[derive(Clone, Debug)]
    enum Step {
        Push(usize),
        Move(usize, usize),
        Wait(u64),
        /// So many of those on their way are taken; of each key, none behind one that is not.
        Land(usize, usize),
        Lose,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            6 => (0..KEYS).prop_map(Step::Push),
            1 => (0..KEYS, 0..PLACES).prop_map(|(key, place)| Step::Move(key, place)),
            1 => (1..3_000_u64).prop_map(Step::Wait),
            3 => (0..PLACES, 0..6_usize).prop_map(|(place, count)| Step::Land(place, count)),
            1 => Just(Step::Lose),
        ]
    }

    impl World {
        fn new() -> Self {
            Self {
                lanes: Lanes::new(MOST),
                now: 0,
                home: std::array::from_fn(|key| key % PLACES),
                pushed: [0; KEYS],
                out: Default::default(),
            }
        }

        fn take(&mut self) {
            let home = self.home;
            self.lanes.take(self.now, |item| home[item.0]);
        }

        fn land(&mut self, place: usize, count: usize) {
            let mut refused = FxHashSet::default();
            let out = &mut self.out;
            self.lanes.land(&place, self.now, |index, item| {
                let is_out = index < count && !refused.contains(&item.0);
                if is_out {
                    out[item.0].push(item.1);
                } else {
                    refused.insert(item.0);
                }
                is_out
            });
        }

        fn step(&mut self, step: &Step) {
            match *step {
                Step::Push(key) => {
                    self.lanes.push(Numbered(key, self.pushed[key]));
                    self.pushed[key] += 1;
                }
                Step::Move(key, place) => {
                    self.home[key] = place;
                    self.lanes.moved();
                }
                Step::Wait(time) => self.now += time,
                Step::Land(place, count) => self.land(place, count),
                Step::Lose => assert!(self.lanes.lost(|_| true).is_empty()),
            }
            self.take();
            self.check();
        }

        fn check(&self) {
            let mut waiting = 0;
            for (key, queue) in &self.lanes.queues {
                let on_way: Vec<_> = (0..PLACES)
                    .flat_map(|it| self.lanes.sent(&it))
                    .filter(|it| it.0 == *key)
                    .chain(&queue.waiting)
                    .collect();
                // Each is somewhere, once, and in order.
                let from = self.out[*key].len() as u64;
                assert!(on_way.iter().map(|it| it.1).eq(from..self.pushed[*key]), "{on_way:?}");
                assert_eq!(self.lanes.first(*key).map(|it| it.1), Some(from));
                waiting += on_way.len() as u64;
                // Whose place is free, and who has not to wait, is on the way.
                let place = self.home[*key];
                let is_sent = |it: usize| self.lanes.sent(&it).iter().any(|it| it.0 == *key);
                let is_busy = !self.lanes.sent(&place).is_empty();
                assert!(queue.is_late || is_busy || (0..PLACES).any(is_sent), "{key} is forgotten");
            }
            let out: u64 = self.out.iter().map(|out| out.len() as u64).sum();
            assert_eq!(out + waiting, self.pushed.iter().sum::<u64>());
            let stalled = self.lanes.queues.values().filter(|it| it.tries > 1).count();
            assert_eq!(self.lanes.stalled, stalled);
            for place in 0..PLACES {
                assert!(self.lanes.sent(&place).len() <= MOST.items);
            }
        }
    }

    proptest! {
        /// Whatever is away, and whoever moves: each comes once, in order, and waits for nobody but who has its place.
        #[test]
        fn each_comes_once_and_in_order(steps in prop::collection::vec(step(), 0..200)) {
            let mut world = World::new();
            for step in &steps {
                world.step(step);
            }
            while !world.lanes.is_empty() {
                world.now = world.now.max(world.lanes.next_time().unwrap_or(0));
                world.take();
                for place in 0..PLACES {
                    world.land(place, usize::MAX);
                }
                world.take();
                world.check();
            }
            for (key, out) in world.out.iter().enumerate() {
                prop_assert!(out.iter().copied().eq(0..world.pushed[key]));
            }
            prop_assert!(!world.lanes.is_stalled() && world.lanes.open.is_empty());
        }
    }

    #[test]
    fn what_is_not_taken_is_tried_later_each_time() {
        let mut lanes = Lanes::new(MOST);
        lanes.push(Numbered(0, 0));
        let mut now = 7;
        let mut waits = Vec::new();
        for _ in 0..9 {
            assert_eq!(lanes.take(now, |_| 1), [1]);
            lanes.land(&1, now, |_, _| false);
            let next = lanes.next_time().unwrap_or(now);
            waits.push(next - now);
            assert!(next == now || lanes.take(next - 1, |_| 1).is_empty());
            now = next;
        }
        // Whatever waits for as long waits for the same moment.
        assert_eq!(waits, [0, 93, 100, 200, 400, 800, 400, 2_000, 2_000]);
        assert!(lanes.is_stalled());
        lanes.take(now, |_| 1);
        lanes.land(&1, now, |_, _| true);
        assert!(lanes.is_empty() && !lanes.is_stalled());
    }

    #[test]
    fn who_hangs_is_known() {
        let mut lanes = Lanes::new(MOST);
        lanes.push(Numbered(0, 0));
        lanes.push(Numbered(3, 0));
        lanes.take(10, |item| item.0 % PLACES);
        assert!(!lanes.is_held_up(0, 10, |item| item.0 % PLACES));
        assert!(lanes.is_held_up(0, 11, |item| item.0 % PLACES));
        lanes.push(Numbered(6, 0));
        assert!(lanes.take(10, |item| item.0 % PLACES).is_empty());
        assert!(lanes.is_held_up(6, 11, |item| item.0 % PLACES));
        assert!(!lanes.is_held_up(1, 11, |item| item.0 % PLACES));
    }

    #[test]
    fn what_came_and_went_while_nobody_took_it_does_not_gather() {
        let mut lanes = Lanes::new(MOST);
        for number in 0..100 {
            lanes.push(Said("a", 2 * number));
            lanes.push(Said("b", 2 * number + 1));
            lanes.take(number * LATE, |_| ());
            lanes.land(&(), number * LATE, |_, _| false);
        }
        lanes.take(u64::MAX, |_| ());
        assert_eq!(lanes.sent(&()), [Said("a", 198), Said("b", 199)]);
    }

    #[test]
    fn what_may_not_be_sent_again_is_given() {
        let mut lanes = Lanes::new(MOST);
        for number in 0..6 {
            lanes.push(Numbered(0, number));
        }
        lanes.take(0, |_| ());
        let gone = lanes.lost(|item| item.1 == 2);
        assert_eq!(gone.len(), 3);
        lanes.take(0, |_| ());
        assert_eq!(lanes.sent(&()), [Numbered(0, 2), Numbered(0, 4), Numbered(0, 5)]);
    }
}
