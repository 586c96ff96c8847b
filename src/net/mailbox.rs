//! The way down: the queue of what JavaScript has for one worker.
//!
//! The commonest operation, one text packet to one client, is kept as bytes in one buffer (no
//! allocation per packet); everything else is a [`Command`] beside it. The order between the two
//! is kept: each takes a tag in the byte buffer.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

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
    fn append(&mut self, other: &mut Self) {
        self.bytes.extend_from_slice(&other.bytes);
        self.commands.append(&mut other.commands);
        self.inline_cost = self.inline_cost.saturating_add(std::mem::take(&mut other.inline_cost));
        other.bytes.clear();
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

/// What JavaScript and a worker share: the queue between them.
#[derive(Debug, Default)]
pub struct Mailbox {
    batch: Mutex<OperationBatch>,
    /// Wakes the worker.
    pub notify: Notify,
    /// Set when the worker has ended and takes nothing any more: its number and 1.
    closed: AtomicUsize,
}

/// A drained batch keeps its buffers up to this many bytes.
const KEEP_CAPACITY: usize = 1 << 20;

impl Mailbox {
    /// Hands over `batch`, which is left empty.
    pub fn post(&self, batch: &mut OperationBatch) {
        {
            let mut waiting = self.batch.lock().unwrap_or_else(PoisonError::into_inner);
            if self.is_closed() {
                drop(waiting);
                return self.refuse(batch);
            }
            if waiting.is_empty() {
                std::mem::swap(&mut *waiting, batch);
            } else {
                waiting.append(batch);
            }
        }
        self.notify.notify_one();
    }

    /// Hands over one command.
    pub fn post_command(&self, command: Command) {
        self.leave_command(command);
        self.notify.notify_one();
    }

    /// Hands over one command without waking the worker: the caller sees to that.
    pub fn leave_command(&self, command: Command) {
        let mut waiting = self.batch.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.command(command);
        if self.is_closed() {
            let mut batch = std::mem::take(&mut *waiting);
            drop(waiting);
            self.refuse(&mut batch);
        }
    }

    /// `worker` has ended: nothing is kept for it any more, and who comes is refused.
    pub fn close(&self, worker: usize) {
        let mut waiting = self.batch.lock().unwrap_or_else(PoisonError::into_inner);
        self.closed.store(worker + 1, Ordering::Relaxed);
        let mut batch = std::mem::take(&mut *waiting);
        drop(waiting);
        self.refuse(&mut batch);
    }

    /// Whether the worker has ended.
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed) != 0
    }

    fn refuse(&self, batch: &mut OperationBatch) {
        let worker = self.closed.load(Ordering::Relaxed) - 1;
        batch.drain(|operation| {
            if let Blame::Newcomer(newcomer) = operation.blame() {
                newcomer.refuse(worker);
            }
        });
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.batch.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Takes what waits into `batch`, which must be empty; false when nothing waits.
    pub fn take(&self, batch: &mut OperationBatch) -> bool {
        if batch.bytes.capacity() > KEEP_CAPACITY {
            *batch = OperationBatch::default();
        }
        let mut waiting = self.batch.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.is_empty() {
            return false;
        }
        std::mem::swap(&mut *waiting, batch);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::command::VOLATILE;

    #[test]
    fn the_order_of_packets_and_commands_is_kept() {
        let mailbox = Mailbox::default();
        let mut batch = OperationBatch::default();
        let slot = |index| Slot { index, generation: index + 7 };
        batch.send_text(slot(1), VOLATILE, b"one");
        batch.command(Command::Close { slot: slot(1), discard: false });
        mailbox.post(&mut batch);
        assert!(batch.is_empty());
        batch.send_text(slot(2), 0, b"");
        mailbox.post(&mut batch);
        mailbox.post_command(Command::Stop);

        let mut seen = Vec::new();
        assert!(mailbox.take(&mut batch));
        batch.drain(|operation| {
            seen.push(match operation {
                Operation::SendText { slot, flags, text } => {
                    format!(
                        "{}/{} {flags} {}",
                        slot.index,
                        slot.generation,
                        String::from_utf8_lossy(text)
                    )
                }
                Operation::Command(Command::Close { slot, .. }) => format!("close {}", slot.index),
                Operation::Command(other) => format!("{other:?}"),
            });
        });
        assert_eq!(seen, ["1/8 1 one", "close 1", "2/9 0 ", "Stop"]);
        assert!(!mailbox.take(&mut batch));
    }
}
