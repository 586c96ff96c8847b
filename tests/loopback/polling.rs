//! Sessions over HTTP long-polling, as the worker sees them.

use std::sync::Arc;

use ferrosocket::border::returned::UNKNOWN_SID;
use ferrosocket::border::send_flag::VOLATILE;
use ferrosocket::border::{BodyKind, RecordKind};
use ferrosocket::engineio::{Config, PostFault, Protocol, Transport};
use ferrosocket::id::{Handle, Sid};
use ferrosocket::net::clock;
use ferrosocket::net::command::{Command, Outgoing, RequestEvent};
use ferrosocket::net::operation_batch::OperationBatch;
use ferrosocket::net::peer::Peer;
use ferrosocket::socketio::Group;
use smallvec::SmallVec;

use crate::host::{Host, handle_of};
use crate::http_wire::{self, HttpWire};

/// Opens a session; its handshake has been answered.
pub(crate) fn open(host: &Host) -> (Handle, Sid) {
    let (token, sid) = (host.token(), host.sid());
    let server = Arc::clone(&host.server);
    let open = Command::OpenPolling {
        server,
        token,
        sid: sid.clone(),
        dialect: Protocol::V4.into(),
        jsonp: None,
        peer: Peer::default(),
        ticket: None,
    };
    host.command_to(host.worker, open);
    let opened = host.next(RecordKind::Opened);
    assert_eq!(opened.number(2), u64::from(host.server.id));
    assert_eq!(opened.text(3), sid.as_str());
    assert_eq!((opened.number(4), opened.number(5)), (0, u64::from(token)));
    assert!(answer(host, token).starts_with(&format!("0{{\"sid\":\"{}\"", sid.as_str())));
    (handle_of(&opened), sid)
}

/// Waits for the answer to a request, a payload.
pub(crate) fn answer(host: &Host, token: u32) -> String {
    let mut response = host.next_of(RecordKind::Response, token);
    assert_eq!(response.number(2), 200, "{response:?}");
    String::from_utf8(response.buffers.remove(0)).unwrap()
}

/// Waits for the answer to a request; its status and kind of body.
pub(crate) fn status(host: &Host, token: u32) -> (u64, BodyKind) {
    let response = host.next_of(RecordKind::Response, token);
    (response.number(2), response.body())
}

/// Sends a whole POST; its token.
fn post(host: &Host, handle: Handle, body: &str) -> u32 {
    let token = host.poll(handle, RequestEvent::PostStart);
    host.poll_as(
        handle,
        token,
        RequestEvent::PostBody { body: host.held(body.as_bytes()), binary: false },
    );
    token
}

#[test]
fn a_parked_get_is_answered_by_what_is_sent() {
    let host = Host::new();
    let (handle, sid) = open(&host);
    let entry = host.server.sessions.get(&sid).unwrap().clone();
    assert_eq!((entry.handle, entry.transport), (handle, Transport::Polling));
    let get = host.poll(handle, RequestEvent::Get);
    let mut batch = OperationBatch::default();
    batch.send_text(handle.slot(), 0, b"2[\"one\"]");
    batch.send_text(handle.slot(), 0, b"2[\"two\"]");
    let messages = vec![Outgoing::Text("51-[]".into()), Outgoing::Binary(vec![1, 2, 3].into())];
    batch.command(Command::Send { slot: handle.slot(), flags: 0, messages });
    host.post(handle, &mut batch);
    // What one batch holds shares one answer.
    assert_eq!(answer(&host, get), "42[\"one\"]\u{1e}42[\"two\"]\u{1e}451-[]\u{1e}bAQID");
}

#[test]
fn what_is_sent_waits_for_the_next_get() {
    let host = Host::new();
    let (handle, _) = open(&host);
    host.send(handle, "2[\"kept\"]");
    let mut batch = OperationBatch::default();
    batch.send_text(handle.slot(), VOLATILE, b"2[\"dropped\"]");
    let group = Group { members: Arc::new(vec![handle.slot()]), except: SmallVec::new() };
    let messages = [Outgoing::Text("2[\"all\"]".into())].into();
    batch.command(Command::Broadcast { group, flags: 0, messages });
    host.post(handle, &mut batch);
    let get = host.poll(handle, RequestEvent::Get);
    assert_eq!(answer(&host, get), "42[\"kept\"]\u{1e}42[\"all\"]");
}

#[test]
fn a_post_brings_packets_in_order() {
    let host = Host::new();
    let (handle, _) = open(&host);
    let binary = "451-[\"b\",{\"_placeholder\":true,\"num\":0}]\u{1e}bAQID";
    let token = post(&host, handle, &format!("40\u{1e}42[\"a\"]\u{1e}{binary}"));
    assert_eq!(host.any().kind(), RecordKind::Connect);
    assert_eq!(host.any().fields[3][0], "a");
    let event = host.any();
    assert_eq!((event.kind(), event.buffers.concat()), (RecordKind::Event, vec![1, 2, 3]));
    assert_eq!(status(&host, token), (200, BodyKind::Ok));
}

