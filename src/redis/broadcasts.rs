//! A broadcast on its way between nodes.
//!
//! ```text
//!   classic   [uid, { type, data, nsp }, { rooms, except, flags }]                       MessagePack
//!   sharded   { type: 3, data: { packet: { type, data }, opts: { … } }, uid, nsp }       JSON, with bytes in it MessagePack
//! ```
//!
//! In both, the data of the packet becomes what the wire has: `2/chat,["event",…]`, with bytes as attachments
//! beside it. Nothing else of the packet counts.
#![expect(clippy::wildcard_enum_match_arm, reason = "what is not asked for may be any value")]

use std::borrow::Cow;

use super::json::{self, Value};
use super::msgpack::{Item, Key, Reader, write_array, write_f64, write_map, write_str};
use super::{MAX_DEPTH, Malformed};
use crate::socketio::json_string::write_utf8;

type Result<T = ()> = std::result::Result<T, Malformed>;

/// The type of a packet that is an event, on the wire and between nodes.
const EVENT: f64 = 2.0;
/// Most rooms, or excepted rooms, of a broadcast from another node.
const MAX_ROOMS: usize = 1 << 16;

/// How nodes talk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// `PUBLISH` and `PSUBSCRIBE`.
    Classic,
    /// `SPUBLISH` and `SSUBSCRIBE`, since Redis 7.
    Sharded,
}

/// A namespace in a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// How it talks to the others.
    pub mode: Mode,
    /// The name of the namespace.
    pub namespace: String,
    /// What it is called there.
    pub uid: String,
}

/// A room as JavaScript names it. The number 5 and the text "5" are two rooms.
#[derive(Clone, Debug, PartialEq)]
pub enum Name<'a> {
    /// A text.
    Text(Cow<'a, str>),
    /// A number.
    Number(f64),
}

impl Name<'_> {
    /// The same, which depends on nothing.
    pub fn into_owned(self) -> Name<'static> {
        match self {
            Self::Text(text) => Name::Text(Cow::Owned(text.into_owned())),
            Self::Number(number) => Name::Number(number),
        }
    }
}

/// A broadcast of another node.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Broadcast<'a> {
    /// The packet as it is sent to clients.
    pub text: Vec<u8>,
    /// What is sent behind it.
    pub attachments: Vec<&'a [u8]>,
    /// The rooms that it is for; none: all.
    pub rooms: Vec<Name<'a>>,
    /// The rooms that it is not for.
    pub except: Vec<Name<'a>>,
    /// Whether it may be dropped.
    pub volatile: bool,
    /// Whether it is not to be compressed.
    pub no_compress: bool,
}

/// What a message is.
#[derive(Clone, Debug, PartialEq)]
pub enum Incoming<'a> {
    /// A broadcast.
    Broadcast(Box<Broadcast<'a>>),
    /// Our own, or for another namespace: nothing is to be done.
    Ignored,
    /// Something that JavaScript has to look at, and that says what later broadcasts mean.
    Ordered,
    /// Something else that JavaScript has to look at.
    Other,
}

