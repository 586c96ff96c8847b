//! Writes answers: the headers of Node.js, in its order and spelling.

use std::io::Write as _;

use super::date;
use super::encoding::Encoding;

/// What an answer has for a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content<'a> {
    /// Nothing, and nothing is said about it.
    None,
    /// Bytes as they are.
    Plain {
        /// The value of `Content-Type`.
        media_type: &'static str,
        /// The body.
        body: &'a [u8],
    },
    /// Bytes to be compressed.
    Compressed {
        /// The value of `Content-Type`.
        media_type: &'static str,
        /// The body, not yet compressed.
        body: &'a [u8],
        /// How.
        encoding: Encoding,
    },
}

/// What becomes of the connection after the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connection {
    /// It stays; `Keep-Alive` promises so many seconds, if anything.
    KeepAlive(Option<u64>),
    /// It is closed.
    Close,
    /// It is closed, and a body without a length ends with it: the client knows no chunks.
    CloseUnchunked,
}

/// Appends a whole answer. `lines`: headers that come first, each with its line end. As with Node.js, they are in UTF-8 before
/// a text, with which it writes them as one string, and in Latin-1 before bytes.
pub fn write(
    out: &mut Vec<u8>,
    status: u16,
    content: Content<'_>,
    lines: &str,
    connection: Connection,
    date: &[u8; date::LEN],
) {
    put(out, format_args!("HTTP/1.1 {status} {}\r\n", reason(status)));
    match content {
        Content::Plain { media_type, .. } if media_type.starts_with("text/") => {
            out.extend_from_slice(lines.as_bytes());
        }
        Content::None | Content::Plain { .. } | Content::Compressed { .. } => {
            put_latin1(out, lines);
        }
    }
    let has_no_length = match content {
        Content::None => true,
        Content::Plain { media_type, body } => {
            put(out, format_args!("Content-Type: {media_type}\r\n"));
            put(out, format_args!("Content-Length: {}\r\n", body.len()));
            out.extend_from_slice(b"cache-control: no-store\r\n");
            false
        }
        Content::Compressed { media_type, encoding, .. } => {
            put(out, format_args!("Content-Type: {media_type}\r\n"));
            put(out, format_args!("Content-Encoding: {}\r\n", encoding.name()));
            out.extend_from_slice(b"cache-control: no-store\r\n");
            true
        }
    };
    out.extend_from_slice(b"Date: ");
    out.extend_from_slice(date);
    match connection {
        Connection::KeepAlive(None) => out.extend_from_slice(b"\r\nConnection: keep-alive\r\n"),
        Connection::KeepAlive(Some(seconds)) => {
            out.extend_from_slice(b"\r\nConnection: keep-alive\r\n");
            put(out, format_args!("Keep-Alive: timeout={seconds}\r\n"));
        }
        Connection::Close | Connection::CloseUnchunked => {
            out.extend_from_slice(b"\r\nConnection: close\r\n");
        }
    }
    let chunked = has_no_length && connection != Connection::CloseUnchunked;
    if chunked {
        out.extend_from_slice(b"Transfer-Encoding: chunked\r\n");
    }
    out.extend_from_slice(b"\r\n");
    match content {
        Content::None => {}
        Content::Plain { body, .. } => out.extend_from_slice(body),
        Content::Compressed { body, encoding, .. } => {
            let bytes = encoding.compress(body);
            if chunked {
                put(out, format_args!("{:x}\r\n", bytes.len()));
            }
            out.extend_from_slice(&bytes);
            if chunked {
                out.extend_from_slice(b"\r\n");
            }
        }
    }
    if chunked {
        out.extend_from_slice(b"0\r\n\r\n");
    }
}

/// What Node.js writes when a connection ends in the middle of a request.
pub const BAD_REQUEST: &[u8] = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n";

/// What Node.js writes when a request takes longer than `requestTimeout`; it closes then.
pub const REQUEST_TIMEOUT: &[u8] = b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n";

fn put_latin1(out: &mut Vec<u8>, text: &str) {
    if text.is_ascii() {
        out.extend_from_slice(text.as_bytes());
    } else {
        out.extend(text.chars().map(|character| u8::try_from(character).unwrap_or(b'?')));
    }
}

fn put(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("writing to a Vec can't fail");
}

/// The reason phrase of a status that sessions answer with.
fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        408 => "Request Timeout",
        413 => "Payload Too Large",
        429 => "Too Many Requests",
        _ => "Bad Request",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATE: &[u8; date::LEN] = b"Sun, 22 Nov 2026 02:35:33 GMT";

    fn written(status: u16, content: Content<'_>, lines: &str, connection: Connection) -> String {
        let mut out = Vec::new();
        write(&mut out, status, content, lines, connection, DATE);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_payload_has_a_length() {
        let content = Content::Plain { media_type: "text/html", body: b"ok" };
        assert_eq!(
            written(200, content, "Vary: Origin\r\n", Connection::KeepAlive(Some(5))),
            "HTTP/1.1 200 OK\r\nVary: Origin\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\
             cache-control: no-store\r\nDate: Sun, 22 Nov 2026 02:35:33 GMT\r\n\
             Connection: keep-alive\r\nKeep-Alive: timeout=5\r\n\r\nok"
        );
    }

    #[test]
    fn headers_are_in_utf8_before_a_text_and_in_latin1_before_bytes() {
        for (media_type, name) in
            [("text/html", "é".as_bytes()), ("application/octet-stream", b"\xe9".as_slice())]
        {
            let mut out = Vec::new();
            let content = Content::Plain { media_type, body: b"ok" };
            write(&mut out, 200, content, "X: é\r\n", Connection::Close, DATE);
            let expected = [b"HTTP/1.1 200 OK\r\nX: ", name, b"\r\nContent-Type: "].concat();
            assert_eq!(&out[..expected.len()], expected);
        }
    }

    #[test]
    fn no_body_is_an_empty_chunk() {
        assert_eq!(
            written(413, Content::None, "", Connection::Close),
            "HTTP/1.1 413 Payload Too Large\r\nDate: Sun, 22 Nov 2026 02:35:33 GMT\r\n\
             Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
        );
    }

    #[test]
    fn who_knows_no_chunks_gets_none() {
        let end = "Date: Sun, 22 Nov 2026 02:35:33 GMT\r\nConnection: close\r\n\r\n";
        let none = written(400, Content::None, "", Connection::CloseUnchunked);
        assert_eq!(none, format!("HTTP/1.1 400 Bad Request\r\n{end}"));
        let content = Content::Plain { media_type: "text/html", body: b"ok" };
        let plain = written(200, content, "", Connection::CloseUnchunked);
        assert!(
            plain.contains("\r\nContent-Length: 2\r\n") && plain.ends_with(&format!("{end}ok"))
        );
    }
}
