//! ferrosocket: the Socket.IO server, in Rust, for Node.js.
//!
//! # Map of the house
//!
//! | floor | knows | does I/O |
//! |---|---|---|
//! | `binding` (feature `node`) | Node.js: batches up and down | napi |
//! | `cluster` (feature `redis`) | the link to Redis, and what comes by it for clients here | tokio |
//! | `net` (feature `net`) | worker threads, sockets, timers, queues | mio |
//! | [`socketio`] | Socket.IO packets, attachments, rooms, recovery | no |
//! | [`redis`] | what the nodes of a cluster say to each other | no |
//! | [`handover`] | what a process says to the one that takes its clients over | no |
//! | [`limits`] | how much may come: token buckets, addresses, who may open a session | no |
//! | [`http`] | plain HTTP requests, of polling and for a WebSocket | no |
//! | [`engineio`] | Engine.IO packets, payloads, sessions | no |
//! | [`websocket`] | RFC 6455 frames and messages | no |
//! | [`id`] | the ids | no |
//! | [`border`] | the numbers that cross the border to JavaScript | no |
//!
//! Imports run down this table only; `tests/architecture.rs` fails on an arrow that runs up.
//! The protocol floors read no clock, draw no randomness and do no I/O: all three come in
//! as arguments. `ARCHITECTURE.md` tells the rest.

#[cfg(feature = "node")]
pub mod binding;
pub mod border;
#[cfg(feature = "redis")]
pub mod cluster;
pub mod engineio;
pub mod handover;
pub mod http;
pub mod id;
pub mod limits;
#[cfg(feature = "net")]
pub mod net;
pub mod redis;
pub mod socketio;
pub mod websocket;

#[cfg(feature = "node")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
