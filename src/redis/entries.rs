//! An entry of a stream by which nodes tell each other, as `@socket.io/redis-streams-adapter` 0.3 writes it.
//!
//! ```text
//!   1700000000000-0   uid "…"  nsp "/chat"  type "3"  data {"packet":{"type":2,"data":["event"]},"opts":{…}}  n "17"
//! ```
//!
//! The data are JSON, or with bytes in them `MessagePack` in base64. `n` is ours alone, others pass over it: the number of the
//! entry among those that its node has written. An event that is kept for those who come back ends, when clients get
//! it, with the id of its entry.

use std::fmt;
use std::str::FromStr;

use base64_simd::STANDARD;

use super::Malformed;
use super::broadcasts::{Broadcast, Incoming, Name, Node, message_type, other};
use super::json;
use super::msgpack::{Item, Key, Reader, write_map, write_str};

type Result<T = ()> = std::result::Result<T, Malformed>;

/// `INITIAL_HEARTBEAT`, `HEARTBEAT` and `ADAPTER_CLOSE` of `ClusterAdapter`: they say nothing here.
const SILENT: [u8; 3] = [1, 2, 13];

/// Where an entry stands in its stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryId {
    /// When it was written, in ms, by the clock of Redis.
    pub time: u64,
    /// Its number among those of that time.
    pub number: u64,
}

impl EntryId {
    /// The two as they are compared.
    pub fn pair(self) -> (u64, u64) {
        (self.time, self.number)
    }
}

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.time, self.number)
    }
}

impl FromStr for EntryId {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self> {
        let (time, number) = text.split_once('-').ok_or(Malformed)?;
        // `parse` takes a plus sign, too.
        let digits = |text: &str| {
            let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            if plain { text.parse().map_err(|_| Malformed) } else { Err(Malformed) }
        };
        Ok(Self { time: digits(time)?, number: digits(number)? })
    }
}

/// An entry as it was read, of which only the outside has been looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Where it stands.
    pub id: EntryId,
    /// What the node that wrote it is called.
    pub uid: Vec<u8>,
    /// The namespace.
    pub namespace: Vec<u8>,
    /// What it is: a type of `ClusterAdapter`.
    pub kind: u8,
    /// JSON or `MessagePack`; empty: there is none.
    pub data: Vec<u8>,
    /// Its number among those of that node, if it is one of ours.
    pub number: Option<u64>,
}

impl Entry {
    /// Of the names and values of its fields, one behind the other.
    ///
    /// # Errors
    /// It is none of a node.
    pub fn new(id: &[u8], fields: impl IntoIterator<Item = Vec<u8>>) -> Result<Self> {
        let id = std::str::from_utf8(id).map_err(|_| Malformed)?.parse()?;
        let (mut uid, mut namespace, mut kind) = (None, None, None);
        let (mut data, mut number) = (Vec::new(), None);
        let mut fields = fields.into_iter();
        while let (Some(name), Some(value)) = (fields.next(), fields.next()) {
            match &*name {
                b"uid" => uid = Some(value),
                b"nsp" => namespace = Some(value),
                b"type" => kind = Some(whole(&value).and_then(|kind| u8::try_from(kind).ok())),
                b"data" => data = value,
                b"n" => number = whole(&value),
                _ => {}
            }
        }
        let (Some(uid), Some(namespace), Some(Some(kind))) = (uid, namespace, kind) else {
            return Err(Malformed);
        };
        if !data.is_empty() && data[0] != b'{' {
            data = STANDARD.decode_to_vec(&data).map_err(|_| Malformed)?;
        }
        Ok(Self { id, uid, namespace, kind, data, number })
    }
}

