//! Connections that Node.js has just accepted: whether they open a WebSocket of ours is seen from
//! their first bytes, before it reads them.
#![expect(clippy::needless_pass_by_value, reason = "arguments from JavaScript come by value")]

use napi::{Env, JsString, Result};
use napi_derive::napi;

use super::Bridge;
use super::doors::Incoming;
use crate::binding::error::BorderError;
use crate::net::adopt::{defer_accept, duplicate};
use crate::net::command::AdoptedStream;

#[napi]
impl Bridge {
    /// Has the kernel keep the connections of a listening socket until something has come by them,
    /// or for `seconds` (0: not any more); false where that can't be had.
    #[napi]
    pub fn defer_accept(&self, fd: i32, seconds: u32) -> bool {
        defer_accept(fd, seconds).is_ok()
    }

    /// Looks at what has come by a connection, and takes nothing of it. Gives the description of a
    /// plain WebSocket request for `path` (see `src/http/upgrade.rs`), "" when there is none, or not yet.
    /// `max_head`: bytes.
    ///
    /// # Errors
    /// When the engine can't make the string.
    #[napi]
    pub fn peek_upgrade<'env>(
        &self,
        env: &'env Env,
        fd: i32,
        path: String,
        max_head: u32,
    ) -> Result<JsString<'env>> {
        let mut peeked = self.peeked.borrow_mut();
        // One byte a character, as Node.js reads them: values may hold any byte.
        env.create_string_latin1(peeked.look(fd, &path, max_head as usize))
    }

    /// Takes the connection `fd` over, like [`Bridge::adopt`], and its request off it: the one that
    /// [`Bridge::peek_upgrade`] has found last. False: the connection is lost, or the session to be
    /// upgraded has gone.
    ///
    /// # Errors
    /// When the descriptor can't be duplicated or the server is not open. Nothing has been taken then.
    #[napi]
    pub fn adopt_peeked(
        &self,
        server: u32,
        token: u32,
        sid: String,
        kind: u32,
        fd: i32,
        answer: String,
    ) -> Result<bool> {
        self.server(server)?;
        let mut stream = duplicate(fd).map_err(BorderError::TakeOver)?;
        if !self.peeked.borrow_mut().take(fd, &mut stream) {
            return Ok(false);
        }
        let incoming = Incoming { server, token, sid, kind, answer };
        self.accept(incoming, AdoptedStream::Tcp(stream), None)
    }
}
