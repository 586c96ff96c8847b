//! Reads a batch of operations; nothing in it is trusted to be whole.

use std::sync::Arc;

use bytes::Bytes;

use crate::binding::logs::Messages;
use crate::id::Handle;
use crate::net::command::Outgoing;
use crate::socketio::json_string::{write_ascii, write_utf16};
use crate::socketio::recovery_log::packets::RoomList;
use crate::socketio::{RoomId, Target};

/// Set in a target that is one client and not a room.
const SINGLE: u32 = 1 << 31;

/// Set in the length of a message that is binary.
const BINARY: u32 = 1 << 31;

/// Stands for the length of a text that comes in parts.
const PARTED: u32 = u32::MAX;

/// Forms of a string that is to be written as JSON.
const ASCII: u8 = 0;
const UTF16: u8 = 1;

/// A text to be sent.
pub(super) enum TextOperand<'a> {
    /// As it was written.
    Whole(&'a [u8]),
    /// In parts, together of about so many bytes.
    Parted(usize),
}

/// A batch and how far it has been read. Each method is `None` when the batch ends too early.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.at >= self.bytes.len()
    }

    /// How far it has been read.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let taken = self.bytes.get(self.at..self.at.checked_add(n)?)?;
        self.at += n;
        Some(taken)
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        let bytes = self.take(4)?;
        Some(u32::from_le_bytes(bytes.try_into().ok()?))
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        let bytes = self.take(8)?;
        Some(u64::from_le_bytes(bytes.try_into().ok()?))
    }

    pub(super) fn handle(&mut self) -> Option<Handle> {
        Some(Handle::from_raw(self.u32()?).of_generation(self.u32()?))
    }

    pub(super) fn room(&mut self) -> Option<RoomId> {
        Some(room(self.u32()?, self.u32()?))
    }

    pub(super) fn bytes(&mut self) -> Option<&'a [u8]> {
        let len = self.u32()? as usize;
        self.take(len)
    }

    /// The text of a packet. It is in one piece, or, when a long string is among its arguments, in
    /// parts: then [`parts`](Self::parts) must follow.
    pub(super) fn text(&mut self) -> Option<TextOperand<'a>> {
        let word = self.u32()?;
        self.text_of(word)
    }

    fn text_of(&mut self, word: u32) -> Option<TextOperand<'a>> {
        match word {
            PARTED => {
                let size = self.u32()? as usize;
                // What is announced can't be much more than what is there.
                Some(TextOperand::Parted(size.min(self.bytes.len() - self.at)))
            }
            len => self.take(len as usize).map(TextOperand::Whole),
        }
    }

    /// Appends to `text` its parts: JSON, and strings that become JSON now, in turn.
    pub(super) fn parts(&mut self, text: &mut Vec<u8>) -> Option<()> {
        let strings = self.u32()?;
        text.extend_from_slice(self.bytes()?);
        for _ in 0..strings {
            match self.u8()? {
                ASCII => write_ascii(text, self.bytes()?),
                UTF16 => write_utf16(text, self.bytes()?),
                _ => return None,
            }
            text.extend_from_slice(self.bytes()?);
        }
        Some(())
    }

    /// The parts of a text of about `size` bytes, put together.
    pub(super) fn join(&mut self, size: usize) -> Option<Outgoing> {
        let mut text = Vec::with_capacity(size);
        self.parts(&mut text)?;
        Some(Outgoing::Text(text.into()))
    }

    fn message(&mut self) -> Option<Outgoing> {
        let word = self.u32()?;
        if word != PARTED && word & BINARY != 0 {
            let data = self.take((word & !BINARY) as usize)?;
            return Some(Outgoing::Binary(Bytes::copy_from_slice(data)));
        }
        match self.text_of(word)? {
            TextOperand::Whole(text) => Some(Outgoing::Text(Bytes::copy_from_slice(text))),
            TextOperand::Parted(size) => self.join(size),
        }
    }

    /// The messages that a packet is made of.
    pub(super) fn messages(&mut self) -> Option<Vec<Outgoing>> {
        let mut messages = vec![self.message()?];
        for _ in 0..self.u32()? {
            messages.push(self.message()?);
        }
        Some(messages)
    }

    /// The same for several workers, or a log.
    pub(super) fn shared_messages(&mut self) -> Option<Messages> {
        let first = self.message()?;
        let more = self.u32()?;
        if more == 0 {
            return Some(Arc::new([first])); // the usual case, in one allocation
        }
        let mut messages = vec![first];
        for _ in 0..more {
            messages.push(self.message()?);
        }
        Some(messages.into())
    }

    /// Rooms as a log knows them.
    pub(super) fn kept_rooms(&mut self) -> Option<RoomList> {
        let count = self.u32()?;
        (0..count).map(|_| self.u32()).collect()
    }

    pub(super) fn targets(&mut self, targets: &mut Vec<Target>) -> Option<()> {
        targets.clear();
        for _ in 0..self.u32()? {
            let (first, second) = (self.u32()?, self.u32()?);
            targets.push(if first & SINGLE == 0 {
                Target::Room(room(first, second))
            } else {
                Target::Socket(Handle::from_raw(first & !SINGLE).of_generation(second))
            });
        }
        Some(())
    }
}

/// The number of a room as it crosses the border: its lower 31 bits, and the rest.
fn room(low: u32, high: u32) -> RoomId {
    u64::from(high) << 31 | u64::from(low)
}
