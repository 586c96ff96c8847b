//! Operations come out of the mailbox as they would have been run inline: in order and whole, and without
//! the buffer that they were written to.
#![cfg(feature = "net")]

use ferrosocket::border::OperationKind;
use ferrosocket::id::{Handle, Slot};
use ferrosocket::net::command::Command;
use ferrosocket::net::mailbox::Mailbox;
use ferrosocket::net::operation_batch::{Operation, OperationBatch};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    /// A packet, which the worker reads where JavaScript has written it, and bytes that mean nothing behind it.
    Lent(Vec<u8>, usize),
    /// An operation in JavaScript's buffer that is not for this worker.
    ForAnother(usize),
    /// A packet that is put together.
    Own(Vec<u8>),
    /// A packet that can't be put together.
    Failed(Vec<u8>),
    Command,
    /// The tick is over; `asleep`: what is asked for is done at once, if nothing waits.
    HandOver {
        asleep: bool,
    },
    /// The worker does what it has been asked for.
    Take,
}

fn step() -> impl Strategy<Value = Step> {
    let text = || prop::collection::vec(any::<u8>(), 0..40);
    prop_oneof![
        6 => (text(), 0..5_usize).prop_map(|(text, behind)| Step::Lent(text, behind)),
        1 => (0..30_usize).prop_map(Step::ForAnother),
        2 => text().prop_map(Step::Own),
        1 => text().prop_map(Step::Failed),
        2 => Just(Step::Command),
        3 => any::<bool>().prop_map(|asleep| Step::HandOver { asleep }),
        2 => Just(Step::Take),
    ]
}

/// The client of the operation that is the so many-eth.
fn slot(n: usize) -> Slot {
    let n = u32::try_from(n).unwrap_or_default();
    Slot { index: n % 7, generation: n }
}

/// A packet as JavaScript writes it.
fn packet(slot: Slot, text: &[u8], behind: usize) -> Vec<u8> {
    let word = |n: usize| u32::try_from(n).unwrap_or_default().to_le_bytes();
    let place = Handle::new(3, slot.index as usize).raw().to_le_bytes();
    let head = [&[OperationKind::Send as u8][..], &place, &slot.generation.to_le_bytes(), &[1]];
    let operation = [&head.concat(), &word(text.len())[..], text, &vec![0xee; behind]].concat();
    [&word(operation.len())[..], &operation].concat()
}

#[derive(Default)]
struct World {
    mailbox: Mailbox,
    batch: OperationBatch,
    buffer: Vec<u8>,
    expected: Vec<(Slot, Option<Vec<u8>>)>,
    got: Vec<(Slot, Option<Vec<u8>>)>,
}

fn note(got: &mut Vec<(Slot, Option<Vec<u8>>)>, operation: Operation<'_>) {
    match operation {
        Operation::SendText { slot, text, .. } => got.push((slot, Some(text.to_vec()))),
        Operation::Command(Command::Joined { slot }) => got.push((slot, None)),
        Operation::Command(other) => unreachable!("nobody asked for {other:?}"),
    }
}

impl World {
    fn step(&mut self, step: Step) {
        let slot = slot(self.expected.len());
        match step {
            Step::Lent(text, behind) => {
                let start = self.buffer.len();
                self.buffer.extend_from_slice(&packet(slot, &text, behind));
                self.batch.lend(start..self.buffer.len());
                self.expected.push((slot, Some(text)));
            }
            Step::ForAnother(bytes) => self.buffer.extend(std::iter::repeat_n(0xdd, bytes)),
            Step::Own(text) => {
                self.batch.send_text(slot, 1, &text);
                self.expected.push((slot, Some(text)));
            }
            Step::Failed(text) => {
                let failed = self.batch.send_text_with(slot, 1, |out| {
                    out.extend_from_slice(&text);
                    Err(())
                });
                assert_eq!(failed, Err(()));
            }
            Step::Command => {
                self.batch.command(Command::Joined { slot });
                self.expected.push((slot, None));
            }
            Step::HandOver { asleep } => self.hand_over(asleep),
            Step::Take => self.take(),
        }
    }

    fn hand_over(&mut self, asleep: bool) {
        if asleep && self.mailbox.is_empty() {
            self.batch.drain(&self.buffer, |operation| note(&mut self.got, operation));
        } else {
            self.mailbox.post(&mut self.batch, &self.buffer);
        }
        assert!(self.batch.is_empty() && self.batch.may_run_inline(false));
        // JavaScript writes to it again.
        self.buffer.clear();
    }

    fn take(&mut self) {
        let mut batch = OperationBatch::default();
        if self.mailbox.take(&mut batch) {
            batch.drain(&[], |operation| note(&mut self.got, operation));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn the_order_is_kept_whichever_way_operations_go(
        steps in prop::collection::vec(step(), 0..80),
    ) {
        let mut world = World::default();
        for step in steps {
            world.step(step);
        }
        world.hand_over(false);
        world.take();
        prop_assert_eq!(&world.got, &world.expected);
    }
}
