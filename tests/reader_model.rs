//! Who reads the sockets: both threads are driven through schedules of all kinds, on a clock of the test. What
//! has come is read in time whoever is blocked, by one of them only; none looks again and again for nothing, and
//! on an idle server nobody looks at all.
#![cfg(feature = "net")]

use ferrosocket::net::reader::{Preference, Reader};
use ferrosocket::net::reader_policy::{Change, Hands, JavaScriptSide, TICK, Turn, Watchdog};
use proptest::prelude::*;

/// What comes from outside. Times are in microseconds.
#[derive(Clone, Debug)]
enum Event {
    /// A socket is ready, with so many bytes; `useful`: with something for JavaScript.
    Arrive { useful: bool, bytes: u32 },
    /// The next handler, or something else in JavaScript, takes so long.
    Block(u64),
    /// JavaScript, or another thread, has an operation for the worker.
    Post,
    /// The worker is busy with what it was asked for, for so long.
    Busy(u64),
    /// Another environment has come.
    Fix,
    /// JavaScript's environment ends.
    End,
}

fn bytes() -> impl Strategy<Value = u32> {
    prop_oneof![8 => 1..1000_u32, 1 => 1000..1_000_000_u32]
}

fn event() -> impl Strategy<Value = (u64, Event)> {
    let gap = prop_oneof![8 => 0..400_u64, 2 => 0..5_000_u64, 1 => 0..300_000_u64];
    let event = prop_oneof![
        40 => (prop_oneof![9 => Just(true), 1 => Just(false)], bytes())
            .prop_map(|(useful, bytes)| Event::Arrive { useful, bytes }),
        3 => (0..60_000_u64).prop_map(Event::Block),
        4 => Just(Event::Post),
        1 => (0..20_000_u64).prop_map(Event::Busy),
    ];
    (gap, event)
}

fn events() -> impl Strategy<Value = Vec<(u64, Event)>> {
    let last =
        prop_oneof![6 => Just(None), 1 => Just(Some(Event::Fix)), 1 => Just(Some(Event::End))];
    (prop::collection::vec(event(), 0..400), last, prop::collection::vec(event(), 0..40)).prop_map(
        |(mut events, last, rest)| {
            events.extend(last.map(|event| (10, event)));
            events.extend(rest);
            events
        },
    )
}

/// Where the thread of the worker is.
#[derive(Debug)]
enum Worker {
    Awake,
    Waiting,
    Apart,
}

#[derive(Debug)]
struct World {
    now: u64,
    reader: Reader,
    side: JavaScriptSide,
    worker: Worker,
    watchdog: Option<Watchdog>,
    /// The worker is busy until then, if it is awake.
    worker_busy: u64,
    told: bool,
    event_loop: EventLoop,
    /// JavaScript can do nothing until then.
    busy: u64,
    /// …and then has done with what it read itself, since this time.
    doing: Option<u64>,
    handler: u64,
    /// How long JavaScript has worked.
    worked: u64,
    woken: bool,
    /// When what has not been read came, whether it is for JavaScript, and its bytes.
    unread: Vec<(u64, bool, u32)>,
    records: u32,
    taken: u32,
    expected: u32,
    /// How often the sockets have changed hands, and how often JavaScript came for nothing.
    changes: u32,
    useless: u32,
    /// …one time behind the other, because the worker was at work: since when, and when last.
    contended: Option<(u64, u64)>,
    turns_of_javascript: u32,
    looks: u32,
}

impl World {
    fn new(preference: Preference) -> Self {
        let reader = Reader::new(preference);
        Self {
            now: 1_000_000,
            side: JavaScriptSide::new(&reader),
            reader,
            worker: Worker::Awake,
            watchdog: None,
            worker_busy: 0,
            told: false,
            event_loop: EventLoop { can_watch: true, watching: false, wakes: 0 },
            busy: 0,
            doing: None,
            handler: 0,
            worked: 0,
            woken: false,
            unread: Vec::new(),
            records: 0,
            taken: 0,
            expected: 0,
            changes: 0,
            useless: 0,
            contended: None,
            turns_of_javascript: 0,
            looks: 0,
        }
    }

