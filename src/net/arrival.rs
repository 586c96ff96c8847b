//! What a connection comes in for, and the answer to its first request.

use crate::http::encoding::Encoding;
use crate::http::request::Persistence;
use crate::id::{Sid, Slot};
use crate::limits::gate::Ticket;
use crate::websocket::handshake::Accept;

/// The request that a polling session is opened by, which has been read: a plain GET.
#[derive(Debug)]
pub struct Opening {
    /// The session.
    pub sid: Sid,
    /// How a large answer is to be compressed.
    pub encoding: Option<Encoding>,
    /// What becomes of the connection behind the answer.
    pub persistence: Persistence,
    /// Its place among the clients, if they are counted.
    pub ticket: Option<Ticket>,
}

/// The answer to an upgrade request that is let through.
#[derive(Debug)]
pub enum UpgradeResponse {
    /// As it goes out.
    Whole(Vec<u8>),
    /// Still to be made of the request's `Sec-WebSocket-Key`, which has been checked, and of
    /// further header lines, each with its `\r\n`. It names no subprotocol.
    Accept {
        /// The key.
        key: String,
        /// The lines.
        headers: String,
    },
}

impl UpgradeResponse {
    /// The bytes that go out.
    pub fn into_bytes(self) -> Vec<u8> {
        match self {
            Self::Whole(bytes) => bytes,
            Self::Accept { key, headers } => {
                let mut bytes = Vec::with_capacity(160 + headers.len());
                Accept::of_key(&key).write_response(&mut bytes, &headers);
                bytes
            }
        }
    }
}

/// What an incoming WebSocket is for.
#[derive(Debug)]
pub enum Purpose {
    /// A new session.
    Session(Sid),
    /// The upgrade of this session.
    Upgrade(Slot),
}
