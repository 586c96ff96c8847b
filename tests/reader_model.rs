//! Who reads the sockets: both threads are driven through schedules of all kinds, on a clock of the test. What
//! has come is read in time whoever is blocked, by one of them only; none looks again and again for nothing, and
//! on an idle server nobody looks at all.
#![cfg(feature = "net")]

use ferrosocket::net::reader::{Preference, Reader};
use ferrosocket::net::reader_policy::{Change, JavaScriptSide, TICK, Turn, Watchdog};
use proptest::prelude::*;

/// What comes from outside. Times are in microseconds.
#[derive(Clone, Debug)]
enum Event {
    /// A socket is ready; `useful`: with something for JavaScript.
    Arrive { useful: bool },
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

fn event() -> impl Strategy<Value = (u64, Event)> {
    let gap = prop_oneof![8 => 0..400_u64, 2 => 0..5_000_u64, 1 => 0..300_000_u64];
    let event = prop_oneof![
        40 => prop_oneof![9 => Just(true), 1 => Just(false)].prop_map(|useful| Event::Arrive { useful }),
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
    watching: bool,
    /// JavaScript can do nothing until then.
    busy: u64,
    /// …and then has done with what it read itself, since this time.
    doing: Option<u64>,
    handler: u64,
    /// How long JavaScript has worked.
    worked: u64,
    woken: bool,
    /// When what has not been read came, and whether it is for JavaScript.
    unread: Vec<(u64, bool)>,
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
        Self {
            now: 1_000_000,
            reader: Reader::new(preference),
            side: JavaScriptSide::new(),
            worker: Worker::Awake,
            watchdog: None,
            worker_busy: 0,
            told: false,
            watching: false,
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
        let records = self.unread.drain(..).filter(|(_, useful)| *useful).count();
        let records = u32::try_from(records).unwrap_or_default();
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
        self.watching && !self.unread.is_empty()
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
        }
    }

    fn take(&mut self) {
        self.taken += std::mem::take(&mut self.records);
        let change = self.side.handle_records(&self.reader, self.now, self.worked);
        self.apply(change);
    }

    fn apply(&mut self, change: Change) {
        match change {
            Change::None => {}
            Change::Watch => self.watching = true,
            Change::Leave => self.watching = false,
            Change::LeaveAndWake => {
                self.changes += 1;
                self.contended = None;
                self.watching = false;
                self.told = true;
            }
        }
    }

    // --- the world -----------------------------------------------------------------------------

    fn happen(&mut self, event: &Event) {
        match event {
            Event::Arrive { useful } => {
                self.unread.push((self.now, *useful));
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
                self.watching = false;
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
        if let Some((came, _)) = self.unread.first()
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

fn play(preference: Preference, events: &[(u64, Event)], seed: u64) -> World {
    let mut state = seed | 1;
    let mut choices = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32).to_le_bytes()[0]
    };
    let mut world = World::new(preference);
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
    fn the_same_when_javascript_always_wants_them(events in events(), seed: u64) {
        let world = play(Preference::JavaScript, &events, seed);
        prop_assert_eq!(world.taken, world.expected);
        prop_assert!(world.unread.is_empty());
    }
}

fn steady(count: usize, gap: u64) -> Vec<(u64, Event)> {
    vec![(gap, Event::Arrive { useful: true }); count]
}

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
fn who_works_between_two_looks_does_not_look_again_and_again() {
    let arrive = |gap| (gap, Event::Arrive { useful: true });
    let busy = (0, Event::Busy(5294));
    let events = [arrive(0), arrive(0), busy, arrive(0), (25, Event::Block(195)), arrive(266)];
    let world = play(Preference::JavaScript, &events, 0);
    assert_eq!(world.taken, world.expected);
}
