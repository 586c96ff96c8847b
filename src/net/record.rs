//! The records of the way up: JSON arrays that begin with their kind ([`RecordKind`]).

use std::fmt::Write as _;

use super::descriptor::Addresses;
use super::lone_packet::LonePacket;
use super::side_strings::{SideStrings, SideStringsEnd};
use crate::border::{RecordKind, session_flag};
use crate::engineio::{Protocol, Transport};
use crate::socketio::{LongString, PacketType};

/// Bytes that a message may have, whatever `maxHttpBufferSize` says: V8 has no longer strings.
pub const LONGEST_MESSAGE: usize = LONGEST_STRING - MARGIN;
/// Bytes that the text of a record may have, with what stands around it.
pub(super) const LONGEST_RECORD: usize = LONGEST_STRING - 8;
/// Characters of V8's longest string; less in unit tests, which fill it.
const LONGEST_STRING: usize = if cfg!(test) { 1 << 20 } else { (1 << 29) - 24 };
/// What a record has besides a message that stands in it as it came.
const MARGIN: usize = 1 << 10;

/// What [`super::inbox::Inbox::take`] gives: records as JSON, and what they refer to, in order.
#[derive(Debug, Default)]
pub struct RecordBatch {
    /// A JSON array of records, or empty.
    pub text: String,
    /// Attachments and bodies, in record order.
    pub buffers: Vec<Vec<u8>>,
    /// Long strings, in record order.
    pub strings: SideStrings,
    /// Bytes of all of that.
    pub(super) bytes: usize,
    /// The only record, if it is a packet and no more than that.
    lone: Option<Lone>,
}

/// A record that is a packet of the namespace `/` with nothing beside it.
#[derive(Clone, Copy, Debug)]
struct Lone {
    kind: RecordKind,
    handle: u32,
    id: i32,
    /// Where in the text its payload begins, which is the last that it has.
    payload: u32,
}

/// A place between two records of a batch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Checkpoint {
    text: usize,
    buffers: usize,
    strings: SideStringsEnd,
}

impl RecordBatch {
    /// Appends a record; gives how many bytes of attachments it has. None: it is longer than JavaScript can
    /// take, and has been left out. It is left out, too, when `write` panics.
    pub(super) fn push(&mut self, write: impl FnOnce(&mut Record<'_>)) -> Option<usize> {
        let checkpoint = self.checkpoint();
        let unfinished = Unfinished { batch: self, checkpoint };
        let batch = &mut *unfinished.batch;
        batch.text.push(if batch.text.is_empty() { '[' } else { ',' });
        let mut record = Record::open(batch);
        write(&mut record);
        let lone = record.lone.take().filter(|_| checkpoint.text == 0);
        let Beside { buffers, strings } = record.close();
        let text = batch.text.len() - checkpoint.text;
        if text > LONGEST_RECORD {
            return None;
        }
        batch.bytes += text + buffers + strings;
        batch.lone = lone;
        std::mem::forget(unfinished);
        Some(buffers)
    }

    /// Whether nothing is in it.
    pub(super) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Where the next record begins.
    pub(super) fn checkpoint(&self) -> Checkpoint {
        Checkpoint {
            text: self.text.len(),
            buffers: self.buffers.len(),
            strings: self.strings.end(),
        }
    }

    /// Moves the records behind `checkpoint`, which are not the first, to an empty batch; they have so many bytes.
    pub(super) fn split_off(&mut self, checkpoint: Checkpoint, bytes: usize, to: &mut Self) {
        to.text.push('[');
        to.text.push_str(&self.text[checkpoint.text + 1..]);
        self.text.truncate(checkpoint.text);
        to.buffers.extend(self.buffers.drain(checkpoint.buffers..));
        self.strings.split_off(checkpoint.strings, &mut to.strings);
        self.bytes -= bytes;
        to.bytes = bytes;
        to.lone = None;
    }

    /// Appends the records of another batch, and leaves it empty.
    pub(super) fn append(&mut self, other: &mut Self) {
        if other.is_empty() {
            return;
        }
        let lone = other.lone.take();
        self.lone = if self.text.is_empty() { lone } else { None };
        // Each begins with a bracket that nothing has closed yet.
        self.text.push(if self.text.is_empty() { '[' } else { ',' });
        self.text.push_str(&other.text[1..]);
        other.text.clear();
        self.buffers.append(&mut other.buffers);
        self.strings.append(&mut other.strings);
        self.bytes += std::mem::take(&mut other.bytes);
    }

    /// Empties it; keeps up to `capacity` bytes of each buffer.
    pub(super) fn clear(&mut self, capacity: usize) {
        self.text.clear();
        self.text.shrink_to(capacity);
        self.buffers.clear();
        self.strings.clear(capacity);
        self.bytes = 0;
        self.lone = None;
    }

    /// What JavaScript is told, once it has been taken, if that is a single packet of the namespace `/` with nothing
    /// beside it.
    pub fn lone_packet(&self) -> Option<LonePacket<'_>> {
        let Lone { kind, handle, id, payload } = self.lone?;
        // There is more behind the two when JavaScript is told that more wait.
        let payload = self.text.get(payload as usize..)?.strip_suffix("]]")?;
        Some(LonePacket::new(kind as u32, handle, id, payload))
    }