impl Node {
    /// Reads a message that has come by a channel of broadcasts.
    ///
    /// # Errors
    /// It does not follow the format.
    pub fn read<'a>(&self, message: &'a [u8]) -> Result<Incoming<'a>> {
        match self.mode {
            Mode::Classic => self.read_classic(message),
            Mode::Sharded if message.first() == Some(&b'{') => self.read_json(message),
            Mode::Sharded => self.read_msgpack(message),
        }
    }

    /// What a request of a classic cluster is.
    ///
    /// # Errors
    /// It does not follow the format.
    pub fn read_request(message: &[u8]) -> Result<Incoming<'_>> {
        if message.first() != Some(&b'{') {
            return Ok(Incoming::Ordered); // of those only a broadcast with acknowledgements is sent so
        }
        let kind = Value(json::check(message)?).get("type").and_then(Value::number);
        // REMOTE_JOIN, REMOTE_LEAVE, REMOTE_DISCONNECT, BROADCAST
        let ordered = kind.is_some_and(|kind| [2.0, 3.0, 4.0, 7.0].contains(&kind));
        Ok(if ordered { Incoming::Ordered } else { Incoming::Other })
    }

    fn read_classic<'a>(&self, message: &'a [u8]) -> Result<Incoming<'a>> {
        let mut reader = Reader::new(message);
        let Item::Array(parts @ 3..) = reader.item()? else { return Err(Malformed) };
        let mut whole = reader.clone();
        for _ in 0..parts {
            whole.skip()?;
        }
        if !whole.is_at_end() {
            return Err(Malformed);
        }
        if reader.clone().item()? == Item::Text(self.uid.as_bytes()) {
            return Ok(Incoming::Ignored);
        }
        reader.skip()?;
        let mut broadcast = Broadcast::default();
        match self.packet(&mut reader, &mut broadcast)? {
            // Upstream takes a packet without one for one of "/".
            Packet::Event { namespace: None } if self.namespace == "/" => {}
            Packet::Event { namespace: Some(name) } if name == self.namespace.as_bytes() => {}
            Packet::Event { .. } => return Ok(Incoming::Ignored),
            Packet::Other => return Ok(Incoming::Ordered),
        }
        if !options(&mut reader, &mut broadcast)? {
            return Ok(Incoming::Ordered);
        }
        Ok(Incoming::Broadcast(Box::new(broadcast)))
    }

    /// Reads a packet, and makes of it what is sent.
    fn packet<'a>(&self, reader: &mut Reader<'a>, out: &mut Broadcast<'a>) -> Result<Packet<'a>> {
        let Item::Map(count) = reader.item()? else { return Err(Malformed) };
        let (mut event, mut is_array, mut namespace) = (false, false, None);
        let mut id = false;
        let mut json = Vec::new();
        for _ in 0..count {
            match reader.key()? {
                Key::Text(b"type") => event = reader.next_scalar()? == Item::Number(EVENT),
                Key::Text(b"nsp") => match reader.next_scalar()? {
                    Item::Text(name) => namespace = Some(name),
                    Item::Undefined => namespace = None,
                    _ => namespace = Some(&b""[..]),
                },
                Key::Text(b"id") => id = reader.next_scalar()? != Item::Undefined,
                Key::Text(b"data") => {
                    is_array = matches!(reader.clone().item()?, Item::Array(1..));
                    json.clear();
                    out.attachments.clear();
                    reader.write_json(&mut json, &mut out.attachments)?;
                }
                _ => reader.skip()?,
            }
        }
        if !event || id || !is_array {
            return Ok(Packet::Other);
        }
        out.text = self.head(out.attachments.len(), json.len());
        out.text.extend_from_slice(&json);
        Ok(Packet::Event { namespace })
    }

    /// What a packet begins with, and room for its data.
    fn head(&self, attachments: usize, data: usize) -> Vec<u8> {
        let mut text = Vec::with_capacity(self.namespace.len() + data + 16);
        if attachments == 0 {
            text.push(b'2');
        } else {
            text.push(b'5');
            text.extend_from_slice(attachments.to_string().as_bytes());
            text.push(b'-');
        }
        if self.namespace != "/" {
            text.extend_from_slice(self.namespace.as_bytes());
            text.push(b',');
        }
        text
    }

    fn read_msgpack<'a>(&self, message: &'a [u8]) -> Result<Incoming<'a>> {
        let mut reader = Reader::new(message);
        let Item::Map(count) = reader.item()? else { return Err(Malformed) };
        let (mut kind, mut data, mut own, mut here) = (0.0, None, false, false);
        for _ in 0..count {
            match reader.key()? {
                Key::Text(b"type") => {
                    let Item::Number(number) = reader.next_scalar()? else { return Err(Malformed) };
                    kind = number;
                }
                Key::Text(b"uid") => {
                    own = reader.next_scalar()? == Item::Text(self.uid.as_bytes());
                }
                Key::Text(b"nsp") => {
                    here = reader.next_scalar()? == Item::Text(self.namespace.as_bytes());
                }
                Key::Text(b"data") => {
                    data = Some(reader.clone());
                    reader.skip()?;
                }
                _ => reader.skip()?,
            }
        }
        if !reader.is_at_end() {
            return Err(Malformed);
        }
        if own || !here {
            return Ok(Incoming::Ignored);
        }
        if kind != message_type::BROADCAST {
            return Ok(other(kind));
        }
        self.read_broadcast_msgpack(&mut data.ok_or(Malformed)?)
    }

    /// Reads the data of a message that tells of a broadcast.
    pub(super) fn read_broadcast_msgpack<'a>(
        &self,
        reader: &mut Reader<'a>,
    ) -> Result<Incoming<'a>> {
        let Item::Map(count) = reader.item()? else { return Err(Malformed) };
        let mut broadcast = Broadcast::default();
        let (mut packet, mut plain) = (None, false);
        for _ in 0..count {
            match reader.key()? {
                Key::Text(b"packet") => packet = Some(self.packet(reader, &mut broadcast)?),
                Key::Text(b"opts") => plain = options(reader, &mut broadcast)?,
                Key::Text(b"requestId") => {
                    if reader.next_scalar()? != Item::Undefined {
                        return Ok(Incoming::Ordered);
                    }
                }
                _ => reader.skip()?,
            }
        }
        Ok(match packet {
            Some(Packet::Event { .. }) if plain => Incoming::Broadcast(Box::new(broadcast)),
            _ => Incoming::Ordered,
        })
    }

    fn read_json<'a>(&self, message: &'a [u8]) -> Result<Incoming<'a>> {
        let (mut kind, mut data, mut own, mut here) = (0.0, None, false, false);
        for (key, value) in Value(json::check(message)?).members() {
            match &*key {
                "type" => kind = value.number().ok_or(Malformed)?,
                "uid" => own = value.string().is_some_and(|uid| uid == self.uid),
                "nsp" => here = value.string().is_some_and(|name| name == self.namespace),
                "data" => data = Some(value),
                _ => {}
            }
        }
        if own || !here {
            return Ok(Incoming::Ignored);
        }
        if kind != message_type::BROADCAST {
            return Ok(other(kind));
        }
        self.read_broadcast_json(data.ok_or(Malformed)?)
    }

    /// The same in JSON.
    pub(super) fn read_broadcast_json<'a>(&self, data: Value<'a>) -> Result<Incoming<'a>> {
        if data.get("requestId").is_some() {
            return Ok(Incoming::Ordered);
        }
        let (packet, opts) = (data.get("packet"), data.get("opts"));
        let (Some(packet), Some(opts)) = (packet, opts) else { return Err(Malformed) };
        let arguments = packet.get("data").filter(|it| it.elements().next().is_some());
        let event = packet.get("type").and_then(Value::number) == Some(EVENT);
        let (Some(arguments), true, None) = (arguments, event, packet.get("id")) else {
            return Ok(Incoming::Ordered);
        };
        let mut broadcast = Broadcast::default();
        if !Self::read_options_json(opts, &mut broadcast)? {
            return Ok(Incoming::Ordered);
        }
        broadcast.text = self.head(0, arguments.0.len());
        broadcast.text.extend_from_slice(arguments.0.as_bytes());
        Ok(Incoming::Broadcast(Box::new(broadcast)))
    }

    /// Reads the options of a broadcast; false: JavaScript has to look at them.
    pub(super) fn read_options_json<'a>(
        opts: Value<'a>,
        broadcast: &mut Broadcast<'a>,
    ) -> Result<bool> {
        let lists = [("rooms", &mut broadcast.rooms), ("except", &mut broadcast.except)];
        for (name, list) in lists {
            let Some(value) = opts.get(name).filter(|value| !value.is_null()) else { continue };
            if !value.is_array() {
                return Ok(false);
            }
            for element in value.elements() {
                match (element.string(), element.number()) {
                    (Some(name), _) => list.push(Name::Text(name)),
                    (None, Some(number)) => list.push(Name::Number(number)),
                    // Not left out: a list without it may be empty, and that means all.
                    (None, None) => return Ok(false),
                }
                if list.len() > MAX_ROOMS {
                    return Err(Malformed);
                }
            }
        }
        if let Some(flags) = opts.get("flags") {
            broadcast.volatile = flags.get("volatile").is_some_and(Value::is_truthy);
            broadcast.no_compress = flags.get("compress") == Some(Value("false"));
        }
        Ok(true)
    }

    /// Appends the message that tells the other nodes of a broadcast. `packet`: as it is sent to clients, with what is sent
    /// behind it; `options`: upstream's, as JSON.
    ///
    /// # Errors
    /// It is no event that our own encoder has made.
    pub fn write(
        &self,
        out: &mut Vec<u8>,
        packet: &[u8],
        attachments: &[&[u8]],
        options: &[u8],
    ) -> Result {
        let data = self.data_of(packet)?;
        match self.mode {
            Mode::Classic => {
                write_array(out, 3);
                write_str(out, self.uid.as_bytes());
                write_map(out, 3);
                self.write_packet(out, data, attachments)?;
                write_str(out, b"nsp");
                write_str(out, self.namespace.as_bytes());
                json::write_msgpack(out, options, &[])
            }
            Mode::Sharded if attachments.is_empty() => {
                out.extend_from_slice(br#"{"type":3,"data":{"packet":{"type":2,"data":"#);
                out.extend_from_slice(data);
                out.extend_from_slice(br#"},"opts":"#);
                out.extend_from_slice(options);
                out.extend_from_slice(br#"},"uid":"#);
                write_utf8(out, &self.uid);
                out.extend_from_slice(br#","nsp":"#);
                write_utf8(out, &self.namespace);
                out.push(b'}');
                Ok(())
            }
            Mode::Sharded => {
                write_map(out, 4);
                write_str(out, b"type");
                write_f64(out, message_type::BROADCAST);
                write_str(out, b"data");
                write_map(out, 2);
                write_str(out, b"packet");
                write_map(out, 2);
                self.write_packet(out, data, attachments)?;
                write_str(out, b"opts");
                json::write_msgpack(out, options, &[])?;
                write_str(out, b"uid");
                write_str(out, self.uid.as_bytes());
                write_str(out, b"nsp");
                write_str(out, self.namespace.as_bytes());
                Ok(())
            }
        }
    }

    /// The type and the data of a packet.
    #[expect(clippy::unused_self, reason = "it is a part of `write`")]
    pub(super) fn write_packet(
        &self,
        out: &mut Vec<u8>,
        data: &[u8],
        attachments: &[&[u8]],
    ) -> Result {
        write_str(out, b"type");
        write_f64(out, EVENT);
        write_str(out, b"data");
        json::write_msgpack(out, data, attachments)
    }

    /// The data of an event, as it stands in its packet.
    pub(super) fn data_of<'a>(&self, packet: &'a [u8]) -> Result<&'a [u8]> {
        let rest = match packet.split_first() {
            Some((b'2', rest)) => rest,
            Some((b'5', rest)) => {
                let dash = rest.iter().position(|byte| !byte.is_ascii_digit());
                dash.and_then(|dash| rest[dash..].strip_prefix(b"-")).ok_or(Malformed)?
            }
            _ => return Err(Malformed),
        };
        let rest = if self.namespace == "/" {
            rest
        } else {
            let rest = rest.strip_prefix(self.namespace.as_bytes());
            rest.and_then(|rest| rest.strip_prefix(b",")).ok_or(Malformed)?
        };
        if rest.first() == Some(&b'[') { Ok(rest) } else { Err(Malformed) }
    }
}

/// The types of messages of `ClusterAdapter`, of which sharded nodes have theirs.
pub(super) mod message_type {
    pub(in crate::redis) const BROADCAST: f64 = 3.0;
    pub(in crate::redis) const SOCKETS_JOIN: f64 = 4.0;
    pub(in crate::redis) const SOCKETS_LEAVE: f64 = 5.0;
    pub(in crate::redis) const DISCONNECT_SOCKETS: f64 = 6.0;
}

/// What a message of a sharded node is, which is no broadcast.
pub(super) fn other(kind: f64) -> Incoming<'static> {
    use message_type::{DISCONNECT_SOCKETS, SOCKETS_JOIN, SOCKETS_LEAVE};
    if [SOCKETS_JOIN, SOCKETS_LEAVE, DISCONNECT_SOCKETS].contains(&kind) {
        Incoming::Ordered
    } else {
        Incoming::Other
    }
}

