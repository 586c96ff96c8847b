//! An event as it goes out, made once and sent often.

use crate::frame;

/// The header of a packet with one attachment goes before the event.
const ATTACHMENT: &str = r#"{"_placeholder":true,"num":0}"#;

/// Between the packets of a payload of polling.
pub(crate) const SEPARATOR: u8 = 0x1e;

/// One Socket.IO packet in the form of each transport.
#[derive(Debug)]
pub(crate) struct Message {
    /// For WebSocket: frames.
    pub(crate) frames: Vec<u8>,
    /// For polling: a payload.
    pub(crate) payload: Vec<u8>,
}

impl Message {
    /// An event whose arguments are texts that need no escaping; with an id it asks for an ack.
    pub(crate) fn event(namespace: &str, id: Option<u32>, texts: &[&str]) -> Self {
        let id = id.map_or(String::new(), |id| id.to_string());
        let texts: Vec<_> = texts.iter().map(|text| format!(r#""{text}""#)).collect();
        let packet = format!("42{namespace}{id}[{}]", texts.join(","));
        let mut frames = Vec::new();
        frame::push(&mut frames, frame::TEXT, packet.as_bytes());
        Self { frames, payload: packet.into_bytes() }
    }

    /// A piece of a file: so many bytes, and an id by which it is acknowledged.
    pub(crate) fn upload(namespace: &str, id: u32, size: usize) -> Self {
        let packet = format!(r#"451-{namespace}{id}["upload",{ATTACHMENT}]"#);
        let mut frames = Vec::new();
        frame::push(&mut frames, frame::TEXT, packet.as_bytes());
        frame::push(&mut frames, frame::BINARY, &vec![0; size]);
        let mut payload = packet.into_bytes();
        payload.extend_from_slice(&[SEPARATOR, b'b']);
        payload.extend_from_slice(base64_of_zeros(size).as_bytes());
        Self { frames, payload }
    }

    /// An event whose argument is bytes. For WebSocket only.
    pub(crate) fn bytes(namespace: &str, event: &str, bytes: &[u8]) -> Self {
        let packet = format!(r#"451-{namespace}["{event}",{ATTACHMENT}]"#);
        let mut frames = Vec::new();
        frame::push(&mut frames, frame::TEXT, packet.as_bytes());
        frame::push(&mut frames, frame::BINARY, bytes);
        Self { frames, payload: Vec::new() }
    }
}

/// The base64 of so many zeros.
fn base64_of_zeros(size: usize) -> String {
    let rest = ["", "AA==", "AAA="][size % 3];
    "AAAA".repeat(size / 3) + rest
}

/// A text of `size` bytes that compresses as well as the messages of chats and games do.
///
/// Words of a small vocabulary follow each other at random, but always the same way.
pub(crate) fn prose(size: usize) -> String {
    const WORDS: [&str; 16] = [
        "socket", "event", "room", "hello", "player", "42", "score", "name", "true", "position",
        "id", "message", "x", "online", "2026", "level",
    ];
    let mut state: u32 = 1;
    let mut text = String::with_capacity(size + 16);
    while text.len() < size {
        // Marsaglia's xorshift.
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        text.push_str(WORDS[state as usize % WORDS.len()]);
        text.push(' ');
        if state & 0x700 == 0 {
            text.push_str(&state.to_string());
        }
    }
    text.truncate(size);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_packets() {
        let message = Message::event("/n1,", Some(1), &["ack", "x"]);
        assert_eq!(message.payload, br#"42/n1,1["ack","x"]"#);
        let frame = frame::parse(&message.frames).unwrap();
        assert_eq!(frame.len, message.frames.len() - 4, "the mask is not looked at");
    }

    #[test]
    fn writes_attachments() {
        let message = Message::bytes("", "bytes", b"abc");
        assert!(message.frames.ends_with(b"abc"));
        assert!(message.frames.windows(12).any(|part| part == br#"451-["bytes""#));
    }

    #[test]
    fn writes_pieces() {
        let message = Message::upload("", 1, 4);
        assert!(message.frames.ends_with(&[0; 4]));
        let payload = b"451-1[\"upload\",{\"_placeholder\":true,\"num\":0}]\x1ebAAAAAA==";
        assert_eq!(message.payload, payload);
    }

    #[test]
    fn prose_has_the_size() {
        assert_eq!(prose(1000).len(), 1000);
        assert!(prose(100).bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b' '));
    }
}
