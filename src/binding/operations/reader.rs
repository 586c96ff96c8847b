//! Reads a batch of operations; nothing in it is trusted to be whole.

use std::cell::RefCell;
use std::sync::Arc;

use bytes::Bytes;

use crate::binding::logs::Messages;
use crate::border::StringEncoding;
use crate::border::layout::{ATTACHED, BINARY, CONNECTION, PARTED, ROOM_LOW_BITS};
use crate::id::Handle;
use crate::net::command::Outgoing;
use crate::net::directory::RoomName;
use crate::socketio::json_string::{write_ascii, write_utf16};
use crate::socketio::recovery_log::packets::RoomList;
use crate::socketio::{RoomId, Target};

/// An operation ends too early, or has a number that means nothing.
#[derive(Debug)]
pub(super) struct Unreadable;

type Result<T> = std::result::Result<T, Unreadable>;

/// A text to be sent.
pub(super) enum TextOperand<'a> {
    /// As it was written.
    Whole(&'a [u8]),
    /// In parts, together of about so many bytes.
    Parted(usize),
}

/// What was handed over before a batch, until an operation has taken it.
pub(super) type Attached = Vec<RefCell<Option<Bytes>>>;

/// A batch and how far it has been read.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    attached: &'a [RefCell<Option<Bytes>>],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8], attached: &'a [RefCell<Option<Bytes>>]) -> Self {
        Self { bytes, attached, at: 0 }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.at >= self.bytes.len()
    }

    /// How far it has been read.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    fn take(&mut self, n: usize) -> Result<&'a [u8]> {
        let end = self.at.checked_add(n).ok_or(Unreadable)?;
        let taken = self.bytes.get(self.at..end).ok_or(Unreadable)?;
        self.at = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let rest = self.bytes.get(self.at..).ok_or(Unreadable)?;
        let taken = rest.first_chunk().ok_or(Unreadable)?;
        self.at += N;
        Ok(*taken)
    }

    pub(super) fn u8(&mut self) -> Result<u8> {
        self.array().map(|[byte]| byte)
    }

    pub(super) fn u32(&mut self) -> Result<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64> {
        self.array().map(u64::from_le_bytes)
    }

    /// Two `u32`.
    fn pair(&mut self) -> Result<(u32, u32)> {
        self.array().map(|[a, b, c, d, e, f, g, h]| {
            (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]))
        })
    }

    pub(super) fn handle(&mut self) -> Result<Handle> {
        let (place, generation) = self.pair()?;
        Ok(Handle::from_raw(place).of_generation(generation))
    }

    pub(super) fn room(&mut self) -> Result<RoomId> {
        let (low, high) = self.pair()?;
        Ok(room(low, high))
    }

    pub(super) fn bytes(&mut self) -> Result<&'a [u8]> {
        let len = self.u32()? as usize;
        self.take(len)
    }

    /// A text that is no packet.
    pub(super) fn str(&mut self) -> Result<&'a str> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Unreadable)
    }

    /// The name of a room.
    pub(super) fn name(&mut self) -> Result<RoomName<'a>> {
        let is_number = self.u8()? != 0;
        let text = self.str()?;
        if !is_number {
            return Ok(RoomName::Text(text));
        }
        text.parse().map(RoomName::Number).map_err(|_| Unreadable)
    }

    /// What is sent to other nodes as it is.
    pub(super) fn payload(&mut self) -> Result<Bytes> {
        self.message().map(|(Outgoing::Text(bytes) | Outgoing::Binary(bytes))| bytes)
    }

    /// The text of a packet. It is in one piece, or, when a long string is among its arguments, in
    /// parts: then [`parts`](Self::parts) must follow.
    pub(super) fn text(&mut self) -> Result<TextOperand<'a>> {
        let word = self.u32()?;
        self.text_of(word)
    }

    fn text_of(&mut self, word: u32) -> Result<TextOperand<'a>> {
        match word {
            PARTED => {
                let size = self.u32()? as usize;
                // No more memory than what is there can need.
                Ok(TextOperand::Parted(size.min(self.bytes.len() - self.at)))
            }
            len => self.take(len as usize).map(TextOperand::Whole),
        }
    }

    /// Appends to `text` its parts: JSON, and strings that become JSON now, in turn.
    pub(super) fn parts(&mut self, text: &mut Vec<u8>) -> Result<()> {
        let strings = self.u32()?;
        text.extend_from_slice(self.bytes()?);
        for _ in 0..strings {
            match StringEncoding::read(self.u8()?).ok_or(Unreadable)? {
                StringEncoding::Ascii => write_ascii(text, self.bytes()?),
                StringEncoding::Utf16 => write_utf16(text, self.bytes()?),
            }
            text.extend_from_slice(self.bytes()?);
        }
        Ok(())
    }

    /// The parts of a text of about `size` bytes, put together.
    pub(super) fn join(&mut self, size: usize) -> Result<Outgoing> {
        let mut text = Vec::with_capacity(size);
        self.parts(&mut text)?;
        Ok(Outgoing::Text(text.into()))
    }

    fn message(&mut self) -> Result<Outgoing> {
        let word = self.u32()?;
        if word == ATTACHED {
            return self.attached().map(Outgoing::Binary);
        }
        if word != PARTED && word & BINARY != 0 {
            let data = self.take((word & !BINARY) as usize)?;
            return Ok(Outgoing::Binary(Bytes::copy_from_slice(data)));
        }
        match self.text_of(word)? {
            TextOperand::Whole(text) => Ok(Outgoing::Text(Bytes::copy_from_slice(text))),
            TextOperand::Parted(size) => self.join(size),
        }
    }

    /// Bytes that stand beside the batch: each for one message.
    fn attached(&mut self) -> Result<Bytes> {
        let number = self.u32()? as usize;
        self.attached.get(number).and_then(RefCell::take).ok_or(Unreadable)
    }

    /// The messages that a packet is made of.
    pub(super) fn messages(&mut self) -> Result<Vec<Outgoing>> {
        let mut messages = vec![self.message()?];
        for _ in 0..self.u32()? {
            messages.push(self.message()?);
        }
        Ok(messages)
    }

    /// The same for several workers, or a log.
    pub(super) fn shared_messages(&mut self) -> Result<Messages> {
        let first = self.message()?;
        let more = self.u32()?;
        if more == 0 {
            return Ok(Arc::new([first])); // the usual case, in one allocation
        }
        let mut messages = vec![first];
        for _ in 0..more {
            messages.push(self.message()?);
        }
        Ok(messages.into())
    }

    /// Rooms as a log knows them.
    pub(super) fn kept_rooms(&mut self) -> Result<RoomList> {
        let count = self.u32()?;
        (0..count).map(|_| self.u32()).collect()
    }

    pub(super) fn targets(&mut self, targets: &mut Vec<Target>) -> Result<()> {
        targets.clear();
        for _ in 0..self.u32()? {
            let (first, second) = self.pair()?;
            targets.push(if first & CONNECTION == 0 {
                Target::Room(room(first, second))
            } else {
                Target::Socket(Handle::from_raw(first & !CONNECTION).of_generation(second))
            });
        }
        Ok(())
    }
}

/// The number of a room, of which the lower bits and the rest cross the border.
fn room(low: u32, high: u32) -> RoomId {
    u64::from(high) << ROOM_LOW_BITS | u64::from(low)
}
