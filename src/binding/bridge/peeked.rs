//! The first bytes of a connection, looked at before anybody reads them.

use std::io::Read as _;
use std::net::TcpStream;

use crate::http::request::{Rules, read_first};
use crate::http::upgrade;
use crate::net::adopt::peek;

/// Bytes of a request that are looked at, at most: as much as Node.js takes for a head by default.
const MAX_HEAD: usize = 16 * 1024;

/// What has come by the connection that was looked at last.
#[derive(Debug)]
pub(super) struct Peeked {
    /// The connection, and the length of its request's head; nothing when that is not plain.
    found: Option<(i32, usize)>,
    bytes: Box<[u8]>,
    description: Vec<u8>,
}

impl Default for Peeked {
    fn default() -> Self {
        Self { found: None, bytes: vec![0; MAX_HEAD].into(), description: Vec::new() }
    }
}

impl Peeked {
    /// Looks at a connection, and takes nothing of it. Gives the description of a plain request (see
    /// `src/http/`) for a WebSocket or by polling; empty: there is none.
    pub(super) fn look(&mut self, fd: i32, rules: &Rules) -> &[u8] {
        let Self { found, bytes, description } = self;
        description.clear();
        *found = peek(fd, bytes).ok().and_then(|length| {
            let bytes = &bytes[..length];
            let head = upgrade::read(bytes, &rules.path, rules.max_head, description)
                .or_else(|| read_first(bytes, rules, description))?;
            Some((fd, head))
        });
        description
    }

    /// Takes the request off the connection that was looked at last, and gives it. None: it is not
    /// there any more.
    pub(super) fn take(&mut self, fd: i32, stream: &mut TcpStream) -> Option<&[u8]> {
        let (_, head) = self.found.take().filter(|&(found, _)| found == fd)?;
        // The bytes were there, so one call reads them all, unless the peer has reset the connection.
        let bytes = &mut self.bytes[..head];
        stream.read(bytes).is_ok_and(|length| length == head).then_some(&*bytes)
    }
}
