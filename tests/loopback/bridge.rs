//! Streams that JavaScript pumps.

use std::sync::Arc;

use ferrosocket::border::RecordKind;
use ferrosocket::engineio::Config;
use ferrosocket::engineio::Protocol;
use ferrosocket::id::Handle;
use ferrosocket::net::budget::OWN_LANE;
use ferrosocket::net::command::{
    BridgeEvent, Command, IncomingStream, IncomingWebSocket, Purpose, UpgradeResponse,
};
use ferrosocket::net::inbox::CLIENT_LIMIT;
use ferrosocket::net::peer::Peer;
use ferrosocket::websocket::deflate::{Compressor, Parameters};
use ferrosocket::websocket::extension::Agreement;

use crate::client::{CLOSE, FIN, TEXT, frame};
use crate::host::{Host, handle_of};

/// What a worker lets JavaScript have in flight.
const CREDIT: usize = 256 << 10;

/// Opens a session over a bridged stream; what answers the upgrade request has been written.
fn open(host: &Host) -> (u32, Handle) {
    open_with(host, None)
}

/// Likewise, with what was agreed on about compression.
fn open_with(host: &Host, deflate: Option<Agreement>) -> (u32, Handle) {
    let token = host.token();
    host.command_to(
        host.worker,
        Command::IncomingWebSocket(Box::new(IncomingWebSocket {
            server: Arc::clone(&host.server),
            token,
            purpose: Purpose::Session(host.sid()),
            dialect: Protocol::V4.into(),
            stream: IncomingStream::Bridge,
            head: Vec::new(),
            response: UpgradeResponse::Whole(b"HTTP/1.1 101 \r\n\r\n".to_vec()),
            deflate,
            peer: Peer::default(),
            news: None,
            ticket: None,
        })),
    );
    let handle = handle_of(&host.next(RecordKind::Opened));
    let first = write(host, token);
    assert!(first.starts_with(b"HTTP/1.1 101 \r\n\r\n"));
    host.bridge(token, BridgeEvent::Written(first.len()));
    (token, handle)
}

/// Waits for bytes to write.
fn write(host: &Host, token: u32) -> Vec<u8> {
    host.next_of(RecordKind::BridgeWrite, token).buffers.remove(0)
}

fn data(host: &Host, token: u32, bytes: &[u8]) {
    host.bridge(token, BridgeEvent::Data { bytes: host.held(bytes), paused: false });
}

