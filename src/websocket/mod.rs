//! WebSocket (RFC 6455), sans-IO: the handshake, frames out, messages in.
//!
//! | file | tells |
//! |---|---|
//! | [`handshake`] | is this upgrade request acceptable, and what is the answer |
//! | [`frame`] | opcodes and the headers of the frames a server writes |
//! | `frame_header` | the headers of the frames a client writes |
//! | [`mask`] | undoing the client's masking |
//! | [`reader`] | bytes in, messages and control frames out |
//! | [`extension`] | agreeing on permessage-deflate |
//! | [`deflate`] | messages in and out of DEFLATE |
//! | [`error`] | what a peer can do wrong, and the close code for it |
//!
//! permessage-deflate is the only extension: RSV1 is a violation unless it was agreed on.

pub mod deflate;
pub mod error;
pub mod extension;
pub mod frame;
mod frame_header;
pub mod handshake;
pub mod mask;
pub mod reader;

pub use error::Violation;
pub use frame::OpCode;
pub use reader::{Halt, Incoming, MessageLimits, Reader};
