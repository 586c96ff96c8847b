//! The requests of HTTP long-polling.

use std::borrow::Cow;
use std::ops::ControlFlow;

use super::{Session, State, TransportState};
use crate::engineio::action::{Action, Body, Link, PostFault, PostHalt, PostStart, RequestId};
use crate::engineio::close::CloseReason;
use crate::engineio::dialect::Protocol;
use crate::engineio::intake::{Kept, Posted};
use crate::engineio::packet::{Data, Packet, PacketType};
use crate::engineio::payload::Payload;
use crate::engineio::{jsonp, payload, payload_v3};

/// The message of a session whose POST ended before its body did.
const POST_ABORTED: &str = "data request connection closed prematurely";

/// How the payload of a POST, or a part of it, has been taken.
pub(super) enum PostEnd {
    /// All of it that counts.
    Taken,
    /// It can't be.
    Failed(PostFault),
    /// But for so many bytes at its end, which are to wait.
    Paused(usize),
}

impl Session {
    /// A GET came.
    ///
    /// The driver answers requests for a closed session, and for one whose transport is not
    /// polling, by itself.
    pub fn handle_get(&mut self, now: u64, request: RequestId) {
        if self.is_closed() {
            return;
        }
        let TransportState::Polling(polling) = &mut self.transport else {
            self.actions.respond(request, 400, Body::None);
            return;
        };
        if polling.parked.is_some() {
            self.actions.respond(request, 400, Body::None);
            self.end(CloseReason::error("overlap from client"));
            return;
        }
        polling.parked = Some(request);
        polling.unread = None; // it was this one
        if polling.flush(&mut self.actions) {
            if std::mem::take(&mut polling.unsent_ping) {
                // It leaves only now; the poll may have lain unread for long.
                self.heartbeat.restart_wait(now, &self.config);
            }
            self.actions.push(Action::Drain);
            if matches!(self.state, State::Closing) {
                self.await_close(now); // the close packet takes a GET of its own
            }
        } else if polling.close_at.is_some() {
            polling.answer(&["6", "1"], &mut self.actions);
            self.end(CloseReason::ForcedClose);
        }
    }

    /// A GET has come that JavaScript has to look at, and has not begun with: only a ping may answer it, at once if one waits.
    pub fn handle_unread_get(&mut self, now: u64, request: RequestId) {
        let TransportState::Polling(polling) = &mut self.transport else { return };
        if polling.parked.is_some() || !matches!(self.state, State::Open(_)) {
            return;
        }
        polling.unread = Some(request);
        if polling.take_ping() && polling.ping_unread(&mut self.actions) {
            // It leaves only now.
            self.heartbeat.restart_wait(now, &self.config);
        }
    }

    /// A POST lies unread, as JavaScript has to look at it: the client sends nothing else, not even a pong.
    pub fn handle_unread_post(&mut self, now: u64) {
        if self.is_open() && matches!(self.transport, TransportState::Polling(_)) {
            self.heartbeat.skip_pong(now, &self.config);
        }
    }

    /// That GET is JavaScript's, or its connection has ended.
    pub fn handle_unread_gone(&mut self, request: RequestId) {
        if let TransportState::Polling(polling) = &mut self.transport {
            polling.unread.take_if(|it| *it == request);
        }
    }

    /// The ping by which that GET was answered has not left.
    pub fn handle_ping_unsent(&mut self) {
        if self.is_open() && self.awaits_pong() {
            self.send_ping();
        }
    }

    /// A POST came; its body is still on its way.
    pub fn handle_post_start(&mut self, _now: u64, request: RequestId) -> PostStart {
        if self.is_closed() {
            return PostStart::Refused;
        }
        let TransportState::Polling(polling) = &mut self.transport else {
            self.actions.respond(request, 400, Body::None);
            return PostStart::Refused;
        };
        if polling.posting.is_some() {
            self.actions.respond(request, 400, Body::None);
            self.end(CloseReason::error("data request overlap from client"));
            return PostStart::Refused;
        }
        polling.posting = Some(request);
        PostStart::Accepted
    }

