//! What holds for every payload and every order of events.

#[path = "../fuzz/src/world.rs"]
#[expect(unreachable_pub, dead_code, reason = "a part of a library that needs more of it")]
mod world;

use std::borrow::Cow;

use bytes::Bytes;
use ferrosocket::engineio::{
    Data, OutMessage, Packet, PacketType, Protocol, Transport, decode_text, payload,
};
use proptest::collection::vec;
use proptest::prelude::*;
use world::{Event, World};

proptest! {
    /// What we encode, we decode again; text must not contain the separator.
    #[test]
    fn a_payload_survives_the_round_trip(
        messages in vec((any::<bool>(), "[^\u{1e}]{0,20}", vec(any::<u8>(), 0..40)), 1..10)
    ) {
        let mut body = Vec::new();
        for (binary, text, bytes) in &messages {
            let data = if *binary { Bytes::from(bytes.clone()) } else { Bytes::from(text.clone()) };
            payload::encode_message(&mut body, &OutMessage { data, binary: *binary, compress: true });
        }
        let body = String::from_utf8(body).unwrap();
        let packets: Vec<_> = payload::decode(&body).collect();
        prop_assert_eq!(packets.len(), messages.len());
        for (packet, (binary, text, bytes)) in packets.into_iter().zip(&messages) {
            let data = match (binary, text.is_empty()) {
                (true, _) => Some(Data::Binary(Cow::Borrowed(bytes))),
                (false, true) => None,
                (false, false) => Some(Data::Text(text)),
            };
            prop_assert_eq!(packet, Ok(Packet { kind: PacketType::Message, data }));
        }
    }

    /// No text is too strange for the decoder, and what it accepts it gives back unchanged.
    #[test]
    fn any_text_is_decoded_or_refused(text in any::<String>()) {
        match decode_text(&text) {
            Ok(Packet { kind, data: Some(Data::Text(data)) }) => {
                prop_assert_eq!(format!("{}{data}", char::from(kind.digit())), text);
            }
            Ok(Packet { kind, data: None }) => {
                prop_assert_eq!(char::from(kind.digit()).to_string(), text);
            }
            Ok(Packet { data: Some(Data::Binary(bytes)), .. }) => {
                prop_assert!(text.starts_with('b') && bytes.len() < text.len());
            }
            Err(_) => prop_assert!(!text.starts_with(['0', '1', '2', '3', '4', '5', '6', 'b'])),
        }
    }

    /// Base64 is read leniently: no text of it makes an error.
    #[test]
    fn any_base64_is_a_message(text in "b[A-Za-z0-9+/=_\\- \n!é]{0,24}") {
        prop_assert!(decode_text(&text).is_ok());
    }

    /// Whatever happens in whatever order: the session ends once, after everything else, and no
    /// request is forgotten or answered twice.
    #[test]
    fn a_session_stays_in_order(polling in any::<bool>(), events in vec(event(), 1..80)) {
        let transport = if polling { Transport::Polling } else { Transport::WebSocket };
        let mut world = World::new(transport, Protocol::V4.into(), 10);
        for event in events {
            world.apply(event);
        }
        world.finish();
    }
}

/// Each packet once, and three that are none or not plain.
const TEXTS: [&str; 12] = ["0", "1", "2", "2probe", "3", "4", "4a", "5", "6", "7", "", "bAQ=="];

fn event() -> impl Strategy<Value = Event> {
    let body = prop_oneof![
        3 => vec(proptest::sample::select(&TEXTS[..]), 1..4)
            .prop_map(|packets| packets.join("\u{1e}").into_bytes()),
        1 => vec(any::<u8>(), 0..12),
    ];
    let text = proptest::sample::select(&TEXTS[..]);
    prop_oneof![
        6 => Just(Event::Get),
        3 => Just(Event::PostStart),
        3 => (body, any::<bool>()).prop_map(|(body, binary)| Event::PostBody(body, binary)),
        1 => Just(Event::PostTooLarge),
        1 => Just(Event::PostInvalidContent),
        1 => any::<usize>().prop_map(Event::RequestClosed),
        6 => (any::<bool>(), text).prop_map(|(probe, text)| Event::Frame(probe, text.into())),
        1 => any::<bool>().prop_map(|probe| Event::Binary(probe, Vec::from([1]))),
        3 => Just(Event::ProbeOpened),
        1 => any::<bool>().prop_map(Event::LinkClosed),
        1 => any::<bool>().prop_map(Event::LinkError),
        4 => any::<bool>().prop_map(Event::Buffer),
        4 => Just(Event::Flush),
        1 => any::<bool>().prop_map(Event::Close),
        1 => Just(Event::Defer),
        4 => (0..30_000_u64).prop_map(Event::Pass),
        4 => Just(Event::Timeout),
    ]
}
