//! The Engine.IO protocol, revision 4, section by section, and what is different in revision 3, on
//! a clock that the test turns.

mod close;
mod handshake;
mod harness;
mod heartbeat;
mod polling;
mod protocol3;
mod upgrade;
mod waiting;
mod websocket;
