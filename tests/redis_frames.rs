//! Messages of Pub/Sub among what else Redis sends, held against the parser that reads the rest: the crate `redis`.
#![cfg(feature = "redis")]

use ferrosocket::redis::frames::{Frames, Kind, Message, Piece};
use proptest::collection::vec;
use proptest::prelude::*;
use redis::{PushKind, Value, parse_redis_value};

fn text(bytes: &[u8]) -> Vec<u8> {
    [format!("${}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        vec(any::<u8>(), 0..40),
        // What looks like something.
        proptest::sample::select(vec![
            &b"\r\n"[..],
            b">4\r\n$8\r\npmessage\r\n$1\r\na\r\n$1\r\na\r\n$1\r\na\r\n",
            b"$5\r\n",
            b"message",
        ])
        .prop_map(<[u8]>::to_vec),
    ]
}

/// A message, as it is sent.
fn message() -> impl Strategy<Value = Vec<u8>> {
    (0..3_u8, bytes(), bytes(), bytes()).prop_map(|(kind, name, channel, payload)| match kind {
        0 => [&b">3\r\n$7\r\nmessage\r\n"[..], &text(&name), &text(&payload)].concat(),
        1 => [&b">3\r\n$8\r\nsmessage\r\n"[..], &text(&name), &text(&payload)].concat(),
        _ => {
            let head = &b">4\r\n$8\r\npmessage\r\n"[..];
            [head, &text(&name), &text(&channel), &text(&payload)].concat()
        }
    })
}

/// Any value that is no message where it stands; in it, it may be one.
fn other() -> impl Strategy<Value = Vec<u8>> {
    let leaf = prop_oneof![
        bytes().prop_map(|bytes| text(&bytes)),
        proptest::sample::select(vec![
            "+OK",
            "+",
            "-ERR no",
            ":-5",
            "_",
            "$-1",
            "*-1",
            "*0",
            ",1.5",
            "#t",
            "(12345678901234567890",
            "!5\r\nERR a",
            "=7\r\ntxt:abc",
            "~0",
            "%0",
        ])
        .prop_map(|line| format!("{line}\r\n").into_bytes()),
    ];
    leaf.prop_recursive(4, 20, 4, |inner| {
        let inner = prop_oneof![3 => inner, 1 => message()].boxed();
        let several = |sign: char| {
            vec(inner.clone(), 0..4).prop_map(move |parts| {
                [format!("{sign}{}\r\n", parts.len()).into_bytes(), parts.concat()].concat()
            })
        };
        prop_oneof![
            several('*'),
            several('~'),
            vec((inner.clone(), inner.clone()), 0..3).prop_map(|pairs| {
                let parts: Vec<_> = pairs.iter().flat_map(|(a, b)| [&a[..], b]).collect();
                [format!("%{}\r\n", pairs.len()).as_bytes(), &parts.concat()].concat()
            }),
            (inner.clone(), inner.clone(), inner.clone()).prop_map(|(a, b, c)| [
                &b"|1\r\n"[..],
                &a,
                &b,
                &c
            ]
            .concat()),
            inner.prop_map(|part| [&b">2\r\n$9\r\nsubscribe\r\n"[..], &part].concat()),
        ]
    })
}

/// What is taken out of bytes that come in pieces that end at `cuts`, and what is left.
fn sift(bytes: &[u8], cuts: &[usize]) -> (Vec<Value>, Vec<u8>) {
    let mut frames = Frames::default();
    let (mut messages, mut rest) = (Vec::new(), Vec::new());
    let mut start = 0;
    for &end in cuts.iter().chain([&bytes.len()]) {
        loop {
            match frames.next(&bytes[start..end]) {
                Piece::Message(message, length) => {
                    messages.push(value(&message));
                    start += length;
                }
                Piece::Other(count) => {
                    rest.extend_from_slice(&bytes[start..start + count]);
                    start += count;
                }
                Piece::More(count) => {
                    assert!(count > end - start);
                    break;
                }
            }
        }
    }
    assert_eq!(start, bytes.len(), "nothing is kept back");
    (messages, rest)
}

/// A message as the crate has it.
fn value(message: &Message<'_>) -> Value {
    let text = |bytes: &[u8]| Value::BulkString(bytes.to_vec());
    let (name, channel, payload) =
        (text(message.name), text(message.channel), text(message.payload));
    match message.kind {
        Kind::Plain => Value::Push { kind: PushKind::Message, data: vec![name, payload] },
        Kind::Sharded => Value::Push { kind: PushKind::SMessage, data: vec![name, payload] },
        Kind::Pattern => {
            Value::Push { kind: PushKind::PMessage, data: vec![name, channel, payload] }
        }
    }
}

proptest! {
    #[test]
    fn messages_are_taken_out_and_the_rest_stays_as_it_is(
        parts in vec(prop_oneof![message().prop_map(|it| (true, it)), other().prop_map(|it| (false, it))], 0..12),
        mut cuts in vec(any::<proptest::sample::Index>(), 0..20),
    ) {
        let of = |wanted: bool| parts.iter().filter(move |(is_message, _)| *is_message == wanted);
        let all: Vec<u8> = parts.iter().flat_map(|(_, bytes)| bytes.clone()).collect();
        let mut cuts: Vec<_> = cuts.drain(..).map(|it| it.index(all.len() + 1)).collect();
        cuts.sort_unstable();
        let (messages, rest) = sift(&all, &cuts);
        let expected: Vec<_> =
            of(true).map(|(_, bytes)| parse_redis_value(bytes).expect("it is a message")).collect();
        prop_assert_eq!(messages, expected);
        prop_assert_eq!(rest, of(false).flat_map(|(_, bytes)| bytes.clone()).collect::<Vec<_>>());
        for (_, bytes) in of(false) {
            prop_assert!(parse_redis_value(bytes).is_ok(), "it is a value");
        }
    }
}