fn whole(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// Puts the id of its entry behind the arguments of an event.
pub fn push_offset(text: &mut Vec<u8>, id: EntryId) {
    if text.last() == Some(&b']') {
        text.pop();
        text.extend_from_slice(format!(",\"{id}\"]").as_bytes());
    }
}

impl Node {
    /// Reads the data of an entry of another node: JSON, or `MessagePack`.
    ///
    /// # Errors
    /// They do not follow the format.
    pub fn read_entry<'a>(&self, kind: u8, data: &'a [u8]) -> Result<Incoming<'a>> {
        if SILENT.contains(&kind) {
            return Ok(Incoming::Ignored);
        }
        if f64::from(kind) != message_type::BROADCAST {
            return Ok(other(f64::from(kind)));
        }
        if data.first() == Some(&b'{') {
            self.read_broadcast_json(json::Value(json::check(data)?))
        } else {
            let mut reader = Reader::new(data);
            let mut whole = reader.clone();
            whole.skip()?;
            if whole.is_at_end() {
                self.read_broadcast_msgpack(&mut reader)
            } else {
                Err(Malformed)
            }
        }
    }

    /// The data of an entry that tells the other nodes of a broadcast, as its field has them. See [`Self::write`].
    ///
    /// # Errors
    /// It is no event that our own encoder has made.
    pub fn write_entry(
        &self,
        packet: &[u8],
        attachments: &[&[u8]],
        options: &[u8],
    ) -> Result<Vec<u8>> {
        let data = self.data_of(packet)?;
        let mut out = Vec::with_capacity(data.len() + options.len() + 64);
        if attachments.is_empty() {
            out.extend_from_slice(br#"{"packet":{"type":2,"data":"#);
            out.extend_from_slice(data);
            out.extend_from_slice(br#"},"opts":"#);
            out.extend_from_slice(options);
            out.push(b'}');
            return Ok(out);
        }
        write_map(&mut out, 2);
        write_str(&mut out, b"packet");
        write_map(&mut out, 2);
        self.write_packet(&mut out, data, attachments)?;
        write_str(&mut out, b"opts");
        json::write_msgpack(&mut out, options, &[])?;
        Ok(STANDARD.encode_to_string(&out).into_bytes())
    }

    /// Whom a broadcast of this node is for, by its options, which are JSON; `broadcast` gets that. False: JavaScript has to look at
    /// them.
    ///
    /// # Errors
    /// They are no JSON.
    pub fn read_options<'a>(
        &self,
        options: &'a [u8],
        broadcast: &mut Broadcast<'a>,
    ) -> Result<bool> {
        Self::read_options_json(json::Value(json::check(options)?), broadcast)
    }
}

/// The rooms of a session that was stored, in `MessagePack`. What is no name of a room is left out.
///
/// # Errors
/// It is no session.
pub fn rooms_of_session(session: &[u8]) -> Result<Vec<Name<'static>>> {
    let mut reader = Reader::new(session);
    let Item::Map(count) = reader.item()? else { return Err(Malformed) };
    let mut rooms = None;
    for _ in 0..count {
        if matches!(reader.key()?, Key::Text(b"rooms")) {
            let mut list = reader.clone();
            let Item::Array(count) = list.item()? else { return Err(Malformed) };
            let mut names = Vec::new();
            for _ in 0..count {
                let item = list.clone().item()?;
                list.skip()?;
                if let Item::Text(name) = item {
                    names.push(Name::Text(String::from_utf8_lossy(name).into_owned().into()));
                } else if let Item::Number(number) = item {
                    names.push(Name::Number(number));
                }
            }
            rooms = Some(names);
        }
        reader.skip()?;
    }
    if reader.is_at_end() { rooms.ok_or(Malformed) } else { Err(Malformed) }
}

