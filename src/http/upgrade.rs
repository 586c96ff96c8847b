//! Reads the plain requests that open a WebSocket.
//!
//! *Plain* is what clients send: GET, HTTP/1.1, our path, protocol 4, the headers of RFC 6455 §4.1
//! once each, no subprotocol, no body. Whatever else comes is foreign, and for Node.js to judge.

use httparse::{EMPTY_HEADER, Header, Status};

use super::request::{describe, has_whole_line_ends, is_encoded, is_visible};

/// Headers of a plain request, at most. Browsers send about fifteen.
const MAX_HEADERS: usize = 64;
/// Characters of a `Sec-WebSocket-Key`: 16 bytes in base64.
const KEY_LEN: usize = 24;

/// Reads the request at the beginning of `bytes`; gives the length of its head, which frames follow.
/// None: not plain, not complete, or no request at all. `path`: that of the server, with its slash
/// at the end; `max_head`: bytes of the head, at most.
///
/// Its description is appended to `out`, as lines without a line end at the last one: the key, the
/// session id (empty: a new session), the target, then the name and the value of each header as
/// they were sent.
pub fn read(bytes: &[u8], path: &str, max_head: usize, out: &mut Vec<u8>) -> Option<usize> {
    // Most requests for other paths end here. (httparse skips empty lines.)
    if !bytes.strip_prefix(b"GET ")?.starts_with(path.as_bytes()) {
        return None;
    }
    let mut headers = [EMPTY_HEADER; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    let Ok(Status::Complete(head)) = request.parse(bytes) else { return None };
    let is_http_1_1 = request.version == Some(1);
    if head > max_head || !is_http_1_1 || !has_whole_line_ends(&bytes[..head]) {
        return None;
    }
    let target = request.path?;
    let sid = read_target(target, path)?;
    let key = read_headers(request.headers)?;
    describe(key, sid, &request, out);
    Some(head)
}

/// Reads the target; gives the session id. None: not plain. Parameters that we don't know are the
/// application's.
fn read_target<'a>(target: &'a str, path: &str) -> Option<&'a str> {
    let (start, query) = target.split_once('?')?;
    let ours = start == path || start.strip_suffix('/') == Some(path);
    if !ours || !is_visible(target) {
        return None;
    }
    let (mut sid, mut transport, mut revision) = (None, None, None);
    for parameter in query.split('&') {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let known = match name {
            "sid" => &mut sid,
            "transport" => &mut transport,
            "EIO" => &mut revision,
            "b64" => return None, // binary as base64, which no client asks for over a WebSocket
            _ if is_encoded(name) => return None, // it may be one of these
            _ => continue,
        };
        if is_encoded(value) || known.replace(value).is_some() {
            return None;
        }
    }
    let plain = transport == Some("websocket") && revision == Some("4");
    plain.then_some(sid.unwrap_or_default())
}

/// Reads the headers; gives the key. None: not plain.
fn read_headers<'a>(headers: &[Header<'a>]) -> Option<&'a [u8]> {
    let (mut host, mut connection, mut upgrade) = (None, None, None);
    let (mut version, mut key) = (None, None);
    let (mut origin, mut extensions) = (None, None);
    for &Header { name, value } in headers {
        let is = |other: &str| name.eq_ignore_ascii_case(other);
        let once = if is("host") {
            &mut host
        } else if is("connection") {
            &mut connection
        } else if is("upgrade") {
            &mut upgrade
        } else if is("sec-websocket-version") {
            &mut version
        } else if is("sec-websocket-key") {
            &mut key
        } else if is("sec-websocket-extensions") {
            &mut extensions
        } else if is("origin") {
            &mut origin
        } else if FOREIGN.iter().any(|other| is(other)) {
            return None;
        } else {
            continue;
        };
        if once.replace(value).is_some() {
            return None;
        }
    }
    let plain = host.is_some()
        && connection.is_some_and(asks_for_upgrade)
        && upgrade == Some(b"websocket")
        && version == Some(b"13")
        && key.is_some_and(is_key);
    key.filter(|_| plain)
}

/// Headers that plain requests don't have. (To Node.js, `Proxy-Connection` is a `Connection`.)
const FOREIGN: [&str; 6] = [
    "content-length",
    "transfer-encoding",
    "trailer",
    "expect",
    "proxy-connection",
    "sec-websocket-protocol",
];

/// Whether a `Connection` is `Upgrade`, maybe beside `keep-alive`, which Firefox sends.
fn asks_for_upgrade(value: &[u8]) -> bool {
    let mut upgrade = false;
    let known = value.split(|&byte| byte == b',').all(|option| {
        let option = option.trim_ascii();
        let asks = option.eq_ignore_ascii_case(b"upgrade");
        upgrade |= asks;
        asks || option.eq_ignore_ascii_case(b"keep-alive")
    });
    known && upgrade
}

fn is_key(value: &[u8]) -> bool {
    let is_digit = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    value.len() == KEY_LEN && value.ends_with(b"==") && value[..KEY_LEN - 2].iter().all(is_digit)
}
