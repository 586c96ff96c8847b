//! What clients may send, against what it means: how much comes in any span, that nothing is kept for longer than needed, and that a
//! client which keeps within its limits does not notice them.

use std::sync::Arc;

use ferrosocket::limits::addresses::{Address, Addresses};
use ferrosocket::limits::bucket::Rate;
use ferrosocket::limits::traffic::{
    Action, Judgement, Limit, Meter, NamespaceRules, Over, Rule, Traffic,
};
use proptest::collection::vec;
use proptest::prelude::*;

/// What comes of one client: at what time after the last, how long, and whether it can be dropped.
#[derive(Clone, Copy, Debug)]
struct Message {
    pause: u64,
    bytes: u64,
    is_event: bool,
}

fn messages() -> impl Strategy<Value = Vec<Message>> {
    let message =
        (prop_oneof![3 => Just(0), 1 => 0_u64..2_000], 1_u64..500, prop::bool::weighted(0.8))
            .prop_map(|(pause, bytes, is_event)| Message { pause, bytes, is_event });
    vec(message, 1..200)
}

fn actions() -> impl Strategy<Value = Action> {
    prop::sample::select(&Action::ALL[..])
}

const EVENTS: (f64, f64) = (10.0, 5.0);
const BYTES: (f64, f64) = (1_000.0, 600.0);

fn rate((rate, burst): (f64, f64)) -> Rate {
    Rate::new(rate, burst)
}

fn of_client(events: Action, bytes: Action) -> Traffic {
    Traffic {
        events: Rule { per_client: Some(rate(EVENTS)), per_address: None, action: events },
        bytes: Rule { per_client: Some(rate(BYTES)), per_address: None, action: bytes },
        ..Traffic::default()
    }
}

/// What has become of a message that was sent at one time, and looked at at another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Taken,
    Dropped,
    Ended,
}

/// A driver as `net/client` is one: it reads nothing of who is paused.
fn drive(
    traffic: &Traffic,
    address: Option<&Address>,
    sent: &[Message],
) -> Vec<(u64, Message, Fate)> {
    let meter = Meter::new(traffic);
    let (mut now, mut paused_until) = (10_000, 0_u64);
    let mut seen = Vec::new();
    for message in sent {
        now = (now + message.pause).max(paused_until);
        let judged = traffic.judge(&meter, address, None, now);
        let is_forced = matches!(judged, Judgement::Drop(_)) && !message.is_event;
        let fate = match judged {
            Judgement::End(_) => Fate::Ended,
            Judgement::Drop(_) if message.is_event => Fate::Dropped,
            Judgement::Drop(_) | Judgement::Pass => {
                traffic.charge(&meter, address, None, now, (1, message.bytes));
                Fate::Taken
            }
        };
        seen.push((now, *message, fate));
        if fate == Fate::Ended {
            break;
        }
        if let Some(Over { wait, .. }) = traffic.pause(&meter, address, None, now, is_forced) {
            paused_until = now + wait;
        }
    }
    seen
}

/// The most that may come within so many milliseconds.
#[expect(clippy::cast_precision_loss, reason = "times of a test are short")]
fn most((rate, burst): (f64, f64), span: u64) -> f64 {
    burst + rate * span as f64 / 1000.0 + 1e-6
}

