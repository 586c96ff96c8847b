//! Reads the plain requests of the polling transport.
//!
//! *Plain* is what clients send all the time: HTTP/1.1, our path, one session id or (to open a
//! session) none, GET or POST, at most one `Content-Length`. Anything that HTTP implementations are known to read in different
//! ways (two lengths, folded lines, bare line feeds, transfer codings) is foreign: it never
//! depends on our reading where a request ends.

use httparse::{EMPTY_HEADER, Header, Status};

use super::encoding::{Accepted, Encoding, read_accepted};
use crate::engineio::Protocol;

/// Headers of a plain request, at most. Browsers send about fifteen.
const MAX_HEADERS: usize = 64;
/// Digits of a `Content-Length`, at most; more than any limit of ours has.
const MAX_DIGITS: usize = 15;

/// What a request has to fulfil to be plain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// The path, with its slash at the end; what stands before the `?` must be this.
    pub path: Box<str>,
    /// When the answer depends on it: the only `Origin` (empty: none) that the headers of the answers
    /// are made for.
    pub origin: Option<Box<str>>,
    /// Bytes of the head, at most.
    pub max_head: usize,
    /// Bytes of the body, at most.
    pub max_body: usize,
    /// Whether it matters what encodings the client takes.
    pub compression: bool,
}

/// What bytes turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub enum Reading<'a> {
    /// The head is not complete.
    Partial,
    /// Not plain, or no request at all.
    Foreign,
    /// A request whose head is complete; its body may not be.
    Request(Request<'a>),
}

/// The methods of the polling transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Asks for packets.
    Get,
    /// Brings packets.
    Post,
}

/// A plain request.
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
}

/// Reads the request at the beginning of `bytes`.
pub fn read<'a>(bytes: &'a [u8], rules: &Rules) -> Reading<'a> {
    read_with(bytes, rules, |_, _| {})
}

/// Reads the first request of a connection; gives the length of its head. None: not plain, not
/// complete, or it opens a session and something stands behind it.
///
/// Its description is appended to `out`, as [`super::upgrade::read`] does, without a key.
pub fn read_first(bytes: &[u8], rules: &Rules, out: &mut Vec<u8>) -> Option<usize> {
    // Most requests for other paths end here.
    let target = bytes.strip_prefix(b"GET ").or_else(|| bytes.strip_prefix(b"POST "))?;
    if !target.starts_with(rules.path.as_bytes()) {
        return None;
    }
    let before = out.len();
    let reading = read_with(bytes, rules, |request, sid| describe(b"", sid, request, out));
    match reading {
        Reading::Request(request) if !request.sid.is_empty() || request.head == bytes.len() => {
            Some(request.head)
        }
        Reading::Request(_) | Reading::Partial | Reading::Foreign => {
            out.truncate(before);
            None
        }
    }
}

/// Appends what JavaScript is told of a request, as lines without a line end at the last one: the key
/// of a WebSocket, the session id (empty: a new session), the target, then the name and the value
/// of each header as they were sent.
pub(super) fn describe(
    key: &[u8],
    sid: &str,
    request: &httparse::Request<'_, '_>,
    out: &mut Vec<u8>,
) {
    out.extend_from_slice(key);
    for line in [sid, request.path.unwrap_or_default()] {
        out.push(b'\n');
        out.extend_from_slice(line.as_bytes());
    }
    for header in request.headers.iter() {
        out.push(b'\n');
        out.extend_from_slice(header.name.as_bytes());
        out.push(b'\n');
        out.extend_from_slice(header.value);
    }
}

