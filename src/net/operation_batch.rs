//! What JavaScript asks of one worker, in order.
//!
//! The commonest operation, one text packet to one client, stays the bytes that JavaScript has written
//! ([`OperationKind::Send`]), with no memory of its own. Everything else is a [`Command`].
//!
//! ```text
//!   JavaScript's buffer ── lend ──► OperationBatch ─┬─ the worker sleeps: read where they are
//!                                                   └─ it is awake: copied once, into its mailbox
//! ```

use std::convert::Infallible;
use std::fmt;
use std::ops::Range;

use super::command::{Blame, Command};
use crate::border::{OperationKind, layout};
use crate::id::{Handle, Slot};

// Where in such an operation its parts begin: handle, flags, length of the text, text.
const HANDLE: usize = layout::LENGTH + layout::KIND;
const FLAGS: usize = HANDLE + layout::HANDLE;
const TEXT_LENGTH: usize = FLAGS + 1;
const HEADER: usize = TEXT_LENGTH + 4;

/// How many packets are written inline: each is a system call on the thread of JavaScript, and for more of
/// them it pays to wake the worker.
const INLINE_PACKETS: usize = 4;
/// How many bytes are written inline.
const INLINE_BYTES: usize = 8 << 10;
/// How many packets while JavaScript reads by itself: the answers to what it has read in a turn.
const READER_PACKETS: usize = 256;
/// How many bytes then.
const READER_BYTES: usize = 128 << 10;

/// Operations in order.
#[derive(Default)]
pub struct OperationBatch {
    parts: Vec<Part>,
    /// Packets that are not in the buffer of JavaScript, in its format.
    bytes: Vec<u8>,
    commands: Vec<Command>,
    /// The sum of what each costs ([`Command::inline_cost`]).
    inline_cost: usize,
    /// Bytes of all packets.
    size: usize,
    /// Whether one of the commands sends a large message.
    large: bool,
}

/// Operations that follow each other and are kept in the same place.
enum Part {
    /// Packets that stand in the buffer of JavaScript.
    Lent(Range<usize>),
    /// Packets, in so many of the batch's own bytes.
    Own(usize),
    /// So many commands.
    Commands(usize),
}

impl fmt::Debug for OperationBatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OperationBatch")
            .field("size", &self.size)
            .field("commands", &self.commands.len())
            .finish_non_exhaustive()
    }
}

/// One operation out of an [`OperationBatch`].
#[derive(Debug)]
pub enum Operation<'a> {
    /// Send `text` as one message to the client in `slot`.
    SendText {
        /// The client.
        slot: Slot,
        /// Bits of [`send_flag`](crate::border::send_flag).
        flags: u8,
        /// The Socket.IO packet.
        text: &'a [u8],
    },
    /// Anything else.
    Command(Command),
}

