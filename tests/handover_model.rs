//! Who serves while clients go from one process to another: every order in which the two processes speak, hear, are killed, lose their
//! socket and change their mind is tried. There are never two that serve, and when all has come to rest there is one.

use std::collections::{HashMap, VecDeque};

use ferrosocket::handover::serving::{Giver, Step, Taker, Word};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Side {
    Old,
    New,
}

/// Both processes, what is on its way between them, and the lock.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct World {
    giver: Giver,
    taker: Taker,
    old: Process,
    new: Process,
    lock: Option<Side>,
    /// Whether the old one has it for good.
    kept: bool,
    /// Whether the new one has ever served.
    has_served: bool,
    /// Whether the new one's program has closed its server.
    is_closed: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Process {
    is_alive: bool,
    /// Whether it has its end of the Unix socket.
    has_socket: bool,
    /// What is on its way to it.
    inbox: VecDeque<Word>,
    /// Whether it knows that nothing more comes.
    has_seen_end: bool,
}

impl Process {
    fn new() -> Self {
        Self { is_alive: true, has_socket: true, inbox: VecDeque::new(), has_seen_end: false }
    }
}

/// What may happen next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Event {
    // what comes by itself
    SayEnd,
    SayTaken,
    Hear(Side),
    SeeEnd(Side),
    TryLock(Side),
    /// What is settled is let go: the socket, and the lock of who does not serve by it any more.
    LetGo(Side),
    // what may come or not
    Stay,
    Close,
    Kill(Side),
    /// The socket breaks; whether what is on its way is lost, too.
    Cut {
        is_lost: bool,
    },
}

const EVENTS: [Event; 16] = [
    Event::SayEnd,
    Event::SayTaken,
    Event::Hear(Side::Old),
    Event::Hear(Side::New),
    Event::SeeEnd(Side::Old),
    Event::SeeEnd(Side::New),
    Event::TryLock(Side::Old),
    Event::TryLock(Side::New),
    Event::LetGo(Side::Old),
    Event::LetGo(Side::New),
    Event::Stay,
    Event::Close,
    Event::Kill(Side::Old),
    Event::Kill(Side::New),
    Event::Cut { is_lost: false },
    Event::Cut { is_lost: true },
];

impl Event {
    fn comes_by_itself(self) -> bool {
        !matches!(self, Self::Stay | Self::Close | Self::Kill(_) | Self::Cut { .. })
    }
}

impl World {
    fn new() -> Self {
        Self {
            giver: Giver::default(),
            taker: Taker::default(),
            old: Process::new(),
            new: Process::new(),
            lock: Some(Side::Old),
            kept: false,
            has_served: false,
            is_closed: false,
        }
    }

    fn old_serves(&self) -> bool {
        self.old.is_alive && matches!(self.giver, Giver::Holding | Giver::Kept)
    }

    fn new_serves(&self) -> bool {
        self.new.is_alive && matches!(self.taker, Taker::Serving | Taker::Settled)
    }

    fn process(&mut self, side: Side) -> &mut Process {
        match side {
            Side::Old => &mut self.old,
            Side::New => &mut self.new,
        }
    }

    fn other(side: Side) -> Side {
        match side {
            Side::Old => Side::New,
            Side::New => Side::Old,
        }
    }

    fn carry_out(&mut self, side: Side, steps: &[Step]) {
        for step in steps {
            match step {
                Step::Unlock => {
                    assert_eq!(self.lock, Some(side), "it lets go what it has");
                    self.lock = None;
                }
                Step::Say(word) => {
                    let connected = self.old.has_socket && self.new.has_socket;
                    let other = self.process(Self::other(side));
                    if connected && other.is_alive {
                        other.inbox.push_back(*word);
                    }
                }
                Step::Serve => {
                    assert_eq!(self.lock, Some(side), "who serves has the lock");
                    match side {
                        Side::Old => self.kept = true,
                        Side::New => self.has_served = true,
                    }
                }
                Step::Yield => {}
            }
        }
    }

    fn close_socket(&mut self, side: Side) {
        self.process(side).has_socket = false;
    }