/// Reads a request, and shows it and the session that it names, should it be plain.
fn read_with<'a>(
    bytes: &'a [u8],
    rules: &Rules,
    show: impl FnOnce(&httparse::Request<'_, 'a>, &'a str),
) -> Reading<'a> {
    let mut headers = [EMPTY_HEADER; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    let head = match request.parse(bytes) {
        Ok(Status::Complete(head)) if head <= rules.max_head => head,
        Ok(Status::Partial) if bytes.len() <= rules.max_head && begins_well(bytes) => {
            return Reading::Partial;
        }
        Ok(_) | Err(_) => return Reading::Foreign,
    };
    let plain = begins_well(bytes)
        && has_whole_line_ends(&bytes[..head])
        // 0: HTTP/1.0
        && request.version == Some(1);
    let read = plain.then(|| {
        let method = if request.method? == "GET" { Method::Get } else { Method::Post };
        let query = read_query(request.path?, rules)?;
        let headers = read_headers(request.headers, rules)?;
        let body = match (method, headers.length) {
            (Method::Get, None | Some(0)) => 0,
            (Method::Post, Some(length)) if length <= rules.max_body => length,
            (Method::Get | Method::Post, _) => return None,
        };
        if headers.binary && query.protocol == Protocol::V4 {
            return None; // only revision 3 has binary payloads
        }
        if query.sid.is_empty() && method == Method::Post {
            return None;
        }
        show(&request, query.sid);
        Some(Request {
            method,
            sid: query.sid,
            protocol: query.protocol,
            head,
            body,
            binary: headers.binary,
            encoding: headers.encoding,
        })
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
pub(super) fn has_whole_line_ends(head: &[u8]) -> bool {
    let mut before = 0;
    head.iter().all(|&byte| {
        let whole = byte != b'\n' || before == b'\r';
        before = byte;
        whole
    })
}

struct Query<'a> {
    sid: &'a str,
    protocol: Protocol,
}

/// Reads the target. None: not plain. Parameters that we don't know are the application's, which
/// looked at them when the session began.
fn read_query<'a>(target: &'a str, rules: &Rules) -> Option<Query<'a>> {
    let (path, query) = target.split_once('?')?;
    let ours = path == &*rules.path || path.strip_suffix('/') == Some(&*rules.path);
    if !ours || query.contains('#') {
        return None;
    }
    let (mut sid, mut transport, mut revision) = (None, None, None);
    let mut special = false;
    for parameter in query.split('&') {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        if is_encoded(name) {
            return None; // it may be one of the names below
        }
        special |= matches!(name, "j" | "b64");
        let known = match name {
            "sid" => &mut sid,
            "transport" => &mut transport,
            "EIO" => &mut revision,
            _ => continue,
        };
        if is_encoded(value) || known.replace(value).is_some() {
            return None;
        }
    }
    let sid = sid.unwrap_or_default();
    let protocol = if revision == Some("4") { Protocol::V4 } else { Protocol::V3 };
    if sid.is_empty() && (special || protocol == Protocol::V3 || !is_visible(target)) {
        return None; // a session of another kind than clients open now
    }
    (transport == Some("polling")).then_some(Query { sid, protocol })
}

/// Whether a target is made of visible characters only, and names no fragment: then every parser
/// reads it alike.
pub(super) fn is_visible(target: &str) -> bool {
    target.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#')
}

pub(super) fn is_encoded(text: &str) -> bool {
    text.bytes().any(|byte| matches!(byte, b'%' | b'+'))
}

#[derive(Default)]
struct Headers {
    host: bool,
    length: Option<usize>,
    content_type: bool,
    binary: bool,
    encoding: Option<Encoding>,
}

/// Reads the headers. None: not plain.
fn read_headers(headers: &[Header<'_>], rules: &Rules) -> Option<Headers> {
    let mut read = Headers::default();
    let mut origin: Option<&[u8]> = None;
    let mut accepted = None;
    for &Header { name, value } in headers {
        let is = |other: &str| name.eq_ignore_ascii_case(other);
        if is("host") {
            if std::mem::replace(&mut read.host, true) {
                return None;
            }
        } else if is("content-length") {
            if read.length.replace(read_length(value)?).is_some() {
                return None;
            }
        } else if is("content-type") {
            if std::mem::replace(&mut read.content_type, true) {
                return None;
            }
            read.binary = value == b"application/octet-stream";
        } else if is("origin") {
            if origin.replace(value).is_some() {
                return None;
            }
        } else if is("connection") {
            if !value.eq_ignore_ascii_case(b"keep-alive") {
                return None;
            }
        } else if is("accept-encoding") {
            if accepted.replace(read_accepted(value)).is_some() {
                return None;
            }
        } else if is("user-agent") {
            // its answers have a header more
            if contains(value, b";MSIE") || contains(value, b"Trident/") {
                return None;
            }
        } else if is("transfer-encoding")
            || is("upgrade")
            || is("expect")
            || is("trailer")
            || is("proxy-connection")
        {
            return None;
        }
    }
    if let Some(expected) = &rules.origin
        && expected.as_bytes() != origin.unwrap_or_default()
    {
        return None;
    }
    if rules.compression {
        match accepted {
            Some(Accepted::Weighed) => return None,
            Some(Accepted::Encoding(encoding)) => read.encoding = Some(encoding),
            Some(Accepted::Nothing) | None => {}
        }
    }
    // RFC 9112 §3.2: exactly one; Node.js answers 400 otherwise
    read.host.then_some(read)
}

fn read_length(value: &[u8]) -> Option<usize> {
    let digits = (1..=MAX_DIGITS).contains(&value.len()) && value.iter().all(u8::is_ascii_digit);
    digits.then(|| std::str::from_utf8(value).ok()?.parse().ok()).flatten()
}

fn contains(value: &[u8], part: &[u8]) -> bool {
    value.windows(part.len()).any(|window| window == part)
}
