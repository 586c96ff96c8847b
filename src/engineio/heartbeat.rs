//! The heartbeat: who pings, and how long an answer may take.
//!
//! ```text
//!              ping_interval is over: send a ping
//!      ┌────────────────────────────────────────────┐
//!      │                                            ▼
//!   Resting ◄──────── a pong came ──────────── Waiting ──── ping_timeout is over ──► dead
//!      │ ▲                                       │ ▲
//!      └─┘ a pong nobody asked for:              └─┘ the first other packet, an upgrade, our own
//!          the interval begins again                 back-pressure or a blocked JavaScript thread:
//!                                                    the wait begins again
//! ```
//!
//! Protocol 3 turns the roles around: the client pings, at least once in `ping_interval` and
//! `ping_timeout`. That is the third state, *Listening*, which such a session never leaves.

use super::config::Config;
use super::dialect::Protocol;

/// What to do at a deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beat {
    /// Not yet.
    Nothing,
    /// Send a ping.
    Ping,
    /// The client is gone.
    Timeout,
}

/// Where the heartbeat of a session stands that goes to another process: without a time of this one's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CarriedBeat {
    /// The next ping is due in so many milliseconds.
    Resting(u64),
    /// A ping has been out for so many milliseconds.
    Waiting(u32),
    /// The client is to ping.
    Listening,
}

/// Where the heartbeat of one session stands.
#[derive(Debug)]
pub(super) enum Heartbeat {
    /// Nothing is due from the client.
    Resting { ping_at: u64 },
    /// A ping is out. `sent_at`: the lower bits of the time.
    Waiting { deadline: u64, sent_at: u32, refreshed: bool, prolonged: bool },
    /// The client is to ping.
    Listening { deadline: u64, prolonged: bool },
}

/// A deadline `delay` away. At least 1 ms, as with JavaScript's timers: a delay of 0 must not make
/// the deadlines of one instant endless.
pub(super) fn after(now: u64, delay: u64) -> u64 {
    now.saturating_add(delay.max(1))
}

/// When a client that pings counts as gone.
fn patience(now: u64, config: &Config) -> u64 {
    after(now, config.ping_interval.saturating_add(config.ping_timeout))
}

