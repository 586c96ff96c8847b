//! What nodes say to each other, held against `notepack.io` and against itself.

use ferrosocket::redis::broadcasts::{Incoming, Mode, Node};
use ferrosocket::redis::json;
use ferrosocket::redis::msgpack::Reader;
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::Value;

const VECTORS: &str = include_str!("redis_wire/notepack.txt");

fn hex(digits: &str) -> Vec<u8> {
    let (pairs, _) = digits.as_bytes().as_chunks::<2>();
    let pair = |pair: &[u8; 2]| {
        let pair = std::str::from_utf8(pair).expect("digits are text");
        u8::from_str_radix(pair, 16).expect("they are digits")
    };
    pairs.iter().map(pair).collect()
}

fn to_json(bytes: &[u8]) -> (String, Vec<&[u8]>) {
    let mut reader = Reader::new(bytes);
    let (mut text, mut attachments) = (Vec::new(), Vec::new());
    reader.write_json(&mut text, &mut attachments).expect("it is a value");
    assert!(reader.is_at_end());
    (String::from_utf8(text).expect("JSON is text"), attachments)
}

fn to_msgpack(text: &str, attachments: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::new();
    json::write_msgpack(&mut bytes, text.as_bytes(), attachments).expect("it is JSON");
    bytes
}

/// Equal as values: a number may be written in several ways.
fn assert_same(left: &str, right: &str) {
    let [left_value, right_value]: [Value; 2] =
        [left, right].map(|text| serde_json::from_str(text).expect("it is JSON"));
    let same = match (left_value.as_f64(), right_value.as_f64()) {
        (Some(left), Some(right)) => left.to_bits() == right.to_bits(),
        _ => left_value == right_value,
    };
    assert!(same, "{left} is not {right}");
}

#[test]
fn bytes_are_those_of_notepack() {
    let mut count = 0;
    for line in VECTORS.lines().filter(|line| !line.starts_with('#')) {
        let (one_way, line) = line.strip_prefix('>').map_or((false, line), |line| (true, line));
        let [bytes, text, attachments] =
            line.split('\t').collect::<Vec<_>>().try_into().expect("three columns");
        let bytes = hex(bytes);
        let attachments: Vec<_> = attachments
            .split(' ')
            .filter(|it| !it.is_empty())
            .map(|it| hex(it.trim_matches('-')))
            .collect();
        let (read, read_attachments) = to_json(&bytes);
        assert_same(&read, text);
        assert_eq!(read_attachments, attachments, "{text}");
        if !one_way {
            let attachments: Vec<&[u8]> = attachments.iter().map(Vec::as_slice).collect();
            assert_eq!(to_msgpack(text, &attachments), bytes, "{text}");
        }
        count += 1;
    }
    assert!(count > 50, "the vectors are read");
}

#[test]
fn large_values_have_the_longer_forms() {
    for (count, text) in [(70_000, "[1,"), (70_000, "[\"a\",")] {
        let text = format!("{}2]", text[..1].to_owned() + &text[1..].repeat(count));
        let bytes = to_msgpack(&text, &[]);
        assert_eq!(bytes[0], 0xdd);
        assert_eq!(to_json(&bytes).0, text);
    }
    let text = format!("\"{}\"", "x".repeat(70_000));
    assert_eq!(to_msgpack(&text, &[])[0], 0xdb);
    let large = vec![7; 70_000];
    let bytes = to_msgpack(r#"[{"_placeholder":true,"num":0}]"#, &[&large]);
    assert_eq!((bytes[0], bytes[1]), (0x91, 0xc6));
    assert_eq!(to_json(&bytes).1, [&large]);
}

/// notepack.io writes the lower bits of its halves, and reads another number.
#[test]
fn whole_numbers_beyond_64_bits_stay_what_they_are() {
    for text in ["1e+21", "-1e+300", "1.7976931348623157e+308"] {
        let bytes = to_msgpack(text, &[]);
        assert_eq!(bytes[0], 0xcb);
        assert_eq!(to_json(&bytes).0, text);
    }
}

#[test]
fn only_a_placeholder_of_ours_is_an_attachment() {
    let text = r#"[{"_placeholder":true,"num":1},{"_placeholder":true,"num":0,"x":1}]"#;
    let bytes = to_msgpack(text, &[b"a"]);
    assert_eq!(to_json(&bytes), (text.into(), vec![]));
}

#[test]
fn what_is_nested_too_deeply_is_refused() {
    let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let mut out = Vec::new();
    assert!(json::write_msgpack(&mut out, deep(500).as_bytes(), &[]).is_ok());
    assert!(json::write_msgpack(&mut out, deep(600).as_bytes(), &[]).is_err());
    let bytes = vec![0x91; 100_000];
    assert!(Reader::new(&bytes).write_json(&mut Vec::new(), &mut Vec::new()).is_err());
    assert!(Reader::new(&bytes).skip().is_err());
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        any::<f64>().prop_map(|number| serde_json::Number::from_f64(number).into()),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::from),
            vec(("[a-z]{0,5}|_{1,3}", inner), 0..6).prop_map(|pairs| pairs.into_iter().collect()),
        ]
    })
}

proptest! {
    #[test]
    fn values_go_to_messagepack_and_back(value in value()) {
        let text = value.to_string();
        let bytes = to_msgpack(&text, &[]);
        let (back, attachments) = to_json(&bytes);
        prop_assert!(attachments.is_empty());
        let back: Value = serde_json::from_str(&back).unwrap();
        prop_assert_eq!(numbers(back), numbers(value));
    }

    #[test]
    fn any_broadcast_arrives(data in vec(value(), 1..4), rooms in vec(any::<String>(), 0..4), sharded: bool) {
        let mode = if sharded { Mode::Sharded } else { Mode::Classic };
        let node = |uid: &str| Node { mode, namespace: "/n".into(), uid: uid.into() };
        let packet = format!("2/n,{}", Value::from(data));
        let options = serde_json::json!({ "rooms": rooms, "except": [], "flags": {} }).to_string();
        let mut message = Vec::new();
        node("a").write(&mut message, packet.as_bytes(), &[], options.as_bytes()).unwrap();
        let Ok(Incoming::Broadcast(broadcast)) = node("b").read(&message) else {
            panic!("it is a broadcast")
        };
        let [sent, received] = [packet.as_bytes(), &broadcast.text]
            .map(|text| serde_json::from_slice::<Value>(&text[4..]).unwrap());
        prop_assert_eq!(numbers(received), numbers(sent));
        prop_assert_eq!(broadcast.rooms.len(), rooms.len());
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..200)) {
        for mode in [Mode::Classic, Mode::Sharded] {
            let node = Node { mode, namespace: "/".into(), uid: "a".into() };
            if let Ok(Incoming::Broadcast(broadcast)) = node.read(&bytes) {
                let from = broadcast.text.iter().position(|&byte| byte == b'[').unwrap();
                prop_assert!(serde_json::from_slice::<Value>(&broadcast.text[from..]).is_ok());
            }
        }
        let _read = Node::read_request(&bytes);
    }
}

/// Whole numbers and others are one kind in JavaScript.
fn numbers(value: Value) -> Value {
    match value {
        Value::Number(number) => {
            let number = number.as_f64().expect("it is small") + 0.0; // −0 is 0
            serde_json::Number::from_f64(number).map_or(Value::Null, Value::Number)
        }
        Value::Array(values) => values.into_iter().map(numbers).collect(),
        Value::Object(pairs) => {
            pairs.into_iter().map(|(key, value)| (key, numbers(value))).collect()
        }
        Value::Null | Value::Bool(_) | Value::String(_) => value,
    }
}
