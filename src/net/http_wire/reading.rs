//! What comes by the connection.

use std::rc::Rc;

use super::{Exchange, HttpWire, LOOKAHEAD, MAX_HEAD_PIECES, State};
use crate::engineio::{PostFault, Transport};
use crate::http::encoding::Encoding;
use crate::http::request::{self, Method, Persistence, Reading, Request};
use crate::id::Handle;
use crate::net::budget::HeldBytes;
use crate::net::clients::Clients;
use crate::net::command::RequestEvent;
use crate::net::context::{Wire as _, WorkerContext};
use crate::net::tcp::Next;

impl HttpWire {
    /// Does what can be done without reading, and says what is to be done then.
    pub fn next(self: &Rc<Self>, context: &WorkerContext, clients: &Clients) -> Next {
        if self.state.get() == State::Ready {
            self.answer_delayed(context);
        }
        if self.is_held.get() && !self.is_gone() {
            return Next::Wait;
        }
        if self.is_idle() && !self.input.is_empty() {
            let bytes = self.input.take();
            self.handle_bytes(context, clients, &bytes);
        }
        if self.ended.get() {
            self.handle_last_bytes(context);
        }
        if self.is_gone() {
            Next::Gone
        // Nothing more comes; and a peer that has not taken the last answer does not get another one.
        } else if self.ended.get()
            || self.is_blocked()
            || self.has_read_ahead()
            || !self.may_read(context)
        {
            Next::Wait
        } else {
            Next::Read(usize::MAX)
        }
    }

    /// All that the peer will ever send is in `input`, or has been handled.
    fn handle_last_bytes(&self, context: &WorkerContext) {
        match self.state.get() {
            State::Head { .. } | State::Body { .. } => self.handle_last(context),
            State::Idle { .. } => self.end_behind_answer(context),
            State::Waiting { .. } | State::Full { .. } | State::Ready | State::Gone => {}
        }
    }

    fn has_read_ahead(&self) -> bool {
        let before = match self.state.get() {
            State::Waiting { kept } => self.input.len() - kept,
            State::Full { .. } | State::Ready => self.input.len(),
            State::Idle { .. } | State::Head { .. } | State::Body { .. } | State::Gone => 0,
        };
        before >= LOOKAHEAD
    }

    /// Bytes as they came from the peer.
    pub fn handle_bytes(&self, context: &WorkerContext, clients: &Clients, bytes: &[u8]) {
        fault!("http read", self.environment_id(), self.handover.token);
        match self.state.get() {
            State::Gone => {}
            State::Waiting { .. } | State::Full { .. } | State::Ready => self.input.extend(bytes),
            State::Idle { skip } if skip >= bytes.len() => {
                self.state.set(State::Idle { skip: skip - bytes.len() });
            }
            State::Idle { skip } => {
                self.handle_request(context, clients, &bytes[skip..], 0, None);
            }
            State::Head { pieces, deadline } => {
                let mut all = self.input.take();
                let known = all.len();
                all.extend_from_slice(bytes);
                if pieces >= MAX_HEAD_PIECES
                    && all.len() <= self.handover.profile.rules.max_head
                    && !has_empty_line(&all[known.saturating_sub(3)..])
                {
                    self.input.put(&all);
                    return self.await_head(context, deadline);
                }
                self.handle_request(context, clients, &all, pieces, Some(deadline));
            }
            State::Body { head, length, binary, chunks } => {
                self.input.extend_towards(bytes, head + length);
                self.handle_body(context, clients, head, length, binary, chunks + 1);
            }
        }
    }

    /// The first request, a GET that has opened `session`. It has been taken off the connection, so it
    /// can't be given back; and it need not be, as a new session takes it.
    pub fn handle_opening(
        &self,
        context: &WorkerContext,
        clients: &Clients,
        session: Handle,
        encoding: Option<Encoding>,
        persistence: Persistence,
    ) {
        let exchange = self.begin(context, session, encoding, persistence);
        self.await_answer(0);
        clients.handle_request(context, session, self.name(exchange), RequestEvent::Get);
    }

    fn begin(
        &self,
        context: &WorkerContext,
        session: Handle,
        encoding: Option<Encoding>,
        persistence: Persistence,
    ) -> Exchange {
        let generation = context.http_table.next_generation();
        let exchange = Exchange { session, generation, encoding, persistence };
        self.exchange.set(Some(exchange));
        exchange
    }

