//! The reader of the plain requests of polling.

use ferrosocket::http::request::{Reading, Rules, read};

/// A request lies within what came, names a session, and is read the same whatever comes behind it; each
/// beginning of its head is partial.
pub fn request(bytes: &[u8]) {
    let rules = Rules {
        path: "/socket.io/".into(),
        origin: None,
        max_head: 1 << 10,
        max_body: 100,
        compression: true,
    };
    let Reading::Request(request) = read(bytes, &rules) else { return };
    assert!(request.head <= bytes.len() && request.head <= rules.max_head);
    assert!(request.body <= rules.max_body && !request.sid.is_empty());
    let head = &bytes[..request.head];
    assert!(head.ends_with(b"\r\n\r\n"));
    assert_eq!(read(head, &rules), Reading::Request(request));
    for end in 0..head.len() {
        assert_eq!(read(&head[..end], &rules), Reading::Partial, "the first {end} bytes");
    }
}
