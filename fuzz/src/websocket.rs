//! The decoders of the WebSocket floor.

use std::ops::ControlFlow;

use ferrosocket::websocket::deflate::{Compressor, Inflate, Parameters};
use ferrosocket::websocket::extension::{Agreement, Settings, WindowBits, negotiate};
use ferrosocket::websocket::handshake::{Request, check};
use ferrosocket::websocket::{Incoming, MessageLimits, Reader};

use super::input::Input;

/// Small, so that a fuzzer reaches them.
const LIMITS: MessageLimits = MessageLimits { max_message: 600, max_fragments: 8 };

/// What a reader said, in order, and how it ended; compared as text.
type Said = (Vec<String>, String);

/// Feeds a reader in chunks of so many bytes.
fn feed(mut reader: Reader, bytes: &[u8], chunk: usize) -> Said {
    let mut said = Vec::new();
    let mut fed = 0;
    for chunk in bytes.chunks(chunk) {
        fed += chunk.len();
        let result = reader.handle_bytes(&mut chunk.to_vec(), |incoming| {
            if let Incoming::Text(_) | Incoming::Binary(_) = incoming {
                assert!(size(&incoming) <= LIMITS.max_message, "a message beyond the limit");
            } else {
                assert!(size(&incoming) <= 125, "a control frame beyond the limit");
            }
            said.push(format!("{incoming:?}"));
            ControlFlow::Continue(())
        });
        assert!(reader.buffered() <= fed, "more is held than came");
        assert!(reader.allocated() <= 2 * fed, "more is allocated than came");
        if let Err(violation) = result {
            assert_eq!(reader.allocated(), 0, "nothing is held after a violation");
            return (said, format!("{violation:?}"));
        }
    }
    (said, String::from("open"))
}

fn size(incoming: &Incoming<'_>) -> usize {
    match incoming {
        Incoming::Text(text) => text.len(),
        Incoming::Binary(data) => data.len(),
        Incoming::Ping(data) | Incoming::Pong(data) => data.len(),
        Incoming::Close(_) => 0,
    }
}

/// Frames in any split say the same, and no more is held than came.
///
/// First byte: the size of a chunk; then the frames.
pub fn plain(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let chunk = usize::from(input.byte()) + 1;
    let frames = input.rest();
    let split = feed(Reader::new(LIMITS), frames, chunk);
    assert_eq!(feed(Reader::new(LIMITS), frames, usize::MAX), split);
}

/// The same for a reader that decompresses.
///
/// First byte: the size of a chunk; second: window and context takeover of the client.
pub fn deflated(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let chunk = usize::from(input.byte()) + 1;
    let inflate = inflate(input.byte());
    let frames = input.rest();
    let reader = || Reader::new(LIMITS).with_inflate(Inflate::new(inflate));
    let split = feed(reader(), frames, chunk);
    assert_eq!(feed(reader(), frames, usize::MAX), split);
}

fn inflate(choice: u8) -> Agreement {
    Agreement {
        server_no_context_takeover: false,
        client_no_context_takeover: choice & 8 != 0,
        server_window_bits: 15,
        client_window_bits: 8 + (choice & 7),
    }
}

/// What we compress, we decompress again, at any level, with messages that begin anew in between.
///
/// First byte: window and takeover; second: the level; then messages, each with a byte before it
/// whose lowest bit empties the compressor's window.
pub fn round_trip(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let agreement = inflate(input.byte());
    let parameters =
        Parameters { window_bits: agreement.client_window_bits, level: input.byte() % 10 };
    let mut compressor = Compressor::new(parameters);
    let mut inflate = Inflate::new(agreement);
    while !input.is_empty() {
        if input.byte() & 1 != 0 || agreement.client_no_context_takeover {
            compressor.forget();
        }
        let repeat = usize::from(input.byte()) + 1;
        let message = input.piece().repeat(repeat);
        let (prefix, data) = message.split_at(message.len() / 3);
        let mut compressed = Vec::new();
        compressor.compress(prefix, data, &mut compressed);
        assert_eq!(inflate.inflate(&compressed, Some(message.len())).as_ref(), Ok(&message));
    }
}

/// A request is taken or refused, and no text of it gets out of its line of the answer.
///
/// Five pieces: method, `Upgrade`, key, version, protocol; the flags before them say which are there.
pub fn handshake(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let flags = input.byte();
    let [upgrade, key, version, protocol] = [(); 4].map(|()| input.text());
    let method = input.text();
    let present = |bit: u8, text| (flags & bit != 0).then_some(text);
    let request = Request {
        method: if flags & 16 == 0 { "GET" } else { &method },
        upgrade: if flags & 1 == 0 { Some("websocket") } else { Some(&upgrade) },
        key: if flags & 2 == 0 { Some("dGhlIHNhbXBsZSBub25jZQ==") } else { Some(&key) },
        version: if flags & 4 == 0 { Some("13") } else { Some(&version) },
        protocol: present(8, protocol.as_str()),
    };
    let mut answer = Vec::new();
    match check(&request) {
        Ok(accept) => {
            accept.write_response(&mut answer, "");
            let lines = 4 + usize::from(request.protocol.is_some());
            let answer = String::from_utf8(answer).expect("only tokens are copied");
            assert!(answer.starts_with("HTTP/1.1 101 "));
            assert_eq!(answer.lines().count(), lines + 1, "{answer:?}");
            assert_eq!(answer.matches(['\r', '\n']).count(), 2 * (lines + 1), "{answer:?}");
        }
        Err(reject) => {
            reject.write_response(&mut answer);
            assert!(answer.starts_with(b"HTTP/1.1 4"));
        }
    }
}

/// An offer of extensions is answered with what was offered and what the settings allow.
///
/// Three bytes of settings, then the header.
pub fn extension(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let flags = input.byte();
    let mut window = || match input.byte() % 10 {
        0 => WindowBits::Any,
        1 => WindowBits::Refused,
        bits => WindowBits::Exactly(bits + 6),
    };
    let settings = Settings {
        server_no_context_takeover: (flags & 1 != 0).then_some(flags & 2 != 0),
        client_no_context_takeover: flags & 4 != 0,
        server_max_window_bits: window(),
        client_max_window_bits: window(),
    };
    let Ok(header) = std::str::from_utf8(input.rest()) else { return };
    let Ok(Some((agreement, answer))) = negotiate(header, settings) else { return };
    assert_eq!(Agreement::from_bits(agreement.to_bits()), Some(agreement));
    assert!(header.contains("permessage-deflate") && answer.starts_with("permessage-deflate"));
    assert!(!answer.contains(['\r', '\n', ',']), "{answer:?}");
    // A client that reads our answer as an offer comes to the same agreement.
    let again = negotiate(&answer, Settings::default());
    assert_eq!(again.ok().flatten().map(|(agreement, _)| agreement), Some(agreement));
    if let WindowBits::Exactly(bits) = settings.server_max_window_bits {
        assert!(agreement.server_window_bits <= bits);
    }
}
