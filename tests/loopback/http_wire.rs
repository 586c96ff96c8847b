//! Connections that polling requests come by.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;

use ferrosocket::border::RecordKind;
use ferrosocket::engineio::Config;
use ferrosocket::http::request::{Persistence, Rules};
use ferrosocket::id::Sid;
use ferrosocket::net::budget::{BEHIND, Held, INBOX_LIMIT};
use ferrosocket::net::clock;
use ferrosocket::net::command::{CloseHttp, Command, HttpHandover, IncomingHttp, Opening};
use ferrosocket::net::http_profile::Profile;
use ferrosocket::net::inbox::CLIENT_LIMIT;
use ferrosocket::net::peer::Peer;

use crate::host::{Host, PATIENCE, handle_of};
use crate::polling;

const LISTENER: u32 = 3;

pub(crate) fn profile() -> Profile {
    let rules = Rules {
        path: "/socket.io/".into(),
        max_head: 16 << 10,
        max_body: 2_000_000,
        compression: false,
    };
    Profile {
        rules,
        lines: "X: y\r\n".into(),
        by_origin: false,
        keep_alive: Some(5),
        idle_timeout: 0,
        headers_timeout: 0,
        request_timeout: 0,
        compress_from: None,
    }
}

/// A connection, and its name.
pub(crate) struct HttpWire {
    pub(crate) token: u32,
    pub(crate) stream: TcpStream,
}

impl HttpWire {
    /// One that is idle.
    pub(crate) fn open(host: &Host, worker: usize, profile: Profile) -> Self {
        Self::take_over(host, worker, profile, None)
    }

    fn take_over(host: &Host, worker: usize, profile: Profile, opening: Option<Opening>) -> Self {
        let stream = TcpStream::connect(host.address()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let (accepted, _) = host.listener().accept().unwrap();
        let token = host.token();
        let server = Arc::clone(&host.server);
        let profile = Arc::new(profile);
        let recalls = server.recalls();
        let handover =
            HttpHandover { server, token, listener: LISTENER, front: None, profile, recalls };
        let incoming = IncomingHttp {
            handover,
            stream: accepted.into(),
            opening,
            peer: Peer::default(),
            news: None,
        };
        host.command_to(worker, Command::IncomingHttp(Box::new(incoming)));
        Self { token, stream }
    }

    pub(crate) fn get(&mut self, sid: &Sid) {
        self.write(&head("GET", sid, ""));
    }

    fn post(&mut self, sid: &Sid, body: &str) {
        let head = head("POST", sid, &format!("Content-Length: {}\r\n", body.len()));
        self.write(&format!("{head}{body}"));
    }

    /// A POST that is answered at once.
    pub(crate) fn tell(&mut self, sid: &Sid, body: &str) {
        self.post(sid, body);
        assert_eq!(self.answer(), ok());
    }

    pub(crate) fn write(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).unwrap();
    }

    /// The status and the body of the next answer, which has a length or is one empty chunk.
    pub(crate) fn answer(&mut self) -> (u16, String) {
        let (head, body) = self.whole_answer();
        assert!(head.contains("\r\nX: y\r\n"), "{head}");
        (head[9..12].parse().unwrap(), body)
    }

    /// The head and the body of it.
    fn whole_answer(&mut self) -> (String, String) {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            assert_eq!(self.stream.read(&mut byte).unwrap(), 1, "{}", head.escape_ascii());
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap();
        let length = match head.split_once("Content-Length: ") {
            Some((_, rest)) => rest.split_once('\r').unwrap().0.parse().unwrap(),
            None => "0\r\n\r\n".len(),
        };
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).unwrap();
        (head, String::from_utf8(body).unwrap())
    }

    /// Whether nothing has come by the connection yet.
    fn hears_nothing(&self) -> bool {
        self.stream.set_nonblocking(true).unwrap();
        let peeked = self.stream.peek(&mut [0]);
        self.stream.set_nonblocking(false).unwrap();
        peeked.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
    }

    /// Waits for the end of the connection.
    fn end(&mut self) {
        let mut rest = Vec::new();
        // A reset is an end too.
        let _reset = self.stream.read_to_end(&mut rest);
        assert_eq!(rest, b"");
    }
}

