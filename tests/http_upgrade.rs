//! Which requests open a WebSocket without Node.js, and that everything else is left to it.

use ferrosocket::http::request::{First, Rules, read_first};
use proptest::collection::vec;
use proptest::prelude::*;

const PATH: &str = "/socket.io/";
const TARGET: &str = "/socket.io/?EIO=4&transport=websocket&a=%62";
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const HEADERS: &str = "Host: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                       Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
const MAX_HEAD: usize = 16 << 10;

fn request(target: &str, headers: &str) -> String {
    format!("GET {target} HTTP/1.1\r\n{headers}\r\n")
}

/// The length of the head, and the lines of the description.
fn described(bytes: &[u8], path: &str) -> Option<(usize, Vec<String>)> {
    let mut out = Vec::new();
    let rules =
        Rules { path: path.into(), max_head: MAX_HEAD, max_body: usize::MAX, compression: true };
    let Some(First::WebSocket { head }) = read_first(bytes, &rules, &mut out) else {
        assert_eq!(out, b"");
        return None;
    };
    let text: String = out.into_iter().map(char::from).collect();
    Some((head, text.split('\n').map(str::to_owned).collect()))
}

fn is_plain(text: &str) -> bool {
    described(text.as_bytes(), PATH).is_some()
}

#[test]
fn a_plain_request_is_described() {
    let text = request(TARGET, HEADERS);
    let with_frames = [text.as_bytes(), b"\x82\x80\0\n\r\n"].concat();
    let (head, lines) = described(&with_frames, PATH).unwrap();
    assert_eq!(head, text.len());
    let headers =
        HEADERS.lines().filter_map(|line| line.split_once(": ")).flat_map(|(a, b)| [a, b]);
    let expected: Vec<&str> = [KEY, "", "1", TARGET].into_iter().chain(headers).collect();
    assert_eq!(lines, expected);
}

#[test]
fn spelling_and_order_of_headers_are_free_and_values_are_bytes() {
    let mut bytes = format!(
        "GET {TARGET} HTTP/1.1\r\nSEC-WEBSOCKET-KEY:{KEY}  \r\nsec-websocket-version:\t13\r\n\
         upgrade: websocket\r\nconnection: keep-alive, Upgrade\r\nhost:\r\nx: "
    )
    .into_bytes();
    bytes.extend_from_slice(b"\xe9\tb\r\n\r\n");
    let (_, lines) = described(&bytes, PATH).unwrap();
    assert_eq!(lines[4..6], ["SEC-WEBSOCKET-KEY", KEY]);
    assert_eq!(lines[lines.len() - 4..], ["host", "", "x", "\u{e9}\tb"]);
}

#[test]
fn a_session_may_be_named() {
    let target = "/socket.io/?transport=websocket&sid=s_-1&EIO=4";
    let (_, lines) = described(request(target, HEADERS).as_bytes(), PATH).unwrap();
    assert_eq!(lines[1..4], ["s_-1", "1", target]);
}

#[test]
fn a_path_without_its_slash_is_found_with_it() {
    for target in [TARGET, "/socket.io?EIO=4&transport=websocket"] {
        assert!(described(request(target, HEADERS).as_bytes(), "/socket.io").is_some());
    }
}

#[test]
fn other_targets_are_foreign() {
    for target in [
        "/",
        "/socket.io?EIO=4&transport=websocket",
        "/socket.io/x?EIO=4&transport=websocket",
        "//socket.io/?EIO=4&transport=websocket",
        "/socket.io/",
        "/socket.io/?EIO=4",
        "/socket.io/?EIO=3&transport=websocket",
        "/socket.io/?transport=websocket",
        "/socket.io/?EIO=4&transport=polling",
        "/socket.io/?EIO=4&transport=websocket&b64=1",
        "/socket.io/?EIO=4&EIO=4&transport=websocket",
        "/socket.io/?EIO=4&transport=websocket&sid=s&sid=t",
        "/socket.io/?EIO=4&transport=websocket&sid=%73",
        "/socket.io/?EIO=4&transport=websocket&%73id=s",
        "/socket.io/?EIO=4&transport=websocket&b%364=1",
        "/socket.io/?EIO=4&transport=websocket#x",
        "/socket.io/?EIO=4&transport=websocket&a=\u{e9}",
        "http://a/socket.io/?EIO=4&transport=websocket",
    ] {
        assert!(!is_plain(&request(target, HEADERS)), "{target}");
    }
}

