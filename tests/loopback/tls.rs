//! Connections that a worker accepts, and with which it speaks TLS.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;

use ferrosocket::border::RecordKind;
use ferrosocket::net::admission::Admission;
use ferrosocket::net::command::Command;
use ferrosocket::net::listener::{Listener, Tls};
use ferrosocket::net::tls::config::server_config;
use rustls::{ClientConnection, StreamOwned};

use crate::host::{Host, PATIENCE, handle_of};
use crate::http_wire::profile;
use crate::tls_support::{client_config, dial, settings};

const NUMBER: u32 = 6;
const WEBSOCKET: &str = "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: a\r\n\
    Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
const POLLING: &str = "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: a\r\n\r\n";
/// Longer than any test.
const LONG: u64 = 3_600_000;

/// An HTTPS server whose connections a worker accepts.
struct Front {
    host: Host,
    listener: Arc<Listener>,
}

impl Front {
    fn open() -> Self {
        Self::with_timeout(LONG)
    }

    fn with_timeout(timeout: u64) -> Self {
        let host = Host::new();
        let socket = host.listener();
        socket.set_nonblocking(true).unwrap();
        let listener = Arc::new(Listener::new(NUMBER, Arc::clone(&host.environment), socket, None));
        let front = Self { host, listener };
        front.secure(timeout);
        front.listener.admit(Some(Arc::new(Admission {
            server: Arc::clone(&front.host.server),
            profile: profile(),
            websocket: true,
            polling: true,
            opens_polling: true,
            deflate: false,
            relays: false,
            last_profile: <_>::default(),
        })));
        let listener = Arc::clone(&front.listener);
        front.host.command_to(front.host.worker, Command::Listen(listener));
        front
    }

