//! What nodes of a cluster say to each other: anybody who can publish may have written it.

use ferrosocket::redis::broadcasts::{Incoming, Mode, Node};
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
}
