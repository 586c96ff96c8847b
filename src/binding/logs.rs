//! The logs of connection state recovery: one a namespace, beside the rooms.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::net::command::Outgoing;
use crate::socketio::RecoveryLog;
use crate::socketio::recovery_log::packets::StoredPacket;

/// The messages of a packet, shared by the log and the workers.
pub type Messages = Arc<[Outgoing]>;

/// What is kept for one namespace.
pub type Log = RecoveryLog<Messages>;

/// The logs of this thread by their numbers.
#[derive(Debug, Default)]
pub struct Logs {
    logs: FxHashMap<u32, Log>,
    last: u32,
}

impl Logs {
    /// Adds a log; gives its number.
    pub fn open(&mut self, log: Log) -> u32 {
        self.last += 1;
        self.logs.insert(self.last, log);
        self.last
    }

    /// Forgets a log.
    pub fn close(&mut self, log: u32) {
        self.logs.remove(&log);
    }

    /// Bytes that all of them keep, about.
    pub fn bytes(&self) -> usize {
        self.logs.values().map(|log| log.packets().bytes() + log.sessions().bytes()).sum()
    }

    /// The log of that number.
    pub fn get(&self, log: u32) -> Option<&Log> {
        self.logs.get(&log)
    }

    /// The log of that number, to be changed.
    pub fn get_mut(&mut self, log: u32) -> Option<&mut Log> {
        self.logs.get_mut(&log)
    }

    /// Keeps a packet that is sent now. A log that is not there keeps nothing.
    pub fn store(&mut self, log: u32, packet: StoredPacket<Messages>) {
        if let Some(log) = self.logs.get_mut(&log) {
            log.store(packet);
        }
    }

    /// All messages that the session has missed since the packet `last`; nothing when some are gone.
    pub fn missed(&self, log: u32, session: u64, last: u64) -> Option<Vec<Outgoing>> {
        let missed = self.logs.get(&log)?.missed(session, last)?;
        Some(missed.flat_map(|messages| messages.iter().cloned()).collect())
    }
}
