//! What a client says and hears, whatever carries it: Engine.IO protocol 4, Socket.IO protocol 5. No I/O.

use std::borrow::Cow;
use std::io;

/// How a client goes in.
#[derive(Clone, Debug, Default)]
pub(crate) struct Entry {
    /// The namespace, as packets name it: empty for `/`, or `/name,`.
    pub(crate) namespace: String,
    /// The room that it asks the server to put it into; the server sends an event when it has.
    pub(crate) room: Option<String>,
    /// Whether sessions can be recovered; the server sends an event first, which has the offset.
    pub(crate) recovers: bool,
    /// The session that it wants back.
    pub(crate) resume: Option<Resume>,
    /// Whether messages begin with the time when they were sent.
    pub(crate) stamped: bool,
}

/// A session that was lost, in the words of connection state recovery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resume {
    pid: String,
    offset: String,
    /// The id that it has again if the server recovers it.
    id: String,
}

/// What came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// The client is where it wanted to be.
    Joined,
    /// An event or an ack, and the time in it if there is one.
    Message(Option<u64>),
    /// The server has answered a probe of the WebSocket.
    Probed,
    /// The client has said goodbye.
    Left,
}

/// What to do next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Nothing,
    Reply(Cow<'static, str>),
    Event(Event),
}

/// How far a session is.
///
/// ```text
/// Opening ──"0{…}"──► Joining ──"40{…}"──┬──────────────────────────► Ready
///                                        └─► Welcoming ──"42[…]"───────┘
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Opening,
    Joining,
    Welcoming,
    Ready,
}

/// One client's side of a session.
#[derive(Debug)]
pub(crate) struct Session {
    entry: Entry,
    stage: Stage,
    /// The id of the Engine.IO session; empty before it is open.
    sid: String,
    id: String,
    pid: String,
    offset: String,
    /// The attachments that are still to come.
    attachments: u32,
}

impl Session {
    /// A session that is to be opened.
    pub(crate) fn new(entry: Entry) -> Self {
        Self {
            entry,
            stage: Stage::Opening,
            sid: String::new(),
            id: String::new(),
            pid: String::new(),
            offset: String::new(),
            attachments: 0,
        }
    }

    /// The id of the Engine.IO session, once it is open.
    pub(crate) fn sid(&self) -> Option<&str> {
        (!self.sid.is_empty()).then_some(&self.sid)
    }

    /// Whether a session was asked for.
    pub(crate) fn is_resuming(&self) -> bool {
        self.entry.resume.is_some()
    }

    /// Whether the server gave back the session that was asked for.
    pub(crate) fn is_recovered(&self) -> bool {
        self.entry.resume.as_ref().is_some_and(|resume| resume.id == self.id)
    }

    /// What it takes to get this session back.
    pub(crate) fn resume(&self) -> Option<Resume> {
        let (pid, id) = (self.pid.clone(), self.id.clone());
        match &self.entry.resume {
            _ if pid.is_empty() => None,
            Some(resume) if self.is_recovered() => Some(resume.clone()),
            _ => Some(Resume { pid, offset: self.offset.clone(), id }),
        }
    }

