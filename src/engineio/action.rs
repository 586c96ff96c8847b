//! What a session asks of its driver.

use std::borrow::Cow;
use std::collections::VecDeque;

use super::close::CloseReason;
use super::packet::OutMessage;

/// Which WebSocket of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// The session's transport.
    Main,
    /// The one that probes; it becomes [`Link::Main`] at [`Action::Upgraded`].
    Probe,
}

/// Names one HTTP request of the polling transport; the driver chooses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RequestId(pub u64);

/// Whether the body of a POST is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PostStart {
    /// Read it and hand it to `Session::handle_post_body`.
    Accepted,
    /// Do not read it: the answer is among the actions, or the session had ended already.
    Refused,
}

/// The body of an HTTP answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// No body and no content type.
    None,
    /// `ok`, as `text/html`: what a good POST gets.
    Ok,
    /// Packets, as `text/plain; charset=UTF-8`: what a poll gets.
    Payload {
        /// The encoded packets.
        text: Vec<u8>,
        /// Whether a packet among them may be compressed.
        compress: bool,
    },
    /// Packets with bytes among them, as `application/octet-stream`: protocol 3 only.
    Binary {
        /// The encoded packets.
        bytes: Vec<u8>,
        /// Whether a packet among them may be compressed.
        compress: bool,
    },
}

/// One thing to do, in the order given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Write this text as one WebSocket text frame.
    SendText(Link, Cow<'static, str>),
    /// Write this message as one frame on [`Link::Main`]; it had to wait (for the upgrade, mostly).
    SendMessage(OutMessage),
    /// Answer an HTTP request.
    Respond {
        /// Which one.
        request: RequestId,
        /// The HTTP status.
        status: u16,
        /// What stands in the body.
        body: Body,
    },
    /// Send a close frame without a code behind what is queued, then end the connection.
    CloseLink(Link),
    /// The probe carries nothing any more, and is closed as soon as its client sends something on it, or
    /// closes it. The client has been told that the probe is good, and may be about to give up polling: if
    /// the probe ended before that is done, the client would have no transport until its own timeout.
    DetachProbe,
    /// End the connection of this request; it gets no answer.
    DropRequest(RequestId),
    /// A fact: the client's probe was answered.
    Upgrading,
    /// A fact and an order: the probe is [`Link::Main`] from now on.
    Upgraded,
    /// A fact: a pong came, so many milliseconds after its ping, if there was one; or the ping of a client that pings.
    Heartbeat(Option<u32>),
    /// A fact: everything that was buffered has been handed over.
    Drain,
    /// The session has ended: its last action, emitted once.
    Closed(CloseReason),
}

/// Why the body of a POST can't be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PostFault {
    /// Its content type is `application/octet-stream`, which this protocol does not have.
    InvalidContent,
    /// It is larger than `Config::max_payload`.
    TooLarge,
    /// It has come in more pieces than `Config::max_chunks`.
    TooManyChunks,
    /// It has not been all there within `Config::body_timeout`.
    TimedOut,
    /// The client sends more than it may, which says this.
    Limited(&'static str),
}

/// Why nothing more of the body of a POST is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PostHalt {
    /// It is dropped, and answered by `ok`.
    Done,
    /// It can't be taken.
    Fault(PostFault),
    /// It waits: the client may send no more until then.
    Pause(u64),
}

impl PostFault {
    /// The HTTP status, and the message of the error that the session ends with.
    pub(super) const fn answer(self) -> (u16, &'static str) {
        match self {
            Self::InvalidContent => (400, "invalid content"),
            Self::TooLarge => (413, "payload too large"),
            Self::TooManyChunks => (413, "too many chunks"),
            Self::TimedOut => (408, "http request timeout"),
            Self::Limited(message) => (429, message),
        }
    }
}

/// The actions that the driver has not fetched yet.
#[derive(Debug, Default)]
pub(super) struct Actions(VecDeque<Action>);

impl Actions {
    pub(super) fn push(&mut self, action: Action) {
        self.0.push_back(action);
    }

    /// The next action. Gives the memory back at the end: an idle session keeps none.
    pub(super) fn pop(&mut self) -> Option<Action> {
        let action = self.0.pop_front();
        if action.is_none() {
            self.0 = VecDeque::new();
        }
        action
    }

    /// Answers a request.
    pub(super) fn respond(&mut self, request: RequestId, status: u16, body: Body) {
        self.push(Action::Respond { request, status, body });
    }
}
