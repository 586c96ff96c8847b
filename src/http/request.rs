//! Reads the plain requests of clients: those that poll, and those that open a WebSocket.
//!
//! *Plain* is what clients send all the time:
//!
//! - in any case our path, each header that matters at most once;
//! - by polling GET or POST, one session id or (to open a session) none, at most one `Content-Length`; HTTP/1.0, too, and
//!   connections that end with the answer, as proxies have them;
//! - for a WebSocket HTTP/1.1, GET, protocol 4, the headers of RFC 6455 §4.1, no subprotocol, no body.
//!
//! Whatever HTTP implementations are known to read differently (two lengths, folded lines, bare line feeds,
//! transfer codings) is foreign, so where a request ends never depends on our reading.

use httparse::{EMPTY_HEADER, Header, Status};

use super::encoding::{Accepted, Encoding, read_accepted};
use crate::engineio::Protocol;

/// Headers of a plain request, at most. Browsers send about fifteen.
const MAX_HEADERS: usize = 64;
/// Digits of a `Content-Length`, at most; more than any limit of ours has.
const MAX_DIGITS: usize = 15;
/// Characters of a `Sec-WebSocket-Key`: 16 bytes in base64.
const KEY_LEN: usize = 24;
/// Headers that plain requests don't have. (To Node.js, `Proxy-Connection` is a `Connection`.)
const FOREIGN: [&str; 4] = ["transfer-encoding", "trailer", "expect", "proxy-connection"];
/// What makes a request of HTTP/1.0 foreign, too: its client may know chunks.
const CHUNKS: &str = "te";

/// What a request has to fulfil to be plain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// The path, with its slash at the end: what stands before the `?` must be this.
    pub path: Box<str>,
    /// Bytes of the head, at most.
    pub max_head: usize,
    /// Bytes of the body, at most.
    pub max_body: usize,
    /// Whether it matters what encodings the client takes.
    pub compression: bool,
}

/// What bytes turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub enum Reading<T> {
    /// The head is not complete.
    Partial,
    /// Not plain, or no request at all.
    Foreign,
    /// A request whose head is complete; its body may not be.
    Request(T),
}

/// The methods of the polling transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Asks for packets.
    Get,
    /// Brings packets.
    Post,
}

/// What becomes of the connection behind the answer to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Persistence {
    /// It stays.
    Keep,
    /// It ends.
    Close,
    /// It ends, and the client knows no chunks: HTTP/1.0.
    Http10,
}

/// A plain request by polling.
#[derive(Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// What it does.
    pub method: Method,
    /// The session that it names; empty when it opens one.
    pub sid: &'a str,
    /// The protocol that it names.
    pub protocol: Protocol,
    /// Bytes of the head.
    pub head: usize,
    /// Bytes of the body.
    pub body: usize,
    /// Whether the body is `application/octet-stream`.
    pub binary: bool,
    /// How a large answer is to be compressed.
    pub encoding: Option<Encoding>,
    /// Where it comes from (`Origin`); empty: it does not say.
    pub origin: &'a [u8],
    /// What becomes of the connection.
    pub persistence: Persistence,
}

/// The first request of a connection, and the bytes of its head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum First {
    /// It polls.
    Polling {
        /// Bytes of the head.
        head: usize,
        /// How a large answer is to be compressed.
        encoding: Option<Encoding>,
        /// What becomes of the connection behind the answer.
        persistence: Persistence,
    },
    /// It asks for a WebSocket, whose frames may follow it.
    WebSocket {
        /// Bytes of the head.
        head: usize,
    },
}

impl First {
    /// Bytes of the head.
    pub fn head(self) -> usize {
        match self {
            Self::Polling { head, .. } | Self::WebSocket { head } => head,
        }
    }
}

/// Reads the polling request at the beginning of `bytes`.
pub fn read<'a>(bytes: &'a [u8], rules: &Rules) -> Reading<Request<'a>> {
    read_head(bytes, rules, |head| read_polling(head, rules))
}

/// The first request of a connection, for who decides about it.
#[derive(Debug, PartialEq, Eq)]
pub struct Arrival<'a> {
    /// What it asks for.
    pub first: First,
    /// The `Sec-WebSocket-Key`; empty: it polls.
    pub key: &'a str,
    /// The session that it names; empty when it opens one.
    pub sid: &'a str,
    /// The protocol that it names.
    pub protocol: Protocol,
    /// The `Origin`; empty: none.
    pub origin: &'a [u8],
    /// The `Sec-WebSocket-Extensions`; empty: none.
    pub extensions: &'a [u8],
}

