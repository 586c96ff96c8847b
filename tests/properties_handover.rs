//! What one process says to the next comes out as it went in, however its bytes are split; and any other bytes are refused.

use std::net::IpAddr;

use bytes::Bytes;
use ferrosocket::engineio::{
    CarriedBeat, CarriedPacket, CarriedPolling, CarriedSession, Dialect, OutMessage, Protocol,
};
use ferrosocket::handover::frame::MAX_BODY;
use ferrosocket::handover::{FrameReader, HandedSession, Invalid, Message};
use ferrosocket::id::Sid;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

fn some_bytes() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..40)
}

fn packet() -> impl Strategy<Value = CarriedPacket> {
    prop_oneof![
        ("[0-6b]\\PC{0,10}", any::<bool>())
            .prop_map(|(text, compress)| CarriedPacket::Control(text, compress)),
        ("\\PC{0,20}", any::<bool>()).prop_map(|(text, compress)| {
            CarriedPacket::Message(OutMessage { data: text.into(), binary: false, compress })
        }),
        (some_bytes(), any::<bool>()).prop_map(|(bytes, compress)| {
            let data = Bytes::from(bytes);
            CarriedPacket::Message(OutMessage { data, binary: true, compress })
        }),
    ]
}

fn polling() -> impl Strategy<Value = CarriedPolling> {
    (option::of("[0-9]{1,4}"), vec(packet(), 0..5))
        .prop_map(|(jsonp, queue)| CarriedPolling { jsonp, queue })
}

fn carried() -> impl Strategy<Value = CarriedSession> {
    let beat = prop_oneof![
        any::<u64>().prop_map(CarriedBeat::Resting),
        any::<u32>().prop_map(CarriedBeat::Waiting),
        Just(CarriedBeat::Listening),
    ];
    let flags = (any::<bool>(), any::<bool>(), any::<bool>());
    let times = (any::<u64>(), any::<u64>());
    ("[a-zA-Z0-9_-]{1,20}", flags, beat, times, option::of(polling())).prop_map(
        |(sid, (is_v3, base64, upgraded), beat, (ping_interval, ping_timeout), polling)| {
            let protocol = if is_v3 { Protocol::V3 } else { Protocol::V4 };
            CarriedSession {
                sid: Sid::new(&sid),
                dialect: Dialect { protocol, base64 },
                beat,
                ping_interval,
                ping_timeout,
                upgraded,
                polling,
            }
        },
    )
}

fn handed() -> impl Strategy<Value = HandedSession> {
    let packet = option::of(("\\PC{0,20}", vec(some_bytes(), 0..3)));
    let posts = vec((some_bytes(), any::<bool>()), 0..3);
    let bytes = (some_bytes(), some_bytes(), some_bytes());
    let start = (carried(), option::of(any::<u64>()), option::of(any::<IpAddr>()));
    (start, bytes, packet, posts).prop_map(
        |((session, join_left, address), (unread, unwritten, blob), packet, posts)| {
            let is_polling = session.polling.is_some();
            HandedSession {
                session,
                join_left,
                address,
                unread: if is_polling { Vec::new() } else { unread },
                unwritten: if is_polling { Vec::new() } else { unwritten },
                packet,
                posts,
                blob,
            }
        },
    )
}

fn message() -> impl Strategy<Value = Message> {
    prop_oneof![
        some_bytes().prop_map(Message::hello),
        some_bytes().prop_map(Message::welcome),
        "\\PC{0,20}".prop_map(|against| Message::Ready { against }),
        some_bytes().prop_map(|blob| Message::State { blob }),
        handed().prop_map(|session| Message::Session(Box::new(session))),
        (some_bytes(), some_bytes())
            .prop_map(|(unread, unwritten)| Message::Connection { unread, unwritten }),
        (any::<u32>(), "\\PC{0,20}", some_bytes())
            .prop_map(|(sessions, against, blob)| Message::End { sessions, against, blob }),
        any::<u32>().prop_map(|sessions| Message::Taken { sessions }),
        "\\PC{0,20}".prop_map(|why| Message::Refused { why }),
    ]
}

fn descriptors_of(message: &Message) -> u8 {
    if let Message::Session(session) = message {
        u8::from(session.has_socket())
    } else {
        // the lock goes with a welcome
        u8::from(matches!(message, Message::Connection { .. } | Message::Welcome { .. }))
    }
}

proptest! {
    #[test]
    fn what_is_said_arrives_however_it_is_split(
        messages in vec(message(), 0..6),
        cuts in vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let mut bytes = Vec::new();
        for message in &messages {
            prop_assert!(message.write(&mut bytes, descriptors_of(message)).is_some());
        }
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        cuts.push(bytes.len());
        cuts.sort_unstable();
        let mut reader = FrameReader::default();
        let mut read = Vec::new();
        let mut start = 0;
        for end in cuts {
            reader.push(&bytes[start..end]);
            while let Some(frame) = reader.next_frame().unwrap() {
                read.push(Message::read(&frame).unwrap());
            }
            start = end;
        }
        prop_assert!(!reader.is_in_message());
        prop_assert_eq!(read, messages);
    }

    #[test]
    fn one_that_is_cut_short_or_has_a_field_more_is_refused(
        message in message(),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = Vec::new();
        message.write(&mut bytes, descriptors_of(&message));
        let mut reader = FrameReader::default();
        reader.push(&bytes);
        let mut frame = reader.next_frame().unwrap().unwrap();
        frame.body.push(cut.index(256).try_into().unwrap());
        prop_assert!(Message::read(&frame).is_err());
    }
}

#[test]
fn a_length_that_no_message_has_is_refused_at_once() {
    let mut reader = FrameReader::default();
    let length = u32::try_from(MAX_BODY + 1).unwrap();
    reader.push(&[&length.to_le_bytes()[..], &[b'R', 0]].concat());
    assert_eq!(reader.next_frame(), Err(Invalid::TooLong));
}

#[test]
fn a_message_comes_with_its_sockets_or_not_at_all() {
    let mut bytes = Vec::new();
    Message::Connection { unread: Vec::new(), unwritten: Vec::new() }.write(&mut bytes, 0);
    let mut reader = FrameReader::default();
    reader.push(&bytes);
    let frame = reader.next_frame().unwrap().unwrap();
    assert_eq!(Message::read(&frame), Err(Invalid::Descriptors));
}
