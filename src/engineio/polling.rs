//! The two requests of HTTP long-polling, and what waits for the next one.
//!
//! ```text
//!   GET   none ── handle_get ──► parked ── something to send, or the end ──► none
//!                                  └────── another GET: overlap, the session ends
//!   POST  none ── handle_post_start ──► posting ── its whole body came ──► none
//!                                         └─────── another POST: overlap, the session ends
//! ```

use std::borrow::Cow;

use super::action::{Action, Actions, Body, Link, RequestId};
use super::dialect::{Dialect, Protocol};
use super::heartbeat::after;
use super::packet::OutMessage;
use super::upgrade::Upgrade;
use super::{jsonp, payload, payload_v3};

/// How long an orderly close waits for a poll that can carry the close packet, milliseconds.
const CLOSE_TIMEOUT: u64 = 30_000;

/// Something that waits for a poll, or for the upgrade.
#[derive(Debug)]
pub(super) enum Queued {
    /// A packet that is no message, and whether it may be compressed.
    Control(Cow<'static, str>, bool),
    Message(OutMessage),
}

/// The formats of a payload; JSONP puts one of the first two into a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PayloadFormat {
    V4,
    V3Text,
    V3Binary,
}

/// The polling transport of one session.
#[derive(Debug)]
pub(super) struct Polling {
    pub(super) dialect: Dialect,
    /// The number of the client's callback, if it polls by JSONP.
    pub(super) jsonp: Option<Box<str>>,
    /// The GET that waits for something to send.
    pub(super) parked: Option<RequestId>,
    /// A GET that only a ping may answer: JavaScript has not begun with it.
    pub(super) unread: Option<RequestId>,
    /// The POST whose body is on its way.
    pub(super) posting: Option<RequestId>,
    /// The WebSocket that probes.
    pub(super) upgrade: Option<Upgrade>,
    /// When an orderly close stops waiting for a GET.
    pub(super) close_at: Option<u64>,
    /// Whether a ping is in the queue.
    pub(super) unsent_ping: bool,
    queue: Vec<Queued>,
    bytes: usize,
}

