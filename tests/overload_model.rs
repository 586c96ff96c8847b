//! Overload against a model: it is entered at a bound, left after a time of calm, and does not swing.

use ferrosocket::limits::overload::{Bounds, CALM, Load, Measure, Overload, low};
use proptest::prelude::*;

const BOUND: u64 = 1_000;

fn overload() -> Overload {
    Overload::new(Bounds { inbox_age: Some(BOUND), inbox_bytes: None, memory: Some(BOUND) })
}

fn age(inbox_age: u64) -> Load {
    Load { inbox_age, ..Load::default() }
}

#[test]
fn it_is_entered_at_the_bound_and_left_after_calm() {
    let overload = overload();
    assert_eq!(overload.measure(age(BOUND - 1), 10_000), None);
    assert_eq!(overload.measure(age(BOUND), 10_001), Some(Measure::InboxAge));
    assert_eq!(overload.measure(age(0), 10_002), Some(Measure::InboxAge));
    // Half of it is no calm.
    assert_eq!(overload.measure(age(BOUND / 2 + 1), 11_000), Some(Measure::InboxAge));
    assert_eq!(overload.measure(age(BOUND / 2), 11_000 + CALM - 1), Some(Measure::InboxAge));
    assert_eq!(overload.measure(age(BOUND / 2), 11_000 + CALM), None);
    assert_eq!(overload.measure(age(BOUND - 1), 20_000), None);
}

#[test]
fn memory_that_is_kept_does_not_keep_everybody_out() {
    let overload = overload();
    let memory = |memory| Load { memory, ..Load::default() };
    assert_eq!(overload.measure(memory(BOUND), 10_000), Some(Measure::Memory));
    // An eighth less is what a process gives back that has let its clients go; half of it may never be reached.
    assert_eq!(overload.measure(memory(BOUND * 7 / 8 + 1), 20_000), Some(Measure::Memory));
    assert_eq!(overload.measure(memory(BOUND * 7 / 8), 20_000 + CALM), None);
}

#[test]
fn what_has_no_bound_counts_for_nothing() {
    let overload = overload();
    let load = Load { inbox_bytes: u64::MAX, ..Load::default() };
    assert_eq!(overload.measure(load, 0), None);
    let load = Load { memory: BOUND, ..Load::default() };
    assert_eq!(overload.measure(load, 1), Some(Measure::Memory));
}

proptest! {
    #[test]
    fn it_does_not_swing(steps in prop::collection::vec((0..3_000_u64, 0..2_000_u64, 0..2_000_u64), 0..100)) {
        let overload = overload();
        let (mut now, mut was, mut last_high) = (10_000, None, 0);
        for (pause, inbox_age, memory) in steps {
            now += pause;
            let is = overload.measure(Load { inbox_age, memory, ..Load::default() }, now);
            let is_full = inbox_age >= BOUND || memory >= BOUND;
            let is_high = inbox_age > low(Measure::InboxAge, BOUND) || memory > low(Measure::Memory, BOUND);
            if is_high {
                last_high = now;
            }
            prop_assert!(!is_full || is.is_some(), "at a bound nobody is let in");
            prop_assert!(is.is_none() || is_full || was.is_some(), "only a bound begins it");
            if was.is_some() && is.is_none() {
                prop_assert!(now - last_high >= CALM, "it lasts until there was calm");
            }
            if is.is_some() {
                prop_assert!(now - last_high < CALM || is_full, "and no longer");
            }
            was = is;
        }
    }
}
