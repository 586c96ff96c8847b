//! What becomes of a connection that a worker has accepted, decided without JavaScript.
//!
//! JavaScript says what may be taken ([`Admission`]) while nothing stands against it, and has everything else
//! handed to it. What is decided here must be what JavaScript would decide: `lib/ingress/acceptor.js` does so
//! for the connections that Node.js accepts.

use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use super::arrival::{Opening, Purpose, UpgradeResponse};
use super::cross_origin::Lines;
use super::http_profile::Profile;
use super::refusal::Form;
use super::server::Server;
use super::session_ids::SessionIds;
use crate::engineio::{Protocol, Transport};
use crate::http::request::{Arrival, First, Reading, fields_of, read_arrival};
use crate::id::Sid;
use crate::limits::gate::{Refused, Ticket};
use crate::websocket::extension::{self, Agreement};

/// What may be taken of the connections that come to an HTTP server.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "ways that are closed one by one")]
pub struct Admission {
    /// The Socket.IO server that they are for.
    pub server: Arc<Server>,
    /// What counts for its polling connections; its `lines` count for a WebSocket, too, unless they depend on the
    /// `Origin`.
    pub profile: Profile,
    /// Whether connections for a WebSocket may be taken…
    pub websocket: bool,
    /// …polling connections…
    pub polling: bool,
    /// …and those whose request opens a session.
    pub opens_polling: bool,
    /// Whether polling connections are relayed to Node.js, which has to see each request: then none is taken.
    pub relays: bool,
    /// Whether offers to compress WebSocket messages are answered.
    pub deflate: bool,
    /// The profile of the polling connection that was taken last: most are alike.
    pub last_profile: LastProfile,
}

/// See [`Admission::last_profile`].
#[derive(Debug, Default)]
pub struct LastProfile(Mutex<Option<Arc<Profile>>>);

/// What a connection is taken for.
pub enum Admitted {
    /// A WebSocket.
    WebSocket {
        /// What it is for.
        purpose: Purpose,
        /// The answer.
        response: UpgradeResponse,
        /// What was agreed on about compression.
        deflate: Option<Agreement>,
        /// Bytes of its request, which is to be taken off the connection.
        head: usize,
    },
    /// A connection of polling requests.
    Polling {
        /// What is fixed for it.
        profile: Arc<Profile>,
        /// The session that its first request opens, and the bytes of that request, which is to be taken off
        /// the connection; none: that request is for a session that is open, and stays.
        opening: Option<(Opening, usize)>,
    },
    /// To be relayed; what counts for the answers of the worker.
    Relay(Arc<Profile>),
}

impl fmt::Debug for Admitted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::WebSocket { .. } => "WebSocket",
            Self::Polling { .. } => "Polling",
            Self::Relay(_) => "Relay",
        })
    }
}

impl Admitted {
    /// Bytes of its request that are to be taken off the connection.
    pub fn head(&self) -> usize {
        match self {
            Self::WebSocket { head, .. } => *head,
            Self::Polling { opening, .. } => opening.as_ref().map_or(0, |(_, head)| *head),
            Self::Relay(_) => 0,
        }
    }
}

/// A connection that is taken: what for, who has to have it, and its request, for JavaScript.
#[derive(Debug)]
pub struct Verdict {
    /// Who says so.
    pub admission: Arc<Admission>,
    /// What for.
    pub admitted: Admitted,
    /// The worker of its session; none: any.
    pub worker: Option<usize>,
    /// Whether its first request asks for a new session.
    pub is_new: bool,
    /// See [`read_arrival`].
    pub description: Vec<u8>,
    /// The address of the client, as far as it is known.
    pub client: Option<IpAddr>,
    /// The headers of an answer that refuses what is to be relayed, where they depend on the origin; none: JavaScript makes them.
    lines: Option<Arc<Lines>>,
}

impl Verdict {
    /// Looks whether one more session may be opened, if its first request asks for one. A place among the clients is there if they are
    /// counted. Of what is relayed, JavaScript gets the request, and counts it.
    ///
    /// # Errors
    /// When there may be none.
    pub fn let_in(&self, now: u64) -> Result<Option<Ticket>, Refused> {
        let gate = self.admission.server.gate.as_ref().filter(|_| self.is_new);
        let Some(gate) = gate else { return Ok(None) };
        match self.admitted {
            // Refused without these headers, a page could not read why; JavaScript refuses it with them.
            Admitted::Relay(_) if self.admission.profile.by_origin && self.lines.is_none() => {
                Ok(None)
            }
            Admitted::Relay(_) => gate.look(self.client, now).map(|()| None),
            Admitted::WebSocket { .. } | Admitted::Polling { .. } => {
                gate.admit(self.client, now).map(Some)
            }
        }
    }

    /// How an answer to its first request is to look that refuses it.
    pub fn form(&self) -> Form<'_> {
        match &self.admitted {
            Admitted::WebSocket { .. } => Form::WebSocket,
            Admitted::Polling { profile, .. } => Form::Polling(&profile.lines),
            Admitted::Relay(profile) => {
                Form::Polling(self.lines.as_ref().map_or(&profile.lines, |lines| &lines.0))
            }
        }
    }
}

impl Admission {
    /// Whether anybody may be taken.
    pub fn takes_any(&self) -> bool {
        self.websocket || self.polling || self.relays
    }

