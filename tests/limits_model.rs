//! The limits against models that say the same in the plainest way: a bucket that counts tokens, a gate that has lists.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use ferrosocket::limits::bucket::{Bucket, Rate};
use ferrosocket::limits::counts::Most;
use ferrosocket::limits::gate::{Gate, Pending, Reason, Settings, Ticket};
use proptest::collection::vec;
use proptest::prelude::*;

/// A bucket as one thinks of it.
#[derive(Debug)]
struct Tokens {
    rate: f64,
    burst: f64,
    left: f64,
    at: u64,
}

impl Tokens {
    fn new(rate: f64, burst: f64) -> Self {
        Self { rate, burst, left: burst, at: 0 }
    }

    fn pass_time(&mut self, now: u64) {
        #[expect(clippy::cast_precision_loss, reason = "times of a test are short")]
        let seconds = (now - self.at) as f64 / 1000.0;
        self.left = (self.left + seconds * self.rate).min(self.burst);
        self.at = now;
    }
}

/// Rates whose tokens take whole nanoseconds, so that both count the same.
fn rates() -> impl Strategy<Value = (f64, f64)> {
    let rate = prop_oneof![Just(0.5), Just(1.0), Just(4.0), Just(10.0), Just(250.0), Just(1000.0)];
    (rate, 1_u32..50).prop_map(|(rate, burst)| (rate, f64::from(burst)))
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Wait(u64),
    Take(u64),
    Charge(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => (0_u64..3000).prop_map(Step::Wait),
        5 => (1_u64..20).prop_map(Step::Take),
        1 => (1_u64..20).prop_map(Step::Charge),
    ];
    vec(step, 1..200)
}

const CLOSE: f64 = 1e-6;

proptest! {
    #[test]
    fn a_bucket_gives_what_the_model_gives((rate, burst) in rates(), steps in steps()) {
        let (bucket, of) = (Bucket::default(), Rate::new(rate, burst));
        let mut model = Tokens::new(rate, burst);
        let mut now = 0;
        for step in steps {
            #[expect(clippy::cast_precision_loss, reason = "few")]
            match step {
                Step::Wait(milliseconds) => now += milliseconds,
                Step::Take(count) => {
                    model.pass_time(now);
                    let taken = bucket.take(of, now, count);
                    let missing = count as f64 - model.left;
                    prop_assert_eq!(taken.is_ok(), missing <= CLOSE, "{} of {:?}", count, model);
                    match taken {
                        Ok(()) => model.left -= count as f64,
                        // It is there after that time, and not a millisecond earlier.
                        Err(wait) => {
                            let takes = missing / rate * 1000.0;
                            prop_assert!((wait as f64) >= takes - CLOSE && (wait as f64) < takes + 1.0 + CLOSE);
                        }
                    }
                }
                Step::Charge(count) => {
                    model.pass_time(now);
                    bucket.charge(of, now, count);
                    model.left -= count as f64;
                }
            }
            model.pass_time(now);
            let has_one = model.left >= 1.0 - CLOSE;
            prop_assert_eq!(bucket.wait(of, now) == 0, has_one, "{:?}", model);
            prop_assert_eq!(bucket.left(of, now) >= 1, has_one, "{:?}", model);
            prop_assert_eq!(bucket.is_full(now), model.left >= burst - CLOSE, "{:?}", model);
            // Once it has waited for as long as it says, there is one.
            let wait = bucket.wait(of, now);
            prop_assert_eq!(bucket.wait(of, now + wait), 0);
        }
    }

    /// However takes are spread: in any span of time no more pass than the burst and what comes in it.
    #[test]
    fn no_span_has_more_than_the_burst_and_what_comes_in_it(
        (rate, burst) in rates(),
        pauses in vec(0_u64..500, 1..300),
    ) {
        let (bucket, of) = (Bucket::default(), Rate::new(rate, burst));
        let mut now = 0;
        let mut passed: Vec<u64> = Vec::new();
        for pause in pauses {
            now += pause;
            if bucket.take(of, now, 1).is_ok() {
                passed.push(now);
            }
        }
        for (from, &began) in passed.iter().enumerate() {
            for (to, &ended) in passed.iter().enumerate().skip(from) {
                #[expect(clippy::cast_precision_loss, reason = "few")]
                let (count, most) = ((to - from + 1) as f64, burst + rate * (ended - began) as f64 / 1000.0);
                prop_assert!(count <= most + CLOSE, "{} in {}..{}", count, began, ended);
            }
        }
    }

    #[test]
    fn a_gate_lets_in_whom_the_model_lets_in(settings in settings(), events in vec(event(), 1..200)) {
        let gate = Arc::new(Gate::new(settings.read(), None));
        let mut model = Model::new(settings);
        let mut tickets: Vec<(u8, Ticket)> = Vec::new();
        let mut handshakes: Vec<(u8, Option<Pending>)> = Vec::new();
        let mut now = 0;
        for event in events {
            match event {
                Event::Wait(milliseconds) => now += milliseconds,
                Event::Come(from) => {
                    let admitted = gate.admit(Some(address(from)), now);
                    let expected = model.admit(from, now);
                    prop_assert_eq!(admitted.as_ref().err().map(|refused| refused.reason), expected);
                    if let Ok(ticket) = admitted {
                        tickets.push((from, ticket));
                    }
                }
                Event::TakeIn(from) => {
                    tickets.push((from, gate.take_in(Some(address(from)), now)));
                    model.take_in(from);
                }
                Event::Join(which) if !tickets.is_empty() => {
                    let place = which % tickets.len();
                    tickets[place].1.authenticate();
                    model.join(place);
                }
                Event::Leave(which) if !tickets.is_empty() => {
                    let place = which % tickets.len();
                    drop(tickets.swap_remove(place));
                    model.leave(place);
                }
                Event::Ask(from) => {
                    let passed = gate.pass(Some(address(from)), now);
                    let expected = model.pass(from, now);
                    prop_assert_eq!(passed.as_ref().err().map(|refused| refused.reason), expected);
                    if let Ok(pending) = passed {
                        handshakes.push((from, pending));
                    }
                }
                Event::Decide(which, is_for) if !handshakes.is_empty() => {
                    let place = which % handshakes.len();
                    let (from, pending) = handshakes.swap_remove(place);
                    drop(pending);
                    model.handshakes.swap_remove(place);
                    if is_for {
                        let reserved = gate.reserve(Some(address(from)), now);
                        let expected = model.reserve(from);
                        prop_assert_eq!(reserved.as_ref().err().map(|refused| refused.reason), expected);
                        tickets.extend(reserved.ok().map(|ticket| (from, ticket)));
                    }
                }
                Event::Join(_) | Event::Leave(_) | Event::Decide(..) => {}
            }
            prop_assert_eq!(gate.clients() as usize, tickets.len());
            if settings.unauthenticated.is_set() {
                let unauthenticated = model.clients.iter().filter(|(_, joined)| !joined);
                prop_assert_eq!(gate.unauthenticated() as usize, unauthenticated.count());
            }
            if settings.handshakes.is_set() {
                prop_assert_eq!(gate.handshakes() as usize, handshakes.len());
            }
        }
        drop(tickets);
        drop(handshakes);
        prop_assert_eq!((gate.clients(), gate.unauthenticated(), gate.handshakes()), (0, 0, 0));
        prop_assert_eq!(gate.refused_in_all(), model.refused);
    }
}

