//! Long strings on their way up: beside the JSON text of a batch.

use std::borrow::Cow;
use std::vec::Drain;

use crate::socketio::LongString;

/// A string up to this size is copied behind those before it: one buffer that is used again and
/// again, instead of memory that one thread takes and another gives back.
pub const COPY_LIMIT: usize = 16 << 10;

/// Long strings in the order of the records that refer to them.
#[derive(Debug, Default)]
pub struct SideStrings {
    bytes: Vec<u8>,
    items: Vec<Item>,
}

/// A place between two strings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SideStringsEnd {
    bytes: usize,
    items: usize,
}

#[derive(Debug)]
enum Item {
    /// So many of the common bytes, one for each character.
    Copied(usize),
    Owned(LongString<'static>),
}

impl SideStrings {
    /// Appends a string.
    pub fn push(&mut self, string: LongString<'_>) {
        self.items.push(match string {
            LongString::Latin1(bytes) if bytes.len() <= COPY_LIMIT => {
                self.bytes.extend_from_slice(&bytes);
                Item::Copied(bytes.len())
            }
            string @ (LongString::Latin1(_) | LongString::Utf16(_)) => {
                Item::Owned(string.into_owned())
            }
        });
    }

    /// Appends the strings of another worker, and leaves it empty.
    pub fn append(&mut self, other: &mut Self) {
        self.bytes.append(&mut other.bytes);
        self.items.append(&mut other.items);
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Where the next string goes.
    pub fn end(&self) -> SideStringsEnd {
        SideStringsEnd { bytes: self.bytes.len(), items: self.items.len() }
    }

    /// Moves what has come since then to the end of another one.
    pub fn split_off(&mut self, end: SideStringsEnd, to: &mut Self) {
        to.bytes.extend_from_slice(&self.bytes[end.bytes..]);
        self.bytes.truncate(end.bytes);
        to.items.extend(self.items.drain(end.items..));
    }

    /// Drops what has come since then.
    pub fn truncate(&mut self, end: SideStringsEnd) {
        self.bytes.truncate(end.bytes);
        self.items.truncate(end.items);
    }

    /// Takes all of them.
    pub fn drain(&mut self) -> impl Iterator<Item = LongString<'_>> {
        let Self { bytes, items } = self;
        Iter { bytes, items: items.drain(..) }
    }

    /// Bytes that it has memory for.
    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// Empties it for the next batch; keeps up to `capacity` bytes of memory.
    pub fn clear(&mut self, capacity: usize) {
        self.items.clear();
        self.bytes.clear();
        self.bytes.shrink_to(capacity);
    }
}

struct Iter<'a> {
    bytes: &'a [u8],
    items: Drain<'a, Item>,
}

impl<'a> Iterator for Iter<'a> {
    type Item = LongString<'a>;

    fn next(&mut self) -> Option<LongString<'a>> {
        Some(match self.items.next()? {
            Item::Copied(len) => {
                let (string, rest) = self.bytes.split_at(len);
                self.bytes = rest;
                LongString::Latin1(Cow::Borrowed(string))
            }
            Item::Owned(string) => string,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_come_out_as_they_went_in() {
        let large = vec![b'x'; COPY_LIMIT + 1];
        let all: [&[u8]; 4] = [b"one", &large, b"", b"two"];
        let mut strings = SideStrings::default();
        for _ in 0..2 {
            for bytes in all {
                let mut other = SideStrings::default();
                strings.push(LongString::Latin1(Cow::Borrowed(bytes)));
                other.push(LongString::Utf16(vec![1, 2]));
                strings.append(&mut other);
                assert!(other.bytes.is_empty() && other.items.is_empty());
            }
            let mut out = strings.drain();
            for bytes in all {
                assert_eq!(out.next(), Some(LongString::Latin1(Cow::Borrowed(bytes))));
                assert_eq!(out.next(), Some(LongString::Utf16(vec![1, 2])));
            }
            assert_eq!(out.next(), None);
            drop(out);
            strings.clear(0);
            assert_eq!(strings.bytes.capacity(), 0);
        }
    }
}
