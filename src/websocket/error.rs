//! What a peer can do wrong inside a WebSocket.

use std::fmt;

/// A broken rule of the framing: the connection has to be closed with [`code`](Self::code).
///
/// `Display` gives the sentence that the `ws` package would report, number included
/// (`Invalid WebSocket frame: invalid opcode 3`).
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
        Self::protocol("Invalid WebSocket frame: RSV2 and RSV3 must be clear");
    /// RSV1 was set without permessage-deflate, or not on the first frame of a message.
    pub(super) const RSV_1: Self = Self::protocol("Invalid WebSocket frame: RSV1 must be clear");
    /// A control frame was fragmented.
    pub(super) const EXPECTED_FIN: Self =
        Self::protocol("Invalid WebSocket frame: FIN must be set");
    /// A client frame was not masked.
    pub(super) const EXPECTED_MASK: Self =
        Self::protocol("Invalid WebSocket frame: MASK must be set");
    /// A text message or a close reason was not UTF-8.
    pub(super) const INVALID_UTF8: Self =
        Self::new(code::INVALID_DATA, "Invalid WebSocket frame: invalid UTF-8 sequence", None);
    /// A compressed message is not what a compressor writes.
    pub(super) const INVALID_DEFLATE: Self =
        Self::new(code::INVALID_DATA, "Invalid compressed data", None);
    /// The declared length does not fit into a JavaScript number.
    pub(super) const LENGTH_UNSUPPORTED: Self =
        Self::new(code::TOO_BIG, "Unsupported WebSocket frame: payload length > 2^53 - 1", None);
    /// The message is longer than the limit.
    pub(super) const TOO_BIG: Self = Self::new(code::TOO_BIG, "Max payload size exceeded", None);
    /// The message came in more fragments than the limit.
    pub(super) const TOO_MANY_FRAGMENTS: Self =
        Self::new(code::POLICY, "Too many message fragments", None);

    /// A reserved opcode, or one that is out of turn.
    pub(super) const fn invalid_opcode(bits: u8) -> Self {
        Self::numbered("Invalid WebSocket frame: invalid opcode", bits as u16)
    }

    /// A control frame over 125 bytes, or a close frame with half a code.
    pub(super) const fn invalid_control_length(field: u8) -> Self {
        Self::numbered("Invalid WebSocket frame: invalid payload length", field as u16)
    }

    /// A close code that must not appear on the wire.
    pub(super) const fn invalid_close_code(received: u16) -> Self {
        Self::numbered("Invalid WebSocket frame: invalid status code", received)
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
        assert_eq!(numbered.to_string(), "Invalid WebSocket frame: invalid status code 1005");
        assert_eq!(Violation::TOO_BIG.to_string(), "Max payload size exceeded");
    }
}
