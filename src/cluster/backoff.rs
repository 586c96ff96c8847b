//! When a connection that is lost is tried again: later each time, and not by all nodes at once.

/// How long to wait.
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    least: u64,
    most: u64,
    tries: u32,
}

impl Backoff {
    /// From `least` to `most` ms.
    pub fn new(least: u64, most: u64) -> Self {
        Self { least: least.max(1), most: most.max(least), tries: 0 }
    }

    /// It has worked.
    pub fn reset(&mut self) {
        self.tries = 0;
    }

    /// It has failed: how long to wait, in ms. `random`: any number; half of the time depends on it.
    pub fn next(&mut self, random: u32) -> u64 {
        let whole = self.least.saturating_mul(1 << self.tries.min(32)).min(self.most);
        self.tries = self.tries.saturating_add(1);
        let half = whole / 2;
        half + (whole - half) * u64::from(random) / u64::from(u32::MAX)
    }
}

/// A number that nobody foresees.
#[cfg(not(test))]
pub(super) fn random() -> u32 {
    let mut bytes = [0; 4];
    // Without randomness, all wait for the same time.
    let _unknown = getrandom::fill(&mut bytes);
    u32::from_ne_bytes(bytes)
}

/// What has failed once is to fail again: each test has the same numbers each time.
#[cfg(test)]
pub(super) fn random() -> u32 {
    LAST.set(LAST.get().wrapping_mul(1_664_525).wrapping_add(1_013_904_223));
    LAST.get()
}

#[cfg(test)]
thread_local! {
    /// The number that was given last.
    pub(super) static LAST: std::cell::Cell<u32> = const { std::cell::Cell::new(1) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_wait_is_longer_up_to_the_most() {
        let mut backoff = Backoff::new(50, 5_000);
        let longest: Vec<_> = (0..9).map(|_| backoff.next(u32::MAX)).collect();
        assert_eq!(longest, [50, 100, 200, 400, 800, 1600, 3200, 5000, 5000]);
        backoff.reset();
        assert_eq!([backoff.next(0), backoff.next(0)], [25, 50]);
        for _ in 0..100 {
            backoff.next(0);
        }
        assert_eq!(backoff.next(0), 2500);
    }
}
