//! Who has connected to an offer and has not said yet that he wants it. All of them are listened to: who says nothing, or something else,
//! keeps it from nobody.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use super::peer::{Lost, Peer};
use crate::handover::frame::MAX_BODY;
use crate::handover::{Invalid, Message};

/// So many are listened to; who has come first has to go for another one.
const MOST: usize = 8;
/// Bytes that the body of a greeting may have: far more than one has.
const LONGEST: usize = 64 << 10;

/// The first who wants it, and what he has said.
pub(super) type Greeting = (Peer, Message, Vec<OwnedFd>);

/// Those who have come.
#[derive(Debug, Default)]
pub(super) struct Comers(VecDeque<Peer>);

impl Comers {
    /// One more has come.
    pub(super) fn push(&mut self, socket: UnixStream) -> io::Result<()> {
        if self.0.len() == MOST {
            self.0.pop_front();
        }
        let mut peer = Peer::new(socket)?;
        peer.set_longest(LONGEST);
        self.0.push_back(peer);
        Ok(())
    }

    /// What to wait for.
    pub(super) fn fds(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.0.iter().map(Peer::fd)
    }

    /// Reads what has come. Gives one who has greeted, if there is one; who has gone, or says something else, is sent away.
    pub(super) fn hear(&mut self) -> Option<Greeting> {
        for mut peer in std::mem::take(&mut self.0) {
            match hear(&mut peer) {
                Ok(Some((message, sockets))) => {
                    peer.set_longest(MAX_BODY);
                    return Some((peer, message, sockets));
                }
                Ok(None) => self.0.push_back(peer),
                Err(_) => {}
            }
        }
        None
    }
}

fn hear(peer: &mut Peer) -> Result<Option<(Message, Vec<OwnedFd>)>, Lost> {
    peer.read()?;
    let Some((frame, sockets)) = peer.next_message()? else { return Ok(None) };
    let message = Message::read(&frame)?;
    if matches!(message, Message::Hello { .. }) {
        Ok(Some((message, sockets)))
    } else {
        Err(Lost::Invalid(Invalid::Damaged))
    }
}
