//! One packet for many clients.

use std::cell::RefCell;

use bytes::Bytes;

use super::command::Outgoing;
use super::deflate::{Compressors, Deflate};
use crate::websocket::deflate::Form;
use crate::websocket::frame::{self, OpCode};

/// The messages of one packet as frames, each form of a frame made once.
#[derive(Debug)]
pub struct SharedFrames<'a> {
    /// The messages, in order.
    pub messages: &'a [Outgoing],
    /// The same as frames, not compressed.
    pub plain: Vec<Bytes>,
    /// Compressed frames: which message, which form.
    compressed: RefCell<Vec<(usize, Form, Bytes)>>,
}

impl<'a> SharedFrames<'a> {
    /// The frames of `messages`.
    pub fn new(messages: &'a [Outgoing]) -> Self {
        let plain = messages.iter().map(plain_frame).collect();
        Self { messages, plain, compressed: RefCell::default() }
    }

    /// The frame of the message at `index` for the wire that `deflate` compresses for; the plain
    /// one when it is too short.
    pub fn frame_for(&self, index: usize, deflate: &Deflate, shared: &Compressors) -> Bytes {
        let (opcode, prefix, data) = parts(&self.messages[index]);
        if !deflate.takes(prefix.len() + data.len()) {
            return self.plain[index].clone();
        }
        deflate.set_stale();
        let mut compressed = self.compressed.borrow_mut();
        let known = compressed.iter().find(|(i, form, _)| *i == index && *form == deflate.form());
        if let Some((_, _, frame)) = known {
            return frame.clone();
        }
        let mut frame = Vec::new();
        shared.write_frame(deflate.form(), opcode, prefix, data, &mut frame);
        let frame = Bytes::from(frame);
        compressed.push((index, deflate.form(), frame.clone()));
        frame
    }
}

fn parts(message: &Outgoing) -> (OpCode, &'static [u8], &[u8]) {
    match message {
        Outgoing::Text(data) => (OpCode::Text, b"4", data),
        Outgoing::Binary(data) => (OpCode::Binary, b"", data),
    }
}

fn plain_frame(message: &Outgoing) -> Bytes {
    let (opcode, prefix, data) = parts(message);
    let len = prefix.len() + data.len();
    let mut out = Vec::with_capacity(frame::MAX_HEADER + len);
    frame::write_header(&mut out, opcode, false, len);
    out.extend_from_slice(prefix);
    out.extend_from_slice(data);
    out.into()
}
