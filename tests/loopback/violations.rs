//! Peers that break the rules.

use std::io::Write as _;

use ferrosocket::border::RecordKind;
use ferrosocket::engineio::Config;

use crate::client::{BINARY, CLOSE, Client, FIN, PING, PONG, Raw, TEXT, frame};
use crate::host::Host;

/// The close frame with `code`, then the end, though the peer does not answer.
fn expect_refusal(host: &Host, client: &mut Raw, handle: ferrosocket::id::Handle, code: u16) {
    let close = client.frame();
    assert_eq!(close.opcode, CLOSE);
    assert_eq!(close.payload, code.to_be_bytes());
    client.expect_end();
    let (reason, message) = host.closed(handle);
    assert_eq!(reason, "transport error");
    assert!(message.is_some());
    client.half_close();
    host.next_of(RecordKind::WireClosed, client.token);
}

#[test]
fn a_broken_frame_closes_with_the_code_that_names_the_fault() {
    let unmasked = vec![FIN | TEXT, 2, b'4', b'2'];
    let reserved = frame(FIN | 3, b"x");
    let compressed = frame(FIN | 0x40 | TEXT, b"42[\"a\"]");
    let long_ping = frame(FIN | PING, &[0; 126]);
    let stray_continuation = frame(FIN, b"x");
    let bad_code = frame(FIN | CLOSE, &1005u16.to_be_bytes());
    let not_utf8 = frame(FIN | TEXT, b"42[\"\xff\"]");
    let too_big = frame(FIN | BINARY, &[0; 1001]);
    for (bytes, code) in [
        (unmasked, 1002),
        (reserved, 1002),
        (compressed, 1002),
        (long_ping, 1002),
        (stray_continuation, 1002),
        (bad_code, 1002),
        (not_utf8, 1007),
        (too_big, 1009),
    ] {
        let host = Host::with(Config { max_payload: 1000, ..Config::default() });
        let (mut client, handle) = Raw::open(&host);
        client.write(&bytes);
        expect_refusal(&host, &mut client, handle, code);
    }
}

#[test]
fn what_came_before_the_fault_counts() {
    let host = Host::new();
    let (mut client, handle) = Raw::open(&host);
    client.write(&[frame(FIN | TEXT, br#"42["good"]"#), frame(FIN | 3, b"")].concat());
    assert_eq!(host.next(RecordKind::Event).fields[3][0], "good");
    expect_refusal(&host, &mut client, handle, 1002);
}

#[test]
fn bytes_behind_the_upgrade_request_may_be_no_websocket() {
    let host = Host::new();
    let (mut client, handle) = Raw::open_with(&host, b"GET / HTTP/1.1\r\n\r\n");
    expect_refusal(&host, &mut client, handle, 1002);
}

/// As with `ws`: 60 answers may wait.
#[test]
fn a_peer_that_pings_and_does_not_read_is_ended() {
    let host = Host::new();
    let (mut client, handle) = Raw::open(&host);
    let pings = frame(FIN | PING, &[b'p'; 125]).repeat(1000);
    // More than the buffers of both ends take; the last writes may find the connection gone.
    while client.stream.write_all(&pings).is_ok() {}
    assert_eq!(host.closed(handle), ("transport close".into(), None));
}

#[test]
fn all_pings_of_a_peer_that_reads_are_answered() {
    let host = Host::new();
    let (mut client, _) = Raw::open(&host);
    for _ in 0..50 {
        client.write(&frame(FIN | PING, b"p").repeat(1000));
        for _ in 0..1000 {
            let pong = client.frame();
            assert_eq!((pong.opcode, &pong.payload[..]), (PONG, &b"p"[..]));
        }
    }
}

/// What waits for a peer that does not read is no reason to leave its pings without an answer.
#[test]
fn a_few_pings_are_answered_behind_all_that_waits() {
    let host = Host::new();
    let (mut client, handle) = Raw::open(&host);
    let filler = "x".repeat(1 << 20);
    for _ in 0..32 {
        host.send(handle, &filler);
    }
    client.write(&frame(FIN | PING, b"p").repeat(60));
    client.send(FIN | TEXT, r#"42["alive"]"#);
    assert_eq!(host.next(RecordKind::Event).fields[3][0], "alive");
    let mut pongs = 0;
    while pongs < 60 {
        pongs += usize::from(client.frame().opcode == PONG);
    }
}

#[test]
fn what_is_no_engine_packet_is_a_parse_error() {
    for text in ["", "x", "9", "é4"] {
        let host = Host::new();
        let (mut client, handle) = Client::open(&host);
        client.send(text);
        // The closing handshake is completed.
        assert_eq!(client.end(), None);
        assert_eq!(host.closed(handle), ("parse error".into(), None));
    }
}

#[test]
fn what_is_no_socket_packet_is_told_and_closes() {
    for text in ["4", "4x", "42[", "42[true]", "451-[\"a\"", "42[\"connect\"]", "40/nsp,["] {
        let host = Host::new();
        let (mut client, handle) = Client::open(&host);
        client.send(text);
        client.send(r#"42["behind"]"#);
        assert_eq!(client.end(), None);
        assert_eq!(host.next(RecordKind::InvalidPacket).number(1), u64::from(handle.raw()));
        assert_eq!(host.closed(handle), ("forced close".into(), None));
        let token = client.token;
        drop(client);
        host.next_of(RecordKind::WireClosed, token);
        assert!(!host.has(RecordKind::Event, handle));
    }
}
