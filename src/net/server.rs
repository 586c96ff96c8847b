//! What all connections of one Socket.IO server share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use dashmap::DashMap;
use rustc_hash::FxBuildHasher;

use super::deflate::Compression;
use super::inbox::Inbox;
use crate::engineio::{Config, Protocol, Transport};
use crate::id::{Handle, Sid};
use crate::socketio::Limits;

/// One JavaScript thread that has servers here.
#[derive(Debug)]
pub struct Environment {
    /// Tells it from the other environments of the process.
    pub id: u32,
    /// Where its records go.
    pub inbox: Inbox,
}

impl Environment {
    /// A new environment with an id of its own.
    pub fn new(inbox: Inbox) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        Self { id: NEXT.fetch_add(1, Ordering::Relaxed), inbox }
    }
}

/// One Socket.IO server.
#[derive(Debug)]
pub struct Server {
    /// JavaScript's name for it.
    pub id: u32,
    /// The environment that it belongs to.
    pub environment: Arc<Environment>,
    /// What the Engine.IO sessions need to know.
    pub engine: Arc<Config>,
    /// What the Socket.IO decoders need to know.
    pub limits: Limits,
    /// How WebSocket messages are compressed, if they are.
    pub compression: Option<Compression>,
    /// Milliseconds that a client has to join a namespace.
    pub connect_timeout: u64,
    /// Whether JavaScript decodes the packets: the server has a parser of its own.
    pub raw_messages: bool,
    /// The open sessions, shared with the server that takes its place when options change. The
    /// hash of the ids need not resist attackers: they are ours, and
    /// random, unless the application makes its own.
    pub sessions: Arc<Sessions>,
}

/// The open sessions of a server.
pub type Sessions = DashMap<Sid, SessionEntry, FxBuildHasher>;

/// What is known of a session outside of its worker.
#[derive(Clone, Copy, Debug)]
pub struct SessionEntry {
    /// Where it lives.
    pub handle: Handle,
    /// Its transport now.
    pub transport: Transport,
    /// The revision of the protocol that the client speaks.
    pub protocol: Protocol,
}
