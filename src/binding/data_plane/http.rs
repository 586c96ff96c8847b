//! Connections that polling requests come by: to the workers, and back.
#![expect(clippy::needless_pass_by_value, reason = "arguments from JavaScript come by value")]

use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use napi::Result;
use napi_derive::napi;

use super::DataPlane;
use crate::binding::error::BorderError;
use crate::binding::options::millis;
use crate::border::returned;
use crate::http::request::Rules;
use crate::net::command::{CloseHttp, Command, HttpHandover, IncomingHttp, Opening};
use crate::net::descriptor::duplicate;
use crate::net::http_profile::Profile;
use crate::net::peer::Peer;
use crate::net::record::LONGEST_MESSAGE;
use crate::net::server::Lent;

/// A connection by which polling requests come, that JavaScript hands over.
#[napi(object)]
#[derive(Debug)]
pub struct HttpArrival {
    /// The number of the server that its requests are for.
    pub server: u32,
    /// JavaScript's name for the connection.
    pub token: u32,
    /// The session that a request by it was for, or that it opens.
    pub sid: String,
    /// JavaScript's name for the HTTP server that it came to.
    pub listener: u32,
    /// Whether it may begin anew at a worker, with a request that opens a session: all that is known of it can be asked of its
    /// socket. Else only JavaScript knows its addresses, or that TLS is spoken.
    pub begins_anew: bool,
    /// What is fixed for it.
    pub profile: HttpProfile,
}

/// What JavaScript fixes for a connection. Times are milliseconds (0: never), sizes bytes.
#[napi(object)]
#[derive(Debug)]
pub struct HttpProfile {
    /// The path of the server.
    pub path: String,
    /// Headers that every answer begins with, each with its line end; if `by_origin`, only the first one.
    pub lines: String,
    /// Whether they depend on the `Origin` of the request: see [`DataPlane::note_origin`].
    pub by_origin: bool,
    /// Seconds that the header `Keep-Alive` promises; absent when there is none.
    pub keep_alive: Option<f64>,
    /// After so long an idle connection is closed.
    pub idle_timeout: f64,
    /// The body of a request may take so long.
    pub request_timeout: f64,
    /// The head of a request may take so long.
    pub headers_timeout: f64,
    /// The head of a request, at most.
    pub max_head: f64,
    /// Answers of so many bytes are compressed; absent when none is.
    pub compress_from: Option<f64>,
}

impl HttpProfile {
    pub(super) fn read(self, max_body: usize) -> Profile {
        let size = |number: f64| usize::try_from(millis(number)).unwrap_or(usize::MAX);
        Profile {
            rules: Rules {
                path: self.path.into(),
                max_head: size(self.max_head),
                max_body,
                compression: self.compress_from.is_some(),
            },
            lines: self.lines.into(),
            by_origin: self.by_origin,
            keep_alive: self.keep_alive.map(millis),
            idle_timeout: millis(self.idle_timeout),
            headers_timeout: millis(self.headers_timeout),
            request_timeout: millis(self.request_timeout),
            compress_from: self.compress_from.map(size),
        }
    }
}

#[napi]
impl DataPlane {
    /// Hands the connection `fd`, of which nothing is to be answered that has been read, to the
    /// worker of its session, which answers the requests that come by it. The descriptor is
    /// duplicated: JavaScript closes its own. The worker is not told before the next
    /// [`DataPlane::wake`]. False: there is no such session any more.
    ///
    /// # Errors
    /// When the descriptor can't be duplicated, or the server is not open.
    #[napi(catch_unwind)]
    pub fn take_over_http(&self, fd: i32, arrival: HttpArrival) -> Result<bool> {
        let session = self.session(arrival.server, &arrival.sid);
        let Some(session) = session else { return Ok(false) };
        let stream = duplicate(fd).map_err(BorderError::TakeOver)?;
        self.accept_http(session.worker(), arrival, stream, None, Peer::default())?;
        Ok(true)
    }

    /// The descriptor of a connection that was given back; it is the caller's now. There may be none:
    /// `Returned.NO_DESCRIPTOR`.
    #[napi(catch_unwind)]
    pub fn take_descriptor(&self, token: u32) -> i32 {
        self.take_stream(token).map_or(returned::NO_DESCRIPTOR, descriptor)
    }