/// What a packet in `MessagePack` is.
enum Packet<'a> {
    Event {
        namespace: Option<&'a [u8]>,
    },
    /// JavaScript has to look at it.
    Other,
}

/// Reads the options of a broadcast; false: JavaScript has to look at them.
fn options<'a>(reader: &mut Reader<'a>, out: &mut Broadcast<'a>) -> Result<bool> {
    let Item::Map(count) = reader.item()? else { return Err(Malformed) };
    let mut plain = true;
    for _ in 0..count {
        match reader.key()? {
            Key::Text(b"rooms") => plain &= names(reader, &mut out.rooms)?,
            Key::Text(b"except") => plain &= names(reader, &mut out.except)?,
            Key::Text(b"flags") => flags(reader, out)?,
            _ => reader.skip()?,
        }
    }
    Ok(plain)
}

/// Reads names of rooms; false: it is no list of them, or has in it what is none. That is not left out: a list without it may be
/// empty, and that means all.
fn names<'a>(reader: &mut Reader<'a>, out: &mut Vec<Name<'a>>) -> Result<bool> {
    out.clear();
    let count = match reader.clone().item()? {
        Item::Array(count) => count,
        other => {
            reader.skip()?;
            return Ok(matches!(other, Item::Nil | Item::Undefined));
        }
    };
    if count as usize > MAX_ROOMS {
        return Err(Malformed);
    }
    reader.item()?;
    let mut plain = true;
    for _ in 0..count {
        match reader.next_scalar()? {
            Item::Text(name) => out.push(Name::Text(String::from_utf8_lossy(name))),
            Item::Number(number) => out.push(Name::Number(number)),
            _ => plain = false,
        }
    }
    Ok(plain)
}

