//! What a peer can do wrong inside a WebSocket.

use std::fmt;

/// A broken rule of the framing: the connection has to be closed with [`code`](Self::code).
///
/// `Display` gives the error of the `ws` package as a text, number included
/// (`RangeError: Invalid WebSocket frame: invalid opcode 3`): upstream makes its own error's message of
/// that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}{}", Detail(*.detail))]
pub struct Violation {
    /// The close code to send (RFC 6455, section 7.4.1).
    pub code: u16,
    /// What happened, without the offending number.
    pub message: &'static str,
    /// The offending number (opcode, length or close code), where the sentence ends in one.
    pub detail: Option<u16>,
}

/// Close codes that this floor sends (RFC 6455, section 7.4.1).
mod code {
    pub(super) const PROTOCOL_ERROR: u16 = 1002;
    pub(super) const INVALID_DATA: u16 = 1007;
    pub(super) const POLICY: u16 = 1008;
    pub(super) const TOO_BIG: u16 = 1009;
}

impl Violation {
    /// RSV2 or RSV3 was set: no extension can have claimed them.
    pub(super) const RSV_2_3: Self =
        Self::protocol("RangeError: Invalid WebSocket frame: RSV2 and RSV3 must be clear");
    /// RSV1 was set without permessage-deflate, or not on the first frame of a message.
    pub(super) const RSV_1: Self =
        Self::protocol("RangeError: Invalid WebSocket frame: RSV1 must be clear");
    /// A control frame was fragmented.
    pub(super) const EXPECTED_FIN: Self =
        Self::protocol("RangeError: Invalid WebSocket frame: FIN must be set");
    /// A client frame was not masked.
    pub(super) const EXPECTED_MASK: Self =
        Self::protocol("RangeError: Invalid WebSocket frame: MASK must be set");
    /// A text message or a close reason was not UTF-8.
    pub(super) const INVALID_UTF8: Self = Self::new(
        code::INVALID_DATA,
        "Error: Invalid WebSocket frame: invalid UTF-8 sequence",
        None,
    );
    /// A compressed message is not what a compressor writes, and nothing says why.
    pub(super) const INVALID_DEFLATE: Self =
        Self::new(code::INVALID_DATA, INVALID_DEFLATE[0], None);
    /// The declared length does not fit into a JavaScript number.
    pub(super) const LENGTH_UNSUPPORTED: Self = Self::new(
        code::TOO_BIG,
        "RangeError: Unsupported WebSocket frame: payload length > 2^53 - 1",
        None,
    );
    /// The message is longer than the limit.
    /// A message is longer than it may be.
    pub const TOO_BIG: Self =
        Self::new(code::TOO_BIG, "RangeError: Max payload size exceeded", None);
    /// The message came in more fragments than the limit.
    pub(super) const TOO_MANY_FRAGMENTS: Self =
        Self::new(code::POLICY, "RangeError: Too many message fragments", None);

    /// A frame came in more chunks than the limit.
    pub(super) const TOO_MANY_CHUNKS: Self =
        Self::new(code::POLICY, "RangeError: Too many buffered chunks", None);

    /// The client sends more than it may, which says `message`.
    pub const fn limited(message: &'static str) -> Self {
        Self::new(code::POLICY, message, None)
    }

    /// A compressed message is not what a compressor writes, in the words of zlib.
    pub(super) fn invalid_deflate(why: Option<&str>) -> Self {
        let message = INVALID_DEFLATE.iter().find(|text| text.strip_prefix("Error: ") == why);
        message.map_or(Self::INVALID_DEFLATE, |text| Self::new(code::INVALID_DATA, text, None))
    }

    /// A reserved opcode, or one that is out of turn.
    pub(super) const fn invalid_opcode(bits: u8) -> Self {
        Self::numbered("RangeError: Invalid WebSocket frame: invalid opcode", bits as u16)
    }

    /// A control frame over 125 bytes, or a close frame with half a code.
    pub(super) const fn invalid_control_length(field: u8) -> Self {
        Self::numbered("RangeError: Invalid WebSocket frame: invalid payload length", field as u16)
    }

    /// A close code that must not appear on the wire.
    pub(super) const fn invalid_close_code(received: u16) -> Self {
        Self::numbered("RangeError: Invalid WebSocket frame: invalid status code", received)
    }

    const fn protocol(message: &'static str) -> Self {
        Self::new(code::PROTOCOL_ERROR, message, None)
    }

    const fn numbered(message: &'static str, detail: u16) -> Self {
        Self::new(code::PROTOCOL_ERROR, message, Some(detail))
    }

    const fn new(code: u16, message: &'static str, detail: Option<u16>) -> Self {
        Self { code, message, detail }
    }
}

/// What zlib has to say of data that is not DEFLATE; the first, when it says nothing.
const INVALID_DEFLATE: [&str; 12] = [
    "Error: invalid compressed data",
    "Error: invalid block type",
    "Error: invalid stored block lengths",
    "Error: too many length or distance symbols",
    "Error: invalid code lengths set",
    "Error: invalid bit length repeat",
    "Error: invalid code -- missing end-of-block",
    "Error: invalid literal/lengths set",
    "Error: invalid distances set",
    "Error: invalid literal/length code",
    "Error: invalid distance code",
    "Error: invalid distance too far back",
];

struct Detail(Option<u16>);

impl fmt::Display for Detail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |number| write!(f, " {number}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sentence_ends_in_the_number_where_there_is_one() {
        let numbered = Violation::invalid_close_code(1005);
        assert_eq!(
            numbered.to_string(),
            "RangeError: Invalid WebSocket frame: invalid status code 1005"
        );
        assert_eq!(Violation::TOO_BIG.to_string(), "RangeError: Max payload size exceeded");
    }
}
