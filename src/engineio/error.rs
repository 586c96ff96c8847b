//! What the peer may get wrong.

use thiserror::Error;

/// A packet that cannot be decoded: it is empty, or its first character names no packet type.
///
/// On a session's own transport this closes the session with `parse error`; on a probe it ends the
/// probe only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("parser error")]
pub struct InvalidPacket;
