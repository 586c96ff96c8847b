//! Why nothing of a client is taken for now, and what has come meanwhile: see `session/waiting.rs`.

use std::borrow::Cow;
use std::collections::VecDeque;

use super::action::RequestId;

/// Why a client waits, and what of it.
#[derive(Debug, Default)]
pub(super) struct Intake {
    /// Until when it may send no more; 0: it may.
    pub(super) paused_until: u64,
    /// Whether it goes to another process, or comes from one.
    pub(super) is_held: bool,
    /// What has come by POSTs, in that order; only the last one may not be answered.
    pub(super) kept: VecDeque<Kept>,
}

/// What is left of a POST that was all there.
#[derive(Debug)]
pub(super) struct Kept {
    /// Which; none: it has been answered.
    pub(super) request: Option<RequestId>,
    pub(super) payload: Posted<'static>,
    /// How many bytes of that have been taken; the next packet begins there.
    pub(super) at: usize,
}

/// The payload that the body of a POST brings. Its text has been looked at: what is left of it is taken piece by piece, perhaps in very many.
#[derive(Debug)]
pub(super) enum Posted<'a> {
    /// A payload of text.
    Text(Cow<'a, str>),
    /// A binary one, which protocol 3 has.
    Binary(Cow<'a, [u8]>),
}

impl Posted<'_> {
    /// Bytes of it.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(bytes) => bytes.len(),
        }
    }

    /// The part of it from there on, where a packet begins, for somebody who keeps it.
    pub(super) fn split_off(self, at: usize) -> Posted<'static> {
        match self {
            Self::Text(Cow::Borrowed(text)) => Posted::Text(text[at..].to_owned().into()),
            Self::Text(Cow::Owned(mut text)) => Posted::Text(text.split_off(at).into()),
            Self::Binary(Cow::Borrowed(bytes)) => Posted::Binary(bytes[at..].to_owned().into()),
            Self::Binary(Cow::Owned(mut bytes)) => Posted::Binary(bytes.split_off(at).into()),
        }
    }
}