fn head(method: &str, sid: &Sid, headers: &str) -> String {
    let sid = sid.as_str();
    format!(
        "{method} /socket.io/?EIO=4&transport=polling&sid={sid} HTTP/1.1\r\nHost: a\r\n{headers}\r\n"
    )
}

fn ok() -> (u16, String) {
    (200, "ok".to_owned())
}

/// The worker of the sessions, and another one.
fn both(host: &Host) -> [usize; 2] {
    [host.worker, (host.worker + 1) % host.runtime.workers()]
}

#[test]
fn a_first_request_opens_a_session() {
    let host = Host::new();
    let sid = host.sid();
    let request = b"GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: a\r\n\r\n";
    let opening =
        Opening { sid: sid.clone(), encoding: None, persistence: Persistence::Keep, ticket: None };
    let mut wire = HttpWire::take_over(&host, host.worker, profile(), Some(opening));
    let opened = host.next(RecordKind::Opened);
    assert_eq!(opened.text(3), sid.as_str());
    assert_eq!((opened.number(4), opened.number(5)), (0, u64::from(wire.token)));
    let peer = wire.stream.local_addr().unwrap();
    assert_eq!((opened.text(7), opened.number(8)), ("127.0.0.1", u64::from(peer.port())));
    let (status, body) = wire.answer();
    assert!(status == 200 && body.starts_with(&format!("0{{\"sid\":\"{}\"", sid.as_str())));
    wire.post(&sid, "40");
    host.next_of(RecordKind::Connect, handle_of(&opened).raw());
    assert_eq!(wire.answer(), ok());
    // It opens no other one: that is for Node.js.
    wire.write(std::str::from_utf8(request).unwrap());
    assert_eq!(host.next_of(RecordKind::GivenBack, wire.token).buffers, [request]);
}

#[test]
fn requests_are_answered_by_whichever_worker_has_the_connection() {
    let host = Host::new();
    for worker in both(&host) {
        let (handle, sid) = polling::open(&host);
        let (mut ask, mut tell) =
            (HttpWire::open(&host, worker, profile()), HttpWire::open(&host, worker, profile()));
        tell.tell(&sid, "40");
        host.next(RecordKind::Connect);
        for n in 0..3 {
            ask.get(&sid);
            tell.post(&sid, "42[\"up\"]\x1e42[\"up\"]");
            assert_eq!(tell.answer(), ok());
            host.next_of(RecordKind::Event, handle.raw());
            host.next_of(RecordKind::Event, handle.raw());
            host.send(handle, &format!("2[{n}]"));
            assert_eq!(ask.answer(), (200, format!("42[{n}]")));
        }
        ask.get(&sid);
        Host::until(|| host.server.sessions.get(&sid).unwrap().requests.is_parked());
        host.close(handle);
        assert_eq!(ask.answer(), (200, "1".to_owned()));
        // The session has gone: its requests are not for us any more.
        tell.post(&sid, "42[\"late\"]");
        let given = host.next_of(RecordKind::GivenBack, tell.token);
        assert!(given.buffers[0].ends_with(b"42[\"late\"]"));
        assert!(host.environment.take_stream(tell.token).is_some());
        assert!(host.environment.take_stream(tell.token).is_none());
    }
}

#[test]
fn answers_begin_as_their_origin_asks_for() {
    let host = Host::new();
    let (_, sid) = polling::open(&host);
    let mut wire = HttpWire::open(&host, host.worker, Profile { by_origin: true, ..profile() });
    let post = |wire: &mut HttpWire, headers: &str| {
        let headers = format!("{headers}Content-Length: 1\r\n");
        let text = format!("{}3", head("POST", &sid, &headers));
        wire.write(&text);
        text
    };
    host.server.cross_origin.note(b"", Some("X: y\r\n"));
    host.server.cross_origin.note(b"http://a", Some("X: y\r\nOf: a\r\n"));
    for (headers, has) in [("", false), ("Origin: http://a\r\n", true), ("", false)] {
        post(&mut wire, headers);
        let (head, body) = wire.whole_answer();
        assert_eq!((head.contains("\r\nX: y\r\n"), head.contains("\r\nOf: a\r\n")), (true, has));
        assert_eq!(body, "ok");
    }
    // One that JavaScript has not told of is for it.
    let text = post(&mut wire, "Origin: http://b\r\n");
    assert_eq!(host.next_of(RecordKind::GivenBack, wire.token).buffers, [text.as_bytes()]);
    // So is one of which it has told, and does not stand by it any more.
    let mut wire = HttpWire::open(&host, host.worker, Profile { by_origin: true, ..profile() });
    host.server.cross_origin.note(b"http://a", None);
    let text = post(&mut wire, "Origin: http://a\r\n");
    assert_eq!(host.next_of(RecordKind::GivenBack, wire.token).buffers, [text.as_bytes()]);
}