#[test]
fn chunks_go_both_ways() {
    let host = Host::new();
    let (token, handle) = open(&host);
    let bytes = frame(FIN | TEXT, br#"42["hello"]"#);
    let (front, back) = bytes.split_at(5);
    data(&host, token, front);
    data(&host, token, back);
    assert_eq!(host.next(RecordKind::Event).fields[3][0], "hello");
    host.send(handle, r#"2["hi"]"#);
    assert_eq!(write(&host, token), b"\x81\x0842[\"hi\"]");
}

#[test]
fn the_closing_handshake_goes_through() {
    let host = Host::new();
    let (token, handle) = open(&host);
    data(&host, token, &frame(FIN | CLOSE, &1000u16.to_be_bytes()));
    assert_eq!(write(&host, token), [0x88, 2, 0x03, 0xe8]);
    assert_eq!(host.closed(handle), ("transport close".into(), None));
    host.next_of(RecordKind::WireClosed, token);
}

#[test]
fn we_close_and_the_peer_answers() {
    let host = Host::new();
    let (token, handle) = open(&host);
    host.close(handle);
    assert_eq!(write(&host, token), [0x88, 0]);
    assert_eq!(host.closed(handle), ("forced close".into(), None));
    data(&host, token, &frame(FIN | CLOSE, b""));
    host.next_of(RecordKind::WireClosed, token);
}

#[test]
fn a_stream_that_breaks_with_bytes_under_way_ends_with_an_error() {
    let host = Host::new();
    let (token, handle) = open(&host);
    host.bridge(token, BridgeEvent::End { broken: true });
    assert_eq!(host.closed(handle), ("transport close".into(), None));
    let (token, handle) = open(&host);
    host.send(handle, "42[1]");
    write(&host, token); // and it is never told that it has been written
    host.bridge(token, BridgeEvent::End { broken: true });
    assert_eq!(host.closed(handle), ("transport error".into(), Some("write error".into())));
}

#[test]
fn the_end_of_the_stream_ends_the_session() {
    let host = Host::new();
    let (token, handle) = open(&host);
    host.bridge(token, BridgeEvent::End { broken: false });
    assert_eq!(host.closed(handle), ("transport close".into(), None));
    host.next_of(RecordKind::WireClosed, token);
    // What still comes for it is no harm.
    data(&host, token, &[1, 2, 3]);
    host.bridge(token, BridgeEvent::Written(10));
    host.bridge(token, BridgeEvent::End { broken: false });
    open(&host);
}

#[test]
fn a_violation_is_answered_before_the_stream_ends() {
    let host = Host::new();
    let (token, handle) = open(&host);
    data(&host, token, &frame(FIN | 3, b""));
    assert_eq!(write(&host, token), [0x88, 2, 0x03, 0xea]);
    assert_eq!(host.closed(handle).0, "transport error");
    host.next_of(RecordKind::WireClosed, token);
}

#[test]
fn no_more_than_the_credit_is_in_flight() {
    let host = Host::new();
    let (token, handle) = open(&host);
    let text: String = ('a'..='w').cycle().take(1 << 20).collect();
    host.send(handle, &text);
    host.close(handle);
    host.closed(handle);
    let mut written = Vec::new();
    let mut in_flight = 0;
    let size = 10 + 1 + text.len() + 2;
    while written.len() < size {
        if in_flight == CREDIT {
            host.bridge(token, BridgeEvent::Written(1000));
            in_flight -= 1000;
            host.bridge(token, BridgeEvent::Written(in_flight));
            in_flight = 0;
        }
        let bytes = write(&host, token);
        in_flight += bytes.len();
        assert!(in_flight <= CREDIT);
        written.extend(bytes);
    }
    assert!(written[11..11 + text.len()] == *text.as_bytes());
    assert_eq!(written[11 + text.len()..], [0x88, 0]);
}

#[test]
fn the_stream_is_paused_while_the_inbox_is_full() {
    let host = Host::new();
    let (token, _) = open(&host);
    let text = "x".repeat(100_000);
    let count = 60;
    for n in 0..count {
        data(&host, token, &frame(FIN | TEXT, format!("42[{n},\"{text}\"]").as_bytes()));
    }
    // Nobody takes records: the stream is to be paused. What was on its way is taken.
    Host::until(|| host.environment.inbox.bytes() > count * text.len());
    assert!(count * text.len() > CLIENT_LIMIT);
    host.next_of(RecordKind::BridgePause, token);
    host.next_of(RecordKind::BridgeResume, token);
    for n in 0..count {
        assert_eq!(host.next(RecordKind::Event).fields[3][0], n);
    }
    data(&host, token, &frame(FIN | TEXT, b"42[\"end\"]"));
    assert_eq!(host.next(RecordKind::Event).fields[3][0], "end");
}

/// Short on the way, long when decoded: what of it is decoded is what there is room for, however much comes
/// at once; the rest waits, in order, and the end of the stream behind it.
#[test]
fn what_becomes_long_waits_undecoded_for_room() {
    const LENGTH: usize = 500_000;
    const COUNT: usize = 60;
    let host = Host::with_compression();
    let mut compressor = Compressor::new(Parameters { window_bits: 15, level: 9 });
    let mut bytes = Vec::new();
    for n in 0..COUNT {
        let mut message = Vec::new();
        let text = format!("42[{n},\"{}\"]", "x".repeat(LENGTH));
        compressor.compress(b"", text.as_bytes(), &mut message);
        bytes.extend(frame(FIN | 0x40 | TEXT, &message));
    }
    let agreement = Agreement {
        server_no_context_takeover: false,
        client_no_context_takeover: false,
        server_window_bits: 15,
        client_window_bits: 15,
    };
    let (token, handle) = open_with(&host, Some(agreement));
    let budget = &host.environment.inbox.budget;
    let (front, back) = bytes.split_at(bytes.len() / 2);
    for part in [front, back] {
        data(&host, token, part);
        // Nobody takes what is decoded.
        Host::until(|| budget.of_lane(OWN_LANE) == 0 && budget.queued() >= CLIENT_LIMIT);
        assert!(budget.queued() <= CLIENT_LIMIT + 10 * LENGTH, "{} bytes", budget.queued());
    }
    host.bridge(token, BridgeEvent::End { broken: false });
    host.next_of(RecordKind::BridgePause, token);
    for n in 0..COUNT {
        assert_eq!(host.next_of(RecordKind::Event, handle.raw()).fields[3][0], n);
    }
    assert_eq!(host.closed(handle).0, "transport close");
    host.next_of(RecordKind::WireClosed, token);
    Host::until(|| budget.held() == 0);
}

#[test]
fn a_client_is_not_given_up_before_javascript_has_looked_for_what_it_has_sent() {
    let host = Host::with(Config { ping_interval: 30, ping_timeout: 30, ..Config::default() });
    host.turn_by_hand();
    let (token, handle) = open(&host);
    host.next(RecordKind::AskTurn);
    assert!(!host.has(RecordKind::Closed, handle));
    host.bridge(token, BridgeEvent::End { broken: false });
    host.end_turn();
    assert_eq!(host.closed(handle).0, "transport close");
}

#[test]
fn a_client_has_time_for_a_pong_if_javascript_had_not_written_the_ping() {
    let host = Host::with(Config { ping_interval: 30, ping_timeout: 100, ..Config::default() });
    host.turn_by_hand();
    let (token, handle) = open(&host);
    host.next(RecordKind::AskTurn);
    let ping = write(&host, token);
    assert_eq!(ping, b"\x81\x012");
    host.bridge(token, BridgeEvent::Written(ping.len()));
    host.end_turn(); // at once: it is not known to have been blocked
    host.next(RecordKind::AskTurn);
    assert!(!host.has(RecordKind::Closed, handle));
    host.end_turn(); // it has had its time
    assert_eq!(host.closed(handle).0, "ping timeout");
}