impl Polling {
    pub(super) fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            jsonp: None,
            parked: None,
            unread: None,
            posting: None,
            upgrade: None,
            close_at: None,
            unsent_ping: false,
            queue: Vec::new(),
            bytes: 0,
        }
    }

    pub(super) fn push_control(&mut self, text: Cow<'static, str>, compress: bool) {
        self.bytes += text.len();
        self.queue.push(Queued::Control(text, compress));
    }

    pub(super) fn push_message(&mut self, message: OutMessage) {
        self.bytes += message.data.len();
        self.queue.push(Queued::Message(message));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    pub(super) fn buffered(&self) -> usize {
        self.bytes
    }

    /// Begins to wait for a GET that can carry the close packet.
    pub(super) fn await_close(&mut self, now: u64) {
        self.close_at = Some(after(now, CLOSE_TIMEOUT));
    }

    /// Answers the parked GET with everything that is queued; false when either is missing.
    pub(super) fn flush(&mut self, actions: &mut Actions) -> bool {
        if self.queue.is_empty() {
            return false;
        }
        let Some(request) = self.parked.take() else { return false };
        let format = self.format();
        // A digit or `b` and a separator each; base64 makes a binary message grow, lengths more so.
        let mut out = Vec::with_capacity(self.bytes + 2 * self.queue.len());
        let mut compress = false;
        for queued in self.take_queue() {
            match queued {
                Queued::Control(packet, may_compress) => {
                    format.encode_text(&mut out, &packet);
                    compress |= may_compress;
                }
                Queued::Message(message) => {
                    format.encode_message(&mut out, &message);
                    compress |= message.compress;
                }
            }
        }
        actions.respond(request, 200, self.body(format, out, compress));
        true
    }

    /// The format of what is queued. A script has no bytes, so with JSONP they are base64.
    fn format(&self) -> PayloadFormat {
        match self.dialect.protocol {
            Protocol::V4 => PayloadFormat::V4,
            Protocol::V3 if self.dialect.base64 || self.jsonp.is_some() => PayloadFormat::V3Text,
            Protocol::V3 => {
                let is_binary =
                    |queued: &Queued| matches!(queued, Queued::Message(message) if message.binary);
                if self.queue.iter().any(is_binary) {
                    PayloadFormat::V3Binary
                } else {
                    PayloadFormat::V3Text
                }
            }
        }
    }

    fn body(&self, format: PayloadFormat, out: Vec<u8>, compress: bool) -> Body {
        match &self.jsonp {
            _ if format == PayloadFormat::V3Binary => Body::Binary { bytes: out, compress },
            Some(index) => Body::Payload { text: jsonp::wrap(index, &out), compress },
            None => Body::Payload { text: out, compress },
        }
    }

    /// Answers the parked GET, if there is one, with these packets alone.
    pub(super) fn answer(&mut self, packets: &[&str], actions: &mut Actions) {
        let Some(request) = self.parked.take() else { return };
        let format = match self.dialect.protocol {
            Protocol::V3 => PayloadFormat::V3Text,
            Protocol::V4 => PayloadFormat::V4,
        };
        let mut out = Vec::new();
        for packet in packets {
            format.encode_text(&mut out, packet);
        }
        actions.respond(request, 200, self.body(format, out, false));
    }

    /// Answers the GET that nobody has begun with by a ping; false when there is none.
    pub(super) fn ping_unread(&mut self, actions: &mut Actions) -> bool {
        let Some(request) = self.unread.take() else { return false };
        let mut text = Vec::new();
        self.format().encode_text(&mut text, "2");
        actions.respond(request, 200, self.body(self.format(), text, false));
        true
    }

    /// Takes a ping out of the queue, if one is there.
    pub(super) fn take_ping(&mut self) -> bool {
        let ping = |queued: &Queued| matches!(queued, Queued::Control(text, _) if text == "2");
        let Some(at) = self.queue.iter().position(ping) else { return false };
        self.queue.remove(at);
        self.bytes -= 1;
        self.unsent_ping = false;
        true
    }

    /// Lets go of everything that is still open: the session ends. `by_peer`: the client knows already.
    pub(super) fn shut(&mut self, actions: &mut Actions, by_peer: bool) {
        self.shut_requests(actions);
        if let Some(upgrade) = self.upgrade.take() {
            actions.push(if by_peer || !upgrade.is_probed() {
                Action::CloseLink(Link::Probe)
            } else {
                Action::DetachProbe
            });
        }
        self.take_queue();
    }

    /// Sends what is queued by the WebSocket that took over; false when there is nothing.
    pub(super) fn hand_over(&mut self, actions: &mut Actions) -> bool {
        let queue = self.take_queue();
        let any = !queue.is_empty();
        for queued in queue {
            actions.push(match queued {
                Queued::Control(packet, _) => Action::SendText(Link::Main, packet),
                Queued::Message(message) => Action::SendMessage(message),
            });
        }
        any
    }

    /// Ends both requests: the poll with a close packet, the POST (its body is not complete) without
    /// an answer.
    pub(super) fn shut_requests(&mut self, actions: &mut Actions) {
        if let Some(request) = self.posting.take() {
            actions.push(Action::DropRequest(request));
        }
        self.answer(&["1"], actions);
    }

    pub(super) fn take_queue(&mut self) -> Vec<Queued> {
        self.bytes = 0;
        std::mem::take(&mut self.queue)
    }
}

impl PayloadFormat {
    fn encode_text(self, out: &mut Vec<u8>, packet: &str) {
        match self {
            Self::V4 => payload::encode_text(out, packet),
            Self::V3Text => payload_v3::encode_text(out, packet),
            Self::V3Binary => payload_v3::encode_text_in_binary(out, packet),
        }
    }

    fn encode_message(self, out: &mut Vec<u8>, message: &OutMessage) {
        match self {
            Self::V4 => payload::encode_message(out, message),
            Self::V3Text => payload_v3::encode_message(out, message),
            Self::V3Binary => payload_v3::encode_message_in_binary(out, message),
        }
    }
}