#[test]
fn a_connection_ends_behind_its_last_answer() {
    let host = Host::new();
    for worker in both(&host) {
        for (version, headers) in [("1.0", ""), ("1.1", "Connection: close\r\n")] {
            let (handle, sid) = polling::open(&host);
            let mut ask = HttpWire::open(&host, worker, profile());
            let request =
                head("GET", &sid, headers).replace("HTTP/1.1", &format!("HTTP/{version}"));
            ask.write(&request);
            Host::until(|| host.server.sessions.get(&sid).unwrap().requests.is_parked());
            host.send(handle, "2[1]");
            let (head, body) = ask.whole_answer();
            assert!(head.contains("\r\nConnection: close\r\n"), "{head}");
            assert_eq!(body, "42[1]");
            ask.end();
            host.next_of(RecordKind::WireClosed, ask.token);
            // The session goes on, by another connection.
            let mut tell = HttpWire::open(&host, worker, profile());
            tell.post(&sid, "3");
            assert_eq!(tell.answer(), ok());
        }
    }
}

/// A client should wait for the answer. One that does not gets the same: what it has sent is read in order.
#[test]
fn what_comes_before_a_held_answer_is_read_before_what_comes_after_it() {
    for worker in 0..2 {
        let host = Host::new();
        let (handle, sid) = polling::open(&host);
        let mut wire = HttpWire::open(&host, both(&host)[worker], profile());
        // An event behind a CONNECT: JavaScript has to take that first.
        wire.tell(&sid, "40");
        wire.tell(&sid, "3");
        let before = host.environment.inbox.bytes();
        wire.post(&sid, "42[\"early\"]");
        Host::until(|| host.environment.inbox.bytes() > before);
        // More than is read ahead: the rest stays in the socket.
        let filler = "x".repeat(500_000);
        let body = format!("42[\"long\",\"{filler}\"]");
        let head = head("POST", &sid, &format!("Content-Length: {}\r\n", body.len()));
        let mut stream = wire.stream.try_clone().unwrap();
        let writing = std::thread::spawn(move || {
            stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
        });
        Host::until(|| host.environment.inbox.budget.held() >= 64 << 10);
        assert!(wire.hears_nothing());
        host.next_of(RecordKind::Connect, handle.raw());
        assert_eq!(wire.answer(), ok());
        assert_eq!(host.next_of(RecordKind::Event, handle.raw()).fields[3][0], "early");
        let event = host.next_of(RecordKind::Event, handle.raw());
        assert_eq!(event.fields[3][1], filler);
        assert_eq!(wire.answer(), ok());
        writing.join().unwrap();
        wire.post(&sid, "42[\"next\"]");
        assert_eq!(host.next_of(RecordKind::Event, handle.raw()).fields[3][0], "next");
        assert_eq!(wire.answer(), ok());
    }
}

