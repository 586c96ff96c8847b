//! The decoders of the Engine.IO floor that keep nothing.

use ferrosocket::engineio::{
    Data, InvalidPacket, OutMessage, Packet, PacketType, Protocol, payload as v4, payload_v3 as v3,
};

/// Encodes a message as a packet of a payload.
type Encode = fn(&mut Vec<u8>, &OutMessage);

/// How protocol 4 writes them, its separators aside.
fn encode_v4(out: &mut Vec<u8>, message: &OutMessage) {
    v4::encode_message(out, message);
}

/// The messages among the packets, encoded anew.
fn again(packets: &[Packet<'_>], encode: Encode) -> Vec<u8> {
    let mut out = Vec::new();
    for packet in packets {
        encode(&mut out, &outgoing(packet));
    }
    out
}

fn outgoing(packet: &Packet<'_>) -> OutMessage {
    let (data, binary) = match &packet.data {
        Some(Data::Text(text)) => (text.as_bytes().to_vec(), false),
        Some(Data::Binary(bytes)) => (bytes.to_vec(), true),
        None => (Vec::new(), false),
    };
    OutMessage { data: data.into(), binary, compress: false }
}

/// The messages before the first packet that is none. After an error nothing is read in protocol 3.
fn messages<'a>(
    packets: impl Iterator<Item = Result<Packet<'a>, InvalidPacket>>,
) -> Vec<Packet<'a>> {
    packets.map_while(Result::ok).filter(|packet| packet.kind == PacketType::Message).collect()
}

/// A payload of protocol 4 is its packets, one by one; its messages survive a round trip.
pub fn payload(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let packets: Vec<_> = v4::decode(&text).collect();
    let one_by_one: Vec<_> =
        text.split('\u{1e}').map(|packet| Protocol::V4.decode_text(packet)).collect();
    assert_eq!(packets, one_by_one);
    let said = messages(packets.into_iter());
    let body = again(&said, encode_v4);
    let body = String::from_utf8(body).expect("text and base64 are text");
    if !said.is_empty() {
        assert_eq!(messages(v4::decode(&body)), said);
    }
}

/// A payload of protocol 3, as text and as bytes: an error ends it, its messages survive a round
/// trip; and so do single packets.
pub fn payload_v3(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    ends_at_an_error(v3::decode(&text), text.len());
    ends_at_an_error(v3::decode_binary(bytes), bytes.len());

    for said in [messages(v3::decode(&text)), messages(v3::decode_binary(bytes))] {
        let body = again(&said, v3::encode_message);
        let body = String::from_utf8(body).expect("text and base64 are text");
        assert_eq!(messages(v3::decode(&body)), said);
        let body = again(&said, v3::encode_message_in_binary);
        assert_eq!(messages(v3::decode_binary(&body)), said);
    }
    let _ = (Protocol::V3.decode_text(&text), Protocol::V3.decode_binary(bytes));
}

fn ends_at_an_error<'a>(
    packets: impl Iterator<Item = Result<Packet<'a>, InvalidPacket>>,
    len: usize,
) {
    let packets: Vec<_> = packets.collect();
    assert!(packets.len() <= len + 1, "more packets than bytes");
    let whole = packets.iter().take_while(|packet| packet.is_ok()).count();
    assert!(packets.len() <= whole + 1, "something behind an error");
}
