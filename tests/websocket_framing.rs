//! The rules of RFC 6455 that a server has to enforce on a client's frames, by section.

mod websocket_support;

use std::ops::ControlFlow;

use ferrosocket::websocket::reader::MAX_FRAGMENTS;
use ferrosocket::websocket::{Incoming, MessageLimits, Reader};
use websocket_support::{Message, feed, frame};

const FIN: u8 = 0x80;
const RSV1: u8 = 0x40;
const RSV2: u8 = 0x20;
const RSV3: u8 = 0x10;
const CONTINUATION: u8 = 0x0;
const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xa;

fn reader() -> Reader {
    Reader::new(MessageLimits { max_message: 1_000_000, max_fragments: MAX_FRAGMENTS })
}

fn read(frames: &[Vec<u8>]) -> Vec<Message> {
    let (messages, result) = feed(&mut reader(), &frames.concat());
    assert_eq!(result, Ok(()));
    messages
}

/// The close code and sentence that these frames earn, and nothing may have been delivered.
fn refused(frames: &[Vec<u8>]) -> (u16, String) {
    let (messages, result) = feed(&mut reader(), &frames.concat());
    assert_eq!(messages, []);
    let violation = result.expect_err("these frames break a rule");
    (violation.code, violation.to_string())
}

fn invalid(rest: &str) -> (u16, String) {
    (1002, format!("RangeError: Invalid WebSocket frame: {rest}"))
}

fn text(text: &str) -> Message {
    Message::Text(text.to_owned())
}

#[test]
fn section_5_1_an_unmasked_frame_is_refused() {
    assert_eq!(refused(&[vec![FIN | TEXT, 5]]), invalid("MASK must be set"));
    assert_eq!(refused(&[vec![FIN | PING, 0]]), invalid("MASK must be set"));
}

#[test]
fn section_5_2_the_rsv_bits_must_be_clear() {
    assert_eq!(refused(&[frame(FIN | RSV1 | TEXT, b"x")]), invalid("RSV1 must be clear"));
    assert_eq!(refused(&[frame(FIN | RSV1 | PING, b"x")]), invalid("RSV1 must be clear"));
    for bits in [RSV2, RSV3, RSV2 | RSV3, RSV1 | RSV2] {
        assert_eq!(
            refused(&[frame(FIN | bits | TEXT, b"x")]),
            invalid("RSV2 and RSV3 must be clear")
        );
    }
}

#[test]
fn section_5_2_a_reserved_opcode_is_refused() {
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        let expected = invalid(&format!("invalid opcode {opcode}"));
        assert_eq!(refused(&[frame(FIN | opcode, b"")]), expected);
    }
}

#[test]
fn section_5_2_each_form_of_length_is_read() {
    for len in [0, 1, 125, 126, 127, 65_535, 65_536, 70_000] {
        let payload = vec![b'a'; len];
        assert_eq!(read(&[frame(FIN | BINARY, &payload)]), [Message::Binary(payload)]);
    }
}

#[test]
fn section_5_2_the_top_bits_of_a_64_bit_length_must_be_clear() {
    for length in [1_u64 << 63, u64::MAX, 1 << 53] {
        let header = [vec![FIN | BINARY, 0xff], length.to_be_bytes().to_vec()].concat();
        let sentence = "RangeError: Unsupported WebSocket frame: payload length > 2^53 - 1";
        assert_eq!(refused(&[header]), (1009, sentence.to_owned()));
    }
}

#[test]
fn section_5_4_fragments_make_one_message() {
    let frames = [
        frame(TEXT, b"Hel"),
        frame(CONTINUATION, b""),
        frame(CONTINUATION, b"l"),
        frame(FIN | CONTINUATION, b"o"),
        frame(FIN | TEXT, b"next"),
    ];
    assert_eq!(read(&frames), [text("Hello"), text("next")]);
}

#[test]
fn section_5_4_an_empty_message_may_be_fragmented() {
    let frames = [frame(BINARY, b""), frame(FIN | CONTINUATION, b"")];
    assert_eq!(read(&frames), [Message::Binary(vec![])]);
}

#[test]
fn section_5_4_control_frames_may_stand_between_fragments() {
    let frames = [
        frame(TEXT, b"a"),
        frame(FIN | PING, b"1"),
        frame(CONTINUATION, b"b"),
        frame(FIN | PONG, b"2"),
        frame(FIN | CONTINUATION, b"c"),
    ];
    let expected = [Message::Ping(b"1".to_vec()), Message::Pong(b"2".to_vec()), text("abc")];
    assert_eq!(read(&frames), expected);
}

#[test]
fn section_5_4_a_continuation_needs_an_open_message() {
    assert_eq!(refused(&[frame(FIN | CONTINUATION, b"x")]), invalid("invalid opcode 0"));
    let (messages, result) =
        feed(&mut reader(), &[frame(FIN | TEXT, b"done"), frame(CONTINUATION, b"x")].concat());
    assert_eq!(messages, [text("done")]);
    assert_eq!(result.expect_err("nothing is open").code, 1002);
}

#[test]
fn section_5_4_messages_must_not_interleave() {
    assert_eq!(refused(&[frame(TEXT, b"a"), frame(FIN | TEXT, b"b")]), invalid("invalid opcode 1"));
    assert_eq!(refused(&[frame(BINARY, b""), frame(BINARY, b"")]), invalid("invalid opcode 2"));
}

#[test]
fn section_5_5_a_control_frame_must_not_be_fragmented() {
    for opcode in [CLOSE, PING, PONG] {
        assert_eq!(refused(&[frame(opcode, b"")]), invalid("FIN must be set"));
    }
}

