//! What processes of all versions say to each other, byte for byte: a later version of this program must still be understood by one that
//! runs, and understand it. A line here may be added, and none changed.

use ferrosocket::handover::{FrameReader, Message, VERSION};

const GREETING: &str = "ferrosocket hand-over\n";

/// The bytes of a body behind its header.
fn framed(kind: u8, descriptors: u8, body: &[&[u8]]) -> Vec<u8> {
    let body = body.concat();
    let length = u32::try_from(body.len()).expect("it is short").to_le_bytes();
    [&length[..], &[kind, descriptors], &body].concat()
}

fn read(bytes: &[u8]) -> Message {
    let mut reader = FrameReader::default();
    reader.push(bytes);
    let frame = reader.next_frame().expect("a length").expect("all of it");
    assert!(!reader.is_in_message());
    Message::read(&frame).expect("a message")
}

fn written(message: &Message, descriptors: u8) -> Vec<u8> {
    let mut bytes = Vec::new();
    message.write(&mut bytes, descriptors).expect("it is short");
    bytes
}

fn end(against: &str) -> Message {
    Message::End { sessions: 5, against: against.into(), blob: b"end".to_vec() }
}

/// Each message that all versions know, as it is written, and what else it may come as.
fn all() -> Vec<(Message, u8, Vec<u8>, Vec<u8>)> {
    let version = VERSION.to_le_bytes();
    let greeting: &[&[u8]] = &[GREETING.as_bytes(), &version, b"\x01\x02\0\0\0{}"];
    let sessions = b"\x02\x04\0\0\0\x05\0\0\0";
    let why = b"\x05\x02\0\0\0no";
    let blob = b"\x01\x03\0\0\0end";
    // a field that a later version has added
    let more: &[u8] = b"\x63\x01\0\0\0x";
    let case = |message: Message, kind: u8, descriptors: u8, body: &[&[u8]]| {
        let with_more = framed(kind, descriptors, &[body, &[more]].concat());
        (message, descriptors, framed(kind, descriptors, body), with_more)
    };
    vec![
        case(Message::hello(b"{}".to_vec()), b'H', 0, greeting),
        case(Message::welcome(b"{}".to_vec()), b'W', 1, greeting),
        case(Message::welcome(b"{}".to_vec()), b'W', 2, greeting),
        case(Message::Ready { against: String::new() }, b'R', 0, &[]),
        case(Message::Ready { against: "no".into() }, b'R', 0, &[why]),
        case(end(""), b'E', 0, &[sessions, blob]),
        case(end("no"), b'E', 0, &[sessions, why, blob]),
        case(Message::Taken { sessions: 5 }, b'T', 0, &[sessions]),
        case(Message::Refused { why: "no".into() }, b'N', 0, &[why]),
    ]
}

#[test]
fn what_all_versions_say_stays_as_it_is() {
    for (message, descriptors, bytes, _) in all() {
        assert_eq!(written(&message, descriptors), bytes, "{message:?}");
        assert_eq!(read(&bytes), message);
    }
}

#[test]
fn what_a_later_version_adds_is_skipped() {
    for (message, _, _, with_more) in all() {
        assert_eq!(read(&with_more), message);
    }
}

#[test]
fn what_another_version_says_of_itself_is_not_looked_at() {
    for kind in *b"HW" {
        let descriptors = u8::from(kind == b'W');
        let version = 99_u32.to_le_bytes();
        let greeting: &[&[u8]] = &[GREETING.as_bytes(), &version, b"anything"];
        let expected = match kind {
            b'H' => Message::Hello { version: 99, blob: Vec::new() },
            _ => Message::Welcome { version: 99, blob: Vec::new() },
        };
        assert_eq!(read(&framed(kind, descriptors, greeting)), expected);
    }
}