/// Reads the first request of a connection, and tells what it asks for. It is foreign, too, when it opens
/// a session by polling and something follows it.
///
/// Its description, for JavaScript, is appended to `out`: lines, without a line end after the last one,
/// with the key of a WebSocket (empty: it polls), the session id (empty: a new session), the minor version of
/// HTTP, the target, then the name and the value of each header as they were sent.
pub fn read_arrival<'a>(bytes: &'a [u8], rules: &Rules, out: &mut Vec<u8>) -> Reading<Arrival<'a>> {
    // Most requests for other paths end here.
    if !begins_ours(bytes, &rules.path) {
        return Reading::Foreign;
    }
    read_head(bytes, rules, |head| {
        let origin = head.headers.origin.unwrap_or_default();
        let extensions = head.headers.extensions.unwrap_or_default();
        let (key, sid, protocol, first) = match read_polling(head, rules) {
            Some(Request { sid: "", .. }) if head.length < bytes.len() => return None,
            Some(Request { sid, protocol, head, encoding, persistence, .. }) => {
                ("", sid, protocol, First::Polling { head, encoding, persistence })
            }
            None => {
                let first = First::WebSocket { head: head.length };
                let key = std::str::from_utf8(read_websocket(head)?).ok()?;
                (key, head.query.sid, Protocol::V4, first)
            }
        };
        head.describe(key.as_bytes(), out);
        Some(Arrival { first, key, sid, protocol, origin, extensions })
    })
}

/// [`read_arrival`], for who only wants to know what is asked for. None: not plain, or not complete.
pub fn read_first(bytes: &[u8], rules: &Rules, out: &mut Vec<u8>) -> Option<First> {
    match read_arrival(bytes, rules, out) {
        Reading::Request(arrival) => Some(arrival.first),
        Reading::Partial | Reading::Foreign => None,
    }
}

/// The part of a description ([`read_arrival`]) that has the headers.
pub fn fields_of(description: &[u8]) -> &[u8] {
    let mut ends = memchr::memchr_iter(b'\n', description);
    ends.nth(3).map_or(&[], |end| &description[end + 1..])
}

/// Whether it begins, as far as it goes, with a request for a path that begins with ours.
fn begins_ours(bytes: &[u8], path: &str) -> bool {
    let target = bytes.strip_prefix(b"GET ").or_else(|| bytes.strip_prefix(b"POST "));
    let Some(target) = target else { return begins_well(bytes) && bytes.len() < "POST ".len() };
    let n = path.len().min(target.len());
    target[..n] == path.as_bytes()[..n]
}

/// The request that a head is of, if it is a plain one by polling.
fn read_polling<'a>(head: &Head<'_, 'a>, rules: &Rules) -> Option<Request<'a>> {
    let &Head { method, ref query, ref headers, .. } = head;
    if query.transport != Some("polling") {
        return None;
    }
    let protocol = if query.revision == Some("4") { Protocol::V4 } else { Protocol::V3 };
    if query.sid.is_empty() {
        // Today's clients open no other sessions by polling.
        let is_usual = method == Method::Get && protocol == Protocol::V4;
        if !is_usual || query.jsonp || query.base64 || !is_visible(head.target) {
            return None;
        }
    }
    let body = match (method, headers.content_length.map(read_length)) {
        (Method::Get, None | Some(Some(0))) => 0,
        (Method::Post, Some(Some(length))) if length <= rules.max_body => length,
        (Method::Get | Method::Post, _) => return None,
    };
    let binary = headers.content_type == Some(b"application/octet-stream");
    if binary && protocol == Protocol::V4 {
        return None; // only revision 3 has binary payloads
    }
    let persistence = read_persistence(head.minor, headers.connection)?;
    if headers.upgrade.is_some() || headers.user_agent.is_some_and(is_explorer) {
        return None;
    }
    let origin = headers.origin.unwrap_or_default();
    let encoding = match headers.accept_encoding.filter(|_| rules.compression).map(read_accepted) {
        Some(Accepted::Weighed) => return None,
        Some(Accepted::Encoding(encoding)) => Some(encoding),
        Some(Accepted::Nothing) | None => None,
    };
    Some(Request {
        method,
        sid: query.sid,
        protocol,
        head: head.length,
        body,
        binary,
        encoding,
        origin,
        persistence,
    })
}

