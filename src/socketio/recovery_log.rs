//! Connection state recovery: what was sent lately, and who was lost lately.
//!
//! ```text
//! connected ──persist──► lost ──restore, missed──► connected again, with what it has missed
//!                          └──too late, or its packets are gone──► forgotten
//! ```
//!
//! Both are kept for a time and up to a number of bytes; what is oldest goes first. Packets are
//! numbered without a gap. The client gives the number of the last one that it has received, so no search
//! is needed to know what it has missed, and whether that is still there.
//!
//! | file | tells |
//! |---|---|
//! | [`packets`] | the packets, and whom one concerns |
//! | [`lost_sessions`] | those who were lost |
//! | [`room_uses`] | which numbers of rooms are still in use |

pub mod lost_sessions;
pub mod packets;
pub mod room_uses;

use smallvec::SmallVec;

use self::lost_sessions::{LostSession, LostSessions, SessionKey};
use self::packets::{PacketLog, StoredPacket};
use self::room_uses::{RoomNumber, RoomUses};

/// What one namespace keeps.
///
/// `M` is what a packet is made of: the very messages that are sent, in a form that is cheap to
/// share. Rooms are named by numbers of the caller's choice, dense from 0; they need not be those
/// of [`super::rooms`], because a room is remembered here after its last member has gone.
///
/// Times are milliseconds of one clock of the caller's choice.
#[derive(Debug)]
pub struct RecoveryLog<M> {
    packets: PacketLog<M>,
    sessions: LostSessions,
    uses: RoomUses,
}

impl<M> RecoveryLog<M> {
    /// Nothing is kept yet; the first packet gets the number `first`. Packets and sessions may take
    /// `max_bytes` each.
    pub fn new(max_bytes: usize, first: u64) -> Self {
        Self {
            packets: PacketLog::new(max_bytes, first),
            sessions: LostSessions::new(max_bytes),
            uses: RoomUses::default(),
        }
    }

    /// Whether nothing is kept.
    pub fn is_empty(&self) -> bool {
        self.packets.is_empty() && self.sessions.is_empty()
    }

    /// What is kept of packets; to look at.
    pub fn packets(&self) -> &PacketLog<M> {
        &self.packets
    }

    /// Those who were lost; to look at.
    pub fn sessions(&self) -> &LostSessions {
        &self.sessions
    }

    /// Keeps a packet, under the next number.
    pub fn store(&mut self, packet: StoredPacket<M>) {
        self.uses.retain(&packet.rooms);
        self.uses.retain(&packet.except);
        self.packets.push(packet);
        while let Some(old) = self.packets.pop_surplus() {
            self.let_go(&old);
        }
    }

    /// Keeps a session that was lost, in place of one that had the same pid.
    ///
    /// Gives its key, and the keys of those that had to go for it; of a session larger than all the
    /// room there is, its own.
    pub fn persist(&mut self, session: LostSession) -> (SessionKey, Vec<SessionKey>) {
        let mut forgotten = Vec::new();
        if let Some((key, before)) = self.sessions.remove(&session.pid) {
            self.uses.release(&before.rooms);
            forgotten.push(key);
        }
        self.uses.retain(&session.rooms);
        let key = self.sessions.insert(session);
        while let Some((key, old)) = self.sessions.pop_surplus() {
            self.uses.release(&old.rooms);
            forgotten.push(key);
        }
        (key, forgotten)
    }

    /// The session `pid`, if it was lost at `oldest` or later, and if all is kept that came after
    /// the packet `last`. It stays: the client may be lost once more.
    pub fn restore(&self, pid: &str, last: u64, oldest: u64) -> Option<(SessionKey, &LostSession)> {
        let (key, session) = self.sessions.find(pid)?;
        (session.lost_at >= oldest && self.packets.after(last).is_some()).then_some((key, session))
    }

    /// What the session has missed since the packet `last`, in order.
    ///
    /// Nothing when the session or a packet after that one is gone: a client had better begin anew than
    /// believe that it has everything.
    pub fn missed(&self, key: SessionKey, last: u64) -> Option<impl Iterator<Item = &M>> {
        let session = self.sessions.get(key)?;
        let mut rooms: SmallVec<[RoomNumber; 8]> = SmallVec::from_slice(&session.rooms);
        rooms.sort_unstable();
        let concerned = move |packet: &&StoredPacket<M>| packet.concerns(&rooms);
        Some(self.packets.after(last)?.filter(concerned).map(|packet| &packet.messages))
    }

    /// Forgets the session `pid`; gives its key.
    pub fn forget(&mut self, pid: &str) -> Option<SessionKey> {
        let (key, session) = self.sessions.remove(pid)?;
        self.uses.release(&session.rooms);
        Some(key)
    }

    /// Forgets who was lost before `lost` and what was sent before `sent`; gives the keys of the
    /// sessions.
    pub fn expire(&mut self, lost: u64, sent: u64) -> Vec<SessionKey> {
        while let Some(old) = self.packets.pop_before(sent) {
            self.let_go(&old);
        }
        let mut forgotten = Vec::new();
        while let Some((key, old)) = self.sessions.pop_before(lost) {
            self.uses.release(&old.rooms);
            forgotten.push(key);
        }
        forgotten
    }

    /// The rooms known here that nothing kept refers to: their numbers may get another meaning.
    pub fn unused_rooms(&self) -> Vec<RoomNumber> {
        self.uses.unused()
    }

    fn let_go(&mut self, packet: &StoredPacket<M>) {
        self.uses.release(&packet.rooms);
        self.uses.release(&packet.except);
    }
}
