//! Connection state recovery at the border: one log a namespace, beside the rooms.
//!
//! Packets come with the operations (`operations.rs`), so that what is kept and what is sent is the same memory;
//! all else is rare, and comes by calls. What the application stores with a session stays in JavaScript, under
//! the session's key.
#![expect(clippy::needless_pass_by_value, reason = "arguments from JavaScript come by value")]

use std::rc::Rc;

use napi::Either;
use napi::bindgen_prelude::Buffer;
use napi_derive::napi;

use super::data_plane::DataPlane;
use super::logs::Messages;
use crate::net::command::Outgoing;
use crate::socketio::RecoveryLog;
use crate::socketio::recovery_log::lost_sessions::LostSession;
use crate::socketio::recovery_log::packets::{PACKET_OVERHEAD, StoredPacket};

/// What came of keeping a session.
#[napi(object)]
#[derive(Debug)]
pub struct PersistedSession {
    /// Names the session.
    pub key: i64,
    /// The keys of older ones that had to make room.
    pub forgotten: Vec<i64>,
}

/// A session as it comes back.
#[napi(object)]
#[derive(Debug)]
pub struct RestoredSession {
    /// Names the session.
    pub key: i64,
    /// The id of its socket.
    pub sid: String,
    /// The numbers of its rooms.
    pub rooms: Vec<u32>,
}

/// What is left after the oldest has gone.
#[napi(object)]
#[derive(Debug)]
pub struct ExpiredSessions {
    /// The keys of those that are forgotten.
    pub forgotten: Vec<i64>,
    /// Whether nothing is kept any more.
    pub empty: bool,
}

/// A packet that is kept, for another process.
#[napi(object)]
#[expect(missing_debug_implementations, reason = "Node's buffers have none")]
pub struct KeptPacket {
    /// When it was sent.
    pub time: i64,
    /// The numbers of the rooms that it was sent to.
    pub rooms: Vec<u32>,
    /// The numbers of the rooms that were left out.
    pub except: Vec<u32>,
    /// What it is made of.
    #[napi(ts_type = "(string | Buffer)[]")]
    pub messages: Vec<Either<String, Buffer>>,
}

/// A session that was lost, for another process.
#[napi(object)]
#[derive(Debug)]
pub struct KeptSession {
    /// Names it.
    pub key: i64,
    /// The secret of its client.
    pub pid: String,
    /// The id of its socket.
    pub sid: String,
    /// When it was lost.
    pub lost_at: i64,
}

/// All numbers and times are whole and from 0 to 2^53, in milliseconds; those of rooms are dense.
#[napi]
impl DataPlane {
    /// Opens a log that keeps up to `max_bytes` of packets, and as much of sessions; gives its
    /// number. The first packet that is kept gets the number `first`.
    #[napi(catch_unwind)]
    pub fn open_recovery(&self, max_bytes: i64, first: i64) -> u32 {
        let max_bytes = usize::try_from(max_bytes).unwrap_or(usize::MAX);
        self.operations().logs.open(RecoveryLog::new(max_bytes, whole(first)))
    }

    /// Forgets a log.
    #[napi(catch_unwind)]
    pub fn close_recovery(&self, log: u32) {
        self.operations().logs.close(log);
    }

    /// Keeps a session that was lost at the time `now`. `size`: what the names of its rooms take, in
    /// bytes. Nothing when there is no such log.
    #[napi(catch_unwind)]
    pub fn persist_session(
        &self,
        log: u32,
        pid: String,
        sid: String,
        #[napi(ts_arg_type = "readonly number[]")] rooms: Vec<u32>,
        size: u32,
        now: i64,
    ) -> Option<PersistedSession> {
        let session = LostSession {
            pid: Rc::from(pid),
            socket_id: sid.into(),
            rooms: rooms.into(),
            lost_at: whole(now),
            size: size as usize,
        };
        let (key, forgotten) = self.operations().logs.get_mut(log)?.persist(session);
        Some(PersistedSession { key: key.cast_signed(), forgotten: keys(forgotten) })
    }

    /// The key of the session `pid`, if it was lost.
    #[napi(catch_unwind)]
    pub fn find_session(&self, log: u32, pid: String) -> Option<i64> {
        let operations = self.operations();
        let (key, _) = operations.logs.get(log)?.sessions().find(&pid)?;
        Some(key.cast_signed())
    }

    /// The session `pid`, if it was lost at `oldest` or later and all that came after the packet
    /// `last` is kept.
    #[napi(catch_unwind)]
    pub fn restore_session(
        &self,
        log: u32,
        pid: String,
        last: i64,
        oldest: i64,
    ) -> Option<RestoredSession> {
        let operations = self.operations();
        let log = operations.logs.get(log)?;
        let (key, session) = log.restore(&pid, whole(last), whole(oldest))?;
        Some(RestoredSession {
            key: key.cast_signed(),
            sid: session.socket_id.to_string(),
            rooms: session.rooms.to_vec(),
        })
    }

