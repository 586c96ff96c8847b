//! The probe: a WebSocket that is about to take a polling session over.
//!
//! ```text
//!   client                          server
//!     │  (a WebSocket with the sid)   │
//!     │ ─────────────────────────────►│  Opened ───────────────┐
//!     │  2probe                       │                        │ upgrade_timeout is over,
//!     │ ─────────────────────────────►│                        │ any other packet, the probe
//!     │                       3probe  │                        │ closes, the session ends
//!     │ ◄─────────────────────────────│  Probed ───────────────┤
//!     │  (ends its poll: a noop helps)│                        ▼
//!     │  5                            │                   failed: polling goes on untouched
//!     │ ─────────────────────────────►│  upgraded
//! ```

use super::heartbeat::after;
use super::packet::{Packet, PacketType};

/// A parked poll is answered with a noop this often while the client waits to let go of polling,
/// milliseconds; the client sends its upgrade packet only when no poll is in flight.
const NOOP_INTERVAL: u64 = 100;

/// What became of the probe after one packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// It asked: answer `3probe`.
    Probed,
    /// It is the transport now.
    Complete,
    /// It said something else.
    Failed,
}

/// What is due at a deadline of the probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// Not yet.
    Nothing,
    /// Answer a parked poll with a noop.
    Noop,
    /// The client took too long.
    Expired,
}

/// One probe in progress.
#[derive(Debug)]
pub(super) struct Upgrade {
    deadline: u64,
    /// When a parked poll gets its next noop; `None` before the probe packet.
    noop_at: Option<u64>,
}

impl Upgrade {
    pub(super) fn new(now: u64, upgrade_timeout: u64) -> Self {
        Self { deadline: after(now, upgrade_timeout), noop_at: None }
    }

    /// The client could not go on: it has all of its time again.
    pub(super) fn put_off(&mut self, now: u64, upgrade_timeout: u64) {
        self.deadline = after(now, upgrade_timeout);
    }

    /// Whether the client has been told that the probe is good.
    pub(super) fn is_probed(&self) -> bool {
        self.noop_at.is_some()
    }

    /// A packet came by the probe. An upgrade packet is good even when no probe packet went before.
    pub(super) fn handle_packet(&mut self, now: u64, packet: &Packet<'_>) -> Step {
        if packet.is(PacketType::Ping, "probe") {
            self.noop_at = Some(after(now, NOOP_INTERVAL));
            Step::Probed
        } else if packet.kind == PacketType::Upgrade {
            Step::Complete
        } else {
            Step::Failed
        }
    }

    pub(super) fn poll_timeout(&self) -> u64 {
        self.noop_at.map_or(self.deadline, |at| at.min(self.deadline))
    }

    pub(super) fn handle_timeout(&mut self, now: u64) -> Due {
        if now >= self.deadline {
            return Due::Expired;
        }
        match &mut self.noop_at {
            Some(at) if now >= *at => {
                *at = after(now, NOOP_INTERVAL);
                Due::Noop
            }
            Some(_) | None => Due::Nothing,
        }
    }
}
