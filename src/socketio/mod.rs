//! Socket.IO (protocol 5), sans-IO: packets and attachments in, who is in which room, and what is
//! kept for those who come back.
//!
//! | file | tells |
//! |---|---|
//! | [`packet`] | what one packet says, its JSON checked but not parsed |
//! | [`long_string`] | long strings among its arguments, which go beside the JSON |
//! | [`json_string`] | strings as `JSON.stringify` writes them |
//! | [`decoder`] | the packets of one client, and the attachments of the one under way |
//! | [`handles`] | which connections there are, and what may be asked of them |
//! | [`rooms`] | rooms, and the targets of a broadcast |
//! | [`recovery_log`] | what was sent lately, and who was lost lately |
//! | [`config`] | the limits on what a client may send |
//! | [`error`] | what a client can do wrong |
//!
//! JSON stays text all the way: the JavaScript engine builds its values faster than native code
//! can, and what is never parsed here needs no limit on depth.

pub mod config;
pub mod decoder;
pub mod error;
pub mod handles;
pub mod json_string;
pub mod long_string;
pub mod packet;
pub mod recovery_log;
pub mod rooms;

pub use config::AttachmentLimits;
pub use decoder::{Completed, Decoded, Decoder};
pub use error::ParseError;
pub use handles::Handles;
pub use long_string::{LONG_STRING, LongString, LongStringSpans};
pub use packet::{Packet, PacketType};
pub use recovery_log::RecoveryLog;
pub use rooms::{Group, RoomId, Rooms, Target, Targets};
