//! Several packets in one HTTP body (protocol 4): text items between `U+001E`, bytes as base64.

use base64::alphabet::STANDARD as ALPHABET;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use base64::engine::{DecodePaddingMode, Engine};

use super::error::InvalidPacket;
use super::packet::{OutMessage, Packet, PacketType, decode_text};

/// Stands between two packets of a payload.
pub const SEPARATOR: char = '\u{1e}';

/// The alphabet with padding that may be there or not: what nearly every client sends.
const RELAXED: GeneralPurpose = GeneralPurpose::new(
    &ALPHABET,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The packets of a payload in order.
///
/// The driver of the iterator stops at the first [`InvalidPacket`]: what stands behind it is of no
/// use. An empty payload is one invalid packet, and so is what stands behind a trailing separator.
pub fn decode(payload: &str) -> impl Iterator<Item = Result<Packet<'_>, InvalidPacket>> {
    payload.split(SEPARATOR).map(decode_text)
}

/// Appends one packet that has text or no data at all.
pub fn encode_text(out: &mut Vec<u8>, text: &str) {
    separate(out);
    out.extend_from_slice(text.as_bytes());
}

/// Appends one message; bytes become `b` and base64.
pub fn encode_message(out: &mut Vec<u8>, message: &OutMessage) {
    separate(out);
    if !message.binary {
        out.push(PacketType::Message.digit());
        out.extend_from_slice(&message.data);
        return;
    }
    out.push(b'b');
    let start = out.len();
    out.resize(start + message.data.len().div_ceil(3) * 4, 0);
    let written = STANDARD.encode_slice(&message.data, &mut out[start..]);
    debug_assert_eq!(written, Ok(out.len() - start));
}

fn separate(out: &mut Vec<u8>) {
    if !out.is_empty() {
        out.push(0x1e);
    }
}

/// Decodes base64 as leniently as `Buffer.from(text, "base64")`, which never fails: both alphabets,
/// characters of neither are skipped, the first `=` ends it, a lone last character is dropped.
///
/// One difference: Node.js takes a character above U+00FF by its low byte; here it is skipped.
pub(super) fn decode_base64(text: &[u8]) -> Vec<u8> {
    RELAXED.decode(text).unwrap_or_else(|_| decode_lenient(text))
}

fn decode_lenient(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let mut group = 0_u32;
    let mut digits = 0;
    for digit in text.iter().take_while(|&&byte| byte != b'=').filter_map(|&byte| sextet(byte)) {
        group = group << 6 | u32::from(digit);
        digits += 1;
        if digits == 4 {
            out.extend_from_slice(&group.to_be_bytes()[1..]);
            (group, digits) = (0, 0);
        }
    }
    match digits {
        2 => out.extend_from_slice(&(group << 12).to_be_bytes()[1..2]),
        3 => out.extend_from_slice(&(group << 6).to_be_bytes()[1..3]),
        _ => {}
    }
    out
}

fn sextet(byte: u8) -> Option<u8> {
    Some(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn base64_is_read_as_leniently_as_node_does() {
        let cases: [(&str, &[u8]); 22] = [
            ("", b""),
            ("AQID", &[1, 2, 3]),
            ("AQI=", &[1, 2]),
            ("AQ==", &[1]),
            ("AQI", &[1, 2]),
            ("AQ", &[1]),
            ("A", b""),
            ("A=QID", b""),
            ("=AQID", b""),
            ("AQ=AQID", &[1]),
            ("AQ==AQID", &[1]),
            ("AQID=AQID", &[1, 2, 3]),
            ("AQID===", &[1, 2, 3]),
            ("AQ=====", &[1]),
            ("QQQ=QQ", &[0x41, 0x04]),
            ("A Q", &[1]),
            ("A\nQ==", &[1]),
            ("AQ!I", &[1, 2]),
            ("AQID!!!!AQID", &[1, 2, 3, 1, 2, 3]),
            ("-_-_", &[0xfb, 0xff, 0xbf]),
            ("+/+/", &[0xfb, 0xff, 0xbf]),
            ("A!", b""),
        ];
        for (text, bytes) in cases {
            assert_eq!(decode_base64(text.as_bytes()), bytes, "{text:?}");
            assert_eq!(decode_lenient(text.as_bytes()), bytes, "{text:?}, the slow way");
        }
    }

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
