//! Several packets in one HTTP body (protocol 4): text items between `U+001E`, bytes as base64.

use super::dialect::{Dialect, Protocol};
use super::error::InvalidPacket;
use super::packet::{OutMessage, Packet, PacketType, decode_text};

/// Stands between two packets of a payload.
const SEPARATOR: u8 = 0x1e;

const IN_TEXT: Dialect = Dialect { protocol: Protocol::V4, base64: true };

/// The packets of a payload in order.
///
/// The driver of the iterator stops at the first [`InvalidPacket`]: what stands behind it is of no
/// use. An empty payload is one invalid packet, and so is what stands behind a trailing separator.
pub fn decode(payload: &str) -> impl Iterator<Item = Result<Packet<'_>, InvalidPacket>> {
    let mut rest = Some(payload);
    std::iter::from_fn(move || {
        let text = rest.take()?;
        // Most of a large payload is base64, which this passes over many bytes at once.
        let end = memchr::memchr(SEPARATOR, text.as_bytes());
        let packet = end.map_or(text, |end| {
            rest = Some(&text[end + 1..]);
            &text[..end]
        });
        Some(decode_text(packet))
    })
}

/// Appends one packet that has text or no data at all.
pub fn encode_text(out: &mut Vec<u8>, text: &str) {
    separate(out);
    out.extend_from_slice(text.as_bytes());
}

/// Appends one message; bytes become `b` and base64.
pub fn encode_message(out: &mut Vec<u8>, message: &OutMessage) {
    separate(out);
    if message.binary {
        IN_TEXT.write_binary(out, &message.data);
    } else {
        out.push(PacketType::Message.digit());
        out.extend_from_slice(&message.data);
    }
}

fn separate(out: &mut Vec<u8>) {
    if !out.is_empty() {
        out.push(SEPARATOR);
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn an_empty_item_is_an_invalid_packet() {
        assert_eq!(decode("").collect::<Vec<_>>(), [Err(InvalidPacket)]);
        assert_eq!(decode("4a\u{1e}").nth(1), Some(Err(InvalidPacket)));
    }

    #[test]
    fn messages_are_joined_by_the_separator() {
        let mut out = Vec::new();
        encode_text(&mut out, "2");
        let data = Bytes::from_static(b"hello");
        encode_message(&mut out, &OutMessage { data, binary: false, compress: true });
        let data = Bytes::from_static(&[1, 2, 3, 4]);
        encode_message(&mut out, &OutMessage { data, binary: true, compress: true });
        assert_eq!(out, b"2\x1e4hello\x1ebAQIDBA==");
    }
}
