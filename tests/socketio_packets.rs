//! Socket.IO protocol 5, "Packet encoding": each example, and what upstream's parser refuses.

use ferrosocket::socketio::packet::{decode, decode_with};
use ferrosocket::socketio::{AttachmentLimits, LongStringSpans, Packet, PacketType, ParseError};

const CONNECT: Packet<'static> = Packet {
    kind: PacketType::Connect,
    attachments: 0,
    namespace: "/",
    id: None,
    payload: None,
    strings: LongStringSpans::NONE,
};
const DISCONNECT: Packet<'static> = Packet { kind: PacketType::Disconnect, ..CONNECT };
const EVENT: Packet<'static> = Packet { kind: PacketType::Event, ..CONNECT };
const ACK: Packet<'static> = Packet { kind: PacketType::Ack, ..CONNECT };
const CONNECT_ERROR: Packet<'static> = Packet { kind: PacketType::ConnectError, ..CONNECT };
const BINARY_EVENT: Packet<'static> =
    Packet { kind: PacketType::BinaryEvent, attachments: 1, ..CONNECT };
const BINARY_ACK: Packet<'static> =
    Packet { kind: PacketType::BinaryAck, attachments: 1, ..CONNECT };

fn refused(text: &str, message: &str) {
    let error = decode(text).expect_err(text);
    assert_eq!(error.to_string(), message, "{text:?}");
}

fn accepted(text: &str) {
    assert_eq!(decode(text).err(), None, "{text:?}");
}

