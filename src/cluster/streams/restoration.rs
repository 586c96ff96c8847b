//! A client that comes back, and its session.

use std::sync::Arc;

use base64_simd::STANDARD;
use bytes::Bytes;

use crate::cluster::news::News;
use crate::cluster::orders::Cluster;
use crate::redis::broadcasts::Name;
use crate::redis::entries::{EntryId, beginning_of_session, rooms_of_session};

/// A client that comes back.
#[derive(Debug)]
pub struct Restoration {
    /// By which JavaScript knows it.
    pub request: u32,
    /// To which namespace.
    pub cluster: Arc<Cluster>,
    /// Under which key its session is.
    pub key: String,
    /// The last entry that it has got; none: it has got none since its session began.
    pub offset: Option<EntryId>,
    /// So many publications are to have left before it is asked: one of them may be its session.
    pub behind: u64,
    /// What has been found.
    pub session: Option<Stored>,
}

/// A session as it was stored.
#[derive(Debug)]
pub struct Stored {
    pub(super) bytes: Bytes,
    /// How long it would have stayed, in ms.
    pub(super) left: u64,
    pub(super) rooms: Vec<Name<'static>>,
    /// The last entry that its client has got.
    pub(super) after: EntryId,
}

impl Restoration {
    /// It begins anew.
    pub(super) fn fail(&self) -> News {
        News::Restored { request: self.request, found: None }
    }

    /// The last entry that it has got, once its session has been found.
    pub(super) fn after(&self) -> EntryId {
        self.session.as_ref().map(|stored| stored.after).unwrap_or_default()
    }

    /// What was stored; none: it is no session, or it is not known from where on.
    pub(super) fn stored(&self, left: u64, text: &[u8]) -> Option<Stored> {
        let bytes = Bytes::from(STANDARD.decode_to_vec(text).ok()?);
        let rooms = rooms_of_session(&bytes).ok()?;
        let beginning = beginning_of_session(&bytes);
        // What was sent before its session began is not for it.
        let after = match (self.offset, beginning) {
            (Some(offset), beginning) => offset.max(beginning.unwrap_or_default()),
            (None, beginning) => beginning?,
        };
        Some(Stored { bytes, left, rooms, after })
    }
}
