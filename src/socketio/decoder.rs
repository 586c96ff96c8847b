//! The packets of one client, and the attachments of the one under way.
//!
//! ```text
//!                    text: binary packet, n attachments
//!   ┌─────────┐ ───────────────────────────────────────► ┌─────────┐
//!   │  Idle   │                                          │ Pending │ ◄─┐ binary: fewer than n,
//!   └─────────┘ ◄─────────────────────────────────────── └─────────┘ ──┘ or any progress
//!    ▲  │ text: other packet       binary: the nth            │
//!    └──┘                                                     │ text, too large, too slow
//!                                                             ▼
//!                                                     error: close the client
//! ```
//! Idle costs one null pointer. Times are milliseconds of one clock that never goes back.

use std::borrow::Cow;

use super::config::AttachmentLimits;
use super::error::ParseError;
use super::long_string::LongStringSpans;
use super::packet::{Packet, PacketType, decode_with};

/// Milliseconds that a client may be silent in the middle of its attachments. Every byte ends the silence,
/// also one of an answer to a ping: what a client that keeps talking can hold is bounded by size and count.
pub const ATTACHMENT_TIMEOUT: u64 = 10_000;

/// What a text led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decoded<'a> {
    /// A whole packet; its kind is not binary.
    Packet(Packet<'a>),
    /// A packet that waits for its attachments.
    Pending,
}

/// A packet whose attachments are all there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completed {
    /// [`PacketType::Event`] or [`PacketType::Ack`].
    pub kind: PacketType,
    /// See [`Packet::namespace`].
    pub namespace: String,
    /// See [`Packet::id`].
    pub id: Option<String>,
    /// Valid JSON with placeholders in it, not yet checked against `attachments`.
    pub payload: String,
    /// See [`Packet::strings`].
    pub strings: LongStringSpans,
    /// In the order in which they came; a placeholder's `num` is an index into it.
    pub attachments: Vec<Vec<u8>>,
}

/// Puts packets and attachments of one client together.
///
/// After an error nothing more may be fed; what was held is given back at once.
#[derive(Debug, Default)]
pub struct Decoder {
    pending: Option<Box<Pending>>,
}

#[derive(Debug)]
struct Pending {
    packet: Completed,
    /// Attachments that have not come yet; at least one.
    missing: u32,
    /// Bytes that they may still have.
    room: usize,
    /// Bytes that have come: the packet, and those of its attachments that are there.
    bytes: usize,
    deadline: u64,
    /// Whether the deadline has been put off by [`Decoder::prolong`].
    prolonged: bool,
}

impl Decoder {
    /// A decoder that waits for a text.
    pub const fn new() -> Self {
        Self { pending: None }
    }

    /// Whether attachments are due.
    pub const fn is_pending(&self) -> bool {
        self.pending.is_some()
    }

    /// The packet whose attachments are due, as far as it is there.
    pub fn pending(&self) -> Option<&Completed> {
        self.pending.as_ref().map(|pending| &pending.packet)
    }

    /// Bytes that wait here for the rest of their packet.
    pub fn buffered(&self) -> usize {
        self.pending.as_ref().map_or(0, |pending| pending.bytes)
    }

    /// A text arrived.
    ///
    /// # Errors
    /// What [`decode_with`] refuses; [`ParseError::UnexpectedText`] while attachments are due.
    pub fn handle_text<'a>(
        &mut self,
        now: u64,
        limits: &AttachmentLimits,
        text: &'a str,
    ) -> Result<Decoded<'a>, ParseError> {
        if self.pending.take().is_some() {
            return Err(ParseError::UnexpectedText);
        }
        let packet = decode_with(text, limits)?;
        if !packet.kind.is_binary() {
            return Ok(Decoded::Packet(packet));
        }
        self.pending = Some(Box::new(Pending {
            packet: Completed {
                kind: packet.kind.without_attachments(),
                namespace: packet.namespace.to_owned(),
                id: packet.id.map(str::to_owned),
                payload: packet.payload.unwrap_or("[]").to_owned(),
                strings: packet.strings,
                // Not `with_capacity`: the number is what the client claims.
                attachments: Vec::new(),
            },
            missing: packet.attachments,
            room: limits.max_attachment_bytes,
            bytes: text.len(),
            deadline: now.saturating_add(ATTACHMENT_TIMEOUT),
            prolonged: false,
        }));
        Ok(Decoded::Pending)
    }

    /// A binary arrived; gives the packet if it was the last attachment. One that is owned is not copied.
    ///
    /// # Errors
    /// [`ParseError::UnexpectedBinary`] when none was due, [`ParseError::AttachmentsTooLarge`].
    pub fn handle_binary<'a>(
        &mut self,
        now: u64,
        data: impl Into<Cow<'a, [u8]>>,
    ) -> Result<Option<Completed>, ParseError> {
        let data = data.into();
        let mut pending = self.pending.take().ok_or(ParseError::UnexpectedBinary)?;
        pending.room =
            pending.room.checked_sub(data.len()).ok_or(ParseError::AttachmentsTooLarge)?;
        pending.bytes += data.len();
        pending.packet.attachments.push(data.into_owned());
        pending.missing -= 1;
        if pending.missing == 0 {
            return Ok(Some(pending.packet));
        }
        pending.deadline = now.saturating_add(ATTACHMENT_TIMEOUT);
        pending.prolonged = false;
        self.pending = Some(pending);
        Ok(None)
    }

    /// The messages that bring a decoder that waits for a text to where this one is: for another process, which goes on. None come
    /// while it waits for a text.
    pub fn replay(&mut self) -> Option<(String, Vec<Vec<u8>>)> {
        let Pending { packet, missing, .. } = *self.pending.take()?;
        let Completed { kind, namespace, id, payload, attachments, .. } = packet;
        let digit =
            if kind == PacketType::Ack { PacketType::BinaryAck } else { PacketType::BinaryEvent };
        let count = attachments.len() + missing as usize;
        let id = id.unwrap_or_default();
        let comma = if namespace == "/" { "" } else { "," };
        let namespace = if namespace == "/" { "" } else { &namespace };
        let digit = digit as u8;
        let text = format!("{digit}{count}-{namespace}{comma}{id}{payload}");
        Some((text, attachments))
    }

    /// Bytes of the client arrived, though no whole attachment: it has not stopped.
    pub fn handle_progress(&mut self, now: u64) {
        if let Some(pending) = &mut self.pending {
            pending.deadline = now.saturating_add(ATTACHMENT_TIMEOUT);
        }
    }

    /// Nobody has read what the client has sent for a while: if an attachment is late, its time begins again, once.
    pub fn prolong(&mut self, now: u64) {
        if let Some(pending) = &mut self.pending
            && pending.deadline <= now
            && !std::mem::replace(&mut pending.prolonged, true)
        {
            pending.deadline = now.saturating_add(ATTACHMENT_TIMEOUT);
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) wants to be called; `None` while idle.
    pub fn poll_timeout(&self) -> Option<u64> {
        self.pending.as_ref().map(|pending| pending.deadline)
    }

    /// Time has passed; called early, it does nothing.
    ///
    /// # Errors
    /// [`ParseError::AttachmentTimeout`] when the client stopped in the middle.
    pub fn handle_timeout(&mut self, now: u64) -> Result<(), ParseError> {
        match self.poll_timeout() {
            Some(deadline) if deadline <= now => {
                self.pending = None;
                Err(ParseError::AttachmentTimeout)
            }
            Some(_) | None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_decoder_is_one_pointer() {
        assert_eq!(size_of::<Decoder>(), size_of::<usize>());
    }
}