/// JavaScript would find an event without a socket if it took it together with the CONNECT before it.
#[test]
fn a_connect_is_answered_at_once_and_taken_before_what_is_sent_then() {
    for worker in 0..2 {
        let host = Host::new();
        let (_, sid) = polling::open(&host);
        let mut wire = HttpWire::open(&host, both(&host)[worker], profile());
        for body in ["40", "40/other,", "3\u{1e}40/third,", "3"] {
            wire.tell(&sid, body);
        }
        let before = host.environment.inbox.bytes();
        wire.post(&sid, "42[\"early\"]");
        Host::until(|| host.environment.inbox.bytes() > before);
        assert!(wire.hears_nothing());
        let kinds = || {
            let text = host.take_batch().text;
            let text = text.trim_end();
            let records: Vec<Vec<serde_json::Value>> = serde_json::from_str(text).unwrap();
            let kind = |record: &Vec<serde_json::Value>| record[0].as_u64().unwrap();
            records.iter().map(kind).collect::<Vec<_>>()
        };
        let kind = |kind| u64::from(kind as u8);
        assert_eq!(kinds(), [kind(RecordKind::Connect); 3]);
        assert_eq!(kinds(), [kind(RecordKind::Event)]);
        assert_eq!(wire.answer(), ok());
        wire.post(&sid, "42[\"next\"]");
        assert_eq!(wire.answer(), ok());
    }
}

#[test]
fn a_body_may_come_byte_by_byte() {
    let host = Host::new();
    for worker in both(&host) {
        let (handle, sid) = polling::open(&host);
        let mut wire = HttpWire::open(&host, worker, profile());
        let text = format!("{}42[\"up\"]", head("POST", &sid, "Content-Length: 8\r\n"));
        let (first, rest) = text.split_at(text.len() - 8);
        wire.write(first);
        for byte in rest.chars() {
            wire.write(&byte.to_string());
        }
        assert_eq!(wire.answer(), ok());
        host.next_of(RecordKind::Event, handle.raw());
    }
}

#[test]
fn overlapping_requests_end_the_session() {
    let host = Host::new();
    for worker in both(&host) {
        for method in ["GET", "POST"] {
            let (handle, sid) = polling::open(&host);
            let mut first = HttpWire::open(&host, worker, profile());
            let mut second = HttpWire::open(&host, host.worker, profile());
            // A GET waits for something to send, a POST for its body.
            let length = if method == "POST" { "Content-Length: 9\r\n" } else { "" };
            first.write(&head(method, &sid, length));
            // The POST has begun when a GET that came behind it waits.
            let mut probe = HttpWire::open(&host, worker, profile());
            if method == "POST" {
                probe.get(&sid);
            }
            Host::until(|| host.server.sessions.get(&sid).unwrap().requests.is_parked());
            second.write(&head(method, &sid, length));
            assert_eq!(second.answer().0, 400);
            assert_eq!(host.closed(handle).0, "transport error");
            if method == "GET" {
                assert_eq!(first.answer(), (200, "1".to_owned()));
            } else {
                host.next_of(RecordKind::WireClosed, first.token);
                first.end();
                assert_eq!(probe.answer(), (200, "1".to_owned()));
                // What is left of the body that was refused is not read as a request.
                second.write("412345678");
                second.get(&sid);
                let given = host.next_of(RecordKind::GivenBack, second.token);
                assert!(given.buffers[0].starts_with(b"GET "));
            }
        }
    }
}

#[test]
fn a_client_that_goes_closes_its_session() {
    let host = Host::new();
    for worker in both(&host) {
        let (handle, sid) = polling::open(&host);
        let mut wire = HttpWire::open(&host, worker, profile());
        wire.get(&sid);
        Host::until(|| host.server.sessions.get(&sid).unwrap().requests.is_parked());
        let token = wire.token;
        drop(wire);
        let reason = host.closed(handle);
        assert_eq!(reason.1.as_deref(), Some("poll connection closed prematurely"));
        host.next_of(RecordKind::WireClosed, token);
    }
}

/// As with Node.js: what has an answer is answered, and the connection ends behind that.
#[test]
fn a_client_that_ends_its_half_gets_what_there_is() {
    let host = Host::new();
    for worker in both(&host) {
        let (handle, sid) = polling::open(&host);
        let last = |method, headers: &str, body: &str| {
            let mut wire = HttpWire::open(&host, worker, profile());
            wire.write(&format!("{}{body}", head(method, &sid, headers)));
            wire.stream.shutdown(Shutdown::Write).unwrap();
            wire
        };
        host.send(handle, "2[1]");
        let mut wire = last("GET", "", "");
        assert_eq!(wire.answer(), (200, "42[1]".to_owned()));
        wire.end();
        host.next_of(RecordKind::WireClosed, wire.token);

        let mut wire = last("POST", "Content-Length: 1\r\n", "3");
        assert_eq!(wire.answer(), ok());
        wire.end();
        host.next_of(RecordKind::WireClosed, wire.token);

        // Half a head is Node's to refuse.
        let mut wire = HttpWire::open(&host, worker, profile());
        wire.write("GET /socket.io/ HTTP");
        wire.stream.shutdown(Shutdown::Write).unwrap();
        host.next_of(RecordKind::GivenBack, wire.token);

        let mut wire = last("POST", "Content-Length: 2\r\n", "4");
        let mut answer = String::new();
        wire.stream.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
        let reason = host.closed(handle);
        assert_eq!(reason.1.as_deref(), Some("data request connection closed prematurely"));
    }
}