    /// The beginning of a request, of which so many pieces have come before. `deadline`: when its head must
    /// be whole, if that is known.
    fn handle_request(
        &self,
        context: &WorkerContext,
        clients: &Clients,
        bytes: &[u8],
        pieces: u8,
        deadline: Option<u64>,
    ) {
        match request::read(bytes, &self.handover.profile.rules) {
            Reading::Partial if pieces <= MAX_HEAD_PIECES => {
                let deadline = deadline.unwrap_or_else(|| self.head_deadline());
                self.input.put(bytes);
                self.state.set(State::Head { pieces: pieces + 1, deadline });
                self.await_head(context, deadline);
            }
            Reading::Partial | Reading::Foreign => self.give_back(context, bytes),
            Reading::Request(request) => match self.session_of(&request, bytes.len()) {
                Some(session) => self.hand_over(context, clients, bytes, &request, session),
                None => self.give_back(context, bytes),
            },
        }
    }

    /// The session of a request of which so many bytes have come, if it is to be answered here.
    fn session_of(&self, request: &Request<'_>, came: usize) -> Option<Handle> {
        // What follows the request is pipelined: for Node.js.
        if came > request.head + request.body
            || self.handover.recalls != self.handover.server.recalls()
            || !self.has_lines(request.origin)
        {
            return None;
        }
        let entry = self.handover.server.sessions.get(request.sid)?;
        let fits = entry.transport == Transport::Polling
            && entry.protocol == request.protocol
            && !entry.requests.are_shown();
        fits.then_some(entry.handle)
    }

    /// Looks for the headers that an answer to requests from `origin` begins with. False: only JavaScript knows them.
    fn has_lines(&self, origin: &[u8]) -> bool {
        if !self.handover.profile.by_origin {
            return true;
        }
        let lines = self.handover.server.cross_origin.lines(origin);
        let known = lines.is_some();
        self.lines.set(lines);
        known
    }

    fn hand_over(
        &self,
        context: &WorkerContext,
        clients: &Clients,
        bytes: &[u8],
        request: &Request<'_>,
        session: Handle,
    ) {
        let exchange = self.begin(context, session, request.encoding, request.persistence);
        let name = self.name(exchange);
        let &Request { method, head, body: length, binary, .. } = request;
        let whole = bytes.len() == head + length;
        let is_kept = !whole || session.worker() != context.index;
        if is_kept {
            self.input.put(bytes);
        }
        if whole {
            self.await_answer(if is_kept { bytes.len() } else { 0 });
        } else {
            let chunks = u32::from(bytes.len() > head);
            self.state.set(State::Body { head, length, binary, chunks });
            self.await_body(context);
        }
        match method {
            Method::Get => clients.handle_request(context, session, name, RequestEvent::Get),
            Method::Post if whole => {
                let budget = &self.handover.server.environment.inbox.budget;
                clients.handle_post(context, session, name, &bytes[head..], binary, budget);
            }
            Method::Post => {
                clients.handle_request(context, session, name, RequestEvent::PostStart);
            }
        }
        if self.refused.replace(false) {
            self.give_back(context, bytes);
        }
    }

    /// More of a body has come.
    fn handle_body(
        &self,
        context: &WorkerContext,
        clients: &Clients,
        head: usize,
        length: usize,
        binary: bool,
        chunks: u32,
    ) {
        let input = self.input.borrow();
        let end = head + length;
        if chunks > self.handover.server.engine.max_chunks {
            drop(input);
            return self.end_body(
                context,
                clients,
                RequestEvent::PostFault(PostFault::TooManyChunks),
            );
        }
        if input.len() < end {
            self.state.set(State::Body { head, length, binary, chunks });
            return;
        }
        drop(input);
        let body = self.take_body(head, end);
        self.end_body(context, clients, RequestEvent::PostBody { body, binary });
    }

    /// Takes a whole body out of `input`.
    fn take_body(&self, head: usize, end: usize) -> HeldBytes {
        let budget = &self.handover.server.environment.inbox.budget;
        let worker = self.handle.worker();
        if self.exchange.get().is_none_or(|exchange| exchange.session.worker() != worker) {
            // The session may still refuse the request: then all of it is given back.
            return HeldBytes::new(budget, worker, self.input.borrow()[head..end].to_vec());
        }
        // It has taken the request, so nothing will be given back of it.
        let mut bytes = self.input.take();
        self.input.put(&bytes.split_off(end));
        self.await_answer(0);
        HeldBytes::behind(budget, worker, bytes, head)
    }

    /// Nothing more of a body is waited for: the session gets it, or why it can't be taken.
    fn end_body(&self, context: &WorkerContext, clients: &Clients, event: RequestEvent) {
        self.await_answer(self.kept());
        if let Some(exchange) = self.exchange.get() {
            clients.handle_request(context, exchange.session, self.name(exchange), event);
        }
    }
}

/// Whether one line end follows another.
fn has_empty_line(bytes: &[u8]) -> bool {
    let ends = |end: &[u8]| bytes.windows(end.len()).any(|window| window == end);
    ends(b"\n\r\n") || ends(b"\n\n")
}
