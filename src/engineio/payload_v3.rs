//! Several packets in one HTTP body (protocol 3), each with its length before it.
//!
//! ```text
//! text:    <length>:<packet>…                      length in UTF-16 code units, in decimal
//! binary:  <0 text, 1 bytes> <digit>… 255 <packet>…   length in bytes, a byte per decimal digit
//! ```
//! A payload is binary when there are bytes in it and the client can take them; the packets that are
//! text are UTF-8 in both. Decoding takes time linear in the payload and allocates for base64 only.

use super::dialect::{Dialect, Protocol, decode_binary_v3, decode_text_v3};
use super::error::InvalidPacket;
use super::packet::{OutMessage, Packet, PacketType};
use super::payload::Payload;

/// Most digits of a length in a binary payload: what upstream allows, the digits of the largest number.
const MAX_DIGITS: usize = 310;

const IN_BYTES: Dialect = Dialect { protocol: Protocol::V3, base64: false };
const IN_TEXT: Dialect = Dialect { protocol: Protocol::V3, base64: true };

type Item<'a> = Result<Packet<'a>, InvalidPacket>;

/// The packets of a payload that is text, in order; the first error is the last item.
///
/// An empty payload is an error, an empty packet is nothing. Stricter than upstream: a length is made
/// of decimal digits alone, and does not end inside of a surrogate pair.
pub fn decode(payload: &str) -> Texts<'_> {
    Texts { rest: (!payload.is_empty()).then_some(payload).ok_or(InvalidPacket) }
}

/// What is left of a payload that is text; see [`decode`].
#[derive(Clone, Debug)]
pub struct Texts<'a> {
    rest: Result<&'a str, InvalidPacket>,
}

impl<'a> Iterator for Texts<'a> {
    type Item = Item<'a>;

    fn next(&mut self) -> Option<Item<'a>> {
        loop {
            let text = match self.rest {
                Ok("") => return None,
                Ok(text) => text,
                Err(error) => {
                    self.rest = Ok("");
                    return Some(Err(error));
                }
            };
            match split_text(text) {
                Some((packet, behind)) => {
                    self.rest = Ok(behind);
                    if !packet.is_empty() {
                        return Some(fuse(decode_text_v3(packet), || self.rest = Ok("")));
                    }
                }
                None => self.rest = Err(InvalidPacket),
            }
        }
    }
}

impl<'a> Payload<'a> for Texts<'a> {
    fn left(&self) -> Option<usize> {
        self.rest.ok().map(str::len).filter(|&left| left > 0)
    }
}

/// The packets of a binary payload, in order; the first error is the last item.
///
/// Stricter than upstream, which takes what is there of a packet that is cut off.
pub fn decode_binary(payload: &[u8]) -> Binaries<'_> {
    Binaries { rest: payload }
}

/// What is left of a binary payload; see [`decode_binary`].
#[derive(Clone, Debug)]
pub struct Binaries<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Binaries<'a> {
    type Item = Item<'a>;

    fn next(&mut self) -> Option<Item<'a>> {
        if self.rest.is_empty() {
            return None;
        }
        let item = split_bytes(self.rest).and_then(|(is_text, packet, behind)| {
            self.rest = behind;
            if is_text {
                let text = simdutf8::basic::from_utf8(packet).map_err(|_| InvalidPacket)?;
                decode_text_v3(text)
            } else {
                decode_binary_v3(packet)
            }
        });
        Some(fuse(item, || self.rest = &[]))
    }
}

impl<'a> Payload<'a> for Binaries<'a> {
    fn left(&self) -> Option<usize> {
        Some(self.rest.len()).filter(|&left| left > 0)
    }
}