#[test]
fn what_is_not_plain_is_given_back_as_it_came() {
    let host = Host::new();
    let (_, sid) = polling::open(&host);
    let plain = head("GET", &sid, "");
    for text in [
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
        head("GET", &Sid::new("nobody"), ""),
        head("OPTIONS", &sid, ""),
        head("POST", &sid, "Transfer-Encoding: chunked\r\n") + "0\r\n\r\n",
        head("POST", &sid, "Content-Length: 2000001\r\n"),
        // Pipelined: Node.js reads both before it answers.
        plain.repeat(2),
        "nonsense".to_owned(),
    ] {
        let mut wire = HttpWire::open(&host, host.worker, profile());
        wire.write(&text);
        let given = host.next_of(RecordKind::GivenBack, wire.token);
        let stream = host.environment.take_stream(wire.token).unwrap();
        // What has not been read yet still stands in the socket.
        stream.set_nonblocking(false).unwrap();
        let mut bytes = given.buffers[0].clone();
        let mut rest = vec![0; text.len() - bytes.len()];
        (&stream).read_exact(&mut rest).unwrap();
        bytes.append(&mut rest);
        assert_eq!(String::from_utf8(bytes).unwrap(), text);
    }
}

#[test]
fn a_head_may_come_in_two_pieces() {
    let host = Host::new();
    let (_, sid) = polling::open(&host);
    let mut wire = HttpWire::open(&host, host.worker, profile());
    let text = head("POST", &sid, "Content-Length: 1\r\n");
    wire.write(&text[..20]);
    wire.write(&text[20..]);
    wire.write("3");
    assert_eq!(wire.answer(), ok());
}

#[test]
fn a_recall_brings_connections_back_at_their_next_request() {
    let host = Host::new();
    let (_, sid) = polling::open(&host);
    let mut wire = HttpWire::open(&host, host.worker, profile());
    wire.post(&sid, "42[\"x\"]");
    assert_eq!(wire.answer(), ok());
    host.server.recall_count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    wire.get(&sid);
    assert_eq!(
        host.next_of(RecordKind::GivenBack, wire.token).buffers[0],
        head("GET", &sid, "").as_bytes()
    );
}

#[test]
fn an_idle_connection_is_closed_and_a_slow_body_is_told_so() {
    let host = Host::new();
    let (handle, sid) = polling::open(&host);
    let times = Profile { idle_timeout: 20, request_timeout: 20, ..profile() };
    let mut idle = HttpWire::open(&host, host.worker, times.clone());
    host.next_of(RecordKind::WireClosed, idle.token);
    idle.end();
    let mut slow = HttpWire::open(&host, host.worker, times);
    slow.write(&head("POST", &sid, "Content-Length: 2\r\n"));
    let mut answer = String::new();
    slow.stream.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n");
    let reason = host.closed(handle);
    assert_eq!(reason.1.as_deref(), Some("data request connection closed prematurely"));
}

#[test]
fn half_a_head_has_the_time_of_an_idle_connection_and_a_slow_one_its_own() {
    let host = Host::new();
    let (_, sid) = polling::open(&host);
    let whole = head("GET", &sid, "");
    let half = &whole[..whole.len() - 3];
    // Nothing more comes.
    let mut idle = HttpWire::open(&host, host.worker, Profile { idle_timeout: 20, ..profile() });
    idle.write(half);
    host.next_of(RecordKind::WireClosed, idle.token);
    idle.end();
    // It comes, but not in time.
    let times = Profile { idle_timeout: 1 << 40, headers_timeout: 20, ..profile() };
    let mut slow = HttpWire::open(&host, host.worker, times);
    slow.write(half);
    let mut answer = String::new();
    slow.stream.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n");
    host.next_of(RecordKind::WireClosed, slow.token);
}

