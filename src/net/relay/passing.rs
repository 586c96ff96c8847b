//! The requests that pass through a relay, as the worker sees them: it only looks.

use crate::engineio::Protocol;
use crate::http::request::{self, Method, Persistence, Reading, Rules};

/// Pieces in which a head may come, as each is read from the beginning.
const MAX_PIECES: u8 = 8;
/// The body of a POST that only answers a ping.
const PONG: &[u8] = b"3";

/// A plain request that has come as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passed {
    /// How many came before it.
    pub number: u32,
    /// What it does.
    pub method: Method,
    /// The session that it names; empty when it opens one.
    pub sid: Box<str>,
    /// The protocol that it names.
    pub protocol: Protocol,
    /// Whether it brings a pong and nothing else.
    pub is_pong: bool,
    /// Where it comes from (`Origin`); empty: it does not say.
    pub origin: Box<[u8]>,
    /// What becomes of the connection.
    pub persistence: Persistence,
}

/// Reads what passes. From the first request on that is not plain it understands nothing more.
#[derive(Debug, Default)]
pub struct Passing {
    state: State,
    /// Requests that have begun.
    count: u32,
    last: Option<Passed>,
}

#[derive(Debug)]
enum State {
    Head {
        bytes: Vec<u8>,
        pieces: u8,
    },
    /// So many bytes of a body are still to come; it has begun with these, as far as they matter.
    Body {
        left: usize,
        begun: Vec<u8>,
    },
    Foreign,
}

impl Default for State {
    fn default() -> Self {
        Self::Head { bytes: Vec::new(), pieces: 0 }
    }
}

impl Passing {
    /// Bytes pass. Gives the last request that they complete.
    pub fn handle_bytes(&mut self, mut bytes: &[u8], rules: &Rules) -> Option<Passed> {
        let mut whole = None;
        while !bytes.is_empty() {
            bytes = match &mut self.state {
                State::Foreign => return None,
                State::Head { .. } => self.read_head(bytes, rules),
                State::Body { left, begun } => {
                    let (body, rest) = bytes.split_at(bytes.len().min(*left));
                    *left -= body.len();
                    let kept = body.len().min(PONG.len() + 1 - begun.len());
                    begun.extend_from_slice(&body[..kept]);
                    rest
                }
            };
            if let State::Body { left: 0, begun } = &self.state {
                whole = self.last.take().map(|passed| Passed {
                    is_pong: passed.method == Method::Post && begun == PONG,
                    ..passed
                });
                self.state = State::default();
            }
        }
        whole
    }

    /// Whether it understands what passes.
    pub fn understands(&self) -> bool {
        !matches!(self.state, State::Foreign)
    }

    /// How many requests have come, if all of them are whole.
    pub fn complete(&self) -> Option<u32> {
        let State::Head { bytes, .. } = &self.state else { return None };
        bytes.is_empty().then_some(self.count)
    }

    /// More of a head. Gives what stands behind it.
    fn read_head<'a>(&mut self, bytes: &'a [u8], rules: &Rules) -> &'a [u8] {
        let State::Head { bytes: known, pieces } = std::mem::take(&mut self.state) else {
            return bytes;
        };
        let before = known.len();
        let mut all = known;
        all.extend_from_slice(&bytes[..bytes.len().min(rules.max_head.saturating_add(1))]);
        match request::read(&all, rules) {
            Reading::Partial if pieces < MAX_PIECES && all.len() <= rules.max_head => {
                self.state = State::Head { bytes: all, pieces: pieces + 1 };
                &[]
            }
            Reading::Partial | Reading::Foreign => {
                self.state = State::Foreign;
                &[]
            }
            Reading::Request(request) => {
                let head = request.head;
                self.last = Some(Passed {
                    number: self.count,
                    method: request.method,
                    sid: request.sid.into(),
                    protocol: request.protocol,
                    is_pong: false,
                    origin: request.origin.into(),
                    persistence: request.persistence,
                });
                self.count += 1;
                self.state = State::Body { left: request.body, begun: Vec::new() };
                &bytes[head - before..]
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rules() -> Rules {
        Rules { path: "/socket.io/".into(), max_head: 4096, max_body: 1000, compression: false }
    }

    fn text(sid: &str, body: Option<&str>) -> String {
        let target = format!("/socket.io/?EIO=4&transport=polling&sid={sid}");
        match body {
            None => format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n"),
            Some(body) => format!(
                "POST {target} HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{body}",
                body.len(),
            ),
        }
    }

    proptest! {
        #[test]
        fn the_requests_are_the_same_however_their_bytes_come(
            requests in proptest::collection::vec(("[a-z]{1,9}", proptest::option::of("[34]{0,3}")), 0..6),
            foreign in any::<bool>(),
            size in 40usize..400,
        ) {
            let mut bytes = String::new();
            for (sid, body) in &requests {
                bytes.push_str(&text(sid, body.as_deref()));
            }
            if foreign {
                bytes.push_str("GET /app HTTP/1.1\r\nHost: a\r\n\r\n");
            }
            let mut passing = Passing::default();
            let mut found: Vec<Passed> = Vec::new();
            // One chunk may complete several: only the last one of them is told.
            for chunk in bytes.as_bytes().chunks(size) {
                found.extend(passing.handle_bytes(chunk, &rules()));
            }
            prop_assert_eq!(passing.understands(), !foreign);
            if !foreign {
                prop_assert_eq!(passing.complete(), Some(u32::try_from(requests.len()).unwrap()));
            }
            for passed in found {
                let (sid, body) = &requests[passed.number as usize];
                prop_assert_eq!(&*passed.sid, sid.as_str());
                prop_assert_eq!(passed.method == Method::Post, body.is_some());
                prop_assert_eq!(passed.is_pong, body.as_deref() == Some("3"));
            }
        }
    }

    #[test]
    fn it_gives_up_heads_that_come_in_many_pieces() {
        let mut passing = Passing::default();
        for byte in text("a", None).as_bytes().chunks(1) {
            assert_eq!(passing.handle_bytes(byte, &rules()), None);
        }
        assert!(!passing.understands());
    }
}
