//! When paced events are due, and the timer that wakes the loop for them.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};

use crate::config::Pace;

/// Of the timer; clients have those that count from 0.
pub(crate) const TIMER: Token = Token(usize::MAX);

/// How long ticks are, where events wait for them.
const TICK: Duration = Duration::from_millis(1);

/// Any but 0: all servers get the same events at the same times.
const SEED: u64 = 0x9e37_79b9_7f4a_7c15;

/// The times at which events are due: `rate` of them a second on average.
///
/// A poll by itself waits for whole milliseconds; a timer's descriptor knows shorter times.
#[derive(Debug)]
pub(crate) struct Pacer {
    timer: OwnedFd,
    pace: Pace,
    /// The mean time between two events.
    gap: f64,
    next: Instant,
    /// What the timer is set to.
    armed: Option<Instant>,
    random: u64,
}

impl Pacer {
    /// Nothing is due before [`Self::start`].
    pub(crate) fn new(registry: &Registry, pace: Pace, rate: f64) -> io::Result<Self> {
        let timer = timerfd_create(
            TimerfdClockId::Monotonic,
            TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK,
        )?;
        registry.register(&mut SourceFd(&timer.as_raw_fd()), TIMER, Interest::READABLE)?;
        let next = Instant::now();
        Ok(Self { timer, pace, gap: 1.0 / rate, next, armed: None, random: SEED })
    }

    /// The first event is due now.
    pub(crate) fn start(&mut self, now: Instant) {
        self.next = now;
    }

    /// When the next event was due, if it was before `now`; then the one behind it is the next.
    pub(crate) fn take_due(&mut self, now: Instant) -> Option<Instant> {
        let due = self.next;
        if due > now {
            return None;
        }
        let gap = self.next_gap();
        self.next += gap;
        Some(due)
    }

    /// Has the timer wake the loop when the next event is due, or at the tick behind that.
    pub(crate) fn arm(&mut self, now: Instant) -> io::Result<()> {
        if self.armed == Some(self.next) {
            return Ok(());
        }
        self.armed = Some(self.next);
        let mut wait = self.next.saturating_duration_since(now);
        if self.pace == Pace::Ticks {
            wait = wait.max(TICK);
        }
        // A timer set to 0 is off.
        let wait = wait.max(Duration::from_nanos(1));
        let it_value = Timespec::try_from(wait).map_err(io::Error::other)?;
        let it_interval = Timespec { tv_sec: 0, tv_nsec: 0 };
        let new = Itimerspec { it_interval, it_value };
        timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &new)?;
        Ok(())
    }

    fn next_gap(&mut self) -> Duration {
        let gaps = match self.pace {
            Pace::Even | Pace::Ticks => 1.0,
            // Independent of each other, as events of many clients are: their gaps are distributed exponentially.
            Pace::Random => {
                // Marsaglia's xorshift.
                self.random ^= self.random << 13;
                self.random ^= self.random >> 7;
                self.random ^= self.random << 17;
                // In (0, 1]: the logarithm is finite.
                let uniform = ((self.random >> 11) + 1) as f64 / (1_u64 << 53) as f64;
                -uniform.ln()
            }
        };
        Duration::from_secs_f64(gaps * self.gap)
    }
}
