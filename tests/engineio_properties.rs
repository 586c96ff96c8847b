//! What holds for every payload and every order of events.

use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use bytes::Bytes;
use ferrosocket::engineio::{
    Action, Config, Data, Link, OutMessage, Packet, PacketType, PostStart, Protocol, RequestId,
    Route, Session, Transport, decode_text, payload,
};
use ferrosocket::id::Sid;
use proptest::collection::vec;
use proptest::prelude::*;

proptest! {
    /// What we encode, we decode again; text must not contain the separator.
    #[test]
    fn a_payload_survives_the_round_trip(
        messages in vec((any::<bool>(), "[^\u{1e}]{0,20}", vec(any::<u8>(), 0..40)), 1..10)
    ) {
        let mut body = Vec::new();
        for (binary, text, bytes) in &messages {
            let data = if *binary { Bytes::from(bytes.clone()) } else { Bytes::from(text.clone()) };
            payload::encode_message(&mut body, &OutMessage { data, binary: *binary, compress: true });
        }
        let body = String::from_utf8(body).unwrap();
        let packets: Vec<_> = payload::decode(&body).collect();
        prop_assert_eq!(packets.len(), messages.len());
        for (packet, (binary, text, bytes)) in packets.into_iter().zip(&messages) {
            let data = match (binary, text.is_empty()) {
                (true, _) => Some(Data::Binary(Cow::Borrowed(bytes))),
                (false, true) => None,
                (false, false) => Some(Data::Text(text)),
            };
            prop_assert_eq!(packet, Ok(Packet { kind: PacketType::Message, data }));
        }
    }

    /// No text is too strange for the decoder, and what it accepts it gives back unchanged.
    #[test]
    fn any_text_is_decoded_or_refused(text in any::<String>()) {
        match decode_text(&text) {
            Ok(Packet { kind, data: Some(Data::Text(data)) }) => {
                prop_assert_eq!(format!("{}{data}", char::from(kind.digit())), text);
            }
            Ok(Packet { kind, data: None }) => {
                prop_assert_eq!(char::from(kind.digit()).to_string(), text);
            }
            Ok(Packet { data: Some(Data::Binary(bytes)), .. }) => {
                prop_assert!(text.starts_with('b') && bytes.len() < text.len());
            }
            Err(_) => prop_assert!(!text.starts_with(['0', '1', '2', '3', '4', '5', '6', 'b'])),
        }
    }

    /// Base64 is read leniently: no text of it makes an error.
    #[test]
    fn any_base64_is_a_message(text in "b[A-Za-z0-9+/=_\\- \n!é]{0,24}") {
        prop_assert!(decode_text(&text).is_ok());
    }

    /// Whatever happens in whatever order: the session ends once, after everything else, and no
    /// request is forgotten or answered twice.
    #[test]
    fn a_session_stays_in_order(polling in any::<bool>(), events in vec(event(), 1..80)) {
        let mut world = World::new(polling);
        for event in events {
            world.apply(event);
        }
        world.finish();
    }
}

