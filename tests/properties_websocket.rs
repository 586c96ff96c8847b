//! Whatever the bytes and however they are split, a reader says the same and keeps within bounds.

mod websocket_support;

use std::io::{Cursor, Read, Write};
use std::ops::ControlFlow;

use ferrosocket::websocket::frame::{header, write_header};
use ferrosocket::websocket::{Halt, MessageLimits, OpCode, Reader, Violation};
use proptest::prelude::*;
use tungstenite::protocol::Role;
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::{Message as Theirs, WebSocket};
use websocket_support::{Message, feed, frame};

const LIMITS: MessageLimits = MessageLimits { max_message: 1000, max_fragments: 8 };

/// Feeds `bytes` cut at `cuts`; messages, end, and the check of what is held on the way.
fn feed_split(bytes: &[u8], cuts: &[prop::sample::Index]) -> (Vec<Message>, Result<(), Violation>) {
    let mut reader = Reader::new(LIMITS);
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    cuts.push(bytes.len());
    cuts.sort_unstable();
    let mut all = Vec::new();
    let mut start = 0;
    for end in cuts {
        let (messages, result) = feed(&mut reader, &bytes[start..end]);
        assert!(reader.allocated() <= 2 * end && reader.buffered() <= end);
        all.extend(messages);
        if result.is_err() {
            assert_eq!(reader.allocated(), 0);
            return (all, result);
        }
        start = end;
    }
    (all, Ok(()))
}

fn cuts() -> impl Strategy<Value = Vec<prop::sample::Index>> {
    prop::collection::vec(any::<prop::sample::Index>(), 0..20)
}

/// Frames that often keep the rules and sometimes break one.
fn frames() -> impl Strategy<Value = Vec<u8>> {
    let first = prop_oneof![
        8 => prop::sample::select(vec![0x00, 0x01, 0x02, 0x80, 0x81, 0x82, 0x89, 0x8a]),
        1 => prop::sample::select(vec![0x88, 0x09, 0xc1, 0x83]),
    ];
    let payload = prop_oneof![
        4 => prop::collection::vec(any::<u8>(), 0..4),
        4 => ".{0,8}".prop_map(String::into_bytes),
        1 => prop::collection::vec(Just(b'x'), 100..400),
    ];
    prop::collection::vec((first, payload).prop_map(|(first, data)| frame(first, &data)), 0..12)
        .prop_map(|frames| frames.concat())
}

/// A valid conversation: frames, and what they say.
fn conversation() -> impl Strategy<Value = (Vec<u8>, Vec<Message>)> {
    let one =
        ("\\PC{0,60}", any::<bool>(), prop::collection::vec(any::<prop::sample::Index>(), 0..4))
            .prop_map(|(text, binary, cuts)| {
                let payload = text.clone().into_bytes();
                let mut cuts: Vec<usize> =
                    cuts.iter().map(|cut| cut.index(payload.len() + 1)).collect();
                cuts.sort_unstable();
                let mut opcode = if binary { 0x2 } else { 0x1 };
                let mut bytes = Vec::new();
                let mut said = Vec::new();
                let mut start = 0;
                for cut in cuts {
                    bytes.extend(frame(opcode, &payload[start..cut]));
                    bytes.extend(frame(0x89, &payload[..start.min(5)]));
                    said.push(Message::Ping(payload[..start.min(5)].to_vec()));
                    opcode = 0;
                    start = cut;
                }
                bytes.extend(frame(0x80 | opcode, &payload[start..]));
                said.push(if binary { Message::Binary(payload) } else { Message::Text(text) });
                (bytes, said)
            });
    prop::collection::vec(one, 1..6).prop_map(|all| {
        let (bytes, said): (Vec<_>, Vec<_>) = all.into_iter().unzip();
        (bytes.concat(), said.concat())
    })
}

/// A wire in memory: what is written goes to one buffer, what is read comes from another.
struct Wire {
    incoming: Cursor<Vec<u8>>,
    outgoing: Vec<u8>,
}

impl Read for Wire {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        self.incoming.read(buf)
    }
}

