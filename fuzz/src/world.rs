//! A session and what its driver knows about it: whatever happens in whatever order, it ends once,
//! after everything else, and no request is forgotten or answered twice.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use bytes::Bytes;
use ferrosocket::engineio::{
    Action, Config, Data, Dialect, Link, OutMessage, PostFault, PostStart, Protocol, RequestId,
    Route, Session, Transport,
};
use ferrosocket::id::Sid;

/// One thing that happens to a session. `true` of a link is the probe.
#[derive(Clone, Debug)]
pub enum Event {
    /// A GET came.
    Get,
    /// A POST came, its body not yet.
    PostStart,
    /// The body of a POST that was accepted, and whether its type says that it is binary.
    PostBody(Vec<u8>, bool),
    /// Its body is too large.
    PostTooLarge,
    /// Its body has a type that can't be read.
    PostInvalidContent,
    /// The peer of one of the open requests went away.
    RequestClosed(usize),
    /// A text frame.
    Frame(bool, String),
    /// A binary frame.
    Binary(bool, Vec<u8>),
    /// A WebSocket that probes was opened.
    ProbeOpened,
    /// A WebSocket has ended.
    LinkClosed(bool),
    /// A WebSocket broke a rule.
    LinkError(bool),
    /// A message for the client, and whether it is binary.
    Buffer(bool),
    /// What is buffered is to go.
    Flush,
    /// The server closes it, and whether what is buffered is dropped.
    Close(bool),
    /// A pong may be unread in our own queue.
    Defer,
    /// So many milliseconds pass.
    Pass(u64),
    /// The time of the next deadline comes.
    Timeout,
}

/// A session and what its driver knows about it.
#[derive(Debug)]
pub struct World {
    session: Session,
    protocol: Protocol,
    now: u64,
    next_request: u64,
    open: HashSet<RequestId>,
    posting: Option<RequestId>,
    closed: bool,
}

impl World {
    /// A session whose payloads may have so many bytes.
    pub fn new(transport: Transport, dialect: Dialect, max_payload: usize) -> Self {
        let config = Arc::new(Config { max_payload, ..Config::default() });
        let session = Session::open(config, Sid::new("s"), dialect, transport, 0);
        let mut world = Self {
            session,
            protocol: dialect.protocol,
            now: 0,
            next_request: 0,
            open: HashSet::new(),
            posting: None,
            closed: false,
        };
        world.drain();
        world
    }

    /// Makes polling speak JSONP.
    pub fn set_jsonp(&mut self) {
        self.session.set_jsonp("1");
    }

    fn request(&mut self) -> RequestId {
        self.next_request += 1;
        RequestId(self.next_request)
    }

    /// Lets something happen, and checks what must hold.
    ///
    /// # Panics
    /// When it does not.
    pub fn apply(&mut self, event: Event) {
        let now = self.now;
        let link = |probe| if probe { Link::Probe } else { Link::Main };
        match event {
            Event::Get => {
                let request = self.request();
                if !self.closed {
                    self.open.insert(request);
                }
                self.session.handle_get(now, request);
            }
            Event::PostStart => {
                let request = self.request();
                if !self.closed {
                    self.open.insert(request);
                }
                if self.session.handle_post_start(now, request) == PostStart::Accepted {
                    self.posting = Some(request);
                }
            }
            Event::PostBody(body, binary) => {
                if let Some(request) = self.posting.take() {
                    let go_on = |_: Data<'_>| ControlFlow::Continue(());
                    self.session.handle_post_body(now, request, &body, binary, |_| {}, go_on);
                }
            }
            Event::PostTooLarge => {
                if let Some(request) = self.posting.take() {
                    self.session.handle_post_fault(now, request, PostFault::TooLarge);
                }
            }
            Event::PostInvalidContent => {
                if let Some(request) = self.posting.take() {
                    self.session.handle_post_fault(now, request, PostFault::InvalidContent);
                }
            }
            Event::RequestClosed(index) => {
                let mut open: Vec<_> = self.open.iter().copied().collect();
                open.sort_by_key(|request| request.0);
                let request = open.get(index % open.len().max(1)).copied();
                if let Some(request) = request {
                    self.posting.take_if(|it| *it == request);
                    self.session.handle_request_closed(now, request);
                    assert!(self.session.is_closed(), "a request went away unanswered");
                }
            }
            Event::Frame(probe, text) => match self.protocol.decode_text(&text) {
                Ok(packet) => {
                    let was_open = self.session.is_open();
                    let message = self.session.handle_packet(now, link(probe), packet);
                    assert!(message.is_none() || was_open);
                }
                Err(_) => self.session.handle_invalid_packet(now, link(probe)),
            },
            Event::Binary(probe, data) => match self.protocol.decode_binary(&data) {
                Ok(packet) => {
                    let _ = self.session.handle_packet(now, link(probe), packet);
                }
                Err(_) => self.session.handle_invalid_packet(now, link(probe)),
            },
            Event::ProbeOpened => {
                let possible = self.session.transport() == Transport::Polling
                    && !self.session.is_upgrading()
                    && !self.session.is_closed();
                assert_eq!(self.session.handle_probe_opened(now), possible);
            }
            Event::LinkClosed(probe) => self.session.handle_link_closed(now, link(probe)),
            Event::LinkError(probe) => {
                self.session.handle_link_error(now, link(probe), "broken".into());
            }
            Event::Buffer(binary) => {
                let data = Bytes::from_static(b"data");
                self.session.buffer(OutMessage { data, binary, compress: false });
            }
            Event::Flush => self.session.flush(),
            Event::Close(discard) => self.session.close(now, discard),
            Event::Defer => self.session.put_off(now),
            Event::Pass(millis) => {
                self.now += millis;
                self.session.handle_timeout(self.now);
                self.check_deadline();
            }
            Event::Timeout => {
                if let Some(at) = self.session.poll_timeout() {
                    self.now = self.now.max(at);
                    self.session.handle_timeout(self.now);
                    self.check_deadline();
                }
            }
        }
        self.drain();
    }

    /// Once its deadlines have been served, the next one lies ahead.
    fn check_deadline(&self) {
        assert!(self.session.poll_timeout().is_none_or(|at| at > self.now));
    }

    fn drain(&mut self) {
        while let Some(action) = self.session.poll_action() {
            assert!(!self.closed, "{action:?} after the end");
            match action {
                Action::Respond { request, .. } | Action::DropRequest(request) => {
                    assert!(self.open.remove(&request), "{request:?} was over already");
                }
                Action::Upgraded => assert!(self.session.has_upgraded()),
                Action::Closed(_) => self.closed = true,
                Action::SendText(..)
                | Action::SendMessage(_)
                | Action::CloseLink(_)
                | Action::DetachProbe
                | Action::Upgrading
                | Action::Heartbeat(_)
                | Action::Drain => {}
            }
        }
        assert_eq!(self.closed, self.session.is_closed());
        assert_eq!(self.session.is_open(), self.session.route() != Route::Closed);
        assert!(self.open.len() <= 2, "one GET and one POST at most");
        assert!(!self.closed || self.open.is_empty(), "the end forgot {:?}", self.open);
    }

    /// Left alone, every session ends.
    ///
    /// # Panics
    /// When this one does not.
    pub fn finish(mut self) {
        for _ in 0..200 {
            self.apply(Event::Timeout);
        }
        assert!(self.closed, "the session would live for ever");
    }
}
