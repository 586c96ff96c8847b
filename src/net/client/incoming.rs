//! What comes in: packets, requests, deadlines.

use std::borrow::Cow;
use std::ops::ControlFlow;
use std::rc::Rc;

use thiserror::Error;

use super::limiting::{Exceeded, Limiter};
use super::{Client, State};
use crate::border::{RecordKind, observed};
use crate::engineio::{
    self, Data, InvalidPacket, Link, PostFault, PostHalt, PostStart, Protocol, RequestId, Session,
};
use crate::net::clock;
use crate::net::command::RequestEvent;
use crate::net::context::{Doubt, WorkerContext};
use crate::net::turns::BLOCKED;
use crate::net::websocket_wire::{Behind, Ended, Message, WebSocketWire};
use crate::socketio::{Decoded, Decoder, PacketType, ParseError};

/// Why a message is not taken.
#[derive(Debug, Error)]
enum Refusal {
    /// It breaks the Socket.IO protocol.
    #[error(transparent)]
    Packet(#[from] ParseError),
    /// JavaScript has no string that long.
    #[error("the message is longer than a string may be")]
    TooLong,
    /// The client has sent more than it may, which says this.
    #[error("{0}")]
    Limited(&'static str),
}

impl From<Exceeded> for Refusal {
    fn from(Exceeded(message): Exceeded) -> Self {
        Self::Limited(message)
    }
}

impl Client {
    /// Tells JavaScript of a packet that is not a message, if it wants to know.
    pub(super) fn show_control(&self, out: bool, packet: &str) {
        if self.observed.get() & observed::CONTROL != 0 {
            self.push(|record| {
                record.kind(RecordKind::Control).number(self.handle.raw());
                record.number(u32::from(out)).string(packet);
            });
            self.overlong.set(false); // then it is not shown
        }
    }

    /// Bytes came by the main link: whatever they are part of, the client has not stopped.
    pub fn handle_progress(&self, now: u64) {
        self.state.borrow_mut().decoder.handle_progress(now);
    }

    /// A message came by a WebSocket: one Engine.IO packet. A session that has ended ignores it. Breaks
    /// when nothing is to be read behind it.
    pub fn handle_websocket(
        &self,
        context: &WorkerContext,
        now: u64,
        link: Link,
        message: Message<'_>,
    ) -> ControlFlow<Behind> {
        match message {
            Message::Text(text) => {
                self.handle_text(context, now, link, text)?;
                if link == Link::Probe {
                    // JavaScript hears of the upgrade before it gets what comes right behind.
                    self.settle(context);
                    // What is left of a POST comes before that.
                    if self.wire(Link::Main).is_some_and(|wire| wire.is_limited()) {
                        return ControlFlow::Break(Behind::Waits);
                    }
                }
                ControlFlow::Continue(())
            }
            Message::Binary(data) => self.handle_binary(context, now, link, data),
        }
    }

    fn handle_text(
        &self,
        context: &WorkerContext,
        now: u64,
        link: Link,
        text: &str,
    ) -> ControlFlow<Behind> {
        let state = &mut *self.state.borrow_mut();
        let packet = state.session.protocol().decode_text(text);
        let control = matches!(&packet, Ok(packet) if packet.kind != engineio::PacketType::Message);
        let taken = self.handle_packet(context, state, now, link, packet);
        if control && link == Link::Main {
            self.show_control(false, text);
        }
        taken
    }

    fn handle_binary(
        &self,
        context: &WorkerContext,
        now: u64,
        link: Link,
        data: Cow<'_, [u8]>,
    ) -> ControlFlow<Behind> {
        let state = &mut *self.state.borrow_mut();
        let packet = state.session.protocol().decode_binary(data);
        let control = match &packet {
            Ok(packet) if packet.kind != engineio::PacketType::Message => Some(packet.to_string()),
            Ok(_) | Err(_) => None,
        };
        let taken = self.handle_packet(context, state, now, link, packet);
        if let Some(text) = control.filter(|_| link == Link::Main) {
            self.show_control(false, &text);
        }
        taken
    }

    /// A WebSocket that carries it has ended.
    pub fn handle_link_end(&self, now: u64, ended: &Ended) {
        let Ended { link, fault } = *ended;
        let mut state = self.state.borrow_mut();
        state.detach(link);
        match fault {
            Some(fault) => state.session.handle_link_error(now, link, fault),
            None => state.session.handle_link_closed(now, link),
        }
    }

    /// Breaks when nothing is to be read behind the packet.
    fn handle_packet(
        &self,
        context: &WorkerContext,
        state: &mut State,
        now: u64,
        link: Link,
        packet: Result<engineio::Packet<'_>, InvalidPacket>,
    ) -> ControlFlow<Behind> {
        let State { session, decoder, main, .. } = state;
        let Ok(packet) = packet else {
            session.handle_invalid_packet(now, link);
            return ControlFlow::Continue(());
        };
        let Some(data) = session.handle_packet(now, link, packet) else {
            return ControlFlow::Continue(());
        };
        match self.decode(context, decoder, session.protocol(), now, data) {
            Ok(None) => ControlFlow::Continue(()),
            Ok(Some(until)) => {
                session.pause(until);
                if let Some(wire) = main {
                    wire.limit();
                }
                ControlFlow::Break(Behind::Waits)
            }
            Err(Refusal::TooLong) => ControlFlow::Break(Behind::IsDropped),
            Err(Refusal::Limited(message)) => ControlFlow::Break(Behind::IsRefused(message)),
            Err(Refusal::Packet(error)) => {
                self.refuse_packet(session, now, &error);
                ControlFlow::Continue(())
            }
        }
    }

    /// One Engine.IO message: a Socket.IO packet, or an attachment of one. Gives until when the client may send no more, if so.
    fn decode(
        &self,
        context: &WorkerContext,
        decoder: &mut Decoder,
        protocol: Protocol,
        now: u64,
        data: Data<'_>,
    ) -> Result<Option<u64>, Refusal> {
        let mut limiter = self.limiter(context, protocol, now);
        let result = self.bring_up(limiter.as_mut(), decoder, now, data);
        self.held.set(decoder.buffered());
        result?;
        if self.overlong.take() {
            return Err(Refusal::TooLong);
        }
        Ok(limiter.and_then(|limiter| limiter.pauses_until()))
    }

    /// Brings a message up: as the packet that it is or completes, or as it came; if it is not too much.
    fn bring_up(
        &self,
        mut limiter: Option<&mut Limiter>,
        decoder: &mut Decoder,
        now: u64,
        data: Data<'_>,
    ) -> Result<(), Refusal> {
        let bytes = match &data {
            Data::Text(text) => text.len(),
            Data::Binary(bytes) => bytes.len(),
        };
        self.counts().received.count_bytes(bytes);
        match data {
            _ if self.server.raw_messages || self.server.plain => {
                if let Some(limiter) = limiter
                    && limiter.admit_raw(bytes)?.is_some()
                {
                    return Ok(());
                }
                self.push_raw(data);
            }
            Data::Text(text) => match decoder.handle_text(now, &self.server.limits, text)? {
                Decoded::Packet(packet) => {
                    if let Some(limiter) = limiter
                        && let Some(over) = limiter.admit(packet.kind, packet.namespace, bytes)?
                    {
                        if let Some(id) = packet.id {
                            limiter.answer(packet.namespace, id, over);
                        }
                        return Ok(());
                    }
                    self.push_packet(&packet);
                }
                Decoded::Pending => {
                    if let (Some(limiter), Some(packet)) = (limiter, decoder.pending()) {
                        let is_event = packet.kind == PacketType::Event;
                        let kind =
                            if is_event { PacketType::BinaryEvent } else { PacketType::BinaryAck };
                        limiter.admit(kind, &packet.namespace, bytes)?;
                    }
                }
            },
            Data::Binary(data) => {
                if let Some(limiter) = &mut limiter {
                    limiter.admit_attachment(bytes)?;
                }
                let Some(completed) = decoder.handle_binary(now, data)? else { return Ok(()) };
                if let Some(limiter) = limiter
                    && let Some(over) = limiter.complete()
                {
                    if let Some(id) = &completed.id {
                        limiter.answer(&completed.namespace, id, over);
                    }
                    return Ok(());
                }
                self.push_completed(completed);
            }
        }
        Ok(())
    }

    /// A packet breaks the Socket.IO protocol: nothing more is taken from the client.
    fn refuse_packet(&self, session: &mut Session, now: u64, error: &ParseError) {
        self.push(|record| {
            record.kind(RecordKind::InvalidPacket).number(self.handle.raw());
            record.string(&error.to_string());
        });
        session.close(now, false);
    }

    /// A WebSocket asks to become the transport of this session. False: it is refused.
    pub fn handle_probe(self: &Rc<Self>, wire: &Rc<WebSocketWire>) -> bool {
        let mut state = self.state.borrow_mut();
        if !state.session.handle_probe_opened(clock::now()) {
            return false;
        }
        wire.bind(self.handle.slot(), Link::Probe);
        if state.session.is_held() {
            wire.hold();
        }
        state.probe = Some(Rc::clone(wire));
        true
    }

    /// Something happened to an HTTP request of the polling transport.
    pub fn handle_request(&self, context: &WorkerContext, request: RequestId, event: RequestEvent) {
        fault!("poll", self.server.environment.id, self.handle.raw());
        let now = clock::now();
        let mut state = self.state.borrow_mut();
        if state.session.is_closed() {
            drop(state);
            if matches!(event, RequestEvent::Get | RequestEvent::PostStart) {
                self.refuse_request(context, request);
            }
            return;
        }
        match event {
            RequestEvent::Failed => {
                drop(state);
                return self.abort(context);
            }
            RequestEvent::Get => state.session.handle_get(now, request),
            RequestEvent::PostStart => {
                // What follows from a refusal is among the actions.
                let _accepted = state.session.handle_post_start(now, request);
            }
            RequestEvent::PostBody { body, binary } => {
                self.handle_post_body(context, &mut state, now, request, &body, binary);
            }
            RequestEvent::PostFault(fault) => state.session.handle_post_fault(now, request, fault),
            RequestEvent::Closed => state.session.handle_request_closed(now, request),
            RequestEvent::Unread => state.session.handle_unread_get(now, request),
            RequestEvent::PostUnread => state.session.handle_unread_post(now),
            RequestEvent::UnreadGone => state.session.handle_unread_gone(request),
            RequestEvent::PingUnsent => state.session.handle_ping_unsent(),
            RequestEvent::Pong => {
                let pong = engineio::Packet { kind: engineio::PacketType::Pong, data: None };
                let _no_message = state.session.handle_packet(now, Link::Main, pong);
                self.show_control(false, "3");
            }
        }
        drop(state);
        self.note_parked();
        if self.backlogged.get() {
            self.note_unpolled(); // before the answer is there
        }
        self.settle(context);
    }

    /// A POST has come as a whole.
    pub fn handle_post(
        &self,
        context: &WorkerContext,
        request: RequestId,
        body: &[u8],
        binary: bool,
    ) {
        let now = clock::now();
        let mut state = self.state.borrow_mut();
        if state.session.is_closed() {
            drop(state);
            return self.refuse_request(context, request);
        }
        if state.session.handle_post_start(now, request) == PostStart::Accepted {
            self.handle_post_body(context, &mut state, now, request, body, binary);
        }
        drop(state);
        self.settle(context);
    }

    fn handle_post_body(
        &self,
        context: &WorkerContext,
        state: &mut State,
        now: u64,
        request: RequestId,
        body: &[u8],
        binary: bool,
    ) {
        self.take_posted(context, state, |session, show, sink| {
            session.handle_post_body(now, request, body, binary, show, sink);
        });
    }

    /// Takes what is kept of a POST, if there is anything and it need not wait, and has the WebSocket read on, unless the client is to wait again.
    pub(super) fn go_on(&self, context: &WorkerContext, state: &mut State, now: u64) {
        if state.main.as_ref().is_none_or(|wire| !wire.has_hung_up()) {
            state.defer(now);
        }
        if state.session.has_kept() && !state.session.waits() {
            self.take_posted(context, state, |session, show, sink| {
                session.take_kept(now, show, sink);
            });
        }
        if let Some(wire) = &state.main {
            if state.session.is_paused() {
                wire.limit();
            } else {
                wire.read_on(context);
            }
        }
    }

    /// Has the session take what has come by a POST, by `take`.
    fn take_posted(
        &self,
        context: &WorkerContext,
        state: &mut State,
        take: impl FnOnce(
            &mut Session,
            &dyn Fn(&engineio::Packet<'_>),
            &mut dyn FnMut(Data<'_>) -> ControlFlow<PostHalt>,
        ),
    ) {
        let State { session, decoder, .. } = state;
        let now = clock::now();
        let mut failure = None;
        self.set_apart();
        let show = |packet: &engineio::Packet<'_>| {
            if self.observed.get() & observed::CONTROL != 0 {
                self.show_control(false, &packet.to_string());
            }
        };
        let protocol = session.protocol();
        let mut sink = |data: Data<'_>| match self.decode(context, decoder, protocol, now, data) {
            Ok(None) => ControlFlow::Continue(()),
            Ok(Some(until)) => ControlFlow::Break(PostHalt::Pause(until)),
            Err(Refusal::TooLong) => ControlFlow::Break(PostHalt::Fault(PostFault::TooLarge)),
            Err(Refusal::Limited(message)) => {
                ControlFlow::Break(PostHalt::Fault(PostFault::Limited(message)))
            }
            Err(Refusal::Packet(error)) => {
                failure = Some(error);
                ControlFlow::Break(PostHalt::Done)
            }
        };
        take(session, &show, &mut sink);
        self.end_apart();
        if let Some(error) = failure {
            self.refuse_packet(session, now, &error);
        }
        self.count_held(state);
    }

    /// Counts what is kept here of what has come.
    pub(super) fn count_held(&self, state: &State) {
        self.held.set(state.decoder.buffered() + state.session.kept());
    }

    /// One of the deadlines has come.
    pub fn handle_timeout(&self, context: &WorkerContext, now: u64) {
        fault!("timeout", self.server.environment.id, self.handle.raw());
        self.spare_delayed(now);
        self.end_pause(context, now);
        let state = self.state.borrow();
        let late = state.is_overdue(now) && !state.closed;
        let doubt = late && state.is_read_by_javascript();
        drop(state);
        if doubt {
            self.doubt(context, now);
        }
        self.handle_due(context, now);
    }

    /// Something that JavaScript may have to read is late: it is asked to look.
    fn doubt(&self, context: &WorkerContext, now: u64) {
        if self.doubted.replace(true) {
            return;
        }
        let environment = &self.server.environment;
        let round = environment.ask_turn(context.index);
        let (client, environment) = (self.handle.slot(), environment.id);
        let unsent = self.wire(Link::Main).is_some_and(|wire| wire.is_unsent());
        context.add_doubt(Doubt { client, environment, round, since: now, unsent });
    }

    /// Since when JavaScript is asked to look for what the client has sent, if it is.
    pub(super) fn doubted_since(&self, context: &WorkerContext) -> Option<u64> {
        self.doubted.get().then(|| context.doubted_since(self.handle.slot())).flatten()
    }

    /// JavaScript has looked for what the client has sent, as it was asked to then.
    pub fn handle_turned(&self, context: &WorkerContext, now: u64, doubt: &Doubt) {
        self.doubted.set(false);
        if doubt.unsent || now.saturating_sub(doubt.since) >= BLOCKED {
            let mut state = self.state.borrow_mut();
            if state.is_overdue(now) {
                self.counts().spared.add(1);
            }
            state.prolong(now);
            if !state.join_prolonged {
                self.put_off_join(&mut state, now);
            }
            drop(state);
        }
        self.handle_due(context, now);
    }

    /// While the answer to a POST waits for JavaScript, the client can send nothing, and what it has sent while it may send no more lies
    /// unread: nothing of it is late, and it is pinged all the same.
    fn spare_delayed(&self, now: u64) {
        let mut state = self.state.borrow_mut();
        if state.closed || !self.was_delayed() && !state.lies_unread() {
            return;
        }
        if state.session.ping_again(now) {
            self.show_control(true, "2");
        }
        state.defer(now);
    }

    /// Its CONNECT waits for JavaScript, which may need some time for it when it has it; or it may lie unread. That is so once, and on for as
    /// long as JavaScript takes nothing: who has it put off for as long as it keeps sending could hold the place of an unauthenticated client
    /// for good.
    fn put_off_join(&self, state: &mut State, now: u64) {
        if state.is_join_overdue(now) {
            state.join_prolonged = true;
            state.join_behind = lower_bits(self.inbox_end.get());
            state.join_deadline = now.saturating_add(self.server.connect_timeout.max(1));
        }
    }

    /// Whether JavaScript has taken all up to there, of which these are the lower bits: far less waits than they count.
    fn has_taken(&self, end: u32) -> bool {
        let taken = self.server.environment.inbox.taken(self.handle.worker());
        lower_bits(taken).wrapping_sub(end) < u32::MAX / 2
    }

    /// Does what is due. What would be held against the client has to wait for JavaScript, if that is asked: pings go on.
    fn handle_due(&self, context: &WorkerContext, now: u64) {
        self.spare_delayed(now);
        let mut state = self.state.borrow_mut();
        if state.closed {
            return;
        }
        let since = self.doubted_since(context);
        let decided = since.is_none();
        if since.is_some_and(|since| now.saturating_sub(since) >= BLOCKED)
            && state.main.is_none()
            && state.session.is_overdue(now)
            && state.session.ping_on()
        {
            self.show_control(true, "2");
        }
        let unread = match &state.main {
            Some(wire) => wire.is_stalled(),
            None => self.may_lie_unread(now),
        };
        let waits = state.lies_unread();
        if unread || waits {
            state.defer(now);
        }
        let may_join = if state.join_prolonged {
            self.is_joining() && !self.has_taken(state.join_behind)
        } else {
            self.is_joining() || waits
        };
        if may_join {
            self.put_off_join(&mut state, now);
        }
        if decided && state.is_join_overdue(now) {
            state.join_deadline = 0;
            self.push(|record| {
                record.kind(RecordKind::ConnectTimeout).number(self.handle.raw());
            });
        }
        if decided && state.decoder.poll_timeout().is_some_and(|deadline| deadline <= now) {
            let State { session, decoder, .. } = &mut *state;
            if let Err(error) = decoder.handle_timeout(now) {
                self.refuse_packet(session, now, &error);
            }
        }
        if (decided || !state.session.is_overdue(now))
            && state.session.poll_timeout().is_some_and(|deadline| deadline <= now)
        {
            let waited = state.session.awaits_pong();
            state.session.handle_timeout(now);
            if !waited && state.session.awaits_pong() {
                self.show_control(true, "2");
            }
        }
        drop(state);
        self.settle(context);
    }
}

fn lower_bits(place: u64) -> u32 {
    let [a, b, c, d, ..] = place.to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}
