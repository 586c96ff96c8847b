//! Connections that are relayed to Node.js, whose part the test plays.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::thread;

use ferrosocket::border::RecordKind;
use ferrosocket::net::command::{Command, IncomingRelay};
use ferrosocket::net::listener::Listener;

use crate::host::{Host, PATIENCE};
use crate::http_wire::profile;

const NUMBER: u32 = 7;
/// More than the buffers of all sockets on the way hold.
const MUCH: usize = 32 << 20;

/// A connection, and the end of its relay that is Node's.
pub(crate) struct Relayed {
    pub(crate) host: Host,
    pub(crate) token: u32,
    pub(crate) peer: TcpStream,
    pub(crate) node: TcpStream,
}

impl Relayed {
    fn open() -> Self {
        Self::with(Host::new(), false)
    }

    /// One whose worker answers in place of JavaScript.
    pub(crate) fn deputised() -> Self {
        Self::with(Host::new(), true)
    }

    fn with(host: Host, deputised: bool) -> Self {
        let socket = host.listener();
        let peer = TcpStream::connect(host.address()).unwrap();
        peer.set_read_timeout(Some(PATIENCE)).unwrap();
        let (stream, _) = socket.accept().unwrap();
        let listener = Arc::new(Listener::new(NUMBER, Arc::clone(&host.environment), socket, None));
        let incoming = IncomingRelay {
            listener,
            told: None,
            stream: stream.into(),
            read: Vec::new(),
            before: None,
            deputy: deputised.then(|| (Arc::clone(&host.server), Arc::new(profile()))),
        };
        host.command_to(host.worker, Command::Relay(Box::new(incoming)));
        let record = host.next(RecordKind::Relayed);
        assert_eq!(record.number(2), u64::from(NUMBER));
        assert_eq!(record.text(3), "127.0.0.1");
        assert_eq!(record.number(4), u64::from(peer.local_addr().unwrap().port()));
        assert_eq!(record.number(6), u64::from(host.address().port()));
        let token = u32::try_from(record.number(1)).unwrap();
        let node = host.environment.take_stream(token).unwrap();
        node.set_nonblocking(false).unwrap();
        node.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { host, token, peer, node }
    }

    pub(crate) fn closed(&self) {
        let record = self.host.next(RecordKind::WireClosed);
        assert_eq!(record.number(1), u64::from(self.token));
    }
}

fn bytes() -> Vec<u8> {
    (0..MUCH).map(|n| u8::try_from(n % 251).unwrap()).collect()
}

/// Has one end send a lot while the other does not read, then reads it: nothing is lost, and the sender had to wait.
fn carries_much(from: &TcpStream, to: &mut TcpStream) {
    let mut sender = from.try_clone().unwrap();
    let sending = thread::spawn(move || {
        sender.write_all(&bytes()).unwrap();
        sender.shutdown(Shutdown::Write).unwrap();
    });
    let mut got = Vec::new();
    to.read_to_end(&mut got).unwrap();
    assert!(got == bytes());
    sending.join().unwrap();
}

#[test]
fn bytes_go_both_ways_and_halves_are_closed_one_by_one() {
    let mut relayed = Relayed::open();
    carries_much(&relayed.peer, &mut relayed.node);
    carries_much(&relayed.node, &mut relayed.peer);
    relayed.closed();
}

#[test]
fn so_they_are_when_node_closes_first() {
    let mut relayed = Relayed::open();
    carries_much(&relayed.node, &mut relayed.peer);
    carries_much(&relayed.peer, &mut relayed.node);
    relayed.closed();
}

#[test]
fn who_does_not_read_holds_the_sender_up() {
    let mut relayed = Relayed::open();
    relayed.peer.set_nonblocking(true).unwrap();
    let chunk = vec![7; 64 << 10];
    let mut sent = 0;
    // Until the worker, and each socket on the way, have taken what they take: then the sender waits for ever.
    let mut idle = 0;
    while idle < 1000 {
        match relayed.peer.write(&chunk) {
            Ok(count) => {
                sent += count;
                idle = 0;
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                idle += 1;
                thread::yield_now();
            }
        }
        assert!(sent < 2 * MUCH, "nothing holds it up");
    }
    relayed.peer.set_nonblocking(false).unwrap();
    relayed.peer.shutdown(Shutdown::Write).unwrap();
    let mut got = Vec::new();
    relayed.node.read_to_end(&mut got).unwrap();
    assert_eq!(got.len(), sent);
}

#[test]
fn what_node_has_written_goes_out_when_it_closes_its_end() {
    let Relayed { host, token, mut peer, mut node } = Relayed::open();
    node.write_all(b"the rest").unwrap();
    drop(node);
    let mut got = Vec::new();
    peer.read_to_end(&mut got).unwrap();
    assert_eq!(got, b"the rest");
    assert_eq!(host.next(RecordKind::WireClosed).number(1), u64::from(token));
}

#[test]
fn the_peer_sees_the_end_when_node_does_not_read() {
    let Relayed { host, token, node, mut peer } = Relayed::open();
    peer.write_all(b"nobody reads this").unwrap();
    drop(node);
    // It may end by a reset, as something was left to read.
    let _end = peer.read(&mut [0; 8]);
    assert_eq!(host.next(RecordKind::WireClosed).number(1), u64::from(token));
}

#[test]
fn node_closes_its_end_while_the_peer_does_not_read() {
    let relayed = Relayed::open();
    let Relayed { host, token, mut peer, mut node } = relayed;
    node.set_nonblocking(true).unwrap();
    let chunk = vec![1; 64 << 10];
    let mut idle = 0;
    let mut sent = 0;
    while idle < 1000 {
        if let Ok(count) = node.write(&chunk) {
            (sent, idle) = (sent + count, 0);
        } else {
            idle += 1;
            thread::yield_now();
        }
    }
    drop(node);
    let mut got = Vec::new();
    peer.read_to_end(&mut got).unwrap();
    assert_eq!(got.len(), sent);
    assert_eq!(host.next(RecordKind::WireClosed).number(1), u64::from(token));
}

#[test]
fn a_reset_is_told_and_the_end_stays_until_node_has_closed_it() {
    let Relayed { host, token, peer, mut node } = Relayed::open();
    node.write_all(b"x").unwrap();
    let mut byte = [0];
    while peer.peek(&mut byte).unwrap() == 0 {}
    drop(peer); // with a byte unread
    assert_eq!(host.next(RecordKind::RelayBroken).number(1), u64::from(token));
    node.set_nonblocking(true).unwrap();
    assert_eq!(node.read(&mut byte).unwrap_err().kind(), ErrorKind::WouldBlock);
    drop(node);
    assert_eq!(host.next(RecordKind::WireClosed).number(1), u64::from(token));
}

#[test]
fn a_reset_by_node_reaches_the_peer() {
    let Relayed { host, token, mut peer, node } = Relayed::open();
    let environment = host.environment.id;
    host.command_to(host.worker, Command::ResetRelay { environment, token });
    assert_eq!(peer.read(&mut [0]).unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert_eq!(host.next(RecordKind::WireClosed).number(1), u64::from(token));
    drop(node);
}

#[test]
fn it_ends_with_its_environment() {
    let Relayed { host, mut peer, mut node, .. } = Relayed::open();
    host.command_to(host.worker, Command::DropEnvironment(host.environment.id));
    assert_eq!(peer.read(&mut [0]).unwrap(), 0);
    assert_eq!(node.read(&mut [0]).unwrap(), 0);
}
