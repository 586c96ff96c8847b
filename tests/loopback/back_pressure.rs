//! JavaScript is busy: the workers stop reading, and nobody is lost.

use std::io::Write as _;
use std::thread;

use ferrosocket::border::RecordKind;
use ferrosocket::engineio::Config;
use ferrosocket::net::inbox::CLIENT_LIMIT;

use crate::client::{Client, FIN, Raw, TEXT, frame};
use crate::host::Host;

/// One read, which may pass the limit, and what the records have more than the packets.
const SLACK: usize = 1 << 20;

/// Pings of a client that is served while another one is not read: longer than that may owe its pong.
const PINGS: u32 = 40;

const PLACEHOLDERS: &str = r#"{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}"#;

#[test]
fn a_flood_stops_at_the_limit_and_arrives_when_there_is_room() {
    // Heartbeats go on; the time for an answer is shorter than the time without reading.
    let config = Config { ping_interval: 100, ping_timeout: 3000, ..Config::default() };
    let host = Host::with(config);
    let mut clock = host.clock();
    let clock_handle = host.opened();
    let (flooding, handle) = Raw::open(&host);

    let count = 120; // 12 MB, three times the limit
    let filler = "x".repeat(100_000);
    let mut writing = flooding.stream.try_clone().unwrap();
    writing.set_write_timeout(None).unwrap();
    let writer = thread::spawn(move || {
        for n in 0..count {
            let text = format!("42[\"n\",{n},\"{filler}\"]");
            writing.write_all(&frame(FIN | TEXT, text.as_bytes())).unwrap();
            // An answer to the pings of the time without reading lies behind all that came then.
            writing.write_all(&frame(FIN | TEXT, b"3")).unwrap();
        }
        writing.write_all(&frame(FIN | TEXT, br#"42["alive"]"#)).unwrap();
    });
    Host::until(|| host.environment.inbox.bytes() >= CLIENT_LIMIT);
    // The other client of the worker is served meanwhile, far longer than a pong may take.
    for n in 0..PINGS {
        assert_eq!(clock.text(), "2");
        clock.send("3");
        clock.send(format!("42[\"clock\",{n}]"));
        assert!(host.environment.inbox.bytes() < CLIENT_LIMIT + SLACK);
    }
    let mut clocked = 0;
    for n in 0..count {
        let event = loop {
            let event = host.next(RecordKind::Event);
            if event.number(1) == u64::from(handle.raw()) {
                break event;
            }
            clocked += 1;
        };
        assert_eq!(event.fields[3][1], n);
    }
    for _ in clocked..PINGS {
        host.next_of(RecordKind::Event, clock_handle.raw());
    }
    writer.join().unwrap();
    assert_eq!(host.next_of(RecordKind::Event, handle.raw()).fields[3][0], "alive");
}

/// A client whose attachment waits in the operating system's buffers, because we do not read, has
/// not stopped sending.
#[test]
fn attachments_do_not_time_out_while_we_do_not_read() {
    let host =
        Host::with(Config { ping_interval: 1000, ping_timeout: 60_000, ..Config::default() });
    let (mut flooding, handle) = Raw::open(&host);
    let (mut clock, _) = Client::open(&host);
    let filler = "x".repeat(100_000);
    // Nearly every place where the limit may be passed is inside an attachment.
    let mut writing = flooding.stream.try_clone().unwrap();
    writing.set_write_timeout(None).unwrap();
    let writer = thread::spawn(move || {
        for n in 0..40 {
            let header = format!("452-[{n},\"{filler}\",{PLACEHOLDERS}]");
            writing.write_all(&frame(FIN | TEXT, header.as_bytes())).unwrap();
            for _ in 0..2 {
                let attachment = frame(FIN | crate::client::BINARY, &vec![7; 100_000]);
                writing.write_all(&attachment).unwrap();
            }
        }
    });
    Host::until(|| host.environment.inbox.bytes() >= CLIENT_LIMIT);
    for _ in 0..12 {
        assert_eq!(clock.text(), "2");
        clock.send("3");
    }
    for n in 0..40 {
        let event = host.next_of(RecordKind::Event, handle.raw());
        assert_eq!(event.fields[3][0], n);
        assert_eq!(event.buffers.len(), 2);
    }
    writer.join().unwrap();
    flooding.send(FIN | TEXT, r#"42["alive"]"#);
    assert_eq!(host.next_of(RecordKind::Event, handle.raw()).fields[3][0], "alive");
}

/// Attachments wait as what they are: hardly anything else does here.
#[test]
fn a_flood_of_attachments_stops_at_the_limit() {
    let host = Host::with(Config { ping_interval: 100, ..Config::default() });
    let (flooding, handle) = Raw::open(&host);
    let (mut clock, _) = Client::open(&host);
    let count = 120; // three times the limit
    let mut writing = flooding.stream.try_clone().unwrap();
    writing.set_write_timeout(None).unwrap();
    let writer = thread::spawn(move || {
        let header = frame(FIN | TEXT, format!("452-[\"e\",{PLACEHOLDERS}]").as_bytes());
        let attachment = frame(FIN | crate::client::BINARY, &vec![7; 50_000]);
        for _ in 0..count {
            for bytes in [&header, &attachment, &attachment] {
                writing.write_all(bytes).unwrap();
            }
        }
    });
    Host::until(|| host.environment.inbox.bytes() >= CLIENT_LIMIT);
    for _ in 0..PINGS {
        assert_eq!(clock.text(), "2");
        clock.send("3");
        assert!(host.environment.inbox.bytes() < CLIENT_LIMIT + SLACK);
    }
    for _ in 0..count {
        assert_eq!(host.next_of(RecordKind::Event, handle.raw()).buffers.len(), 2);
    }
    writer.join().unwrap();
}

#[test]
fn parts_of_messages_and_attachments_are_counted() {
    let host = Host::new();
    let budget = &host.environment.inbox.budget;
    let (mut client, handle) = Raw::open(&host);
    let bytes = frame(FIN | TEXT, format!("42[\"{}\"]", "x".repeat(300_000)).as_bytes());
    client.stream.write_all(&bytes[..200_000]).unwrap();
    Host::until(|| budget.held() > 199_000);
    client.stream.write_all(&bytes[200_000..]).unwrap();
    host.next_of(RecordKind::Event, handle.raw());
    Host::until(|| budget.held() == 0);

    let header = format!("452-[\"e\",{PLACEHOLDERS}]");
    client.send(FIN | TEXT, &header);
    client.stream.write_all(&frame(FIN | crate::client::BINARY, &vec![7; 50_000])).unwrap();
    Host::until(|| budget.held() > 50_000);
    client.stream.write_all(&frame(FIN | crate::client::BINARY, &vec![7; 50_000])).unwrap();
    assert_eq!(host.next_of(RecordKind::Event, handle.raw()).buffers.len(), 2);
    Host::until(|| budget.held() == 0);
    client.send(FIN | TEXT, &header);
    Host::until(|| budget.held() > 0);
    drop(client);
    host.closed(handle);
    host.release(handle);
    Host::until(|| budget.held() == 0);
}

/// Whatever the server allows, no message is taken that JavaScript has no string for.
#[test]
fn a_message_longer_than_a_string_may_be_is_too_large() {
    let host = Host::with(Config { max_payload: usize::MAX, ..Config::default() });
    let (mut client, handle) = Raw::open(&host);
    // The header alone says so.
    let mut header = vec![0x81, 0xff];
    header.extend_from_slice(&(1_u64 << 29).to_be_bytes());
    header.extend_from_slice(&[0; 4]);
    client.stream.write_all(&header).unwrap();
    let (reason, message) = host.closed(handle);
    assert_eq!(reason, "transport error");
    assert!(message.unwrap().contains("Max payload size exceeded"));
}
