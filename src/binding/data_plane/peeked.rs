//! The first bytes of a connection, looked at before anybody reads them.

use std::io::Read as _;
use std::net::TcpStream;

use crate::http::request::{First, Rules, fields_of, read_first};
use crate::net::descriptor::peek;

/// Bytes of a request that are looked at, at most: as much as Node.js takes for a head by default.
const MAX_HEAD: usize = 16 * 1024;

/// What has come by the connection that was looked at last.
#[derive(Debug)]
pub(super) struct Peeked {
    /// The connection, and its request; nothing when that is not plain.
    found: Option<(i32, First)>,
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
            let first = read_first(&bytes[..length], rules, description)?;
            Some((fd, first))
        });
        description
    }

    /// The headers of the request that was found last, a line for each name and each value.
    pub(super) fn fields(&self) -> &[u8] {
        fields_of(&self.description)
    }

    /// Takes the request off the connection that was looked at last, and tells what it is. None: it is not
    /// there any more.
    pub(super) fn take(&mut self, fd: i32, stream: &mut TcpStream) -> Option<First> {
        let (_, first) = self.found.take().filter(|&(found, _)| found == fd)?;
        // The bytes were there, so one call reads them all, unless the peer has reset the connection.
        let bytes = &mut self.bytes[..first.head()];
        stream.read(bytes).is_ok_and(|length| length == bytes.len()).then_some(first)
    }
}
