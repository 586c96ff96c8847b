//! The limits against models that say the same in the plainest way: a bucket that counts tokens, a gate that has lists.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use ferrosocket::limits::bucket::{Bucket, Rate};
use ferrosocket::limits::gate::{Gate, Reason, Settings, Ticket};
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
                Event::Leave(which) if !tickets.is_empty() => {
                    let (from, ticket) = tickets.swap_remove(which % tickets.len());
                    drop(ticket);
                    model.leave(from);
                }
                Event::Leave(_) => {}
            }
            prop_assert_eq!(gate.clients() as usize, tickets.len());
        }
        prop_assert_eq!(gate.refused_in_all(), model.refused);
    }
}

#[derive(Clone, Copy, Debug)]
struct Limits {
    per_address: Option<(f64, f64)>,
    total: Option<(f64, f64)>,
    clients: Option<u32>,
    clients_per_address: Option<u32>,
}

impl Limits {
    fn read(self) -> Settings {
        let rate = |(rate, burst)| Rate::new(rate, burst);
        Settings {
            connects_per_address: self.per_address.map(rate),
            connects: self.total.map(rate),
            max_clients: self.clients,
            max_clients_per_address: self.clients_per_address,
            prefix: 64,
            ..Settings::default()
        }
    }
}

fn settings() -> impl Strategy<Value = Limits> {
    let count = || proptest::option::of(1_u32..8);
    let rate = || proptest::option::of(rates());
    (rate(), rate(), count(), count()).prop_map(
        |(per_address, total, clients, clients_per_address)| Limits {
            per_address,
            total,
            clients,
            clients_per_address,
        },
    )
}

#[derive(Clone, Copy, Debug)]
enum Event {
    Wait(u64),
    Come(u8),
    Leave(usize),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        2 => (0_u64..1000).prop_map(Event::Wait),
        5 => (0_u8..4).prop_map(Event::Come),
        2 => (0_usize..100).prop_map(Event::Leave),
    ]
}

fn address(from: u8) -> IpAddr {
    Ipv4Addr::new(10, 0, 0, from).into()
}

#[derive(Debug)]
struct Model {
    limits: Limits,
    total: Option<Tokens>,
    addresses: HashMap<u8, (Option<Tokens>, u32)>,
    refused: u64,
}

impl Model {
    fn new(limits: Limits) -> Self {
        let total = limits.total.map(|(rate, burst)| Tokens::new(rate, burst));
        Self { limits, total, addresses: HashMap::new(), refused: 0 }
    }

    fn admit(&mut self, from: u8, now: u64) -> Option<Reason> {
        let Limits { per_address, clients, clients_per_address, .. } = self.limits;
        let all: u32 = self.addresses.values().map(|(_, count)| count).sum();
        let (tokens, count) = self
            .addresses
            .entry(from)
            .or_insert_with(|| (per_address.map(|(rate, burst)| Tokens::new(rate, burst)), 0));
        let lacks = |tokens: &mut Option<Tokens>| {
            tokens.as_mut().is_some_and(|tokens| {
                tokens.pass_time(now);
                tokens.left < 1.0 - CLOSE
            })
        };
        let reason = if lacks(tokens) {
            Some(Reason::AddressRate)
        } else if lacks(&mut self.total) {
            Some(Reason::Rate)
        } else if clients_per_address.is_some_and(|most| *count >= most) {
            Some(Reason::AddressClients)
        } else if clients.is_some_and(|most| all >= most) {
            Some(Reason::Clients)
        } else {
            None
        };
        if reason.is_none() {
            *count += 1;
            for tokens in [tokens, &mut self.total].into_iter().flatten() {
                tokens.left -= 1.0;
            }
        } else {
            self.refused += 1;
        }
        reason
    }

    fn leave(&mut self, from: u8) {
        if let Some((_, count)) = self.addresses.get_mut(&from) {
            *count -= 1;
        }
    }
}
