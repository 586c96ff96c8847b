//! What comes by the connection.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{self, Poll};

use tokio::io::{AsyncRead as _, ReadBuf};

use super::{HttpWire, LOOKAHEAD, MAX_HEAD_PIECES, READS_PER_TURN, Sessions, State};
use crate::engineio::{PostFault, Transport};
use crate::http::encoding::Encoding;
use crate::http::request::{self, Method, Reading, Request};
use crate::id::Handle;
use crate::net::budget::HeldBytes;
use crate::net::command::PollEvent;
use crate::net::context::{Wire as _, WorkerContext};

impl HttpWire {
    /// Drives the socket; ready when it is gone.
    pub fn poll_drive(
        self: &Rc<Self>,
        context: &WorkerContext,
        sessions: &dyn Sessions,
        cx: &mut task::Context<'_>,
    ) -> Poll<()> {
        {
            let mut waker = self.waker.borrow_mut();
            if !waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
                *waker = Some(cx.waker().clone());
            }
        }
        self.poll_blocked(context, cx);
        if self.state.get() == (State::Full { room: true }) {
            self.answer_held(context);
        }
        for read in 0.. {
            if read >= READS_PER_TURN && !self.reads_on(context, read) {
                break;
            }
            if self.state.get() == State::Idle && !self.input.is_empty() {
                let bytes = self.input.take();
                self.handle_bytes(context, sessions, &bytes);
            }
            if self.is_gone() {
                return Poll::Ready(());
            }
            // Who does not take the last answer asks in vain for the next.
            if !self.out.borrow().is_empty() || self.has_read_ahead() || !self.may_read(context) {
                return Poll::Pending;
            }
            match self.poll_read(context, sessions, cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(0) | Err(_)) => {
                    self.handle_end(context);
                    return Poll::Ready(());
                }
                Poll::Ready(Ok(_)) => {}
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn poll_blocked(self: &Rc<Self>, context: &WorkerContext, cx: &mut task::Context<'_>) {
        while !self.out.borrow().is_empty() {
            match self.tcp.borrow().as_ref().map(|tcp| tcp.poll_write_ready(cx)) {
                Some(Poll::Ready(Ok(()))) => {}
                Some(Poll::Pending | Poll::Ready(Err(_))) | None => return,
            }
            self.write_out(context);
        }
    }

    fn has_read_ahead(&self) -> bool {
        let waits = matches!(self.state.get(), State::Waiting | State::Full { .. });
        waits && self.input.len() - self.kept.get() >= LOOKAHEAD
    }

    fn poll_read(
        self: &Rc<Self>,
        context: &WorkerContext,
        sessions: &dyn Sessions,
        cx: &mut task::Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let mut buffer = context.read_buffer();
        let mut read = ReadBuf::new(&mut buffer);
        {
            let mut tcp = self.tcp.borrow_mut();
            let Some(tcp) = tcp.as_mut() else { return Poll::Ready(Ok(0)) };
            match Pin::new(tcp).poll_read(cx, &mut read) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Ready(Ok(())) => {}
            }
        }
        let n = read.filled().len();
        fault!("http read", self.environment_id(), self.token);
        if n > 0 {
            self.handle_bytes(context, sessions, &buffer[..n]);
        }
        Poll::Ready(Ok(n))
    }

    /// Bytes as they came from the peer.
    fn handle_bytes(&self, context: &WorkerContext, sessions: &dyn Sessions, bytes: &[u8]) {
        let skipped = self.skipped.get().min(bytes.len());
        self.skipped.set(self.skipped.get() - skipped);
        let bytes = &bytes[skipped..];
        if bytes.is_empty() {
            return;
        }
        match self.state.get() {
            State::Gone => {}
            State::Waiting | State::Full { .. } => self.input.extend(bytes),
            State::Idle => self.handle_request(context, sessions, bytes, 0),
            State::Head { pieces } => {
                let mut all = self.input.take();
                let known = all.len();
                all.extend_from_slice(bytes);
                if pieces >= MAX_HEAD_PIECES
                    && all.len() <= self.profile.rules.max_head
                    && !has_empty_line(&all[known.saturating_sub(3)..])
                {
                    self.input.put(&all);
                    return self.await_head(context);
                }
                self.handle_request(context, sessions, &all, pieces);
            }
            State::Body { head, length, binary, chunks } => {
                self.input.extend(bytes);
                self.handle_body(sessions, head, length, binary, chunks + 1);
            }
        }
    }

