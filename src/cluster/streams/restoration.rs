//! A client that comes back, and its session.

use std::sync::Arc;

use base64_simd::STANDARD;
use bytes::Bytes;
use redis::{Cmd, cmd};

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
    /// Its number among those who come back, as long as what passes is noted for it.
    pub number: Option<u32>,
}

/// A session as it was stored.
#[derive(Debug)]
pub struct Stored {
    /// As Redis has it.
    text: Vec<u8>,
    pub(super) bytes: Bytes,
    /// How long it would have stayed, in ms.
    pub(super) left: u64,
    pub(super) rooms: Vec<Name<'static>>,
    /// The last entry that its client has got.
    pub(super) after: EntryId,
}

/// What has come of a claim.
#[derive(Debug)]
pub(super) enum Claim {
    /// The session that was found is this client's.
    Ours,
    /// Another one has been stored under its key meanwhile, and that is: what it has missed is to be read anew.
    Newer(Stored),
    /// It has gone to somebody else, or is no more.
    Lost,
    /// What is there is no session.
    Malformed,
}

/// What stands in the place of a session that somebody has come back with begins with this, which no session does: it is no base64.
const CLAIMED: &str = "claimed:";

impl Restoration {
    /// It begins anew.
    pub(super) fn fail(&self) -> News {
        News::Restored { request: self.request, found: None }
    }

    /// The last entry that it has got, once its session has been found.
    pub(super) fn after(&self) -> EntryId {
        self.session.as_ref().map(|stored| stored.after).unwrap_or_default()
    }

    /// Asks for the session.
    pub(super) fn find(&self) -> Cmd {
        let mut command = cmd("GET");
        command.arg(&*self.key);
        command
    }

    /// Puts the mark of this client in the place of the session, and asks what was there. Whoever does so first has it; and who has
    /// asked on a connection that was lost learns by asking again. The mark goes when the session would have.
    pub(super) fn claim(&self) -> Cmd {
        let mut command = cmd("SET");
        command.arg(&*self.key).arg(self.mark()).arg("XX").arg("KEEPTTL").arg("GET");
        command
    }

    fn mark(&self) -> String {
        format!("{CLAIMED}{}:{}", self.cluster.node.uid, self.request)
    }

    /// What has come of a claim: `text` was there.
    pub(super) fn claimed(&self, left: u64, text: Vec<u8>) -> Claim {
        let found = self.session.as_ref();
        if text == self.mark().as_bytes() || found.is_some_and(|stored| stored.text == text) {
            Claim::Ours
        } else if is_claimed(&text) {
            Claim::Lost
        } else {
            self.stored(left, text).map_or(Claim::Malformed, Claim::Newer)
        }
    }

    /// What was stored; none: it is no session, or it is not known from where on.
    pub(super) fn stored(&self, left: u64, text: Vec<u8>) -> Option<Stored> {
        let bytes = Bytes::from(STANDARD.decode_to_vec(&text).ok()?);
        let rooms = rooms_of_session(&bytes).ok()?;
        let beginning = beginning_of_session(&bytes);
        // What was sent before its session began is not for it.
        let after = match (self.offset, beginning) {
            (Some(offset), beginning) => offset.max(beginning.unwrap_or_default()),
            (None, beginning) => beginning?,
        };
        Some(Stored { text, bytes, left, rooms, after })
    }
}

/// Whether somebody has come back with the session that was there.
pub(super) fn is_claimed(text: &[u8]) -> bool {
    text.starts_with(CLAIMED.as_bytes())
}