fn fuse(item: Item<'_>, stop: impl FnOnce()) -> Item<'_> {
    if item.is_err() {
        stop();
    }
    item
}

/// Takes `<length>:<packet>` off the front.
fn split_text(text: &str) -> Option<(&str, &str)> {
    let digits = text.bytes().position(|byte| !byte.is_ascii_digit())?;
    let rest = text[digits..].strip_prefix(':').filter(|_| digits > 0)?;
    let length = text.bytes().take(digits).fold(0, |length, digit| add_digit(length, digit - b'0'));
    // A UTF-16 code unit takes at least one byte of UTF-8; a text of ASCII takes no more.
    if rest.as_bytes().get(..length)?.is_ascii() {
        return Some(rest.split_at(length));
    }
    let mut units = 0;
    let end = rest
        .char_indices()
        .find(|(_, char)| {
            let full = units >= length;
            units += char.len_utf16();
            full
        })
        .map_or(rest.len(), |(at, char)| {
            units -= char.len_utf16();
            at
        });
    (units == length).then(|| rest.split_at(end))
}

/// Takes one packet off the front of a binary payload: whether it is text, itself, the rest.
fn split_bytes(payload: &[u8]) -> Result<(bool, &[u8], &[u8]), InvalidPacket> {
    let (&kind, rest) = payload.split_first().ok_or(InvalidPacket)?;
    let digits = rest.iter().take(MAX_DIGITS + 1).position(|&byte| byte == 255);
    let (digits, rest) = rest.split_at(digits.filter(|&count| count > 0).ok_or(InvalidPacket)?);
    if kind > 1 || digits.iter().any(|&digit| digit > 9) {
        return Err(InvalidPacket);
    }
    let length = digits.iter().fold(0, |length, &digit| add_digit(length, digit));
    let (packet, rest) = rest[1..].split_at_checked(length).ok_or(InvalidPacket)?;
    Ok((kind == 0, packet, rest))
}

fn add_digit(length: usize, digit: u8) -> usize {
    length.saturating_mul(10).saturating_add(digit.into())
}

/// Appends one packet that has text or no data at all to a payload that is text.
pub fn encode_text(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(format!("{}:", utf16_len(text.as_bytes())).as_bytes());
    out.extend_from_slice(text.as_bytes());
}

/// Appends one message to a payload that is text; bytes become `b4` and base64.
pub fn encode_message(out: &mut Vec<u8>, message: &OutMessage) {
    let data = &message.data;
    if message.binary {
        out.extend_from_slice(format!("{}:", IN_TEXT.binary_len(data.len())).as_bytes());
        IN_TEXT.write_binary(out, data);
    } else {
        out.extend_from_slice(format!("{}:", 1 + utf16_len(data)).as_bytes());
        out.push(PacketType::Message.digit());
        out.extend_from_slice(data);
    }
}

/// Appends one packet that has text or no data at all to a binary payload.
pub fn encode_text_in_binary(out: &mut Vec<u8>, text: &str) {
    write_header(out, 0, text.len());
    out.extend_from_slice(text.as_bytes());
}

/// Appends one message to a binary payload.
pub fn encode_message_in_binary(out: &mut Vec<u8>, message: &OutMessage) {
    let data = &message.data;
    if message.binary {
        write_header(out, 1, IN_BYTES.binary_len(data.len()));
        IN_BYTES.write_binary(out, data);
    } else {
        write_header(out, 0, 1 + data.len());
        out.push(PacketType::Message.digit());
        out.extend_from_slice(data);
    }
}

fn write_header(out: &mut Vec<u8>, kind: u8, length: usize) {
    out.push(kind);
    out.extend(length.to_string().bytes().map(|digit| digit - b'0'));
    out.push(255);
}

/// UTF-16 code units of a text in UTF-8: one for each character, two for those of four bytes.
fn utf16_len(text: &[u8]) -> usize {
    text.iter().map(|byte| usize::from(byte & 0xc0 != 0x80) + usize::from(*byte >= 0xf0)).sum()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::engineio::packet::Data;

    fn texts(payload: &str) -> Vec<String> {
        decode(payload)
            .map(|packet| match packet {
                Ok(Packet { kind, data: Some(Data::Text(text)) }) => {
                    format!("{}{text}", char::from(kind.digit()))
                }
                Ok(packet) => format!("{packet:?}"),
                Err(_) => "!".to_owned(),
            })
            .collect()
    }

    #[test]
    fn lengths_are_utf_16_code_units() {
        assert_eq!(texts("6:4hello2:4€3:4😀2:4é"), ["4hello", "4€", "4😀", "4é"]);
        assert_eq!(texts("0:0:2:4a0:"), ["4a"]);
        assert_eq!(texts("002:4a"), ["4a"]);
        assert_eq!(utf16_len("4€😀é".as_bytes()), 5);
    }

    #[test]
    fn the_first_fault_ends_the_payload() {
        for payload in
            ["", ":4a", "3:4a", "2", "x", "-1:4", "1e1:4", " 2:4a", "2:4😀", "1:7", "1:é"]
        {
            assert_eq!(texts(payload), ["!"], "{payload:?}");
        }
        assert_eq!(texts("2:4a1:b2:4c"), ["4a", "!"]);
        assert_eq!(texts("2:4a99999999999999999999999:4"), ["4a", "!"]);
    }

    #[test]
    fn bytes_travel_as_they_are_or_as_base64() {
        let bytes =
            OutMessage { data: Bytes::from_static(&[1, 2, 3]), binary: true, compress: true };
        let text = OutMessage { data: "€".into(), binary: false, compress: true };
        let mut out = Vec::new();
        encode_text(&mut out, "3");
        encode_message(&mut out, &text);
        encode_message(&mut out, &bytes);
        assert_eq!(out, "1:32:4€6:b4AQID".as_bytes());
        let mut out = Vec::new();
        encode_text_in_binary(&mut out, "3");
        encode_message_in_binary(&mut out, &text);
        encode_message_in_binary(&mut out, &bytes);
        assert_eq!(out, b"\x00\x01\xff3\x00\x04\xff4\xe2\x82\xac\x01\x04\xff\x04\x01\x02\x03");
    }

    #[test]
    fn a_binary_payload_with_a_fault_in_its_frames_is_refused() {
        for payload in [
            &b"\x00"[..],
            b"\x00\xff4",
            b"\x00\x02\xff4",
            b"\x02\x01\xff4",
            b"\x00\x0a\xff4",
            b"\x00\x00\xff",
            b"\x01\x00\xff",
            b"\x00\x02\xff4\xff",
        ] {
            assert_eq!(decode_binary(payload).collect::<Vec<_>>(), [Err(InvalidPacket)]);
        }
        assert_eq!(decode_binary(b"").count(), 0);
        let long = [&[0][..], &[0; 400], &[255]].concat();
        assert_eq!(decode_binary(&long).collect::<Vec<_>>(), [Err(InvalidPacket)]);
    }
}
