//! A session with a clock, whose actions read as lines of text.

use std::ops::ControlFlow;
use std::sync::Arc;

use bytes::Bytes;
use ferrosocket::engineio::{
    Action, Body, Config, Data, Dialect, InvalidPacket, Link, OutMessage, Packet, PostStart,
    Protocol, RequestId, Session, Transport,
};
use ferrosocket::id::Sid;

/// A session under test. Every step gives what came of it:
///
/// | line | means |
/// |---|---|
/// | `app: hello`, `app: <0102>` | the application got this message |
/// | `main: 4hello`, `probe: 3probe`, `main: <0102>` | a frame on a WebSocket |
/// | `main closes` | an orderly close of a WebSocket |
/// | `#1: 200 4a␞4b`, `#1: 200 <0102>` | the answer to request 1, packets or `ok` |
/// | `#1 dropped` | its connection was ended |
/// | `closed: transport error (…)` | the session has ended |
pub(crate) struct Bench {
    pub(crate) session: Session,
    pub(crate) now: u64,
}

impl Bench {
    pub(crate) fn open(transport: Transport) -> Self {
        Self::open_with(Config::default(), transport)
    }

    pub(crate) fn open_with(config: Config, transport: Transport) -> Self {
        Self::open_as(config, Protocol::V4, transport)
    }

    pub(crate) fn open_as(
        config: Config,
        dialect: impl Into<Dialect>,
        transport: Transport,
    ) -> Self {
        let now = 1_000_000;
        let sid = Sid::new("lv_VI97HAXpY6yYWAAAC");
        let session = Session::open(Arc::new(config), sid, dialect, transport, now);
        Self { session, now }
    }

    /// A WebSocket session whose handshake is through.
    pub(crate) fn websocket() -> Self {
        let mut bench = Self::open(Transport::WebSocket);
        bench.actions();
        bench
    }

    /// A polling session whose handshake is through (it took request 0).
    pub(crate) fn polling() -> Self {
        let mut bench = Self::open(Transport::Polling);
        bench.get(0);
        bench
    }

    /// A polling session with a WebSocket that has said its `2probe`.
    pub(crate) fn probing() -> Self {
        let mut bench = Self::polling();
        assert!(bench.session.handle_probe_opened(bench.now));
        assert_eq!(bench.probe("2probe"), ["probe: 3probe", "upgrading"]);
        bench
    }

    /// A GET arrives.
    pub(crate) fn get(&mut self, request: u64) -> Vec<String> {
        self.session.handle_get(self.now, RequestId(request));
        self.actions()
    }

    /// A POST arrives, its body does not yet.
    pub(crate) fn post_start(&mut self, request: u64) -> (PostStart, Vec<String>) {
        let start = self.session.handle_post_start(self.now, RequestId(request));
        (start, self.actions())
    }

    /// The body of a POST arrives.
    pub(crate) fn post_body(&mut self, request: u64, body: impl AsRef<[u8]>) -> Vec<String> {
        self.post_body_as(request, body, false)
    }

    /// The body of a POST arrives, as text or as `application/octet-stream`.
    pub(crate) fn post_body_as(
        &mut self,
        request: u64,
        body: impl AsRef<[u8]>,
        binary: bool,
    ) -> Vec<String> {
        let mut lines = Vec::new();
        let request = RequestId(request);
        self.session.handle_post_body(
            self.now,
            request,
            body.as_ref(),
            binary,
            |_| {},
            |data| {
                lines.push(app(&data));
                ControlFlow::Continue(())
            },
        );
        lines.extend(self.actions());
        lines
    }

    /// A whole POST arrives.
    pub(crate) fn post(&mut self, request: u64, body: impl AsRef<[u8]>) -> Vec<String> {
        assert_eq!(self.post_start(request), (PostStart::Accepted, vec![]));
        self.post_body(request, body)
    }

    /// A whole POST arrives, as `application/octet-stream`.
    pub(crate) fn post_binary(&mut self, request: u64, body: impl AsRef<[u8]>) -> Vec<String> {
        assert_eq!(self.post_start(request), (PostStart::Accepted, vec![]));
        self.post_body_as(request, body, true)
    }

    /// The peer of a request goes away.
    pub(crate) fn abort(&mut self, request: u64) -> Vec<String> {
        self.session.handle_request_closed(self.now, RequestId(request));
        self.actions()
    }

    /// A text frame arrives on the session's WebSocket.
    pub(crate) fn text(&mut self, text: &str) -> Vec<String> {
        self.frame(Link::Main, text)
    }

    /// A text frame arrives on the probing WebSocket.
    pub(crate) fn probe(&mut self, text: &str) -> Vec<String> {
        self.frame(Link::Probe, text)
    }