/// The text of `from` in a session that was stored: where its stream was when the session began.
pub fn beginning_of_session(session: &[u8]) -> Option<EntryId> {
    let mut reader = Reader::new(session);
    let Item::Map(count) = reader.item().ok()? else { return None };
    let mut from = None;
    for _ in 0..count {
        if matches!(reader.key().ok()?, Key::Text(b"from"))
            && let Item::Text(text) = reader.clone().item().ok()?
        {
            from = std::str::from_utf8(text).ok()?.parse().ok();
        }
        reader.skip().ok()?;
    }
    from
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redis::broadcasts::Mode;

    fn fields(list: &[(&str, &[u8])]) -> Vec<Vec<u8>> {
        list.iter().flat_map(|(name, value)| [name.as_bytes().to_vec(), value.to_vec()]).collect()
    }

    fn node() -> Node {
        Node { mode: Mode::Classic, namespace: "/chat".into(), uid: "me".into() }
    }

    #[test]
    fn an_id_is_two_whole_numbers() {
        assert_eq!("12-3".parse(), Ok(EntryId { time: 12, number: 3 }));
        assert_eq!(EntryId { time: 12, number: 3 }.to_string(), "12-3");
        for text in
            ["", "-", "1", "1-", "-1", "+1-0", "1-+1", "1-1-1", "99999999999999999999-0", "1-a"]
        {
            assert_eq!(text.parse::<EntryId>(), Err(Malformed), "{text}");
        }
        assert!(EntryId { time: 1, number: 9 } < EntryId { time: 2, number: 0 });
    }

    #[test]
    fn a_broadcast_comes_as_it_was_written() {
        let options = br#"{"rooms":["a",5],"except":["b"],"flags":{"volatile":true}}"#;
        let cases: [(&str, &[&[u8]]); 2] = [
            (r#"2/chat,["hi",{"a":[1.5,null]}]"#, &[]),
            (r#"51-/chat,["b",{"_placeholder":true,"num":0}]"#, &[b"\x00\xff"]),
        ];
        for (packet, attachments) in cases {
            let data = node().write_entry(packet.as_bytes(), attachments, options).unwrap();
            let entry = [
                ("uid", &b"you"[..]),
                ("nsp", b"/chat"),
                ("type", b"3"),
                ("data", &data),
                ("n", b"7"),
            ];
            let entry = Entry::new(b"5-1", fields(&entry)).unwrap();
            assert_eq!((entry.kind, entry.number, &*entry.uid), (3, Some(7), &b"you"[..]));
            let Ok(Incoming::Broadcast(mut broadcast)) = node().read_entry(entry.kind, &entry.data)
            else {
                panic!("{packet}")
            };
            assert_eq!(String::from_utf8_lossy(&broadcast.text), packet);
            assert_eq!(broadcast.attachments, attachments);
            assert_eq!(broadcast.rooms, [Name::Text("a".into()), Name::Number(5.0)]);
            assert!(broadcast.volatile);
            push_offset(&mut broadcast.text, entry.id);
            assert!(broadcast.text.ends_with(br#","5-1"]"#));
        }
    }

    #[test]
    fn what_is_no_entry_is_malformed() {
        let uid = ("uid", &b"you"[..]);
        for entry in [
            &[uid][..],
            &[uid, ("nsp", b"/")],
            &[uid, ("nsp", b"/"), ("type", b"x")],
            &[uid, ("nsp", b"/"), ("type", b"300")],
            &[uid, ("nsp", b"/"), ("type", b"3"), ("data", b"!")],
        ] {
            assert_eq!(Entry::new(b"1-1", fields(entry)), Err(Malformed), "{entry:?}");
        }
        for data in [&b"{"[..], b"{}", b"\x81", b"", b"{\"packet\":{\"type\":2,\"data\":[1]}}"] {
            let read = node().read_entry(3, data);
            assert!(!matches!(read, Ok(Incoming::Broadcast(_))), "{data:?}");
        }
        assert_eq!(node().read_entry(4, b"{"), Ok(Incoming::Ordered));
        assert_eq!(node().read_entry(9, b"{"), Ok(Incoming::Other));
        assert_eq!(node().read_entry(2, b""), Ok(Incoming::Ignored));
    }

    #[test]
    fn the_rooms_of_a_session_are_read() {
        let mut session = Vec::new();
        json::write_msgpack(
            &mut session,
            br#"{"sid":"s","rooms":["s",5,null,{"a":1},"r"],"data":{"rooms":[1]},"from":"3-4"}"#,
            &[],
        )
        .unwrap();
        let rooms = rooms_of_session(&session).unwrap();
        assert_eq!(rooms, [Name::Text("s".into()), Name::Number(5.0), Name::Text("r".into())]);
        assert_eq!(beginning_of_session(&session), Some(EntryId { time: 3, number: 4 }));
        for length in 0..session.len() {
            assert_eq!(rooms_of_session(&session[..length]), Err(Malformed));
        }
    }
}
