//! A panic at each place where a worker runs code for one connection costs that connection, and no other.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;

use ferrosocket::border::RecordKind;
use ferrosocket::engineio::{Config, Protocol};
use ferrosocket::http::request::Persistence;
use ferrosocket::id::Handle;
use ferrosocket::net::command::{
    BridgeEvent, CloseHttp, Command, HttpHandover, IncomingHttp, IncomingStream, IncomingWebSocket,
    Opening, Outgoing, Purpose, RequestEvent, UpgradeResponse,
};
use ferrosocket::net::faults;
use ferrosocket::net::operation_batch::OperationBatch;
use ferrosocket::net::peer::Peer;
use ferrosocket::net::server::Lent;
use ferrosocket::socketio::Group;
use smallvec::SmallVec;

use crate::client::{CLOSE, FIN, Raw, TEXT};
use crate::host::{Host, alone, handle_of};
use crate::http_wire::profile;
use crate::inline::until_it_sleeps;
use crate::polling;
use crate::relay::Relayed;

/// One that must not notice anything.
struct Witness {
    client: Raw,
    handle: Handle,
}

impl Witness {
    fn open(host: &Host) -> Self {
        let (client, handle) = Raw::open(host);
        Self { client, handle }
    }

    /// Hears and is heard.
    fn speak(&mut self, host: &Host) {
        self.client.send(FIN | TEXT, r#"42["here"]"#);
        host.next_of(RecordKind::Event, self.handle.raw());
        host.send(self.handle, "2[\"there\"]");
        assert_eq!(self.client.text(), "42[\"there\"]");
    }
}

/// Arms `place`; what is called afterwards says whether it was passed.
fn arm<T: Into<u64>>(host: &Host, place: &'static str, name: T) -> impl Fn() -> bool + use<T> {
    let fault = (place, host.environment.id, name.into());
    faults::arm(fault);
    move || !faults::is_armed(fault)
}

fn internal_error(host: &Host, handle: Handle) {
    let expected = ("transport error".into(), Some("internal error".into()));
    assert_eq!(host.closed(handle), expected);
    host.release(handle);
}

/// A WebSocket client goes by a fault at `place`, which `provoke` leads to.
fn costs_one(
    place: &'static str,
    by_token: bool,
    provoke: impl Fn(&Host, &mut Raw, Handle, Handle),
) {
    let host = Host::new();
    let mut before = Witness::open(&host);
    let (mut client, handle) = Raw::open(&host);
    let mut behind = Witness::open(&host);
    let name = if by_token { client.token.into() } else { u64::from(handle.raw()) };
    let happened = arm(&host, place, name);
    provoke(&host, &mut client, handle, behind.handle);
    internal_error(&host, handle);
    host.next_of(RecordKind::WireClosed, client.token);
    assert!(happened(), "{place}");
    before.speak(&host);
    behind.speak(&host);
    assert_eq!(host.server.sessions.len(), 2);
    assert_eq!(host.environment.backlogs.len(), 0);
}

fn message() -> Vec<Outgoing> {
    vec![Outgoing::Text("2[1]".into())]
}

#[test]
fn in_what_javascript_asks_for() {
    costs_one("send text", false, |host, _, handle, _| {
        host.send(handle, "2[1]");
    });
    costs_one("send", false, |host, _, handle, _| {
        let command = Command::Send { slot: handle.slot(), flags: 0, messages: message() };
        host.command(handle, command);
    });
    costs_one("send packet", false, |host, _, handle, _| {
        let command = Command::SendPacket { slot: handle.slot(), flags: 0, packet: "6".into() };
        host.command(handle, command);
    });
    costs_one("close", false, |host, _, handle, _| host.close(handle));
    costs_one("fence", false, |host, _, handle, _| host.fence(handle));
    costs_one("observe", false, |host, _, handle, _| host.observe(handle, 0));
    costs_one("joined", false, |host, _, handle, _| {
        host.command(handle, Command::Joined { slot: handle.slot() });
    });
}

#[test]
fn in_a_broadcast_the_others_get_it() {
    let host = Host::new();
    let mut clients: Vec<_> = (0..5).map(|_| Raw::open(&host)).collect();
    let group = || Group {
        members: Arc::new(clients.iter().map(|(_, handle)| handle.slot()).collect()),
        except: SmallVec::new(),
    };
    let broadcast = |text: &str| Command::Broadcast {
        group: group(),
        flags: 0,
        messages: Arc::from([Outgoing::Text(text.to_owned().into())]),
    };
    // The first, one in the middle, and the last.
    let happened: Vec<_> =
        [0, 2, 4].map(|n| arm(&host, "broadcast", clients[n].1.raw())).into_iter().collect();
    host.command_to(host.worker, broadcast("2[1]"));
    let second = broadcast("2[2]");
    for n in [0, 2, 4] {
        internal_error(&host, clients[n].1);
    }
    assert!(happened.iter().all(|happened| happened()));
    host.command_to(host.worker, second);
    for n in [1, 3] {
        assert_eq!(clients[n].0.text(), "42[1]");
        assert_eq!(clients[n].0.text(), "42[2]");
    }
    for n in [0, 2, 4] {
        clients[n].0.expect_end();
    }
}

#[test]
fn in_what_the_worker_does_for_all() {
    costs_one("flush", true, |host, _, handle, _| {
        let command = Command::Send { slot: handle.slot(), flags: 0, messages: message() };
        host.command(handle, command);
    });
    costs_one("read", true, |_, client, _, _| client.send(FIN | TEXT, "42[\"x\"]"));
    // When the answer to its close frame is written.
    costs_one("flush", true, |_, client, _, _| client.send(FIN | CLOSE, 1000_u16.to_be_bytes()));
    // When the worker tells it that it breaks the protocol.
    costs_one("flush", true, |_, client, _, _| client.send(FIN | 3, ""));
}

#[test]
fn in_the_writing_of_many_the_others_are_written() {
    let host = Host::new();
    let mut clients: Vec<_> = (0..5).map(|_| Raw::open(&host)).collect();
    let mut batch = OperationBatch::default();
    for (_, handle) in &clients {
        batch.command(Command::Send { slot: handle.slot(), flags: 0, messages: message() });
    }
    let happened = [0, 2, 4].map(|n| arm(&host, "flush", clients[n].0.token));
    host.runtime.mailbox(host.worker).post(&mut batch, &[]);
    for (n, (client, handle)) in clients.iter_mut().enumerate() {
        if n % 2 == 0 {
            internal_error(&host, *handle);
            client.expect_end();
        } else {
            assert_eq!(client.text(), "42[1]");
        }
    }
    assert!(happened.iter().all(|happened| happened()));
}

#[test]
fn while_an_operation_runs_inline() {
    for (place, by_token) in [("send text", false), ("flush", true)] {
        let host = Host::new();
        let mut witness = Witness::open(&host);
        let (client, handle) = Raw::open(&host);
        // It sleeps, so the next small batch is done here: most likely. Wherever it is, it costs one.
        until_it_sleeps(|_| host.send(witness.handle, "2[\"there\"]"));
        let name = if by_token { client.token.into() } else { u64::from(handle.raw()) };
        let happened = arm(&host, place, name);
        host.send(handle, "2[1]");
        internal_error(&host, handle);
        assert!(happened());
        host.send(witness.handle, "2[\"last\"]");
        while witness.client.text() != "42[\"last\"]" {}
    }
}

#[test]
fn in_a_deadline() {
    let config = Config { ping_interval: 20, ping_timeout: 1 << 40, ..Config::default() };
    let host = Host::with(config);
    let mut witness = Witness::open(&host);
    let (_client, handle) = Raw::open(&host);
    let happened = arm(&host, "timeout", handle.raw());
    internal_error(&host, handle);
    assert!(happened());
    // Heartbeats go on.
    assert_eq!(witness.client.text(), "2");
}

#[test]
fn in_the_end_of_a_wire_that_is_overdue() {
    let host = Host::new();
    let mut witness = Witness::open(&host);
    let (client, handle) = Raw::open(&host);
    let happened = arm(&host, "finish", client.token);
    // The peer leaves while the closing handshake is under way: the wire is dropped, in whatever phase.
    host.close(handle);
    host.closed(handle);
    drop(client);
    Host::until(happened);
    witness.speak(&host);
}

#[test]
fn in_what_comes_by_a_bridge() {
    let host = Host::new();
    let mut witness = Witness::open(&host);
    let open = || {
        let token = host.token();
        let incoming = IncomingWebSocket {
            server: Arc::clone(&host.server),
            token,
            purpose: Purpose::Session(host.sid()),
            dialect: Protocol::V4.into(),
            stream: IncomingStream::Bridge,
            head: Vec::new(),
            response: UpgradeResponse::Whole(Vec::new()),
            deflate: None,
            peer: Peer::default(),
            news: None,
            ticket: None,
        };
        host.command_to(host.worker, Command::IncomingWebSocket(Box::new(incoming)));
        (token, handle_of(&host.next(RecordKind::Opened)))
    };
    for event in [
        BridgeEvent::Data { bytes: host.held(&[0]), paused: false },
        BridgeEvent::Written(1),
        BridgeEvent::End { broken: false },
    ] {
        let (token, handle) = open();
        let happened = arm(&host, "bridge", token);
        host.bridge(token, event);
        internal_error(&host, handle);
        host.next_of(RecordKind::WireClosed, token);
        assert!(happened());
        witness.speak(&host);
    }
    assert_eq!(host.server.sessions.len(), 1);
}

#[test]
fn in_who_has_just_come() {
    let host = Host::new();
    let mut witness = Witness::open(&host);
    for place in ["accept websocket", "begin", "opened"] {
        let token = host.token() + 1; // that of the next
        let happened = arm(&host, place, token);
        let stream = TcpStream::connect(host.address()).unwrap();
        let (accepted, _) = host.listener().accept().unwrap();
        let incoming = Host::incoming(
            &host.server,
            host.token(),
            Purpose::Session(host.sid()),
            (accepted, Vec::new(), Vec::new()),
            b"",
        );
        host.command_to(host.worker, incoming);
        if place == "opened" {
            internal_error(&host, handle_of(&host.next(RecordKind::Opened)));
        }
        host.next_of(RecordKind::WireClosed, token);
        assert!(happened(), "{place}");
        drop(stream);
        witness.speak(&host);
    }
    for place in ["accept http", "opening"] {
        let token = host.token();
        let happened = arm(&host, place, token);
        let stream = TcpStream::connect(host.address()).unwrap();
        let (accepted, _) = host.listener().accept().unwrap();
        let sid = host.sid();
        let handover = HttpHandover {
            recalls: host.server.recalls(),
            server: Arc::clone(&host.server),
            token,
            listener: 3,
            front: None,
            profile: Arc::new(profile()),
        };
        let incoming = IncomingHttp {
            handover,
            stream: accepted.into(),
            opening: Some(Opening {
                sid,
                encoding: None,
                persistence: Persistence::Keep,
                ticket: None,
            }),
            peer: Peer::default(),
            news: None,
        };
        host.command_to(host.worker, Command::IncomingHttp(Box::new(incoming)));
        if place == "opening" {
            internal_error(&host, handle_of(&host.next(RecordKind::Opened)));
        }
        host.next_of(RecordKind::WireClosed, token);
        assert!(happened(), "{place}");
        drop(stream);
        witness.speak(&host);
    }
    assert_eq!(host.server.sessions.len(), 1);
}

#[test]
fn in_a_request_that_javascript_forwards() {
    let host = Host::new();
    let mut witness = Witness::open(&host);
    let (handle, sid) = polling::open(&host);
    let parked = host.poll(handle, RequestEvent::Get);
    Host::until(|| host.server.sessions.get(&sid).unwrap().requests.is_parked());
    let happened = arm(&host, "poll", handle.raw());
    let post = host.poll(handle, RequestEvent::PostStart);
    internal_error(&host, handle);
    // Neither request waits for ever.
    host.next_of(RecordKind::DropRequest, parked);
    host.next_of(RecordKind::DropRequest, post);
    assert!(happened());
    witness.speak(&host);

    let (handle, sid) = polling::open(&host);
    let parked = host.poll(handle, RequestEvent::Get);
    Host::until(|| host.server.sessions.get(&sid).unwrap().requests.is_parked());
    let happened = arm(&host, "flush session", handle.raw());
    host.send(handle, "2[1]");
    internal_error(&host, handle);
    host.next_of(RecordKind::DropRequest, parked);
    assert!(happened());
    witness.speak(&host);
    assert_eq!(host.server.sessions.len(), 1);
}

#[test]
fn in_a_connection_that_requests_come_by() {
    use crate::http_wire::HttpWire;

    for place in ["http read", "answer", "http timeout", "http close", "http finish"] {
        let host = Host::new();
        let mut witness = Witness::open(&host);
        let (handle, sid) = polling::open(&host);
        let times = ferrosocket::net::http_profile::Profile { idle_timeout: 20, ..profile() };
        let profile = if place == "http timeout" { times } else { profile() };
        let mut wire = HttpWire::open(&host, host.worker, profile);
        let happened = arm(&host, place, wire.token);
        match place {
            "http read" => wire.get(&sid),
            "answer" => {
                wire.get(&sid);
                Host::until(|| host.server.sessions.get(&sid).unwrap().requests.is_parked());
                host.send(handle, "2[1]");
            }
            "http close" => {
                let environment = host.environment.id;
                let close = CloseHttp { environment, listener: 3, busy: true, later: false };
                host.command_to(host.worker, Command::CloseHttp(close));
            }
            "http finish" => wire.stream.shutdown(std::net::Shutdown::Both).unwrap(),
            _ => {}
        }
        host.next_of(RecordKind::WireClosed, wire.token);
        assert!(happened(), "{place}");
        if place == "answer" {
            // What it brought is lost, so the session must not go on.
            internal_error(&host, handle);
        }
        witness.speak(&host);
    }
}

/// In a relay, in what its worker does when JavaScript counts as blocked, and when a session has answered a request that JavaScript
/// has: both ends of the connection end.
#[test]
fn in_a_relay() {
    for place in ["relay", "relay timeout", "relay answer"] {
        let mut relayed = Relayed::deputised();
        let Relayed { host, token, peer, node } = &mut relayed;
        let mut witness = Witness::open(host);
        let (handle, sid) = polling::open(host);
        let happened = arm(host, place, *token);
        let request = format!(
            "GET /socket.io/?EIO=4&transport=polling&sid={} HTTP/1.1\r\nHost: a\r\n\r\n",
            sid.as_str()
        );
        peer.write_all(request.as_bytes()).unwrap();
        if place == "relay answer" {
            node.read_exact(&mut vec![0; request.len()]).unwrap();
            let ledger = host.environment.ledger(*token).unwrap();
            assert!(!ledger.begin() && !ledger.enter(0));
            let get = host.token();
            let lent = Lent { relay: *token, wire: ledger.wire, number: 0 };
            host.environment.lend(get, lent);
            host.poll_as(handle, get, RequestEvent::Get);
            host.send(handle, "2[1]");
        }
        Host::until(&happened);
        let mut rest = Vec::new();
        // A reset is an end, too: not all that came has been read.
        let _reset = peer.read_to_end(&mut rest);
        let _reset = node.read_to_end(&mut rest);
        witness.speak(&relayed.host);
        relayed.closed();
    }
}

#[test]
fn in_the_end_of_an_environment() {
    let host = Host::new();
    let other = Host::beside(&host);
    let worker = host.worker;
    let mut witness = Witness::open(&host);
    let mut clients: Vec<_> = (0..3)
        .map(|_| {
            let raw = Raw::connect(&other, worker, Purpose::Session(other.sid()), b"");
            (raw, other.opened())
        })
        .collect();
    let happened = arm(&other, "drop", clients[0].1.raw());
    drop(other);
    for (client, _) in &mut clients {
        assert_eq!(client.frame().payload[0], b'0');
        client.expect_end();
    }
    assert!(happened());
    witness.speak(&host);
}

#[test]
fn a_session_that_is_refused_is_told() {
    let host = Host::new();
    let token = host.token();
    let happened = arm(&host, "open", token);
    let (server, sid) = (Arc::clone(&host.server), host.sid());
    let dialect = Protocol::V4.into();
    host.command_to(
        host.worker,
        Command::OpenPolling {
            server,
            token,
            sid,
            dialect,
            jsonp: None,
            peer: Peer::default(),
            ticket: None,
        },
    );
    host.next_of(RecordKind::RequestRefused, token);
    assert!(happened());
    assert_eq!(host.server.sessions.len(), 0);
}

#[test]
fn in_the_main_loop_the_worker_begins_anew_and_at_last_ends() {
    alone(|make| {
        let host = make();
        let worker = host.worker;
        let elsewhere = (worker + 1) % host.runtime.workers();
        let mut far = Raw::connect(&host, elsewhere, Purpose::Session(host.sid()), b"");
        let far_handle = host.opened();
        assert!(far.text().starts_with('0'));
        let fault = ("main loop", u32::MAX, worker as u64);
        for _ in 0..16 {
            let (mut client, handle) = Raw::open(&host);
            let (polling, _) = polling::open(&host);
            let parked = host.poll(polling, RequestEvent::Get);
            host.send(handle, "2[1]");
            assert_eq!(client.text(), "42[1]");
            faults::arm(fault);
            host.command_to(worker, Command::Resume); // wakes it
            internal_error(&host, handle);
            internal_error(&host, polling);
            host.next_of(RecordKind::WireClosed, client.token);
            host.next_of(RecordKind::DropRequest, parked);
            client.expect_end();
            assert_eq!(host.server.sessions.len(), 1);
            host.send(far_handle, "2[1]");
            assert_eq!(far.text(), "42[1]");
        }
        // That was too often. Nobody is given to it any more, and what is all the same is refused.
        Host::until(|| host.runtime.mailbox(worker).is_closed());
        assert!((0..10).all(|_| host.runtime.pick() == elsewhere));
        let token = host.token();
        let stream = TcpStream::connect(host.address()).unwrap();
        let (accepted, _) = host.listener().accept().unwrap();
        let whole = (accepted, Vec::new(), Vec::new());
        let purpose = Purpose::Session(host.sid());
        host.command_to(worker, Host::incoming(&host.server, token, purpose, whole, b""));
        host.next_of(RecordKind::WireClosed, token);
        drop(stream);
        let token = host.token();
        let (server, sid, dialect) = (Arc::clone(&host.server), host.sid(), Protocol::V4.into());
        let command = Command::OpenPolling {
            server,
            token,
            sid,
            dialect,
            jsonp: None,
            peer: Peer::default(),
            ticket: None,
        };
        host.command_to(worker, command);
        host.next_of(RecordKind::RequestRefused, token);
        let mut batch = OperationBatch::default();
        batch.send_text(far_handle.slot(), 0, b"2[1]");
        host.runtime.hand_over(worker, &mut batch, &[]);
        assert!(host.runtime.mailbox(worker).is_empty());
        host.send(far_handle, "2[2]");
        assert_eq!(far.text(), "42[2]");
    });
}