    /// Says what becomes of a connection by which `bytes` have come so far. `peer`: who is at its other end.
    pub fn judge(
        self: Arc<Self>,
        bytes: &[u8],
        peer: Option<IpAddr>,
        ids: &SessionIds,
    ) -> Reading<Verdict> {
        let mut description = Vec::new();
        let arrival = match read_arrival(bytes, &self.profile.rules, &mut description) {
            Reading::Request(arrival) => arrival,
            Reading::Partial => return Reading::Partial,
            Reading::Foreign => return Reading::Foreign,
        };
        match self.admit(&arrival, ids) {
            Some((admitted, worker)) => {
                let (is_new, client) = (arrival.sid.is_empty(), self.client(peer, &description));
                let asks = is_new && self.profile.by_origin && self.server.gate.is_some();
                let lines = matches!(admitted, Admitted::Relay(_) if asks)
                    .then(|| self.server.cross_origin.lines(arrival.origin))
                    .flatten();
                let admission = self;
                let verdict =
                    Verdict { admission, admitted, worker, is_new, description, client, lines };
                Reading::Request(verdict)
            }
            None => Reading::Foreign,
        }
    }

    /// The address of the client whose request has this description.
    fn client(&self, peer: Option<IpAddr>, description: &[u8]) -> Option<IpAddr> {
        let trust = self.server.trust_proxy.as_ref();
        trust.and_then(|trust| trust.client(peer, fields_of(description))).or(peer)
    }

    /// None: JavaScript has to see to it.
    fn admit(&self, arrival: &Arrival<'_>, ids: &SessionIds) -> Option<(Admitted, Option<usize>)> {
        match arrival.first {
            First::WebSocket { head } if self.websocket => self.admit_websocket(arrival, head, ids),
            First::Polling { .. } if self.polling => self.admit_polling(arrival, ids),
            First::Polling { .. } if self.relays => Some((
                Admitted::Relay(self.shared_profile(self.profile.clone())),
                self.worker_of(arrival),
            )),
            First::WebSocket { .. } | First::Polling { .. } => None,
        }
    }

    /// The worker that has the session of a request, if it has one.
    fn worker_of(&self, arrival: &Arrival<'_>) -> Option<usize> {
        self.server.sessions.get(arrival.sid).map(|session| session.handle.worker())
    }

    fn admit_websocket(
        &self,
        arrival: &Arrival<'_>,
        head: usize,
        ids: &SessionIds,
    ) -> Option<(Admitted, Option<usize>)> {
        let mut headers = String::new();
        let deflate = match &self.server.compression {
            Some(compression) if self.deflate && !arrival.extensions.is_empty() => {
                let offers = ascii(arrival.extensions)?;
                let agreed = extension::negotiate(offers, compression.settings).ok()?;
                agreed.map(|(agreement, value)| {
                    headers = format!("Sec-WebSocket-Extensions: {value}\r\n");
                    agreement
                })
            }
            Some(_) | None => None,
        };
        if self.profile.by_origin {
            headers.push_str(&self.server.cross_origin.lines(arrival.origin)?.0);
        } else {
            headers.push_str(&self.profile.lines);
        }
        let (purpose, worker) = if arrival.sid.is_empty() {
            (Purpose::Session(ids.next()?), None)
        } else {
            let session = self.server.sessions.get(arrival.sid)?;
            if session.protocol != Protocol::V4 {
                return None;
            }
            (Purpose::Upgrade(session.handle.slot()), Some(session.handle.worker()))
        };
        let response = UpgradeResponse::Accept { key: arrival.key.into(), headers };
        Some((Admitted::WebSocket { purpose, response, deflate, head }, worker))
    }

    fn admit_polling(
        &self,
        arrival: &Arrival<'_>,
        ids: &SessionIds,
    ) -> Option<(Admitted, Option<usize>)> {
        let First::Polling { head, encoding, persistence } = arrival.first else { return None };
        let (opening, worker) = if arrival.sid.is_empty() {
            if !self.opens_polling {
                return None;
            }
            let sid: Sid = ids.next()?;
            (Some((Opening { sid, encoding, persistence, ticket: None }, head)), None)
        } else {
            let session = self.server.sessions.get(arrival.sid)?;
            if session.transport != Transport::Polling || session.protocol != arrival.protocol {
                return None;
            }
            (None, Some(session.handle.worker()))
        };
        let profile = self.profile_for(arrival.origin)?;
        Some((Admitted::Polling { profile, opening }, worker))
    }

    /// What counts for a polling connection whose requests come from `origin`.
    fn profile_for(&self, origin: &[u8]) -> Option<Arc<Profile>> {
        let mut profile = self.profile.clone();
        if profile.by_origin {
            profile.lines.clone_from(&self.server.cross_origin.lines(origin)?.0);
        }
        Some(self.shared_profile(profile))
    }

    fn shared_profile(&self, profile: Profile) -> Arc<Profile> {
        let mut last = self.last_profile.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*last {
            Some(shared) if **shared == profile => Arc::clone(shared),
            _ => Arc::clone(last.insert(Arc::new(profile))),
        }
    }
}

/// The text of a header whose bytes everybody reads alike.
fn ascii(value: &[u8]) -> Option<&str> {
    std::str::from_utf8(value).ok().filter(|text| text.is_ascii())
}
