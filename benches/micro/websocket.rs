//! Framing, masking, permessage-deflate.

use std::hint::black_box;
use std::ops::ControlFlow;

use ferrosocket::websocket::deflate::{Compressor, Inflate, Parameters};
use ferrosocket::websocket::extension::Agreement;
use ferrosocket::websocket::frame::{self, OpCode};
use ferrosocket::websocket::mask::unmask;
use ferrosocket::websocket::{MessageLimits, Reader};

use crate::harness::Suite;
use crate::samples::{SIZES, records};

const LIMITS: MessageLimits = MessageLimits { max_message: 1 << 20, max_fragments: 16 };
/// Turns `b` into `c` and back. The reader unmasks in place, so what it has read is fed to it again:
/// with this key it is valid text both times, and nothing has to be copied in between.
const KEY: [u8; 4] = [1; 4];
/// Frames of one read, when a client sends many small ones.
const TRAIN: u32 = 16;

pub(crate) fn cases(suite: &mut Suite) {
    for (len, size) in SIZES {
        let mut data = vec![b'b'; len];
        suite.case(format!("websocket: unmask {size}"), move || unmask(&mut data, KEY));
    }
    for (len, size) in SIZES {
        reading(suite, format!("websocket: read a text frame of {size}"), len);
    }
    split_frame(suite);
    train(suite);
    for (len, size) in SIZES {
        let mut out = Vec::new();
        suite.case(format!("websocket: write the header of a frame of {size}"), move || {
            out.clear();
            frame::write_header(&mut out, OpCode::Text, false, black_box(len));
        });
    }
    for (len, size) in &SIZES[1..] {
        deflate(suite, *len, size);
    }
}

/// A masked text frame of so many `b`.
fn client_frame(len: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    frame::write_header(&mut bytes, OpCode::Text, false, len);
    bytes[1] |= 0x80; // masked
    bytes.extend(KEY);
    bytes.resize(bytes.len() + len, b'c');
    bytes
}

/// Reads what must be whole messages, and counts them.
fn feed(reader: &mut Reader, bytes: &mut [u8]) -> usize {
    let mut messages = 0;
    reader
        .handle_bytes(bytes, |incoming| {
            black_box(incoming);
            messages += 1;
            ControlFlow::Continue(())
        })
        .expect("the frames keep to the rules");
    messages
}

fn reading(suite: &mut Suite, name: String, len: usize) {
    let (mut reader, mut bytes) = (Reader::new(LIMITS), client_frame(len));
    suite.case(name, move || assert_eq!(feed(&mut reader, &mut bytes), 1));
}

fn split_frame(suite: &mut Suite) {
    let (mut reader, mut bytes) = (Reader::new(LIMITS), client_frame(4 << 10));
    suite.case("websocket: read a text frame of 4 KiB that comes in two halves", move || {
        let (first, second) = bytes.split_at_mut(2 << 10);
        assert_eq!(feed(&mut reader, first), 0);
        assert_eq!(feed(&mut reader, second), 1);
    });
}

fn train(suite: &mut Suite) {
    let mut reader = Reader::new(LIMITS);
    let mut bytes = client_frame(32).repeat(TRAIN as usize);
    suite.batch("websocket: read one of 16 frames of 32 B that come together", TRAIN, move || {
        assert_eq!(feed(&mut reader, &mut bytes), TRAIN as usize);
    });
}

fn deflate(suite: &mut Suite, len: usize, size: &str) {
    let parameters = Parameters { window_bits: 15, level: 6 };
    let data = records(len).into_bytes();

    // The window knows the message before, which is the same: what chat and game updates are like.
    let (mut compressor, mut out, message) =
        (Compressor::new(parameters), Vec::new(), data.clone());
    suite.case(format!("deflate: compress {size} of JSON, similar to the last"), move || {
        out.clear();
        compressor.compress(b"4", &message, &mut out);
    });

    let (mut compressor, mut out, message) =
        (Compressor::new(parameters), Vec::new(), data.clone());
    suite.case(format!("deflate: compress {size} of JSON, empty window"), move || {
        out.clear();
        compressor.forget();
        compressor.compress(b"4", &message, &mut out);
    });

    let mut compressed = Vec::new();
    Compressor::new(parameters).compress(b"4", &data, &mut compressed);
    for (client_no_context_takeover, window) in [(false, "kept"), (true, "empty")] {
        // A message that was made with an empty window can be read with any.
        let message = compressed.clone();
        let mut inflate = Inflate::new(Agreement {
            server_no_context_takeover: false,
            client_no_context_takeover,
            server_window_bits: 15,
            client_window_bits: 15,
        });
        suite.case(format!("deflate: decompress {size} of JSON, {window} window"), move || {
            inflate.inflate(&message, Some(1 << 20)).expect("our own compressor made it")
        });
    }
}
