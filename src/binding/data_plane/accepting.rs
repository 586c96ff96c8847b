//! Connections that Node.js has just accepted: whether their first request is for a WebSocket or a
//! polling session of ours is seen from their first bytes, before it reads them.

use std::net::TcpStream;

use napi::{Env, JsString, Result};
use napi_derive::napi;

use super::http::HttpArrival;
use super::peeked::Peeked;
use super::websocket::Incoming;
use super::{DataPlane, read_address};
use crate::binding::error::BorderError;
use crate::http::request::{First, Rules};
use crate::id::Sid;
use crate::net::command::{IncomingStream, Opening};
use crate::net::descriptor::{defer_accept, duplicate};
use crate::net::peer::Peer;
use crate::net::server::Server;

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
        let found = self.server(server)?;
        let mut stream = duplicate(fd).map_err(BorderError::TakeOver)?;
        let mut peeked = self.peeked.borrow_mut();
        if peeked.take(fd, &mut stream).is_none() {
            return Ok(false);
        }
        let peer = Self::peeked_peer(&found, &stream, &peeked);
        let incoming = Incoming { server, token, sid, kind, answer };
        self.accept(incoming, IncomingStream::Tcp(stream.into()), None, peer)
    }

    /// Takes the connection `fd` over, like [`DataPlane::take_over_http`], and its request off it: the one
    /// that [`DataPlane::peek_request`] has found last, which opens the session. False: the connection
    /// is lost.
    ///
    /// # Errors
    /// When the descriptor can't be duplicated or the server is not open. Nothing has been taken then.
    #[napi(catch_unwind)]
    pub fn take_over_http_peeked(&self, fd: i32, arrival: HttpArrival) -> Result<bool> {
        let server = self.server(arrival.server)?;
        let runtime = self.shared.runtime().ok_or(BorderError::Ended)?;
        let mut stream = duplicate(fd).map_err(BorderError::TakeOver)?;
        let mut peeked = self.peeked.borrow_mut();
        let Some(First::Polling { encoding, persistence, .. }) = peeked.take(fd, &mut stream)
        else {
            return Ok(false);
        };
        let ticket = self.ticket.take();
        let opening = Some(Opening { sid: Sid::new(&arrival.sid), encoding, persistence, ticket });
        let peer = Self::peeked_peer(&server, &stream, &peeked);
        self.accept_http(runtime.pick(), arrival, stream, opening, peer)?;
        Ok(true)
    }

    /// What proxies have said of where a request comes from, with the names and values of its headers in `fields`, a line each,
    /// as far as they are trusted. `peer`: the address at the other end of its connection, "" by a Unix socket. Nothing: that
    /// of the peer counts.
    ///
    /// # Errors
    /// When the server is not open.
    #[napi(catch_unwind)]
    pub fn client_address(
        &self,
        server: u32,
        peer: String,
        fields: String,
    ) -> Result<Option<String>> {
        let server = self.server(server)?;
        let peer = read_address(&peer);
        let trust = server.trust_proxy.as_ref();
        let client = trust.and_then(|trust| trust.client(peer, fields.as_bytes()));
        Ok(client.map(|client| client.to_string()))
    }
}

impl DataPlane {
    /// Who is at the other end of the connection that was looked at last.
    fn peeked_peer(server: &Server, stream: &TcpStream, peeked: &Peeked) -> Peer {
        let peer = stream.peer_addr().ok().map(|peer| peer.ip());
        let trust = server.trust_proxy.as_ref();
        Peer { told: None, client: trust.and_then(|trust| trust.client(peer, peeked.fields())) }
    }
}
