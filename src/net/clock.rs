//! The one place that reads the clocks.

use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime};

static START: OnceLock<Instant> = OnceLock::new();

/// Milliseconds of a monotonic clock since its first use in this process.
pub fn now() -> u64 {
    u64::try_from(elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// Microseconds of the same clock.
pub fn now_micros() -> u64 {
    u64::try_from(elapsed().as_micros()).unwrap_or(u64::MAX)
}

/// What [`now`] would have told at a time that [`now_micros`] has told.
pub fn in_millis(micros: u64) -> u64 {
    micros / 1000
}

fn elapsed() -> Duration {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the clock that the other floors are told"
    )]
    let now = Instant::now();
    let start = *START.get_or_init(|| now);
    now.saturating_duration_since(start)
}

/// Seconds since 1970-01-01 00:00:00 UTC, for the header `Date`.
pub fn unix_seconds() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "this is where the clocks are read")]
    let now = SystemTime::now();
    now.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