    /// Nothing more is written to it: gives back unused memory, if that is much.
    pub(super) fn seal(&mut self) {
        if self.text.capacity() - self.text.len() > self.text.len() / 4 {
            self.text.shrink_to_fit();
        }
    }
}

/// A record that is being written; when it is dropped, what was written of it is removed.
struct Unfinished<'a> {
    batch: &'a mut RecordBatch,
    checkpoint: Checkpoint,
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        self.batch.text.truncate(self.checkpoint.text);
        if self.batch.text.capacity() > LONGEST_MESSAGE {
            self.batch.text.shrink_to_fit();
        }
        self.batch.buffers.truncate(self.checkpoint.buffers);
        self.batch.strings.truncate(self.checkpoint.strings);
    }
}

impl From<PacketType> for RecordKind {
    /// The kind of the record for a packet, whose attachments travel with it.
    fn from(packet: PacketType) -> Self {
        match packet {
            PacketType::Connect => Self::Connect,
            PacketType::Disconnect => Self::Disconnect,
            PacketType::Event | PacketType::BinaryEvent => Self::Event,
            PacketType::Ack | PacketType::BinaryAck => Self::Ack,
            PacketType::ConnectError => Self::ConnectError,
        }
    }
}

/// What a session is, in bits of [`session_flag`].
pub fn flags_of(transport: Transport, protocol: Protocol) -> u32 {
    let transport = match transport {
        Transport::Polling => 0,
        Transport::WebSocket => session_flag::WEBSOCKET,
    };
    let protocol = match protocol {
        Protocol::V3 => session_flag::PROTOCOL_3,
        Protocol::V4 => 0,
    };
    transport | protocol
}

/// One record being written.
#[derive(Debug)]
pub struct Record<'a> {
    text: &'a mut String,
    buffers: &'a mut Vec<Vec<u8>>,
    strings: &'a mut SideStrings,
    start: usize,
    beside: Beside,
    lone: Option<Lone>,
}

/// Bytes of a record that are not in its text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Beside {
    buffers: usize,
    strings: usize,
}

impl<'a> Record<'a> {
    pub(super) fn open(batch: &'a mut RecordBatch) -> Self {
        let RecordBatch { text, buffers, strings, .. } = batch;
        let start = text.len();
        text.push('[');
        Self { text, buffers, strings, start, beside: Beside::default(), lone: None }
    }

    pub(super) fn close(self) -> Beside {
        self.text.push(']');
        self.beside
    }