#[test]
fn other_headers_are_foreign() {
    for (from, to) in [
        ("Host: a\r\n", ""),
        ("Connection: Upgrade", "Connection: close"),
        ("Connection: Upgrade", "Connection: close, Upgrade"),
        ("Connection: Upgrade", "Connection: keep-alive"),
        ("Connection: Upgrade\r\n", ""),
        ("Upgrade: websocket", "Upgrade: WebSocket"),
        ("Upgrade: websocket", "Upgrade: h2c"),
        ("Version: 13", "Version: 12"),
        ("Version: 13", "Version: 013"),
        (KEY, "dGhlIHNhbXBsZSBub25jZQ="),
        (KEY, "dGhlIHNhbXBsZSBub25jZ==="),
        (KEY, "dGhlIHNhbXBsZSBub25j Q=="),
        ("Host: a\r\n", "Host: a\n"),
        ("Host: a\r\n", "Host: a\r\n b\r\n"),
        ("Host: a", "Host : a"),
        ("Host: a", "Host: \x7f"),
    ] {
        let headers = HEADERS.replacen(from, to, 1);
        assert_ne!(headers, HEADERS);
        assert!(!is_plain(&request(TARGET, &headers)), "{to}");
    }
    for line in HEADERS.lines().chain([
        "Content-Length: 0",
        "Transfer-Encoding: chunked",
        "Expect: 100-continue",
        "Trailer: x",
        "Proxy-Connection: keep-alive",
        "Sec-WebSocket-Protocol: chat",
        "Origin: http://a\r\nOrigin: http://a",
        "Sec-WebSocket-Extensions: a\r\nSec-WebSocket-Extensions: b",
    ]) {
        assert!(!is_plain(&request(TARGET, &format!("{HEADERS}{line}\r\n"))), "{line}");
    }
    assert!(!is_plain(&request(TARGET, &format!("{HEADERS}{}", "X: a\r\n".repeat(100)))));
    assert!(!is_plain(&request(TARGET, &format!("{HEADERS}X: {}\r\n", "a".repeat(MAX_HEAD)))));
}

#[test]
fn other_first_lines_are_foreign() {
    for text in [
        format!("POST {TARGET} HTTP/1.1\r\n{HEADERS}\r\n"),
        format!("get {TARGET} HTTP/1.1\r\n{HEADERS}\r\n"),
        format!("GET {TARGET} HTTP/1.0\r\n{HEADERS}\r\n"),
        format!("GET  {TARGET} HTTP/1.1\r\n{HEADERS}\r\n"),
        format!("\r\nGET {TARGET} HTTP/1.1\r\n{HEADERS}\r\n"),
    ] {
        assert!(!is_plain(&text), "{text}");
    }
}

proptest! {
    /// Nothing is decided before the head is complete, and what follows it changes nothing.
    #[test]
    fn a_head_is_read_when_it_is_there(cut in 0usize..1000, rest in vec(any::<u8>(), 0..50)) {
        let head = request(TARGET, HEADERS);
        prop_assert_eq!(described(&head.as_bytes()[..cut % head.len()], PATH), None);
        let whole = described(&[head.as_bytes(), &rest].concat(), PATH);
        prop_assert_eq!(whole, described(head.as_bytes(), PATH));
    }

    /// Nothing panics, and a description has a line for each of its parts.
    #[test]
    fn any_bytes_are_read(mut bytes in vec(any::<u8>(), 0..20), at in 0usize..400) {
        let mut request = request(TARGET, HEADERS).into_bytes();
        let at = at % request.len();
        request.splice(at..at, bytes.drain(..));
        if let Some((head, lines)) = described(&request, PATH) {
            prop_assert!(head <= request.len());
            prop_assert!(lines.len() >= 14 && lines.len().is_multiple_of(2));
        }
    }
}