    /// Has it happen. None: it can't.
    fn after(&self, event: Event) -> Option<Self> {
        let mut next = self.clone();
        match event {
            Event::SayEnd | Event::Stay => {
                let word = if event == Event::SayEnd { Word::End } else { Word::Refused };
                let steps = next.giver.say(word);
                if !self.old.is_alive || steps.is_empty() {
                    return None;
                }
                next.carry_out(Side::Old, steps);
            }
            Event::SayTaken | Event::Close => {
                let word = if event == Event::SayTaken { Word::Taken } else { Word::Refused };
                let steps = next.taker.say(word);
                if !self.new.is_alive || steps.is_empty() {
                    return None;
                }
                next.carry_out(Side::New, steps);
                next.is_closed |= event == Event::Close;
            }
            Event::Hear(side) => {
                let process = next.process(side);
                if !process.is_alive || !process.has_socket {
                    return None;
                }
                let word = process.inbox.pop_front()?;
                let steps = match side {
                    Side::Old => next.giver.handle_word(word),
                    Side::New => next.taker.handle_word(word),
                };
                next.carry_out(side, steps);
            }
            Event::SeeEnd(side) => {
                let other = next.process(Self::other(side));
                let is_over = !other.is_alive || !other.has_socket;
                let process = next.process(side);
                let hears = process.is_alive && process.has_socket && process.inbox.is_empty();
                let is_broken = process.is_alive && !process.has_socket;
                if process.has_seen_end || !(is_broken || (hears && is_over)) {
                    return None;
                }
                process.has_seen_end = true;
                let steps = match side {
                    Side::Old => next.giver.handle_end(),
                    Side::New => next.taker.handle_end(),
                };
                next.carry_out(side, steps);
            }
            Event::TryLock(side) => {
                let wants = match side {
                    Side::Old => self.old.is_alive && self.giver.is_locking(),
                    Side::New => self.new.is_alive && self.taker.is_locking(),
                };
                if !wants {
                    return None;
                }
                let is_locked = self.lock.is_none() && !self.kept;
                if is_locked {
                    next.lock = Some(side);
                }
                let steps = match side {
                    Side::Old => next.giver.handle_lock(is_locked),
                    Side::New => next.taker.handle_lock(is_locked),
                };
                next.carry_out(side, steps);
            }
            Event::LetGo(side) => {
                let is_over = match side {
                    Side::Old => self.old.is_alive && self.giver.is_settled(),
                    Side::New => self.new.is_alive && self.taker == Taker::Out,
                };
                let has_lock = self.lock == Some(side);
                let has_socket = next.process(side).has_socket;
                if !is_over || !(has_lock || has_socket) {
                    return None;
                }
                next.close_socket(side);
                if has_lock {
                    next.lock = None;
                }
            }
            Event::Kill(side) => return self.after_kill(side),
            Event::Cut { is_lost } => return self.after_cut(is_lost),
        }
        Some(next)
    }

    /// The system takes all of a process. None: there is none.
    fn after_kill(&self, side: Side) -> Option<Self> {
        let mut next = self.clone();
        let process = next.process(side);
        if !std::mem::take(&mut process.is_alive) {
            return None;
        }
        process.has_socket = false;
        if self.lock == Some(side) {
            next.lock = None;
        }
        Some(next)
    }

    /// The socket breaks. None: that changes nothing.
    fn after_cut(&self, is_lost: bool) -> Option<Self> {
        let mut next = self.clone();
        for side in [Side::Old, Side::New] {
            let process = next.process(side);
            if is_lost || process.inbox.is_empty() {
                process.inbox.clear();
                process.has_socket = false;
            }
        }
        (next != *self).then_some(next)
    }

    /// What must hold when nothing more comes by itself.
    fn check_at_rest(&self) -> Result<(), &'static str> {
        let count = usize::from(self.old_serves()) + usize::from(self.new_serves());
        // It has served, and was ended by its program or killed.
        let has_ended = self.has_served && (self.is_closed || !self.new.is_alive);
        match (self.old.is_alive, self.new.is_alive) {
            (true, _) if count == 1 || has_ended => Ok(()),
            (true, _) => Err("there is one that serves"),
            // One that is out listens by itself when the port is free.
            (false, true) if count == 1 || self.taker == Taker::Out => Ok(()),
            (false, true) => Err("who is left serves"),
            (false, false) => Ok(()),
        }
    }
}

#[test]
fn whatever_happens_one_serves() {
    let first = World::new();
    let mut from: HashMap<World, Option<(World, Event)>> = HashMap::from([(first.clone(), None)]);
    let mut left = VecDeque::from([first]);
    let story = |from: &HashMap<World, Option<(World, Event)>>, end: &World| {
        let mut events = Vec::new();
        let mut at = end.clone();
        while let Some(Some((before, event))) = from.get(&at) {
            events.push(*event);
            at = before.clone();
        }
        events.reverse();
        events
    };
    let mut rests = 0;
    while let Some(world) = left.pop_front() {
        assert!(
            !(world.old_serves() && world.new_serves()),
            "two serve after {:?}: {world:?}",
            story(&from, &world)
        );
        let mut is_at_rest = true;
        for event in EVENTS {
            let Some(next) = world.after(event) else { continue };
            is_at_rest &= !event.comes_by_itself();
            if !from.contains_key(&next) {
                from.insert(next.clone(), Some((world.clone(), event)));
                left.push_back(next);
            }
        }
        if is_at_rest {
            rests += 1;
            if let Err(what) = world.check_at_rest() {
                panic!("{what}, not after {:?}: {world:?}", story(&from, &world));
            }
        }
    }
    assert!(rests > 10 && from.len() > 200, "{rests} ends of {} states", from.len());
}

/// The model is no good if it does not find what is wrong: without the lock, two serve.
#[test]
fn without_the_lock_two_would_serve() {
    let mut world = World::new();
    world = world.after(Event::Cut { is_lost: true }).unwrap();
    world = world.after(Event::SeeEnd(Side::New)).unwrap();
    assert!(world.taker.is_locking());
    assert!(world.old_serves());
    let mut taker = world.taker;
    assert_eq!(taker.handle_lock(true), [Step::Serve], "which the lock does not allow");
    let held = world.after(Event::TryLock(Side::New)).unwrap();
    assert_eq!(held.taker, Taker::Out);
}