fn flags<'a>(reader: &mut Reader<'a>, out: &mut Broadcast<'a>) -> Result {
    let Item::Map(count) = reader.clone().item()? else { return reader.skip() };
    reader.item()?;
    for _ in 0..count {
        match reader.key()? {
            Key::Text(b"volatile") => out.volatile = is_truthy(reader.next_scalar()?),
            Key::Text(b"compress") => out.no_compress = reader.next_scalar()? == Item::Bool(false),
            _ => reader.skip()?,
        }
    }
    Ok(())
}

fn is_truthy(item: Item<'_>) -> bool {
    match item {
        Item::Nil | Item::Undefined | Item::Bool(false) => false,
        Item::Number(number) => number != 0.0 && !number.is_nan(),
        Item::Text(text) => !text.is_empty(),
        _ => true,
    }
}

impl<'a> Reader<'a> {
    /// The next value; of one that has parts, these are skipped.
    fn next_scalar(&mut self) -> Result<Item<'a>> {
        let mut after = self.clone();
        after.skip()?;
        let item = self.item();
        *self = after;
        item
    }
}

const _: () = assert!(MAX_DEPTH < 4096, "a value is read by a thread with a small stack");

#[cfg(test)]
mod tests {
    use super::*;

    fn node(mode: Mode) -> Node {
        Node { mode, namespace: "/chat".into(), uid: "me".into() }
    }

