//! What the test suite of Autobahn asks of a server, in its order: a function for each of its sections 1 to 7, 9, 10, 12 and
//! 13. The answers of an echo server are what `Reader` delivers; that pongs and close frames leave is tested over loopback.
//!
//! Each case comes whole, byte by byte, and in chunks of 7 bytes: the suite has most of them in these forms.

mod websocket_support;

use ferrosocket::websocket::deflate::{Compressor, Inflate, Parameters};
use ferrosocket::websocket::extension::Agreement;
use ferrosocket::websocket::reader::MAX_FRAGMENTS;
use ferrosocket::websocket::{MessageLimits, Reader};
use websocket_support::{Message, feed, frame};

const FIN: u8 = 0x80;
const RSV1: u8 = 0x40;
const CONTINUATION: u8 = 0x0;
const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xa;

/// The largest message of section 9.
const MAX_MESSAGE: usize = 16 << 20;

const AGREED: Agreement = Agreement {
    server_no_context_takeover: false,
    client_no_context_takeover: false,
    server_window_bits: 15,
    client_window_bits: 15,
};

fn reader() -> Reader {
    Reader::new(MessageLimits { max_message: MAX_MESSAGE, max_fragments: MAX_FRAGMENTS })
}

/// What comes of `bytes` in chunks of a size, and the close code if they break a rule.
fn outcome(mut reader: Reader, bytes: &[u8], chunk: usize) -> (Vec<Message>, Option<u16>) {
    let mut all = Vec::new();
    for piece in bytes.chunks(chunk) {
        let (messages, result) = feed(&mut reader, piece);
        all.extend(messages);
        if let Err(violation) = result {
            return (all, Some(violation.code));
        }
    }
    (all, None)
}

/// The case passes when these messages come, and then the connection ends with this code, or goes on.
fn case(frames: &[Vec<u8>], messages: &[Message], code: Option<u16>) {
    let bytes = frames.concat();
    for chunk in [bytes.len().max(1), 7, 1] {
        let (got, end) = outcome(reader(), &bytes, chunk);
        assert_eq!((got.as_slice(), end), (messages, code), "in chunks of {chunk}");
    }
}

fn passes(frames: &[Vec<u8>], messages: &[Message]) {
    case(frames, messages, None);
}

fn refused(frames: &[Vec<u8>], code: u16) {
    case(frames, &[], Some(code));
}

fn text(text: &str) -> Message {
    Message::Text(text.to_owned())
}

fn binary(data: &[u8]) -> Message {
    Message::Binary(data.to_vec())
}

/// A message in fragments.
fn fragments(opcode: u8, pieces: &[&[u8]]) -> Vec<Vec<u8>> {
    let last = pieces.len() - 1;
    let first = |n| {
        let opcode = if n == 0 { opcode } else { CONTINUATION };
        if n == last { FIN | opcode } else { opcode }
    };
    pieces.iter().enumerate().map(|(n, piece)| frame(first(n), piece)).collect()
}

fn close(code: u16, reason: &[u8]) -> Vec<u8> {
    frame(FIN | CLOSE, &[&code.to_be_bytes()[..], reason].concat())
}

#[test]
fn section_1_framing() {
    for length in [0, 1, 125, 126, 127, 128, 65_535, 65_536] {
        let data = vec![b'*'; length];
        let string = "*".repeat(length);
        passes(&[frame(FIN | TEXT, &data)], &[text(&string)]);
        passes(&[frame(FIN | BINARY, &data)], &[binary(&data)]);
    }
}

#[test]
fn section_2_pings_and_pongs() {
    for data in [&b""[..], b"Hello, world!", &[0, 0xff, 0xfe, 0xfd], &[0xfe; 125]] {
        passes(&[frame(FIN | PING, data)], &[Message::Ping(data.to_vec())]);
    }
    refused(&[frame(FIN | PING, &[0xfe; 126])], 1002); // 2.5
    // 2.7, 2.8: a pong that nobody asked for, and a ping behind it
    passes(
        &[frame(FIN | PONG, b"unsolicited"), frame(FIN | PING, b"ping")],
        &[Message::Pong(b"unsolicited".to_vec()), Message::Ping(b"ping".to_vec())],
    );
    // 2.10, 2.11
    let pings: Vec<_> = (0..10).map(|n| frame(FIN | PING, &[n])).collect();
    let answered: Vec<_> = (0..10).map(|n| Message::Ping(vec![n])).collect();
    passes(&pings, &answered);
}

