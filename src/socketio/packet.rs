//! What one packet says.
//!
//! ```text
//! <type>[<attachments>-][<namespace>,][<ack id>][<payload, JSON>]
//!  5      1-             /admin,       456       ["baz",{"_placeholder":true,"num":0}]
//! ```
//! The payload is checked (valid JSON, right shape, no reserved event name) but stays text.

use serde::de::IgnoredAny;

use super::config::AttachmentLimits;
use super::error::ParseError;
use super::long_string::{LONG_STRING, LongStringSpans, check_array};

/// Event names that a client may not send, since both sides give them another meaning.
const RESERVED_EVENTS: [&str; 6] =
    ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"];

/// Most bytes that a reserved name can take in JSON: 14 characters (`removeListener`) of six bytes
/// each (`\u0072`).
const MAX_RESERVED_BYTES: usize = 14 * 6;

/// White space of JSON (RFC 8259, section 2).
const JSON_SPACE: [char; 4] = [' ', '\t', '\n', '\r'];

/// What a packet is for; the discriminant is its digit on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum PacketType {
    /// Asks to enter a namespace.
    Connect = 0,
    /// Leaves a namespace.
    Disconnect = 1,
    /// An event.
    Event = 2,
    /// The answer to an event that asked for one.
    Ack = 3,
    /// Refuses a [`Connect`](Self::Connect).
    ConnectError = 4,
    /// An event with attachments.
    BinaryEvent = 5,
    /// An ack with attachments.
    BinaryAck = 6,
}

impl PacketType {
    /// The packet type with this digit.
    ///
    /// # Errors
    /// [`ParseError::UnknownPacketType`] for `7`, `8`, `9` and what is no digit. Upstream converts the
    /// character to a number as JavaScript does, so that a space, a line feed or none at all is `0`; here
    /// they are errors.
    fn from_digit(digit: Option<&u8>) -> Result<Self, ParseError> {
        Ok(match digit {
            Some(b'0') => Self::Connect,
            Some(b'1') => Self::Disconnect,
            Some(b'2') => Self::Event,
            Some(b'3') => Self::Ack,
            Some(b'4') => Self::ConnectError,
            Some(b'5') => Self::BinaryEvent,
            Some(b'6') => Self::BinaryAck,
            Some(b'7') => return Err(ParseError::UnknownPacketType("7")),
            Some(b'8') => return Err(ParseError::UnknownPacketType("8")),
            Some(b'9') => return Err(ParseError::UnknownPacketType("9")),
            Some(_) | None => return Err(ParseError::UnknownPacketType("NaN")),
        })
    }

    /// Whether attachments follow the packet.
    pub const fn is_binary(self) -> bool {
        matches!(self, Self::BinaryEvent | Self::BinaryAck)
    }

    /// The type of the same packet once its attachments are in place.
    #[must_use]
    pub const fn without_attachments(self) -> Self {
        match self {
            Self::BinaryEvent => Self::Event,
            Self::BinaryAck => Self::Ack,
            Self::Connect | Self::Disconnect | Self::Event | Self::Ack | Self::ConnectError => self,
        }
    }
}

/// One packet, its parts still in the text it came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// What it is for.
    pub kind: PacketType,
    /// Number of attachments to follow; zero unless `kind` is binary.
    pub attachments: u32,
    /// The namespace, with its slash and, as upstream, its query; `/` when none is named.
    pub namespace: &'a str,
    /// The ack id: decimal digits without leading zeros, any number of them.
    pub id: Option<&'a str>,
    /// Valid JSON of the right shape. Always there in an event or a binary packet.
    pub payload: Option<&'a str>,
    /// The long strings among the arguments of an event or an ack.
    pub strings: LongStringSpans,
}

/// Decodes one packet with the default limits.
///
/// # Errors
/// See [`decode_with`].
pub fn decode(text: &str) -> Result<Packet<'_>, ParseError> {
    decode_with(text, &AttachmentLimits::default())
}

/// Decodes one packet.
///
/// Takes time linear in the text and allocates nothing, save for an event name with an escape.
///
/// # Errors
/// Whatever upstream's parser refuses, and these that it lets JavaScript's number conversion read:
/// white space for a digit, a number of attachments such as `1e0` or `0x1`. An event without a
/// payload, which upstream emits under the name `undefined`, is refused too.
pub fn decode_with<'a>(text: &'a str, limits: &AttachmentLimits) -> Result<Packet<'a>, ParseError> {
    let kind = PacketType::from_digit(text.as_bytes().first())?;
    let rest = &text[1..];
    let (attachments, rest) = if kind.is_binary() { attachments(rest, limits)? } else { (0, rest) };
    let (namespace, rest) = if rest.starts_with('/') {
        rest.split_once(',').unwrap_or((rest, ""))
    } else {
        ("/", rest)
    };
    let (digits, rest) = split_digits(rest);
    let id = (!digits.is_empty()).then(|| strip_zeros(digits));
    // Upstream reads this white space as the ack id 0.
    if id.is_none() && rest.starts_with(JSON_SPACE) {
        return Err(ParseError::InvalidPayload);
    }
    let payload = (!rest.is_empty()).then_some(rest);
    let strings = check_payload(kind, payload).ok_or(ParseError::InvalidPayload)?;
    Ok(Packet { kind, attachments, namespace, id, payload, strings })
}

