//! What a hostile client can make the reader hold or do.

mod websocket_support;

use ferrosocket::websocket::reader::MAX_FRAGMENTS;
use ferrosocket::websocket::{MessageLimits, Reader, Violation};
use websocket_support::{Message, feed, frame};

const FIN: u8 = 0x80;
const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;

/// What a reader may hold beyond twice the bytes that came.
const SLACK: usize = 64;

fn reader(max_message: usize) -> Reader {
    Reader::new(MessageLimits { max_message, max_fragments: MAX_FRAGMENTS })
}

fn too_big(result: Result<(), Violation>) {
    let violation = result.expect_err("the limit is passed");
    assert_eq!(
        (violation.code, violation.message),
        (1009, "RangeError: Max payload size exceeded")
    );
}

/// The header of a masked binary frame that announces `length` bytes.
fn announcing(length: u64) -> Vec<u8> {
    [vec![FIN | BINARY, 0xff], length.to_be_bytes().to_vec(), vec![1, 2, 3, 4]].concat()
}

/// CVE-2016-10542: the header decides, before a byte of payload is there.
#[test]
fn a_length_over_the_limit_is_refused_on_the_header() {
    for length in [101, 1 << 32, (1 << 53) - 1] {
        let mut reader = reader(100);
        too_big(feed(&mut reader, &announcing(length)[..10]).1);
        assert_eq!(reader.allocated(), 0);
    }
}

/// CVE-2022-35922: memory follows what came, not what was announced.
#[test]
fn an_announced_length_allocates_nothing() {
    let mut reader = reader(usize::MAX);
    feed(&mut reader, &announcing(1 << 52)).1.unwrap();
    assert_eq!(reader.allocated(), 0);
    feed(&mut reader, &[9; 1000]).1.unwrap();
    assert_eq!(reader.buffered(), 1000);
    assert!(reader.allocated() <= 2000 + SLACK);
}

#[test]
fn the_limit_is_on_the_message_not_on_the_frame() {
    let fits = [frame(BINARY, &[1; 60]), frame(FIN, &[2; 40])].concat();
    assert_eq!(feed(&mut reader(100), &fits).0.len(), 1);
    let exceeds = [frame(BINARY, &[1; 60]), frame(FIN, &[2; 41])].concat();
    too_big(feed(&mut reader(100), &exceeds).1);
}

#[test]
fn control_frames_do_not_count_towards_the_limit() {
    let (messages, result) = feed(&mut reader(10), &frame(FIN | 0x9, &[0; 125]));
    assert_eq!((messages, result), (vec![Message::Ping(vec![0; 125])], Ok(())));
}

#[test]
fn zero_means_no_limit() {
    let mut reader = Reader::new(MessageLimits { max_message: 0, max_fragments: 0 });
    let fragments: Vec<u8> = (0..20_000).flat_map(|i| frame(u8::from(i == 0), b"x")).collect();
    feed(&mut reader, &fragments).1.unwrap();
    let (messages, _) = feed(&mut reader, &frame(FIN, &vec![b'y'; 1_500_000]));
    assert!(matches!(&messages[..], [Message::Text(text)] if text.len() == 1_520_000));
}

/// CVE-2026-48779: a message that never ends, in fragments of one byte or none.
#[test]
fn endless_fragments_end_at_the_limit_and_cost_no_more_than_they_weigh() {
    for payload in [&b"x"[..], b""] {
        let mut reader = reader(1_000_000);
        let mut wire = 0;
        let mut send = |reader: &mut Reader, first: u8| {
            let bytes = frame(first, payload);
            wire += bytes.len();
            let (messages, result) = feed(reader, &bytes);
            assert_eq!(messages, []);
            assert!(reader.allocated() <= 2 * wire + SLACK);
            result
        };
        send(&mut reader, TEXT).unwrap();
        for _ in 1..MAX_FRAGMENTS {
            send(&mut reader, 0).unwrap();
        }
        let violation = send(&mut reader, 0).expect_err("one fragment too many");
        assert_eq!(
            (violation.code, violation.message),
            (1008, "RangeError: Too many message fragments")
        );
        assert_eq!((reader.buffered(), reader.allocated()), (0, 0));
    }
}

#[test]
fn the_limit_on_fragments_begins_anew_with_each_message() {
    let mut reader = Reader::new(MessageLimits { max_message: 100, max_fragments: 2 });
    for _ in 0..3 {
        let message = [frame(BINARY, b"a"), frame(FIN, b"b")].concat();
        assert_eq!(feed(&mut reader, &message).0, [Message::Binary(b"ab".to_vec())]);
    }
}

#[test]
fn one_byte_at_a_time_holds_no_more_than_twice_what_came() {
    let mut reader = reader(1_000_000);
    let bytes = frame(FIN | BINARY, &vec![5; 100_000]);
    let (last, most) = bytes.split_last().unwrap();
    for (sent, byte) in most.iter().enumerate() {
        let (messages, result) = feed(&mut reader, &[*byte]);
        assert_eq!((messages, result), (vec![], Ok(())));
        assert!(reader.allocated() <= 2 * (sent + 1));
    }
    assert_eq!(feed(&mut reader, &[*last]).0, [Message::Binary(vec![5; 100_000])]);
}

/// What was held goes back with the message, not with the connection.
#[test]
fn nothing_is_held_between_messages() {
    let mut reader = reader(1_000_000);
    let bytes = [frame(BINARY, &[1; 5000]), frame(FIN | 0x9, b"ping"), frame(FIN, &[2; 5000])];
    for half in [1, 3, 4000, 5010, 5012, 5013, 9000] {
        let bytes = bytes.concat();
        feed(&mut reader, &bytes[..half]).1.unwrap();
        assert!(reader.buffered() > 0);
        feed(&mut reader, &bytes[half..]).1.unwrap();
        assert_eq!((reader.buffered(), reader.allocated()), (0, 0));
    }
}

#[test]
fn a_broken_rule_gives_everything_back() {
    let mut reader = reader(1_000_000);
    feed(&mut reader, &frame(BINARY, &[1; 5000])).1.unwrap();
    assert!(reader.allocated() >= 5000);
    feed(&mut reader, &frame(FIN | TEXT, b"interleaved")).1.unwrap_err();
    assert_eq!((reader.buffered(), reader.allocated()), (0, 0));
    assert_eq!(feed(&mut reader, &frame(FIN | TEXT, b"late")), (vec![], Ok(())));
}
