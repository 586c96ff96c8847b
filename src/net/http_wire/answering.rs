//! What leaves by the connection.

use std::io;
use std::rc::Rc;

use super::{HttpWire, State};
use crate::engineio::{Body, PostFault};
use crate::http::response::{self, Connection, Content, REQUEST_TIMEOUT};
use crate::net::command::{Answer, CloseHttp, PollEvent};
use crate::net::context::{Requester, Wire as _, WorkerContext};

const TEXT: &str = "text/plain; charset=UTF-8";
const BYTES: &str = "application/octet-stream";
const HTML: &str = "text/html";
/// What a POST gets whose body can't be taken.
const TOO_LARGE: u16 = 413;
const TIMED_OUT: u16 = 408;
/// What a good POST gets.
const OK: Body = Body::Ok;

impl Requester for HttpWire {
    fn handle_answer(self: Rc<Self>, context: &WorkerContext, generation: u32, answer: Answer) {
        fault!("answer", self.environment_id(), self.token);
        let state = self.state.get();
        let expected = matches!(state, State::Waiting | State::Body { .. });
        if !expected || generation != self.generation.get() {
            return;
        }
        match answer {
            Answer::Respond { after: Some(after), .. } if self.is_ahead_of(after) => {
                self.hold_answer(context, after);
            }
            Answer::Respond { status, body, .. } => self.respond(context, status, &body),
            Answer::Drop => self.finish(context),
            Answer::Refused if self.kept.get() > 0 => {
                let input = self.input.take();
                self.give_back(context, &input);
            }
            Answer::Refused => self.refused.set(true),
        }
    }

    fn handle_timeout(self: Rc<Self>, context: &WorkerContext, entry: u64, now: u64) {
        fault!("http timeout", self.environment_id(), self.token);
        if self.scheduled.get() != entry {
            return;
        }
        self.scheduled.set(u64::MAX);
        if self.deadline.get() > now {
            return self.schedule(context);
        }
        if self.is_stalled() {
            return self.put_off_timeout(context);
        }
        match self.state.get() {
            // The time counts from the last byte of the answer on.
            State::Idle if !self.out.borrow().is_empty() => self.await_request(context),
            State::Idle => self.finish(context),
            State::Head { .. } if self.head_deadline.get() > now => self.finish(context),
            State::Body { .. } if self.is_body_first() => {
                self.await_answer();
                self.post(context, PollEvent::PostFault(PostFault::TimedOut));
            }
            State::Head { .. } | State::Body { .. } => {
                self.out.borrow_mut().extend_from_slice(REQUEST_TIMEOUT);
                self.write_out(context);
                self.handle_end(context);
            }
            State::Waiting | State::Full { .. } | State::Gone => {}
        }
    }

    fn handle_close(self: Rc<Self>, context: &WorkerContext, close: CloseHttp) {
        fault!("http close", self.environment_id(), self.token);
        if self.listener != close.listener || self.environment_id() != close.environment {
            return;
        }
        let idle = self.state.get() == State::Idle && self.out.borrow().is_empty();
        if close.busy {
            self.handle_end(context);
        } else if idle && self.input.is_empty() {
            self.finish(context);
        } else if close.later {
            self.closing.set(true);
        }
    }

    fn end(self: Rc<Self>, context: &WorkerContext) {
        self.handle_end(context);
    }
}

impl HttpWire {
    /// There is room again for what the client sends.
    pub(super) fn answer_held(&self, context: &WorkerContext) {
        self.respond(context, 200, &OK);
    }

    fn respond(&self, context: &WorkerContext, status: u16, body: &Body) {
        let (answer, compress) = match body {
            Body::None => (Content::None, false),
            Body::Ok => (Content::Plain { media_type: HTML, body: b"ok" }, false),
            Body::Payload { text, compress } => {
                (Content::Plain { media_type: TEXT, body: text }, *compress)
            }
            Body::Binary { bytes, compress } => {
                (Content::Plain { media_type: BYTES, body: bytes }, *compress)
            }
        };
        let connection = if self.closing.get() {
            Connection::Close
        } else {
            Connection::KeepAlive(self.profile.keep_alive)
        };
        let answer = if compress { self.compressed(answer) } else { answer };
        let mut out = self.out.borrow_mut();
        if out.capacity() == 0 {
            *out = context.spare_buffer();
        }
        let lines = &self.profile.lines;
        response::write(&mut out, status, answer, lines, connection, &context.date());
        drop(out);
        if matches!(status, TOO_LARGE | TIMED_OUT) {
            // As upstream: the rest of the body is not waited for, whatever the answer says.
            self.closing.set(true);
            self.input.take();
        }
        self.end_request(context);
        self.write_out(context);
    }

    /// The same content, to be compressed if it is large enough and the client takes it.
    fn compressed<'a>(&self, content: Content<'a>) -> Content<'a> {
        match (content, self.encoding.get(), self.profile.compress_from) {
            (Content::Plain { media_type, body }, Some(encoding), Some(least))
                if body.len() >= least =>
            {
                Content::Compressed { media_type, body, encoding }
            }
            _ => content,
        }
    }

    /// The request has its answer: the next one may come, or has come already.
    fn end_request(&self, context: &WorkerContext) {
        if let State::Body { head, length, .. } = self.state.get() {
            self.skipped.set((head + length).saturating_sub(self.input.len()));
        }
        self.input.drop_front(self.kept.take());
        let more = !self.input.is_empty();
        self.await_request(context);
        if more {
            self.wake();
        }
    }

    /// Writes what is to be written, as far as the peer takes it.
    pub(super) fn write_out(&self, context: &WorkerContext) {
        let mut out = self.out.borrow_mut();
        let mut written = 0;
        let result = loop {
            if written == out.len() {
                break Ok(());
            }
            let tcp = self.tcp.borrow();
            let Some(tcp) = tcp.as_ref() else { break Ok(()) };
            match tcp.try_write(&out[written..]) {
                Ok(n) => written += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        if result.is_err() || written == out.len() {
            // After an error the reading side sees the end of the connection.
            out.clear();
            context.give_spare_buffer(std::mem::take(&mut *out));
        } else {
            out.drain(..written);
        }
        let left = !out.is_empty();
        drop(out);
        if left || result.is_err() {
            self.wake();
        } else if self.closing.get() && self.state.get() == State::Idle {
            self.finish(context);
        }
    }
}
