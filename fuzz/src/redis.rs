//! What nodes of a cluster say to each other: anybody who can publish may have written it.

use ferrosocket::redis::broadcasts::{Incoming, Mode, Node};
use ferrosocket::redis::entries::{Entry, beginning_of_session, push_offset, rooms_of_session};
use ferrosocket::redis::frames::{Frames, Message, Piece};
use serde_json::Value;

/// A broadcast that is accepted is one packet with JSON that JavaScript takes, and it arrives again when it is sent on.
pub fn message(bytes: &[u8]) {
    for mode in [Mode::Classic, Mode::Sharded] {
        let node = Node { mode, namespace: "/".into(), uid: "a".into() };
        let Ok(Incoming::Broadcast(broadcast)) = node.read(bytes) else { continue };
        let text = std::str::from_utf8(&broadcast.text).expect("a packet is text");
        let count = broadcast.attachments.len();
        let head = if count == 0 { "2".to_owned() } else { format!("5{count}-") };
        let data = text.strip_prefix(&head).expect("it begins as an event");
        // What JavaScript takes and this reader does not is passed on as it is.
        let Ok(value) = serde_json::from_str::<Value>(data) else { continue };
        assert!(value.as_array().is_some_and(|data| !data.is_empty()), "{data}");
        let mut message = Vec::new();
        let sender = Node { uid: "b".into(), ..node.clone() };
        let options = br#"{"rooms":[],"except":[]}"#;
        let written = sender.write(&mut message, &broadcast.text, &broadcast.attachments, options);
        if written.is_err() {
            continue; // nested too deeply
        }
        let again = node.read(&message).expect("it is read again");
        let same = matches!(again, Incoming::Broadcast(again) if again.attachments == broadcast.attachments);
        assert!(same, "{text}");
    }
    let _read = Node::read_request(bytes);
    entry(bytes);
}

/// The same of the data of an entry, whose event ends with an offset behind its arguments; and of what may be a session.
fn entry(bytes: &[u8]) {
    let node = Node { mode: Mode::Classic, namespace: "/".into(), uid: "a".into() };
    let _session = (rooms_of_session(bytes), beginning_of_session(bytes));
    let fields = [&b"uid"[..], b"b", b"nsp", b"/", b"type", b"3", b"data", bytes];
    let Ok(read) = Entry::new(b"1-2", fields.map(<[u8]>::to_vec)) else { return };
    let Ok(Incoming::Broadcast(broadcast)) = node.read_entry(read.kind, &read.data) else { return };
    let mut text = broadcast.text.clone();
    push_offset(&mut text, read.id);
    let before = &broadcast.text[..broadcast.text.len() - 1];
    let end = text.strip_prefix(before).expect("its arguments are as they were");
    assert_eq!(end, br#","1-2"]"#);
}

/// In whatever pieces bytes come: the same messages are taken out, the rest is passed on as it is, and what is kept back is
/// the beginning of something.
pub fn frames(bytes: &[u8]) {
    let Some((&size, bytes)) = bytes.split_first() else { return };
    let (messages, rest, kept) = sifted(bytes, bytes.len());
    let (again, rest_again, kept_again) = sifted(bytes, usize::from(size) + 1);
    assert_eq!((&messages, &rest, kept), (&again, &rest_again, kept_again));
    assert_eq!(messages.iter().map(Vec::len).sum::<usize>() + rest.len() + kept, bytes.len());
}

/// The messages as they came, the rest, and how many bytes at the end are kept back.
fn sifted(bytes: &[u8], size: usize) -> (Vec<Vec<u8>>, Vec<u8>, usize) {
    let mut frames = Frames::default();
    let (mut messages, mut rest) = (Vec::new(), Vec::new());
    let (mut start, mut end) = (0, 0);
    loop {
        match frames.next(&bytes[start..end]) {
            Piece::Message(message, length) => {
                let whole = &bytes[start..start + length];
                assert_eq!(written(&message), whole);
                messages.push(whole.to_vec());
                start += length;
            }
            Piece::Other(count) => {
                assert!(count > 0 && start + count <= end);
                rest.extend_from_slice(&bytes[start..start + count]);
                start += count;
            }
            Piece::More(count) => {
                assert!(count > end - start);
                if end == bytes.len() {
                    return (messages, rest, end - start);
                }
                end = bytes.len().min(end + size);
            }
        }
    }
}

/// A message as Redis sends it.
fn written(message: &Message<'_>) -> Vec<u8> {
    use ferrosocket::redis::frames::Kind;
    let (parts, kind) = match message.kind {
        Kind::Plain => (3, "message"),
        Kind::Pattern => (4, "pmessage"),
        Kind::Sharded => (3, "smessage"),
    };
    let mut bytes = format!(">{parts}\r\n${}\r\n{kind}\r\n", kind.len()).into_bytes();
    let texts = [message.name, message.channel, message.payload];
    for text in &texts[usize::from(parts == 3)..] {
        bytes.extend_from_slice(format!("${}\r\n", text.len()).as_bytes());
        bytes.extend_from_slice(text);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}
