//! Responses of HTTP/1.1 (RFC 9112), as far as a client of a friendly server needs them.

use std::io;
use std::ops::Range;

/// The end of the head.
const BLANK_LINE: &[u8] = b"\r\n\r\n";
const LINE_END: &[u8] = b"\r\n";

/// A response that is all there.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
    /// The bytes of all of it.
    pub(crate) len: usize,
}

/// The response at the start of `bytes`, once it is all there.
pub(crate) fn parse(bytes: &[u8]) -> io::Result<Option<Response>> {
    let Some(end) = find(bytes, BLANK_LINE) else { return Ok(None) };
    let head = std::str::from_utf8(&bytes[..end]).map_err(|_| invalid("its head is not text"))?;
    let start = end + BLANK_LINE.len();
    let status = status(head)?;
    // An upgrade has no body, whatever its head says.
    let (body, len) = if status == 101 {
        (Vec::new(), 0)
    } else if header(head, "transfer-encoding").is_some_and(|value| value.ends_with("chunked")) {
        match chunks(&bytes[start..])? {
            Some(whole) => whole,
            None => return Ok(None),
        }
    } else {
        let len = header(head, "content-length").map_or(Ok(0), str::parse);
        let len = len.map_err(|_| invalid("its length is not a number"))?;
        match bytes.get(start..start + len) {
            Some(body) => (body.to_vec(), len),
            None => return Ok(None),
        }
    };
    Ok(Some(Response { status, body, len: start + len }))
}

/// The status of a head; `HTTP/1.1 200 OK`.
fn status(head: &str) -> io::Result<u16> {
    let code = head.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3));
    code.and_then(|code| code.parse().ok()).ok_or_else(|| invalid("it is not HTTP/1.1"))
}

/// The value of the first header of that name.
fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().skip(1).find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

/// A chunked body and how long it is with all that holds it together, once the last chunk is there.
fn chunks(bytes: &[u8]) -> io::Result<Option<(Vec<u8>, usize)>> {
    let mut body = Vec::new();
    let mut at = 0;
    loop {
        let Some(Chunk { data, len }) = chunk(&bytes[at..])? else { return Ok(None) };
        body.extend_from_slice(&bytes[at..][data.clone()]);
        at += len;
        if data.is_empty() {
            return Ok(Some((body, at)));
        }
    }
}

struct Chunk {
    /// Where its data is.
    data: Range<usize>,
    /// The bytes of all of it.
    len: usize,
}

/// The chunk at the start of `bytes`, once it is all there. Trailers are not expected.
fn chunk(bytes: &[u8]) -> io::Result<Option<Chunk>> {
    let Some(line) = find(bytes, LINE_END) else { return Ok(None) };
    let size = std::str::from_utf8(&bytes[..line]).ok();
    let size = size.and_then(|size| usize::from_str_radix(size, 16).ok());
    let size = size.ok_or_else(|| invalid("a chunk has no size"))?;
    let start = line + LINE_END.len();
    let len = start + size + LINE_END.len();
    Ok((bytes.len() >= len).then_some(Chunk { data: start..start + size, len }))
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

fn invalid(what: &str) -> io::Error {
    io::Error::other(format!("a response is broken: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Parses it whole, and nothing of any shorter part of it.
    fn parse_whole(text: &str) -> Response {
        for end in 0..text.len() {
            assert_eq!(parse(&text.as_bytes()[..end]).unwrap(), None, "{end} bytes");
        }
        let more = [text.as_bytes(), b"HTTP/1.1"].concat();
        let response = parse(&more).unwrap().unwrap();
        assert_eq!(response.len, text.len());
        response
    }

    #[test]
    fn takes_a_length() {
        let response = parse_whole("HTTP/1.1 200 OK\r\ncontent-LENGTH: 2\r\n\r\nok");
        assert_eq!((response.status, &response.body[..]), (200, &b"ok"[..]));
    }

    #[test]
    fn takes_chunks() {
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        let response = parse_whole(&format!("{head}2\r\n40\r\nA\r\n0123456789\r\n0\r\n\r\n"));
        assert_eq!(response.body, b"400123456789");
    }

    #[test]
    fn takes_an_upgrade() {
        let response =
            parse_whole("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n");
        assert_eq!((response.status, response.body.len()), (101, 0));
    }

    #[test]
    fn says_what_is_broken() {
        for text in ["SSH-2.0\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"] {
            assert!(parse(text.as_bytes()).unwrap_err().to_string().contains("broken"));
        }
    }
}