#[test]
fn a_head_may_come_byte_by_byte() {
    let host = Host::new();
    let (handle, sid) = polling::open(&host);
    let mut wire = HttpWire::open(&host, host.worker, profile());
    for _ in 0..2 {
        for byte in head("GET", &sid, "X-A: b\r\n").bytes() {
            wire.stream.write_all(&[byte]).unwrap();
        }
        Host::until(|| host.server.sessions.get(&sid).unwrap().requests.is_parked());
        host.send(handle, "2[1]");
        assert_eq!(wire.answer(), (200, "42[1]".to_owned()));
    }
}

#[test]
fn a_body_that_cannot_be_taken_ends_its_session_and_its_connection() {
    let config = || Config { max_chunks: 2, body_timeout: 20, ..Config::default() };
    for worker in 0..2 {
        let host = Host::with(Config { body_timeout: 1 << 40, ..config() });
        let (handle, sid) = polling::open(&host);
        let mut tiny = HttpWire::open(&host, both(&host)[worker], profile());
        tiny.write(&head("POST", &sid, "Content-Length: 1000000\r\n"));
        while tiny.hears_nothing() && tiny.stream.write_all(b"4").is_ok() {}
        assert_eq!(tiny.answer().0, 413);
        assert_eq!(host.closed(handle).1.as_deref(), Some("too many chunks"));
        host.next_of(RecordKind::WireClosed, tiny.token);

        let host = Host::with(config());
        let (handle, sid) = polling::open(&host);
        // The HTTP server would wait longer.
        let times = Profile { request_timeout: 1 << 40, ..profile() };
        let mut slow = HttpWire::open(&host, both(&host)[worker], times);
        slow.write(&head("POST", &sid, "Content-Length: 2\r\n"));
        assert_eq!(slow.answer().0, 408);
        assert_eq!(host.closed(handle).1.as_deref(), Some("http request timeout"));
        host.next_of(RecordKind::WireClosed, slow.token);
        slow.end();
    }
}

#[test]
fn closing_the_http_server_closes_idle_connections_and_waits_for_the_others() {
    let host = Host::new();
    let (handle, sid) = polling::open(&host);
    let mut idle = HttpWire::open(&host, host.worker, profile());
    let mut busy = HttpWire::open(&host, host.worker, profile());
    busy.get(&sid);
    Host::until(|| host.server.sessions.get(&sid).unwrap().requests.is_parked());
    let environment = host.environment.id;
    let close = |listener, busy, later| {
        let close = CloseHttp { environment, listener, busy, later };
        host.command_to(host.worker, Command::CloseHttp(close));
    };
    close(LISTENER + 1, true, false); // another server
    close(LISTENER, false, true);
    host.next_of(RecordKind::WireClosed, idle.token);
    idle.end();
    host.send(handle, "2[1]");
    assert_eq!(busy.answer(), (200, "42[1]".to_owned()));
    host.next_of(RecordKind::WireClosed, busy.token);
    busy.end();
    let mut last = HttpWire::open(&host, host.worker, profile());
    last.get(&sid);
    Host::until(|| host.server.sessions.get(&sid).unwrap().requests.is_parked());
    close(LISTENER, true, false);
    last.end();
    assert_eq!(host.closed(handle).0, "transport error");
}

