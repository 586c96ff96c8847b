//! Engine.IO, sans-IO: packets, payloads, heartbeat, polling, upgrade and the session that ties
//! them together.
//!
//! Nothing here opens a socket, reads a clock or draws randomness. A driver feeds a [`Session`]
//! with what arrived and the time (milliseconds of any monotonic clock), then drains
//! [`Session::poll_action`] until it is empty, and comes back at [`Session::poll_timeout`].
//!
//! | file | tells |
//! |---|---|
//! | `packet` | one packet and its text form |
//! | `dialect` | the revision of the protocol, and how bytes travel |
//! | `base64` | bytes inside of text |
//! | `payload`, `payload_v3` | several packets in one HTTP body |
//! | `jsonp` | such a body as a script, and in a form |
//! | `config` | what the handshake announces, and the limits |
//! | `close` | why a session ended |
//! | `error` | what the peer may get wrong in a packet |
//! | `handshake` | what both sides agree on at the start |
//! | `action` | what a session asks of its driver |
//! | `heartbeat` | who pings, and how long an answer may take |
//! | `polling` | the two requests of HTTP long-polling |
//! | `upgrade` | the probe that moves a session to WebSocket |
//! | `session` | the machine of all of these; `requests` and `probe` are its two larger parts, `carried` is how it goes to another process |

pub mod action;
mod base64;
pub mod close;
pub mod config;
pub mod dialect;
pub mod error;
pub mod handshake;
mod heartbeat;
mod intake;
mod jsonp;
pub mod packet;
pub mod payload;
pub mod payload_v3;
mod polling;
pub mod session;
mod upgrade;

pub use action::{Action, Body, Link, PostFault, PostHalt, PostStart, RequestId};
pub use close::{CloseReason, Fault};
pub use config::Config;
pub use dialect::{Dialect, Protocol};
pub use error::InvalidPacket;
pub use handshake::Transport;
pub use heartbeat::CarriedBeat;
pub use packet::{Data, OutMessage, Packet, PacketType, decode_text};
pub use session::carried::{CarriedPacket, CarriedPolling, CarriedPost, CarriedSession};
pub use session::{Route, Session};
