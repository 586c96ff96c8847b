//! What this node has written to a stream, or is to, until it has come back by the stream.
//!
//! ```text
//!   push ──► waiting ── take ──► sent ── came ──► out
//!               ▲                 │
//!               └──── unsettled ──┘  the connection was lost, and the stream has been read to its end without it
//! ```
//!
//! All of it stands in the stream in the order of its numbers, so what has not come before a later one never will: it has been
//! trimmed. Whether something that was handed to a lost connection has been written, the stream says. It may still be written
//! afterwards, when it was on its way for long: then it stands there twice, and readers pass over the second by its number
//! ([`Seen`]).
//!
//! It opens no socket and reads no clock.

use std::collections::VecDeque;

use rustc_hash::FxHashMap;

/// Nodes whose last number is remembered.
const MOST_NODES: usize = 4_096;

/// The table.
#[derive(Debug)]
pub struct Own<T> {
    sent: VecDeque<(u64, T)>,
    /// Their numbers are higher than those in `sent`.
    waiting: VecDeque<(u64, T)>,
    next: u64,
}

impl<T> Default for Own<T> {
    fn default() -> Self {
        Self { sent: VecDeque::new(), waiting: VecDeque::new(), next: 1 }
    }
}

impl<T> Own<T> {
    /// Something is to be written; gives its number.
    pub fn push(&mut self, entry: T) -> u64 {
        let number = self.next;
        self.next += 1;
        self.waiting.push_back((number, entry));
        number
    }

    /// Whether nothing is to be written, and all that was has come.
    pub fn is_empty(&self) -> bool {
        self.sent.is_empty() && self.waiting.is_empty()
    }

    /// Whether something is to be written.
    pub fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// The next one, which is written now.
    pub fn take(&mut self) -> Option<(u64, &T)> {
        self.sent.push_back(self.waiting.pop_front()?);
        self.sent.back().map(|(number, entry)| (*number, entry))
    }

    /// One has come by the stream. Gives those before it, which will not, and itself, unless it has come before.
    pub fn came(&mut self, number: u64) -> (Vec<T>, Option<T>) {
        let find = |queue: &VecDeque<(u64, T)>| queue.binary_search_by_key(&number, |it| it.0).ok();
        // Among those that are written again, one may have been written after all.
        let (sent, waiting) = match (find(&self.sent), find(&self.waiting)) {
            (Some(at), _) => (at + 1, 0),
            (None, Some(at)) => (self.sent.len(), at + 1),
            (None, None) => return (Vec::new(), None), // or it is none of ours
        };
        let all = self.sent.drain(..sent).chain(self.waiting.drain(..waiting));
        let mut before: Vec<T> = all.map(|(_, entry)| entry).collect();
        let entry = before.pop();
        (before, entry)
    }

    /// One has been refused.
    pub fn refused(&mut self, number: u64) -> Option<T> {
        let at = self.sent.binary_search_by_key(&number, |(number, _)| *number).ok()?;
        self.sent.remove(at).map(|(_, entry)| entry)
    }

    /// The connection that they were sent by is lost, and the stream has been read to its end: what has not come is to be written
    /// again.
    pub fn settle(&mut self) {
        while let Some(entry) = self.sent.pop_back() {
            self.waiting.push_front(entry);
        }
    }
}

/// The last numbers of nodes: an entry with one that is not higher stands in the stream for the second time.
#[derive(Debug, Default)]
pub struct Seen(FxHashMap<Box<[u8]>, u64>);