    /// The POST that [`Session::handle_post_start`] accepted can't be taken: it is answered, and the
    /// session ends.
    pub fn handle_post_fault(&mut self, _now: u64, request: RequestId, fault: PostFault) {
        if self.take_post(request) {
            self.fail_post(request, fault);
        }
    }

    fn fail_post(&mut self, request: RequestId, fault: PostFault) {
        let (status, message) = fault.answer();
        self.actions.respond(request, status, Body::None);
        // A client hears of the first answer that comes, and is to hear why it has to go.
        if let (PostFault::Limited(_), TransportState::Polling(polling)) =
            (fault, &mut self.transport)
            && let Some(parked) = polling.parked.take()
        {
            self.actions.respond(parked, status, Body::None);
        }
        self.end(CloseReason::error(message));
    }

    /// The whole body of a POST came: `sink` gets each of its messages, and `show` each other packet before it counts, in order.
    ///
    /// When `sink` breaks, the rest of the payload is dropped, or it waits, and the request is answered when that has been taken
    /// ([`Session::take_kept`]). So does all of it while nothing may be taken. The answer is `ok` even when a packet was bad and closed the
    /// session, unless `sink` says what to answer. Bytes that are no UTF-8 count as U+FFFD, except in a `binary` payload
    /// (`application/octet-stream`), which protocol 3 has and JSONP has not.
    pub fn handle_post_body<F>(
        &mut self,
        now: u64,
        request: RequestId,
        body: &[u8],
        binary: bool,
        show: impl FnMut(&Packet<'_>),
        sink: F,
    ) where
        F: FnMut(Data<'_>) -> ControlFlow<PostHalt>,
    {
        if body.len() > self.config.max_payload {
            return self.handle_post_fault(now, request, PostFault::TooLarge);
        }
        if !self.take_post(request) {
            return;
        }
        let binary = self.is_binary_post(binary);
        let Some(payload) = self.payload_of(body, binary) else {
            return self.actions.respond(request, 200, Body::Ok);
        };
        let end = if self.waits() {
            PostEnd::Paused(payload.len())
        } else {
            self.receive_payload(now, &payload, 0, show, sink)
        };
        self.end_post(Some(request), end, |left| {
            let from = payload.len() - left;
            Kept { request: Some(request), payload: payload.split_off(from), at: 0 }
        });
    }

    /// The payload that a body brings; a form may have none, and says nothing then.
    pub(super) fn payload_of<'a>(&self, body: &'a [u8], binary: bool) -> Option<Posted<'a>> {
        if binary {
            return Some(Posted::Binary(Cow::Borrowed(body)));
        }
        let text = match simdutf8::basic::from_utf8(body) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => String::from_utf8_lossy(body),
        };
        if self.is_jsonp() {
            return jsonp::unwrap(&text).map(|payload| Posted::Text(Cow::Owned(payload)));
        }
        Some(Posted::Text(text))
    }

    /// Does what follows from the end of a payload; what is to wait of it is what `keep` makes of its length.
    pub(super) fn end_post(
        &mut self,
        request: Option<RequestId>,
        end: PostEnd,
        keep: impl FnOnce(usize) -> Kept,
    ) {
        match (end, request) {
            (PostEnd::Taken, Some(request)) => self.actions.respond(request, 200, Body::Ok),
            (PostEnd::Taken, None) => {}
            (PostEnd::Failed(fault), Some(request)) => self.fail_post(request, fault),
            (PostEnd::Failed(fault), None) => self.end(CloseReason::error(fault.answer().1)),
            (PostEnd::Paused(left), _) => {
                if let (Some(_), TransportState::Polling(polling)) = (request, &mut self.transport)
                {
                    polling.posting = request;
                }
                self.keep(keep(left));
            }
        }
    }

    /// Whether a body that says so is a binary payload.
    pub fn is_binary_post(&self, binary: bool) -> bool {
        binary && self.protocol == Protocol::V3 && !self.is_jsonp()
    }

    /// Whether the client polls by JSONP.
    pub fn is_jsonp(&self) -> bool {
        matches!(&self.transport, TransportState::Polling(polling) if polling.jsonp.is_some())
    }

    /// Takes a payload from there on, where a packet begins, as far as `sink` says.
    pub(super) fn receive_payload<F>(
        &mut self,
        now: u64,
        payload: &Posted<'_>,
        at: usize,
        show: impl FnMut(&Packet<'_>),
        sink: F,
    ) -> PostEnd
    where
        F: FnMut(Data<'_>) -> ControlFlow<PostHalt>,
    {
        match (payload, self.protocol) {
            (Posted::Binary(bytes), _) => {
                self.receive_packets(now, payload_v3::decode_binary(&bytes[at..]), show, sink)
            }
            (Posted::Text(text), Protocol::V3) => {
                self.receive_packets(now, payload_v3::decode(&text[at..]), show, sink)
            }
            (Posted::Text(text), Protocol::V4) => {
                self.receive_packets(now, payload::decode(&text[at..]), show, sink)
            }
        }
    }

    fn receive_packets<'a, F>(
        &mut self,
        now: u64,
        mut packets: impl Payload<'a>,
        mut show: impl FnMut(&Packet<'a>),
        mut sink: F,
    ) -> PostEnd
    where
        F: FnMut(Data<'_>) -> ControlFlow<PostHalt>,
    {
        while let Some(packet) = packets.next() {
            let Ok(packet) = packet else {
                self.handle_invalid_packet(now, Link::Main);
                break;
            };
            if packet.kind != PacketType::Message {
                show(&packet);
            }
            if let Some(data) = self.receive(now, packet)
                && let ControlFlow::Break(halt) = sink(data)
            {
                match halt {
                    PostHalt::Done => break,
                    PostHalt::Fault(fault) => return PostEnd::Failed(fault),
                    PostHalt::Pause(until) => {
                        self.pause(until);
                        return packets.left().map_or(PostEnd::Taken, PostEnd::Paused);
                    }
                }
            }
            if self.is_closed() {
                break;
            }
        }
        PostEnd::Taken
    }

    /// The peer of this request went away before the answer: the session ends, and a request that waited is
    /// dropped. Nothing happens when the request had been answered.
    pub fn handle_request_closed(&mut self, _now: u64, request: RequestId) {
        if self.take_post(request) {
            self.actions.push(Action::DropRequest(request));
            self.end(CloseReason::error(POST_ABORTED));
        } else if let TransportState::Polling(polling) = &mut self.transport
            && polling.parked == Some(request)
        {
            polling.parked = None;
            self.actions.push(Action::DropRequest(request));
            self.end(CloseReason::error("poll connection closed prematurely"));
        }
    }

    /// Whether a GET waits for something to send.
    pub fn has_parked_get(&self) -> bool {
        matches!(&self.transport, TransportState::Polling(polling) if polling.parked.is_some())
    }

    /// Forgets the POST `request`; false when it is not the one on its way.
    pub(super) fn take_post(&mut self, request: RequestId) -> bool {
        match &mut self.transport {
            TransportState::Polling(polling) => {
                polling.posting.take_if(|it| *it == request).is_some()
            }
            TransportState::WebSocket => false,
        }
    }

    /// Nothing is buffered any more: waits for a GET that can carry the close packet.
    ///
    /// A POST in flight is cut off, unless all of it was there. Its client sees its transport fail and never polls again, so
    /// then there is nothing to wait for: as upstream, the session ends as if the client had cut it.
    pub(super) fn await_close(&mut self, now: u64) {
        let TransportState::Polling(polling) = &mut self.transport else { return };
        if polling.posting.is_some() {
            self.end(CloseReason::error(POST_ABORTED));
        } else {
            polling.await_close(now);
        }
    }
}
