//! The queues between JavaScript and the workers, and to a peer.

use std::hint::black_box;

use bytes::Bytes;
use ferrosocket::border::{OperationKind, RecordKind};
use ferrosocket::engineio::{Dialect, Protocol};
use ferrosocket::id::{Handle, Slot};
use ferrosocket::net::command::{Command, Outgoing};
use ferrosocket::net::inbox::Inbox;
use ferrosocket::net::mailbox::Mailbox;
use ferrosocket::net::operation_batch::{Operation, OperationBatch};
use ferrosocket::net::record::RecordBatch;
use ferrosocket::net::shared_frames::SharedFrames;
use ferrosocket::net::write_queue::WriteQueue;

use crate::harness::Suite;
use crate::samples::{SIZES, event};

/// Records or operations that go together.
const BATCH: u32 = 100;
/// The worker that the records come from.
const WORKER: usize = 0;

pub(crate) fn cases(suite: &mut Suite) {
    let text = event(32);
    inbox(suite, "queues: one of 100 events of 32 B up, pushed and taken", move |inbox, handle| {
        inbox.push(WORKER, |record| {
            record.kind(RecordKind::Event).number(handle).raw("-1").raw(&text[1..]);
        });
    });
    inbox(suite, "queues: one of 100 buffers of 1 KiB up, pushed and taken", |inbox, handle| {
        inbox.push(WORKER, |record| {
            record.kind(RecordKind::RawMessage).number(handle).buffer(vec![7; 1 << 10]);
        });
    });
    let name = "queues: one of 100 texts of 32 B down, posted and drained";
    let size = send(0).len();
    mailbox(suite, name, (0..BATCH).flat_map(send).collect(), move |batch, slot| {
        let start = slot.index as usize * size;
        batch.lend(start..start + size);
    });
    let name = "queues: one of 100 commands down, posted and drained";
    mailbox(suite, name, Vec::new(), |batch, slot| batch.command(Command::Release { slot }));
    for (len, size) in SIZES {
        let messages = [Outgoing::Text(Bytes::from(event(len)))];
        suite.case(format!("queues: frame a broadcast of {size}"), move || {
            let frames = SharedFrames::new(black_box(&messages));
            frames.of(Dialect::from(Protocol::V4))[0].clone()
        });
    }
    for (len, size) in SIZES {
        let (mut queue, frame) = (WriteQueue::default(), Bytes::from(event(len)));
        let mut spare = Some(Vec::new());
        suite.case(format!("queues: queue a shared frame of {size}, written at once"), move || {
            queue.append_shared(black_box(&frame), || spare.take().unwrap_or_default());
            spare = queue.advance(frame.len());
        });
    }
}

fn inbox(suite: &mut Suite, name: &str, push: impl Fn(&Inbox, u32) + 'static) {
    let (inbox, mut recycled) = (Inbox::new(|| ()), RecordBatch::default());
    suite.batch(name, BATCH, move || {
        for handle in 0..BATCH {
            push(&inbox, handle);
        }
        inbox.announce(WORKER);
        let batch = inbox.take(std::mem::take(&mut recycled)).batch;
        let buffers = black_box(&batch.buffers).len();
        recycled = batch;
        buffers
    });
}

/// A packet to a client as JavaScript writes it.
fn send(client: u32) -> Vec<u8> {
    let text = event(32);
    let word = |n: usize| u32::try_from(n).expect("it is small").to_le_bytes();
    let handle = Handle::new(0, client as usize).of_generation(1);
    let (place, generation) = (handle.raw().to_le_bytes(), handle.generation().to_le_bytes());
    let operation = [
        &[OperationKind::Send as u8],
        &place[..],
        &generation,
        &[0],
        &word(text.len()),
        text.as_bytes(),
    ];
    let operation = operation.concat();
    [&word(operation.len())[..], &operation].concat()
}

fn mailbox(
    suite: &mut Suite,
    name: &str,
    buffer: Vec<u8>,
    append: impl Fn(&mut OperationBatch, Slot) + 'static,
) {
    let (mailbox, mut written, mut read) =
        (Mailbox::default(), OperationBatch::default(), OperationBatch::default());
    suite.batch(name, BATCH, move || {
        for slot in 0..BATCH {
            append(&mut written, Slot { index: slot, generation: 1 });
        }
        mailbox.post(&mut written, black_box(&buffer));
        assert!(mailbox.take(&mut read));
        read.drain(&[], |operation: Operation<'_>| {
            black_box(operation);
        });
    });
}