    fn secure(&self, timeout: u64) {
        let config = server_config(&settings()).unwrap();
        self.listener.secure(Some(Arc::new(Tls { config, timeout, tells_failures: true })));
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.host.address()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// A client that speaks TLS.
    fn dial(&self, tls13: bool) -> StreamOwned<ClientConnection, TcpStream> {
        StreamOwned::new(dial(&client_config(tls13)), self.connect())
    }

    fn failure(&self) -> String {
        let record = self.host.next(RecordKind::HandshakeFailed);
        assert_eq!(record.number(1), u64::from(NUMBER));
        assert_eq!(record.text(3), "127.0.0.1");
        record.text(2).to_owned()
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
fn read_until(stream: &mut impl Read, end: &str) -> String {
    let mut text = String::new();
    while !text.contains(end) {
        let mut chunk = [0; 1024];
        let count = stream.read(&mut chunk).unwrap();
        assert_ne!(count, 0, "the end before {end:?}: {text:?}");
        text.push_str(&String::from_utf8_lossy(&chunk[..count]));
    }
    text
}

/// Writes and reads so few bytes at once.
struct Drip(TcpStream, usize);

impl Read for Drip {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = buffer.len().min(self.1);
        self.0.read(&mut buffer[..most])
    }
}

impl Write for Drip {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(&bytes[..bytes.len().min(self.1)])
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A frame of a client, whose mask changes nothing.
fn frame(text: &str) -> Vec<u8> {
    let mut frame = vec![0x81, 0xFE];
    frame.extend_from_slice(&u16::try_from(text.len()).unwrap().to_be_bytes());
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(text.as_bytes());
    frame
}

#[test]
fn a_websocket_is_taken_and_what_was_agreed_on_is_told() {
    let front = Front::open();
    for tls13 in [true, false] {
        let mut client = front.dial(tls13);
        client.write_all(WEBSOCKET.as_bytes()).unwrap();
        let text = read_until(&mut client, "}");
        assert!(text.starts_with("HTTP/1.1 101 "), "{text}");
        let arrived = front.host.next(RecordKind::Arrived);
        let details: Vec<_> = arrived.text(3).split(' ').collect();
        let version = if tls13 { "TLSv1.3" } else { "TLSv1.2" };
        assert_eq!(
            (details[0], &details[3..]),
            (version, &["0", "7", "http/1.1", "a.example"][..])
        );
        assert!(arrived.text(4).starts_with("dGhlIHNhbXBsZSBub25jZQ==\n\n"));
        let opened = front.host.next(RecordKind::Opened);
        assert_eq!(opened.number(5), arrived.number(1));
        let handle = handle_of(&opened);
        client.write_all(&frame("40")).unwrap();
        front.host.next_of(RecordKind::Connect, handle.raw());
        // More than the peer takes at once, and than a record holds.
        let long = "x".repeat(60_000);
        client.write_all(&frame(&format!(r#"42["a","{long}"]"#))).unwrap();
        front.host.next_of(RecordKind::Event, handle.raw());
        for n in 0..40 {
            front.host.send(handle, &format!(r#"2["{n}","{long}"]"#));
        }
        for n in 0..40 {
            let text = format!(r#"42["{n}","{long}"]"#);
            let mut message = vec![0; 4 + text.len()];
            client.read_exact(&mut message).unwrap();
            assert!(message[4..] == *text.as_bytes(), "{n}");
        }
        client.conn.send_close_notify();
        client.flush().unwrap();
        // The other side says so, too.
        let mut rest = Vec::new();
        client.read_to_end(&mut rest).unwrap();
        front.host.closed(handle);
    }
}

#[test]
fn polling_requests_are_answered_and_keep_their_connection() {
    let front = Front::open();
    let mut client = front.dial(true);
    client.write_all(POLLING.as_bytes()).unwrap();
    let text = read_until(&mut client, "\"pingTimeout\"");
    assert!(text.starts_with("HTTP/1.1 200 "), "{text}");
    let opened = front.host.next(RecordKind::Opened);
    let sid = opened.text(3).to_owned();
    let body = format!("4{}", "x".repeat(50_000));
    let post = format!(
        "POST /socket.io/?EIO=4&transport=polling&sid={sid} HTTP/1.1\r\nHost: a\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    let connect = post.replace("50001", "2") + "40";
    client.write_all(connect.as_bytes()).unwrap();
    front.host.next_of(RecordKind::Connect, handle_of(&opened).raw());
    assert!(read_until(&mut client, "ok").starts_with("HTTP/1.1 200 "));
}

#[test]
fn however_the_bytes_come() {
    let front = Front::open();
    for most in [1, 7, 100] {
        let mut client = StreamOwned::new(dial(&client_config(true)), Drip(front.connect(), most));
        client.sock.0.set_nodelay(true).unwrap();
        // In more pieces than a plain head may have: those of TLS do not count.
        client.write_all(WEBSOCKET.as_bytes()).unwrap();
        assert!(read_until(&mut client, "\"sid\"").starts_with("HTTP/1.1 101 "));
    }
}

#[test]
fn who_does_not_speak_tls_is_told_so_and_closed() {
    let front = Front::open();
    let mut client = front.connect();
    client.write_all(WEBSOCKET.as_bytes()).unwrap();
    assert!(front.failure().contains("corrupt message"));
    let mut answer = Vec::new();
    // Closed with something unread: reset, or ended.
    let _reset = client.read_to_end(&mut answer);
    assert!(answer.is_empty() || answer[0] == 21, "an alert: {answer:?}");
}

#[test]
fn who_leaves_within_the_handshake_is_forgotten() {
    let front = Front::open();
    let mut client = dial(&client_config(true));
    let mut stream = front.connect();
    client.write_tls(&mut stream).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(front.failure(), "connection reset");
}

#[test]
fn a_handshake_has_its_time() {
    let front = Front::with_timeout(1);
    let mut silent = front.connect();
    assert_eq!(front.failure(), "timed out");
    assert_eq!(silent.read(&mut [0; 10]).unwrap(), 0);
    // Others are not in its way.
    front.secure(LONG);
    let mut client = front.dial(true);
    client.write_all(WEBSOCKET.as_bytes()).unwrap();
    assert!(read_until(&mut client, "\"sid\"").starts_with("HTTP/1.1 101 "));
}

#[test]
fn many_that_are_silent_keep_nobody_out() {
    let front = Front::open();
    let silent: Vec<_> = (0..600).map(|_| front.connect()).collect();
    let mut client = front.dial(true);
    client.write_all(WEBSOCKET.as_bytes()).unwrap();
    assert!(read_until(&mut client, "\"sid\"").starts_with("HTTP/1.1 101 "));
    drop(silent);
}

#[test]
fn a_stream_that_is_cut_ends_its_session() {
    let front = Front::open();
    for garbled in [false, true] {
        let mut client = front.dial(true);
        client.write_all(WEBSOCKET.as_bytes()).unwrap();
        read_until(&mut client, "\"sid\"");
        let handle = handle_of(&front.host.next(RecordKind::Opened));
        if garbled {
            // A record that nobody has sealed.
            client.sock.write_all(&[23, 3, 3, 0, 20]).unwrap();
            client.sock.write_all(&[0; 20]).unwrap();
            let mut rest = Vec::new();
            let error = client.read_to_end(&mut rest).unwrap_err();
            assert!(
                matches!(
                    error.kind(),
                    ErrorKind::InvalidData | ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset
                ),
                "{error}"
            );
        } else {
            client.sock.shutdown(Shutdown::Both).unwrap();
        }
        front.host.closed(handle);
    }
}

#[test]
fn keys_are_renewed_in_between() {
    let front = Front::open();
    let mut client = front.dial(true);
    client.write_all(WEBSOCKET.as_bytes()).unwrap();
    read_until(&mut client, "\"sid\"");
    let handle = handle_of(&front.host.next(RecordKind::Opened));
    for _ in 0..3 {
        client.conn.refresh_traffic_keys().unwrap();
        client.write_all(&frame("40")).unwrap();
        front.host.next_of(RecordKind::Connect, handle.raw());
        front.host.send(handle, "0{}");
        read_until(&mut client, "40{}");
    }
}

#[cfg(feature = "faults")]
#[test]
fn a_panic_costs_the_connection_whose_handshake_it_comes_by() {
    use ferrosocket::net::faults;

    let front = Front::open();
    let fault = ("handshake", front.host.environment.id, u64::from(NUMBER));
    faults::arm(fault);
    let mut client = front.connect();
    let mut rest = Vec::new();
    client.write_all(b"x").unwrap();
    let _reset = client.read_to_end(&mut rest);
    assert!(!faults::is_armed(fault));
    let mut next = front.dial(true);
    next.write_all(WEBSOCKET.as_bytes()).unwrap();
    assert!(read_until(&mut next, "\"sid\"").starts_with("HTTP/1.1 101 "));
}