    fn millis(&self) -> u64 {
        self.now / 1000
    }

    fn read(&mut self) -> u32 {
        let mut records = 0;
        for (_, useful, bytes) in self.unread.drain(..) {
            records += u32::from(useful);
            self.reader.count_bytes(bytes);
        }
        self.records += records;
        records
    }

    // --- the worker's thread -------------------------------------------------------------------

    fn worker_can_run(&self) -> bool {
        match &self.worker {
            Worker::Awake => self.now >= self.worker_busy,
            Worker::Waiting => self.told || !self.unread.is_empty(),
            Worker::Apart => self.told || self.millis() >= self.due(),
        }
    }

    /// When the worker looks whether JavaScript comes.
    fn due(&self) -> u64 {
        self.watchdog.as_ref().map_or(u64::MAX, Watchdog::due)
    }

    fn run_worker(&mut self) {
        let now = self.millis();
        match self.worker {
            Worker::Waiting => self.worker = Worker::Awake,
            Worker::Apart if self.told => self.worker = Worker::Awake,
            Worker::Apart => {
                self.looks += 1;
                let ready = !self.unread.is_empty();
                let watchdog = self.watchdog.as_mut().expect("there is one while it waits apart");
                if watchdog.look(now, self.reader.counts(), || ready).is_some() {
                    self.worker = Worker::Awake;
                    self.changes += u32::from(self.reader.take_over());
                }
            }
            Worker::Awake => {
                self.told = false;
                if !self.reader.is_javascript() && self.read() > 0 {
                    self.changes += u32::from(self.reader.hand_over());
                    self.woken = true;
                }
                if self.reader.is_javascript() {
                    let reader = &self.reader;
                    self.watchdog.get_or_insert_with(|| Watchdog::new(reader, now));
                    self.worker = Worker::Apart;
                } else {
                    self.watchdog = None;
                    self.worker = Worker::Waiting;
                }
            }
        }
    }

    // --- JavaScript's thread -------------------------------------------------------------------

    fn has_readable(&self) -> bool {
        self.event_loop.watching && !self.unread.is_empty()
    }

    fn javascript_can_run(&self) -> bool {
        self.now >= self.busy && (self.doing.is_some() || self.woken || self.has_readable())
    }

    fn run_javascript(&mut self, ready_first: bool) {
        if let Some(since) = self.doing.take() {
            self.worked += self.now - since;
            let change = self.side.handle_done(&self.reader, self.now, self.worked);
            self.apply(change);
        } else if self.has_readable() && (ready_first || !self.woken) {
            self.come_to_read();
        } else if self.woken {
            self.woken = false;
            self.take();
            self.worked += 10;
            self.busy = self.now + std::mem::take(&mut self.handler);
        }
    }

    fn come_to_read(&mut self) {
        let turn = if !self.reader.is_javascript() {
            self.useless += 1;
            Turn::NotMine
        } else if matches!(self.worker, Worker::Awake) {
            self.busy = self.now + 5;
            // Who does something else in between does not look again and again.
            let streak = self.contended.filter(|(_, last)| self.now - last < 200);
            let since = streak.map_or(self.now, |(since, _)| since);
            self.contended = Some((since, self.now));
            assert!(self.now - since < 400, "it looks again and again");
            Turn::Contended
        } else {
            assert!(matches!(self.worker, Worker::Apart), "both watch the selector");
            self.turns_of_javascript += 1;
            Turn::Done { useful: self.read() > 0 }
        };
        if turn != Turn::Contended {
            self.contended = None;
        }
        let change = self.side.handle_ready(&self.reader, self.now, self.worked, turn);
        self.apply(change);
        if turn == (Turn::Done { useful: true }) {
            self.take();
            self.doing = Some(self.now);
            self.busy = self.now + 15 + std::mem::take(&mut self.handler);
        } else if turn == (Turn::Done { useful: false }) {
            self.worked += 5;
            self.busy = self.now + 5;
            let change = self.side.handle_done(&self.reader, self.now, self.worked);
            self.apply(change);
        }
    }

