//! The one place that reads the clock.

use std::sync::OnceLock;
use std::time::Instant;

static START: OnceLock<Instant> = OnceLock::new();

/// Milliseconds of a monotonic clock since its first use in this process.
pub fn now() -> u64 {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the clock that the other floors are told"
    )]
    let now = Instant::now();
    let start = *START.get_or_init(|| now);
    u64::try_from(now.saturating_duration_since(start).as_millis()).unwrap_or(u64::MAX)
}
