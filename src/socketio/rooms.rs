//! Rooms, and the targets of a broadcast.
//!
//! A room is a list of slots per worker, in an `Arc`: a broadcast hands each worker a snapshot for
//! the price of a counter. A list is copied only if it changes while a worker still holds one.
//! Only the control plane's thread has a [`Rooms`].

use std::sync::Arc;

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use crate::id::{Handle, Slot};

/// Names a room; what names it for the application is up to the caller, who gives no number twice:
/// a late operation must not mean another room.
pub type RoomId = u64;

/// With more members than this on a worker, a room keeps their positions in a map. With fewer, looking
/// through the list is as fast, and most rooms are small.
const INDEX_ABOVE: usize = 16;

/// Up to so many excepted sockets go along as a list, which each of a room's members is compared with.
const MAX_EXCEPT: usize = 4;

/// Whom a broadcast names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// Every socket in a room.
    Room(RoomId),
    /// One socket.
    Socket(Handle),
}

/// The sockets of one worker that a broadcast goes to: `members` without `except`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Each once, unless the application has listed the targets by itself.
    pub members: Arc<Vec<Slot>>,
    /// Those to leave out; not every one need be in `members`.
    pub except: SmallVec<[Slot; 2]>,
}

impl Group {
    /// The slots that the broadcast goes to.
    pub fn iter(&self) -> impl Iterator<Item = Slot> + '_ {
        self.members.iter().copied().filter(|slot| !self.except.contains(slot))
    }
}

/// The sockets that a broadcast goes to, fixed when it was made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Targets {
    /// A worker's index and its sockets, at least one; each worker once, in ascending order.
    pub groups: SmallVec<[(usize, Group); 4]>,
}

impl Targets {
    /// Upper bound of the number of sockets: excepted ones are counted.
    pub fn len(&self) -> usize {
        self.groups.iter().map(|(_, group)| group.members.len()).sum()
    }

    /// Whether there is no socket at all.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }
}

/// Who is in which room.
#[derive(Debug, Default)]
pub struct Rooms {
    workers: usize,
    rooms: FxHashMap<RoomId, Room>,
}

/// The members of a room; a worker without one has no shard.
#[derive(Debug, Default)]
struct Room {
    /// In ascending order of worker.
    shards: SmallVec<[Shard; 1]>,
}

#[derive(Debug)]
struct Shard {
    worker: usize,
    /// Each slot once, whatever its generation.
    members: Arc<Vec<Slot>>,
    /// Slot to position in `members`, while there are more than [`INDEX_ABOVE`].
    index: Option<Box<FxHashMap<u32, usize>>>,
}

impl Rooms {
    /// No rooms, for sockets of workers `0..workers`.
    pub fn new(workers: usize) -> Self {
        Self { workers, rooms: FxHashMap::default() }
    }

    /// Number of rooms that have a member.
    pub fn len(&self) -> usize {
        self.rooms.len()
    }

    /// Whether no room has a member.
    pub fn is_empty(&self) -> bool {
        self.rooms.is_empty()
    }

    /// Number of sockets in `room`.
    pub fn room_len(&self, room: RoomId) -> usize {
        self.shards(room).iter().map(|shard| shard.members.len()).sum()
    }

    /// Whether `handle` is in `room`.
    pub fn contains(&self, room: RoomId, handle: Handle) -> bool {
        self.shards(room)
            .iter()
            .find(|shard| shard.worker == handle.worker())
            .is_some_and(|shard| shard.position_of(handle.slot()).is_some())
    }

    /// Puts `handle` into `room`; false if it is there already.
    pub fn join(&mut self, room: RoomId, handle: Handle) -> bool {
        debug_assert!(handle.worker() < self.workers, "a handle names an existing worker");
        let shards = &mut self.rooms.entry(room).or_default().shards;
        let place = match shards.binary_search_by_key(&handle.worker(), |shard| shard.worker) {
            Ok(place) => place,
            Err(place) => {
                shards.insert(place, Shard::new(handle.worker()));
                place
            }
        };
        shards[place].insert(handle.slot())
    }

    /// Takes `handle` out of `room`; false if it is not there. An empty room vanishes.
    pub fn leave(&mut self, room: RoomId, handle: Handle) -> bool {
        let Some(found) = self.rooms.get_mut(&room) else { return false };
        let left = found.leave(handle);
        if left && found.shards.is_empty() {
            self.rooms.remove(&room);
        }
        left
    }

    /// Takes `handle` out of all rooms, for one that has gone without leaving them; gives how many
    /// there were. Looks at every room: whoever leaves in good order needs none of it.
    pub fn leave_all(&mut self, handle: Handle) -> usize {
        let mut left = 0;
        self.rooms.retain(|_, room| {
            left += usize::from(room.leave(handle));
            !room.shards.is_empty()
        });
        left
    }

    /// The sockets that are in any of `to` and in none of `except`, each once.
    ///
    /// Nobody is named by an empty `to`. A named socket counts, in a room or not. One room without
    /// exceptions, or with a few excepted sockets, costs no copy whatever its size.
    pub fn targets(&self, to: &[Target], except: &[Target]) -> Targets {
        if let (&[Target::Room(room)], Some(sockets)) = (to, self.few_sockets(except)) {
            return self.room_targets(room, &sockets);
        }
        let mut unions: SmallVec<[Union; 4]> = SmallVec::new();
        unions.resize_with(self.workers, Union::default);
        for &target in except {
            self.each(target, |worker, slots| unions[worker].exclude(slots));
        }
        for &target in to {
            self.each(target, |worker, slots| unions[worker].include(slots));
        }
        let groups = unions
            .into_iter()
            .map(|union| Group { members: Arc::new(union.members), except: SmallVec::new() })
            .enumerate()
            .filter(|(_, group)| !group.members.is_empty())
            .collect();
        Targets { groups }
    }