#[test]
fn section_3_reserved_bits() {
    for bits in 1..8 {
        let reserved = bits << 4;
        refused(&[frame(FIN | reserved | TEXT, b"Hello")], 1002);
        refused(&[frame(FIN | reserved | BINARY, b"Hello")], 1002);
        refused(&[frame(FIN | reserved | PING, b"Hello")], 1002);
        refused(&[frame(FIN | reserved | CLOSE, b"")], 1002);
        case(
            &[
                frame(FIN | TEXT, b"Hello"),
                frame(FIN | reserved | TEXT, b"x"),
                frame(FIN | PING, b""),
            ],
            &[text("Hello")],
            Some(1002),
        );
    }
}

#[test]
fn section_4_reserved_opcodes() {
    for opcode in (3..8).chain(11..16) {
        refused(&[frame(FIN | opcode, b"")], 1002);
        refused(&[frame(FIN | opcode, b"Hello")], 1002);
        case(
            &[frame(FIN | TEXT, b"Hello"), frame(FIN | opcode, b"x"), frame(FIN | PING, b"")],
            &[text("Hello")],
            Some(1002),
        );
    }
}

#[test]
fn section_5_fragmentation() {
    // 5.1, 5.2: no fragments of control frames
    for opcode in [PING, PONG] {
        refused(&[frame(opcode, b"frag"), frame(FIN | CONTINUATION, b"ment")], 1002);
    }
    // 5.3 to 5.5
    passes(&fragments(TEXT, &[b"frag", b"ment"]), &[text("fragment")]);
    // 5.6 to 5.8, 5.19, 5.20: pings between fragments are answered before the message is there
    passes(
        &[
            frame(TEXT, b"one "),
            frame(CONTINUATION, b"two "),
            frame(FIN | PING, b"1"),
            frame(CONTINUATION, b"three "),
            frame(FIN | PING, b"2"),
            frame(FIN | CONTINUATION, b"four"),
        ],
        &[Message::Ping(b"1".to_vec()), Message::Ping(b"2".to_vec()), text("one two three four")],
    );
    // 5.9 to 5.14: nothing to continue
    for first in [FIN | CONTINUATION, CONTINUATION] {
        refused(&[frame(first, b"non-continuation"), frame(FIN | TEXT, b"Hello")], 1002);
    }
    // 5.15
    case(
        &[fragments(TEXT, &[b"frag", b"ment"]).concat(), frame(CONTINUATION, b"x")],
        &[text("fragment")],
        Some(1002),
    );
    // 5.16, 5.17
    for first in [CONTINUATION, FIN | CONTINUATION] {
        refused(&[frame(first, b"x"), frame(TEXT, b"y"), frame(FIN | CONTINUATION, b"z")], 1002);
    }
    // 5.18: a message within a message
    refused(&[frame(TEXT, b"frag"), frame(FIN | TEXT, b"ment")], 1002);
}