    fn take(&mut self) {
        self.taken += std::mem::take(&mut self.records);
        let change = self.side.handle_records(&self.reader, self.now, self.worked);
        self.apply(change);
    }

    fn apply(&mut self, change: Change) {
        self.side.carry_out(change, &self.reader, &mut self.event_loop);
        let wakes = std::mem::take(&mut self.event_loop.wakes);
        if wakes > 0 {
            self.changes += wakes;
            self.contended = None;
            self.told = true;
        }
    }

    // --- the world -----------------------------------------------------------------------------

    fn happen(&mut self, event: &Event) {
        match event {
            Event::Arrive { useful, bytes } => {
                self.unread.push((self.now, *useful, *bytes));
                self.expected += u32::from(*useful);
            }
            Event::Block(time) => {
                self.handler = *time;
                if self.doing.is_none() && self.now >= self.busy {
                    self.busy = self.now + time; // in something that is none of ours
                    self.handler = 0;
                }
            }
            Event::Post => self.told = true,
            Event::Busy(time) => {
                self.told = true;
                self.worker_busy = self.now + time;
            }
            Event::Fix => {
                if self.reader.fix() {
                    self.changes += 1;
                    self.told = true;
                }
            }
            Event::End => {
                let change = self.side.end(&self.reader);
                self.apply(change);
                self.event_loop.watching = false;
            }
        }
    }

    /// Lets both run, in an order of `choices`, until nobody can before `until`.
    fn run(&mut self, until: u64, choices: &mut impl FnMut() -> u8) {
        let mut steps = 0;
        loop {
            let (worker, javascript) = (self.worker_can_run(), self.javascript_can_run());
            let choice = choices();
            steps += 1;
            assert!(steps < 100_000, "nobody comes to rest: {self:?}");
            if worker && (!javascript || choice & 1 == 0) {
                self.run_worker();
            } else if javascript {
                self.run_javascript(choice & 2 == 0);
            } else {
                let due = match self.worker {
                    Worker::Awake => self.worker_busy,
                    Worker::Waiting => u64::MAX,
                    Worker::Apart => self.due() * 1000,
                };
                let waits = self.doing.is_some() || self.woken || self.has_readable();
                let free = if waits { self.busy } else { u64::MAX };
                let next = [due, free].into_iter().filter(|at| *at > self.now).min();
                self.now = next.unwrap_or(u64::MAX).min(until);
                self.check();
                if self.now == until {
                    return;
                }
            }
        }
    }

    /// However long JavaScript is blocked, what has come is read in time.
    fn check(&self) {
        let most = 1000 * (2 * TICK + 2);
        if let Some((came, ..)) = self.unread.first()
            && self.now >= self.worker_busy + most
        {
            assert!(self.now - came <= most, "nobody has read for too long: {self:?}");
        }
        // It waits apart from the sockets while they are JavaScript's, and is told when they are not any more.
        assert!(
            !matches!(self.worker, Worker::Apart) || self.told || self.reader.is_javascript(),
            "nobody waits for the sockets: {self:?}"
        );
        // One for each change of hands, and those while the worker was at work.
        assert!(self.useless <= self.changes + 1, "{self:?}");
    }

    fn is_at_rest(&self) -> bool {
        matches!(self.worker, Worker::Waiting)
    }
}

/// That of JavaScript.
#[derive(Debug)]
struct EventLoop {
    can_watch: bool,
    watching: bool,
    wakes: u32,
}

impl Hands for EventLoop {
    fn watch(&mut self) -> bool {
        self.watching = self.can_watch;
        self.can_watch
    }

    fn leave(&mut self) {
        self.watching = false;
    }

    fn wake(&mut self) {
        self.wakes += 1;
    }
}

fn play(preference: Preference, events: &[(u64, Event)], seed: u64) -> World {
    play_in(World::new(preference), events, seed)
}

