//! Clients that come back to a namespace that other nodes have, too: what they have missed, up to the moment at which they are
//! let in.
//!
//! ```text
//!   stream     … ── offset ────────── begin ───────────────── let in ────────►
//!                      │  read again    │   noted as they pass    │  by its rooms
//!                      └──── `add` ─────┴──────── `note` ─────────┘
//! ```
//!
//! All of it is under the lock of the [`directory`](super::directory). A broadcast is noted here in the same breath in which it is
//! fanned out, and a client is let in by the same batch that has it join its rooms: so each broadcast comes to it once, by the one
//! way or the other, and those that it has missed come first.
//!
//! A broadcast that JavaScript is given to fan out is noted with its place among those (`given`). When the client is let in,
//! JavaScript says how many of them it has handled: the others come to the client when they are. Those that it was given before the
//! beginning it must have handled by then.

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::command::Outgoing;
use super::room_name::{RoomName, bits};

/// Most clients that come back to a namespace at once; more begin anew.
const MOST: usize = 1 << 16;
/// What a packet takes beside its bytes, about.
const OVERHEAD: usize = 64;

/// Where a broadcast stands in its stream: a time and a number.
pub type Place = (u64, u64);

/// What is sent.
pub type Messages = Arc<[Outgoing]>;

/// Those of a namespace.
#[derive(Debug, Default)]
pub struct Returnings {
    all: FxHashMap<u32, Returning>,
    last: u32,
    /// Bytes that they have missed, all together: what several have, counted for each.
    held: usize,
}

/// One client.
#[derive(Debug, Default)]
struct Returning {
    /// The last that it has got.
    after: Place,
    texts: FxHashSet<Box<str>>,
    numbers: FxHashSet<u64>,
    /// Read again.
    before: Vec<Messages>,
    /// Noted since the beginning, each with its place among those that JavaScript was given.
    since: Vec<(Option<u32>, Messages)>,
    /// Their bytes.
    held: usize,
    /// It has missed too much: it begins anew.
    over: bool,
}

impl Returnings {
    /// Whether nobody comes back.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Somebody comes back, who was in these rooms, and has got all up to that place. None: too many do.
    pub fn begin<'a>(
        &mut self,
        rooms: impl IntoIterator<Item = RoomName<'a>>,
        after: Place,
    ) -> Option<u32> {
        if self.all.len() >= MOST {
            return None;
        }
        let mut returning = Returning { after, ..Returning::default() };
        for room in rooms {
            match room {
                RoomName::Text(text) => returning.texts.insert(text.into()),
                RoomName::Number(number) => returning.numbers.insert(bits(number)),
            };
        }
        loop {
            self.last = self.last.wrapping_add(1).max(1);
            if !self.all.contains_key(&self.last) {
                break;
            }
        }
        self.all.insert(self.last, returning);
        Some(self.last)
    }

    /// Whether a broadcast was for somebody who comes back, who has not got it yet.
    pub fn concerns(
        &self,
        number: u32,
        rooms: &[RoomName<'_>],
        except: &[RoomName<'_>],
        place: Place,
    ) -> bool {
        self.all.get(&number).is_some_and(|it| it.is_concerned(rooms, except, place))
    }

    /// It was, before the beginning: these are added in order. All together may take so many bytes.
    pub fn add(&mut self, number: u32, messages: &Messages, most: usize) {
        let Some(returning) = self.all.get_mut(&number) else { return };
        if returning.holds(messages, &mut self.held, most) {
            returning.before.push(Arc::clone(messages));
        }
    }

    /// A broadcast passes. `given`: its place among those that JavaScript was given, if it fans it out.
    pub fn note(
        &mut self,
        rooms: &[RoomName<'_>],
        except: &[RoomName<'_>],
        messages: &Messages,
        kept: Kept,
        given: Option<u32>,
    ) {
        for returning in self.all.values_mut() {
            if returning.is_concerned(rooms, except, kept.place)
                && returning.holds(messages, &mut self.held, kept.most)
            {
                returning.since.push((given, Arc::clone(messages)));
            }
        }
    }

    /// It is let in, and gets these. `handled`: how many of those that JavaScript was given it has handled. None: something is
    /// missing, or it does not come back (any more).
    pub fn let_in(&mut self, number: u32, handled: u32) -> Option<Vec<Messages>> {
        let Returning { mut before, since, over, held, .. } = self.all.remove(&number)?;
        self.held -= held;
        let is_past = |given: Option<u32>| {
            given.is_none_or(|given| handled.wrapping_sub(given).cast_signed() >= 0)
        };
        before.extend(since.into_iter().filter(|&(given, _)| is_past(given)).map(|it| it.1));
        (!over).then_some(before)
    }

    /// It does not come.
    pub fn forget(&mut self, number: u32) {
        if let Some(returning) = self.all.remove(&number) {
            self.held -= returning.held;
        }
    }
}

/// What those who come back are to have, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Where it stands.
    pub place: Place,
    /// Bytes that all who come back may have missed together.
    pub most: usize,
}

impl Returning {
    fn is_concerned(&self, rooms: &[RoomName<'_>], except: &[RoomName<'_>], place: Place) -> bool {
        let is_in = |room: &RoomName<'_>| match *room {
            RoomName::Text(text) => self.texts.contains(text),
            RoomName::Number(number) => self.numbers.contains(&bits(number)),
        };
        place > self.after
            && (rooms.is_empty() || rooms.iter().any(is_in))
            && !except.iter().any(is_in)
    }

    fn holds(&mut self, messages: &Messages, all: &mut usize, most: usize) -> bool {
        let size = OVERHEAD + messages.iter().map(Outgoing::len).sum::<usize>();
        if self.over || *all + size > most {
            // What it has missed is of no use without this.
            *all -= self.held;
            *self = Self { over: true, ..Self::default() };
            return false;
        }
        self.held += size;
        *all += size;
        true
    }
}
