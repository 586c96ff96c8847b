//! Compression on the way out (permessage-deflate): who compresses what, with which window.
//!
//! | message | compressed by | window |
//! |---|---|---|
//! | to one client, with context takeover | a compressor of that wire, made by its first message | goes on |
//! | to one client, without | the compressor that the worker has for the parameters | empty |
//! | to many | the same, once for all wires with the same parameters | empty |
//!
//! A message compressed with an empty window refers to nothing before it, so a peer can read it
//! whatever its own window holds. But afterwards that window holds a message that the wire's own
//! compressor has not seen: it starts again with an empty window too, before it is next used. So a
//! broadcast costs one compression instead of one for each client, and clients that get nothing but
//! broadcasts need no compressor; what is given up is the similarity of one broadcast to the last.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::sync::Arc;

use super::metrics::WorkerMetrics;
use crate::websocket::deflate::{Compressor, Parameters};
use crate::websocket::extension::{Agreement, Settings};
use crate::websocket::frame::{self, OpCode};

/// A scratch buffer is kept up to this many bytes.
const KEEP_CAPACITY: usize = 64 << 10;

/// What a server that compresses wants.
#[derive(Clone, Copy, Debug)]
pub struct Compression {
    /// Its side of the negotiation.
    pub settings: Settings,
    /// Messages of fewer bytes are sent as they are.
    pub threshold: usize,
    /// 0 (none) to 9 (best).
    pub level: u8,
}

/// The compressing half of one wire.
#[derive(Debug)]
pub struct Deflate {
    threshold: usize,
    parameters: Parameters,
    context_takeover: bool,
    /// Made by the first message that goes on with the window of the one before.
    own: RefCell<Option<Compressor>>,
    /// Set when the peer's window holds what `own` has not seen.
    stale: Cell<bool>,
}

impl Deflate {
    /// Compresses for a peer that keeps to `agreement`.
    pub fn new(compression: &Compression, agreement: Agreement) -> Self {
        Self {
            threshold: compression.threshold,
            parameters: Parameters {
                window_bits: agreement.server_window_bits,
                level: compression.level,
            },
            context_takeover: !agreement.server_no_context_takeover,
            own: RefCell::default(),
            stale: Cell::new(false),
        }
    }

    /// How its messages are compressed; wires with the same parameters can share frames.
    pub fn parameters(&self) -> Parameters {
        self.parameters
    }

    /// The peer gets a compressed message that this wire has not made.
    pub fn set_stale(&self) {
        self.stale.set(true);
    }

    /// Whether a message of `len` bytes is worth it.
    pub fn takes(&self, len: usize) -> bool {
        len >= self.threshold
    }

    /// Appends the frame of one message to `out`: `prefix` and `data`, compressed.
    pub fn write_frame(
        &self,
        shared: &Compressors,
        opcode: OpCode,
        prefix: &[u8],
        data: &[u8],
        out: &mut Vec<u8>,
    ) {
        if !self.context_takeover {
            return shared.write_frame(self.parameters, opcode, prefix, data, out);
        }
        let mut own = self.own.borrow_mut();
        let compressor = own.get_or_insert_with(|| Compressor::new(self.parameters));
        if self.stale.replace(false) {
            compressor.forget();
        }
        let mut scratch = shared.scratch.borrow_mut();
        let before = out.len();
        write_compressed(compressor, &mut scratch, opcode, prefix, data, out);
        shared.count(prefix.len() + data.len(), out.len() - before);
    }
}

/// What the wires of one worker share: a compressor for each set of parameters in use, and a buffer.
pub struct Compressors {
    /// At most one for each level and window: a handful.
    made: RefCell<Vec<(Parameters, Compressor)>>,
    scratch: RefCell<Vec<u8>>,
    metrics: Arc<WorkerMetrics>,
}

impl fmt::Debug for Compressors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compressors").finish_non_exhaustive()
    }
}

impl Compressors {
    /// None yet; `metrics` are those of the worker.
    pub fn new(metrics: Arc<WorkerMetrics>) -> Self {
        Self { made: RefCell::default(), scratch: RefCell::default(), metrics }
    }

    /// Notes that a frame of `to` bytes was made of so many.
    fn count(&self, bytes: usize, to: usize) {
        self.metrics.deflated.add(bytes as u64);
        self.metrics.deflated_to.add(to as u64);
    }

    /// Appends the frame of a message that refers to no other.
    pub fn write_frame(
        &self,
        parameters: Parameters,
        opcode: OpCode,
        prefix: &[u8],
        data: &[u8],
        out: &mut Vec<u8>,
    ) {
        let mut made = self.made.borrow_mut();
        let known = made.iter().position(|(other, _)| *other == parameters);
        let index = known.unwrap_or_else(|| {
            made.push((parameters, Compressor::new(parameters)));
            made.len() - 1
        });
        let compressor = &mut made[index].1;
        compressor.forget();
        let before = out.len();
        write_compressed(compressor, &mut self.scratch.borrow_mut(), opcode, prefix, data, out);
        self.count(prefix.len() + data.len(), out.len() - before);
    }
}

/// Compresses into `scratch`, because the size stands in front, and appends the frame to `out`.
fn write_compressed(
    compressor: &mut Compressor,
    scratch: &mut Vec<u8>,
    opcode: OpCode,
    prefix: &[u8],
    data: &[u8],
    out: &mut Vec<u8>,
) {
    scratch.clear();
    compressor.compress(prefix, data, scratch);
    frame::write_header(out, opcode, true, scratch.len());
    out.extend_from_slice(scratch);
    if scratch.capacity() > KEEP_CAPACITY {
        *scratch = Vec::new();
    }
}