    fn written(mode: Mode, packet: &str, attachments: &[&[u8]], options: &str) -> Vec<u8> {
        let other = Node { uid: "you".into(), ..node(mode) };
        let mut out = Vec::new();
        other.write(&mut out, packet.as_bytes(), attachments, options.as_bytes()).unwrap();
        out
    }

    #[test]
    fn a_broadcast_comes_as_it_was_sent() {
        let options =
            r#"{"rooms":["a",5],"except":["é"],"flags":{"volatile":true,"compress":false}}"#;
        let cases: [(&str, &[&[u8]]); 3] = [
            (r#"2/chat,["hi",{"a":[1.5,-7,null,true,"é\n\"",1e+300,12345678901]},{}]"#, &[]),
            (
                r#"52-/chat,["b",{"_placeholder":true,"num":0},[{"_placeholder":true,"num":1}]]"#,
                &[b"\x00\xff", b""],
            ),
            (r#"2/chat,["x"]"#, &[]),
        ];
        for mode in [Mode::Classic, Mode::Sharded] {
            for (packet, attachments) in cases {
                let message = written(mode, packet, attachments, options);
                let Ok(Incoming::Broadcast(broadcast)) = node(mode).read(&message) else {
                    panic!("{mode:?} {packet}")
                };
                assert_eq!(String::from_utf8_lossy(&broadcast.text), packet);
                assert_eq!(broadcast.attachments, attachments);
                assert_eq!(broadcast.rooms, [Name::Text("a".into()), Name::Number(5.0)]);
                assert_eq!(broadcast.except, [Name::Text("é".into())]);
                assert!(broadcast.volatile && broadcast.no_compress);
                let me = Node { uid: "you".into(), ..node(mode) };
                assert_eq!(me.read(&message), Ok(Incoming::Ignored));
                let elsewhere = Node { namespace: "/".into(), ..node(mode) };
                assert_eq!(elsewhere.read(&message), Ok(Incoming::Ignored));
            }
        }
    }

    #[test]
    fn what_javascript_has_to_see_is_told() {
        for (text, expected) in [
            (r#"{"type":4,"data":{},"uid":"you","nsp":"/chat"}"#, Incoming::Ordered),
            (r#"{"type":9,"data":{},"uid":"you","nsp":"/chat"}"#, Incoming::Other),
            (r#"{"type":9,"data":{},"uid":"me","nsp":"/chat"}"#, Incoming::Ignored),
            (
                r#"{"type":3,"data":{"packet":{"type":2,"data":["a"]},"requestId":"x","opts":{}},"uid":"you","nsp":"/chat"}"#,
                Incoming::Ordered,
            ),
        ] {
            assert_eq!(node(Mode::Sharded).read(text.as_bytes()), Ok(expected), "{text}");
        }
        let request = Node::read_request;
        assert_eq!(request(br#"{"type":2,"rooms":[]}"#), Ok(Incoming::Ordered));
        assert_eq!(request(br#"{"type":5}"#), Ok(Incoming::Other));
        assert_eq!(request(b"{"), Err(Malformed));
        assert_eq!(request(b"\x81"), Ok(Incoming::Ordered));
    }
}