/// One thing that happens to a session.
#[derive(Clone, Debug)]
enum Event {
    Get,
    PostStart,
    PostBody(Vec<u8>),
    PostTooLarge,
    PostInvalidContent,
    RequestClosed(usize),
    Frame(bool, &'static str),
    Binary(bool),
    ProbeOpened,
    LinkClosed(bool),
    LinkError(bool),
    Buffer(bool),
    Flush,
    Close(bool),
    Defer,
    Pass(u64),
    Timeout,
}

/// Each packet once, and three that are none or not plain.
const TEXTS: [&str; 12] = ["0", "1", "2", "2probe", "3", "4", "4a", "5", "6", "7", "", "bAQ=="];

fn event() -> impl Strategy<Value = Event> {
    let body = prop_oneof![
        3 => vec(proptest::sample::select(&TEXTS[..]), 1..4)
            .prop_map(|packets| packets.join("\u{1e}").into_bytes()),
        1 => vec(any::<u8>(), 0..12),
    ];
    let text = proptest::sample::select(&TEXTS[..]);
    prop_oneof![
        6 => Just(Event::Get),
        3 => Just(Event::PostStart),
        3 => body.prop_map(Event::PostBody),
        1 => Just(Event::PostTooLarge),
        1 => Just(Event::PostInvalidContent),
        1 => any::<usize>().prop_map(Event::RequestClosed),
        6 => (any::<bool>(), text).prop_map(|(probe, text)| Event::Frame(probe, text)),
        1 => any::<bool>().prop_map(Event::Binary),
        3 => Just(Event::ProbeOpened),
        1 => any::<bool>().prop_map(Event::LinkClosed),
        1 => any::<bool>().prop_map(Event::LinkError),
        4 => any::<bool>().prop_map(Event::Buffer),
        4 => Just(Event::Flush),
        1 => any::<bool>().prop_map(Event::Close),
        1 => Just(Event::Defer),
        4 => (0..30_000_u64).prop_map(Event::Pass),
        4 => Just(Event::Timeout),
    ]
}

/// A session and what its driver knows about it.
struct World {
    session: Session,
    now: u64,
    next_request: u32,
    open: HashSet<RequestId>,
    posting: Option<RequestId>,
    closed: bool,
}

impl World {
    fn new(polling: bool) -> Self {
        let transport = if polling { Transport::Polling } else { Transport::WebSocket };
        let config = Arc::new(Config { max_payload: 10, ..Config::default() });
        let session = Session::open(config, Sid::new("s"), Protocol::V4, transport, 0);
        let mut world = Self {
            session,
            now: 0,
            next_request: 0,
            open: HashSet::new(),
            posting: None,
            closed: false,
        };
        world.drain();
        world
    }

    fn request(&mut self) -> RequestId {
        self.next_request += 1;
        RequestId(self.next_request)
    }

    fn apply(&mut self, event: Event) {
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
            Event::PostBody(body) => {
                if let Some(request) = self.posting.take() {
                    let go_on = |_: Data<'_>| ControlFlow::Continue(());
                    self.session.handle_post_body(now, request, &body, false, go_on);
                }
            }
            Event::PostTooLarge => {
                if let Some(request) = self.posting.take() {
                    self.session.handle_post_too_large(now, request);
                }
            }
            Event::PostInvalidContent => {
                if let Some(request) = self.posting.take() {
                    self.session.handle_post_invalid_content(now, request);
                }
            }
            Event::RequestClosed(index) => {
                let mut open: Vec<_> = self.open.iter().copied().collect();
                open.sort_by_key(|request| request.0);
                let request = open.get(index % open.len().max(1)).copied();
                if let Some(request) = request {
                    self.open.remove(&request);
                    self.posting.take_if(|it| *it == request);
                    self.session.handle_request_closed(now, request);
                    assert!(self.session.is_closed(), "a request went away unanswered");
                }
            }
            Event::Frame(probe, text) => match decode_text(text) {
                Ok(packet) => {
                    let was_open = self.session.is_open();
                    let message = self.session.handle_packet(now, link(probe), packet);
                    assert!(message.is_none() || was_open);
                }
                Err(_) => self.session.handle_invalid_packet(now, link(probe)),
            },
            Event::Binary(probe) => {
                let _ = self.session.handle_packet(now, link(probe), Packet::binary(&[1]));
            }
            Event::ProbeOpened => {
                let possible = self.session.transport() == Transport::Polling
                    && !self.session.is_upgrading()
                    && !self.session.is_closed();
                assert_eq!(self.session.handle_probe_opened(now), possible);
            }
            Event::LinkClosed(probe) => self.session.handle_link_closed(now, link(probe)),
            Event::LinkError(probe) => self.session.handle_link_error(now, link(probe), "broken"),
            Event::Buffer(binary) => {
                let data = Bytes::from_static(b"data");
                self.session.buffer(OutMessage { data, binary, compress: false });
            }
            Event::Flush => self.session.flush(),
            Event::Close(discard) => self.session.close(now, discard),
            Event::Defer => self.session.defer_ping_timeout(now),
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
                | Action::Upgrading
                | Action::Heartbeat
                | Action::Drain => {}
            }
        }
        assert_eq!(self.closed, self.session.is_closed());
        assert_eq!(self.session.is_open(), self.session.route() != Route::Closed);
        assert!(self.open.len() <= 2, "one GET and one POST at most");
        assert!(!self.closed || self.open.is_empty(), "the end forgot {:?}", self.open);
    }

    /// Left alone, every session ends.
    fn finish(mut self) {
        for _ in 0..200 {
            self.apply(Event::Timeout);
        }
        assert!(self.closed, "the session would live for ever");
    }
}