#[derive(Clone, Copy, Debug)]
struct Limits {
    per_address: Option<(f64, f64)>,
    total: Option<(f64, f64)>,
    clients: Most,
    unauthenticated: Most,
    handshakes: Most,
}

impl Limits {
    fn read(self) -> Settings {
        let Self { per_address, total, clients, unauthenticated, handshakes } = self;
        let rate = |(rate, burst)| Rate::new(rate, burst);
        Settings {
            connects_per_address: per_address.map(rate),
            connects: total.map(rate),
            clients,
            unauthenticated,
            handshakes,
            prefix: 64,
            ..Settings::default()
        }
    }
}

fn most() -> impl Strategy<Value = Most> {
    let count = || proptest::option::of(1_u32..8);
    (count(), count()).prop_map(|(in_all, per_address)| Most { in_all, per_address })
}

fn settings() -> impl Strategy<Value = Limits> {
    let rate = || proptest::option::of(rates());
    (rate(), rate(), most(), most(), most()).prop_map(
        |(per_address, total, clients, unauthenticated, handshakes)| Limits {
            per_address,
            total,
            clients,
            unauthenticated,
            handshakes,
        },
    )
}

#[derive(Clone, Copy, Debug)]
enum Event {
    Wait(u64),
    /// A handshake comes that a worker decides about.
    Come(u8),
    /// A client is handed over by another process.
    TakeIn(u8),
    Join(usize),
    Leave(usize),
    /// A handshake comes that JavaScript decides about…
    Ask(u8),
    /// …and that one is decided about: for its session or against it.
    Decide(usize, bool),
}

fn event() -> impl Strategy<Value = Event> {
    let which = || 0_usize..100;
    prop_oneof![
        2 => (0_u64..1000).prop_map(Event::Wait),
        5 => (0_u8..4).prop_map(Event::Come),
        1 => (0_u8..4).prop_map(Event::TakeIn),
        2 => which().prop_map(Event::Join),
        2 => which().prop_map(Event::Leave),
        4 => (0_u8..4).prop_map(Event::Ask),
        3 => (which(), any::<bool>()).prop_map(|(which, is_for)| Event::Decide(which, is_for)),
    ]
}

