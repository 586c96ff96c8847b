//! The packets that may have to be sent again.

use std::collections::VecDeque;

use smallvec::SmallVec;

use super::room_uses::RoomNumber;

/// What a packet takes beside its messages, about, in bytes: its place here, its allocations, the
/// names of its rooms.
pub const PACKET_OVERHEAD: usize = 256;

/// Packets up to which the list keeps its memory when they go.
const KEEP_CAPACITY: usize = 64;

/// The rooms that a packet names: seldom more than one or two.
pub type RoomList = SmallVec<[RoomNumber; 2]>;

/// A packet as it was sent.
#[derive(Clone, Debug)]
pub struct StoredPacket<M> {
    /// When it was sent, in milliseconds.
    pub time: u64,
    /// The rooms that it was sent to; none: to everybody.
    pub rooms: RoomList,
    /// The rooms that were left out.
    pub except: RoomList,
    /// What it is made of.
    pub messages: M,
    /// What its messages take, in bytes.
    pub size: usize,
}

impl<M> StoredPacket<M> {
    /// Whether it was meant for a socket in these rooms, which are in ascending order.
    pub fn concerns(&self, rooms: &[RoomNumber]) -> bool {
        let is_in = |room: &RoomNumber| rooms.binary_search(room).is_ok();
        (self.rooms.is_empty() || self.rooms.iter().any(is_in)) && !self.except.iter().any(is_in)
    }

    fn bytes(&self) -> usize {
        PACKET_OVERHEAD + self.size
    }
}

/// The last packets of a namespace, oldest first, numbered without a gap.
#[derive(Debug)]
pub struct PacketLog<M> {
    packets: VecDeque<StoredPacket<M>>,
    /// The number of the oldest packet that is kept, or of the next one when none is.
    first: u64,
    bytes: usize,
    max_bytes: usize,
}

impl<M> PacketLog<M> {
    /// No packets; the first gets the number `first`.
    pub fn new(max_bytes: usize, first: u64) -> Self {
        Self { packets: VecDeque::new(), first, bytes: 0, max_bytes }
    }

    /// How many are kept.
    pub fn len(&self) -> usize {
        self.packets.len()
    }

    /// Whether none is kept.
    pub fn is_empty(&self) -> bool {
        self.packets.is_empty()
    }

    /// What they take, about, in bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The number of the oldest packet that is kept, or of the next one when none is.
    pub fn first(&self) -> u64 {
        self.first
    }

    /// The number of the packet that comes next.
    pub fn next(&self) -> u64 {
        self.first + self.packets.len() as u64
    }

    /// The packets after the one numbered `last`. Nothing when one of them is gone, or when no such
    /// packet has been. The packet itself may be gone.
    pub fn after(&self, last: u64) -> Option<impl Iterator<Item = &StoredPacket<M>>> {
        let number = last.checked_add(1)?;
        if number > self.next() {
            return None;
        }
        let index = usize::try_from(number.checked_sub(self.first)?).ok()?;
        Some(self.packets.range(index..))
    }

    /// The number of the last packet that was sent before `time`, as far as it is known: where nothing
    /// so old is kept, that of the last one which has gone.
    pub fn last_before(&self, time: u64) -> u64 {
        let older = self.packets.partition_point(|packet| packet.time < time);
        (self.first + older as u64).saturating_sub(1)
    }

    /// Appends a packet.
    pub(super) fn push(&mut self, packet: StoredPacket<M>) {
        self.bytes += packet.bytes();
        self.packets.push_back(packet);
    }

    /// Takes the oldest out, while there is more than there may be: even a packet that is too large
    /// by itself.
    pub(super) fn pop_surplus(&mut self) -> Option<StoredPacket<M>> {
        if self.bytes <= self.max_bytes { None } else { self.pop() }
    }

    /// Takes the oldest out, while it was sent before `oldest`.
    pub(super) fn pop_before(&mut self, oldest: u64) -> Option<StoredPacket<M>> {
        if self.packets.front()?.time >= oldest { None } else { self.pop() }
    }

    fn pop(&mut self) -> Option<StoredPacket<M>> {
        let packet = self.packets.pop_front()?;
        self.first += 1;
        self.bytes -= packet.bytes();
        let (len, capacity) = (self.packets.len(), self.packets.capacity());
        // Moving the rest costs less than was saved since the last time.
        if capacity > KEEP_CAPACITY && len < capacity / 4 {
            self.packets.shrink_to(capacity / 2);
        }
        Some(packet)
    }
}