    fn frame(&mut self, link: Link, text: &str) -> Vec<String> {
        let packet = self.session.protocol().decode_text(text);
        self.packet(link, packet)
    }

    /// A binary frame arrives.
    pub(crate) fn binary(&mut self, link: Link, data: &[u8]) -> Vec<String> {
        let packet = self.session.protocol().decode_binary(data);
        self.packet(link, packet)
    }

    fn packet(&mut self, link: Link, packet: Result<Packet<'_>, InvalidPacket>) -> Vec<String> {
        let Ok(packet) = packet else {
            self.session.handle_invalid_packet(self.now, link);
            return self.actions();
        };
        let data = self.session.handle_packet(self.now, link, packet);
        data.iter().map(app).chain(self.actions()).collect()
    }

    /// A WebSocket ends.
    pub(crate) fn link_closed(&mut self, link: Link) -> Vec<String> {
        self.session.handle_link_closed(self.now, link);
        self.actions()
    }

    /// A WebSocket breaks the rules.
    pub(crate) fn link_error(&mut self, link: Link, message: &'static str) -> Vec<String> {
        self.session.handle_link_error(self.now, link, message.into());
        self.actions()
    }

    /// The application sends, in one tick.
    pub(crate) fn send(&mut self, texts: &[&str]) -> Vec<String> {
        for text in texts {
            self.session.buffer(message(text.as_bytes(), false));
        }
        self.session.flush();
        self.actions()
    }

    /// The application sends bytes.
    pub(crate) fn send_binary(&mut self, data: &[u8]) -> Vec<String> {
        self.session.buffer(message(data, true));
        self.session.flush();
        self.actions()
    }

    /// The application closes.
    pub(crate) fn close(&mut self, discard: bool) -> Vec<String> {
        self.session.close(self.now, discard);
        self.actions()
    }

    /// The clock goes on; every deadline on the way is kept.
    pub(crate) fn wait(&mut self, millis: u64) -> Vec<String> {
        let end = self.now + millis;
        let mut lines = Vec::new();
        while let Some(at) = self.session.poll_timeout().filter(|at| *at <= end) {
            self.now = at;
            self.session.handle_timeout(at);
            lines.extend(self.actions());
        }
        self.now = end;
        lines
    }

    /// Everything there is to do. The fact `Drain` is left out: it would stand behind every answer.
    pub(crate) fn actions(&mut self) -> Vec<String> {
        self.raw_actions().iter().filter(|it| **it != Action::Drain).map(line).collect()
    }

    /// Everything there is to do, as it is.
    pub(crate) fn raw_actions(&mut self) -> Vec<Action> {
        std::iter::from_fn(|| self.session.poll_action()).collect()
    }
}

pub(crate) fn message(data: &[u8], binary: bool) -> OutMessage {
    OutMessage { data: Bytes::copy_from_slice(data), binary, compress: true }
}

fn app(data: &Data<'_>) -> String {
    match data {
        Data::Text(text) => format!("app: {text}"),
        Data::Binary(bytes) => format!("app: {}", hex(bytes)),
    }
}

fn hex(bytes: &[u8]) -> String {
    let digits: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("<{}>", digits.concat())
}

fn link(link: Link) -> &'static str {
    match link {
        Link::Main => "main",
        Link::Probe => "probe",
    }
}

fn line(action: &Action) -> String {
    match action {
        Action::SendText(on, text) => format!("{}: {text}", link(*on)),
        Action::SendMessage(message) if message.binary => format!("main: {}", hex(&message.data)),
        Action::SendMessage(message) => {
            format!("main: 4{}", String::from_utf8_lossy(&message.data))
        }
        Action::Respond { request: RequestId(id), status, body } => match body {
            Body::None => format!("#{id}: {status}"),
            Body::Ok => format!("#{id}: {status} ok"),
            Body::Binary { bytes, .. } => format!("#{id}: {status} {}", hex(bytes)),
            Body::Payload { text, .. } => {
                let text = String::from_utf8_lossy(text).replace('\u{1e}', "␞");
                format!("#{id}: {status} {text}")
            }
        },
        Action::CloseLink(on) => format!("{} closes", link(*on)),
        Action::DetachProbe => "probe detached".into(),
        Action::DropRequest(RequestId(id)) => format!("#{id} dropped"),
        Action::Upgrading => "upgrading".into(),
        Action::Upgraded => "upgraded".into(),
        Action::Heartbeat(_) => "heartbeat".into(),
        Action::Drain => "drain".into(),
        Action::Closed(reason) => match reason.message() {
            Some(message) => format!("closed: {reason} ({message})"),
            None => format!("closed: {reason}"),
        },
    }
}