impl Write for Wire {
    fn write(&mut self, buf: &[u8]) -> std::io::Result<usize> {
        self.outgoing.write(buf)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn client(incoming: Vec<u8>) -> WebSocket<Wire> {
    let wire = Wire { incoming: Cursor::new(incoming), outgoing: Vec::new() };
    WebSocket::from_raw_socket(wire, Role::Client, None)
}

/// Nothing comes behind a pause.
fn check_not_paused(paused: bool) {
    assert!(!paused, "it has paused");
}

proptest! {
    #[test]
    fn any_split_of_frames_gives_the_same(bytes in frames(), cuts in cuts()) {
        prop_assert_eq!(feed_split(&bytes, &cuts), feed_split(&bytes, &[]));
    }

    #[test]
    fn any_split_of_any_bytes_gives_the_same(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        cuts in cuts(),
    ) {
        prop_assert_eq!(feed_split(&bytes, &cuts), feed_split(&bytes, &[]));
    }

    #[test]
    fn a_valid_conversation_is_understood((bytes, said) in conversation(), cuts in cuts()) {
        prop_assert_eq!(feed_split(&bytes, &cuts), (said, Ok(())));
    }

    /// What stands behind a message may be read later, and nothing is lost, doubled or in another order then.
    #[test]
    fn pauses_behind_messages_change_nothing(
        bytes in frames(),
        pauses in prop::collection::vec(any::<bool>(), 1..8),
    ) {
        let mut reader = Reader::new(LIMITS);
        let mut pauses = pauses.into_iter().cycle();
        let (mut messages, mut at) = (Vec::new(), 0);
        let result = loop {
            let mut rest = bytes[at..].to_vec();
            let mut paused = false;
            let read = reader.handle_some(&mut rest, |incoming| {
                check_not_paused(paused);
                messages.push(incoming.into());
                paused = pauses.next() == Some(true);
                if paused { ControlFlow::Break(Halt::Pause) } else { ControlFlow::Continue(()) }
            });
            match read {
                Ok(read) if paused && at + read < bytes.len() => at += read,
                Ok(read) => {
                    prop_assert_eq!(at + read, bytes.len());
                    break Ok(());
                }
                Err(violation) => break Err(violation),
            }
        };
        prop_assert_eq!((messages, result), feed_split(&bytes, &[]));
    }

    /// Another process goes on where a reader has been left.
    #[test]
    fn a_reader_is_brought_to_where_another_one_is(
        bytes in frames(),
        cuts in cuts(),
        at in any::<prop::sample::Index>(),
    ) {
        // The fragments of a message become one.
        let limits = MessageLimits { max_fragments: 0, ..LIMITS };
        let (before, after) = bytes.split_at(at.index(bytes.len() + 1));
        let mut reader = Reader::new(limits);
        let mut start = 0;
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(before.len() + 1)).collect();
        cuts.push(before.len());
        cuts.sort_unstable();
        for end in cuts {
            let _messages = feed(&mut reader, &before[start..end]);
            start = end;
        }
        let Some(replay) = reader.replay() else { return Ok(()) };
        prop_assert!(replay.len() <= reader.buffered() + 2 * 14);
        let mut other = Reader::new(limits);
        prop_assert_eq!(feed(&mut other, &replay), (Vec::new(), Ok(())));
        prop_assert_eq!(other.buffered(), reader.buffered());
        prop_assert_eq!(feed(&mut other, after), feed(&mut reader, after));
    }

    #[test]
    fn a_header_reads_back(
        len in prop_oneof![0..200_usize, 65_000..66_000_usize, any::<usize>()],
        rsv1: bool,
    ) {
        let (bytes, used) = header(OpCode::Binary, rsv1, len);
        let mut cursor = Cursor::new(&bytes[..used]);
        let (parsed, length) = FrameHeader::parse(&mut cursor).unwrap().unwrap();
        prop_assert_eq!(length, len as u64);
        prop_assert!(parsed.is_final && parsed.mask.is_none() && parsed.rsv1 == rsv1);
        prop_assert_eq!(cursor.position(), used as u64);
    }

    #[test]
    fn an_independent_client_is_understood(texts in prop::collection::vec("\\PC{0,200}", 0..5)) {
        let mut client = client(Vec::new());
        for text in &texts {
            client.send(Theirs::text(text.as_str())).unwrap();
        }
        let expected: Vec<_> = texts.into_iter().map(Message::Text).collect();
        let bytes = &client.get_ref().outgoing;
        prop_assert_eq!(feed_split(bytes, &[]), (expected, Ok(())));
    }

    #[test]
    fn an_independent_client_understands(data in prop::collection::vec(any::<u8>(), 0..70_000)) {
        let mut bytes = Vec::new();
        write_header(&mut bytes, OpCode::Binary, false, data.len());
        bytes.extend(&data);
        prop_assert_eq!(client(bytes).read().unwrap(), Theirs::binary(data));
    }
}