impl Operation<'_> {
    /// Who is ended when it panics to do this.
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
        self.parts.is_empty()
    }

    /// Whether it is so little work that JavaScript's thread may do it while the worker sleeps; `reads`: it reads the
    /// sockets, too.
    pub fn may_run_inline(&self, reads: bool) -> bool {
        let (packets, bytes) =
            if reads { (READER_PACKETS, READER_BYTES) } else { (INLINE_PACKETS, INLINE_BYTES) };
        self.inline_cost <= packets && self.size <= bytes
    }

    /// Whether one of its commands sends a large message.
    pub fn is_large(&self) -> bool {
        self.large
    }

    /// Has only the worker do it.
    pub fn leave_to_worker(&mut self) {
        self.inline_cost = usize::MAX;
    }

    /// Appends a text packet to one client, which stands at `place` of JavaScript's buffer: a whole
    /// [`OperationKind::Send`].
    /// That buffer has to be at hand when this batch is read.
    pub fn lend(&mut self, place: Range<usize>) {
        self.count_packet(place.len());
        match self.parts.last_mut() {
            Some(Part::Lent(before)) if before.end == place.start => before.end = place.end,
            _ => self.parts.push(Part::Lent(place)),
        }
    }

    /// Appends a text packet to one client.
    ///
    /// # Panics
    /// When the text is 4 GiB long: no string of JavaScript is.
    pub fn send_text(&mut self, slot: Slot, flags: u8, text: &[u8]) {
        self.bytes.reserve(HEADER + text.len());
        let Ok(()) = self.send_text_with(slot, flags, |bytes| {
            bytes.extend_from_slice(text);
            Ok::<_, Infallible>(())
        });
    }

    /// Appends a text packet that `write` writes.
    ///
    /// # Errors
    /// That of `write`; nothing is appended then.
    ///
    /// # Panics
    /// As [`send_text`](Self::send_text).
    pub fn send_text_with<E>(
        &mut self,
        slot: Slot,
        flags: u8,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0; HEADER]);
        if let Err(error) = write(&mut self.bytes) {
            self.bytes.truncate(start);
            return Err(error);
        }
        let len = self.bytes.len() - start;
        let header = &mut self.bytes[start..][..HEADER];
        write_header(header, slot, flags, len);
        self.count_packet(len);
        self.add_own(len);
        Ok(())
    }

    /// Appends a command.
    pub fn command(&mut self, command: Command) {
        self.inline_cost = self.inline_cost.saturating_add(command.inline_cost());
        self.large |= command.is_large();
        self.commands.push(command);
        self.add_commands(1);
    }

    fn count_packet(&mut self, bytes: usize) {
        self.inline_cost = self.inline_cost.saturating_add(1);
        self.size += bytes;
    }

    fn add_own(&mut self, len: usize) {
        match self.parts.last_mut() {
            Some(Part::Own(before)) => *before += len,
            _ => self.parts.push(Part::Own(len)),
        }
    }

    fn add_commands(&mut self, count: usize) {
        match self.parts.last_mut() {
            Some(Part::Commands(before)) => *before += count,
            _ => self.parts.push(Part::Commands(count)),
        }
    }

    /// Appends all of `other`, of which some is lent by `buffer`. It is left empty and keeps its memory.
    pub(super) fn append(&mut self, other: &mut Self, buffer: &[u8]) {
        let own = |part: &Part| match part {
            Part::Lent(place) => place.len(),
            Part::Own(len) => *len,
            Part::Commands(_) => 0,
        };
        // At once: growing by and by would copy a large batch twice.
        self.bytes.reserve(other.parts.iter().map(own).sum());
        let mut own = other.bytes.as_slice();
        for part in other.parts.drain(..) {
            match part {
                Part::Lent(place) => {
                    self.add_own(place.len());
                    self.bytes.extend_from_slice(&buffer[place]);
                }
                Part::Own(len) => {
                    let (bytes, rest) = own.split_at(len);
                    own = rest;
                    self.add_own(len);
                    self.bytes.extend_from_slice(bytes);
                }
                Part::Commands(count) => self.add_commands(count),
            }
        }
        self.commands.append(&mut other.commands);
        self.inline_cost = self.inline_cost.saturating_add(other.inline_cost);
        self.size += other.size;
        self.large |= other.large;
        other.clear();
    }

    /// Whether it can be read without the buffer of JavaScript.
    pub(super) fn is_own(&self) -> bool {
        !self.parts.iter().any(|part| matches!(part, Part::Lent(_)))
    }

    /// Bytes that it has memory for.
    pub(super) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// Gives every operation to `apply`, in order, and leaves the batch empty. `buffer` is that of
    /// JavaScript; none for a batch out of a mailbox, which has no need of it.
    ///
    /// # Panics
    /// Never: what is read here was written by the methods above.
    pub fn drain(&mut self, buffer: &[u8], mut apply: impl FnMut(Operation<'_>)) {
        let mut own = self.bytes.as_slice();
        let mut commands = self.commands.drain(..);
        for part in self.parts.drain(..) {
            match part {
                Part::Lent(place) => each_packet(&buffer[place], &mut apply),
                Part::Own(len) => {
                    let (packets, rest) = own.split_at(len);
                    own = rest;
                    each_packet(packets, &mut apply);
                }
                Part::Commands(count) => {
                    commands.by_ref().take(count).map(Operation::Command).for_each(&mut apply);
                }
            }
        }
        drop(commands);
        self.clear();
    }

    /// Drops what is in it; keeps the memory.
    pub fn clear(&mut self) {
        self.parts.clear();
        self.bytes.clear();
        self.commands.clear();
        self.inline_cost = 0;
        self.size = 0;
        self.large = false;
    }
}

