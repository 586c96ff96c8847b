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
//! its way to one place at a time. What has not been taken, although something behind it has, is not sent again: it would come
//! behind that.
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
    /// Whether it must not come behind that one, which stands behind it.
    fn must_precede(&self, later: &Self) -> bool;
}

/// What has come of something that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It has been taken, or may have been.
    Out,
    /// It has not, and never will be.
    Refused,
    /// It has not, and is to be sent again.
    Again,
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
            let before = flight.sent.len();
            // The first one goes there, also if its place has become another one since: else nobody would look after it.
            while !flight.is_full(self.most)
                && (flight.sent.len() == before
                    || queue.waiting.front().is_some_and(|item| place(item) == at))
                && let Some(item) = queue.waiting.pop_front()
            {
                flight.bytes += item.weight();
                flight.sent.push(item);
            }
            flight.forget_replaced(before);
        }
        begun
    }

    /// What is on its way to a place, in order.
    pub(super) fn sent(&self, place: &P) -> &[T] {
        self.flights.get(place).map_or(&[], |flight| &flight.sent)
    }

    /// It is known what has come of what was on its way to a place: `outcome` tells of the one with that index. Gives what would have to be
    /// sent again, and can't be, since something behind it has been taken.
    pub(super) fn land(
        &mut self,
        place: &P,
        now: u64,
        mut outcome: impl FnMut(usize, &T) -> Outcome,
    ) -> Vec<T> {
        let mut passed = Vec::new();
        let Some(Flight { sent, behind, .. }) = self.flights.remove(place) else { return passed };
        let mut keys: Vec<T::Key> = Vec::new();
        let mut back: FxHashMap<T::Key, Vec<T>> = FxHashMap::default();
        for (index, item) in sent.into_iter().enumerate() {
            let key = item.key();
            let again = back.entry(key).or_insert_with(|| {
                keys.push(key);
                Vec::new()
            });
            match outcome(index, &item) {
                Outcome::Out => passed.extend(again.extract_if(.., |it| it.must_precede(&item))),
                Outcome::Refused => {}
                Outcome::Again => again.push(item),
            }
        }
        // Who has waited goes before who has just been there: else one that always has something would be the only one.
        self.open.extend(behind);
        for key in keys {
            let again = back.remove(&key).unwrap_or_default();
            if again.is_empty() {
                self.settle(key);
            } else {
                self.put_back(key, again, now);
            }
        }
        passed
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
        let hangs = |flight: &Flight<T>| flight.since < since;
        // What is on its way may be on that to where its place was.
        let is_sent = |flight: &Flight<T>| flight.sent.iter().any(|item| item.key() == key);
        let is_behind = |first| self.flights.get(&place(first)).is_some_and(hangs);
        queue.is_late
            || queue.waiting.front().is_some_and(is_behind)
            || self.flights.values().any(|flight| hangs(flight) && is_sent(flight))
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

/// Of each, whether it counts: of those that are about the same, only the last one does.
fn which_count<'a, T: Item + 'a>(items: impl DoubleEndedIterator<Item = &'a T>) -> Vec<bool> {
    let mut seen = FxHashSet::default();
    let counts = items.rev().map(|it| it.subject().is_none_or(|subject| seen.insert(subject)));
    let mut counts: Vec<_> = counts.collect();
    counts.reverse();
    counts
}

impl<T: Item> Queue<T> {
    /// While nobody takes them, what came and went must not gather.
    fn forget_replaced(&mut self) {
        let mut counts = which_count(self.waiting.iter()).into_iter();
        self.waiting.retain(|_| counts.next() == Some(true));
    }
}

impl<T: Item> Flight<T> {
    /// Of those from there on that are about the same, the last one is sent: if one of them were not taken, and sent again, it would come
    /// behind those that replace it.
    fn forget_replaced(&mut self, begin: usize) {
        if self.sent.len() - begin < 2 {
            return;
        }
        let mut counts = which_count(self.sent[begin..].iter()).into_iter();
        let mut index = 0;
        self.sent.retain(|_| {
            index += 1;
            index <= begin || counts.next() == Some(true)
        });
    }

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
        fn must_precede(&self, _later: &Self) -> bool {
            true
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
        fn must_precede(&self, later: &Self) -> bool {
            self.0 == later.0
        }
    }

    /// Places, where each key has its own, and what has come of all.
    struct World {
        lanes: Lanes<Numbered, usize>,
        now: u64,
        home: [usize; KEYS],
        pushed: [u64; KEYS],
        out: [Vec<u64>; KEYS],
        /// What has not been taken, and can't be any more.
        gone: [Vec<u64>; KEYS],
    }

    #[derive(Clone, Debug)]
    enum Step {
        Push(usize),
        Move(usize, usize),
        Wait(u64),
        /// What has come of those on their way.
        Land(usize, [Outcome; MOST.items]),
        Lose,
    }

    fn outcome() -> impl Strategy<Value = Outcome> {
        prop_oneof![4 => Just(Outcome::Out), 1 => Just(Outcome::Refused), 3 => Just(Outcome::Again)]
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            6 => (0..KEYS).prop_map(Step::Push),
            1 => (0..KEYS, 0..PLACES).prop_map(|(key, place)| Step::Move(key, place)),
            1 => (1..3_000_u64).prop_map(Step::Wait),
            3 => (0..PLACES, prop::array::uniform4(outcome()))
                .prop_map(|(place, outcomes)| Step::Land(place, outcomes)),
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
                gone: Default::default(),
            }
        }

        fn take(&mut self) {
            let home = self.home;
            self.lanes.take(self.now, |item| home[item.0]);
        }

        fn land(&mut self, place: usize, outcomes: [Outcome; MOST.items]) {
            let (out, gone) = (&mut self.out, &mut self.gone);
            let passed = self.lanes.land(&place, self.now, |index, item| {
                match outcomes[index] {
                    Outcome::Out => out[item.0].push(item.1),
                    Outcome::Refused => gone[item.0].push(item.1),
                    Outcome::Again => {}
                }
                outcomes[index]
            });
            for item in passed {
                assert!(self.out[item.0].last() > Some(&item.1), "{item:?} could be sent again");
                self.gone[item.0].push(item.1);
            }
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
                Step::Land(place, outcomes) => self.land(place, outcomes),
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
                let (out, gone) = (&self.out[*key], &self.gone[*key]);
                assert!(
                    out.is_sorted() && on_way.is_sorted_by_key(|it| it.1),
                    "{out:?} {on_way:?}"
                );
                assert!(on_way.first().is_none_or(|it| out.last() < Some(&it.1)), "{on_way:?}");
                let mut all: Vec<_> = out.iter().chain(gone).copied().collect();
                all.extend(on_way.iter().map(|it| it.1));
                all.sort_unstable();
                assert!(all.into_iter().eq(0..self.pushed[*key]), "{on_way:?}");
                assert_eq!(self.lanes.first(*key), on_way.first().copied());
                waiting += on_way.len() as u64;
                // Whose place is free, and who has not to wait, is on the way.
                let place = self.home[*key];
                let is_sent = |it: usize| self.lanes.sent(&it).iter().any(|it| it.0 == *key);
                let is_busy = !self.lanes.sent(&place).is_empty();
                assert!(queue.is_late || is_busy || (0..PLACES).any(is_sent), "{key} is forgotten");
            }
            let done = self.out.iter().chain(&self.gone).map(|it| it.len() as u64).sum::<u64>();
            assert_eq!(done + waiting, self.pushed.iter().sum::<u64>());
            let stalled = self.lanes.queues.values().filter(|it| it.tries > 1).count();
            assert_eq!(self.lanes.stalled, stalled);
            for place in 0..PLACES {
                assert!(self.lanes.sent(&place).len() <= MOST.items);
            }
        }
    }

    proptest! {
        /// Whatever is away, and whoever moves: each comes once, if it is not refused, in order, and waits for nobody but
        /// who has its place. What is passed by does not come.
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
                    world.land(place, [Outcome::Out; MOST.items]);
                }
                world.take();
                world.check();
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
            lanes.land(&1, now, |_, _| Outcome::Again);
            let next = lanes.next_time().unwrap_or(now);
            waits.push(next - now);
            assert!(next == now || lanes.take(next - 1, |_| 1).is_empty());
            now = next;
        }
        // Whatever waits for as long waits for the same moment.
        assert_eq!(waits, [0, 93, 100, 200, 400, 800, 400, 2_000, 2_000]);
        assert!(lanes.is_stalled());
        lanes.take(now, |_| 1);
        lanes.land(&1, now, |_, _| Outcome::Out);
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
    fn who_hangs_where_something_was_is_known() {
        let mut lanes = Lanes::new(MOST);
        lanes.push(Numbered(0, 0));
        lanes.take(10, |_| 1);
        lanes.push(Numbered(0, 1));
        assert!(lanes.is_held_up(0, 11, |_| 2));
        assert!(!lanes.is_held_up(0, 10, |_| 2));
    }

    #[test]
    fn who_always_has_something_holds_up_nobody() {
        let mut lanes = Lanes::new(MOST);
        for number in 0..100 {
            lanes.push(Numbered(0, number));
            lanes.push(Numbered(1, number));
        }
        lanes.take(0, |_| 1);
        lanes.push(Numbered(2, 0));
        for _ in 0..3 {
            lanes.take(0, |_| 1);
            if lanes.sent(&1).contains(&Numbered(2, 0)) {
                return;
            }
            lanes.land(&1, 0, |_, _| Outcome::Out);
        }
        panic!("it waits for all of the others");
    }

    #[test]
    fn what_moves_while_it_is_looked_at_is_not_forgotten() {
        let mut lanes = Lanes::new(MOST);
        lanes.push(Numbered(0, 0));
        let mut asked = 0;
        let begun = lanes.take(0, |_| {
            asked += 1;
            asked
        });
        assert_eq!(begun, [1]);
        assert_eq!(lanes.sent(&1), [Numbered(0, 0)]);
    }

    #[test]
    fn what_is_replaced_is_not_sent() {
        let mut lanes = Lanes::new(MOST);
        lanes.push(Said("c", 0));
        lanes.take(0, |_| 1);
        for (name, number) in [("a", 1), ("b", 2), ("a", 3)] {
            lanes.push(Said(name, number));
        }
        lanes.land(&1, 0, |_, _| Outcome::Out);
        lanes.take(0, |_| 1);
        assert_eq!(lanes.sent(&1), [Said("b", 2), Said("a", 3)]);
        // That one is there says nothing of the others.
        let outcomes = [Outcome::Again, Outcome::Out];
        assert!(lanes.land(&1, 0, |index, _| outcomes[index]).is_empty());
        lanes.take(0, |_| 1);
        assert_eq!(lanes.sent(&1), [Said("b", 2)]);
    }

    #[test]
    fn what_came_and_went_while_nobody_took_it_does_not_gather() {
        let mut lanes = Lanes::new(MOST);
        for number in 0..100 {
            lanes.push(Said("a", 2 * number));
            lanes.push(Said("b", 2 * number + 1));
            lanes.take(number * LATE, |_| ());
            lanes.land(&(), number * LATE, |_, _| Outcome::Again);
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