fn play_in(mut world: World, events: &[(u64, Event)], seed: u64) -> World {
    let mut state = seed | 1;
    let mut choices = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32).to_le_bytes()[0]
    };
    for (gap, event) in events {
        world.run(world.now + gap, &mut choices);
        world.happen(event);
    }
    world.run(world.now + 1_000_000, &mut choices);
    world
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn what_comes_is_read_in_time_and_then_nobody_looks(events in events(), seed: u64) {
        for preference in [Preference::Load, Preference::Workers] {
            let mut world = play(preference, &events, seed);
            prop_assert_eq!(world.taken, world.expected);
            prop_assert!(world.unread.is_empty());
            prop_assert!(world.is_at_rest(), "an idle server sleeps: {:?}", world);
            let looks = world.looks;
            world.run(world.now + 60_000_000, &mut || 0);
            prop_assert_eq!(world.looks, looks);
        }
    }

    #[test]
    fn the_same_when_its_event_loop_cannot_watch(events in events(), seed: u64) {
        for preference in [Preference::Load, Preference::JavaScript] {
            let mut world = World::new(preference);
            world.event_loop.can_watch = false;
            let world = play_in(world, &events, seed);
            prop_assert_eq!(world.taken, world.expected);
            prop_assert!(world.unread.is_empty());
            prop_assert!(world.is_at_rest(), "{:?}", world);
            prop_assert_eq!(world.turns_of_javascript, 0);
        }
    }

    #[test]
    fn the_same_when_javascript_always_wants_them(events in events(), seed: u64) {
        let world = play(Preference::JavaScript, &events, seed);
        prop_assert_eq!(world.taken, world.expected);
        prop_assert!(world.unread.is_empty());
    }
}

fn steady(count: usize, gap: u64) -> Vec<(u64, Event)> {
    vec![(gap, Event::Arrive { useful: true, bytes: 50 }); count]
}

/// Messages of so many bytes, which come in parts of 64 KiB.
fn large(count: usize, bytes: u32) -> Vec<(u64, Event)> {
    let mut events = Vec::new();
    for _ in 0..count {
        for left in (0..bytes.div_ceil(PART)).rev() {
            let bytes = if left == 0 { bytes - (bytes - 1) / PART * PART } else { PART };
            events.push((100, Event::Arrive { useful: left == 0, bytes }));
        }
    }
    events
}

const PART: u32 = 64 << 10;

#[test]
fn javascript_reads_while_it_has_time() {
    let world = play(Preference::Load, &steady(5_000, 200), 7);
    assert!(world.turns_of_javascript > 4_500, "{world:?}");
    // To JavaScript, and back when nothing came any more.
    assert_eq!(world.changes, 2, "{world:?}");
}

#[test]
fn a_few_messages_a_second_change_nothing() {
    let world = play(Preference::Load, &steady(200, 20_000), 7);
    assert_eq!((world.turns_of_javascript, world.looks), (0, 0), "{world:?}");
}

#[test]
fn the_worker_reads_while_javascript_is_blocked_and_javascript_afterwards() {
    let mut events = steady(2_000, 200);
    events.push((0, Event::Block(50_000)));
    events.extend(steady(5_000, 200));
    let world = play(Preference::Load, &events, 7);
    assert_eq!(world.taken, 7_000);
    assert!(world.turns_of_javascript > 5_500, "{world:?}");
    assert_eq!(world.changes, 4, "{world:?}");
}

#[test]
fn who_is_too_slow_again_and_again_asks_less_and_less_often() {
    let mut events = Vec::new();
    for _ in 0..200 {
        events.extend(steady(100, 200));
        events.push((0, Event::Block(40_000)));
        events.extend(steady(300, 200));
    }
    let world = play(Preference::Load, &events, 7);
    assert!(world.changes < 2 * 20, "of 200 times: {world:?}");
}

#[test]
fn the_worker_reads_large_messages() {
    let world = play(Preference::Load, &large(2_000, 256 << 10), 7);
    assert_eq!((world.taken, world.turns_of_javascript), (2_000, 0), "{world:?}");
}

