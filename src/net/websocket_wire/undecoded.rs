//! What only some wires have: a compressor, where messages may be compressed, and bytes that came while there was no room for what they
//! may expand to, or while their client may send no more.

use std::cell::RefCell;
use std::sync::Arc;

use crate::net::budget::{Budget, Held};
use crate::net::deflate::Deflate;

/// Bytes that are decoded at once if messages may be compressed: they expand to a thousand times as many
/// at most, and the wire asks for room before the next piece.
pub const PIECE: usize = 4 << 10;

/// What a wire has when its messages may be compressed, or when it has not been read on once.
#[derive(Debug, Default)]
pub(super) struct Extras {
    /// Present when compressed messages were agreed on.
    pub(super) deflate: Option<Deflate>,
    /// What has not been decoded yet.
    pub(super) undecoded: RefCell<Option<Undecoded>>,
}

/// Bytes that wait to be decoded, and the end of the stream, if it came after them.
#[derive(Debug)]
pub(super) struct Undecoded {
    bytes: Vec<u8>,
    /// How many of them are decoded.
    at: usize,
    held: Held,
    /// Set when the stream has ended: whether by an error.
    pub(super) end: Option<bool>,
}

impl Undecoded {
    /// No bytes yet; they will count for `lane`.
    pub(super) fn new(budget: &Arc<Budget>, lane: usize) -> Self {
        Self { bytes: Vec::new(), at: 0, held: Held::new(budget, lane), end: None }
    }

    /// Whether all of them are decoded.
    pub(super) fn is_empty(&self) -> bool {
        self.at == self.bytes.len()
    }

    /// Appends some.
    pub(super) fn push(&mut self, more: &[u8]) {
        self.bytes.drain(..self.at);
        self.at = 0;
        self.bytes.extend_from_slice(more);
        self.held.set(self.bytes.len());
    }

    /// Those that are to be decoded.
    pub(super) fn rest(&self) -> &[u8] {
        &self.bytes[self.at..]
    }

    /// So many of them have been decoded.
    pub(super) fn advance(&mut self, count: usize) {
        self.at += count;
    }
}
