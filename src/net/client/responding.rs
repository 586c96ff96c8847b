//! The answers to polling requests: to JavaScript, or to the connection that the request came by.

use super::{Client, Joining};
use crate::border::returned::UNKNOWN_SID;
use crate::border::{BodyKind, RecordKind};
use crate::engineio::{Body, RequestId};
use crate::net::command::{Answer, Command};
use crate::net::context::WorkerContext;
use crate::net::inbox::CLIENT_LIMIT;
use crate::net::request_name::RequestName;
use crate::net::server::Lent;

impl Client {
    pub(super) fn respond(
        &self,
        context: &WorkerContext,
        request: RequestId,
        status: u16,
        body: Body,
    ) {
        self.note_parked();
        match request.into() {
            RequestName::Native { .. } => {
                let delayed = body == Body::Ok && (self.is_ahead() || self.is_parted());
                let after = delayed.then(|| self.inbox_end.get());
                if let Some(after) = after {
                    self.delayed_until.set(after);
                }
                context.answer(request, Answer::Respond { status, body, after });
            }
            RequestName::Forwarded(token) => {
                self.show_deputy(context, token, &body);
                self.push_answer(|record| {
                    record.kind(RecordKind::Response).number(token).number(u32::from(status));
                    let (kind, buffer) = match body {
                        Body::None => (BodyKind::None, None),
                        Body::Payload { text, compress: false } => (BodyKind::Text, Some(text)),
                        Body::Payload { text, compress: true } => {
                            (BodyKind::CompressibleText, Some(text))
                        }
                        Body::Ok => (BodyKind::Ok, None),
                        Body::Binary { bytes, compress: false } => (BodyKind::Bytes, Some(bytes)),
                        Body::Binary { bytes, compress: true } => {
                            (BodyKind::CompressibleBytes, Some(bytes))
                        }
                    };
                    record.number(kind as u32);
                    if let Some(buffer) = buffer {
                        record.buffer(buffer);
                    }
                });
            }
        }
    }

    /// Shows an answer that goes to JavaScript to the worker that may have to give it, if there is one.
    fn show_deputy(&self, context: &WorkerContext, token: u32, body: &Body) {
        let text = match body {
            Body::Payload { text, .. } => Some(text),
            Body::Ok => None,
            Body::None | Body::Binary { .. } => return,
        };
        let Some(Lent { relay, wire, number }) = self.server.environment.lent(token) else {
            return;
        };
        let answer = Answer::Lent { relay, text: text.cloned() };
        let index = wire.slot().index;
        context.post(wire.worker(), Command::Answer { wire: index, generation: number, answer });
    }

    /// Tells JavaScript, should it look, whether a GET waits.
    pub(super) fn note_parked(&self) {
        self.requests.set_parked(self.state.borrow().session.has_parked_get());
    }

    /// Ends the connection of a request, which gets no answer.
    pub fn drop_request(&self, context: &WorkerContext, request: RequestId) {
        match request.into() {
            RequestName::Native { .. } => context.answer(request, Answer::Drop),
            RequestName::Forwarded(token) => self.push_answer(|record| {
                record.kind(RecordKind::DropRequest).number(token);
            }),
        }
    }

    /// There is no such session any more.
    pub(super) fn refuse_request(&self, context: &WorkerContext, request: RequestId) {
        match request.into() {
            RequestName::Native { .. } => context.answer(request, Answer::Refused),
            RequestName::Forwarded(token) => self.push_answer(|record| {
                record.kind(RecordKind::RequestRefused).number(token).number(UNKNOWN_SID);
            }),
        }
    }

    /// Whether the client has sent more than JavaScript has taken. A WebSocket is not read any more
    /// then; here the last POST has no answer before there is room, and a client sends one at a time.
    fn is_ahead(&self) -> bool {
        let waiting = self.waiting_bytes();
        let has_room = || self.server.environment.inbox.budget.has_room(self.handle.worker());
        waiting >= CLIENT_LIMIT || waiting > 0 && !has_room()
    }

    /// Whether what was sent apart from a CONNECT waits for JavaScript behind that.
    fn is_parted(&self) -> bool {
        self.joining.get() == Joining::Parted && self.waiting_bytes() > 0
    }

    /// Whether JavaScript has not taken yet that the client wants to join a namespace.
    pub(super) fn is_joining(&self) -> bool {
        self.joining.get() != Joining::No && self.waiting_bytes() > 0
    }

    /// Whether the answer to a POST has waited for JavaScript to take what was there, now or since
    /// this was asked last: for so long the client could send nothing, not even a pong.
    pub(super) fn was_delayed(&self) -> bool {
        let until = self.delayed_until.get();
        if self.server.environment.inbox.taken(self.handle.worker()) >= until {
            self.delayed_until.set(0);
        }
        until > 0
    }
}

impl Client {
    /// Whether connections were not read since the client was to be heard of: the request that it has
    /// sent may lie in one of them.
    pub(super) fn may_lie_unread(&self, now: u64) -> bool {
        let engine = &self.server.engine;
        let silence = engine.ping_interval.saturating_add(engine.ping_timeout);
        self.server.environment.inbox.budget.has_stopped(now, silence)
    }
}
