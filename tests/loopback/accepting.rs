//! Connections that a worker accepts itself.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;

use ferrosocket::border::RecordKind;
use ferrosocket::net::admission::Admission;
use ferrosocket::net::client::SESSION_BYTES;
use ferrosocket::net::command::Command;
use ferrosocket::net::listener::{Introduced, Listener};
use ferrosocket::net::reader::Preference;
use ferrosocket::net::reader_policy::ACCEPTED;

use crate::client::{FIN, TEXT, frame};
use crate::host::{Host, PATIENCE, Record, alone_with, handle_of};
use crate::http_wire::profile;

const NUMBER: u32 = 5;
const WEBSOCKET: &str = "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: a\r\n\
    Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
const POLLING: &str = "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: a\r\n\r\n";
/// Each connection begins with that.
const ANYBODY: Introduced = Introduced { from: None, within: Introduced::WITHIN };
const PREFACE: &str = "PROXY TCP4 203.0.113.7 198.51.100.1 4711 443\r\n";
const FOREIGN: &str = "GET /app HTTP/1.1\r\nHost: a\r\n\r\n";

/// An HTTP server whose connections a worker accepts.
struct Front {
    host: Host,
    listener: Arc<Listener>,
}

impl Front {
    fn open() -> Self {
        Self::lend(Host::new())
    }

    fn lend(host: Host) -> Self {
        Self::introduced(host, None)
    }

    /// With proxies before it.
    fn introduced(host: Host, by: Option<Introduced>) -> Self {
        let socket = host.listener();
        socket.set_nonblocking(true).unwrap();
        let listener = Arc::new(Listener::new(NUMBER, Arc::clone(&host.environment), socket, by));
        let front = Self { host, listener };
        front.admit();
        front
    }

    /// Lets all that is plain be taken.
    fn admit(&self) {
        self.listener.admit(Some(Arc::new(Admission {
            server: Arc::clone(&self.host.server),
            profile: profile(),
            websocket: true,
            polling: true,
            opens_polling: true,
            relays: false,
            deflate: false,
            last_profile: <_>::default(),
        })));
        self.look();
    }

    fn look(&self) {
        let listener = Arc::clone(&self.listener);
        self.host.command_to(self.host.worker, Command::Listen(listener));
    }

    fn dial(&self, text: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.host.address()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(text.as_bytes()).unwrap();
        stream
    }

    fn next(&self, kind: RecordKind) -> Record {
        self.host.next(kind)
    }

    /// The connection that comes next, which is not taken.
    fn foreign(&self) -> TcpStream {
        let record = self.next(RecordKind::Foreign);
        assert_eq!(record.number(2), u64::from(NUMBER));
        let token = u32::try_from(record.number(1)).unwrap();
        let stream = self.host.environment.take_stream(token).unwrap();
        stream.set_nonblocking(false).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.listener.close();
        let listener = Arc::clone(&self.listener);
        self.host.command_to(self.host.worker, Command::Unlisten(listener));
    }
}

/// Reads what comes until it contains `end`.
fn read_until(stream: &mut TcpStream, end: &str) -> String {
    let mut text = String::new();
    while !text.contains(end) {
        let mut chunk = [0; 1024];
        let count = stream.read(&mut chunk).unwrap();
        assert_ne!(count, 0, "the end before {end:?}: {text:?}");
        text.push_str(&String::from_utf8_lossy(&chunk[..count]));
    }
    text
}

#[test]
fn a_websocket_is_taken_and_javascript_hears_of_its_request_first() {
    let front = Front::open();
    let mut stream = front.dial(WEBSOCKET);
    let text = read_until(&mut stream, "\"pingTimeout\"");
    assert!(text.starts_with("HTTP/1.1 101 "), "{text}");
    let arrived = front.next(RecordKind::Arrived);
    assert_eq!(arrived.number(2), u64::from(NUMBER));
    let lines: Vec<_> = arrived.text(3).split('\n').collect();
    assert_eq!(lines[..2], ["dGhlIHNhbXBsZSBub25jZQ==", ""]);
    let opened = front.next(RecordKind::Opened);
    assert_eq!(opened.number(5), arrived.number(1));
    assert!(text.contains(opened.text(3)));
    assert_eq!(opened.text(3).len(), 20);
    drop(stream);
    front.host.closed(handle_of(&opened));
}

#[test]
fn who_is_accepted_counts_as_much_that_is_read() {
    alone_with(Preference::Workers, |make| {
        let front = Front::lend(make());
        let reader = front.host.runtime.reader(front.host.worker);
        let before = reader.bytes();
        let _stream = front.dial(WEBSOCKET);
        front.next(RecordKind::Opened);
        let accepted = u32::try_from(ACCEPTED).unwrap();
        Host::until(|| reader.bytes().wrapping_sub(before) >= accepted); // at the end of its turn
    });
}

