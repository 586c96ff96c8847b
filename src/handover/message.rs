//! The messages of a hand-over.
//!
//! Two processes of different versions must still come to terms: the old one lets its clients go when the new one is ready, and not
//! before. So what they say for that is the same in all versions, for ever: the header of a frame (`frame`), how fields are
//! written (`fields`), and `Hello`, `Welcome`, `Ready`, `End`, `Taken` and `Refused`, with their kinds, the names of their
//! fields, and the descriptors that come with them. `tests/handover_for_ever.rs` has their bytes. A later version may add fields to these, which
//! earlier ones skip; it must not ask for any.
//!
//! All else (`State`, `Session`, `Connection`, and what is in a session) is said between two of one [`VERSION`] only.

use super::error::Invalid;
use super::fields::{self, Fields, once};
use super::frame::{Frame, write_frame};
use super::session::HandedSession;

/// The version of what is said of sessions and connections. Any change of that is another one.
pub const VERSION: u32 = 4;
/// What the first message of each side begins with.
const MAGIC: &[u8] = b"ferrosocket hand-over\n";

/// Names of fields.
mod field {
    pub(super) const BLOB: u8 = 1;
    pub(super) const SESSIONS: u8 = 2;
    pub(super) const UNREAD: u8 = 3;
    pub(super) const UNWRITTEN: u8 = 4;
    pub(super) const WHY: u8 = 5;
}

mod kind {
    pub(super) const HELLO: u8 = b'H';
    pub(super) const WELCOME: u8 = b'W';
    pub(super) const READY: u8 = b'R';
    pub(super) const STATE: u8 = b'J';
    pub(super) const SESSION: u8 = b'S';
    pub(super) const CONNECTION: u8 = b'C';
    pub(super) const END: u8 = b'E';
    pub(super) const TAKEN: u8 = b'T';
    pub(super) const REFUSED: u8 = b'N';
}

/// A message of a hand-over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// The new process is there. It begins with a text and the [`VERSION`].
    Hello {
        /// What it speaks.
        version: u32,
        /// What JavaScript says; of another version, nothing.
        blob: Vec<u8>,
    },
    /// The old one's answer. With it come the lock of who serves, and the sockets that listen.
    Welcome {
        /// What it speaks.
        version: u32,
        /// What JavaScript says; of another version, nothing.
        blob: Vec<u8>,
    },
    /// The new one is about to serve, and waits for the sessions.
    Ready {
        /// Why it can have none, and they are to be let go; empty: it can.
        against: String,
    },
    /// What the old one's JavaScript says of the sessions.
    State {
        /// What it says.
        blob: Vec<u8>,
    },
    /// A session, and its socket, if it has one.
    Session(Box<HandedSession>),
    /// A connection by which HTTP requests come.
    Connection {
        /// What has come by it and is not answered.
        unread: Vec<u8>,
        /// What is still to be written.
        unwritten: Vec<u8>,
    },
    /// That was all.
    End {
        /// How many sessions there were.
        sessions: u32,
        /// Why there were none, though the old one has some; empty: it has none.
        against: String,
        /// What JavaScript says.
        blob: Vec<u8>,
    },
    /// The new one has them, and serves.
    Taken {
        /// How many sessions.
        sessions: u32,
    },
    /// The hand-over ends here.
    Refused {
        /// The reason.
        why: String,
    },
}

impl Message {
    /// The first message of the new process.
    pub fn hello(blob: Vec<u8>) -> Self {
        Self::Hello { version: VERSION, blob }
    }

    /// The answer of the old one.
    pub fn welcome(blob: Vec<u8>) -> Self {
        Self::Welcome { version: VERSION, blob }
    }

    /// Appends the message as it is sent, with so many descriptors. None, and nothing is appended: it is too long.
    pub fn write(&self, out: &mut Vec<u8>, descriptors: u8) -> Option<()> {
        write_frame(out, self.kind(), descriptors, |out| match self {
            Self::Hello { version, blob } | Self::Welcome { version, blob } => {
                out.extend_from_slice(MAGIC);
                out.extend_from_slice(&version.to_le_bytes());
                fields::write(out, field::BLOB, blob);
            }
            Self::State { blob } => fields::write(out, field::BLOB, blob),
            Self::Ready { against } if against.is_empty() => {}
            Self::Ready { against } => fields::write(out, field::WHY, against.as_bytes()),
            Self::Session(session) => session.write(out),
            Self::Connection { unread, unwritten } => {
                fields::write(out, field::UNREAD, unread);
                fields::write(out, field::UNWRITTEN, unwritten);
            }
            Self::End { sessions, against, blob } => {
                fields::write(out, field::SESSIONS, &sessions.to_le_bytes());
                if !against.is_empty() {
                    fields::write(out, field::WHY, against.as_bytes());
                }
                fields::write(out, field::BLOB, blob);
            }
            Self::Taken { sessions } => {
                fields::write(out, field::SESSIONS, &sessions.to_le_bytes());
            }
            Self::Refused { why } => fields::write(out, field::WHY, why.as_bytes()),
        })
    }