#[test]
fn a_second_get_ends_the_session() {
    let host = Host::new();
    let (handle, sid) = open(&host);
    let first = host.poll(handle, RequestEvent::Get);
    let second = host.poll(handle, RequestEvent::Get);
    assert_eq!(status(&host, second), (400, BodyKind::None));
    assert_eq!(answer(&host, first), "1");
    let reason = ("transport error".into(), Some("overlap from client".into()));
    assert_eq!(host.closed(handle), reason);
    assert!(host.server.sessions.get(&sid).is_none());
}

#[test]
fn a_second_post_ends_the_session() {
    let host = Host::new();
    let (handle, _) = open(&host);
    let first = host.poll(handle, RequestEvent::PostStart);
    let second = host.poll(handle, RequestEvent::PostStart);
    assert_eq!(status(&host, second), (400, BodyKind::None));
    host.next_of(RecordKind::DropRequest, first);
    assert_eq!(host.closed(handle).0, "transport error");
    // Its body comes too late to matter.
    host.poll_as(
        handle,
        first,
        RequestEvent::PostBody { body: host.held(b"42[\"late\"]"), binary: false },
    );
    let refused = host.poll(handle, RequestEvent::Get);
    host.next_of(RecordKind::RequestRefused, refused);
}

#[test]
fn requests_that_are_cut_end_the_session() {
    for event in [RequestEvent::Get, RequestEvent::PostStart] {
        let host = Host::new();
        let (handle, _) = open(&host);
        let token = host.poll(handle, event);
        host.poll_as(handle, token, RequestEvent::Closed);
        let (reason, message) = host.closed(handle);
        assert_eq!(reason, "transport error");
        assert!(message.unwrap().ends_with("connection closed prematurely"));
    }
}

/// Its peer has ended its half of the connection: JavaScript has to know whether an answer is on its way.
#[test]
fn a_poll_that_waits_is_dropped_when_its_peer_has_gone() {
    let host = Host::new();
    let (handle, _) = open(&host);
    let token = host.poll(handle, RequestEvent::Get);
    host.poll_as(handle, token, RequestEvent::Closed);
    host.next_of(RecordKind::DropRequest, token);
    host.closed(handle);
}

#[test]
fn an_answered_request_may_be_closed() {
    let host = Host::new();
    let (handle, _) = open(&host);
    let token = post(&host, handle, "40");
    assert_eq!(status(&host, token), (200, BodyKind::Ok));
    host.poll_as(handle, token, RequestEvent::Closed);
    let get = host.poll(handle, RequestEvent::Get);
    host.send(handle, "2[]");
    assert_eq!(answer(&host, get), "42[]");
}

#[test]
fn posts_that_are_refused() {
    let host = Host::with(Config { max_payload: 10, ..Config::default() });
    let (handle, _) = open(&host);
    let token = post(&host, handle, "42[\"much too long\"]");
    assert_eq!(status(&host, token), (413, BodyKind::None));
    let reason = ("transport error".into(), Some("payload too large".into()));
    assert_eq!(host.closed(handle), reason);
    for (fault, expected) in [
        (PostFault::InvalidContent, (400, "invalid content")),
        (PostFault::TooLarge, (413, "payload too large")),
        (PostFault::TimedOut, (408, "http request timeout")),
    ] {
        let (handle, _) = open(&host);
        let token = host.poll(handle, RequestEvent::PostStart);
        host.poll_as(handle, token, RequestEvent::PostFault(fault));
        assert_eq!(status(&host, token), (expected.0, BodyKind::None));
        assert_eq!(host.closed(handle), ("transport error".into(), Some(expected.1.into())));
    }
}

#[test]
fn an_invalid_packet_ends_the_session_and_the_rest_of_its_post() {
    let host = Host::new();
    let (handle, _) = open(&host);
    let get = host.poll(handle, RequestEvent::Get);
    let token = post(&host, handle, "42[\"a\"]\u{1e}42[true]\u{1e}42[\"b\"]");
    assert_eq!(host.next(RecordKind::Event).fields[3][0], "a");
    host.next_of(RecordKind::InvalidPacket, handle.raw());
    assert_eq!(status(&host, token), (200, BodyKind::Ok));
    assert_eq!(answer(&host, get), "1");
    assert_eq!(host.closed(handle), ("forced close".into(), None));
    assert!(!host.has(RecordKind::Event, handle));
}