#[test]
fn polling_connections_are_taken_and_come_to_the_worker_of_their_session() {
    let front = Front::open();
    let mut first = front.dial(POLLING);
    let text = read_until(&mut first, "\"pingTimeout\"");
    assert!(text.starts_with("HTTP/1.1 200 ") && text.contains("\r\nX: y\r\n"), "{text}");
    let arrived = front.next(RecordKind::Arrived);
    let opened = front.next(RecordKind::Opened);
    assert_eq!(opened.number(5), arrived.number(1));
    let sid = opened.text(3).to_owned();
    let post = format!(
        "POST /socket.io/?EIO=4&transport=polling&sid={sid} HTTP/1.1\r\nHost: a\r\n\
         Content-Length: 2\r\n\r\n40"
    );
    let mut second = front.dial(&post);
    let arrived = front.next(RecordKind::Arrived);
    assert!(arrived.text(3).starts_with(&format!("\n{sid}\n")));
    front.host.next_of(RecordKind::Connect, handle_of(&opened).raw());
    assert!(read_until(&mut second, "ok").starts_with("HTTP/1.1 200 "));
}

/// A proxy keeps its connections for whoever comes: who comes by one of them is let in as by a new one.
#[test]
fn a_kept_connection_may_bring_newcomers() {
    let front = Front::open();
    let mut kept = front.dial(POLLING);
    read_until(&mut kept, "\"pingTimeout\"");
    let mut before = front.next(RecordKind::Arrived).number(1);
    let mut sid = front.next(RecordKind::Opened).text(3).to_owned();
    for _ in 0..2 {
        kept.write_all(POLLING.as_bytes()).unwrap();
        let text = read_until(&mut kept, "\"pingTimeout\"");
        let arrived = front.next(RecordKind::Arrived);
        let closed = front.next(RecordKind::WireClosed);
        let opened = front.next(RecordKind::Opened);
        assert_eq!((closed.number(1), opened.number(5)), (before, arrived.number(1)));
        assert!(text.contains(opened.text(3)) && opened.text(3) != sid);
        (before, sid) = (arrived.number(1), opened.text(3).to_owned());
    }
    // A WebSocket that becomes the transport of a session; its first frame comes with the request.
    let upgrade = WEBSOCKET.replace("websocket ", &format!("websocket&sid={sid} "));
    kept.write_all(upgrade.as_bytes()).unwrap();
    kept.write_all(&frame(FIN | TEXT, b"2probe")).unwrap();
    assert!(read_until(&mut kept, "3probe").starts_with("HTTP/1.1 101 "));
    let arrived = front.next(RecordKind::Arrived);
    assert_eq!(front.next(RecordKind::WireClosed).number(1), before);
    assert!(arrived.text(3).contains(&sid));
    assert_eq!(front.next(RecordKind::Upgrading).number(2), arrived.number(1));
}

/// While JavaScript is blocked, one connection may open as many sessions as there is room for in the inbox.
#[test]
fn sessions_that_javascript_has_not_heard_of_are_counted() {
    let front = Front::open();
    let mut kept = front.dial(POLLING);
    for n in 1..10 {
        read_until(&mut kept, "\"pingTimeout\"");
        Host::until(|| front.host.environment.inbox.bytes() >= n * SESSION_BYTES);
        kept.write_all(POLLING.as_bytes()).unwrap();
    }
}

#[test]
fn half_a_head_is_counted_and_goes_to_node_when_the_socket_is_given_up() {
    let front = Front::open();
    let mut client = front.dial(&WEBSOCKET[..30]);
    let counted = front.host.any();
    assert_eq!((counted.kind(), counted.number(2)), (RecordKind::Newcomer, 1));
    front.listener.close();
    let unlisten = Command::Unlisten(Arc::clone(&front.listener));
    front.host.command_to(front.host.worker, unlisten);
    let mut stream = front.foreign();
    let counted = front.host.any();
    assert_eq!((counted.kind(), counted.number(2)), (RecordKind::Newcomer, 0));
    assert_eq!(front.host.any().kind(), RecordKind::Unlistened);
    client.write_all(&WEBSOCKET.as_bytes()[30..]).unwrap();
    assert_eq!(read_until(&mut stream, "\r\n\r\n"), WEBSOCKET);
}

