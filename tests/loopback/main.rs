//! The data plane over real sockets on the loopback interface. The tests play JavaScript's part:
//! they accept connections, take records out of the inbox and put commands into the mailboxes.
//!
//! Nothing sleeps and no time is asserted: a test waits for a record or for bytes, and fails when
//! neither comes within [`host::PATIENCE`]. Where time has to pass, heartbeats of a second
//! connection count it.
#![cfg(feature = "net")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail by panicking")]

mod accepting;
mod back_pressure;
mod bridge;
mod client;
mod closing;
mod deadlines;
#[cfg(feature = "faults")]
mod faults;
mod host;
mod http_wire;
mod inline;
mod lifecycle;
mod messages;
mod polling;
mod reading;
mod relay;
mod sending;
mod tls;
#[path = "../tls_support/mod.rs"]
mod tls_support;
mod transferring;
mod turns;
mod upgrade;
mod violations;