/// A time of which no more is kept: enough for the difference of two, and it takes no room.
fn lower_bits(now: u64) -> u32 {
    let [a, b, c, d, ..] = now.to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

impl Heartbeat {
    pub(super) fn new(protocol: Protocol, now: u64, config: &Config) -> Self {
        match protocol {
            Protocol::V3 => Self::Listening { deadline: patience(now, config), prolonged: false },
            Protocol::V4 => Self::Resting { ping_at: after(now, config.ping_interval) },
        }
    }

    /// For another process to go on with.
    pub(super) fn carry(&self, now: u64) -> CarriedBeat {
        match self {
            Self::Resting { ping_at } => CarriedBeat::Resting(ping_at.saturating_sub(now)),
            Self::Waiting { sent_at, .. } => {
                CarriedBeat::Waiting(lower_bits(now).wrapping_sub(*sent_at))
            }
            Self::Listening { .. } => CarriedBeat::Listening,
        }
    }

    /// Goes on with that of another process; what does not fit the protocol begins anew.
    pub(super) fn adopt(beat: CarriedBeat, protocol: Protocol, now: u64, config: &Config) -> Self {
        match (protocol, beat) {
            (Protocol::V4, CarriedBeat::Resting(left)) => {
                Self::Resting { ping_at: after(now, left.min(config.ping_interval)) }
            }
            (Protocol::V4, CarriedBeat::Waiting(ago)) => Self::Waiting {
                deadline: after(now, config.ping_timeout),
                sent_at: lower_bits(now).wrapping_sub(ago),
                refreshed: false,
                prolonged: false,
            },
            (Protocol::V4, CarriedBeat::Listening) | (Protocol::V3, _) => {
                Self::new(protocol, now, config)
            }
        }
    }

    /// Any packet but a pong came. A slow uplink may be busy with it while the pong waits behind it,
    /// so the wait is prolonged; only once for each ping, or a client could live for ever by a trickle of
    /// packets.
    #[inline]
    pub(super) fn handle_packet(&mut self, now: u64, ping_timeout: u64) {
        if let Self::Waiting { deadline, refreshed: refreshed @ false, .. } = self {
            *deadline = after(now, ping_timeout);
            *refreshed = true;
        }
    }

    /// The client's part of a beat came: a pong, or with protocol 3 a ping. Gives how long a pong took, if it was asked for.
    pub(super) fn handle_beat(
        &mut self,
        protocol: Protocol,
        now: u64,
        config: &Config,
    ) -> Option<u32> {
        match std::mem::replace(self, Self::new(protocol, now, config)) {
            Self::Waiting { sent_at, .. } => Some(lower_bits(now).wrapping_sub(sent_at)),
            Self::Resting { .. } | Self::Listening { .. } => None,
        }
    }

    /// The wait for a pong that is due, or for a client that pings, begins again.
    pub(super) fn restart_wait(&mut self, now: u64, config: &Config) {
        match self {
            Self::Waiting { deadline, .. } => *deadline = after(now, config.ping_timeout),
            Self::Listening { deadline, .. } => *deadline = patience(now, config),
            Self::Resting { .. } => {}
        }
    }

    /// The client can't be heard for now, and is to be pinged as if it had answered: clients that are not give up. Gives whether that is due.
    pub(super) fn ping_again(&mut self, now: u64, config: &Config) -> bool {
        let Self::Waiting { deadline, sent_at, .. } = self else { return false };
        // The wait may have begun again since the last one was sent.
        let passed = u64::from(lower_bits(now).wrapping_sub(*sent_at));
        let is_due = now >= *deadline || passed >= config.ping_timeout.max(1);
        if is_due {
            *deadline = after(now, config.ping_timeout);
            *sent_at = lower_bits(now);
        }
        is_due
    }

    /// The wait begins again, once for each beat: a client that has gone must not be kept for as long as JavaScript is
    /// slow.
    pub(super) fn prolong_wait(&mut self, now: u64, config: &Config) {
        let (Self::Waiting { prolonged, .. } | Self::Listening { prolonged, .. }) = self else {
            return;
        };
        if !std::mem::replace(prolonged, true) {
            self.restart_wait(now, config);
        }
    }

    /// The client has sent something that lies unread, and its pong behind it: it is pinged on, at the usual times.
    pub(super) fn skip_pong(&mut self, now: u64, config: &Config) {
        if let Self::Waiting { deadline, .. } = self {
            let sent_at = deadline.saturating_sub(config.ping_timeout);
            *self = Self::Resting { ping_at: after(sent_at, config.ping_interval).max(now) };
        }
    }

    pub(super) fn poll_timeout(&self) -> u64 {
        match self {
            Self::Resting { ping_at } => *ping_at,
            Self::Waiting { deadline, .. } | Self::Listening { deadline, .. } => *deadline,
        }
    }

    /// Whether the client is late at `now`.
    pub(super) fn is_overdue(&self, now: u64) -> bool {
        now >= self.poll_timeout() && !matches!(self, Self::Resting { .. })
    }

    pub(super) fn handle_timeout(&mut self, now: u64, ping_timeout: u64) -> Beat {
        if now < self.poll_timeout() {
            return Beat::Nothing;
        }
        match self {
            Self::Waiting { .. } | Self::Listening { .. } => Beat::Timeout,
            Self::Resting { .. } => {
                let deadline = after(now, ping_timeout);
                let sent_at = lower_bits(now);
                *self = Self::Waiting { deadline, sent_at, refreshed: false, prolonged: false };
                Beat::Ping
            }
        }
    }
}