#[test]
fn section_5_5_a_control_frame_has_125_bytes_at_most() {
    let longest = vec![7; 125];
    assert_eq!(read(&[frame(FIN | PING, &longest)]), [Message::Ping(longest)]);
    assert_eq!(refused(&[frame(FIN | PING, &[7; 126])]), invalid("invalid payload length 126"));
    assert_eq!(
        refused(&[frame(FIN | PONG, &vec![7; 70_000])]),
        invalid("invalid payload length 127")
    );
    assert_eq!(refused(&[frame(FIN | CLOSE, &[3; 126])]), invalid("invalid payload length 126"));
}

#[test]
fn section_5_5_1_a_close_frame_has_no_code_or_a_whole_one() {
    assert_eq!(read(&[frame(FIN | CLOSE, b"")]), [Message::Close(None)]);
    assert_eq!(read(&[frame(FIN | CLOSE, &[0x03, 0xe8])]), [Message::Close(Some(1000))]);
    assert_eq!(refused(&[frame(FIN | CLOSE, &[3])]), invalid("invalid payload length 1"));
}

#[test]
fn section_5_5_1_a_close_reason_is_utf_8() {
    let with_reason = |reason: &[u8]| frame(FIN | CLOSE, &[&[0x03, 0xe8], reason].concat());
    assert_eq!(read(&[with_reason("góðan".as_bytes())]), [Message::Close(Some(1000))]);
    let expected = (1007, "Error: Invalid WebSocket frame: invalid UTF-8 sequence".to_owned());
    assert_eq!(refused(&[with_reason(&[0xff])]), expected);
}

#[test]
fn section_5_5_1_nothing_is_read_after_a_close_frame() {
    let mut reader = reader();
    let frames = [frame(FIN | CLOSE, b""), frame(FIN | TEXT, b"late"), vec![0xff, 0xff]];
    assert_eq!(feed(&mut reader, &frames.concat()), (vec![Message::Close(None)], Ok(())));
    assert_eq!(feed(&mut reader, &frame(FIN | TEXT, b"later")), (vec![], Ok(())));
    assert_eq!(reader.buffered(), 0);
}

#[test]
fn section_5_6_a_text_message_is_utf_8_as_a_whole() {
    let word = "κόσμε".as_bytes();
    // The second fragment begins in the middle of a character.
    let frames = [frame(TEXT, &word[..3]), frame(FIN | CONTINUATION, &word[3..])];
    assert_eq!(read(&frames), [text("κόσμε")]);
    let expected = (1007, "Error: Invalid WebSocket frame: invalid UTF-8 sequence".to_owned());
    for bad in [&b"\xc0\xaf"[..], b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"a\xce", b"\xff"] {
        assert_eq!(refused(&[frame(FIN | TEXT, bad)]), expected);
        let split = [frame(TEXT, &bad[..1]), frame(FIN | CONTINUATION, &bad[1..])];
        assert_eq!(refused(&split), expected);
        assert_eq!(read(&[frame(FIN | BINARY, bad)]), [Message::Binary(bad.to_vec())]);
    }
}

#[test]
fn section_5_7_the_examples_that_a_client_sends() {
    let hello = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
    assert_eq!(read(&[hello.to_vec()]), [text("Hello")]);
    let pong = [0x8a, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
    assert_eq!(read(&[pong.to_vec()]), [Message::Pong(b"Hello".to_vec())]);
}

#[test]
fn section_7_4_a_close_code_must_be_one_for_the_wire() {
    for code in [1000_u16, 1001, 1002, 1003, 1007, 1011, 1012, 1014, 3000, 4999] {
        assert_eq!(read(&[frame(FIN | CLOSE, &code.to_be_bytes())]), [Message::Close(Some(code))]);
    }
    for code in [0_u16, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535] {
        let expected = invalid(&format!("invalid status code {code}"));
        assert_eq!(refused(&[frame(FIN | CLOSE, &code.to_be_bytes())]), expected);
    }
}

#[test]
fn a_rule_is_checked_as_soon_as_its_bits_are_there() {
    let mut reader = reader();
    assert_eq!(feed(&mut reader, &[FIN | RSV2 | TEXT]), (vec![], Ok(())));
    let (_, result) = feed(&mut reader, &[0x85]);
    assert_eq!(result.expect_err("RSV2 is set").code, 1002);
}

#[test]
fn break_drops_the_rest() {
    let mut reader = reader();
    let mut bytes = [frame(FIN | TEXT, b"1"), frame(FIN | TEXT, b"2"), vec![0xff]].concat();
    let mut seen = 0;
    let result = reader.handle_bytes(&mut bytes, |incoming| {
        assert_eq!(incoming, Incoming::Text("1"));
        seen += 1;
        ControlFlow::Break(())
    });
    assert_eq!((result, seen), (Ok(()), 1));
    assert_eq!(feed(&mut reader, &frame(FIN | TEXT, b"3")), (vec![], Ok(())));
}

#[test]
fn a_whole_frame_is_delivered_from_the_callers_buffer() {
    let mut bytes = [frame(FIN | TEXT, b"first"), frame(FIN | BINARY, b"second")].concat();
    let range = bytes.as_ptr_range();
    reader()
        .handle_bytes(&mut bytes, |incoming| {
            let start = match incoming {
                Incoming::Text(text) => text.as_ptr(),
                Incoming::Binary(data) => data.as_ptr(),
                Incoming::Ping(data) | Incoming::Pong(data) => data.as_ptr(),
                Incoming::Close(_) => unreachable!("no close frame was sent"),
            };
            assert!(range.contains(&start));
            ControlFlow::Continue(())
        })
        .unwrap();
}