/// Reads packets that follow each other.
fn each_packet(mut packets: &[u8], apply: &mut impl FnMut(Operation<'_>)) {
    while let Some((header, rest)) = packets.split_first_chunk::<HEADER>() {
        let word = |at: usize| {
            u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
        };
        let slot = Handle::from_raw(word(HANDLE)).of_generation(word(HANDLE + 4)).slot();
        let text = &rest[..word(TEXT_LENGTH) as usize];
        apply(Operation::SendText { slot, flags: header[FLAGS], text });
        packets = &packets[layout::LENGTH + word(0) as usize..];
    }
}

/// Writes the header of a packet of `len` bytes. Its own worker reads it, so the worker's number is left out.
fn write_header(header: &mut [u8], slot: Slot, flags: u8, len: usize) {
    let word = |n: usize| {
        u32::try_from(n).expect("a string of JavaScript is shorter than 4 GiB").to_le_bytes()
    };
    header[..layout::LENGTH].copy_from_slice(&word(len - layout::LENGTH));
    header[layout::LENGTH] = OperationKind::Send as u8;
    header[HANDLE..][..4].copy_from_slice(&Handle::new(0, slot.index as usize).raw().to_le_bytes());
    header[HANDLE + 4..][..4].copy_from_slice(&slot.generation.to_le_bytes());
    header[FLAGS] = flags;
    header[TEXT_LENGTH..].copy_from_slice(&word(len - HEADER));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::border::send_flag::VOLATILE;
    use crate::net::command::Outgoing;

    fn slot(index: u32) -> Slot {
        Slot { index, generation: index + 7 }
    }

    /// A packet as JavaScript writes it, with something behind the text that means nothing.
    fn packet(slot: Slot, flags: u8, text: &str) -> Vec<u8> {
        let mut bytes = vec![0; HEADER];
        bytes.extend_from_slice(text.as_bytes());
        let len = bytes.len();
        write_header(&mut bytes[..HEADER], slot, flags, len);
        bytes[0] += 3;
        bytes.extend_from_slice(b"???");
        bytes
    }

    fn drained(batch: &mut OperationBatch, buffer: &[u8]) -> Vec<String> {
        let mut seen = Vec::new();
        batch.drain(buffer, |operation| {
            seen.push(match operation {
                Operation::SendText { slot: Slot { index, generation }, flags, text } => {
                    format!("{index}/{generation} {flags} {}", String::from_utf8_lossy(text))
                }
                Operation::Command(command) => format!("{command:?}"),
            });
        });
        assert!(batch.is_empty());
        seen
    }

    #[test]
    fn a_large_message_is_written_inline_only_by_who_reads_the_sockets() {
        let send = |bytes: usize| {
            let attachment = Outgoing::Binary(vec![7; bytes].into());
            let messages = vec![Outgoing::Text("51-[]".into()), attachment];
            Command::Send { slot: slot(1), flags: 0, messages }
        };
        let mut batch = OperationBatch::default();
        for (bytes, asleep, reads) in
            [(100, true, true), (64 << 10, false, true), (4 << 20, false, false)]
        {
            batch.command(send(bytes));
            assert_eq!(
                (batch.may_run_inline(false), batch.may_run_inline(true)),
                (asleep, reads),
                "{bytes}"
            );
            assert_eq!(batch.is_large(), bytes > 100);
            batch.leave_to_worker();
            assert!(!batch.may_run_inline(true));
            batch.clear();
        }
        for _ in 0..READER_PACKETS / 9 {
            batch.command(send(64 << 10));
        }
        assert!(batch.may_run_inline(true));
        batch.command(send(64 << 10));
        assert!(!batch.may_run_inline(true), "what is sent inline is bounded");
    }

    #[test]
    fn operations_come_out_in_order_wherever_they_are() {
        let packets: Vec<_> = ["one", "two", "", "four"]
            .iter()
            .zip(1..)
            .map(|(text, n)| packet(slot(n), VOLATILE, text))
            .collect();
        let buffer = packets.concat();
        let places = packets.iter().scan(0, |end, packet| {
            *end += packet.len();
            Some(*end - packet.len()..*end)
        });
        let places: Vec<_> = places.collect();
        let fill = |batch: &mut OperationBatch| {
            batch.lend(places[0].clone());
            batch.lend(places[1].clone());
            batch.send_text(slot(9), 0, b"own");
            assert_eq!(batch.send_text_with(slot(9), 0, |_| Err(())), Err(()));
            batch.command(Command::Resume);
            batch.command(Command::Stop);
            batch.lend(places[2].clone());
            batch.send_text(slot(8), 0, b"");
            batch.lend(places[3].clone());
        };
        let expected = [
            "1/8 1 one",
            "2/9 1 two",
            "9/16 0 own",
            "Resume",
            "Stop",
            "3/10 1 ",
            "8/15 0 ",
            "4/11 1 four",
        ];
        let mut batch = OperationBatch::default();
        fill(&mut batch);
        let mut copy = OperationBatch::default();
        copy.command(Command::Resume);
        copy.append(&mut batch, &buffer);
        assert!(batch.is_empty() && copy.is_own());
        assert_eq!(drained(&mut copy, &[])[1..], expected);

        fill(&mut batch);
        assert!(!batch.is_own());
        assert_eq!(drained(&mut batch, &buffer), expected);
    }
}
