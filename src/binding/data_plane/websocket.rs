//! How WebSocket connections come in: the handshake, take-over, and the byte bridge.
#![expect(clippy::needless_pass_by_value, reason = "arguments from JavaScript come by value")]
#![expect(clippy::too_many_arguments, reason = "the members of an object cost more to read")]

use std::sync::Arc;

use napi::Result;
use napi::bindgen_prelude::{Buffer, BufferSlice};
use napi_derive::napi;

use super::{DataPlane, read_dialect, read_peer};
use crate::binding::error::BorderError;
use crate::binding::options::DeflateAnswer;
use crate::border::{returned, wire_kind};
use crate::id::Sid;
use crate::net::budget::HeldBytes;
use crate::net::command::{
    BridgeEvent, Command, EndWires, IncomingStream, IncomingWebSocket, Purpose, UpgradeResponse,
};
use crate::net::descriptor::duplicate;
use crate::net::peer::Peer;
use crate::websocket::extension::{self, Agreement};
use crate::websocket::handshake;

/// Characters of a `Sec-WebSocket-Key`: 16 bytes in base64.
const KEY_LEN: usize = 24;

#[napi]
impl DataPlane {
    /// Checks the request of a WebSocket upgrade. Gives the head of the answer; a refusal begins
    /// with "!" and is JSON: `{status, message, headers}`.
    #[napi(catch_unwind)]
    pub fn check_upgrade(
        &self,
        method: String,
        upgrade: Option<String>,
        key: Option<String>,
        version: Option<String>,
        protocols: Option<String>,
        extra_headers: String,
    ) -> String {
        let request = handshake::Request {
            method: &method,
            upgrade: upgrade.as_deref(),
            key: key.as_deref(),
            version: version.as_deref(),
            protocol: protocols.as_deref(),
        };
        match handshake::check(&request) {
            Ok(accept) => {
                let mut response = Vec::with_capacity(256);
                accept.write_response(&mut response, &extra_headers);
                // The headers came as strings, so this is one too.
                String::from_utf8_lossy(&response).into_owned()
            }
            Err(reject) => format!(
                "!{}",
                serde_json::json!({
                    "status": reject.status(),
                    "message": reject.message(),
                    "headers": reject.extra_headers(),
                })
            ),
        }
    }

    /// Answers the `Sec-WebSocket-Extensions` of an upgrade request; nothing when there is nothing
    /// to agree on.
    ///
    /// # Errors
    /// When the server is not open.
    #[napi(catch_unwind)]
    pub fn negotiate_deflate(&self, server: u32, offers: String) -> Result<Option<DeflateAnswer>> {
        let server = self.server(server)?;
        let Some(compression) = &server.compression else { return Ok(None) };
        Ok(match extension::negotiate(&offers, compression.settings) {
            Ok(None) => None,
            Ok(Some((agreement, value))) => {
                Some(DeflateAnswer { agreement: agreement.to_bits(), value })
            }
            Err(refusal) => Some(DeflateAnswer {
                agreement: returned::NO_AGREEMENT,
                value: refusal.to_string(),
            }),
        })
    }

    /// Takes a WebSocket connection over: duplicates `fd`, so that JavaScript can drop its socket.
    /// The worker is not told before the next [`DataPlane::wake`]: connections come in bursts, and to
    /// wake a thread costs more than all the rest of this.
    ///
    /// `kind`: bits of `WireKind` and of `Dialect`, and what was agreed on about compression
    /// ([`DeflateAnswer::agreement`]). `answer`: the whole answer to the upgrade request, or with
    /// `KEY_ONLY` its `Sec-WebSocket-Key`, which has been checked, followed by further header lines.
    /// `head`: bytes that came behind the request. `client`: the address of the client, where the descriptor does not tell it.
    ///
    /// # Errors
    /// When the descriptor can't be duplicated or the server is not open.
    #[napi(catch_unwind)]
    pub fn take_over(
        &self,
        server: u32,
        token: u32,
        sid: String,
        kind: u32,
        fd: i32,
        answer: String,
        head: Option<BufferSlice<'_>>,
        client: Option<String>,
    ) -> Result<bool> {
        let stream = IncomingStream::Tcp(duplicate(fd).map_err(BorderError::TakeOver)?.into());
        let incoming = Incoming { server, token, sid, kind, answer };
        self.accept(incoming, stream, head.as_deref(), read_peer(client.as_deref()))
    }

    /// Like [`DataPlane::take_over`], for a stream that JavaScript pumps: bytes from the peer come by
    /// [`DataPlane::bridge_data`], bytes to it leave as records.
    ///
    /// # Errors
    /// When the server is not open.
    #[napi(catch_unwind)]
    pub fn bridge_open(
        &self,
        server: u32,
        token: u32,
        sid: String,
        kind: u32,
        answer: String,
        head: Option<BufferSlice<'_>>,
        client: Option<String>,
    ) -> Result<bool> {
        let incoming = Incoming { server, token, sid, kind, answer };
        let peer = read_peer(client.as_deref());
        self.accept(incoming, IncomingStream::Bridge, head.as_deref(), peer)
    }