#[test]
fn a_flood_is_not_answered_before_there_is_room() {
    // The client owes a pong for far less time than JavaScript is away.
    let config = Config { ping_interval: 200, ping_timeout: 1000, ..Config::default() };
    let config = Config { max_payload: 2_000_000, ..config };
    let host = Host::with(config);
    for worker in both(&host) {
        let (handle, sid) = polling::open(&host);
        let mut wire = HttpWire::open(&host, worker, profile());
        let mut ask = HttpWire::open(&host, worker, profile());
        let body = format!("42[\"{}\"]", "x".repeat(1_900_000));
        let mut sent = 0;
        while host.environment.inbox.bytes() < CLIENT_LIMIT {
            wire.post(&sid, &body);
            sent += 1;
            let bytes = sent * 1_900_000;
            Host::until(|| host.environment.inbox.bytes() >= bytes);
            if bytes < CLIENT_LIMIT {
                assert_eq!(wire.answer(), ok());
            }
        }
        ask.get(&sid);
        assert_eq!(ask.answer(), (200, "2".to_owned()));
        // Nobody takes records here, so the session must not be over after this time.
        let mut clock = host.clock();
        for _ in 0..16 {
            assert_eq!(clock.text(), "2");
            clock.send("3");
        }
        assert!(host.server.sessions.contains_key(&sid));
        // From here on the client has as long for its pong as ever.
        let taken = host.take_text();
        let event = format!("[{},{},", RecordKind::Event as u8, handle.raw());
        assert_eq!(taken.matches(&event).count(), sent);
        assert_eq!(wire.answer(), ok());
        wire.post(&sid, "3");
        assert_eq!(wire.answer(), ok());
        host.close(handle);
    }
}

/// Makes the inbox full for all workers: records that JavaScript has not taken, and what is held.
fn fill(host: &Host) -> Vec<Held> {
    let inbox = &host.environment.inbox;
    inbox.push(host.worker, |record| {
        record.kind(RecordKind::BridgeWrite).number(0).buffer(vec![0; BEHIND + 1]);
    });
    inbox.announce(host.worker);
    (0..host.runtime.workers()).map(|worker| Held::of(&inbox.budget, worker, INBOX_LIMIT)).collect()
}

#[test]
fn nothing_is_read_while_the_inbox_is_full_and_nobody_is_late_then() {
    // All times that a client has are shorter than the time without reading.
    let config = Config { ping_interval: 100, ping_timeout: 1000, ..Config::default() };
    let host = Host::with(Config { body_timeout: 1400, ..config });
    for worker in both(&host) {
        let (handle, sid) = polling::open(&host);
        let short = Profile { idle_timeout: 2_000, request_timeout: 1400, ..profile() };
        let mut busy = HttpWire::open(&host, worker, short.clone());
        let mut half = HttpWire::open(&host, worker, short);
        busy.get(&sid);
        assert_eq!(busy.answer(), (200, "2".to_owned()));
        let _held = fill(&host);
        let full = clock::now();
        busy.post(&sid, "3");
        half.write(&head("GET", &sid, "")[..20]);
        Host::until(|| clock::now() > full + 3000);
        assert!(busy.hears_nothing() && half.hears_nothing());
        assert!(host.server.sessions.contains_key(&sid));
        // JavaScript takes what waits: it is not behind any more, whatever is held.
        host.take_text();
        assert_eq!(busy.answer(), ok());
        half.write(&head("GET", &sid, "")[20..]);
        assert_eq!(half.answer(), (200, "2".to_owned()));
        assert!(host.server.sessions.contains_key(&sid));
        host.close(handle);
    }
}

#[test]
fn a_body_of_which_part_has_come_is_counted() {
    let host = Host::new();
    for worker in both(&host) {
        let (handle, sid) = polling::open(&host);
        let mut wire = HttpWire::open(&host, worker, profile());
        let body = format!("42[\"{}\"]", "x".repeat(300_000));
        let head = head("POST", &sid, &format!("Content-Length: {}\r\n", body.len()));
        let budget = &host.environment.inbox.budget;
        wire.write(&head);
        wire.write(&body[..200_000]);
        Host::until(|| budget.held() >= 200_000);
        wire.write(&body[200_000..]);
        assert_eq!(wire.answer(), ok());
        Host::until(|| budget.held() == 0);
        assert!(budget.queued() >= 300_000);
        host.next_of(RecordKind::Event, handle.raw());
        assert_eq!(budget.queued(), 0);
        // What is dropped in the middle counts no more.
        let mut wire = HttpWire::open(&host, worker, profile());
        wire.write(&head);
        wire.write(&body[..200_000]);
        Host::until(|| budget.held() >= 200_000);
        drop(wire);
        host.closed(handle);
        Host::until(|| budget.held() == 0);
    }
}