impl Seen {
    /// Whether an entry has been read before.
    pub fn again(&mut self, uid: &[u8], number: Option<u64>) -> bool {
        let Some(number) = number else { return false };
        if let Some(last) = self.0.get_mut(uid) {
            let again = number <= *last;
            *last = number.max(*last);
            return again;
        }
        if self.0.len() >= MOST_NODES {
            self.0.clear(); // each server that begins has a name of its own
        }
        self.0.insert(uid.into(), number);
        false
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A stream, the connection to it, and its reader.
    #[derive(Default)]
    struct World {
        own: Own<u64>,
        /// Commands on their way, by connection: those of older ones may come late.
        lines: Vec<VecDeque<u64>>,
        stream: Vec<u64>,
        read: usize,
        seen: Seen,
        got: Vec<u64>,
        pushed: u64,
    }

    impl World {
        fn read_to_end(&mut self) {
            while let Some(&number) = self.stream.get(self.read) {
                self.read += 1;
                if self.seen.again(b"me", Some(number)) {
                    continue;
                }
                let (before, entry) = self.own.came(number);
                self.got.extend(before);
                self.got.extend(entry);
            }
        }

        fn apply(&mut self, line: usize, count: usize) {
            let count = count.min(self.lines[line].len());
            self.stream.extend(self.lines[line].drain(..count));
        }

        fn send(&mut self) {
            let line = self.lines.last_mut().expect("there is always one");
            while let Some((number, _)) = self.own.take() {
                line.push_back(number);
            }
        }

        fn step(&mut self, what: u8, count: usize) {
            match what {
                0 => {
                    self.pushed += 1;
                    assert_eq!(self.own.push(self.pushed), self.pushed);
                }
                1 => self.send(),
                2 => self.apply(self.lines.len() - 1, count),
                3 => self.read_to_end(),
                // An old connection's commands come late, or never.
                4 if self.lines.len() > 1 => self.apply(count % (self.lines.len() - 1), count),
                5 => {
                    self.lines.push(VecDeque::new());
                    self.read_to_end();
                    self.own.settle();
                }
                _ => {}
            }
        }
    }

    proptest! {
        /// Whatever is lost on the way, each comes once, and in order.
        #[test]
        fn each_comes_once_and_in_order(steps in prop::collection::vec((0..6_u8, 0..4_usize), 0..200)) {
            let mut world = World { lines: vec![VecDeque::new()], ..World::default() };
            for (what, count) in steps {
                world.step(what, count);
            }
            world.step(5, 0);
            world.send();
            let last = world.lines.len() - 1;
            world.apply(last, usize::MAX);
            world.read_to_end();
            prop_assert!(world.own.is_empty());
            prop_assert_eq!(world.got, (1..=world.pushed).collect::<Vec<_>>());
        }

        /// What has been trimmed comes with what follows it.
        #[test]
        fn what_is_trimmed_comes_late(gone in prop::collection::vec(any::<bool>(), 1..50)) {
            let mut own = Own::default();
            for number in 1..=gone.len() as u64 + 1 {
                own.push(number);
            }
            while own.take().is_some() {}
            let mut got = Vec::new();
            for (number, gone) in (1..).zip(gone.iter().copied().chain([false])) {
                if !gone {
                    let (before, entry) = own.came(number);
                    got.extend(before);
                    got.extend(entry);
                }
            }
            prop_assert_eq!(got, (1..=gone.len() as u64 + 1).collect::<Vec<_>>());
        }
    }

    #[test]
    fn what_is_refused_is_out() {
        let mut own = Own::default();
        for entry in ["a", "b", "c"] {
            own.push(entry);
        }
        while own.take().is_some() {}
        assert_eq!(own.refused(2), Some("b"));
        assert_eq!(own.refused(2), None);
        assert_eq!(own.came(3), (vec!["a"], Some("c")));
        assert!(own.is_empty());
        assert_eq!(own.came(9), (vec![], None));
    }

    #[test]
    fn others_count_by_themselves() {
        let mut seen = Seen::default();
        assert!(
            !seen.again(b"a", Some(5)) && !seen.again(b"b", Some(1)) && !seen.again(b"a", None)
        );
        assert!(
            seen.again(b"a", Some(5)) && seen.again(b"a", Some(4)) && !seen.again(b"a", Some(6))
        );
        for node in 0..=MOST_NODES {
            seen.again(&node.to_le_bytes(), Some(1));
        }
        assert!(seen.0.len() <= MOST_NODES);
    }
}
