//! The clock of a link: that of its timers, which a test can turn.

use tokio::time::Instant;

/// Milliseconds of a monotonic clock since its first use.
pub(super) fn now() -> u64 {
    let elapsed = Instant::now().saturating_duration_since(start());
    u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(not(test))]
fn start() -> Instant {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    *START.get_or_init(Instant::now)
}

#[cfg(test)]
thread_local! {
    static START: std::cell::Cell<Option<Instant>> = const { std::cell::Cell::new(None) };
}

/// Each test has its own, which begins when it says so.
#[cfg(test)]
fn start() -> Instant {
    START.get().unwrap_or_else(begin)
}

/// The clock of this test begins now.
#[cfg(test)]
pub(super) fn begin() -> Instant {
    let now = Instant::now();
    START.set(Some(now));
    now
}
