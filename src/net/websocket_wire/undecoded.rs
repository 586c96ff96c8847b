//! What only a wire has whose messages may be compressed: a compressor, and bytes that came while there
//! was no room for what they may expand to.

use std::cell::RefCell;
use std::sync::Arc;

use crate::net::budget::{Budget, Held};
use crate::net::deflate::Deflate;

/// Bytes that are decoded at once if messages may be compressed: they expand to a thousand times as many
/// at most, and the wire asks for room before the next piece.
pub const PIECE: usize = 4 << 10;

/// What a wire has when its messages may be compressed.
#[derive(Debug)]
pub(super) struct Compressed {
    pub(super) deflate: Deflate,
    /// What has not been decoded yet, for want of room.
    pub(super) undecoded: RefCell<Option<Undecoded>>,
}

impl Compressed {
    pub(super) fn new(deflate: Deflate) -> Self {
        Self { deflate, undecoded: RefCell::default() }
    }
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

    /// Takes the next ones, to be decoded; gives how many they are.
    pub(super) fn pop(&mut self, piece: &mut [u8; PIECE]) -> usize {
        let rest = &self.bytes[self.at..];
        let count = rest.len().min(PIECE);
        piece[..count].copy_from_slice(&rest[..count]);
        self.at += count;
        count
    }
}
