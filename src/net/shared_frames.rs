//! The frames of a broadcast.

use std::cell::{OnceCell, RefCell};

use bytes::Bytes;

use super::command::Outgoing;
use super::deflate::{Compressors, Deflate};
use super::metrics::Parcel;
use crate::engineio::{Dialect, Protocol};
use crate::websocket::deflate::Parameters;
use crate::websocket::frame::{self, OpCode};

/// One packet as WebSocket frames, made at the first client that speaks a dialect and shared by all
/// others that do.
#[derive(Debug)]
pub struct SharedFrames<'a> {
    /// The messages, in order.
    pub messages: &'a [Outgoing],
    /// What they are counted as, for each client.
    pub parcel: Parcel,
    /// Whether all dialects frame it the same way: they differ in bytes alone.
    text_only: bool,
    made: [OnceCell<Vec<Bytes>>; Dialect::COUNT],
    /// Compressed frames: which message, by which parameters.
    compressed: RefCell<Vec<(usize, Parameters, Bytes)>>,
}

impl<'a> SharedFrames<'a> {
    /// The frames of `messages`, none of them made yet.
    pub fn new(messages: &'a [Outgoing]) -> Self {
        let text_only = messages.iter().all(|message| matches!(message, Outgoing::Text(_)));
        let parcel = Outgoing::parcel(messages);
        let (made, compressed) = Default::default();
        Self { messages, parcel, text_only, made, compressed }
    }

    /// The frames for clients that speak `dialect`.
    #[inline]
    pub fn of(&self, dialect: Dialect) -> &[Bytes] {
        let index = if self.text_only { 0 } else { dialect.index() };
        self.made[index].get_or_init(|| {
            self.messages.iter().map(|message| encode_frame(message, dialect)).collect()
        })
    }

    /// The frame of the message at `index` for the wire that `deflate` compresses for; the plain
    /// one when it is too short, or has parameters that few clients ask for.
    pub fn compressed(
        &self,
        index: usize,
        dialect: Dialect,
        deflate: &Deflate,
        shared: &Compressors,
    ) -> Bytes {
        let (opcode, prefix, data): (_, &[u8], _) = match &self.messages[index] {
            Outgoing::Text(data) => (OpCode::Text, b"4", data),
            Outgoing::Binary(data) => (OpCode::Binary, b"", data),
        };
        let usual = opcode == OpCode::Text || dialect == Dialect::from(Protocol::V4);
        if !usual || !deflate.takes(prefix.len() + data.len()) {
            return self.of(dialect)[index].clone();
        }
        deflate.set_stale();
        let mut compressed = self.compressed.borrow_mut();
        let known = compressed
            .iter()
            .find(|(i, parameters, _)| *i == index && *parameters == deflate.parameters());
        if let Some((_, _, frame)) = known {
            return frame.clone();
        }
        let mut frame = Vec::new();
        shared.write_frame(deflate.parameters(), opcode, prefix, data, &mut frame);
        let frame = Bytes::from(frame);
        compressed.push((index, deflate.parameters(), frame.clone()));
        frame
    }
}

fn encode_frame(message: &Outgoing, dialect: Dialect) -> Bytes {
    let mut out = Vec::new();
    match message {
        Outgoing::Text(data) => {
            out.reserve_exact(frame::MAX_HEADER + 1 + data.len());
            frame::write_header(&mut out, OpCode::Text, false, 1 + data.len());
            out.push(b'4');
            out.extend_from_slice(data);
        }
        Outgoing::Binary(data) => {
            let len = dialect.binary_len(data.len());
            out.reserve_exact(frame::MAX_HEADER + len);
            write_binary_header(&mut out, dialect, len);
            dialect.write_binary(&mut out, data);
        }
    }
    out.into()
}

/// Writes the header of a frame for a binary message that takes `len` bytes in `dialect`.
pub fn write_binary_header(out: &mut Vec<u8>, dialect: Dialect, len: usize) {
    let opcode = if dialect.base64 { OpCode::Text } else { OpCode::Binary };
    frame::write_header(out, opcode, false, len);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engineio::Protocol;

    const V4: Dialect = Dialect { protocol: Protocol::V4, base64: false };
    const V3: Dialect = Dialect { protocol: Protocol::V3, base64: false };

    #[test]
    fn a_frame_is_made_once_for_each_wire_form() {
        let messages = [Outgoing::Text("2[1]".into())];
        let frames = SharedFrames::new(&messages);
        assert_eq!(frames.of(V4), [Bytes::from_static(b"\x81\x0542[1]")]);
        assert!(std::ptr::eq(frames.of(V4), frames.of(V3)));

        let messages = [Outgoing::Text("51-[]".into()), Outgoing::Binary(Bytes::from_static(&[9]))];
        let frames = SharedFrames::new(&messages);
        assert_eq!(frames.of(V4)[1], &b"\x82\x01\x09"[..]);
        assert_eq!(frames.of(V3)[1], &b"\x82\x02\x04\x09"[..]);
        assert_eq!(frames.of(Dialect { base64: true, ..V3 })[1], &b"\x81\x06b4CQ=="[..]);
        assert_eq!(frames.of(Dialect { base64: true, ..V4 })[1], &b"\x81\x05bCQ=="[..]);
    }
}