    /// The kind; comes first.
    pub fn kind(&mut self, kind: RecordKind) -> &mut Self {
        self.number(kind as u32)
    }

    /// A number.
    pub fn number(&mut self, n: u32) -> &mut Self {
        self.comma();
        let mut digits = [0; 10];
        let mut at = digits.len();
        let mut rest = n;
        loop {
            at -= 1;
            digits[at] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        self.text.push_str(std::str::from_utf8(&digits[at..]).unwrap_or_default());
        self
    }

    /// JSON that is known to be valid, as it is.
    pub fn raw(&mut self, json: &str) -> &mut Self {
        self.comma();
        self.text.push_str(json);
        self
    }

    /// All of a packet of the namespace `/` with nothing beside it. `id`: digits, if it has one.
    pub fn plain_packet(
        &mut self,
        kind: RecordKind,
        handle: u32,
        id: Option<&str>,
        payload: &str,
    ) -> &mut Self {
        self.kind(kind).number(handle).raw(id.unwrap_or("-1")).raw(payload);
        let id = id.map_or(Some(-1), |id| id.parse().ok());
        let payload = u32::try_from(self.text.len() - payload.len());
        if let (Some(id), Ok(payload)) = (id, payload) {
            self.lone = Some(Lone { kind, handle, id, payload });
        }
        self
    }

    /// The place for JSON that the caller writes in parts; together they must be one valid value.
    pub fn open_raw(&mut self) -> &mut String {
        self.comma();
        self.text
    }

    /// The addresses of a connection: each a string and a number.
    pub fn addresses(&mut self, addresses: Addresses) -> &mut Self {
        for end in [addresses.peer, addresses.local] {
            self.string(&end.ip().to_string()).number(u32::from(end.port()));
        }
        self
    }

    /// A string, escaped.
    pub fn string(&mut self, s: &str) -> &mut Self {
        self.comma();
        self.text.push('"');
        let mut plain = 0;
        for (i, b) in s.bytes().enumerate() {
            if b >= 0x20 && b != b'"' && b != b'\\' {
                continue;
            }
            if self.text.len() - self.start > LONGEST_RECORD {
                break; // it is left out anyway
            }
            self.text.push_str(&s[plain..i]);
            match b {
                b'"' | b'\\' => {
                    self.text.push('\\');
                    self.text.push(char::from(b));
                }
                _ => {
                    write!(self.text, "\\u{b:04x}").expect("writing to a String can't fail");
                }
            }
            plain = i + 1;
        }
        self.text.push_str(&s[plain..]);
        self.text.push('"');
        self
    }

    /// A buffer that travels beside the text.
    pub fn buffer(&mut self, bytes: Vec<u8>) -> &mut Self {
        self.beside.buffers += bytes.len();
        self.buffers.push(bytes);
        self
    }

    /// Has so many bytes counted besides: they are taken by what the record tells of.
    pub fn count(&mut self, bytes: usize) -> &mut Self {
        self.beside.buffers += bytes;
        self
    }

    /// A long string that travels beside the JSON.
    pub fn side_string(&mut self, string: LongString<'_>) -> &mut Self {
        self.beside.strings += string.bytes();
        self.strings.push(string);
        self
    }

    fn comma(&mut self) {
        if self.text.len() > self.start + 1 {
            self.text.push(',');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_a_json_array() {
        let mut batch = RecordBatch::default();
        let mut record = Record::open(&mut batch);
        record.kind(RecordKind::Event).number(u32::MAX).raw("-1").raw("[\"a\"]");
        record.string("/a\"b\\c\u{1}é").buffer(vec![1, 2]);
        record.side_string(LongString::Utf16(vec![3]));
        assert_eq!(record.close(), Beside { buffers: 2, strings: 2 });
        let text = &batch.text;
        assert_eq!(text, r#"[2,4294967295,-1,["a"],"/a\"b\\c\u0001é"]"#);
        serde_json::from_str::<serde_json::Value>(text).unwrap();
    }
}
