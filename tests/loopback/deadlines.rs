//! What time does to a connection.

use ferrosocket::border::RecordKind;
use ferrosocket::border::observed;
use ferrosocket::engineio::Config;
use ferrosocket::net::command::Command;

use crate::client::{BINARY, Client, FIN, Raw, TEXT, frame};
use crate::host::Host;

fn beating(ping_interval: u64, ping_timeout: u64) -> Host {
    Host::with(Config { ping_interval, ping_timeout, ..Config::default() })
}

#[test]
fn a_client_that_answers_pings_stays() {
    let host = beating(30, 20_000);
    let (mut client, handle) = Client::open(&host);
    for _ in 0..3 {
        assert_eq!(client.text(), "2");
        client.send("3");
    }
    // Nobody asked for records of those heartbeats.
    assert!(!host.has(RecordKind::Control, handle));
    host.observe(handle, observed::CONTROL);
    for _ in 0..3 {
        assert_eq!(client.text(), "2");
        client.send("3");
        // the first ping may have left before anybody asked
        while host.next_of(RecordKind::Control, handle.raw()).fields[3] != "3" {}
    }
    client.send(r#"42["alive"]"#);
    host.next(RecordKind::Event);
}

#[test]
fn a_client_that_answers_no_ping_is_closed() {
    let host = beating(30, 30);
    let (mut client, handle) = Client::open(&host);
    assert_eq!(client.text(), "2");
    assert_eq!(client.end(), None);
    assert_eq!(host.closed(handle), ("ping timeout".into(), None));
}

#[test]
fn a_client_that_joins_nothing_is_reported_once() {
    let host = Host::with_connect_timeout(
        Config { ping_interval: 100, ping_timeout: 20_000, ..Config::default() },
        150,
    );
    let (_joined, joined) = Client::open(&host);
    host.command(joined, Command::Joined { slot: joined.slot() });
    let (mut idle, handle) = Client::open(&host);
    host.next_of(RecordKind::ConnectTimeout, handle.raw());
    // The connection is not ended by it, and the record does not come again.
    for _ in 0..4 {
        assert_eq!(idle.text(), "2");
        idle.send("3");
    }
    idle.send(r#"42["alive"]"#);
    host.next(RecordKind::Event);
    assert!(!host.has(RecordKind::ConnectTimeout, handle));
    assert!(!host.has(RecordKind::ConnectTimeout, joined));
}

/// Its CONNECT lies there for as long as JavaScript takes nothing. Others of its behind that keep it no longer.
#[test]
fn who_waits_for_javascript_is_reported_when_that_has_had_its_time() {
    let host = Host::with_connect_timeout(
        Config { ping_interval: 100, ping_timeout: 20_000, ..Config::default() },
        150,
    );
    let (mut client, handle) = Client::open(&host);
    client.send("40/nowhere,");
    for _ in 0..6 {
        assert_eq!(client.text(), "2");
        client.send("3");
    }
    host.next(RecordKind::Connect);
    assert!(!host.has(RecordKind::ConnectTimeout, handle));
    client.send("40/nowhere,");
    for _ in 0..6 {
        assert_eq!(client.text(), "2");
        client.send("3");
    }
    host.next(RecordKind::Connect);
    assert!(host.has(RecordKind::ConnectTimeout, handle));
}

#[test]
fn a_session_that_has_ended_is_not_reported_any_more() {
    let host = Host::with_connect_timeout(
        Config { ping_interval: 100, ping_timeout: 20_000, ..Config::default() },
        150,
    );
    let (client, ended) = Client::open(&host);
    drop(client);
    host.closed(ended);
    // Not released: only now, on this one's clock, the connect timeout would have come.
    let (mut clock, _) = Client::open(&host);
    for _ in 0..4 {
        assert_eq!(clock.text(), "2");
        clock.send("3");
    }
    clock.send(r#"42["now"]"#);
    host.next(RecordKind::Event);
}

#[test]
fn missing_attachments_end_the_session() {
    let host = Host::new();
    let (mut client, handle) = Client::open(&host);
    client.send(r#"452-["b",{"_placeholder":true,"num":0}]"#);
    client.send(vec![1, 2, 3]);
    let record = host.next(RecordKind::InvalidPacket);
    assert_eq!(record.number(1), u64::from(handle.raw()));
    assert_eq!(client.end(), None);
    assert_eq!(host.closed(handle), ("forced close".into(), None));
}

/// An attachment that is long on its way over a slow line is not one that does not come.
#[test]
fn slow_attachments_arrive() {
    let host = beating(1000, 60_000);
    let (mut slow, _) = Raw::open(&host);
    let (mut clock, _) = Client::open(&host);
    slow.send(FIN | TEXT, r#"451-["b",{"_placeholder":true,"num":0}]"#);
    let attachment = frame(FIN | BINARY, &[7; 1100]);
    for piece in attachment.chunks(100) {
        slow.write(piece);
        assert_eq!(clock.text(), "2");
        clock.send("3");
    }
    assert_eq!(host.next(RecordKind::Event).buffers, [vec![7; 1100]]);
}
