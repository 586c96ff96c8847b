//! From polling to a WebSocket.

use ferrosocket::border::{BodyKind, RecordKind};
use ferrosocket::engineio::{Config, Transport};
use ferrosocket::id::Handle;
use ferrosocket::net::command::{Purpose, RequestEvent};
use tokio_tungstenite::tungstenite::Message;

use crate::client::{CLOSE, Client, FIN, Raw, TEXT};
use crate::host::Host;
use crate::polling::{answer, open, status};

fn probe(host: &Host, handle: Handle) -> Client {
    Client::connect(host, host.worker, Purpose::Upgrade(handle.slot()))
}

fn raw_probe(host: &Host, handle: Handle) -> Raw {
    Raw::connect(host, host.worker, Purpose::Upgrade(handle.slot()), b"")
}

/// Upgrades, and shows that both directions work.
fn complete(host: &Host, handle: Handle, client: &mut Client) {
    client.send("2probe");
    assert_eq!(client.text(), "3probe");
    assert_eq!(
        host.next_of(RecordKind::Upgrading, handle.raw()).number(2),
        u64::from(client.token)
    );
    client.send("5");
    assert_eq!(host.next_of(RecordKind::Upgraded, handle.raw()).number(2), u64::from(client.token));
    client.send(r#"42["up"]"#);
    assert_eq!(host.next(RecordKind::Event).fields[3][0], "up");
    host.send(handle, r#"2["down"]"#);
    assert_eq!(client.text(), r#"42["down"]"#);
}

#[test]
fn a_probe_takes_over() {
    let host = Host::new();
    let (handle, sid) = open(&host);
    let get = host.poll(handle, RequestEvent::Get);
    let mut client = probe(&host, handle);
    client.send("2probe");
    assert_eq!(client.text(), "3probe");
    host.next_of(RecordKind::Upgrading, handle.raw());
    // A noop lets the client end its poll.
    assert_eq!(answer(&host, get), "6");
    host.send(handle, r#"2["between"]"#);
    client.send("5");
    host.next_of(RecordKind::Upgraded, handle.raw());
    assert_eq!(client.text(), r#"42["between"]"#);
    let entry = host.server.sessions.get(&sid).unwrap().clone();
    assert_eq!((entry.handle, entry.transport), (handle, Transport::WebSocket));
    client.send(r#"42["up"]"#);
    assert_eq!(host.next(RecordKind::Event).fields[3][0], "up");
    // Polling is over.
    let late = host.poll(handle, RequestEvent::Get);
    assert_eq!(status(&host, late), (400, BodyKind::None));
    client.close(None);
    assert_eq!(client.end(), None);
    assert_eq!(host.closed(handle), ("transport close".into(), None));
    assert!(host.server.sessions.get(&sid).is_none());
}

#[test]
fn a_poll_in_flight_at_the_upgrade_is_answered() {
    let host = Host::new();
    let (handle, _) = open(&host);
    let mut client = probe(&host, handle);
    client.send("2probe");
    assert_eq!(client.text(), "3probe");
    let get = host.poll(handle, RequestEvent::Get);
    client.send("5");
    host.next_of(RecordKind::Upgraded, handle.raw());
    // By the noop or by the upgrade, whichever was first.
    assert!(["6", "1"].contains(&answer(&host, get).as_str()));
}

#[test]
fn there_is_one_probe_at_a_time() {
    let host = Host::new();
    let (handle, _) = open(&host);
    let mut first = probe(&host, handle);
    let mut second = probe(&host, handle);
    assert_eq!(second.end(), None);
    complete(&host, handle, &mut first);
    // And none after the upgrade.
    let mut third = probe(&host, handle);
    assert_eq!(third.end(), None);
    host.send(handle, "2[]");
    assert_eq!(first.text(), "42[]");
}

#[test]
fn a_probe_of_nothing_is_closed() {
    let host = Host::new();
    let mut client =
        Client::connect(&host, host.worker, Purpose::Upgrade(Handle::new(0, 5000).slot()));
    assert_eq!(client.end(), None);
    let token = client.token;
    drop(client);
    host.next_of(RecordKind::WireClosed, token);
}

#[test]
fn a_probe_that_says_something_else_is_closed_and_polling_goes_on() {
    for said in ["2other", "42[\"a\"]", "x"] {
        let host = Host::new();
        let (handle, _) = open(&host);
        let mut client = probe(&host, handle);
        client.send(said);
        assert_eq!(client.end(), None);
        let get = host.poll(handle, RequestEvent::Get);
        host.send(handle, "2[]");
        assert_eq!(answer(&host, get), "42[]");
        let mut again = probe(&host, handle);
        complete(&host, handle, &mut again);
    }
}

#[test]
fn a_probe_that_is_silent_is_given_up() {
    let host = Host::with(Config { upgrade_timeout: 30, ..Config::default() });
    let (handle, _) = open(&host);
    let mut client = probe(&host, handle);
    assert_eq!(client.next(), Message::Close(None));
    let get = host.poll(handle, RequestEvent::Get);
    host.send(handle, "2[]");
    assert_eq!(answer(&host, get), "42[]");
}

/// The connection of a probe that was closed can end long after: by then another may be probing.
#[test]
fn the_end_of_an_old_probe_leaves_the_next_one_alone() {
    let not_utf8 = [FIN | TEXT, 0x81, 0, 0, 0, 0, 0xff];
    let reserved = crate::client::frame(FIN | 3, b"");
    let close = crate::client::frame(FIN | CLOSE, b"");
    let failed = crate::client::frame(FIN | TEXT, b"4no probe");
    for farewell in [&close[..], &reserved, &not_utf8, &failed] {
        let host = Host::new();
        let (handle, _) = open(&host);
        let mut old = raw_probe(&host, handle);
        old.write(farewell);
        assert_eq!(old.frame().opcode, CLOSE);
        let mut client = probe(&host, handle);
        client.send("2probe");
        assert_eq!(client.text(), "3probe");
        let token = old.token;
        drop(old);
        host.next_of(RecordKind::WireClosed, token);
        client.send("5");
        host.next_of(RecordKind::Upgraded, handle.raw());
        host.send(handle, "2[]");
        assert_eq!(client.text(), "42[]");
    }
}

#[test]
fn the_end_of_the_session_closes_the_probe() {
    let host = Host::new();
    let (handle, _) = open(&host);
    let get = host.poll(handle, RequestEvent::Get);
    let mut client = probe(&host, handle);
    host.close(handle);
    assert_eq!(answer(&host, get), "1");
    assert_eq!(client.end(), None);
    assert_eq!(host.closed(handle), ("forced close".into(), None));
}