    /// The packets that a session has missed since `last`, each as its messages; nothing when one is
    /// gone. For those who want to see them: to send them there is an operation.
    #[napi(catch_unwind)]
    pub fn missed_packets(
        &self,
        log: u32,
        session: i64,
        last: i64,
    ) -> Option<Vec<Vec<Either<String, Buffer>>>> {
        let operations = self.operations();
        let missed = operations.logs.get(log)?.missed(whole(session), whole(last))?;
        Some(missed.map(|messages| messages.iter().map(part).collect()).collect())
    }

    /// The number of the oldest packet that is kept, or of the next one; 0 when there is no such log.
    #[napi(catch_unwind)]
    pub fn first_packet(&self, log: u32) -> i64 {
        let operations = self.operations();
        operations.logs.get(log).map_or(0, |log| log.packets().first().cast_signed())
    }

    /// The packets from the one numbered `from` on, up to about so many bytes, and one at least.
    #[napi(catch_unwind)]
    pub fn kept_packets(&self, log: u32, from: i64, bytes: i64) -> Vec<KeptPacket> {
        let operations = self.operations();
        let Some(log) = operations.logs.get(log) else { return Vec::new() };
        let Some(packets) = log.packets().after(whole(from).saturating_sub(1)) else {
            return Vec::new();
        };
        let mut room = usize::try_from(bytes).unwrap_or(0);
        let fits = |packet: &&StoredPacket<Messages>| {
            let has_room = room > 0;
            room = room.saturating_sub(packet.size + PACKET_OVERHEAD);
            has_room
        };
        packets.take_while(fits).map(kept).collect()
    }

    /// Those who were lost, in that order.
    #[napi(catch_unwind)]
    pub fn lost_sessions(&self, log: u32) -> Vec<KeptSession> {
        let operations = self.operations();
        let Some(log) = operations.logs.get(log) else { return Vec::new() };
        let kept = |(key, session): (u64, &LostSession)| KeptSession {
            key: key.cast_signed(),
            pid: session.pid.to_string(),
            sid: session.socket_id.to_string(),
            lost_at: session.lost_at.cast_signed(),
        };
        log.sessions().iter().map(kept).collect()
    }

    /// The number of the last packet that was sent before `time`; 0 when none is known.
    #[napi(catch_unwind)]
    pub fn last_packet_before(&self, log: u32, time: i64) -> i64 {
        let operations = self.operations();
        let log = operations.logs.get(log);
        log.map_or(0, |log| log.packets().last_before(whole(time)).cast_signed())
    }

    /// Forgets the session `pid`; gives its key.
    #[napi(catch_unwind)]
    pub fn forget_session(&self, log: u32, pid: String) -> Option<i64> {
        let mut operations = self.operations();
        operations.logs.get_mut(log)?.forget(&pid).map(u64::cast_signed)
    }

    /// Forgets who was lost before the time `lost`, and what was sent before `sent`.
    #[napi(catch_unwind)]
    pub fn expire_recovery(&self, log: u32, lost: i64, sent: i64) -> Option<ExpiredSessions> {
        let mut operations = self.operations();
        let log = operations.logs.get_mut(log)?;
        let forgotten = keys(log.expire(whole(lost), whole(sent)));
        Some(ExpiredSessions { forgotten, empty: log.is_empty() })
    }

    /// The numbers of rooms that nothing kept refers to.
    #[napi(catch_unwind)]
    pub fn unused_recovery_rooms(&self, log: u32) -> Vec<u32> {
        self.operations().logs.get(log).map_or_else(Vec::new, RecoveryLog::unused_rooms)
    }
}

/// A number as it comes over the border.
fn whole(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

fn keys(keys: Vec<u64>) -> Vec<i64> {
    keys.into_iter().map(u64::cast_signed).collect()
}

fn kept(packet: &StoredPacket<Messages>) -> KeptPacket {
    KeptPacket {
        time: packet.time.cast_signed(),
        rooms: packet.rooms.to_vec(),
        except: packet.except.to_vec(),
        messages: packet.messages.iter().map(part).collect(),
    }
}

/// A part of a packet, as JavaScript has it.
pub(super) fn part(message: &Outgoing) -> Either<String, Buffer> {
    match message {
        // It came as a string.
        Outgoing::Text(text) => Either::A(String::from_utf8_lossy(text).into_owned()),
        Outgoing::Binary(data) => Either::B(Buffer::from(data.to_vec())),
    }
}
