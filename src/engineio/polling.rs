//! The two requests of HTTP long-polling, and what waits for the next one.
//!
//! ```text
//!   GET   none ── handle_get ──► parked ── something to send, or the end ──► none
//!                                  └────── another GET: overlap, the session ends
//!   POST  none ── handle_post_start ──► posting ── its whole body came ──► none
//!                                         └─────── another POST: overlap, the session ends
//! ```

use std::borrow::Cow;

use super::action::{Action, Actions, Link, RequestId};
use super::heartbeat::after;
use super::packet::OutMessage;
use super::payload;
use super::upgrade::Upgrade;

/// How long an orderly close waits for a poll that can carry the close packet, milliseconds.
const CLOSE_TIMEOUT: u64 = 30_000;

/// Something that waits for a poll, or for the upgrade.
#[derive(Debug)]
enum Queued {
    Control(Cow<'static, str>),
    Message(OutMessage),
}

/// The polling transport of one session.
#[derive(Debug, Default)]
pub(super) struct Polling {
    /// The GET that waits for something to send.
    pub(super) parked: Option<RequestId>,
    /// The POST whose body is on its way.
    pub(super) posting: Option<RequestId>,
    /// The WebSocket that probes.
    pub(super) upgrade: Option<Upgrade>,
    /// When an orderly close stops waiting for a GET.
    pub(super) close_at: Option<u64>,
    queue: Vec<Queued>,
    bytes: usize,
}

impl Polling {
    pub(super) fn push_control(&mut self, text: Cow<'static, str>) {
        self.bytes += text.len();
        self.queue.push(Queued::Control(text));
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
        // A digit or `b` and a separator each; base64 makes a binary message grow.
        let mut text = Vec::with_capacity(self.bytes + 2 * self.queue.len());
        let mut compress = false;
        for queued in self.take_queue() {
            match queued {
                Queued::Control(packet) => {
                    payload::encode_text(&mut text, &packet);
                    compress = true;
                }
                Queued::Message(message) => {
                    payload::encode_message(&mut text, &message);
                    compress |= message.compress;
                }
            }
        }
        actions.respond_poll(request, text, compress);
        true
    }

    /// Answers the parked GET, if there is one, with these packets alone.
    pub(super) fn answer(&mut self, packets: &str, actions: &mut Actions) {
        if let Some(request) = self.parked.take() {
            actions.respond_poll(request, packets.into(), false);
        }
    }

    /// Lets go of everything that is still open: the session ends.
    pub(super) fn shut(&mut self, actions: &mut Actions) {
        self.shut_requests(actions);
        if self.upgrade.take().is_some() {
            actions.push(Action::CloseLink(Link::Probe));
        }
        self.take_queue();
    }

    /// Sends what is queued by the WebSocket that took over; false when there is nothing.
    pub(super) fn hand_over(&mut self, actions: &mut Actions) -> bool {
        let queue = self.take_queue();
        let any = !queue.is_empty();
        for queued in queue {
            actions.push(match queued {
                Queued::Control(packet) => Action::SendText(Link::Main, packet),
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
        self.answer("1", actions);
    }

    fn take_queue(&mut self) -> Vec<Queued> {
        self.bytes = 0;
        std::mem::take(&mut self.queue)
    }
}