/// Takes `<number>-` off the front.
fn attachments<'a>(text: &'a str, limits: &AttachmentLimits) -> Result<(u32, &'a str), ParseError> {
    let (digits, rest) = split_digits(text);
    let rest = rest.strip_prefix('-').ok_or(ParseError::IllegalAttachments)?;
    if matches!(strip_zeros(digits), "" | "0") {
        return Err(ParseError::IllegalAttachments);
    }
    // A number that does not fit into a `u32` is too large, too.
    match digits.parse::<u32>() {
        Ok(number) if number <= limits.max_attachments => Ok((number, rest)),
        Ok(_) | Err(_) => Err(ParseError::TooManyAttachments),
    }
}

/// Splits after the decimal digits at the front.
fn split_digits(text: &str) -> (&str, &str) {
    let end = text.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    text.split_at(end)
}

/// Drops leading zeros, of which JSON allows none; keeps the last digit.
fn strip_zeros(digits: &str) -> &str {
    let kept = digits.trim_start_matches('0');
    if kept.is_empty() && !digits.is_empty() { "0" } else { kept }
}

/// The rule of upstream's `isPayloadValid`, on text; `None` when it is broken.
fn check_payload(kind: PacketType, payload: Option<&str>) -> Option<LongStringSpans> {
    let none = LongStringSpans::NONE;
    let Some(json) = payload else {
        return match kind {
            PacketType::Connect
            | PacketType::Disconnect
            | PacketType::Ack
            | PacketType::ConnectError => Some(none),
            PacketType::Event | PacketType::BinaryEvent | PacketType::BinaryAck => None,
        };
    };
    let value = json.trim_start_matches(JSON_SPACE);
    match kind {
        PacketType::Connect => (value.starts_with('{') && is_json(json)).then_some(none),
        PacketType::Disconnect => None,
        PacketType::ConnectError => {
            (value.starts_with(['{', '"']) && is_json(json)).then_some(none)
        }
        PacketType::Ack | PacketType::BinaryAck => check_arguments(json, value.starts_with('[')),
        PacketType::Event | PacketType::BinaryEvent => {
            let elements = value.strip_prefix('[');
            check_arguments(json, elements.is_some_and(begins_with_event_name))
        }
    }
}

/// `valid`: what the first characters of `json` say.
fn check_arguments(json: &str, valid: bool) -> Option<LongStringSpans> {
    if !valid {
        None
    } else if json.len() < LONG_STRING {
        is_json(json).then_some(LongStringSpans::NONE)
    } else {
        check_array(json)
    }
}

/// Whether `text` is what JavaScript's `JSON.parse` accepts.
///
/// `IgnoredAny` walks with a byte per level instead of recursing, builds nothing, and takes lone
/// surrogates and numbers beyond a double, as `JSON.parse` does.
fn is_json(text: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(text).is_ok()
}

/// Whether an array's first element, at the front of `elements`, can name an event: a number, or a
/// string that is not reserved. That the JSON is valid is checked elsewhere.
fn begins_with_event_name(elements: &str) -> bool {
    let first = elements.trim_start_matches(JSON_SPACE);
    match first.as_bytes().first() {
        Some(b'"') => !is_reserved(&first[1..]),
        Some(b'-' | b'0'..=b'9') => true,
        Some(_) | None => false,
    }
}

/// Whether the JSON string that goes on with `text` (its opening quote taken off) is a reserved
/// event name, escapes undone: `"\u0063onnect"` reads `connect` in JavaScript.
fn is_reserved(text: &str) -> bool {
    let window = &text.as_bytes()[..text.len().min(MAX_RESERVED_BYTES + 1)];
    let mut escaped = false;
    let mut position = 0;
    while let Some(byte) = window.get(position) {
        match byte {
            b'"' if escaped => return is_reserved_escaped(&text[..position]),
            b'"' => return RESERVED_EVENTS.contains(&&text[..position]),
            b'\\' => {
                escaped = true;
                position += 2;
            }
            _ => position += 1,
        }
    }
    // Longer than any way to write a reserved name.
    false
}

#[cold]
fn is_reserved_escaped(inner: &str) -> bool {
    // Fails on a lone surrogate, which is in no reserved name.
    serde_json::from_str::<String>(&format!("\"{inner}\""))
        .is_ok_and(|name| RESERVED_EVENTS.contains(&name.as_str()))
}