/// Sequences of section 6 that are no UTF-8, each with where that is certain: the bytes up to there.
const INVALID: [(&[u8], usize); 24] = [
    (b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited", 13), // 6.3
    (b"\xf4\x90\x80\x80", 2),                                                // 6.4
    (b"\x80", 1),                                                            // 6.14
    (b"\xbf", 1),
    (b"\x80\xbf\x80", 1),
    (b"\xc0 \xc1 ", 1), // 6.15
    (b"\xe0 \xe1 ", 2),
    (b"\xf0 \xf1 ", 2),
    (b"\xf8 ", 1),
    (b"\xfc ", 1),
    (b"\xc2\x41", 2), // 6.16, in the middle of a text
    (b"\xe1\x80\x41", 3),
    (b"\xf1\x80\x80\x41", 4),
    (b"\xfe", 1), // 6.18
    (b"\xff", 1),
    (b"\xc0\xaf", 1), // 6.19, 6.20: longer than need be
    (b"\xe0\x80\xaf", 2),
    (b"\xf0\x80\x80\xaf", 2),
    (b"\xc1\xbf", 1),
    (b"\xe0\x9f\xbf", 2),
    (b"\xf0\x8f\xbf\xbf", 2),
    (b"\xed\xa0\x80", 2), // 6.21: surrogates
    (b"\xed\xbf\xbf", 2),
    (b"\xed\xa0\x80\xed\xb0\x80", 2),
];

/// Texts of section 6 that are.
const VALID: [&str; 12] = [
    "",
    "Hello-µ@ßöäüàá-UTF-8!!",
    "κόσμε",
    "\0",
    "\u{80}",
    "\u{800}",
    "\u{10000}",
    "\u{7f}\u{7ff}\u{ffff}",
    "\u{10ffff}",
    "\u{d7ff}\u{e000}\u{fffd}",
    "\u{fffe}\u{ffff}\u{1fffe}\u{1ffff}", // 6.22: no characters, but UTF-8
    "\u{fffd}",
];

#[test]
fn section_6_utf_8() {
    for valid in VALID {
        passes(&[frame(FIN | TEXT, valid.as_bytes())], &[text(valid)]);
        let bytes: Vec<[u8; 1]> = valid.bytes().map(|byte| [byte]).collect();
        let pieces: Vec<&[u8]> = bytes.iter().map(|byte| &byte[..]).collect();
        if !pieces.is_empty() {
            passes(&fragments(TEXT, &pieces), &[text(valid)]); // 6.2.3: each byte a fragment
        }
    }
    for (invalid, _) in INVALID {
        refused(&[frame(FIN | TEXT, invalid)], 1007);
        for at in 0..=invalid.len() {
            let (front, back) = invalid.split_at(at);
            refused(&fragments(TEXT, &[front, back]), 1007);
        }
        passes(&[frame(FIN | BINARY, invalid)], &[binary(invalid)]);
    }
    // cut off in the middle of a character
    for cut in [&b"\xce"[..], b"\xe1\xbd", b"\xf0\x90\x80"] {
        refused(&[frame(FIN | TEXT, cut)], 1007);
    }
    // 6.1: empty fragments
    passes(&fragments(TEXT, &[b"", b"", b""]), &[text("")]);
    passes(&fragments(TEXT, &[b"", b"middle", b""]), &[text("middle")]);
}

/// 6.4: what is no text any more may be refused at once, or when the message is over, as `ws` does: not later, and nothing
/// of it may be delivered.
#[test]
fn section_6_4_fail_fast() {
    for (invalid, certain) in INVALID {
        let mut reader = reader();
        let (messages, early) = feed(&mut reader, &frame(TEXT, &invalid[..certain]));
        assert_eq!(messages, []);
        let end = early.and_then(|()| {
            let (messages, end) =
                feed(&mut reader, &frame(FIN | CONTINUATION, &invalid[certain..]));
            assert_eq!(messages, []);
            end
        });
        assert_eq!(end.expect_err("it is no text").code, 1007);
    }
}

#[test]
fn section_7_closing() {
    // 7.1: whatever comes behind a close frame is not looked at
    for behind in [frame(FIN | TEXT, b"x"), frame(FIN | PING, b""), close(1000, b""), vec![0xff; 9]]
    {
        passes(&[close(1000, b""), behind], &[Message::Close(Some(1000))]);
    }
    // 7.1.5: in the middle of a message
    passes(&[frame(TEXT, b"frag"), close(1000, b"")], &[Message::Close(Some(1000))]);
    passes(&[frame(FIN | CLOSE, b"")], &[Message::Close(None)]); // 7.3.1
    refused(&[frame(FIN | CLOSE, b"a")], 1002); // 7.3.2
    passes(&[close(1000, b"Hello World!")], &[Message::Close(Some(1000))]); // 7.3.4
    passes(&[close(1000, &[b'*'; 123])], &[Message::Close(Some(1000))]); // 7.3.5
    refused(&[close(1000, &[b'*'; 124])], 1002); // 7.3.6
    refused(&[close(1000, b"\xce\xba\xe1\xbd\xb9\xed\xa0\x80")], 1007); // 7.5.1
    // 7.7, 7.9
    for code in [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999] {
        passes(&[close(code, b"")], &[Message::Close(Some(code))]);
    }
    for code in [0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999, 5000, 65_535] {
        refused(&[close(code, b"")], 1002);
        refused(&[close(code, b"why")], 1002);
    }
}

/// Section 9, but for its times: large messages, whole and in fragments. Of fragments of 64 bytes
/// there are more than are allowed, as with `ws`, and of 256 bytes just as many as are.
#[test]
fn section_9_limits() {
    let data = vec![b'*'; 4 << 20];
    let string = String::from_utf8(data.clone()).unwrap();
    for (opcode, message) in [(TEXT, text(&string)), (BINARY, binary(&data))] {
        // 9.1, 9.2
        let (got, end) = outcome(reader(), &frame(FIN | opcode, &data), 64 << 10);
        assert!(got == [message.clone()] && end.is_none());
        // 9.3, 9.4
        for size in [64, 256, 4 << 10, 64 << 10, 1 << 20] {
            let pieces: Vec<&[u8]> = data.chunks(size).collect();
            let (got, end) = outcome(reader(), &fragments(opcode, &pieces).concat(), 64 << 10);
            if pieces.len() > usize::try_from(MAX_FRAGMENTS).unwrap() {
                assert_eq!((got.len(), end), (0, Some(1008)), "{size}");
            } else {
                assert!(got == [message.clone()] && end.is_none(), "{size}");
            }
        }
        // 9.5, 9.6: in small chunks
        for chunk in [64, 2048] {
            let part = &data[..1 << 20];
            let (got, end) = outcome(reader(), &frame(FIN | opcode, part), chunk);
            assert!(got.len() == 1 && end.is_none(), "{chunk}");
        }
    }
    let whole = vec![0xfe; MAX_MESSAGE];
    assert!(outcome(reader(), &frame(FIN | BINARY, &whole), 64 << 10).0 == [binary(&whole)]);
    // 9.7, 9.8: many small ones
    for size in [0, 16, 64, 256] {
        let one = frame(FIN | BINARY, &vec![1; size]);
        assert_eq!(
            outcome(reader(), &one.repeat(1000), 1500).0,
            vec![binary(&vec![1; size]); 1000]
        );
    }
}

#[test]
fn section_10_a_message_in_equal_fragments() {
    let data = vec![b'*'; 65_536];
    let pieces: Vec<&[u8]> = data.chunks(1300).collect();
    passes(&fragments(TEXT, &pieces), &[text(&"*".repeat(65_536))]);
}

/// Sections 12 and 13: compressed messages of every size, with each window, with and without context, also in fragments.
#[test]
fn sections_12_and_13_compressed_messages() {
    let json = r#"{"id":12345,"name":"Ada","tags":["a","b","c"],"text":"äöü€ 😀"},"#;
    for (client_no_context_takeover, bits) in [(false, 15), (true, 15), (false, 9), (true, 9)] {
        let agreed = Agreement { client_no_context_takeover, client_window_bits: bits, ..AGREED };
        for size in [16, 256, 4096, 32_768, 131_072] {
            let mut message: String = json.chars().cycle().take(size).collect();
            message.push_str("end");
            let mut compressor = Compressor::new(Parameters { window_bits: bits, level: 6 });
            let mut reader = reader().with_inflate(Inflate::new(agreed));
            for round in 0..4 {
                let mut data = Vec::new();
                if client_no_context_takeover {
                    compressor.forget();
                }
                compressor.compress(b"", message.as_bytes(), &mut data);
                let frames = if round % 2 == 0 {
                    frame(FIN | RSV1 | TEXT, &data)
                } else {
                    let pieces: Vec<&[u8]> = data.chunks(100).collect();
                    let mut frames = fragments(TEXT, &pieces);
                    frames[0][0] |= RSV1;
                    frames.concat()
                };
                for chunk in frames.chunks(1000) {
                    let (messages, result) = feed(&mut reader, chunk);
                    assert_eq!(result, Ok(()));
                    assert!(messages.is_empty() || messages == [text(&message)], "{size}");
                }
            }
        }
    }
    // not agreed on
    refused(&[frame(FIN | RSV1 | TEXT, b"\xf2\x48\xcd\xc9\xc9\x07\x00")], 1002);
}
