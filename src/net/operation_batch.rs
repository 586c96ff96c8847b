//! What JavaScript asks of one worker, in order.
//!
//! The commonest operation, one text packet to one client, is kept as bytes in one buffer (no
//! allocation per packet); everything else is a [`Command`] beside it. The order between the two
//! is kept: each takes a tag in the byte buffer.

use std::fmt;

use super::command::{Blame, Command};
use crate::id::Slot;

/// Packets that are written inline: each is a system call on the thread of JavaScript, and for more of
/// them it pays to wake the worker.
const INLINE_PACKETS: usize = 4;
/// Bytes that are written inline.
const INLINE_BYTES: usize = 8 << 10;

/// Operations in order: tags and text packets in `bytes`, commands in `commands`.
#[derive(Default)]
pub struct OperationBatch {
    bytes: Vec<u8>,
    commands: Vec<Command>,
    /// The sum of what each costs ([`Command::inline_cost`]).
    inline_cost: usize,
}

impl fmt::Debug for OperationBatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OperationBatch")
            .field("bytes", &self.bytes.len())
            .field("commands", &self.commands.len())
            .finish_non_exhaustive()
    }
}

const TAG_TEXT: u8 = 0;
const TAG_COMMAND: u8 = 1;

/// One operation out of a [`OperationBatch`].
#[derive(Debug)]
pub enum Operation<'a> {
    /// Send `text` as one message to the client in `slot`.
    SendText {
        /// The client.
        slot: Slot,
        /// [`VOLATILE`](super::command::VOLATILE), [`NO_COMPRESS`](super::command::NO_COMPRESS).
        flags: u8,
        /// The Socket.IO packet.
        text: &'a [u8],
    },
    /// Anything else.
    Command(Command),
}

impl Operation<'_> {
    /// Who goes should it panic to do this.
    pub fn blame(&self) -> Blame {
        match self {
            Self::SendText { slot, .. } => Blame::Client(*slot),
            Self::Command(command) => command.blame(),
        }
    }
}

impl OperationBatch {
    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Whether it is so little work that JavaScript's thread may do it while the worker sleeps.
    pub fn may_run_inline(&self) -> bool {
        self.inline_cost <= INLINE_PACKETS && self.bytes.len() <= INLINE_BYTES
    }

    /// Appends a text packet to one client.
    ///
    /// # Panics
    /// When the text is 4 GiB long: no string of JavaScript is.
    pub fn send_text(&mut self, slot: Slot, flags: u8, text: &[u8]) {
        self.inline_cost = self.inline_cost.saturating_add(1);
        self.bytes.reserve(14 + text.len());
        self.bytes.push(TAG_TEXT);
        self.bytes.extend_from_slice(&slot.index.to_le_bytes());
        self.bytes.extend_from_slice(&slot.generation.to_le_bytes());
        self.bytes.push(flags);
        let len = u32::try_from(text.len()).expect("a string of JavaScript is shorter than 4 GiB");
        self.bytes.extend_from_slice(&len.to_le_bytes());
        self.bytes.extend_from_slice(text);
    }

    /// Appends a text packet that `write` writes; nothing when that is `None`.
    ///
    /// # Panics
    /// As [`send_text`](Self::send_text).
    pub fn send_text_with(
        &mut self,
        slot: Slot,
        flags: u8,
        write: impl FnOnce(&mut Vec<u8>) -> Option<()>,
    ) -> Option<()> {
        let before = self.bytes.len();
        self.send_text(slot, flags, b"");
        let start = self.bytes.len();
        if write(&mut self.bytes).is_none() {
            self.bytes.truncate(before);
            return None;
        }
        let len = self.bytes.len() - start;
        let len = u32::try_from(len).expect("a string of JavaScript is shorter than 4 GiB");
        self.bytes[start - 4..start].copy_from_slice(&len.to_le_bytes());
        Some(())
    }

    /// Appends a command.
    pub fn command(&mut self, command: Command) {
        self.bytes.push(TAG_COMMAND);
        self.inline_cost = self.inline_cost.saturating_add(command.inline_cost());
        self.commands.push(command);
    }

    /// Appends all of `other`, which is left empty and keeps its memory.
    pub(super) fn append(&mut self, other: &mut Self) {
        self.bytes.extend_from_slice(&other.bytes);
        self.commands.append(&mut other.commands);
        self.inline_cost = self.inline_cost.saturating_add(std::mem::take(&mut other.inline_cost));
        other.bytes.clear();
    }

    /// Bytes that it has memory for.
    pub(super) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// Gives every operation to `apply`, in order, and leaves the batch empty.
    ///
    /// # Panics
    /// Never: what is read here was written by the methods above.
    pub fn drain(&mut self, mut apply: impl FnMut(Operation<'_>)) {
        let mut commands = self.commands.drain(..);
        let mut rest = self.bytes.as_slice();
        while let Some((&tag, tail)) = rest.split_first() {
            rest = tail;
            if tag == TAG_COMMAND {
                apply(Operation::Command(commands.next().expect("each tag has its command")));
                continue;
            }
            let slot = Slot { index: read_u32(&mut rest), generation: read_u32(&mut rest) };
            let (&flags, tail) = rest.split_first().expect("send_text wrote the flags");
            rest = tail;
            let len = read_u32(&mut rest) as usize;
            let (text, tail) = rest.split_at(len);
            rest = tail;
            apply(Operation::SendText { slot, flags, text });
        }
        drop(commands);
        self.bytes.clear();
        self.inline_cost = 0;
    }
}

fn read_u32(rest: &mut &[u8]) -> u32 {
    let (word, tail) = rest.split_first_chunk().expect("send_text wrote whole words");
    *rest = tail;
    u32::from_le_bytes(*word)
}
