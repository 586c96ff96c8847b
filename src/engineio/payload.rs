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
pub fn decode(payload: &str) -> Packets<'_> {
    Packets { rest: Some(payload) }
}

/// What is left of a payload that is decoded; see [`decode`].
#[derive(Clone, Debug)]
pub struct Packets<'a> {
    rest: Option<&'a str>,
}

/// The packets of a payload, whose decoding may end before it does.
pub trait Payload<'a>: Iterator<Item = Result<Packet<'a>, InvalidPacket>> {
    /// Bytes at the end of the payload that are a payload by themselves: what has not been decoded. None: all of it has.
    fn left(&self) -> Option<usize>;
}

impl<'a> Iterator for Packets<'a> {
    type Item = Result<Packet<'a>, InvalidPacket>;

    fn next(&mut self) -> Option<Self::Item> {
        let text = self.rest.take()?;
        // Most of a large payload is base64, which this passes over many bytes at once.
        let end = memchr::memchr(SEPARATOR, text.as_bytes());
        let packet = end.map_or(text, |end| {
            self.rest = Some(&text[end + 1..]);
            &text[..end]
        });
        Some(decode_text(packet))
    }
}

impl<'a> Payload<'a> for Packets<'a> {
    fn left(&self) -> Option<usize> {
        self.rest.map(str::len)
    }
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