#[test]
fn what_a_kept_connection_brings_else_goes_to_node() {
    let unknown = POLLING.replace("polling ", "polling&sid=unknown ");
    let pipelined = POLLING.repeat(2);
    for (text, admits) in [(FOREIGN, true), (&unknown, true), (&pipelined, true), (POLLING, false)]
    {
        let front = Front::open();
        let mut kept = front.dial(POLLING);
        read_until(&mut kept, "\"pingTimeout\"");
        if !admits {
            front.listener.admit(None);
        }
        kept.write_all(text.as_bytes()).unwrap();
        assert_eq!(front.next(RecordKind::GivenBack).buffers, [text.as_bytes()]);
    }
}

#[test]
fn what_is_not_plain_is_left_as_it_came() {
    let front = Front::open();
    let unknown = POLLING.replace("polling ", "polling&sid=unknown ");
    let pipelined = POLLING.repeat(2);
    for text in [FOREIGN, &unknown, &pipelined, "\r\n", "x"] {
        let _client = front.dial(text);
        let mut stream = front.foreign();
        let mut bytes = vec![0; text.len()];
        stream.read_exact(&mut bytes).unwrap();
        assert_eq!(String::from_utf8(bytes).unwrap(), text);
    }
}

#[test]
fn a_head_may_come_in_pieces() {
    let front = Front::open();
    let (start, rest) = WEBSOCKET.split_at(30);
    let mut client = front.dial(start);
    // Connections are accepted in their order: when this one has come, the worker has seen the other.
    let _other = front.dial(FOREIGN);
    front.foreign();
    client.write_all(rest.as_bytes()).unwrap();
    assert!(read_until(&mut client, "\"sid\"").starts_with("HTTP/1.1 101 "));
}

#[test]
fn half_a_head_goes_to_node_in_the_end() {
    let front = Front::open();
    let mut client = front.dial(&WEBSOCKET[..30]);
    let mut stream = front.foreign();
    client.write_all(&WEBSOCKET.as_bytes()[30..]).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    assert_eq!(text, WEBSOCKET);
}

#[test]
fn who_is_slow_waits_for_no_blocked_javascript() {
    let front = Front::open();
    front.host.turn_by_hand();
    let mut silent = front.dial("");
    let mut slow = front.dial(&WEBSOCKET[..30]);
    let never = front.dial(&WEBSOCKET[..10]);
    front.next(RecordKind::AskTurn); // it has been a second
    slow.write_all(&WEBSOCKET.as_bytes()[30..]).unwrap();
    assert!(read_until(&mut slow, "\"sid\"").starts_with("HTTP/1.1 101 "));
    silent.write_all(POLLING.as_bytes()).unwrap();
    assert!(read_until(&mut silent, "\"sid\"").starts_with("HTTP/1.1 200 "));
    let late = front.dial("");
    front.host.turn_by_itself();
    front.host.end_turn();
    assert_eq!(front.foreign().peer_addr().unwrap(), never.local_addr().unwrap());
    assert_eq!(front.foreign().peer_addr().unwrap(), late.local_addr().unwrap());
}

#[test]
fn when_nobody_may_be_taken_any_more_nobody_is() {
    let front = Front::open();
    let (start, rest) = WEBSOCKET.split_at(30);
    let mut early = front.dial(start);
    let _other = front.dial(FOREIGN);
    front.foreign();
    front.listener.admit(None);
    // One that was accepted before is not taken.
    early.write_all(rest.as_bytes()).unwrap();
    front.foreign();
    // One that comes later is not accepted.
    let client = front.dial(WEBSOCKET);
    let socket = front.host.listener();
    socket.set_nonblocking(false).unwrap();
    let (_, address) = socket.accept().unwrap();
    assert_eq!(address, client.local_addr().unwrap());
    socket.set_nonblocking(true).unwrap();
    // Until somebody may be again.
    let mut late = front.dial(WEBSOCKET);
    front.admit();
    assert!(read_until(&mut late, "\"sid\"").starts_with("HTTP/1.1 101 "));
}

#[test]
fn while_many_wait_for_javascript_no_more_are_accepted() {
    let front = Front::open();
    let clients: Vec<_> = (0..511).map(|_| front.dial(FOREIGN)).collect();
    let tokens: Vec<_> = (0..clients.len())
        .map(|_| u32::try_from(front.next(RecordKind::Foreign).number(1)).unwrap())
        .collect();
    let mut late = front.dial(WEBSOCKET);
    front.look();
    // The worker has looked: it notes that it waits.
    let environment = &front.host.environment;
    while environment.take_crowded() == 0 {
        front.look();
        std::thread::yield_now();
    }
    drop(environment.take_stream(tokens[0]));
    front.host.command_to(front.host.worker, Command::Resume);
    assert!(read_until(&mut late, "\"sid\"").starts_with("HTTP/1.1 101 "));
    for token in &tokens[1..] {
        drop(environment.take_stream(*token));
    }
}