#[test]
fn javascript_gives_them_back_when_large_messages_come_and_has_them_again_afterwards() {
    let small = play(Preference::Load, &steady(2_000, 200), 7).turns_of_javascript;
    let mut events = steady(2_000, 200);
    events.extend(large(2_000, 256 << 10));
    let world = play(Preference::Load, &events, 7);
    assert_eq!(world.taken, 4_000);
    let turns = world.turns_of_javascript - small;
    assert!(turns < 10 * 4, "some of the first ten messages, and none of the others: {world:?}");
    assert_eq!(world.changes, 2, "{world:?}");
    events.extend(steady(2_000, 200));
    let world = play(Preference::Load, &events, 7);
    assert!(world.turns_of_javascript > 2 * small - 500, "{world:?}");
    assert_eq!(world.changes, 4, "{world:?}");
}

#[test]
fn a_large_message_among_small_ones_changes_nothing() {
    let mut events = Vec::new();
    for _ in 0..50 {
        events.extend(steady(100, 200));
        events.extend(large(1, 1_000_000));
    }
    let world = play(Preference::Load, &events, 7);
    assert!(world.turns_of_javascript > 4_500, "{world:?}");
    assert_eq!(world.changes, 2, "{world:?}");
}

/// So it does not swing when each of the two finds that the other one had better read.
#[test]
fn of_messages_between_large_and_small_who_has_them_reads_all() {
    let between = large(5_000, 100 << 10);
    let world = play(Preference::Load, &between, 7);
    assert_eq!((world.turns_of_javascript, world.changes), (0, 0), "{world:?}");
    let mut events = steady(2_000, 200);
    events.extend(between);
    let world = play(Preference::Load, &events, 7);
    assert!(world.turns_of_javascript > 2 * 5_000, "{world:?}");
    assert_eq!(world.changes, 2, "{world:?}");
}

#[test]
fn messages_that_come_in_one_read_are_javascripts() {
    let world = play(Preference::Load, &large(5_000, 60 << 10), 7);
    assert!(world.turns_of_javascript > 4_500, "{world:?}");
    assert_eq!(world.changes, 2, "{world:?}");
}

/// Messages that come while the worker is at work for so long, once in so many messages.
fn steady_beside(count: usize, busy: u64, each: usize) -> Vec<(u64, Event)> {
    let mut events = steady(2_000, 200);
    for n in 0..count {
        events.extend(steady(1, 200));
        if n % each == 0 {
            events.push((0, Event::Busy(busy)));
        }
    }
    events
}

#[test]
fn a_worker_that_is_at_work_now_and_then_gets_them_for_that_time() {
    let world = play(Preference::Load, &steady_beside(10_000, 2_000, 500), 7);
    assert_eq!(world.taken, 12_000);
    assert!(world.turns_of_javascript > 11_000, "{world:?}");
    assert!(world.changes <= 2 + 2 * 20, "{world:?}");
}

#[test]
fn a_worker_that_is_at_work_again_and_again_keeps_them() {
    let world = play(Preference::Load, &steady_beside(50_000, 2_000, 20), 7);
    assert_eq!(world.taken, 52_000);
    assert!(world.changes < 2 * 5 * 10, "of 2500 times: {world:?}");
}

#[test]
fn who_works_between_two_looks_does_not_look_again_and_again() {
    let arrive = |gap| (gap, Event::Arrive { useful: true, bytes: 50 });
    let busy = (0, Event::Busy(5294));
    let events = [arrive(0), arrive(0), busy, arrive(0), (25, Event::Block(195)), arrive(266)];
    let world = play(Preference::JavaScript, &events, 0);
    assert_eq!(world.taken, world.expected);
}

/// Each change leaves what JavaScript watches, and wakes the worker, exactly if it says so.
#[test]
fn a_change_is_carried_out_whole() {
    for (change, can_watch, watches, wakes) in [
        (Change::None, true, true, 0),
        (Change::Watch, true, true, 0),
        (Change::Leave, true, false, 0),
        (Change::LeaveAndWake, true, false, 1),
        // The worker has asked for nothing yet, so there is nothing to give back.
        (Change::Watch, false, false, 0),
    ] {
        let mut world = World::new(Preference::Load);
        world.event_loop = EventLoop { can_watch, watching: change != Change::Watch, wakes: 0 };
        world.side.carry_out(change, &world.reader, &mut world.event_loop);
        assert_eq!((world.event_loop.watching, world.event_loop.wakes), (watches, wakes));
    }
}
