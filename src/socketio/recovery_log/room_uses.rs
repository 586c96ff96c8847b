//! How often the number of a room occurs in what is kept.

/// Names a room in what is kept. These numbers are not those of the rooms that broadcasts go to: they
/// are dense, and given again to another room when nothing refers to them any more.
pub type RoomNumber = u32;

/// A count for each room. Numbers are dense, so this is a plain list.
#[derive(Debug, Default)]
pub struct RoomUses {
    counts: Vec<u32>,
}

impl RoomUses {
    /// One more use of each of these rooms.
    pub fn retain(&mut self, rooms: &[RoomNumber]) {
        for &room in rooms {
            let index = room as usize;
            if index >= self.counts.len() {
                self.counts.resize(index + 1, 0);
            }
            self.counts[index] += 1;
        }
    }

    /// One use less of each.
    pub fn release(&mut self, rooms: &[RoomNumber]) {
        for &room in rooms {
            self.counts[room as usize] -= 1;
        }
    }

    /// The rooms up to the highest one ever held that nobody holds.
    pub fn unused(&self) -> Vec<RoomNumber> {
        (0..).zip(&self.counts).filter(|&(_, &count)| count == 0).map(|(room, _)| room).collect()
    }
}
