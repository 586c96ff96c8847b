//! What comes in: frames to records.

use ferrosocket::border::RecordKind;
use ferrosocket::engineio::Config;
use ferrosocket::net::command::{Command, Outgoing};
use tokio_tungstenite::tungstenite::Message;

use crate::client::{Client, FIN, PING, PONG, Raw, TEXT, frame};
use crate::host::Host;

/// Continuation of a fragmented message.
const CONTINUATION: u8 = 0;

#[test]
fn text_makes_the_round_trip() {
    let host = Host::new();
    let (mut client, handle) = Client::open(&host);
    client.send("40");
    assert_eq!(host.next(RecordKind::Connect).parts().1, format!(r#"[{},"/",null]"#, handle.raw()));
    host.send(handle, r#"0{"sid":"x"}"#);
    assert_eq!(client.text(), r#"40{"sid":"x"}"#);
    client.send(r#"42["echo","é\u0000\"",{"a":[1.50]}]"#);
    let event = host.next(RecordKind::Event);
    assert_eq!(event.number(1), u64::from(handle.raw()));
    assert_eq!(event.fields[2], -1);
    assert_eq!(event.fields[3], serde_json::json!(["echo", "é\0\"", { "a": [1.5] }]));
    assert_eq!(event.fields.len(), 4);
    host.send(handle, r#"2["echo","é"]"#);
    assert_eq!(client.text(), r#"42["echo","é"]"#);
}

#[test]
fn a_server_with_a_parser_gets_messages_as_they_came() {
    let host = Host::with_raw_messages();
    let (mut client, handle) = Client::open(&host);
    client.send("4no packet \"é");
    let record = host.next(RecordKind::RawMessage);
    assert_eq!(record.parts().1, format!(r#"[{},"no packet \"é"]"#, handle.raw()));
    client.send(vec![0, 1, 255]);
    let record = host.next(RecordKind::RawMessage);
    assert_eq!(record.parts().1, format!("[{}]", handle.raw()));
    assert_eq!(record.buffers, [[0, 1, 255]]);
}

#[test]
fn without_socket_io_messages_go_up_as_they_came_and_nobody_has_to_join() {
    let config = Config { ping_interval: 50, ping_timeout: 60_000, ..Config::default() };
    let host = Host::plain(config, 1);
    let (mut client, handle) = Client::open(&host);
    client.send("40");
    let record = host.next(RecordKind::RawMessage);
    assert_eq!(record.parts().1, format!(r#"[{},"0"]"#, handle.raw()));
    assert_eq!(client.text(), "2"); // the time to join is over
    assert!(!host.has(RecordKind::ConnectTimeout, handle));
}

#[test]
fn attachments_make_the_round_trip() {
    let host = Host::new();
    let (mut client, handle) = Client::open(&host);
    let header = r#"51-["b",{"_placeholder":true,"num":0}]"#;
    client.send(format!("4{header}"));
    client.send(vec![0, 1, 2, 255]);
    let event = host.next(RecordKind::Event);
    assert_eq!(
        event.parts().1,
        format!(r#"[{},-1,["b",{{"_placeholder":true,"num":0}}],"/",1]"#, handle.raw())
    );
    assert_eq!(event.buffers, [[0, 1, 2, 255]]);
    let messages = vec![
        Outgoing::Text(header.into()),
        Outgoing::Binary(event.buffers[0].clone().into()),
        Outgoing::Binary(vec![9; 10_000].into()),
    ];
    host.command(handle, Command::Send { slot: handle.slot(), flags: 0, messages });
    assert_eq!(client.text(), format!("4{header}"));
    assert_eq!(client.next(), Message::binary(vec![0, 1, 2, 255]));
    assert_eq!(client.next(), Message::binary(vec![9; 10_000]));
}

#[test]
fn namespaces_and_ack_ids_are_told() {
    let host = Host::new();
    let (mut client, handle) = Client::open(&host);
    let handle = handle.raw();
    client.send(r#"40/chat,{"token":"t"}"#);
    client.send(r#"42/chat,007["x"]"#);
    client.send("4312[1]");
    client.send("41/chat,");
    assert_eq!(
        host.any().parts(),
        (RecordKind::Connect, format!(r#"[{handle},"/chat",{{"token":"t"}}]"#))
    );
    assert_eq!(host.any().parts(), (RecordKind::Event, format!(r#"[{handle},7,["x"],"/chat"]"#)));
    assert_eq!(host.any().parts(), (RecordKind::Ack, format!("[{handle},12,[1]]")));
    assert_eq!(host.any().parts(), (RecordKind::Disconnect, format!(r#"[{handle},"/chat"]"#)));
}

#[test]
fn a_fragmented_message_is_put_together_around_a_ping() {
    let host = Host::new();
    let (mut client, _) = Raw::open(&host);
    client.send(TEXT, "42[\"fr");
    client.send(FIN | PING, "are you there");
    let pong = client.frame();
    assert_eq!((pong.opcode, pong.payload.as_slice()), (PONG, b"are you there".as_slice()));
    client.send(CONTINUATION, "ag");
    client.send(FIN | CONTINUATION, "\"]");
    assert_eq!(host.next(RecordKind::Event).fields[3], serde_json::json!(["frag"]));
}

#[test]
fn many_messages_in_one_write_keep_their_order() {
    let host = Host::new();
    let (mut client, _) = Raw::open(&host);
    let frames: Vec<u8> =
        (0..500).flat_map(|n| frame(FIN | TEXT, format!("42[\"n\",{n}]").as_bytes())).collect();
    client.write(&frames);
    for n in 0..500 {
        assert_eq!(host.next(RecordKind::Event).fields[3][1], n);
    }
}

#[test]
fn messages_may_come_byte_by_byte() {
    let host = Host::new();
    let (mut client, _) = Raw::open(&host);
    for byte in frame(FIN | TEXT, br#"42["slow"]"#) {
        client.write(&[byte]);
    }
    assert_eq!(host.next(RecordKind::Event).fields[3], serde_json::json!(["slow"]));
}

#[test]
fn bytes_behind_the_upgrade_request_are_read_first() {
    let host = Host::new();
    let (mut client, _) = Raw::open_with(&host, &frame(FIN | TEXT, br#"42["first"]"#));
    client.send(FIN | TEXT, r#"42["second"]"#);
    assert_eq!(host.next(RecordKind::Event).fields[3][0], "first");
    assert_eq!(host.next(RecordKind::Event).fields[3][0], "second");
}

#[test]
fn a_message_may_be_as_long_as_the_limit() {
    let limit = 1_000_000;
    let host = Host::with(Config { max_payload: limit, ..Config::default() });
    let (mut client, handle) = Client::open(&host);
    let text = "x".repeat(limit - r#"42[""]"#.len());
    client.send(format!(r#"42["{text}"]"#));
    assert_eq!(host.next(RecordKind::Event).fields[3][0].as_str(), Some(text.as_str()));
    host.send(handle, &text);
    assert_eq!(client.text(), format!("4{text}"));
}
