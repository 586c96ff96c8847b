//! The Engine.IO protocol, revision 4, section by section, on a clock that the test turns.

mod close;
mod handshake;
mod harness;
mod heartbeat;
mod polling;
mod upgrade;
mod websocket;
