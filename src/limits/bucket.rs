//! A token bucket in one number: the time at which it is full again.
//!
//! ```text
//!                 burst
//!        ◄─────────────────────►
//!   ─────┬──────────┬───────────┬────────► time
//!        now     full_at     now + burst
//!        │◄─ used ─►│◄── left ─►│            behind `now + burst` it is in debt
//! ```

use std::sync::atomic::{AtomicU64, Ordering};

const NANOS_PER_MILLI: u64 = 1_000_000;
const NANOS_PER_SECOND: f64 = 1e9;
/// A token takes no longer than a day to come back, and a bucket no longer than a year to fill: no sum of times overflows.
const LONGEST_TOKEN: f64 = 86_400.0 * NANOS_PER_SECOND;
const LONGEST_BURST: f64 = 366.0 * LONGEST_TOKEN;

/// How fast a bucket fills, and how much is in a full one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Nanoseconds in which one token comes.
    token: u64,
    /// Nanoseconds in which an empty bucket fills.
    burst: u64,
}

impl Rate {
    /// So many tokens each second, and at most `burst` at once, which is at least one.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to the range of u64"
    )]
    pub fn new(per_second: f64, burst: f64) -> Self {
        let token = (NANOS_PER_SECOND / per_second).clamp(1.0, LONGEST_TOKEN);
        let full = (token * burst.max(1.0)).clamp(token, LONGEST_BURST);
        Self { token: token as u64, burst: full.ceil() as u64 }
    }

    /// What so many tokens take to come.
    fn cost(self, tokens: u64) -> u64 {
        self.token.saturating_mul(tokens)
    }
}

/// A bucket; full at first.
#[derive(Debug, Default)]
pub struct Bucket {
    /// When it is full again, in nanoseconds.
    full_at: AtomicU64,
}

impl Bucket {
    /// Takes so many tokens, if they are there. Else nothing is taken.
    ///
    /// # Errors
    /// Milliseconds until they are there, at least one.
    pub fn take(&self, rate: Rate, now: u64, tokens: u64) -> Result<(), u64> {
        let now = nanos(now);
        let mut full_at = self.full_at.load(Ordering::Relaxed);
        loop {
            let next = full_at.max(now).saturating_add(rate.cost(tokens));
            let over = (next - now).saturating_sub(rate.burst);
            if over > 0 {
                return Err(millis(over));
            }
            let swapped = self.full_at.compare_exchange_weak(
                full_at,
                next,
                Ordering::Relaxed,
                Ordering::Relaxed,
            );
            match swapped {
                Ok(_) => return Ok(()),
                Err(current) => full_at = current,
            }
        }
    }

    /// Takes so many tokens, whether they are there or not: it may be in debt then.
    pub fn charge(&self, rate: Rate, now: u64, tokens: u64) {
        let now = nanos(now);
        let cost = rate.cost(tokens);
        let charged = |full_at: u64| Some(full_at.max(now).saturating_add(cost));
        let _before = self.full_at.fetch_update(Ordering::Relaxed, Ordering::Relaxed, charged);
    }

    /// Milliseconds until there is a token; 0: there is one.
    pub fn wait(&self, rate: Rate, now: u64) -> u64 {
        let used = self.used(now).saturating_add(rate.token);
        millis(used.saturating_sub(rate.burst))
    }

    /// How many tokens are there.
    pub fn left(&self, rate: Rate, now: u64) -> u64 {
        rate.burst.saturating_sub(self.used(now)) / rate.token
    }

    /// Whether it is full: nothing is known by it then.
    pub fn is_full(&self, now: u64) -> bool {
        self.used(now) == 0
    }

    /// Nanoseconds until it is full.
    fn used(&self, now: u64) -> u64 {
        self.full_at.load(Ordering::Relaxed).saturating_sub(nanos(now))
    }
}

fn nanos(millis: u64) -> u64 {
    millis.saturating_mul(NANOS_PER_MILLI)
}

fn millis(nanos: u64) -> u64 {
    nanos.div_ceil(NANOS_PER_MILLI)
}
