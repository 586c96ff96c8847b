//! What goes up to JavaScript: packets and messages as records.

use smallvec::SmallVec;

use super::{Client, Joining};
use crate::border::{RecordKind, record_sentinel};
use crate::engineio::Data;
use crate::net::record::Record;
use crate::net::side_strings::COPY_LIMIT;
use crate::socketio::{Completed, LONG_STRING, LongString, LongStringSpans, Packet, PacketType};

impl Client {
    /// A message of a server with a parser of its own.
    pub(super) fn push_raw(&self, data: Data<'_>) {
        // Escaped, it could be much longer.
        let long = match data {
            Data::Text(text) if text.len() >= LONG_STRING => {
                Some(copied(LongString::from_plain(text)))
            }
            Data::Text(_) | Data::Binary(_) => None,
        };
        self.part();
        self.push(|record| {
            record.kind(RecordKind::RawMessage).number(self.handle.raw());
            if let Some(string) = long {
                record.number(record_sentinel::STRING_BESIDE).side_string(string);
                return;
            }
            match data {
                Data::Text(text) => record.string(text),
                Data::Binary(bytes) => record.buffer(bytes.into_owned()),
            };
        });
        self.counts().received.count_other();
        if !self.server.plain {
            self.note_connect(); // only JavaScript can tell what is in it
        }
    }

    /// What may be a CONNECT has just been put into the inbox.
    fn note_connect(&self) {
        if self.joining.get() == Joining::No {
            self.joining.set(Joining::Sent);
        }
    }

    /// What comes now has come when all before it was answered.
    pub(super) fn set_apart(&self) {
        if self.joining.get() == Joining::Sent {
            self.joining.set(Joining::Apart);
        }
    }

    /// What comes then need not have.
    pub(super) fn end_apart(&self) {
        if self.joining.get() == Joining::Apart {
            self.joining.set(Joining::Sent);
        }
    }

    /// Begins the next batch, if what is about to be put into the inbox must not be in one with the CONNECT before it.
    fn part(&self) {
        if self.joining.get() == Joining::Apart && self.waiting_bytes() > 0 {
            let inbox = &self.server.environment.inbox;
            inbox.part(self.handle.worker(), self.inbox_end.get());
            self.joining.set(Joining::Parted);
        }
    }

    /// A packet without attachments.
    pub(super) fn push_packet(&self, packet: &Packet<'_>) {
        let payload = packet.payload.unwrap_or("[]");
        self.counts().received.count_packet(packet.kind, 0);
        // Decoded before the inbox is locked.
        let strings = long_strings(payload, &packet.strings);
        if packet.kind != PacketType::Connect {
            self.part();
        }
        self.push(|record| match packet.kind {
            PacketType::Event
            | PacketType::BinaryEvent
            | PacketType::Ack
            | PacketType::BinaryAck => {
                let (kind, handle) = (packet.kind.into(), self.handle.raw());
                if strings.is_empty() && packet.namespace == "/" {
                    record.plain_packet(kind, handle, packet.id, payload);
                    return;
                }
                record.kind(kind).number(handle).raw(packet.id.unwrap_or("-1"));
                if !strings.is_empty() {
                    write_parted(record, payload, &packet.strings);
                    record.string(packet.namespace).number(0);
                    write_side_strings(record, &packet.strings, strings);
                    return;
                }
                record.raw(payload).string(packet.namespace);
            }
            PacketType::Connect => {
                record.kind(RecordKind::Connect).number(self.handle.raw()).string(packet.namespace);
                record.raw(packet.payload.unwrap_or("null"));
            }
            PacketType::Disconnect | PacketType::ConnectError => {
                record.kind(packet.kind.into()).number(self.handle.raw());
                record.string(packet.namespace);
                if let Some(payload) = packet.payload {
                    record.raw(payload);
                }
            }
        });
        if packet.kind == PacketType::Connect {
            self.note_connect();
        }
    }

    /// A packet whose attachments are all there.
    pub(super) fn push_completed(&self, completed: Completed) {
        let count = u32::try_from(completed.attachments.len()).expect("the decoder limits them");
        self.counts().received.count_packet(completed.kind, completed.attachments.len());
        let strings = long_strings(&completed.payload, &completed.strings);
        self.part();
        self.push(|record| {
            record.kind(completed.kind.into()).number(self.handle.raw());
            record.raw(completed.id.as_deref().unwrap_or("-1"));
            write_parted(record, &completed.payload, &completed.strings);
            record.string(&completed.namespace).number(count);
            for attachment in completed.attachments {
                record.buffer(attachment);
            }
            write_side_strings(record, &completed.strings, strings);
        });
    }
}

/// What is long in a payload, decoded, and copied too if that takes time.
fn long_strings<'a>(payload: &'a str, spans: &LongStringSpans) -> SmallVec<[LongString<'a>; 1]> {
    let mut strings = SmallVec::new();
    for span in spans.as_slice() {
        strings.push(copied(LongString::from_json(&payload[span.start..span.end])));
    }
    strings
}

/// The same string, copied if that takes time: not to be done while the inbox is locked.
fn copied(string: LongString<'_>) -> LongString<'_> {
    if string.bytes() > COPY_LIMIT { string.into_owned() } else { string }
}

/// The payload with a `0` for each of its long strings.
fn write_parted(record: &mut Record<'_>, payload: &str, spans: &LongStringSpans) {
    let mut at = 0;
    let json = record.open_raw();
    for span in spans.as_slice() {
        json.push_str(&payload[at..span.start]);
        json.push('0');
        at = span.end;
    }
    json.push_str(&payload[at..]);
}

/// The long strings, and where they belong.
fn write_side_strings(
    record: &mut Record<'_>,
    spans: &LongStringSpans,
    strings: SmallVec<[LongString<'_>; 1]>,
) {
    for (span, string) in spans.as_slice().iter().zip(strings) {
        record.number(span.index).side_string(string);
    }
}
