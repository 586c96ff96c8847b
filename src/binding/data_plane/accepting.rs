//! Connections that Node.js has just accepted: whether their first request is for a WebSocket or a
//! polling session of ours is seen from their first bytes, before it reads them.

use napi::{Env, JsString, Result};
use napi_derive::napi;

use super::DataPlane;
use super::http::HttpArrival;
use super::websocket::Incoming;
use crate::binding::error::BorderError;
use crate::http::request::{First, Rules};
use crate::id::Sid;
use crate::net::command::{IncomingStream, Opening};
use crate::net::descriptor::{defer_accept, duplicate};

#[napi]
impl DataPlane {
    /// Has the kernel keep the connections of a listening socket until something has come by them,
    /// or for `seconds` (0: not any more); false where that can't be had.
    #[napi(catch_unwind)]
    pub fn defer_accept(&self, fd: i32, seconds: u32) -> bool {
        defer_accept(fd, seconds).is_ok()
    }

    /// Looks at what has come by a connection, and takes nothing of it. Gives the description of a
    /// plain request for `path`, for a WebSocket or by polling (see `src/http/`), "" when there is none,
    /// or not yet. `max_head`: bytes; `compression`: whether answers to polls may be compressed.
    ///
    /// # Errors
    /// When V8 can't make the string.
    #[napi(catch_unwind)]
    pub fn peek_request<'env>(
        &self,
        env: &'env Env,
        fd: i32,
        path: String,
        max_head: u32,
        compression: bool,
    ) -> Result<JsString<'env>> {
        let max_head = max_head as usize;
        // The worker knows how large a body may be.
        let max_body = usize::MAX;
        let rules = Rules { path: path.into(), max_head, max_body, compression };
        let mut peeked = self.peeked.borrow_mut();
        // One byte a character, as Node.js reads them: values may hold any byte.
        env.create_string_latin1(peeked.look(fd, &rules))
    }

    /// Takes the connection `fd` over, like [`DataPlane::take_over`], and its request off it: the one that
    /// [`DataPlane::peek_request`] has found last. False: the connection is lost, or the session to be
    /// upgraded has gone.
    ///
    /// # Errors
    /// When the descriptor can't be duplicated or the server is not open. Nothing has been taken then.
    #[napi(catch_unwind)]
    pub fn take_over_peeked(
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
        if self.peeked.borrow_mut().take(fd, &mut stream).is_none() {
            return Ok(false);
        }
        let incoming = Incoming { server, token, sid, kind, answer };
        self.accept(incoming, IncomingStream::Tcp(stream.into()), None)
    }

    /// Takes the connection `fd` over, like [`DataPlane::take_over_http`], and its request off it: the one
    /// that [`DataPlane::peek_request`] has found last, which opens the session. False: the connection
    /// is lost.
    ///
    /// # Errors
    /// When the descriptor can't be duplicated or the server is not open. Nothing has been taken then.
    #[napi(catch_unwind)]
    pub fn take_over_http_peeked(&self, fd: i32, arrival: HttpArrival) -> Result<bool> {
        self.server(arrival.server)?;
        let runtime = self.shared.runtime().ok_or(BorderError::Ended)?;
        let mut stream = duplicate(fd).map_err(BorderError::TakeOver)?;
        let mut peeked = self.peeked.borrow_mut();
        let Some(First::Polling { encoding, persistence, .. }) = peeked.take(fd, &mut stream)
        else {
            return Ok(false);
        };
        let opening = Some(Opening { sid: Sid::new(&arrival.sid), encoding, persistence });
        self.accept_http(runtime.pick(), arrival, stream, opening)?;
        Ok(true)
    }
}