    /// The sockets of `targets`, if they are few and no room that anybody is in.
    fn few_sockets(&self, targets: &[Target]) -> Option<SmallVec<[Handle; MAX_EXCEPT]>> {
        let mut sockets = SmallVec::new();
        for &target in targets {
            match target {
                Target::Room(room) if self.rooms.contains_key(&room) => return None,
                Target::Room(_) => {}
                Target::Socket(handle) if sockets.contains(&handle) => {}
                Target::Socket(_) if sockets.len() == MAX_EXCEPT => return None,
                Target::Socket(handle) => sockets.push(handle),
            }
        }
        Some(sockets)
    }

    /// The sockets of one room without `except`, as a snapshot.
    fn room_targets(&self, room: RoomId, except: &[Handle]) -> Targets {
        let group = |shard: &Shard| {
            let except: SmallVec<[Slot; 2]> = except
                .iter()
                .filter(|handle| handle.worker() == shard.worker)
                .map(|handle| handle.slot())
                .collect();
            // Only then can all of them be excepted.
            let all_excepted = shard.members.len() <= except.len()
                && shard.members.iter().all(|slot| except.contains(slot));
            let members = Arc::clone(&shard.members);
            (!all_excepted).then_some((shard.worker, Group { members, except }))
        };
        Targets { groups: self.shards(room).iter().filter_map(group).collect() }
    }

    /// Calls `visit` with the worker and slots of everyone that `target` names.
    fn each(&self, target: Target, mut visit: impl FnMut(usize, &[Slot])) {
        match target {
            Target::Room(room) => {
                for shard in self.shards(room) {
                    visit(shard.worker, &shard.members);
                }
            }
            Target::Socket(handle) => visit(handle.worker(), &[handle.slot()]),
        }
    }

    fn shards(&self, room: RoomId) -> &[Shard] {
        self.rooms.get(&room).map_or(&[], |room| &room.shards)
    }
}

impl Room {
    fn leave(&mut self, handle: Handle) -> bool {
        let shards = &mut self.shards;
        let found = shards.binary_search_by_key(&handle.worker(), |shard| shard.worker);
        let Ok(place) = found else { return false };
        let left = shards[place].remove(handle.slot());
        if shards[place].members.is_empty() {
            shards.remove(place);
        }
        left
    }
}

impl Shard {
    fn new(worker: usize) -> Self {
        Self { worker, members: Arc::default(), index: None }
    }

    /// Where the slot stands, in whatever generation.
    fn position(&self, slot: Slot) -> Option<usize> {
        match &self.index {
            Some(index) => index.get(&slot.index).copied(),
            None => self.members.iter().position(|member| member.index == slot.index),
        }
    }

    fn position_of(&self, slot: Slot) -> Option<usize> {
        self.position(slot).filter(|&position| self.members[position] == slot)
    }

    fn insert(&mut self, slot: Slot) -> bool {
        if let Some(position) = self.position(slot) {
            // Another generation can't be left here, since it has left when its slot was given up.
            let new = self.members[position] != slot;
            if new {
                Arc::make_mut(&mut self.members)[position] = slot;
            }
            return new;
        }
        let members = Arc::make_mut(&mut self.members);
        members.push(slot);
        if let Some(index) = &mut self.index {
            index.insert(slot.index, members.len() - 1);
        } else if members.len() > INDEX_ABOVE {
            let positions =
                members.iter().enumerate().map(|(position, slot)| (slot.index, position));
            self.index = Some(Box::new(positions.collect()));
        }
        true
    }

    fn remove(&mut self, slot: Slot) -> bool {
        let Some(position) = self.position_of(slot) else { return false };
        let members = Arc::make_mut(&mut self.members);
        members.swap_remove(position);
        // A room that was large once does not keep its memory.
        if members.len() < members.capacity() / 4 {
            members.shrink_to(members.len() * 2);
        }
        let Some(index) = &mut self.index else { return true };
        // At half of the bound, so that one member who comes and goes does not rebuild the map each time.
        if members.len() <= INDEX_ABOVE / 2 {
            self.index = None;
            return true;
        }
        index.remove(&slot.index);
        if let Some(moved) = members.get(position) {
            index.insert(moved.index, position);
        }
        if index.len() < index.capacity() / 4 {
            index.shrink_to(index.len() * 2);
        }
        true
    }
}

/// One worker's part of a union: who is in it so far, and a bit for each slot that is in or barred.
#[derive(Debug, Default)]
struct Union {
    members: Vec<Slot>,
    seen: Vec<u64>,
}

impl Union {
    /// Bars `slots` from being included later.
    fn exclude(&mut self, slots: &[Slot]) {
        for slot in slots {
            self.see(slot.index);
        }
    }

    /// Adds those of `slots` that are neither in nor barred.
    fn include(&mut self, slots: &[Slot]) {
        self.members.reserve(slots.len());
        for &slot in slots {
            if self.see(slot.index) {
                self.members.push(slot);
            }
        }
    }

    /// Sets the bit of `slot`; whether it was clear.
    fn see(&mut self, slot: u32) -> bool {
        let word = (slot / u64::BITS) as usize;
        let bit = 1 << (slot % u64::BITS);
        if word >= self.seen.len() {
            self.seen.resize(word + 1, 0);
        }
        let clear = self.seen[word] & bit == 0;
        self.seen[word] |= bit;
        clear
    }
}