proptest! {
    #[test]
    fn no_more_comes_in_any_span_than_may(sent in messages(), events in actions(), bytes in actions()) {
        let seen = drive(&of_client(events, bytes), None, &sent);
        let taken: Vec<_> = seen.iter().filter(|(.., fate)| *fate == Fate::Taken).collect();
        for (first, (from, ..)) in taken.iter().enumerate() {
            let (mut count, mut sum) = (0.0, 0.0);
            for (at, message, _) in &taken[first..] {
                count += 1.0;
                #[expect(clippy::cast_precision_loss, reason = "few")]
                let length = message.bytes as f64;
                sum += length;
                // Where others are dropped, one that can't be is taken before its client is paused.
                let forced = f64::from(u8::from([events, bytes].contains(&Action::Drop)));
                prop_assert!(count - forced <= most(EVENTS, at - from), "{count} events");
                // One message may be longer than what is left.
                prop_assert!(sum - length - forced * 500.0 <= most(BYTES, at - from), "{sum} bytes");
            }
        }
    }

    #[test]
    fn who_waits_loses_nothing_and_waits_no_longer_than_needed(sent in messages()) {
        let traffic = of_client(Action::Pause, Action::Pause);
        let seen = drive(&traffic, None, &sent);
        prop_assert_eq!(seen.len(), sent.len());
        prop_assert!(seen.iter().all(|(.., fate)| *fate == Fate::Taken));
        // All of it takes no longer than what it costs, beyond the pauses of the client itself, and a millisecond each.
        let paused: u64 = sent.iter().map(|message| message.pause).sum();
        #[expect(clippy::cast_precision_loss, reason = "few")]
        let cost = (sent.len() as f64 / EVENTS.0)
            .max(sent.iter().map(|message| message.bytes as f64).sum::<f64>() / BYTES.0);
        let took = seen.last().unwrap().0 - 10_000;
        #[expect(clippy::cast_precision_loss, reason = "times of a test are short")]
        let most = cost * 1000.0 + (paused + sent.len() as u64) as f64;
        #[expect(clippy::cast_precision_loss, reason = "times of a test are short")]
        let took = took as f64;
        prop_assert!(took <= most, "{took} ms, and not {most}");
    }

    #[test]
    fn only_events_are_dropped_and_only_while_there_are_too_many(sent in messages()) {
        let traffic = of_client(Action::Drop, Action::Drop);
        let seen = drive(&traffic, None, &sent);
        prop_assert_eq!(seen.len(), sent.len());
        let (mut count, mut bytes) = (0.0_f64, 0.0_f64);
        let mut last = 10_000;
        for (at, message, fate) in seen {
            #[expect(clippy::cast_precision_loss, reason = "times of a test are short")]
            let seconds = (at - last) as f64 / 1000.0;
            last = at;
            count = (count - seconds * EVENTS.0).max(0.0);
            bytes = (bytes - seconds * BYTES.0).max(0.0);
            let is_full = count + 1.0 > EVENTS.1 + 1e-6 || bytes + 1.0 > BYTES.1 + 1e-6;
            prop_assert_eq!(fate == Fate::Dropped, is_full && message.is_event);
            if fate == Fate::Taken {
                count += 1.0;
                #[expect(clippy::cast_precision_loss, reason = "few")]
                let length = message.bytes as f64;
                bytes += length;
            }
        }
    }

    #[test]
    fn who_keeps_within_the_limits_does_not_notice(
        sent in vec((100_u64..2_000, 1_u64..100), 1..200), events in actions(), bytes in actions(),
    ) {
        let sent: Vec<_> = sent
            .into_iter()
            .map(|(pause, bytes)| Message { pause, bytes, is_event: true })
            .collect();
        let seen = drive(&of_client(events, bytes), None, &sent);
        let mut now = 10_000;
        prop_assert_eq!(seen.len(), sent.len());
        for (at, message, fate) in seen {
            now += message.pause;
            prop_assert_eq!((at, fate), (now, Fate::Taken));
        }
    }

    #[test]
    fn clients_of_an_address_share_what_it_may(
        sent in vec((0_usize..4, prop_oneof![3 => Just(0_u64), 1 => 0_u64..500]), 1..200),
    ) {
        let traffic = Traffic {
            events: Rule { per_client: None, per_address: Some(rate(EVENTS)), action: Action::Drop },
            ..Traffic::default()
        };
        let addresses = Addresses::new(64);
        let address = addresses.get("127.0.0.1".parse().unwrap(), 0);
        let other = addresses.get("127.0.0.2".parse().unwrap(), 0);
        prop_assert!(!Arc::ptr_eq(&address, &other));
        let meters: Vec<_> = (0..4).map(|_| Meter::new(&traffic)).collect();
        let (mut now, mut taken) = (10_000, Vec::new());
        for (client, pause) in sent {
            now += pause;
            let judged = traffic.judge(&meters[client], Some(&address), None, now);
            if judged == Judgement::Pass {
                traffic.charge(&meters[client], Some(&address), None, now, (1, 1));
                taken.push(now);
            }
            let unconcerned = traffic.judge(&meters[client], Some(&other), None, now);
            prop_assert_eq!(unconcerned, Judgement::Pass);
        }
        for (first, from) in taken.iter().enumerate() {
            for (count, at) in taken[first..].iter().enumerate() {
                #[expect(clippy::cast_precision_loss, reason = "few")]
                let count = (count + 1) as f64;
                prop_assert!(count <= most(EVENTS, at - from));
            }
        }
    }
}

#[test]
fn a_namespace_has_limits_of_its_own_besides() {
    let rule =
        |burst, action| Rule { per_client: Some(rate((1.0, burst))), per_address: None, action };
    let traffic = Traffic {
        events: rule(3.0, Action::Pause),
        namespaces: [NamespaceRules {
            name: "/chat".into(),
            events: rule(1.0, Action::Disconnect),
            bytes: Rule::default(),
        }]
        .into(),
        ..Traffic::default()
    };
    assert_eq!(traffic.action(Limit::NamespaceEvents), Some(Action::Disconnect));
    assert_eq!(traffic.action(Limit::Bytes), None);
    let (meter, chat) = (Meter::new(&traffic), traffic.namespace("/chat"));
    assert_eq!((chat, traffic.namespace("/")), (Some(0), None));
    assert_eq!(traffic.judge(&meter, None, chat, 1_000), Judgement::Pass);
    traffic.charge(&meter, None, chat, 1_000, (1, 10));
    let over = Over { limit: Limit::NamespaceEvents, wait: 1_000 };
    assert_eq!(traffic.judge(&meter, None, chat, 1_000), Judgement::End(over));
    // Elsewhere it may send on, until it has sent what it may in all.
    for _ in 0..2 {
        assert_eq!(traffic.pause(&meter, None, None, 1_000, false), None);
        assert_eq!(traffic.judge(&meter, None, None, 1_000), Judgement::Pass);
        traffic.charge(&meter, None, None, 1_000, (1, 10));
    }
    let over = Over { limit: Limit::Events, wait: 1_000 };
    assert_eq!(traffic.pause(&meter, None, None, 1_000, false), Some(over));
}
