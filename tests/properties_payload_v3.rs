//! What holds for every payload of protocol 3.

use std::borrow::Cow;

use bytes::Bytes;
use ferrosocket::engineio::payload_v3::{
    decode, decode_binary, encode_message, encode_message_in_binary,
};
use ferrosocket::engineio::{Data, OutMessage, Packet, PacketType};
use proptest::collection::vec;
use proptest::prelude::*;

/// Text or bytes of a message.
fn messages() -> impl Strategy<Value = Vec<Result<String, Vec<u8>>>> {
    let message = prop_oneof![
        any::<String>().prop_map(Ok),
        "[aé€😀:0-9]{0,12}".prop_map(Ok),
        vec(any::<u8>(), 0..40).prop_map(Err),
    ];
    vec(message, 1..10)
}

fn outgoing(message: &Result<String, Vec<u8>>) -> OutMessage {
    let (data, binary) = match message {
        Ok(text) => (Bytes::from(text.clone()), false),
        Err(bytes) => (Bytes::from(bytes.clone()), true),
    };
    OutMessage { data, binary, compress: true }
}

fn incoming(message: &Result<String, Vec<u8>>) -> Packet<'_> {
    let data = match message {
        Ok(text) if text.is_empty() => None,
        Ok(text) => Some(Data::Text(text)),
        Err(bytes) => Some(Data::Binary(Cow::Borrowed(bytes))),
    };
    Packet { kind: PacketType::Message, data }
}

/// Bytes that look like payloads more often than chance would have it.
fn body() -> impl Strategy<Value = Vec<u8>> {
    const PARTS: [&[u8]; 12] = [
        b"1:2",
        b"2:4a",
        b"0:",
        b":",
        b"9",
        b"b4AQ==",
        "😀".as_bytes(),
        b"\x00\x01\xff4",
        b"\x01\x02\xff\x04\x00",
        b"\xff",
        b"\x01",
        b"\x09\x09\x09",
    ];
    let part = proptest::sample::select(&PARTS[..]);
    prop_oneof![vec(part, 0..12).prop_map(|parts| parts.concat()), vec(any::<u8>(), 0..40)]
}

proptest! {
    #[test]
    fn text_and_base64_survive_the_round_trip(messages in messages()) {
        let mut body = Vec::new();
        for message in &messages {
            encode_message(&mut body, &outgoing(message));
        }
        let body = String::from_utf8(body).unwrap();
        let packets: Vec<_> = decode(&body).collect();
        prop_assert_eq!(packets, messages.iter().map(incoming).map(Ok).collect::<Vec<_>>());
    }

    #[test]
    fn a_binary_payload_survives_the_round_trip(messages in messages()) {
        let mut body = Vec::new();
        for message in &messages {
            encode_message_in_binary(&mut body, &outgoing(message));
        }
        let packets: Vec<_> = decode_binary(&body).collect();
        prop_assert_eq!(packets, messages.iter().map(incoming).map(Ok).collect::<Vec<_>>());
    }

    /// Cut anywhere, a payload gives its first packets unchanged and then at most one error.
    #[test]
    fn a_payload_that_is_cut_off_gives_what_is_whole(messages in messages(), cut in any::<usize>()) {
        let (mut text, mut binary) = (Vec::new(), Vec::new());
        for message in &messages {
            encode_message(&mut text, &outgoing(message));
            encode_message_in_binary(&mut binary, &outgoing(message));
        }
        let text = String::from_utf8(text).unwrap();
        let at = (0..=cut % (text.len() + 1)).rev().find(|&at| text.is_char_boundary(at)).unwrap();
        let cut_text: Vec<_> = decode(&text[..at]).collect();
        let cut_binary: Vec<_> = decode_binary(&binary[..cut % (binary.len() + 1)]).collect();
        for packets in [cut_text, cut_binary] {
            let whole = packets.iter().take_while(|packet| packet.is_ok()).count();
            prop_assert!(packets.len() - whole <= 1);
            for (packet, message) in packets.into_iter().take(whole).zip(&messages) {
                prop_assert_eq!(packet, Ok(incoming(message)));
            }
        }
    }

    /// Nothing is too strange; an error ends it, and there are no more packets than bytes.
    #[test]
    fn any_bytes_are_decoded_or_refused(body in body()) {
        let text = String::from_utf8_lossy(&body);
        for packets in [decode(&text).collect::<Vec<_>>(), decode_binary(&body).collect()] {
            prop_assert!(packets.len() <= body.len() + 1);
            let end = packets.iter().position(Result::is_err).unwrap_or(packets.len());
            prop_assert!(end + 1 >= packets.len());
        }
    }
}

/// Each byte of the largest body is looked at a bounded number of times: half a million packets, or
/// as many bytes of a length, are through at once. (Quadratic time would be minutes.)
#[test]
fn a_body_of_many_tiny_packets_is_read_in_linear_time() {
    let pings = "1:2".repeat(333_333);
    assert_eq!(decode(&pings).flatten().count(), 333_333);
    let astral = "3:4😀".repeat(142_857);
    assert_eq!(decode(&astral).flatten().count(), 142_857);
    assert_eq!(decode(&"0:".repeat(500_000)).count(), 0);
    assert_eq!(decode(&"9".repeat(1_000_000)).flatten().count(), 0);
    // Lengths that reach to the end, and miss it because of what is behind.
    assert_eq!(decode(&format!("999990:{}", "é".repeat(490_000))).count(), 1);
    let binary = b"\x00\x01\xff2".repeat(250_000);
    assert_eq!(decode_binary(&binary).flatten().count(), 250_000);
    assert_eq!(decode_binary(&vec![1; 1_000_000]).count(), 1);
}