#[test]
fn who_is_slow_keeps_nobody_out() {
    let front = Front::open();
    // More than may wait, and no second has to pass: the first of them goes to Node.js.
    let slow: Vec<_> = (0..512).map(|_| front.dial(&WEBSOCKET[..30])).collect();
    let stream = front.foreign();
    assert_eq!(stream.peer_addr().unwrap(), slow[0].local_addr().unwrap());
}

#[cfg(feature = "faults")]
#[test]
fn javascript_hears_that_nobody_is_accepted_whatever_panics() {
    use ferrosocket::net::faults;

    for place in ["listen", "unlisten"] {
        let front = Front::open();
        let fault = (place, front.host.environment.id, u64::from(NUMBER));
        faults::arm(fault);
        let listener = Arc::clone(&front.listener);
        front.host.command_to(
            front.host.worker,
            if place == "listen" { Command::Listen(listener) } else { Command::Unlisten(listener) },
        );
        front.next(RecordKind::Unlistened);
        assert!(!faults::is_armed(fault), "{place}");
    }
}

#[test]
fn a_proxy_says_first_for_whom_it_comes() {
    let front = Front::introduced(Host::new(), Some(ANYBODY));
    let mut client = front.dial(&PREFACE[..20]);
    client.write_all(&PREFACE.as_bytes()[20..]).unwrap();
    client.write_all(WEBSOCKET.as_bytes()).unwrap();
    assert!(read_until(&mut client, "\"sid\"").starts_with("HTTP/1.1 101 "));
    let arrived = front.next(RecordKind::Arrived);
    assert_eq!((arrived.text(4), arrived.number(5)), ("203.0.113.7", 4711));
    let opened = front.next(RecordKind::Opened);
    assert_eq!((opened.text(7), opened.number(8)), ("203.0.113.7", 4711));
    assert_eq!((opened.text(9), opened.number(10)), ("198.51.100.1", 443));

    let _other = front.dial(&[PREFACE, FOREIGN].concat());
    let mut foreign = front.foreign();
    read_until(&mut foreign, "Host: a\r\n\r\n");

    let mut bare = front.dial(WEBSOCKET);
    let mut rest = Vec::new();
    let _reset = bare.read_to_end(&mut rest);
    assert!(rest.is_empty(), "it is closed");
}

#[test]
fn a_preface_has_its_time() {
    let front = Front::introduced(Host::new(), Some(Introduced { within: 1, ..ANYBODY }));
    for begun in ["", &PREFACE[..20]] {
        let mut slow = front.dial(begun);
        let mut rest = Vec::new();
        let _reset = slow.read_to_end(&mut rest);
        assert!(rest.is_empty(), "it is closed: {begun:?}");
    }
}

#[cfg(feature = "faults")]
#[test]
fn a_panic_costs_the_connection_whose_preface_it_comes_by() {
    use ferrosocket::net::faults;

    let front = Front::introduced(Host::new(), Some(ANYBODY));
    let mut client = front.dial(&PREFACE[..20]);
    let _other = front.dial(&[PREFACE, FOREIGN].concat());
    front.foreign();
    let fault = ("preface", front.host.environment.id, u64::from(NUMBER));
    faults::arm(fault);
    client.write_all(b"x").unwrap();
    let mut rest = Vec::new();
    let _reset = client.read_to_end(&mut rest);
    assert!(rest.is_empty() && !faults::is_armed(fault));
    let mut next = front.dial(&[PREFACE, WEBSOCKET].concat());
    assert!(read_until(&mut next, "\"sid\"").starts_with("HTTP/1.1 101 "));
}

#[cfg(feature = "faults")]
#[test]
fn a_panic_costs_the_connection_that_it_comes_by() {
    use ferrosocket::net::faults;

    for (place, is_whole) in [("receive", true), ("newcomer", false)] {
        let front = Front::open();
        let fault = (place, front.host.environment.id, u64::from(NUMBER));
        let text = if is_whole { WEBSOCKET } else { &WEBSOCKET[..30] };
        if is_whole {
            faults::arm(fault);
        }
        let mut client = front.dial(text);
        if !is_whole {
            let _other = front.dial(FOREIGN);
            front.foreign();
            faults::arm(fault);
            client.write_all(b"x").unwrap();
        }
        let mut rest = Vec::new();
        // Closed with something unread: reset, or ended.
        let _reset = client.read_to_end(&mut rest);
        assert!(rest.is_empty() && !faults::is_armed(fault), "{place}");
        let mut next = front.dial(WEBSOCKET);
        assert!(read_until(&mut next, "\"sid\"").starts_with("HTTP/1.1 101 "));
    }
}