    /// Tells the workers of the connections that they have been given.
    #[napi(catch_unwind)]
    pub fn wake(&self) {
        let workers_to_wake = self.workers_to_wake.take();
        if workers_to_wake == 0 {
            return;
        }
        if let Some(runtime) = self.shared.runtime() {
            for worker in
                (0..runtime.workers()).filter(|worker| workers_to_wake & (1 << worker) != 0)
            {
                runtime.mailbox(worker).parker.unpark();
            }
        }
    }

    /// Ends connections that workers have, as if their peers had: those with these tokens.
    #[napi(catch_unwind)]
    pub fn end_wires(&self, tokens: Vec<u32>) {
        let Some(runtime) = self.shared.runtime() else { return };
        let tokens = tokens.into_iter().collect();
        let end = Arc::new(EndWires { environment: self.environment.id, tokens });
        for worker in 0..runtime.workers() {
            runtime.mailbox(worker).post_command(Command::EndWires(Arc::clone(&end)));
        }
    }

    /// Bytes from the peer of a bridged stream. False: there is no room for more; the stream is not to
    /// be read before a record says so.
    #[napi(catch_unwind)]
    pub fn bridge_data(&self, token: u32, chunk: Buffer) -> bool {
        let Some(&worker) = self.bridged.borrow().get(&token) else { return true };
        let budget = &self.environment.inbox.budget;
        let bytes = HeldBytes::new(budget, worker, chunk.to_vec());
        let paused = !budget.has_room(worker);
        self.bridge_event(token, BridgeEvent::Data { bytes, paused });
        !paused
    }

    /// So many bytes of a bridged stream have been written.
    #[napi(catch_unwind)]
    pub fn bridge_written(&self, token: u32, bytes: u32) {
        self.bridge_event(token, BridgeEvent::Written(bytes as usize));
    }

    /// A bridged stream has ended or was closed; `broken`: it has failed.
    #[napi(catch_unwind)]
    pub fn bridge_end(&self, token: u32, broken: bool) {
        self.bridge_event(token, BridgeEvent::End { broken });
        self.bridged.borrow_mut().remove(&token);
    }
}

/// A connection as JavaScript describes it; see [`DataPlane::take_over`]. It does so by single arguments: the
/// members of an object cost more to read, and this is the way by which most clients come.
pub(super) struct Incoming {
    pub(super) server: u32,
    pub(super) token: u32,
    pub(super) sid: String,
    pub(super) kind: u32,
    pub(super) answer: String,
}

impl Incoming {
    fn response(kind: u32, mut answer: String) -> UpgradeResponse {
        if kind & wire_kind::KEY_ONLY == 0 || !answer.is_char_boundary(KEY_LEN) {
            return UpgradeResponse::Whole(answer.into_bytes());
        }
        let headers = answer.split_off(KEY_LEN);
        UpgradeResponse::Accept { key: answer, headers }
    }
}

impl DataPlane {
    /// Gives a connection to a worker; false when the session to be upgraded has gone.
    pub(super) fn accept(
        &self,
        incoming: Incoming,
        stream: IncomingStream,
        head: Option<&[u8]>,
        peer: Peer,
    ) -> Result<bool> {
        let Incoming { server, token, sid, kind, answer } = incoming;
        let runtime = self.shared.runtime().ok_or(BorderError::Ended)?;
        let (worker, purpose, ticket) = if kind & wire_kind::NEW_SESSION != 0 {
            (runtime.pick(), Purpose::Session(Sid::new(&sid)), self.ticket.take())
        } else {
            match self.session(server, &sid) {
                Some(handle) => (handle.worker(), Purpose::Upgrade(handle.slot()), None),
                None => return Ok(false),
            }
        };
        if matches!(stream, IncomingStream::Bridge) {
            self.bridged.borrow_mut().insert(token, worker);
        }
        let websocket = IncomingWebSocket {
            server: self.server(server)?,
            token,
            purpose,
            dialect: read_dialect(kind),
            stream,
            head: head.unwrap_or_default().to_vec(),
            response: Incoming::response(kind, answer),
            deflate: Agreement::from_bits(kind >> wire_kind::AGREEMENT_SHIFT),
            peer,
            news: None,
            ticket,
        };
        runtime.mailbox(worker).leave_command(Command::IncomingWebSocket(Box::new(websocket)));
        self.wake_later(worker);
        Ok(true)
    }

    /// Notes that a worker has a command of which the next [`DataPlane::wake`] is to tell it.
    pub(super) fn wake_later(&self, worker: usize) {
        self.workers_to_wake.set(self.workers_to_wake.get() | 1 << worker);
    }

    fn bridge_event(&self, token: u32, event: BridgeEvent) {
        let Some(&worker) = self.bridged.borrow().get(&token) else { return };
        if let Some(runtime) = self.shared.runtime() {
            let key = (self.environment.id, token);
            runtime.mailbox(worker).post_command(Command::Bridge { key, event });
        }
    }
}