#[test]
fn connection_to_a_namespace() {
    assert_eq!(decode("0"), Ok(CONNECT));
    assert_eq!(
        decode(r#"0{"token":"123"}"#),
        Ok(Packet { payload: Some(r#"{"token":"123"}"#), ..CONNECT })
    );
    let admin = Packet { namespace: "/admin", payload: Some(r#"{"sid":"oSO0"}"#), ..CONNECT };
    assert_eq!(decode(r#"0/admin,{"sid":"oSO0"}"#), Ok(admin));
    assert_eq!(decode("0/admin"), Ok(Packet { namespace: "/admin", ..CONNECT }));
    let query = Packet { namespace: "/admin?token=1", ..CONNECT };
    assert_eq!(decode("0/admin?token=1,"), Ok(query));
    let refusal = Packet { payload: Some(r#"{"message":"Not authorized"}"#), ..CONNECT_ERROR };
    assert_eq!(decode(r#"4{"message":"Not authorized"}"#), Ok(refusal));
    assert_eq!(decode(r#"4"no""#), Ok(Packet { payload: Some(r#""no""#), ..CONNECT_ERROR }));
}

#[test]
fn disconnection_from_a_namespace() {
    assert_eq!(decode("1"), Ok(DISCONNECT));
    assert_eq!(decode("1/admin,"), Ok(Packet { namespace: "/admin", ..DISCONNECT }));
}

#[test]
fn event() {
    assert_eq!(decode(r#"2["foo"]"#), Ok(Packet { payload: Some(r#"["foo"]"#), ..EVENT }));
    let admin = Packet { namespace: "/admin", payload: Some(r#"["bar"]"#), ..EVENT };
    assert_eq!(decode(r#"2/admin,["bar"]"#), Ok(admin));
    let with_id = Packet { id: Some("12"), payload: Some(r#"["foo"]"#), ..EVENT };
    assert_eq!(decode(r#"212["foo"]"#), Ok(with_id));
    let both = Packet { namespace: "/admin", ..with_id };
    assert_eq!(decode(r#"2/admin,12["foo"]"#), Ok(both));
}

#[test]
fn acknowledgement() {
    let ack = Packet { namespace: "/admin", id: Some("13"), payload: Some(r#"["bar"]"#), ..ACK };
    assert_eq!(decode(r#"3/admin,13["bar"]"#), Ok(ack));
    assert_eq!(decode("30[]"), Ok(Packet { id: Some("0"), payload: Some("[]"), ..ACK }));
    assert_eq!(decode("37"), Ok(Packet { id: Some("7"), ..ACK }));
}

#[test]
fn event_with_binary() {
    let payload = r#"["baz",{"_placeholder":true,"num":0}]"#;
    let event = Packet { payload: Some(payload), ..BINARY_EVENT };
    assert_eq!(decode(&format!("51-{payload}")), Ok(event));
    let admin = Packet { namespace: "/admin", attachments: 2, ..event };
    assert_eq!(decode(&format!("52-/admin,{payload}")), Ok(admin));
}

#[test]
fn acknowledgement_with_binary() {
    let payload = r#"["bar",{"_placeholder":true,"num":0}]"#;
    let ack = Packet { namespace: "/admin", id: Some("15"), payload: Some(payload), ..BINARY_ACK };
    assert_eq!(decode(&format!("61-/admin,15{payload}")), Ok(ack));
}

#[test]
fn the_first_character_is_a_packet_type() {
    refused("7", "unknown packet type 7");
    refused("8", "unknown packet type 8");
    refused("9[1]", "unknown packet type 9");
    // A space, a line feed and nothing at all are the number 0 in JavaScript.
    for text in ["", " ", "\n", "abc", "-1", "é", "\u{0660}"] {
        refused(text, "unknown packet type NaN");
    }
}

#[test]
fn a_payload_has_the_shape_of_its_type() {
    for text in ["0[]", "0null", "0\"a\"", "0true", "0x", "1{}", "1[]", "1null", "1x"] {
        refused(text, "invalid payload");
    }
    for text in ["4[]", "4null", "4true", "3{}", "3null", "31\"a\"", "2\"a\"", "2null", "2true"] {
        refused(text, "invalid payload");
    }
    // CVE-2023-32695
    for text in [r#"2[{"toString":"foo"}]"#, "2[true]", "2[null]", "2[]", "2{}", "2[[]]", "2[ ]"] {
        refused(text, "invalid payload");
    }
    refused("2", "invalid payload");
    refused("2/admin,1", "invalid payload");
    refused("51-", "invalid payload");
    refused("61-/admin,1", "invalid payload");
}

#[test]
fn a_payload_is_what_json_parse_accepts() {
    for json in [
        "[1]",
        "[ 1 ]",
        "[-0.0e+1]",
        "[1e999]",
        r#"["\ud800"]"#,
        r#"["a","\udfff\ud800x"]"#,
        "[\"\u{2028}\u{7f}\"]",
        "[1]\t\r\n ",
        r#"["a",{"__proto__":1,"__proto__":2}]"#,
    ] {
        accepted(&format!("2{json}"));
    }
    for json in [
        "[",
        "[1",
        "[1,]",
        "[,1]",
        "[1]]",
        "[1]x",
        "[01]",
        "[1.]",
        "[.5]",
        "[+1]",
        "[1e]",
        "[-]",
        "['a']",
        "[NaN]",
        "[undefined]",
        "[Infinity]",
        "[\"a\n\"]",
        "[\"\\x41\"]",
        "[\"\\u12\"]",
        "[\"a]",
        "[1]\0",
        "[1]\u{feff}",
        "\u{feff}[1]",
        "[1]\u{a0}",
        "[1]\u{b}",
        "[1,//\n2]",
        "[\"a\",tru]",
        "[\"a\",{a:1}]",
        "[\"a\",{\"b\"}]",
    ] {
        refused(&format!("2{json}"), "invalid payload");
    }
}

#[test]
fn a_payload_may_be_as_deep_as_it_likes() {
    let depth = 200_000;
    accepted(&format!("2[1,{}{}]", "[".repeat(depth), "]".repeat(depth)));
    refused(&format!("2[1,{}", "[".repeat(depth)), "invalid payload");
}

#[test]
fn a_reserved_event_name_is_refused_however_it_is_written() {
    for name in
        ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"]
    {
        refused(&format!("2[\"{name}\"]"), "invalid payload");
        refused(&format!("2 [\"{name}\"]"), "invalid payload");
        refused(&format!("21\t[\n\"{name}\" , 1]"), "invalid payload");
        refused(&format!("51-[\"{name}\"]"), "invalid payload");
        let escape = |upper: bool| {
            name.chars().fold(String::new(), |text, c| {
                let code = u32::from(c);
                text + &if upper { format!("\\u{code:04X}") } else { format!("\\u{code:04x}") }
            })
        };
        refused(&format!("2[\"{}\"]", escape(false)), "invalid payload");
        refused(&format!("2[\"{}\"]", escape(true)), "invalid payload");
        refused(&format!("2[\"\\u00{:x}{}\"]", name.as_bytes()[0], &name[1..]), "invalid payload");
        accepted(&format!("2[\"{name}s\"]"));
        accepted(&format!("2[\"{}\\u0000\"]", escape(false)));
        accepted(&format!("3[\"{name}\"]"));
        accepted(&format!("2[\"a\",\"{name}\"]"));
    }
    for name in ["", "Connect", " connect", "\\ud800", "error", "\\\\u0063onnect", "connec\\t", "é"]
    {
        accepted(&format!("2[\"{name}\"]"));
    }
}

#[test]
fn an_event_may_be_named_by_a_number() {
    for json in ["[0]", "[-1]", "[1.5,\"a\"]"] {
        accepted(&format!("2{json}"));
    }
}

#[test]
fn the_number_of_attachments_is_digits_and_a_hyphen() {
    let payload = r#"["a",{"_placeholder":true,"num":0}]"#;
    for number in ["", "-", "0-", "000-", "1", "x-", "-1-", "1.5-", "é-"] {
        refused(&format!("5{number}{payload}"), "Illegal attachments");
    }
    // JavaScript reads each of these as 1.
    for number in [" 1-", "1 -", "+1-", "1e0-", "0x1-", "1.0-", "\n1-"] {
        refused(&format!("5{number}{payload}"), "Illegal attachments");
    }
    refused("5", "Illegal attachments");
    assert_eq!(decode(&format!("501-{payload}")).map(|packet| packet.attachments), Ok(1));
    assert_eq!(decode(&format!("510-{payload}")).map(|packet| packet.attachments), Ok(10));
}

/// CVE-2026-33151
#[test]
fn the_number_of_attachments_has_a_limit() {
    for number in ["11", "011", "4294967295", "4294967296", "99999999999999999999999"] {
        refused(&format!("5{number}-[\"a\"]"), "too many attachments");
        refused(&format!("6{number}-[]"), "too many attachments");
    }
    let limits = AttachmentLimits { max_attachments: 2, ..AttachmentLimits::default() };
    assert!(decode_with("52-[\"a\"]", &limits).is_ok());
    assert_eq!(decode_with("53-[\"a\"]", &limits), Err(ParseError::TooManyAttachments));
}

#[test]
fn an_ack_id_is_any_number_of_digits_without_leading_zeros() {
    let id = |text: &str| decode(text).expect("the packet is valid").id.map(str::to_owned);
    assert_eq!(id("2007[1]").as_deref(), Some("7"));
    assert_eq!(id("2000[1]").as_deref(), Some("0"));
    let long = "123456789012345678901234567890";
    assert_eq!(id(&format!("3{long}[]")), Some(long.to_owned()));
    refused("2abc[\"a\"]", "invalid payload");
    refused("2-1[\"a\"]", "invalid payload");
    refused("21.5[\"a\"]", "invalid payload");
    // White space is a digit to upstream.
    refused("2 [\"a\"]", "invalid payload");
    refused("21 2[\"a\"]", "invalid payload");
    assert_eq!(id("21 [\"a\"]").as_deref(), Some("1"));
}

#[test]
fn a_namespace_ends_at_the_first_comma() {
    let namespace = |text| decode(text).expect("the packet is valid").namespace;
    assert_eq!(namespace("2/,[1]"), "/");
    assert_eq!(namespace("2/a/b c%20é,[1]"), "/a/b c%20é");
    assert_eq!(namespace("2/a,[1,2]"), "/a");
    assert_eq!(namespace("0/a[1]"), "/a[1]");
    refused("2/a", "invalid payload");
    refused("2a,[1]", "invalid payload");
}
