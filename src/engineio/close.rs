//! Why a session ended.

use std::fmt;

/// Why a session ended: the reason that `close` and `disconnect` listeners are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// The peer closed: the TCP connection ended, a close frame came, or the packet `1` by POST.
    TransportClose,
    /// The peer broke the rules of the transport.
    TransportError(Fault),
    /// We closed, in order.
    ForcedClose,
    /// No pong came in time.
    PingTimeout,
    /// A packet could not be decoded.
    ParseError,
    /// More waited for the client than may, because it does not read; upstream has no such limit.
    BufferOverflow,
    /// Another process goes on with the session; its client does not hear of it. Upstream has no such thing.
    HandedOver,
}

impl CloseReason {
    /// The peer broke a rule of the transport that the text tells.
    pub(super) const fn error(text: &'static str) -> Self {
        Self::TransportError(Fault { text, number: None })
    }

    /// The reason as listeners see it, for example `"ping timeout"`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TransportClose => "transport close",
            Self::TransportError(_) => "transport error",
            Self::ForcedClose => "forced close",
            Self::PingTimeout => "ping timeout",
            Self::ParseError => "parse error",
            Self::BufferOverflow => "buffer overflow",
            Self::HandedOver => "handed over",
        }
    }

    /// Whether it is the client's doing, which needs not be told.
    pub(super) fn is_by_peer(self) -> bool {
        match self {
            Self::TransportClose | Self::TransportError(_) => true,
            Self::ForcedClose
            | Self::PingTimeout
            | Self::ParseError
            | Self::BufferOverflow
            | Self::HandedOver => false,
        }
    }

    /// The message of the error that comes along with the reason, when there is one.
    pub fn message(self) -> Option<Fault> {
        match self {
            Self::TransportError(fault) => Some(fault),
            Self::TransportClose
            | Self::ForcedClose
            | Self::PingTimeout
            | Self::ParseError
            | Self::BufferOverflow
            | Self::HandedOver => None,
        }
    }
}

/// A broken rule of a transport. `Display` gives the message of upstream's error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The sentence…
    pub text: &'static str,
    /// …and the number that it ends in, if it does.
    pub number: Option<u16>,
}

impl From<&'static str> for Fault {
    fn from(text: &'static str) -> Self {
        Self { text, number: None }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text)?;
        self.number.map_or(Ok(()), |number| write!(f, " {number}"))
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
