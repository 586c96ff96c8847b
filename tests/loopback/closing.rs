//! How connections end.

use ferrosocket::border::RecordKind;
use ferrosocket::net::command::Command;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use crate::client::{CLOSE, Client, FIN, Raw, TEXT};
use crate::host::Host;

#[test]
fn the_code_of_the_peer_is_echoed() {
    for code in [1000, 1001, 3000, 4999] {
        let host = Host::new();
        let (mut client, handle) = Client::open(&host);
        let token = client.token;
        client.close(Some(CloseFrame { code: CloseCode::from(code), reason: "bye".into() }));
        assert_eq!(client.end(), Some(code));
        drop(client);
        assert_eq!(host.closed(handle), ("transport close".into(), None));
        host.next_of(RecordKind::WireClosed, token);
    }
}

#[test]
fn a_close_frame_without_code_is_answered_by_one() {
    let host = Host::new();
    let (mut client, handle) = Raw::open(&host);
    client.send(FIN | CLOSE, "");
    let answer = client.frame();
    assert_eq!((answer.opcode, answer.payload.len()), (CLOSE, 0));
    client.expect_end();
    assert_eq!(host.closed(handle), ("transport close".into(), None));
}

#[test]
fn we_close_and_the_peer_answers() {
    let host = Host::new();
    let (mut client, handle) = Client::open(&host);
    host.close(handle);
    // It gets no code, answers, and sees us end the connection.
    assert_eq!(client.end(), None);
    assert_eq!(host.closed(handle), ("forced close".into(), None));
    let token = client.token;
    drop(client);
    host.next_of(RecordKind::WireClosed, token);
}

#[test]
fn what_comes_behind_our_close_frame_is_dropped() {
    let host = Host::new();
    let (mut client, handle) = Raw::open(&host);
    host.close(handle);
    assert_eq!(client.frame().opcode, CLOSE);
    client.send(FIN | TEXT, r#"42["late"]"#);
    client.send(FIN | CLOSE, "");
    client.expect_end();
    assert_eq!(host.closed(handle).0, "forced close");
    client.half_close();
    host.next_of(RecordKind::WireClosed, client.token);
    assert!(!host.has(RecordKind::Event, handle));
}

#[test]
fn a_half_closed_connection_ends() {
    let host = Host::new();
    let (mut client, handle) = Raw::open(&host);
    client.send(FIN | TEXT, r#"42["last"]"#);
    client.half_close();
    assert_eq!(host.next(RecordKind::Event).fields[3][0], "last");
    assert_eq!(host.closed(handle), ("transport close".into(), None));
    client.expect_end();
    host.next_of(RecordKind::WireClosed, client.token);
}

#[test]
fn a_reset_ends_the_session() {
    let host = Host::new();
    let (client, handle) = Raw::open(&host);
    let token = client.token;
    client.reset();
    assert_eq!(host.closed(handle), ("transport close".into(), None));
    host.next_of(RecordKind::WireClosed, token);
}

#[test]
fn a_reset_behind_a_jam_ends_the_session() {
    let host = Host::new();
    let (client, handle) = Raw::open(&host);
    for n in 0..crate::sending::JAM {
        host.send(handle, &crate::sending::jam(n));
    }
    client.reset();
    // Nobody is told that it has left.
    assert_eq!(host.closed(handle), ("transport error".into(), Some("write error".into())));
}

/// The end of the environment reaches a wire that only waits for its peer's close frame.
#[test]
fn a_peer_that_never_answers_our_close_frame_is_not_forgotten() {
    let host = Host::new();
    let (mut client, handle) = Raw::open(&host);
    host.close(handle);
    assert_eq!(client.frame().opcode, CLOSE);
    assert_eq!(host.closed(handle).0, "forced close");
    host.release(handle);
    host.command_to(host.worker, Command::DropEnvironment(host.environment.id));
    client.expect_end();
    host.next_of(RecordKind::WireClosed, client.token);
}
