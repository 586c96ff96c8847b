//! The limits on what a client may send.

/// Attachments of one packet by default: what upstream's parser allows.
pub const MAX_ATTACHMENTS: u32 = 10;

/// Bytes of one packet's attachments by default: ten of upstream's default payload limit.
const MAX_ATTACHMENT_BYTES: usize = 10_000_000;

/// What a client may attach to one packet.
///
/// The text itself is bounded by the payload limit of the transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttachmentLimits {
    /// Number of attachments (`maxAttachments` of upstream's decoder).
    pub max_attachments: u32,
    /// Bytes of all attachments together: they are held until the last one is there.
    pub max_attachment_bytes: usize,
}

impl Default for AttachmentLimits {
    fn default() -> Self {
        Self { max_attachments: MAX_ATTACHMENTS, max_attachment_bytes: MAX_ATTACHMENT_BYTES }
    }
}
