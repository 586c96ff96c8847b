//! What a client can do wrong in Socket.IO.

/// Why a client's packet is refused; the client is closed with reason `parse error`.
///
/// `Display` gives the message of upstream's parser, where it has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum ParseError {
    /// The first character is no packet type; the digit, or `NaN`.
    #[error("unknown packet type {0}")]
    UnknownPacketType(&'static str),
    /// The number of attachments is missing, zero or no number.
    #[error("Illegal attachments")]
    IllegalAttachments,
    /// More attachments are announced than allowed.
    #[error("too many attachments")]
    TooManyAttachments,
    /// The payload is no JSON, or not what its packet type asks for.
    #[error("invalid payload")]
    InvalidPayload,
    /// A text came while attachments were due.
    #[error("got plaintext data when reconstructing a packet")]
    UnexpectedText,
    /// A binary came while no attachment was due.
    #[error("got binary data when not reconstructing a packet")]
    UnexpectedBinary,
    /// The attachments are larger than allowed, all together.
    #[error("attachments too large")]
    AttachmentsTooLarge,
    /// The client stopped in the middle of its attachments.
    #[error("attachments not received in time")]
    AttachmentTimeout,
}
