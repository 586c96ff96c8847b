//! One packet, and its form as text.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use bytes::Bytes;

use super::base64;
use super::error::InvalidPacket;

/// What a packet is for; its digit on the wire is the discriminant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum PacketType {
    /// The handshake, from the server.
    Open = b'0',
    /// The session ends.
    Close = b'1',
    /// Are you there? From the server; the client's `probe` is the one exception.
    Ping = b'2',
    /// I am here.
    Pong = b'3',
    /// Data of the application.
    Message = b'4',
    /// From now on this wire is the session's transport.
    Upgrade = b'5',
    /// Nothing: ends a poll.
    Noop = b'6',
}

impl PacketType {
    /// The type that `digit` names.
    pub fn from_digit(digit: u8) -> Option<Self> {
        Some(match digit {
            b'0' => Self::Open,
            b'1' => Self::Close,
            b'2' => Self::Ping,
            b'3' => Self::Pong,
            b'4' => Self::Message,
            b'5' => Self::Upgrade,
            b'6' => Self::Noop,
            _ => return None,
        })
    }

    /// The ASCII digit that names the type on the wire.
    pub fn digit(self) -> u8 {
        self as u8
    }
}

/// What a packet carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data<'a> {
    /// Text, without the packet's digit.
    Text(&'a str),
    /// Bytes; owned when they were base64 on the wire, or came in pieces.
    Binary(Cow<'a, [u8]>),
}

/// One packet that arrived. Only a [`PacketType::Message`] carries [`Data::Binary`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// What it is for.
    pub kind: PacketType,
    /// What stands behind the digit; `None` when nothing does.
    pub data: Option<Data<'a>>,
}

impl<'a> Packet<'a> {
    /// The packet that one binary WebSocket frame is: a message of these bytes.
    pub fn binary(data: impl Into<Cow<'a, [u8]>>) -> Self {
        Self { kind: PacketType::Message, data: Some(Data::Binary(data.into())) }
    }

    /// Whether this is the packet `kind` with exactly the text `data`.
    pub(super) fn is(&self, kind: PacketType, data: &str) -> bool {
        self.kind == kind && matches!(self.data, Some(Data::Text(text)) if text == data)
    }
}

/// As it stands in a text; for those that carry no bytes.
impl fmt::Display for Packet<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char(char::from(self.kind.digit()))?;
        match &self.data {
            Some(Data::Text(text)) => f.write_str(text),
            Some(Data::Binary(_)) | None => Ok(()),
        }
    }
}

/// A message on its way to the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutMessage {
    /// The application's data, without the digit `4`; UTF-8 unless `binary`.
    pub data: Bytes,
    /// Whether `data` goes out as bytes and not as text.
    pub binary: bool,
    /// Whether the transport may compress it.
    pub compress: bool,
}

/// Decodes one WebSocket text frame or one item of a payload.
///
/// `b` followed by base64 is a binary message; that is the only form that allocates.
///
/// # Errors
/// When `text` is empty or starts with anything else than `0`–`6` or `b`.
#[inline]
pub fn decode_text(text: &str) -> Result<Packet<'_>, InvalidPacket> {
    let first = *text.as_bytes().first().ok_or(InvalidPacket)?;
    if first == b'b' {
        let data = Data::Binary(Cow::Owned(base64::decode(&text.as_bytes()[1..])));
        return Ok(Packet { kind: PacketType::Message, data: Some(data) });
    }
    let kind = PacketType::from_digit(first).ok_or(InvalidPacket)?;
    let rest = &text[1..]; // the first byte is ASCII, so 1 is a character boundary
    Ok(Packet { kind, data: (!rest.is_empty()).then_some(Data::Text(rest)) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_digit_names_its_type() {
        for digit in b'0'..=b'6' {
            let kind = PacketType::from_digit(digit).unwrap();
            assert_eq!(kind.digit(), digit);
            let text = char::from(digit).to_string();
            assert_eq!(decode_text(&text), Ok(Packet { kind, data: None }));
        }
    }

    #[test]
    fn what_names_no_type_is_invalid() {
        for text in ["", "7", "éabcd", " 4", "B", "\u{1e}"] {
            assert_eq!(decode_text(text), Err(InvalidPacket), "{text:?}");
        }
    }

    #[test]
    fn the_data_behind_the_digit_is_kept_as_it_is() {
        let packet = decode_text("2éabc").unwrap();
        assert!(packet.is(PacketType::Ping, "éabc"));
        let packet = decode_text("4probe").unwrap();
        assert!(packet.is(PacketType::Message, "probe"));
    }

    #[test]
    fn base64_is_a_binary_message() {
        let packet = decode_text("bAQID").unwrap();
        assert_eq!(packet.kind, PacketType::Message);
        assert_eq!(packet.data, Some(Data::Binary(Cow::Owned(vec![1, 2, 3]))));
        assert_eq!(decode_text("b").unwrap().data, Some(Data::Binary(Cow::Owned(vec![]))));
    }
}
