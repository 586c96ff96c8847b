//! What leaves by the connection.

use std::rc::Rc;

use super::{HttpWire, State};
use crate::engineio::{Body, PostFault};
use crate::http::request::Persistence;
use crate::http::response::{self, Connection, Content, REQUEST_TIMEOUT};
use crate::net::command::{Answer, CloseHttp, RequestEvent};
use crate::net::context::{AnsweredWire, Wire as _, WorkerContext};
use crate::net::tcp::Written;
use crate::net::transfer::Channel;

const TEXT: &str = "text/plain; charset=UTF-8";
const BYTES: &str = "application/octet-stream";
const HTML: &str = "text/html";
/// The answers to a POST whose body can't be taken.
const TOO_LARGE: u16 = 413;
const TIMED_OUT: u16 = 408;
/// What a good POST gets.
const OK: Body = Body::Ok;

impl AnsweredWire for HttpWire {
    fn handle_answer(self: Rc<Self>, context: &WorkerContext, generation: u32, answer: Answer) {
        fault!("answer", self.environment_id(), self.handover.token);
        let Some(exchange) = self.exchange.get() else { return };
        let expected = matches!(self.state.get(), State::Waiting { .. } | State::Body { .. });
        if !expected || generation != exchange.generation {
            return;
        }
        match answer {
            Answer::Respond { after: Some(after), .. }
                if !self.ended.get() && self.is_ahead_of(exchange, after) =>
            {
                self.delay_answer(context, after);
            }
            Answer::Respond { status, body, .. } => self.respond(context, status, &body),
            Answer::Lent { .. } => {}
            Answer::Drop => self.finish(context),
            Answer::Refused if self.kept() > 0 => {
                let input = self.input.take();
                self.give_back(context, &input);
            }
            Answer::Refused => self.refused.set(true),
        }
    }

    fn handle_timeout(self: Rc<Self>, context: &WorkerContext, entry: u64, now: u64) {
        fault!("http timeout", self.environment_id(), self.handover.token);
        if self.scheduled.get() != entry {
            return;
        }
        self.scheduled.set(u64::MAX);
        if self.deadline.get() > now {
            return self.schedule(context);
        }
        if self.is_stalled() || self.is_held.get() {
            return self.put_off_timeout(context);
        }
        match self.state.get() {
            // The idle time begins with the last byte of the answer.
            State::Idle { .. } if self.is_blocked() => self.await_request(context),
            State::Idle { .. } => self.finish(context),
            State::Head { deadline, .. } if deadline > now => self.finish(context),
            State::Body { .. } if self.is_body_first() => {
                self.await_answer(self.kept());
                self.post(context, RequestEvent::PostFault(PostFault::TimedOut));
            }
            State::Head { .. } | State::Body { .. } => {
                self.queue(context, |out| out.extend_from_slice(REQUEST_TIMEOUT));
                self.write_out(context);
                self.handle_end(context);
            }
            State::Waiting { .. } | State::Full { .. } | State::Ready | State::Gone => {}
        }
    }

    fn handle_close(self: Rc<Self>, context: &WorkerContext, close: CloseHttp) {
        fault!("http close", self.environment_id(), self.handover.token);
        if self.handover.listener != close.listener || self.environment_id() != close.environment {
            return;
        }
        let idle = self.is_idle() && !self.is_blocked();
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

    fn hold(&self, context: &WorkerContext, environment: u32, server: u32, is_held: bool) {
        self.set_held(context, environment, server, is_held);
    }

    fn hand_over(self: Rc<Self>, context: &WorkerContext, server: u32, channel: &Channel) {
        self.carry(context, server, channel);
    }
}

impl HttpWire {
    /// There is room again for what the client sends.
    pub(super) fn answer_delayed(&self, context: &WorkerContext) {
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
        let persistence = self.exchange.get().map_or(Persistence::Keep, |it| it.persistence);
        let connection = match persistence {
            Persistence::Http10 => Connection::CloseUnchunked,
            Persistence::Keep if !self.closing.get() => {
                Connection::KeepAlive(self.handover.profile.keep_alive)
            }
            Persistence::Keep | Persistence::Close => Connection::Close,
        };
        let answer = if compress { self.compressed(answer) } else { answer };
        let own = self.lines.take();
        let lines = own.as_ref().map_or(&self.handover.profile.lines, |lines| &lines.0);
        self.queue(context, |out| {
            response::write(out, status, answer, lines, connection, &context.date());
        });
        // As upstream: the rest of a body that is refused is not waited for, whatever the answer says.
        if matches!(status, TOO_LARGE | TIMED_OUT) || persistence != Persistence::Keep {
            self.closing.set(true);
            self.input.take();
        }
        self.end_request(context);
        self.write_out(context);
    }

    /// The same content, to be compressed if it is large enough and the client takes it.
    fn compressed<'a>(&self, content: Content<'a>) -> Content<'a> {
        let encoding = self.exchange.get().and_then(|exchange| exchange.encoding);
        match (content, encoding, self.handover.profile.compress_from) {
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
        let skip = match self.state.get() {
            State::Body { head, length, .. } => (head + length).saturating_sub(self.input.len()),
            State::Idle { .. }
            | State::Head { .. }
            | State::Waiting { .. }
            | State::Full { .. }
            | State::Ready
            | State::Gone => 0,
        };
        self.input.drop_front(self.kept());
        self.state.set(State::Idle { skip });
        self.await_request(context);
        if !self.input.is_empty() {
            self.tcp.wake(context);
        }
    }

    pub(super) fn queue(&self, context: &WorkerContext, write: impl FnOnce(&mut Vec<u8>)) {
        self.out.borrow_mut().append(|| context.spare_buffer(), write);
    }

    /// Whether the peer has not taken all of the last answer.
    pub fn is_blocked(&self) -> bool {
        !self.out.borrow().is_empty()
    }

    /// Whether no request has begun.
    pub(super) fn is_idle(&self) -> bool {
        matches!(self.state.get(), State::Idle { .. })
    }

    /// Writes what is to be written, as far as the peer takes it.
    pub fn write_out(&self, context: &WorkerContext) {
        let written = self.tcp.write(context, &mut self.out.borrow_mut());
        match written {
            Written::All => self.end_behind_answer(context),
            // Nothing is read from it any more, so nobody else finds out.
            Written::Broken if self.ended.get() => self.handle_end(context),
            Written::Broken | Written::Blocked => {}
        }
    }

    /// Ends the connection if it is to end with the last answer, and that has left.
    pub(super) fn end_behind_answer(&self, context: &WorkerContext) {
        let is_last = self.closing.get() || self.ended.get() && self.input.is_empty();
        if is_last && self.is_idle() && !self.is_blocked() {
            self.finish(context);
        }
    }
}