    /// Takes an Engine.IO packet.
    pub(crate) fn handle_text(&mut self, packet: &[u8]) -> io::Result<Step> {
        match (packet.first(), packet.get(1)) {
            (Some(b'4'), kind) => self.handle_packet(kind.copied(), packet),
            (Some(b'2'), _) => Ok(Step::Reply(Cow::Borrowed("3"))),
            (Some(b'0'), _) if self.stage == Stage::Opening => {
                self.sid = text_after(packet, r#""sid":""#)?;
                self.stage = Stage::Joining;
                Ok(Step::Reply(Cow::Owned(self.connect())))
            }
            (Some(b'3'), _) => Ok(Step::Event(Event::Probed)),
            (Some(b'1'), _) => Err(io::Error::other("the server closed a session")),
            // What is left is a noop.
            _ => Ok(Step::Nothing),
        }
    }

    /// Takes an attachment, or a message that is compressed: neither is looked into.
    pub(crate) fn handle_opaque(&mut self) -> Step {
        self.attachments = self.attachments.saturating_sub(1);
        if self.stage == Stage::Ready && self.attachments == 0 {
            Step::Event(Event::Message(None))
        } else {
            Step::Nothing
        }
    }

    /// Takes an Engine.IO message, which is a Socket.IO packet.
    fn handle_packet(&mut self, kind: Option<u8>, packet: &[u8]) -> io::Result<Step> {
        match (self.stage, kind) {
            (Stage::Ready, Some(b'2' | b'3')) => {
                let stamp = if self.entry.stamped { stamp(packet) } else { None };
                Ok(Step::Event(Event::Message(stamp)))
            }
            (Stage::Ready, Some(b'5' | b'6')) => {
                let digits = packet[2..].iter().take_while(|byte| byte.is_ascii_digit());
                self.attachments =
                    digits.fold(0, |count, digit| count * 10 + u32::from(digit - b'0'));
                Ok(Step::Nothing)
            }
            (Stage::Joining, Some(b'0')) => self.handle_connected(packet),
            (Stage::Welcoming, Some(b'2')) => {
                // The offset is the last argument: …,"offset"].
                let text = String::from_utf8_lossy(packet);
                let offset = text.trim_end_matches("\"]").rsplit('"').next();
                offset.unwrap_or_default().clone_into(&mut self.offset);
                Ok(self.ready())
            }
            (_, Some(b'1' | b'4')) => {
                let text = String::from_utf8_lossy(packet);
                Err(io::Error::other(format!("the server refused or dropped a client: {text}")))
            }
            _ => Ok(Step::Nothing),
        }
    }

    fn handle_connected(&mut self, packet: &[u8]) -> io::Result<Step> {
        self.id = text_after(packet, r#""sid":""#)?;
        if self.entry.recovers {
            self.pid = text_after(packet, r#""pid":""#)?;
        }
        let welcomed = self.entry.room.is_some() || self.entry.recovers;
        if welcomed && !self.is_recovered() {
            self.stage = Stage::Welcoming;
            return Ok(Step::Nothing);
        }
        Ok(self.ready())
    }

    fn connect(&self) -> String {
        let Entry { namespace, room, resume, .. } = &self.entry;
        match (resume, room) {
            (Some(Resume { pid, offset, .. }), _) => {
                format!(r#"40{namespace}{{"pid":"{pid}","offset":"{offset}"}}"#)
            }
            (None, Some(room)) => format!(r#"40{namespace}{{"room":"{room}"}}"#),
            (None, None) => format!("40{namespace}"),
        }
    }

    fn ready(&mut self) -> Step {
        self.stage = Stage::Ready;
        Step::Event(Event::Joined)
    }
}

/// The text up to the next quote after `key`.
fn text_after(packet: &[u8], key: &str) -> io::Result<String> {
    let text = String::from_utf8_lossy(packet);
    let value = text.split_once(key).and_then(|(_, rest)| rest.split('"').next());
    value.map(str::to_owned).ok_or_else(|| io::Error::other(format!("no {key} in {text}")))
}

/// The digits of a time: the text of `42["b","0000000000123456…"]` begins with them.
fn stamp(packet: &[u8]) -> Option<u64> {
    let digits = packet.get(8..8 + STAMP_DIGITS)?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// The digits of a time in a message.
pub(crate) const STAMP_DIGITS: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    const OPEN: &[u8] = br#"0{"sid":"abc","upgrades":[]}"#;

    fn reply(text: &str) -> Step {
        Step::Reply(Cow::Owned(text.to_owned()))
    }

    fn joined(entry: Entry) -> Session {
        let mut session = Session::new(entry);
        session.handle_text(OPEN).unwrap();
        session.handle_text(br#"40{"sid":"i","pid":"p"}"#).unwrap();
        session
    }

    #[test]
    fn joins_a_namespace() {
        let entry = Entry { namespace: "/n1,".to_owned(), ..Entry::default() };
        let mut session = Session::new(entry);
        assert_eq!(session.sid(), None);
        assert_eq!(session.handle_text(OPEN).unwrap(), reply("40/n1,"));
        assert_eq!(session.sid(), Some("abc"));
        let step = session.handle_text(br#"40/n1,{"sid":"i"}"#).unwrap();
        assert_eq!(step, Step::Event(Event::Joined));
        assert_eq!(session.handle_text(b"2").unwrap(), Step::Reply("3".into()));
    }

    #[test]
    fn enters_a_room() {
        let entry = Entry { room: Some("r1".to_owned()), ..Entry::default() };
        let mut session = Session::new(entry);
        assert_eq!(session.handle_text(OPEN).unwrap(), reply(r#"40{"room":"r1"}"#));
        assert_eq!(session.handle_text(br#"40{"sid":"i"}"#).unwrap(), Step::Nothing);
        let step = session.handle_text(br#"42["welcome"]"#).unwrap();
        assert_eq!(step, Step::Event(Event::Joined));
    }

    #[test]
    fn gets_a_session_back() {
        let entry = Entry { recovers: true, ..Entry::default() };
        let mut session = joined(entry.clone());
        let step = session.handle_text(br#"42["welcome","o1"]"#).unwrap();
        assert_eq!(step, Step::Event(Event::Joined));

        let entry = Entry { resume: session.resume(), ..entry };
        let mut again = Session::new(entry);
        let step = again.handle_text(OPEN).unwrap();
        assert_eq!(step, reply(r#"40{"pid":"p","offset":"o1"}"#));
        let step = again.handle_text(br#"40{"sid":"i","pid":"p"}"#).unwrap();
        assert_eq!(step, Step::Event(Event::Joined));
        assert!(again.is_recovered());
        assert_eq!(again.resume(), session.resume());
    }

    #[test]
    fn counts_a_binary_packet_with_its_last_attachment() {
        let mut session = joined(Entry::default());
        assert_eq!(session.handle_text(br#"452-["b",{},{}]"#).unwrap(), Step::Nothing);
        assert_eq!(session.handle_opaque(), Step::Nothing);
        assert_eq!(session.handle_opaque(), Step::Event(Event::Message(None)));
    }

    #[test]
    fn reads_stamps() {
        let mut session = joined(Entry { stamped: true, ..Entry::default() });
        let step = session.handle_text(br#"42["b","0000000000000042xx"]"#).unwrap();
        assert_eq!(step, Step::Event(Event::Message(Some(42))));
    }

    #[test]
    fn notices_a_refusal() {
        let mut session = joined(Entry::default());
        assert!(session.handle_text(b"41").is_err());
        assert!(session.handle_text(b"1").is_err());
    }
}
