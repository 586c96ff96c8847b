//! What nodes of a cluster say to each other through Redis, in the formats of `@socket.io/redis-adapter` 8
//! and `@socket.io/redis-emitter` 5.
//!
//! | file | tells |
//! |---|---|
//! | [`frames`] | where the messages of Pub/Sub stand among all that Redis sends |
//! | [`channels`] | what the name of a channel says |
//! | [`slots`] | which slot of a Redis Cluster it has |
//! | [`broadcasts`] | a broadcast on its way between nodes: to the wire's JSON and attachments, and back |
//! | [`entries`] | the same in a stream, as `@socket.io/redis-streams-adapter` 0.3 has it |
//! | [`msgpack`] | messages in `MessagePack`, as `notepack.io` writes them |
//! | [`json`] | JSON, as far as messages are read and turned into `MessagePack` |
//!
//! Everything here may have been written by anybody who can publish: what does not follow the format is an
//! error, and what is read is bounded by the bytes that came.

pub mod broadcasts;
pub mod channels;
pub mod entries;
pub mod frames;
pub mod json;
pub mod msgpack;
pub mod slots;

use thiserror::Error;

/// How deep values may be nested. As deep as JavaScript's own parsers go in practice, and no deeper than the
/// stack of a thread allows.
pub const MAX_DEPTH: usize = 512;

/// A message does not follow its format.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("a message of the cluster can't be read")]
pub struct Malformed;