#[test]
fn a_close_waits_for_a_get_and_answers_it() {
    let host = Host::new();
    let (handle, _) = open(&host);
    host.send(handle, "2[\"last\"]");
    host.close(handle);
    host.send(handle, "2[\"too late\"]");
    let get = host.poll(handle, RequestEvent::Get);
    assert_eq!(answer(&host, get), "42[\"last\"]");
    let get = host.poll(handle, RequestEvent::Get);
    assert_eq!(answer(&host, get), "6\u{1e}1");
    assert_eq!(host.closed(handle), ("forced close".into(), None));
    let late = host.poll(handle, RequestEvent::Get);
    assert_eq!(host.next_of(RecordKind::RequestRefused, late).number(2), u64::from(UNKNOWN_SID));
}

#[test]
fn the_heartbeat_goes_by_polls() {
    let host = Host::with(Config { ping_interval: 30, ping_timeout: 20_000, ..Config::default() });
    let (handle, _) = open(&host);
    for _ in 0..3 {
        let get = host.poll(handle, RequestEvent::Get);
        assert_eq!(answer(&host, get), "2");
        let token = post(&host, handle, "3");
        assert_eq!(status(&host, token), (200, BodyKind::Ok));
    }
    let get = host.poll(handle, RequestEvent::Get);
    assert_eq!(answer(&host, get), "2");
}

#[test]
fn a_client_is_not_given_up_before_javascript_has_looked_for_what_it_has_sent() {
    let config = Config { ping_interval: 50, ping_timeout: 1000, ..Config::default() };
    let host = Host::with(config);
    host.turn_by_hand();
    let (handle, sid) = open(&host);
    let get = host.poll(handle, RequestEvent::Get);
    assert_eq!(answer(&host, get), "2");
    host.next(RecordKind::AskTurn);
    assert!(host.server.sessions.contains_key(&sid));
    // It finds the pong.
    let pong = post(&host, handle, "3");
    host.end_turn();
    assert_eq!(status(&host, pong), (200, BodyKind::Ok));
    // It finds nothing.
    let get = host.poll(handle, RequestEvent::Get);
    assert_eq!(answer(&host, get), "2");
    host.turn_by_itself();
    assert_eq!(host.closed(handle).0, "ping timeout");
}

#[test]
fn a_client_whose_connect_waits_for_javascript_is_not_reported_to_have_sent_none() {
    let host = Host::with_connect_timeout(Config::default(), 1);
    host.turn_by_hand();
    let (handle, sid) = open(&host);
    let mut wire = HttpWire::open(&host, host.worker, http_wire::profile());
    host.next(RecordKind::AskTurn);
    // It is late when its CONNECT comes, but nothing has been decided.
    wire.tell(&sid, "40");
    host.end_turn();
    wire.tell(&sid, "3"); // the worker has heard of that
    let taken = host.take_text();
    assert!(taken.contains(&format!("[{},{},", RecordKind::Connect as u8, handle.raw())));
    assert!(!taken.contains(&format!("[{},", RecordKind::ConnectTimeout as u8)), "{taken}");
}

#[test]
fn without_socket_io_no_answer_waits_for_javascript_to_take_what_was_sent_first() {
    let host = Host::plain(Config::default(), 1);
    let (_, sid) = open(&host);
    let mut wire = HttpWire::open(&host, host.worker, http_wire::profile());
    for message in ["40", "4a", "4b"] {
        wire.tell(&sid, message); // "ok" comes, and nothing has been taken
    }
}

#[test]
fn a_client_of_which_something_is_late_is_pinged_while_javascript_is_blocked() {
    let config = Config { ping_interval: 300, ping_timeout: 60_000, ..Config::default() };
    let host = Host::with_connect_timeout(config, 1);
    host.turn_by_hand();
    let (handle, _) = open(&host);
    let get = host.poll(handle, RequestEvent::Get);
    host.next(RecordKind::AskTurn);
    assert_eq!(answer(&host, get), "2");
    assert!(!host.has(RecordKind::ConnectTimeout, handle));
}

#[test]
fn a_client_that_was_late_while_javascript_was_blocked_has_its_time_again_and_once() {
    let config = Config { ping_interval: 50, ping_timeout: 1000, ..Config::default() };
    let host = Host::with_connect_timeout(config, 1000);
    host.turn_by_hand();
    let (handle, sid) = open(&host);
    let get = host.poll(handle, RequestEvent::Get);
    assert_eq!(answer(&host, get), "2");
    for _ in 0..2 {
        host.next(RecordKind::AskTurn);
        // It is late for longer than a busy JavaScript thread needs.
        let asked = clock::now();
        Host::until(|| clock::now() > asked + 600);
        assert!(host.server.sessions.contains_key(&sid));
        assert!(!host.has(RecordKind::ConnectTimeout, handle));
        host.end_turn();
    }
    host.next_of(RecordKind::ConnectTimeout, handle.raw());
    assert_eq!(host.closed(handle).0, "ping timeout");
}
