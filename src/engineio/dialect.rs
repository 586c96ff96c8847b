//! How a client speaks: the revision of the protocol, and whether its transport carries bytes.

use std::borrow::Cow;

use super::base64;
use super::error::InvalidPacket;
use super::packet::{self, Data, Packet, PacketType};

/// The revision of the protocol a client speaks (its `EIO` parameter).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Anything but `EIO=4`, if the server allows it: the client pings, payloads carry lengths, and
    /// a binary packet begins with its type.
    V3,
    /// `EIO=4`.
    V4,
}

impl Protocol {
    /// Decodes one WebSocket text frame.
    ///
    /// # Errors
    /// When `text` is empty or names no packet type.
    #[inline]
    pub fn decode_text(self, text: &str) -> Result<Packet<'_>, InvalidPacket> {
        match self {
            Self::V4 => packet::decode_text(text),
            Self::V3 => decode_text_v3(text),
        }
    }

    /// Decodes one WebSocket binary frame: all of it is a message, or its first byte is the type.
    ///
    /// # Errors
    /// With protocol 3, when `data` is empty or its first byte names no type. (Upstream ignores
    /// such a packet.)
    #[inline]
    pub fn decode_binary<'a>(
        self,
        data: impl Into<Cow<'a, [u8]>>,
    ) -> Result<Packet<'a>, InvalidPacket> {
        match self {
            Self::V4 => Ok(Packet::binary(data)),
            Self::V3 => decode_binary_v3(data),
        }
    }
}

/// What a client understands: fixed for a WebSocket by its request, for polling by the handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dialect {
    /// The revision of the protocol.
    pub protocol: Protocol,
    /// Whether the client asked for bytes as base64 (`b64`), for want of a binary transport.
    pub base64: bool,
}

impl From<Protocol> for Dialect {
    fn from(protocol: Protocol) -> Self {
        Self { protocol, base64: false }
    }
}

impl Dialect {
    /// The number of dialects.
    pub const COUNT: usize = 4;

    /// Tells the dialects apart: less than [`Dialect::COUNT`].
    #[inline]
    pub fn index(self) -> usize {
        usize::from(self.protocol == Protocol::V3) + 2 * usize::from(self.base64)
    }

    /// What stands before the bytes of a binary message: nothing, its type, and `b` for base64.
    fn binary_prefix(self) -> &'static [u8] {
        match (self.protocol, self.base64) {
            (Protocol::V4, false) => b"",
            (Protocol::V4, true) => b"b",
            (Protocol::V3, false) => b"\x04",
            (Protocol::V3, true) => b"b4",
        }
    }

    /// Bytes that [`Dialect::write_binary`] writes for a message of `len` bytes.
    pub fn binary_len(self, len: usize) -> usize {
        self.binary_prefix().len() + if self.base64 { base64::encoded_len(len) } else { len }
    }

    /// Appends a binary message as one packet: text when `base64`, else bytes.
    pub fn write_binary(self, out: &mut Vec<u8>, data: &[u8]) {
        out.extend_from_slice(self.binary_prefix());
        if self.base64 {
            base64::encode(out, data);
        } else {
            out.extend_from_slice(data);
        }
    }
}

/// Decodes one packet of protocol 3 that is text: base64 has a type between `b` and the digits.
///
/// # Errors
/// When it is empty or names no type. (Upstream ignores a `b` without a type.)
pub fn decode_text_v3(text: &str) -> Result<Packet<'_>, InvalidPacket> {
    let Some(rest) = text.strip_prefix('b') else { return packet::decode_text(text) };
    let digit = *rest.as_bytes().first().ok_or(InvalidPacket)?;
    let kind = PacketType::from_digit(digit).ok_or(InvalidPacket)?;
    let data = || Data::Binary(Cow::Owned(base64::decode(&rest.as_bytes()[1..])));
    // Bytes mean nothing but in a message.
    Ok(Packet { kind, data: (kind == PacketType::Message).then(data) })
}

/// Decodes one packet of protocol 3 that is bytes; the type is a number, not a digit.
///
/// # Errors
/// When it is empty or names no type.
pub fn decode_binary_v3<'a>(data: impl Into<Cow<'a, [u8]>>) -> Result<Packet<'a>, InvalidPacket> {
    let data = data.into();
    let number = *data.first().ok_or(InvalidPacket)?;
    let digit = number.checked_add(b'0').ok_or(InvalidPacket)?;
    let kind = PacketType::from_digit(digit).ok_or(InvalidPacket)?;
    let rest = || match data {
        Cow::Borrowed(data) => Cow::Borrowed(&data[1..]),
        Cow::Owned(mut data) => {
            data.remove(0);
            Cow::Owned(data)
        }
    };
    Ok(Packet { kind, data: (kind == PacketType::Message).then(|| Data::Binary(rest())) })
}

#[cfg(test)]
mod tests {
    use super::*;

    const BYTES: [u8; 3] = [1, 2, 3];

    fn dialects() -> impl Iterator<Item = Dialect> {
        [Protocol::V3, Protocol::V4].into_iter().flat_map(|protocol| {
            [false, true].into_iter().map(move |base64| Dialect { protocol, base64 })
        })
    }

    #[test]
    fn each_dialect_has_an_index_of_its_own() {
        let mut seen: Vec<_> = dialects().map(Dialect::index).collect();
        seen.sort_unstable();
        assert_eq!(seen, (0..Dialect::COUNT).collect::<Vec<_>>());
    }

    #[test]
    fn a_binary_message_is_read_as_it_is_written() {
        for dialect in dialects() {
            let mut out = Vec::new();
            dialect.write_binary(&mut out, &BYTES);
            assert_eq!(out.len(), dialect.binary_len(BYTES.len()));
            let packet = if dialect.base64 {
                dialect.protocol.decode_text(std::str::from_utf8(&out).unwrap())
            } else {
                dialect.protocol.decode_binary(&out)
            };
            assert_eq!(packet, Ok(Packet::binary(&BYTES)), "{dialect:?}");
        }
    }

    #[test]
    fn in_protocol_3_a_binary_packet_has_a_type() {
        for text in ["b", "bé", "b7", "bb4", ""] {
            assert_eq!(Protocol::V3.decode_text(text), Err(InvalidPacket), "{text:?}");
        }
        for data in [&b""[..], b"4", &[7], &[255]] {
            assert_eq!(Protocol::V3.decode_binary(data), Err(InvalidPacket), "{data:?}");
        }
        let ping = Packet { kind: PacketType::Ping, data: None };
        assert_eq!(Protocol::V3.decode_binary(&[2, 0]), Ok(ping.clone()));
        assert_eq!(Protocol::V3.decode_text("b2AA=="), Ok(ping));
    }
}