    /// The GET that came first, by which `session` has been opened. It has been taken off the
    /// connection, and can't be given back; but a session that has just been opened takes it.
    pub fn handle_opening(
        &self,
        context: &WorkerContext,
        sessions: &dyn Sessions,
        session: Handle,
        encoding: Option<Encoding>,
    ) {
        self.begin_request(context, session, encoding);
        self.await_answer();
        sessions.handle_get(session, self.request());
    }

    fn begin_request(&self, context: &WorkerContext, session: Handle, encoding: Option<Encoding>) {
        self.generation.set(context.http_table.next_generation());
        self.session.set(session);
        self.encoding.set(encoding);
    }

    /// The beginning of a request, which came in so many pieces before.
    fn handle_request(
        &self,
        context: &WorkerContext,
        sessions: &dyn Sessions,
        bytes: &[u8],
        pieces: u8,
    ) {
        match request::read(bytes, &self.profile.rules) {
            Reading::Partial if pieces <= MAX_HEAD_PIECES => {
                self.input.put(bytes);
                if pieces == 0 {
                    self.begin_head();
                }
                self.state.set(State::Head { pieces: pieces + 1 });
                self.await_head(context);
            }
            Reading::Partial | Reading::Foreign => self.give_back(context, bytes),
            Reading::Request(request) => match self.session_of(&request, bytes.len()) {
                Some(session) => self.hand_over(context, sessions, bytes, &request, session),
                None => self.give_back(context, bytes),
            },
        }
    }

    /// The session of a request of which so many bytes have come, if it is to be answered here.
    fn session_of(&self, request: &Request<'_>, came: usize) -> Option<Handle> {
        // What stands behind the request is pipelined, and Node.js reads ahead.
        if came > request.head + request.body || self.recalls != self.server.recalls() {
            return None;
        }
        let entry = self.server.sessions.get(request.sid)?;
        let fits = entry.transport == Transport::Polling
            && entry.protocol == request.protocol
            && !entry.requests.are_shown();
        fits.then_some(entry.handle)
    }

    fn hand_over(
        &self,
        context: &WorkerContext,
        sessions: &dyn Sessions,
        bytes: &[u8],
        request: &Request<'_>,
        session: Handle,
    ) {
        self.begin_request(context, session, request.encoding);
        let &Request { method, head, body: length, binary, .. } = request;
        let whole = bytes.len() == head + length;
        if !whole || session.worker() != context.index {
            self.input.put(bytes);
            self.kept.set(bytes.len());
        }
        if whole {
            self.await_answer();
        } else {
            let chunks = u32::from(bytes.len() > head);
            self.state.set(State::Body { head, length, binary, chunks });
            self.await_body(context);
        }
        match method {
            Method::Get => sessions.handle_get(session, self.request()),
            Method::Post if whole => {
                let budget = &self.server.environment.inbox.budget;
                sessions.handle_post(session, self.request(), &bytes[head..], binary, budget);
            }
            Method::Post => {
                sessions.handle_event(session, self.request(), PollEvent::PostStart);
            }
        }
        if self.refused.replace(false) {
            self.give_back(context, bytes);
        }
    }

    /// More of a body has come.
    fn handle_body(
        &self,
        sessions: &dyn Sessions,
        head: usize,
        length: usize,
        binary: bool,
        chunks: u32,
    ) {
        let input = self.input.borrow();
        let end = head + length;
        self.kept.set(input.len().min(end));
        if chunks > self.server.engine.max_chunks {
            drop(input);
            return self.refuse_body(sessions, PostFault::TooManyChunks);
        }
        if input.len() < end {
            self.state.set(State::Body { head, length, binary, chunks });
            return;
        }
        let budget = &self.server.environment.inbox.budget;
        let body = HeldBytes::new(budget, self.handle.worker(), input[head..end].to_vec());
        drop(input);
        self.await_answer();
        let event = PollEvent::PostBody { body, binary };
        sessions.handle_event(self.session.get(), self.request(), event);
    }

    /// The body can't be taken: the session answers, and the connection ends with that.
    fn refuse_body(&self, sessions: &dyn Sessions, fault: PostFault) {
        self.await_answer();
        let event = PollEvent::PostFault(fault);
        sessions.handle_event(self.session.get(), self.request(), event);
    }
}

/// Whether there is a line end right behind another one.
fn has_empty_line(bytes: &[u8]) -> bool {
    let ends = |end: &[u8]| bytes.windows(end.len()).any(|window| window == end);
    ends(b"\n\r\n") || ends(b"\n\n")
}
