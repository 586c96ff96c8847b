//! Deadlines of all clients of a worker: one heap, not one timer each.
//!
//! A client has at most one *scheduled* deadline (it keeps the value itself). Most deadlines
//! only ever move later (a pong pushes the next ping away), so a moved deadline leaves its old
//! entry behind; when that comes up, the client is asked again and scheduled anew. An entry
//! whose deadline is not the scheduled one is stale and skipped.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Deadlines are rounded up to this many milliseconds, so that clients which opened close
/// together are served by one wake-up.
const GRANULARITY: u64 = 4;

/// A heap of `(deadline, slot)`, the earliest first.
#[derive(Debug, Default)]
pub struct Timers {
    heap: BinaryHeap<Reverse<(u64, u32)>>,
}

impl Timers {
    /// Adds a deadline for `slot`; gives it back rounded as it is kept.
    pub fn schedule(&mut self, deadline: u64, slot: u32) -> u64 {
        let deadline = deadline.div_ceil(GRANULARITY) * GRANULARITY;
        self.heap.push(Reverse((deadline, slot)));
        deadline
    }

    /// The earliest deadline, stale or not.
    pub fn next_deadline(&self) -> Option<u64> {
        self.heap.peek().map(|Reverse((deadline, _))| *deadline)
    }

    /// Takes one entry that is due at `now`.
    pub fn pop_due(&mut self, now: u64) -> Option<(u64, u32)> {
        if self.next_deadline()? > now {
            return None;
        }
        let due = self.heap.pop().map(|Reverse(entry)| entry);
        if self.heap.capacity() > 1024 && self.heap.len() < self.heap.capacity() / 4 {
            self.heap.shrink_to_fit();
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_come_up_in_order_and_not_before_their_time() {
        let mut timers = Timers::default();
        assert_eq!(timers.schedule(101, 1), 104);
        assert_eq!(timers.schedule(50, 2), 52);
        assert_eq!(timers.pop_due(51), None);
        assert_eq!(timers.pop_due(52), Some((52, 2)));
        assert_eq!(timers.next_deadline(), Some(104));
        assert_eq!(timers.pop_due(1000), Some((104, 1)));
        assert_eq!(timers.pop_due(1000), None);
    }
}
