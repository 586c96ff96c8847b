//! One Engine.IO session, whatever carries it.
//!
//! ```text
//!            close(), and polling has no GET to say so with
//!     Open ───────────────────────────────────────────────► Closing
//!      │                                                       │
//!      │ close() · the peer closes · pong late ·               │ the next GET · 30 s · the peer
//!      │ a packet is bad · a rule is broken                    │ closes · a rule is broken
//!      ▼                                                       ▼
//!     Closed ◄─────────────────────────────────────────────────┘
//! ```
//!
//! In *Closing* nothing more comes in and nothing more is accepted to go out; what was buffered
//! before still leaves with the next GET, and the close packet with the one after it.

pub mod carried;
mod probe;
mod requests;
mod waiting;

use std::borrow::Cow;
use std::sync::Arc;

use super::action::{Action, Actions, Link, RequestId};
use super::close::{CloseReason, Fault};
use super::config::Config;
use super::dialect::{Dialect, Protocol};
use super::handshake::{Transport, open_packet};
use super::heartbeat::{Beat, Heartbeat};
use super::intake::Intake;
use super::packet::{Data, OutMessage, Packet, PacketType};
use super::polling::Polling;
use super::upgrade::{Due, Upgrade};
use crate::id::Sid;

/// Where a message to the client goes now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// Straight onto [`Link::Main`].
    WebSocket,
    /// Into [`Session::buffer`].
    Buffer,
    /// Nowhere: the session is closing or closed.
    Closed,
}

/// What the transport is, with what belongs to it alone.
#[derive(Debug)]
enum TransportState {
    WebSocket,
    Polling(Box<Polling>),
}

#[derive(Debug)]
enum State {
    /// With why nothing is taken for now, if so.
    Open(Option<Box<Intake>>),
    Closing,
    /// `untold` until the driver has fetched everything before [`Action::Closed`].
    Closed {
        untold: Option<CloseReason>,
    },
}

/// One session: fed with what arrived, drained of what to do.
///
/// Times are milliseconds of a monotonic clock. After every call drain [`Session::poll_action`].
/// An idle session on a WebSocket owns nothing but its id.
#[derive(Debug)]
pub struct Session {
    config: Arc<Config>,
    sid: Sid,
    transport: TransportState,
    state: State,
    heartbeat: Heartbeat,
    actions: Actions,
    protocol: Protocol,
    upgraded: bool,
}

impl Session {
    /// Opens a session and queues its handshake.
    ///
    /// With [`Transport::Polling`] the handshake leaves with the GET that opened the session: feed
    /// it to [`Session::handle_get`] next.
    pub fn open(
        config: Arc<Config>,
        sid: Sid,
        dialect: impl Into<Dialect>,
        transport: Transport,
        now: u64,
    ) -> Self {
        let dialect = dialect.into();
        let heartbeat = Heartbeat::new(dialect.protocol, now, &config);
        let state = match transport {
            Transport::WebSocket => TransportState::WebSocket,
            Transport::Polling => TransportState::Polling(Box::new(Polling::new(dialect))),
        };
        let mut session = Self {
            config,
            sid,
            transport: state,
            state: State::Open(None),
            heartbeat,
            actions: Actions::default(),
            protocol: dialect.protocol,
            upgraded: false,
        };
        session.send_control(open_packet(&session.config, &session.sid, transport).into());
        let first: Vec<_> = session.first_messages().cloned().collect();
        for message in first {
            session.buffer(message);
        }
        session
    }

    /// Makes polling answer with scripts and read forms, for the callback whose number `parameter`
    /// (`j`) holds: its digits count, whatever else is in it must not get into a script.
    pub fn set_jsonp(&mut self, parameter: &str) {
        if let TransportState::Polling(polling) = &mut self.transport {
            let digits: String = parameter.chars().filter(char::is_ascii_digit).collect();
            polling.jsonp = Some(digits.into());
        }
    }

    /// The id that names the session on the wire.
    pub fn sid(&self) -> &Sid {
        &self.sid
    }

    /// What carries the session now.
    pub fn transport(&self) -> Transport {
        match self.transport {
            TransportState::WebSocket => Transport::WebSocket,
            TransportState::Polling(_) => Transport::Polling,
        }
    }

    /// The revision the client speaks.
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// Whether the client has been told with the handshake that it is in the namespace "/".
    pub fn is_greeted(&self) -> bool {
        self.protocol == Protocol::V3 && self.config.greeting.is_some()
    }

