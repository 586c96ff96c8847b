//! Packets and payloads of Engine.IO, protocols 4 and 3.

use std::hint::black_box;

use bytes::Bytes;
use ferrosocket::engineio::packet::{OutMessage, decode_text};
use ferrosocket::engineio::{payload, payload_v3};

use crate::harness::Suite;
use crate::samples::event;

/// Packets of one payload.
const PACKETS: u32 = 16;
/// Bytes of a binary message.
const BINARY: usize = 4 << 10;

pub(crate) fn cases(suite: &mut Suite) {
    let text = format!("4{}", event(32));
    suite.case("engineio: decode a message of 32 B", move || {
        assert!(black_box(decode_text(black_box(&text))).is_ok());
    });

    let (messages, binary) = (texts(), bytes());
    let mut out = Vec::new();
    write(&mut out, &messages, payload::encode_message);
    decoding(suite, "engineio: decode one of 16 packets of a payload", PACKETS, &out, |text| {
        payload::decode(text).flat_map(black_box).count()
    });
    encoding(
        suite,
        "engineio: encode one of 16 packets of a payload",
        &messages,
        |out, message| {
            payload::encode_message(out, message);
        },
    );

    let mut out = Vec::new();
    payload::encode_message(&mut out, &binary);
    decoding(suite, "engineio: decode base64 of 4 KiB", 1, &out, |text| {
        payload::decode(text).flat_map(black_box).count()
    });
    encoding(suite, "engineio: encode 4 KiB as base64", &[binary], |out, message| {
        payload::encode_message(out, message);
    });

    let mut out = Vec::new();
    write(&mut out, &messages, payload_v3::encode_message);
    decoding(suite, "engineio 3: decode one of 16 packets of a payload", PACKETS, &out, |text| {
        payload_v3::decode(text).flat_map(black_box).count()
    });
    encoding(
        suite,
        "engineio 3: encode one of 16 packets of a payload",
        &messages,
        |out, message| {
            payload_v3::encode_message(out, message);
        },
    );
    binary_payload(suite, &messages);
}

fn texts() -> Vec<OutMessage> {
    let data = Bytes::from(event(32));
    (0..PACKETS)
        .map(|_| OutMessage { data: data.clone(), binary: false, compress: false })
        .collect()
}

fn bytes() -> OutMessage {
    let data = (0..=u8::MAX).cycle().take(BINARY).collect();
    OutMessage { data, binary: true, compress: false }
}

fn write(out: &mut Vec<u8>, messages: &[OutMessage], encode: impl Fn(&mut Vec<u8>, &OutMessage)) {
    for message in messages {
        encode(out, message);
    }
}

fn decoding(
    suite: &mut Suite,
    name: &str,
    packets: u32,
    payload: &[u8],
    count: impl Fn(&str) -> usize + 'static,
) {
    let text = String::from_utf8(payload.to_vec()).expect("these payloads are text");
    suite.batch(name, packets, move || assert_eq!(count(black_box(&text)), packets as usize));
}

fn encoding(
    suite: &mut Suite,
    name: &str,
    messages: &[OutMessage],
    encode: impl Fn(&mut Vec<u8>, &OutMessage) + 'static,
) {
    let (messages, mut out) = (messages.to_vec(), Vec::new());
    let packets = u32::try_from(messages.len()).expect("they are few");
    suite.batch(name, packets, move || {
        out.clear();
        write(&mut out, black_box(&messages), &encode);
    });
}

fn binary_payload(suite: &mut Suite, messages: &[OutMessage]) {
    let mut payload = Vec::new();
    write(&mut payload, messages, payload_v3::encode_message_in_binary);
    suite.batch("engineio 3: decode one of 16 packets of a binary payload", PACKETS, move || {
        let packets = payload_v3::decode_binary(black_box(&payload));
        assert_eq!(packets.flat_map(black_box).count(), PACKETS as usize);
    });
}
