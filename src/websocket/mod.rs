//! WebSocket (RFC 6455), sans-IO: the handshake, frames out, messages in.
//!
//! | file | tells |
//! |---|---|
//! | [`handshake`] | is this upgrade request acceptable, and what is the answer |
//! | [`frame`] | opcodes and the headers of the frames a server writes |
//! | `frame_header` | the headers of the frames a client writes |
//! | [`mask`] | undoing the client's masking |
//! | [`reader`] | bytes in, messages and control frames out |
//! | [`error`] | what a peer can do wrong, and the close code for it |
//!
//! Nothing here negotiates an extension, so RSV1 is a violation on the way in.

pub mod error;
pub mod frame;
mod frame_header;
pub mod handshake;
pub mod mask;
pub mod reader;

pub use error::Violation;
pub use frame::OpCode;
pub use reader::{Incoming, Limits, Reader};
