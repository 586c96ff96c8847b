//! The messages of a hand-over.

use super::error::Invalid;
use super::fields::{self, Fields, once};
use super::frame::{Frame, write_frame};
use super::session::HandedSession;

/// The version of all that is said here. Any change of it is another one.
pub const VERSION: u32 = 2;
/// What the first message begins with.
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
    /// The new process is there: what its JavaScript says. It begins with a text and the [`VERSION`], in all versions.
    Hello {
        /// What it speaks.
        version: u32,
        /// What JavaScript says.
        blob: Vec<u8>,
    },
    /// The old one's answer. With it come the lock of who serves, and the sockets that listen.
    Welcome {
        /// What JavaScript says.
        blob: Vec<u8>,
    },
    /// The new one waits for the sessions.
    Ready,
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

    /// Appends the message as it is sent, with so many descriptors. None, and nothing is appended: it is too long.
    pub fn write(&self, out: &mut Vec<u8>, descriptors: u8) -> Option<()> {
        write_frame(out, self.kind(), descriptors, |out| match self {
            Self::Hello { version, blob } => {
                out.extend_from_slice(MAGIC);
                out.extend_from_slice(&version.to_le_bytes());
                fields::write(out, field::BLOB, blob);
            }
            Self::Welcome { blob } | Self::State { blob } => {
                fields::write(out, field::BLOB, blob);
            }
            Self::Ready => {}
            Self::Session(session) => session.write(out),
            Self::Connection { unread, unwritten } => {
                fields::write(out, field::UNREAD, unread);
                fields::write(out, field::UNWRITTEN, unwritten);
            }
            Self::End { sessions, blob } => {
                fields::write(out, field::SESSIONS, &sessions.to_le_bytes());
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
                let rest = body.strip_prefix(MAGIC).ok_or(Invalid::Foreign)?;
                let (version, rest) = rest.split_first_chunk().ok_or(Invalid::Foreign)?;
                let version = u32::from_le_bytes(*version);
                // What another version says behind that is not known.
                let blob = if version == VERSION { Body::read(rest)?.blob()? } else { Vec::new() };
                Self::Hello { version, blob }
            }
            kind::WELCOME => Self::Welcome { blob: Body::read(body)?.blob()? },
            kind::STATE => Self::State { blob: Body::read(body)?.blob()? },
            kind::READY if body.is_empty() => Self::Ready,
            kind::READY => return Err(Invalid::Damaged),
            kind::SESSION => Self::Session(Box::new(HandedSession::read(body)?)),
            kind::CONNECTION => {
                let body = Body::read(body)?;
                let (Some(unread), Some(unwritten)) = (body.unread, body.unwritten) else {
                    return Err(Invalid::Damaged);
                };
                Self::Connection { unread, unwritten }
            }
            kind::END => {
                let body = Body::read(body)?;
                Self::End { sessions: body.sessions.ok_or(Invalid::Damaged)?, blob: body.blob()? }
            }
            kind::TAKEN => {
                Self::Taken { sessions: Body::read(body)?.sessions.ok_or(Invalid::Damaged)? }
            }
            kind::REFUSED => Self::Refused { why: Body::read(body)?.why.ok_or(Invalid::Damaged)? },
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
            | Self::Ready
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
            Self::Ready => kind::READY,
            Self::State { .. } => kind::STATE,
            Self::Session(_) => kind::SESSION,
            Self::Connection { .. } => kind::CONNECTION,
            Self::End { .. } => kind::END,
            Self::Taken { .. } => kind::TAKEN,
            Self::Refused { .. } => kind::REFUSED,
        }
    }
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
    fn read(bytes: &[u8]) -> Result<Self, Invalid> {
        let mut body = Self::default();
        let mut fields = Fields::new(bytes);
        while let Some((name, bytes)) = fields.next_field()? {
            match name {
                field::BLOB => once(&mut body.blob, bytes.to_vec())?,
                field::SESSIONS => once(&mut body.sessions, fields::u32(bytes)?)?,
                field::UNREAD => once(&mut body.unread, bytes.to_vec())?,
                field::UNWRITTEN => once(&mut body.unwritten, bytes.to_vec())?,
                field::WHY => once(&mut body.why, fields::text(bytes)?)?,
                _ => return Err(Invalid::Damaged),
            }
        }
        Ok(body)
    }

    fn blob(self) -> Result<Vec<u8>, Invalid> {
        self.blob.ok_or(Invalid::Damaged)
    }
}
