//! Whether a server has so much to do that nobody else is to be let in.
//!
//! ```text
//!            a measure has reached its bound
//!   Calm ────────────────────────────────────► Overloaded(by which)
//!    ▲                                               │
//!    └── each was low ([`low`]) for [`CALM`] ────────────┘
//! ```
//!
//! So it does not swing: it is not left for a moment in which a measure is low, nor entered again by one that is not as
//! high as what it takes. What waits for JavaScript is low at half of its bound, as it empties by itself. Memory does not: allocators and
//! V8 keep much of what they had, so a process may never come down to half, and seven eighths are low. Nothing runs by a clock: it is looked at when somebody comes, and when JavaScript takes what has waited.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Milliseconds for which all measures must have been low.
pub const CALM: u64 = 2_000;

/// What is too much; a measure without a bound is not looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// Milliseconds for which the oldest of what clients have sent may wait for JavaScript.
    pub inbox_age: Option<u64>,
    /// Bytes of what they have sent that may wait for it.
    pub inbox_bytes: Option<u64>,
    /// Bytes of memory that the process may have.
    pub memory: Option<u64>,
}

/// A measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// See [`Bounds::inbox_age`].
    InboxAge,
    /// See [`Bounds::inbox_bytes`].
    InboxBytes,
    /// See [`Bounds::memory`].
    Memory,
}

/// The most of a measure that is low, where so much is too much.
pub fn low(measure: Measure, bound: u64) -> u64 {
    match measure {
        Measure::InboxAge | Measure::InboxBytes => bound / 2,
        Measure::Memory => bound - bound / 8,
    }
}

/// What is measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// See [`Bounds::inbox_age`].
    pub inbox_age: u64,
    /// See [`Bounds::inbox_bytes`].
    pub inbox_bytes: u64,
    /// See [`Bounds::memory`].
    pub memory: u64,
}

/// Whether there is too much to do.
#[derive(Debug)]
pub struct Overload {
    bounds: Bounds,
    state: Mutex<State>,
}

#[derive(Clone, Copy, Debug, Default)]
struct State {
    /// What has reached its bound last.
    by: Option<Measure>,
    /// When a measure was last not low.
    high_at: u64,
}

impl Overload {
    /// Nothing has been measured.
    pub fn new(bounds: Bounds) -> Self {
        Self { bounds, state: Mutex::default() }
    }

    /// Whether memory is to be measured, which takes a look at the system.
    pub fn counts_memory(&self) -> bool {
        self.bounds.memory.is_some()
    }

    /// Takes a measurement. Gives what there is too much of, if anything is.
    pub fn measure(&self, load: Load, now: u64) -> Option<Measure> {
        let mut state = self.lock();
        let measures = self.measures(load);
        let is_high = |&(measure, value, bound): &(Measure, u64, Option<u64>)| {
            bound.is_some_and(|it| value > low(measure, it))
        };
        if measures.iter().any(is_high) {
            state.high_at = now;
        }
        let full = measures.iter().find(|(_, value, bound)| bound.is_some_and(|it| *value >= it));
        if let Some(&(measure, ..)) = full {
            state.by = Some(measure);
            state.high_at = now;
        } else if now.saturating_sub(state.high_at) >= CALM {
            state.by = None;
        }
        state.by
    }

    /// Takes one measure alone. It may begin or go on by that, but not end: nothing is known of the others.
    pub fn note_age(&self, inbox_age: u64, now: u64) {
        let Some(bound) = self.bounds.inbox_age else { return };
        let mut state = self.lock();
        if inbox_age > low(Measure::InboxAge, bound) {
            state.high_at = now;
        }
        if inbox_age >= bound {
            state.by = Some(Measure::InboxAge);
        }
    }

    fn measures(&self, load: Load) -> [(Measure, u64, Option<u64>); 3] {
        let Bounds { inbox_age, inbox_bytes, memory } = self.bounds;
        [
            (Measure::InboxAge, load.inbox_age, inbox_age),
            (Measure::InboxBytes, load.inbox_bytes, inbox_bytes),
            (Measure::Memory, load.memory, memory),
        ]
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
