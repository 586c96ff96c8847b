//! The batch down as the JavaScript thread reads it: operations sorted by worker, rooms looked up.
//!
//! There are no workers here, so what is sorted is dropped instead of handed over; handing over is
//! among the cases of the queues.

use std::hint::black_box;

use ferrosocket::binding::ops::Operations;
use ferrosocket::id::Handle;

use crate::harness::Suite;
use crate::samples::event;

const WORKERS: usize = 2;
/// Operations of one batch.
const BATCH: u32 = 100;
/// Members of the room that broadcasts go to.
const MEMBERS: u32 = 1000;

const SEND: u8 = 1;
const BROADCAST: u8 = 3;
const JOIN: u8 = 4;
const LEAVE: u8 = 5;
const MULTICAST: u8 = 12;

pub(crate) fn cases(suite: &mut Suite) {
    let text = event(32);
    let sends =
        (0..BATCH).fold(Bytes::default(), |ops, n| ops.u8(SEND).u32(handle(n)).u8(0).text(&text));
    applying(suite, "border: read one of 100 sends of 32 B", BATCH, sends);

    let joins = (0..BATCH / 2).fold(Bytes::default(), |ops, n| {
        let guest = handle(MEMBERS + n);
        ops.u8(JOIN).u32(guest).u32(0).u8(LEAVE).u32(guest).u32(0)
    });
    applying(suite, "border: read one of 50 joins or 50 leaves", BATCH, joins);

    let broadcasts = (0..BATCH).fold(Bytes::default(), |ops, _| {
        ops.u8(BROADCAST).u8(0).u32(1).u32(0).u32(0).text(&text).u32(0)
    });
    applying(suite, "border: read one of 100 broadcasts to a room of 1000", BATCH, broadcasts);

    let multicast = Bytes::default().u8(MULTICAST).u8(0).text(&text).u32(0).u32(MEMBERS);
    let multicast = (0..MEMBERS).fold(multicast, |ops, n| ops.u32(handle(n)));
    applying(suite, "border: read one of 1000 targets of a multicast", MEMBERS, multicast);
}

/// The client `n`; workers take turns.
fn handle(n: u32) -> u32 {
    Handle::new(n as usize % WORKERS, n as usize / WORKERS).raw()
}

/// Applies a batch to a process whose room 0 has members.
fn applying(suite: &mut Suite, name: &str, operations: u32, batch: Bytes) {
    let mut state = Operations::default();
    state.restart(WORKERS);
    let joins = (0..MEMBERS).fold(Bytes::default(), |ops, n| ops.u8(JOIN).u32(handle(n)).u32(0));
    state.apply(&joins.0, None).expect("the batch is well-formed");
    suite.batch(name, operations, move || {
        state.apply(black_box(&batch.0), None).expect("the batch is well-formed");
    });
}

/// A batch being written.
#[derive(Default)]
struct Bytes(Vec<u8>);

impl Bytes {
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