    /// Asks for all connections back that requests of a server come by: each comes with its next
    /// request.
    #[napi(catch_unwind)]
    pub fn recall_polling(&self, server: u32) {
        if let Some(server) = self.servers.borrow().get(&server) {
            server.recall_count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Notes the headers that answers begin with to requests of a server from `origin` ("": they do not say),
    /// each with its line end; without them, they are not known any more.
    #[napi(catch_unwind)]
    pub fn note_origin(&self, server: u32, origin: String, lines: Option<String>) {
        if let Some(server) = self.servers.borrow().get(&server) {
            server.cross_origin.note(origin.as_bytes(), lines.as_deref());
        }
    }

    /// Closes the connections that came to an HTTP server: the idle ones; if `busy`, all; if `later`, the
    /// others when they have answered.
    #[napi(catch_unwind)]
    pub fn close_polling(&self, listener: u32, busy: bool, later: bool) {
        let Some(runtime) = self.shared.runtime() else { return };
        let close = CloseHttp { environment: self.environment.id, listener, busy, later };
        for worker in 0..runtime.workers() {
            runtime.mailbox(worker).post_command(Command::CloseHttp(close));
        }
    }

    /// Says whether JavaScript wants to see each request of a session.
    #[napi(catch_unwind)]
    pub fn show_requests(&self, server: u32, sid: String, shown: bool) {
        if let Some(server) = self.servers.borrow().get(&server)
            && let Some(entry) = server.sessions.get(sid.as_str())
        {
            entry.requests.set_shown(shown);
        }
    }

    // --- requests of relayed connections, which JavaScript answers unless it is blocked ---

    /// Begins with the next request of a relayed connection. True: the worker has answered it, and what is answered now must
    /// go nowhere.
    #[napi(catch_unwind)]
    pub fn begin_relayed(&self, relay: u32) -> bool {
        self.environment.ledger(relay).is_some_and(|ledger| ledger.begin())
    }

    /// The session is to hear of a request of a relayed connection, under the token `request`. True: the worker has answered it,
    /// so it must not.
    #[napi(catch_unwind)]
    pub fn enter_relayed(&self, relay: u32, number: u32, request: u32) -> bool {
        let Some(ledger) = self.environment.ledger(relay) else { return false };
        let is_answered = ledger.enter(number);
        if !is_answered {
            self.environment.lend(request, Lent { relay, wire: ledger.wire, number });
        }
        is_answered
    }

    /// Its session has answered that request, or nobody waits for the answer.
    #[napi(catch_unwind)]
    pub fn leave_relayed(&self, request: u32) {
        self.environment.take_back(request);
    }

    /// The first byte of an answer to a request of a relayed connection is to leave. True: the worker has answered, so it must
    /// not.
    #[napi(catch_unwind)]
    pub fn claim_relayed(&self, relay: u32, number: u32) -> bool {
        self.environment.ledger(relay).is_some_and(|ledger| ledger.claim(number))
    }

    /// The answer to a request of a relayed connection is in the socket.
    #[napi(catch_unwind)]
    pub fn settle_relayed(&self, relay: u32, number: u32) {
        if let Some(ledger) = self.environment.ledger(relay) {
            ledger.settle(number);
        }
    }

    /// Requests of a relayed connection may be given to others from now on: the worker answers none of them before JavaScript has
    /// begun with it.
    #[napi(catch_unwind)]
    pub fn bypass_relayed(&self, relay: u32) {
        if let Some(ledger) = self.environment.ledger(relay) {
            ledger.bypass();
        }
    }

    /// Nothing more is to be asked about the requests of a relayed connection.
    #[napi(catch_unwind)]
    pub fn forget_relayed(&self, relay: u32) {
        self.environment.drop_ledger(relay);
    }

    /// Notes the headers that a program has set for an answer to a session's client, each with its line end.
    #[napi(catch_unwind)]
    pub fn note_lines(&self, server: u32, sid: String, lines: String) {
        if let Some(server) = self.servers.borrow().get(&server)
            && let Some(entry) = server.sessions.get(sid.as_str())
        {
            entry.requests.set_lines(&lines);
        }
    }

    /// Whether a request of this session waits for something to send.
    #[napi(catch_unwind)]
    pub fn is_polled(&self, server: u32, sid: String) -> bool {
        let servers = self.servers.borrow();
        let Some(server) = servers.get(&server) else { return false };
        server.sessions.get(sid.as_str()).is_some_and(|entry| entry.requests.is_parked())
    }
}

impl DataPlane {
    /// Takes a connection that was given to JavaScript. Workers that have waited for that accept again.
    pub(super) fn take_stream(&self, token: u32) -> Option<TcpStream> {
        let stream = self.environment.take_stream(token);
        let crowded = self.environment.take_crowded();
        if crowded != 0
            && let Some(runtime) = self.shared.runtime()
        {
            for worker in (0..runtime.workers()).filter(|worker| crowded & (1 << worker) != 0) {
                runtime.mailbox(worker).post_command(Command::Resume);
            }
        }
        stream
    }

    /// Gives a connection to a worker, which is not told before the next [`DataPlane::wake`].
    /// `opening`: what has been taken off it.
    pub(super) fn accept_http(
        &self,
        worker: usize,
        arrival: HttpArrival,
        stream: TcpStream,
        opening: Option<Opening>,
        peer: Peer,
    ) -> std::result::Result<(), BorderError> {
        let runtime = self.shared.runtime().ok_or(BorderError::Ended)?;
        let HttpArrival { server, token, listener, begins_anew, profile, .. } = arrival;
        let server = self.server(server)?;
        let profile = profile.read(server.engine.max_payload.min(LONGEST_MESSAGE));
        let profile = self.shared_profile(profile);
        let recalls = server.recalls();
        let listeners = self.listeners.borrow();
        let front = listeners.get(&listener).filter(|_| begins_anew);
        let front = front.map(|(_, front)| Arc::clone(front));
        let handover = HttpHandover { server, token, listener, front, profile, recalls };
        let http = IncomingHttp { handover, stream: stream.into(), opening, peer, news: None };
        runtime.mailbox(worker).leave_command(Command::IncomingHttp(Box::new(http)));
        self.wake_later(worker);
        Ok(())
    }

    /// The same profile, shared with the connection before if it is the same: nearly always.
    fn shared_profile(&self, profile: Profile) -> Arc<Profile> {
        let mut last = self.last_profile.borrow_mut();
        match &*last {
            Some(shared) if **shared == profile => Arc::clone(shared),
            _ => Arc::clone(last.insert(Arc::new(profile))),
        }
    }
}

#[cfg(unix)]
fn descriptor(stream: TcpStream) -> i32 {
    use std::os::fd::IntoRawFd as _;

    stream.into_raw_fd()
}

/// Nothing is taken over here, so nothing comes back.
#[cfg(not(unix))]
fn descriptor(_stream: TcpStream) -> i32 {
    -1
}