fn address(from: u8) -> IpAddr {
    Ipv4Addr::new(10, 0, 0, from).into()
}

/// A gate as one thinks of it: who is there, in lists.
#[derive(Debug)]
struct Model {
    limits: Limits,
    total: Option<Tokens>,
    addresses: HashMap<u8, Option<Tokens>>,
    /// Where each comes from, and whether it has joined a namespace.
    clients: Vec<(u8, bool)>,
    handshakes: Vec<u8>,
    refused: u64,
}

impl Model {
    fn new(limits: Limits) -> Self {
        let total = limits.total.map(|(rate, burst)| Tokens::new(rate, burst));
        let addresses = HashMap::new();
        Self { limits, total, addresses, clients: Vec::new(), handshakes: Vec::new(), refused: 0 }
    }

    /// Whether tokens are missing, and whose.
    fn lacks(&mut self, from: u8, now: u64) -> Option<Reason> {
        let rate = self.limits.per_address;
        let tokens = self
            .addresses
            .entry(from)
            .or_insert_with(|| rate.map(|(rate, burst)| Tokens::new(rate, burst)));
        let lacks = |tokens: &mut Option<Tokens>| {
            tokens.as_mut().is_some_and(|tokens| {
                tokens.pass_time(now);
                tokens.left < 1.0 - CLOSE
            })
        };
        if lacks(tokens) {
            Some(Reason::AddressRate)
        } else if lacks(&mut self.total) {
            Some(Reason::Rate)
        } else {
            None
        }
    }

    fn take(&mut self, from: u8) {
        let tokens = self.addresses.entry(from).or_default();
        for tokens in [tokens, &mut self.total].into_iter().flatten() {
            tokens.left -= 1.0;
        }
    }

    /// Whether there is no room for one more client…
    fn is_full(&self, from: u8) -> Option<Reason> {
        let clients: Vec<u8> = self.clients.iter().map(|(from, _)| *from).collect();
        let unauthenticated: Vec<u8> =
            self.clients.iter().filter(|(_, joined)| !joined).map(|(from, _)| *from).collect();
        let limits = self.limits;
        full(limits.clients, &clients, from, Reason::AddressClients, Reason::Clients).or_else(
            || {
                let (of_address, all) = (Reason::AddressUnauthenticated, Reason::Unauthenticated);
                full(limits.unauthenticated, &unauthenticated, from, of_address, all)
            },
        )
    }

    /// …and for one more handshake.
    fn is_busy(&self, from: u8) -> Option<Reason> {
        let (of_address, all) = (Reason::AddressHandshakes, Reason::Handshakes);
        full(self.limits.handshakes, &self.handshakes, from, of_address, all)
    }

    fn note(&mut self, reason: Option<Reason>) -> Option<Reason> {
        self.refused += u64::from(reason.is_some());
        reason
    }

    fn admit(&mut self, from: u8, now: u64) -> Option<Reason> {
        let reason = self.lacks(from, now).or_else(|| self.is_full(from));
        if reason.is_none() {
            self.clients.push((from, false));
            self.take(from);
        }
        self.note(reason)
    }

    fn pass(&mut self, from: u8, now: u64) -> Option<Reason> {
        let reason =
            self.lacks(from, now).or_else(|| self.is_full(from)).or_else(|| self.is_busy(from));
        if reason.is_none() {
            self.handshakes.push(from);
            self.take(from);
        }
        self.note(reason)
    }

    fn reserve(&mut self, from: u8) -> Option<Reason> {
        let reason = self.is_full(from);
        if reason.is_none() {
            self.clients.push((from, false));
        }
        self.note(reason)
    }

    fn take_in(&mut self, from: u8) {
        self.clients.push((from, false));
    }

    fn join(&mut self, place: usize) {
        self.clients[place].1 = true;
    }

    fn leave(&mut self, place: usize) {
        self.clients.swap_remove(place);
    }
}

/// Which limit those that are there have reached, for one more from this address.
fn full(most: Most, there: &[u8], from: u8, of_address: Reason, all: Reason) -> Option<Reason> {
    let count = |of: &dyn Fn(u8) -> bool| there.iter().filter(|&&from| of(from)).count();
    let is_at = |most: Option<u32>, count: usize| most.is_some_and(|most| count >= most as usize);
    if is_at(most.per_address, count(&|other| other == from)) {
        Some(of_address)
    } else if is_at(most.in_all, there.len()) {
        Some(all)
    } else {
        None
    }
}