/// What becomes of a connection, by the minor version of HTTP and the header `Connection`. None: what Node.js
/// makes of it is not known here.
///
/// Proxies send `Connection: upgrade` with requests that don't ask for an upgrade, too; alone it says nothing.
fn read_persistence(minor: u8, connection: Option<&[u8]>) -> Option<Persistence> {
    let is = |option: &str| {
        connection.is_some_and(|value| value.eq_ignore_ascii_case(option.as_bytes()))
    };
    match minor {
        1 if connection.is_none() || is("keep-alive") || is("upgrade") => Some(Persistence::Keep),
        1 if is("close") => Some(Persistence::Close),
        0 if connection.is_none() || is("close") => Some(Persistence::Http10),
        _ => None,
    }
}

/// The key of the WebSocket that a head asks for, if it is a plain request for one.
fn read_websocket<'a>(head: &Head<'_, 'a>) -> Option<&'a [u8]> {
    let Head { method, query, headers, .. } = head;
    let plain = head.minor == 1
        && *method == Method::Get
        && query.transport == Some("websocket")
        && query.revision == Some("4")
        && !query.base64 // which no client asks for over a WebSocket
        && is_visible(head.target)
        && headers.connection.is_some_and(asks_for_upgrade)
        && headers.upgrade == Some(b"websocket")
        && headers.version == Some(b"13")
        && headers.subprotocol.is_none()
        && headers.content_length.is_none();
    headers.key.filter(|key| plain && is_key(key))
}

/// The head of a request that may be plain.
struct Head<'h, 'a> {
    /// Its bytes.
    length: usize,
    /// The minor version of HTTP/1.
    minor: u8,
    method: Method,
    target: &'a str,
    query: Query<'a>,
    headers: Headers<'a>,
    /// All of them.
    fields: &'h [Header<'a>],
}

/// Reads a head; `judge` gives the request if it is plain.
fn read_head<'a, T>(
    bytes: &'a [u8],
    rules: &Rules,
    judge: impl FnOnce(&Head<'_, 'a>) -> Option<T>,
) -> Reading<T> {
    let mut fields = [EMPTY_HEADER; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut fields);
    let length = match request.parse(bytes) {
        Ok(Status::Complete(length)) if length <= rules.max_head => length,
        Ok(Status::Partial) if bytes.len() <= rules.max_head && begins_well(bytes) => {
            return Reading::Partial;
        }
        Ok(_) | Err(_) => return Reading::Foreign,
    };
    let plain = begins_well(bytes) && has_whole_line_ends(&bytes[..length]);
    let read = plain.then(|| {
        let minor = request.version?;
        let method = if request.method? == "GET" { Method::Get } else { Method::Post };
        let target = request.path?;
        let query = Query::read(target, &rules.path)?;
        let headers = Headers::read(request.headers, minor)?;
        judge(&Head { length, minor, method, target, query, headers, fields: request.headers })
    });
    read.flatten().map_or(Reading::Foreign, Reading::Request)
}

/// Whether it begins, as far as it goes, with one of the two methods. (httparse skips empty lines.)
fn begins_well(bytes: &[u8]) -> bool {
    let begins = |method: &[u8]| {
        let n = method.len().min(bytes.len());
        bytes[..n] == method[..n]
    };
    begins(b"GET ") || begins(b"POST ")
}

/// Whether no line ends with a bare line feed (which httparse takes).
fn has_whole_line_ends(head: &[u8]) -> bool {
    let mut before = 0;
    head.iter().all(|&byte| {
        let whole = byte != b'\n' || before == b'\r';
        before = byte;
        whole
    })
}

impl Head<'_, '_> {
    /// See [`read_first`].
    fn describe(&self, key: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(key);
        for line in [self.query.sid.as_bytes(), &[b'0' + self.minor], self.target.as_bytes()] {
            out.push(b'\n');
            out.extend_from_slice(line);
        }
        for field in self.fields {
            out.push(b'\n');
            out.extend_from_slice(field.name.as_bytes());
            out.push(b'\n');
            out.extend_from_slice(field.value);
        }
    }
}

