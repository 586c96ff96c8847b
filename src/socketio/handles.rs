//! Which connections there are, as the control plane knows it. It does nothing for any other.
//!
//! ```text
//!            open                 close                release
//!   vacant ────────► open ────────────────► closed ────────────► vacant
//!   the worker tells of both ─────────────────┘        └── the control plane decides this one alone
//! ```
//!
//! A slot is given to another connection only after its release, and then in another generation. So
//! whatever goes wrong above (a release that comes early or twice, an operation that comes late) is
//! noticed here and reaches nobody.

use crate::id::Handle;

/// The connections of all workers, by their slots.
#[derive(Debug, Default)]
pub struct Handles {
    workers: Vec<Vec<Entry>>,
    len: usize,
}

#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    generation: u32,
    /// Rooms that it is in.
    rooms: u32,
    state: State,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Vacant,
    Open,
    Closed,
}

impl Handles {
    /// No connections, of workers `0..workers`.
    pub fn new(workers: usize) -> Self {
        Self { workers: vec![Vec::new(); workers], len: 0 }
    }

    /// How many there are that have not been released.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// A worker has opened a connection.
    pub fn open(&mut self, handle: Handle) {
        let Some(entries) = self.workers.get_mut(handle.worker()) else { return };
        let index = handle.slot().index as usize;
        if index >= entries.len() {
            entries.resize(index + 1, Entry::default());
        }
        let entry = &mut entries[index];
        self.len += usize::from(entry.state == State::Vacant);
        *entry = Entry { generation: handle.generation(), rooms: 0, state: State::Open };
    }

    /// A worker has told of the end of a connection.
    pub fn close(&mut self, handle: Handle) {
        if let Some(entry) = self.get_mut(handle) {
            entry.state = State::Closed;
        }
    }

    /// Whether a handle names a connection that has not been released.
    #[inline]
    pub fn is_known(&self, handle: Handle) -> bool {
        let slot = handle.slot();
        let entry = self.workers.get(handle.worker()).and_then(|all| all.get(slot.index as usize));
        entry.is_some_and(|entry| entry.is(slot.generation))
    }

    /// Notes that a connection has joined a room.
    pub fn note_joined(&mut self, handle: Handle) {
        if let Some(entry) = self.get_mut(handle) {
            entry.rooms += 1;
        }
    }

    /// Notes that a connection has left a room.
    pub fn note_left(&mut self, handle: Handle) {
        if let Some(entry) = self.get_mut(handle) {
            entry.rooms = entry.rooms.saturating_sub(1);
        }
    }

    /// The control plane has let go of a connection; gives how many rooms it is still in. None when that
    /// is not allowed: the connection is not closed, or has been released already.
    pub fn release(&mut self, handle: Handle) -> Option<u32> {
        let entry = self.get_mut(handle).filter(|entry| entry.state == State::Closed)?;
        let Entry { rooms, .. } = std::mem::take(entry);
        self.len -= 1;
        Some(rooms)
    }

    fn get_mut(&mut self, handle: Handle) -> Option<&mut Entry> {
        let slot = handle.slot();
        let entry = self.workers.get_mut(handle.worker())?.get_mut(slot.index as usize)?;
        entry.is(slot.generation).then_some(entry)
    }
}

impl Entry {
    fn is(&self, generation: u32) -> bool {
        self.generation == generation && self.state != State::Vacant
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn handle(generation: u32) -> Handle {
        Handle::new(1, 5).of_generation(generation)
    }

    #[test]
    fn a_handle_is_known_from_its_opening_to_its_release() {
        let mut handles = Handles::new(2);
        assert!(!handles.is_known(handle(7)));
        handles.open(handle(7));
        assert!(handles.is_known(handle(7)) && !handles.is_known(handle(6)));
        assert!(!handles.is_known(handle(7).of_generation(0)));
        assert_eq!(handles.release(handle(7)), None, "it is not closed");
        handles.close(handle(6));
        assert_eq!(handles.release(handle(7)), None, "another one was closed");
        handles.close(handle(7));
        assert!(handles.is_known(handle(7)));
        assert_eq!(handles.release(handle(7)), Some(0));
        assert_eq!(handles.release(handle(7)), None, "it has been released");
        assert!(!handles.is_known(handle(7)) && handles.is_empty());
    }

    #[test]
    fn the_next_one_in_a_slot_is_another() {
        let mut handles = Handles::new(2);
        handles.open(handle(1));
        handles.close(handle(1));
        handles.release(handle(1));
        handles.open(handle(2));
        handles.close(handle(1));
        handles.note_joined(handle(1));
        assert_eq!(handles.release(handle(2)), None, "only its predecessor is closed");
        handles.close(handle(2));
        assert_eq!(handles.release(handle(2)), Some(0));
    }

    #[test]
    fn what_is_nowhere_is_nobody() {
        let mut handles = Handles::new(1);
        let nowhere = [Handle::new(3, 0), Handle::new(0, 9), Handle::from_raw(u32::MAX)];
        for handle in nowhere {
            assert!(!handles.is_known(handle));
            assert_eq!(handles.release(handle), None);
        }
        handles.open(Handle::new(3, 0));
        assert!(handles.is_empty());
    }

    #[test]
    fn rooms_are_counted() {
        let mut handles = Handles::new(2);
        handles.open(handle(3));
        handles.note_joined(handle(3));
        handles.note_joined(handle(3));
        handles.note_left(handle(3));
        handles.close(handle(3));
        assert_eq!(handles.release(handle(3)), Some(1));
    }
}