    /// Reads a message.
    ///
    /// # Errors
    /// When it is none, or its number of descriptors is not that of its kind.
    pub fn read(frame: &Frame) -> Result<Self, Invalid> {
        let body = frame.body.as_slice();
        let message = match frame.kind {
            kind::HELLO => {
                let (version, blob) = read_greeting(body)?;
                Self::Hello { version, blob }
            }
            kind::WELCOME => {
                let (version, blob) = read_greeting(body)?;
                Self::Welcome { version, blob }
            }
            kind::STATE => Self::State { blob: Body::read(body, Unknown::Refused)?.blob()? },
            kind::READY => {
                Self::Ready { against: Body::read(body, Unknown::Skipped)?.why.unwrap_or_default() }
            }
            kind::SESSION => Self::Session(Box::new(HandedSession::read(body)?)),
            kind::CONNECTION => {
                let body = Body::read(body, Unknown::Refused)?;
                let (Some(unread), Some(unwritten)) = (body.unread, body.unwritten) else {
                    return Err(Invalid::Damaged);
                };
                Self::Connection { unread, unwritten }
            }
            kind::END => {
                let body = Body::read(body, Unknown::Skipped)?;
                let sessions = body.sessions.ok_or(Invalid::Damaged)?;
                let against = body.why.unwrap_or_default();
                Self::End { sessions, against, blob: body.blob.unwrap_or_default() }
            }
            kind::TAKEN => {
                let body = Body::read(body, Unknown::Skipped)?;
                Self::Taken { sessions: body.sessions.ok_or(Invalid::Damaged)? }
            }
            kind::REFUSED => Self::Refused {
                why: Body::read(body, Unknown::Skipped)?.why.ok_or(Invalid::Damaged)?,
            },
            _ => return Err(Invalid::UnknownKind),
        };
        if message.takes(frame.descriptors) { Ok(message) } else { Err(Invalid::Descriptors) }
    }

    /// Whether so many descriptors may come with it.
    fn takes(&self, descriptors: usize) -> bool {
        match self {
            Self::Welcome { .. } => descriptors > 0,
            Self::Session(session) => descriptors == usize::from(session.has_socket()),
            Self::Connection { .. } => descriptors == 1,
            Self::Hello { .. }
            | Self::Ready { .. }
            | Self::State { .. }
            | Self::End { .. }
            | Self::Taken { .. }
            | Self::Refused { .. } => descriptors == 0,
        }
    }

    fn kind(&self) -> u8 {
        match self {
            Self::Hello { .. } => kind::HELLO,
            Self::Welcome { .. } => kind::WELCOME,
            Self::Ready { .. } => kind::READY,
            Self::State { .. } => kind::STATE,
            Self::Session(_) => kind::SESSION,
            Self::Connection { .. } => kind::CONNECTION,
            Self::End { .. } => kind::END,
            Self::Taken { .. } => kind::TAKEN,
            Self::Refused { .. } => kind::REFUSED,
        }
    }
}

/// Why a process that speaks that version can be given no sessions, and can give none; none: it is ours.
pub fn against(version: u32) -> Option<String> {
    (version != VERSION)
        .then(|| format!("it speaks version {version} of hand-overs, and this process {VERSION}"))
}

/// Reads the first message of a side: its version, and what JavaScript says.
fn read_greeting(body: &[u8]) -> Result<(u32, Vec<u8>), Invalid> {
    let rest = body.strip_prefix(MAGIC).ok_or(Invalid::Foreign)?;
    let (version, rest) = rest.split_first_chunk().ok_or(Invalid::Foreign)?;
    let version = u32::from_le_bytes(*version);
    // What another version says behind that is not known.
    let blob =
        if version == VERSION { Body::read(rest, Unknown::Skipped)?.blob()? } else { Vec::new() };
    Ok((version, blob))
}

/// What becomes of a field that is not known.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unknown {
    /// A later version has added it to what all understand.
    Skipped,
    /// Both sides are of one version, so there is none.
    Refused,
}

/// The fields of the messages that are no session.
#[derive(Default)]
struct Body {
    blob: Option<Vec<u8>>,
    sessions: Option<u32>,
    unread: Option<Vec<u8>>,
    unwritten: Option<Vec<u8>>,
    why: Option<String>,
}

impl Body {
    fn read(bytes: &[u8], unknown: Unknown) -> Result<Self, Invalid> {
        let mut body = Self::default();
        let mut fields = Fields::new(bytes);
        while let Some((name, bytes)) = fields.next_field()? {
            match name {
                field::BLOB => once(&mut body.blob, bytes.to_vec())?,
                field::SESSIONS => once(&mut body.sessions, fields::u32(bytes)?)?,
                field::UNREAD => once(&mut body.unread, bytes.to_vec())?,
                field::UNWRITTEN => once(&mut body.unwritten, bytes.to_vec())?,
                field::WHY => once(&mut body.why, fields::text(bytes)?)?,
                _ if unknown == Unknown::Skipped => {}
                _ => return Err(Invalid::Damaged),
            }
        }
        Ok(body)
    }

    fn blob(self) -> Result<Vec<u8>, Invalid> {
        self.blob.ok_or(Invalid::Damaged)
    }
}
