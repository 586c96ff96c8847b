//! The readers of plain requests: of polling, and those that open a WebSocket.

use ferrosocket::http::request::{
    First, Method, Persistence, Reading, Request, Rules, read, read_first,
};

/// A request lies within what came, names a session, and is read the same whatever comes behind it; each
/// beginning of its head is partial.
pub fn request(bytes: &[u8]) {
    let rules = rules();
    let Reading::Request(request) = read(bytes, &rules) else { return };
    assert!(request.head <= bytes.len() && request.head <= rules.max_head);
    assert!(request.body <= rules.max_body);
    assert!(!request.sid.is_empty() || request.method == Method::Get);
    let mut description = Vec::new();
    let first = read_first(bytes, &rules, &mut description);
    let alone = !request.sid.is_empty() || request.head == bytes.len();
    let Request { head, encoding, persistence, .. } = request;
    let polling = First::Polling { head, encoding, persistence };
    assert_eq!(first, alone.then_some(polling));
    let minor = u8::from(persistence != Persistence::Http10);
    assert_eq!(
        description.starts_with(format!("\n{}\n{}\n/socket.io", request.sid, minor).as_bytes()),
        alone
    );
    let head = &bytes[..request.head];
    assert!(head.ends_with(b"\r\n\r\n"));
    assert_eq!(read(head, &rules), Reading::Request(request));
    for end in 0..head.len() {
        assert_eq!(read(&head[..end], &rules), Reading::Partial, "the first {end} bytes");
    }
}

/// A request that opens a WebSocket is read the same whatever comes behind it, and not before its head is
/// there; its description has the key, the session, the target, and two lines for each header.
pub fn upgrade(bytes: &[u8]) {
    let read = |bytes: &[u8]| {
        let mut out = Vec::new();
        match read_first(bytes, &rules(), &mut out) {
            Some(First::WebSocket { head }) => Some((head, out)),
            Some(First::Polling { .. }) | None => None,
        }
    };
    let Some((head, out)) = read(bytes) else { return };
    let lines: Vec<&[u8]> = out.split(|&byte| byte == b'\n').collect();
    assert!(lines.len().is_multiple_of(2) && lines[0].len() == 24);
    // Upstream takes whatever begins with the path; one more slash is what a path option of "/x/" gives.
    let query = lines[3].strip_prefix(b"/socket.io/").expect("it is ours");
    assert!(query.strip_prefix(b"/").unwrap_or(query).starts_with(b"?"));
    assert_eq!(read(&bytes[..head]), Some((head, out)));
    for end in 0..head {
        assert_eq!(read(&bytes[..end]), None, "the first {end} bytes");
    }
}

fn rules() -> Rules {
    Rules { path: "/socket.io/".into(), max_head: 1 << 10, max_body: 100, compression: true }
}