    /// The messages that it begins with, right behind the handshake.
    pub fn first_messages(&self) -> impl Iterator<Item = &OutMessage> {
        let greeting = self.config.greeting.as_ref().filter(|_| self.is_greeted());
        self.config.initial_packet.iter().chain(greeting)
    }

    /// Whether messages go both ways: neither closing nor closed.
    #[inline]
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Open(_))
    }

    /// Whether the session has ended.
    pub fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed { .. })
    }

    /// Whether a ping is out.
    pub fn awaits_pong(&self) -> bool {
        matches!(self.heartbeat, Heartbeat::Waiting { .. })
    }

    /// Whether a WebSocket is probing.
    pub fn is_upgrading(&self) -> bool {
        matches!(&self.transport, TransportState::Polling(polling) if polling.upgrade.is_some())
    }

    /// Whether the session began with polling and has moved to a WebSocket.
    pub fn has_upgraded(&self) -> bool {
        self.upgraded
    }

    /// Whether something can be sent at once; with polling that takes a GET that waits.
    pub fn writable(&self) -> bool {
        match &self.transport {
            TransportState::WebSocket => !self.is_closed(),
            TransportState::Polling(polling) => polling.parked.is_some(),
        }
    }

    /// Bytes that wait for a poll.
    pub fn buffered(&self) -> usize {
        match &self.transport {
            TransportState::WebSocket => 0,
            TransportState::Polling(polling) => polling.buffered(),
        }
    }

    /// Where a message to the client goes now.
    #[inline]
    pub fn route(&self) -> Route {
        match (&self.state, &self.transport) {
            (State::Open(_), TransportState::WebSocket) => Route::WebSocket,
            (State::Open(_), TransportState::Polling(_)) => Route::Buffer,
            (State::Closing | State::Closed { .. }, _) => Route::Closed,
        }
    }

    /// A packet came by `link`; `Some` is a message for the application (empty text when nothing
    /// stood behind its digit).
    ///
    /// Packets for a session that is closing or closed are ignored.
    #[inline]
    pub fn handle_packet<'a>(
        &mut self,
        now: u64,
        link: Link,
        packet: Packet<'a>,
    ) -> Option<Data<'a>> {
        if link == Link::Probe && !self.upgraded {
            self.handle_probe_packet(now, &packet);
            return None;
        }
        self.receive(now, packet)
    }

    /// What came by `link` is no packet: the session closes with `parse error`, or the probe ends.
    pub fn handle_invalid_packet(&mut self, _now: u64, link: Link) {
        if link == Link::Probe && !self.upgraded {
            self.end_probe();
        } else if self.is_open() {
            self.end(CloseReason::ParseError);
        }
    }

    /// A WebSocket ended, by a close frame or with its connection.
    pub fn handle_link_closed(&mut self, _now: u64, link: Link) {
        self.handle_link_gone(link, CloseReason::TransportClose);
    }

    /// The peer broke the WebSocket protocol; the driver closes the link with the fitting code.
    pub fn handle_link_error(&mut self, _now: u64, link: Link, fault: Fault) {
        self.handle_link_gone(link, CloseReason::TransportError(fault));
    }

    /// Takes a message that must wait; see [`Session::route`]. Call [`Session::flush`] after the
    /// last one of a batch.
    pub fn buffer(&mut self, message: OutMessage) {
        if !self.is_open() {
            return;
        }
        match &mut self.transport {
            TransportState::WebSocket => self.actions.push(Action::SendMessage(message)),
            TransportState::Polling(polling) => polling.push_message(message),
        }
    }

    /// Takes a packet that is not a message and must wait, as its digit and its data; otherwise
    /// like [`Session::buffer`].
    pub fn buffer_packet(&mut self, packet: String, compress: bool) {
        if !self.is_open() {
            return;
        }
        match &mut self.transport {
            TransportState::WebSocket => {
                self.actions.push(Action::SendText(Link::Main, packet.into()));
            }
            TransportState::Polling(polling) => polling.push_control(packet.into(), compress),
        }
    }

    /// Answers a GET that waits with all that is buffered.
    pub fn flush(&mut self) {
        if let TransportState::Polling(polling) = &mut self.transport
            && polling.flush(&mut self.actions)
        {
            self.actions.push(Action::Drain);
        }
    }

    /// Closes the session from our side, in order.
    ///
    /// With polling the close packet may have to wait for a GET, up to 30 s; `discard` does not
    /// wait for it.
    pub fn close(&mut self, now: u64, discard: bool) {
        if self.is_open() {
            self.flush();
        }
        match (&self.state, &mut self.transport) {
            (State::Closed { .. }, _) => {}
            (State::Open(_), TransportState::Polling(polling))
                if polling.parked.is_none() && !discard =>
            {
                let drained = polling.is_empty();
                self.answer_kept();
                self.state = State::Closing;
                if drained {
                    self.await_close(now);
                }
            }
            (State::Closing, _) if !discard => {}
            (State::Open(_) | State::Closing, _) => self.end(CloseReason::ForcedClose),
        }
    }

    /// Ends the session because more waits for the client than may. What waits is dropped, and a
    /// WebSocket is the driver's to drop: its peer does not read, so it could not be told.
    pub fn overflow(&mut self) {
        self.answer_kept();
        if let TransportState::Polling(polling) = &mut self.transport {
            polling.shut(&mut self.actions, false);
        }
        self.conclude(CloseReason::BufferOverflow);
    }

    /// Nobody has read what the client has sent for a while: it may have answered, and a request of it be
    /// under way. So the wait for it begins again, once for each beat.
    pub fn prolong_ping_timeout(&mut self, now: u64) {
        self.heartbeat.prolong_wait(now, &self.config);
    }

    /// Whether the session ends at `now`, because nothing has been heard of its client.
    pub fn is_overdue(&self, now: u64) -> bool {
        !self.is_closed() && self.heartbeat.is_overdue(now)
    }

    /// The client could send nothing, not even a pong, because we have not answered its last request. If its
    /// pong is late, it is pinged again, as it waits for that in its turn, and the wait begins again. Gives whether
    /// that has been done.
    pub fn ping_again(&mut self, now: u64) -> bool {
        if !self.is_open() || !self.heartbeat.ping_again(now, &self.config) {
            return false;
        }
        if matches!(&self.transport, TransportState::Polling(polling) if polling.unsent_ping) {
            return false; // the last one has not been fetched
        }
        self.send_ping();
        true
    }

    /// The client can't be heard, as JavaScript is blocked: it is pinged once more, as it waits for that in its turn. What it
    /// owes stays due. Gives whether that has been done.
    pub fn ping_on(&mut self) -> bool {
        let is_fetched =
            !matches!(&self.transport, TransportState::Polling(polling) if polling.unsent_ping);
        let pings = is_fetched && self.is_open() && self.awaits_pong();
        if pings {
            self.send_ping();
        }
        pings
    }

    /// When [`Session::handle_timeout`] is due next; `None` when the session has ended.
    pub fn poll_timeout(&self) -> Option<u64> {
        if self.is_closed() {
            return None;
        }
        let mut next = self.heartbeat.poll_timeout();
        if let TransportState::Polling(polling) = &self.transport {
            let others = [polling.close_at, polling.upgrade.as_ref().map(Upgrade::poll_timeout)];
            next = others.into_iter().flatten().fold(next, u64::min);
        }
        Some(next)
    }

    /// Does what is due at `now`; harmless when called early.
    pub fn handle_timeout(&mut self, now: u64) {
        if self.is_closed() {
            return;
        }
        match self.heartbeat.handle_timeout(now, self.config.ping_timeout) {
            // A closing session sends no ping, yet the wait for the pong ends it.
            Beat::Ping if self.is_open() => self.send_ping(),
            Beat::Ping | Beat::Nothing => {}
            Beat::Timeout => return self.end(CloseReason::PingTimeout),
        }
        let TransportState::Polling(polling) = &mut self.transport else { return };
        if polling.close_at.is_some_and(|at| now >= at) {
            return self.end(CloseReason::ForcedClose);
        }
        match polling.upgrade.as_mut().map_or(Due::Nothing, |upgrade| upgrade.handle_timeout(now)) {
            Due::Nothing => {}
            Due::Noop => polling.answer(&["6"], &mut self.actions),
            Due::Expired => self.end_probe(),
        }
    }

    /// The next thing to do; drain it after every call.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop().or_else(|| match &mut self.state {
            State::Closed { untold } => untold.take().map(Action::Closed),
            State::Open(_) | State::Closing => None,
        })
    }

    /// A packet of the session's own transport.
    #[inline]
    fn receive<'a>(&mut self, now: u64, packet: Packet<'a>) -> Option<Data<'a>> {
        if packet.kind != PacketType::Message || !self.is_open() {
            self.receive_control(now, packet.kind);
            return None;
        }
        self.heartbeat.handle_packet(now, self.config.ping_timeout);
        Some(packet.data.unwrap_or(Data::Text("")))
    }

    fn receive_control(&mut self, now: u64, kind: PacketType) {
        // Polling has no connection that could close instead, so it works in a closing session too. A client that
        // sends it by a WebSocket means it as well, and must not be kept until its timeout.
        if kind == PacketType::Close && !self.is_closed() {
            if let TransportState::Polling(polling) = &mut self.transport {
                polling.answer(&["6"], &mut self.actions);
            }
            return self.end(CloseReason::TransportClose);
        }
        if !self.is_open() {
            return;
        }
        match (kind, self.protocol) {
            (PacketType::Pong, Protocol::V4) => {
                let took = self.heartbeat.handle_beat(self.protocol, now, &self.config);
                self.actions.push(Action::Heartbeat(took));
            }
            (PacketType::Ping, Protocol::V3) => {
                let took = self.heartbeat.handle_beat(self.protocol, now, &self.config);
                self.send_control("3".into());
                self.flush();
                self.actions.push(Action::Heartbeat(took));
            }
            (PacketType::Ping, Protocol::V4) | (PacketType::Pong, Protocol::V3) => {
                self.end(CloseReason::error("invalid heartbeat direction"));
            }
            (
                PacketType::Open
                | PacketType::Close
                | PacketType::Message
                | PacketType::Upgrade
                | PacketType::Noop,
                Protocol::V3 | Protocol::V4,
            ) => self.heartbeat.handle_packet(now, self.config.ping_timeout),
        }
    }

    /// A WebSocket is gone, so there is nothing to close on it.
    fn handle_link_gone(&mut self, link: Link, reason: CloseReason) {
        match &mut self.transport {
            TransportState::WebSocket if link == Link::Main || self.upgraded => {
                self.conclude(reason);
            }
            TransportState::Polling(polling) if link == Link::Probe => polling.upgrade = None,
            TransportState::WebSocket | TransportState::Polling(_) => {}
        }
    }

    /// Sends a ping, or lets it wait for a poll; one is enough.
    fn send_ping(&mut self) {
        if let TransportState::Polling(polling) = &mut self.transport {
            let has_one = polling.unsent_ping && polling.parked.is_none();
            if has_one || polling.parked.is_none() && polling.ping_unread(&mut self.actions) {
                return;
            }
        }
        self.send_control("2".into());
        self.flush();
        if let TransportState::Polling(polling) = &mut self.transport {
            polling.unsent_ping = !polling.is_empty();
        }
    }

    /// Sends a packet of the protocol itself, or lets it wait for a poll.
    fn send_control(&mut self, text: Cow<'static, str>) {
        match &mut self.transport {
            TransportState::WebSocket => self.actions.push(Action::SendText(Link::Main, text)),
            TransportState::Polling(polling) => polling.push_control(text, true),
        }
    }

    /// Ends the session and what carries it.
    fn end(&mut self, reason: CloseReason) {
        if self.is_closed() {
            return;
        }
        self.answer_kept();
        match &mut self.transport {
            TransportState::WebSocket => self.actions.push(Action::CloseLink(Link::Main)),
            TransportState::Polling(polling) => {
                polling.shut(&mut self.actions, reason.is_by_peer());
            }
        }
        self.conclude(reason);
    }

    /// Ends the session silently: its driver can't go on with it. Gives the requests that wait for
    /// an answer, which the driver drops.
    pub fn abandon(&mut self) -> [Option<RequestId>; 2] {
        self.state = State::Closed { untold: None };
        self.actions = Actions::default();
        match &mut self.transport {
            TransportState::WebSocket => [None, None],
            TransportState::Polling(polling) => [polling.parked.take(), polling.posting.take()],
        }
    }

    fn conclude(&mut self, reason: CloseReason) {
        if !self.is_closed() {
            self.state = State::Closed { untold: Some(reason) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_session_is_small() {
        assert!(size_of::<Session>() <= 128, "{}", size_of::<Session>());
    }
}
