//! The batch down as the JavaScript thread reads it: operations sorted by worker, rooms looked up.
//!
//! There are no workers here, so what is sorted is dropped instead of handed over; handing over is
//! among the cases of the queues.

use std::hint::black_box;

use ferrosocket::binding::operations::{Faults, Operations};
use ferrosocket::border::OperationKind;
use ferrosocket::id::Handle;
use ferrosocket::net::lifecycle::LifecycleEvent;

use crate::harness::Suite;
use crate::samples::event;

const WORKERS: usize = 2;
/// Operations of one batch.
const BATCH: u32 = 100;
/// Members of the room that broadcasts go to.
const MEMBERS: u32 = 1000;

pub(crate) fn cases(suite: &mut Suite) {
    let text = event(32);
    let sends = (0..BATCH).fold(Bytes::default(), |ops, n| {
        ops.operation(|op| op.kind(OperationKind::Send).handle(n).u8(0).text(&text))
    });
    applying(suite, "border: read one of 100 sends of 32 B", BATCH, sends.clone());
    let mut state = state();
    suite.batch(
        "border: read one of 100 sends of 32 B, and give it to a worker",
        BATCH,
        move || {
            state.read(black_box(&sends.0));
            state.drain(&sends.0, |_, operation| {
                black_box(operation);
            });
        },
    );

    let joins = (0..BATCH / 2).fold(Bytes::default(), |ops, n| {
        let guest = MEMBERS + n;
        ops.operation(|op| op.kind(OperationKind::Join).handle(guest).room())
            .operation(|op| op.kind(OperationKind::Leave).handle(guest).room())
    });
    applying(suite, "border: read one of 50 joins or 50 leaves", BATCH, joins);

    let broadcasts = (0..BATCH).fold(Bytes::default(), |ops, _| {
        ops.operation(|op| {
            op.kind(OperationKind::Broadcast).u8(0).u32(1).room().u32(0).text(&text).u32(0)
        })
    });
    applying(suite, "border: read one of 100 broadcasts to a room of 1000", BATCH, broadcasts);

    let multicast = Bytes::default().operation(|op| {
        let op = op.kind(OperationKind::Multicast).u8(0).text(&text).u32(0).u32(MEMBERS);
        (0..MEMBERS).fold(op, Bytes::handle)
    });
    applying(suite, "border: read one of 1000 targets of a multicast", MEMBERS, multicast);
}

/// The client `n`; workers take turns.
fn handle(n: u32) -> Handle {
    Handle::new(n as usize % WORKERS, n as usize / WORKERS).of_generation(n + 1)
}

/// A process whose room 0 has members.
fn state() -> Operations {
    let mut state = Operations::default();
    state.restart(WORKERS);
    (0..MEMBERS + BATCH).for_each(|n| state.note(LifecycleEvent::Opened(handle(n))));
    let joins = (0..MEMBERS).fold(Bytes::default(), |ops, n| {
        ops.operation(|op| op.kind(OperationKind::Join).handle(n).room())
    });
    state.apply(&joins.0, None);
    assert_eq!((state.rooms(), state.faults()), (1, Faults::default()));
    state
}

/// Applies a batch again and again.
fn applying(suite: &mut Suite, name: &str, operations: u32, batch: Bytes) {
    let mut state = state();
    suite.batch(name, operations, move || {
        state.apply(black_box(&batch.0), None);
    });
}

/// A batch being written.
#[derive(Clone, Default)]
struct Bytes(Vec<u8>);

impl Bytes {
    /// An operation behind its length.
    fn operation(mut self, write: impl FnOnce(Self) -> Self) -> Self {
        let operation = write(Self::default()).0;
        self = self.u32(u32::try_from(operation.len()).expect("the operation is short"));
        self.0.extend(operation);
        self
    }

    fn kind(self, kind: OperationKind) -> Self {
        self.u8(kind as u8)
    }

    fn handle(self, n: u32) -> Self {
        let handle = handle(n);
        self.u32(handle.raw()).u32(handle.generation())
    }

    /// The room 0.
    fn room(self) -> Self {
        self.u32(0).u32(0)
    }

    fn u8(mut self, value: u8) -> Self {
        self.0.push(value);
        self
    }

    fn u32(mut self, value: u32) -> Self {
        self.0.extend(value.to_le_bytes());
        self
    }

    fn text(self, text: &str) -> Self {
        let mut ops = self.u32(u32::try_from(text.len()).expect("the text is short"));
        ops.0.extend(text.as_bytes());
        ops
    }
}
