//! Why a session ended.

use std::fmt;

/// Why a session ended: the reason that `close` and `disconnect` listeners are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// The peer closed: the TCP connection ended, a close frame came, or the packet `1` by POST.
    TransportClose,
    /// The peer broke the rules of the transport; the text says which one.
    TransportError(&'static str),
    /// We closed, in order.
    ForcedClose,
    /// No pong came in time.
    PingTimeout,
    /// A packet could not be decoded.
    ParseError,
    /// More waited for the client than may, because it does not read; upstream has no such limit.
    BufferOverflow,
}

impl CloseReason {
    /// The reason as listeners see it, for example `"ping timeout"`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TransportClose => "transport close",
            Self::TransportError(_) => "transport error",
            Self::ForcedClose => "forced close",
            Self::PingTimeout => "ping timeout",
            Self::ParseError => "parse error",
            Self::BufferOverflow => "buffer overflow",
        }
    }

    /// The message of the error that comes along with the reason, when there is one.
    pub fn message(self) -> Option<&'static str> {
        match self {
            Self::TransportError(message) => Some(message),
            Self::TransportClose
            | Self::ForcedClose
            | Self::PingTimeout
            | Self::ParseError
            | Self::BufferOverflow => None,
        }
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
