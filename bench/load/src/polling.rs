//! A session over HTTP long-polling: one connection asks, another one tells.

use std::collections::VecDeque;
use std::io;

use mio::{Registry, Token};

use crate::http;
use crate::message::SEPARATOR;
use crate::session::{Event, Session, Step};
use crate::stream::Stream;

/// Where the session goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Course {
    Open,
    /// To a WebSocket: nothing new is asked or told.
    Paused,
    /// Nowhere: the goodbye is queued.
    Leaving,
    /// Nowhere: the goodbye is told.
    Gone,
}

/// Both connections of a client.
#[derive(Debug)]
pub(crate) struct Polling {
    port: u16,
    tell_token: Token,
    pub(crate) ask: Stream,
    /// Made when there is something to tell.
    pub(crate) tell: Option<Stream>,
    /// Whether an answer is due.
    asking: bool,
    /// Whether a confirmation is due.
    telling: bool,
    course: Course,
    /// The packets that came in and are not dealt with.
    arrived: VecDeque<Vec<u8>>,
    /// The payload to be told next.
    payload: Vec<u8>,
}

impl Polling {
    /// Begins to connect, and asks for a session.
    pub(crate) fn open(
        registry: &Registry,
        (ask_token, tell_token): (Token, Token),
        port: u16,
    ) -> io::Result<Self> {
        let mut ask = Stream::open(registry, ask_token, port)?;
        push_request(ask.outbox(), "GET", "", None);
        Ok(Self {
            port,
            tell_token,
            ask,
            tell: None,
            asking: true,
            telling: false,
            course: Course::Open,
            arrived: VecDeque::new(),
            payload: Vec::new(),
        })
    }

    /// The next thing that came in; what the protocol asks for in between is answered here.
    pub(crate) fn next_event(&mut self, session: &mut Session) -> io::Result<Option<Event>> {
        if self.telling && self.take_confirmation()? && self.course == Course::Gone {
            return Ok(Some(Event::Left));
        }
        loop {
            while let Some(packet) = self.arrived.pop_front() {
                // An attachment is base64 behind a "b".
                let step = match packet.first() {
                    Some(b'b') => session.handle_opaque(),
                    _ => session.handle_text(&packet)?,
                };
                match step {
                    Step::Nothing => {}
                    Step::Reply(packet) => self.send(packet.as_bytes()),
                    Step::Event(event) => return Ok(Some(event)),
                }
            }
            if self.is_leaving() {
                return Ok(None);
            }
            if self.asking {
                if !self.take_answer()? {
                    return Ok(None);
                }
            } else if self.course == Course::Paused {
                return Ok(None);
            } else {
                push_request(self.ask.outbox(), "GET", session.sid().unwrap_or_default(), None);
                self.asking = true;
            }
        }
    }

    /// Queues a packet, or several with the separator between them.
    pub(crate) fn send(&mut self, packets: &[u8]) {
        if !self.payload.is_empty() {
            self.payload.push(SEPARATOR);
        }
        self.payload.extend_from_slice(packets);
    }

    /// Sends what is queued, once what was told before is confirmed.
    pub(crate) fn flush(&mut self, registry: &Registry, session: &Session) -> io::Result<()> {
        if !self.payload.is_empty() && !self.telling && self.course != Course::Paused {
            if self.tell.is_none() {
                self.tell = Some(Stream::open(registry, self.tell_token, self.port)?);
            }
            if let Some(tell) = &mut self.tell {
                let sid = session.sid().unwrap_or_default();
                push_request(tell.outbox(), "POST", sid, Some(&self.payload));
                self.payload.clear();
                self.telling = true;
                if self.course == Course::Leaving {
                    self.course = Course::Gone;
                }
            }
        }
        self.ask.flush(registry)?;
        self.tell.as_mut().map_or(Ok(()), |tell| tell.flush(registry))
    }

    /// Says goodbye: [`Event::Left`] comes when the server knows.
    pub(crate) fn leave(&mut self) {
        self.send(b"1");
        self.course = Course::Leaving;
    }

    /// Whether [`Self::leave`] was called: the server may close what it likes.
    pub(crate) fn is_leaving(&self) -> bool {
        matches!(self.course, Course::Leaving | Course::Gone)
    }

    /// Begins no more requests.
    pub(crate) fn pause(&mut self) {
        self.course = Course::Paused;
    }

    /// Whether no request is under way.
    pub(crate) fn is_quiet(&self) -> bool {
        self.course == Course::Paused && !self.asking && !self.telling && self.arrived.is_empty()
    }

    /// Closes both connections; what was queued and not told comes back.
    pub(crate) fn close(&mut self, registry: &Registry) -> Vec<u8> {
        self.ask.close(registry);
        if let Some(tell) = &mut self.tell {
            tell.close(registry);
        }
        std::mem::take(&mut self.payload)
    }

    /// Takes a payload; `false` when it is not all there.
    fn take_answer(&mut self) -> io::Result<bool> {
        let Some(body) = take_response(&mut self.ask)? else { return Ok(false) };
        self.asking = false;
        self.arrived.extend(split(&body));
        Ok(true)
    }

    /// Takes the "ok" to what was told; `false` when it is not all there.
    fn take_confirmation(&mut self) -> io::Result<bool> {
        let Some(tell) = &mut self.tell else { return Ok(false) };
        let confirmed = take_response(tell)?.is_some();
        self.telling = !confirmed;
        Ok(confirmed)
    }
}

/// The packets of a payload.
pub(crate) fn split(payload: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    payload.split(|byte| *byte == SEPARATOR).map(<[u8]>::to_vec)
}

/// The body of the next response, once it is all there.
fn take_response(stream: &mut Stream) -> io::Result<Option<Vec<u8>>> {
    let Some(response) = http::parse(stream.input())? else { return Ok(None) };
    stream.consume(response.len);
    stream.compact();
    if response.status == 200 {
        return Ok(Some(response.body));
    }
    let body = String::from_utf8_lossy(&response.body).into_owned();
    Err(io::Error::other(format!("a request was answered with {}: {body}", response.status)))
}

fn push_request(out: &mut Vec<u8>, method: &str, sid: &str, body: Option<&[u8]>) {
    let (key, end) = if sid.is_empty() { ("", "") } else { ("&sid=", sid) };
    let path = format!("/socket.io/?EIO=4&transport=polling{key}{end}");
    let head = format!("{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n");
    out.extend_from_slice(head.as_bytes());
    if let Some(body) = body {
        let len = body.len();
        let head = format!("Content-Type: text/plain;charset=UTF-8\r\nContent-Length: {len}\r\n");
        out.extend_from_slice(head.as_bytes());
    }
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(body.unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_payloads() {
        let packets: Vec<_> = split(b"40\x1e2").collect();
        assert_eq!(packets, [b"40".to_vec(), b"2".to_vec()]);
    }

    #[test]
    fn writes_requests() {
        let mut out = Vec::new();
        push_request(&mut out, "POST", "s", Some(b"40"));
        let text = String::from_utf8(out).unwrap();
        assert!(text.starts_with("POST /socket.io/?EIO=4&transport=polling&sid=s HTTP/1.1\r\n"));
        assert!(text.ends_with("Content-Length: 2\r\n\r\n40"));
    }
}
