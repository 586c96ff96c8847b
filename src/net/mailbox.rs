//! The way down: the queue of what JavaScript and other workers have for one worker.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use super::command::Command;
use super::operation_batch::OperationBatch;
use super::parker::Parker;

/// What JavaScript and a worker share: the queue between them.
#[derive(Debug, Default)]
pub struct Mailbox {
    batch: Mutex<OperationBatch>,
    /// Wakes the worker.
    pub parker: Parker,
    /// Set when the worker has ended and takes nothing any more: its number and 1.
    closed: AtomicUsize,
}

/// A drained batch keeps its buffers up to this many bytes: twice what JavaScript hands over at once, since they grow to
/// twice their size.
const KEEP_CAPACITY: usize = 2 << 20;

impl Mailbox {
    /// An empty one of the worker that `parker` wakes.
    pub fn new(parker: Parker) -> Self {
        Self { parker, ..Self::default() }
    }

    /// Hands over `batch`, which is left empty. What `buffer`, JavaScript's, lends to it is copied.
    pub fn post(&self, batch: &mut OperationBatch, buffer: &[u8]) {
        {
            let mut waiting = self.batch.lock().unwrap_or_else(PoisonError::into_inner);
            if self.is_closed() {
                drop(waiting);
                return self.refuse(batch, buffer);
            }
            if waiting.is_empty() && batch.is_own() {
                std::mem::swap(&mut *waiting, batch);
            } else {
                waiting.append(batch, buffer);
            }
        }
        self.parker.unpark();
    }

    /// Hands over one command.
    pub fn post_command(&self, command: Command) {
        self.leave_command(command);
        self.parker.unpark();
    }

    /// Hands over one command without waking the worker: the caller sees to that.
    pub fn leave_command(&self, command: Command) {
        let mut waiting = self.batch.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.command(command);
        if self.is_closed() {
            let mut batch = std::mem::take(&mut *waiting);
            drop(waiting);
            self.refuse(&mut batch, &[]);
        }
    }

    /// `worker` has ended: nothing is kept for it any more, and new connections are refused.
    pub fn close(&self, worker: usize) {
        let mut waiting = self.batch.lock().unwrap_or_else(PoisonError::into_inner);
        self.closed.store(worker + 1, Ordering::Relaxed);
        let mut batch = std::mem::take(&mut *waiting);
        drop(waiting);
        self.refuse(&mut batch, &[]);
    }

    /// Whether the worker has ended.
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed) != 0
    }

    fn refuse(&self, batch: &mut OperationBatch, buffer: &[u8]) {
        let worker = self.closed.load(Ordering::Relaxed) - 1;
        batch.drain(buffer, |operation| {
            operation.blame().refuse(worker);
        });
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.batch.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Takes what waits into `batch`, which must be empty; false when nothing waits.
    pub fn take(&self, batch: &mut OperationBatch) -> bool {
        if batch.capacity() > KEEP_CAPACITY {
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
    use crate::border::send_flag::VOLATILE;
    use crate::id::Slot;
    use crate::net::operation_batch::Operation;

    #[test]
    fn the_order_of_packets_and_commands_is_kept() {
        let mailbox = Mailbox::default();
        let mut batch = OperationBatch::default();
        let slot = |index| Slot { index, generation: index + 7 };
        batch.send_text(slot(1), VOLATILE, b"one");
        batch.command(Command::Close { slot: slot(1), discard: false });
        mailbox.post(&mut batch, &[]);
        assert!(batch.is_empty());
        batch.send_text(slot(2), 0, b"");
        mailbox.post(&mut batch, &[]);
        mailbox.post_command(Command::Stop);

        let mut seen = Vec::new();
        assert!(mailbox.take(&mut batch));
        batch.drain(&[], |operation| {
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