/// The parameters that count. Others are the application's.
#[derive(Default)]
struct Query<'a> {
    /// Empty: none.
    sid: &'a str,
    transport: Option<&'a str>,
    revision: Option<&'a str>,
    /// Whether the answers are to be scripts (`j`).
    jsonp: bool,
    /// Whether binary data is to be text (`b64`).
    base64: bool,
}

impl<'a> Query<'a> {
    /// Reads a target. None: not plain.
    fn read(target: &'a str, ours: &str) -> Option<Self> {
        let (path, query) = target.split_once('?')?;
        let is_ours = path == ours || path.strip_suffix('/') == Some(ours);
        if !is_ours || query.contains('#') {
            return None;
        }
        let mut read = Self::default();
        let mut sid = None;
        for parameter in query.split('&') {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let known = match name {
                "sid" => &mut sid,
                "transport" => &mut read.transport,
                "EIO" => &mut read.revision,
                "j" | "b64" => {
                    read.jsonp |= name == "j";
                    read.base64 |= name == "b64";
                    continue;
                }
                _ if is_encoded(name) => return None, // it may be one of these
                _ => continue,
            };
            if is_encoded(value) || known.replace(value).is_some() {
                return None;
            }
        }
        read.sid = sid.unwrap_or_default();
        Some(read)
    }
}

fn is_encoded(text: &str) -> bool {
    text.bytes().any(|byte| matches!(byte, b'%' | b'+'))
}

/// Whether a target is made of visible characters only: then every parser reads it alike.
fn is_visible(target: &str) -> bool {
    target.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The headers that count, as they were sent.
#[derive(Default)]
struct Headers<'a> {
    host: Option<&'a [u8]>,
    connection: Option<&'a [u8]>,
    upgrade: Option<&'a [u8]>,
    origin: Option<&'a [u8]>,
    user_agent: Option<&'a [u8]>,
    content_length: Option<&'a [u8]>,
    content_type: Option<&'a [u8]>,
    accept_encoding: Option<&'a [u8]>,
    version: Option<&'a [u8]>,
    key: Option<&'a [u8]>,
    extensions: Option<&'a [u8]>,
    subprotocol: Option<&'a [u8]>,
}

impl<'a> Headers<'a> {
    /// Finds them, each once at most. None: not plain.
    fn read(fields: &[Header<'a>], minor: u8) -> Option<Self> {
        let mut read = Self::default();
        for &Header { name, value } in fields {
            let is = |other: &str| name.eq_ignore_ascii_case(other);
            let once = if is("host") {
                &mut read.host
            } else if is("connection") {
                &mut read.connection
            } else if is("upgrade") {
                &mut read.upgrade
            } else if is("origin") {
                &mut read.origin
            } else if is("user-agent") {
                &mut read.user_agent
            } else if is("content-length") {
                &mut read.content_length
            } else if is("content-type") {
                &mut read.content_type
            } else if is("accept-encoding") {
                &mut read.accept_encoding
            } else if is("sec-websocket-version") {
                &mut read.version
            } else if is("sec-websocket-key") {
                &mut read.key
            } else if is("sec-websocket-extensions") {
                &mut read.extensions
            } else if is("sec-websocket-protocol") {
                &mut read.subprotocol
            } else if FOREIGN.iter().any(|other| is(other)) || minor == 0 && is(CHUNKS) {
                return None;
            } else {
                continue;
            };
            if once.replace(value).is_some() {
                return None;
            }
        }
        // RFC 9112 §3.2: exactly one; Node.js answers 400 otherwise
        read.host.is_some().then_some(read)
    }
}

fn read_length(value: &[u8]) -> Option<usize> {
    let digits = (1..=MAX_DIGITS).contains(&value.len()) && value.iter().all(u8::is_ascii_digit);
    digits.then(|| std::str::from_utf8(value).ok()?.parse().ok()).flatten()
}

/// Whether it is an Internet Explorer, whose answers have a header more.
fn is_explorer(user_agent: &[u8]) -> bool {
    let contains = |part: &[u8]| user_agent.windows(part.len()).any(|window| window == part);
    contains(b";MSIE") || contains(b"Trident/")
}

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
