//! permessage-deflate (RFC 7692): what is agreed on, and what compressed messages become.

mod websocket_support;

use ferrosocket::websocket::deflate::{Compressor, Inflate, Parameters};
use ferrosocket::websocket::extension::{Agreement, Settings, WindowBits, negotiate};
use ferrosocket::websocket::{MessageLimits, Reader, Violation};
use proptest::prelude::*;
use websocket_support::{Message, feed, frame};

const LIMIT: usize = 10_000;
const PARAMETERS: Parameters = Parameters { window_bits: 15, level: 6 };
/// With context takeover on both sides.
const AGREED: Agreement = Agreement {
    server_no_context_takeover: false,
    client_no_context_takeover: false,
    server_window_bits: 15,
    client_window_bits: 15,
};

/// First byte of a final text frame, compressed.
const TEXT: u8 = 0xc1;

fn reader() -> Reader {
    Reader::new(MessageLimits { max_message: LIMIT, max_fragments: 16 })
        .with_inflate(Inflate::new(AGREED))
}

fn deflate(compressor: &mut Compressor, data: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    compressor.compress(b"", data, &mut out);
    out
}

fn answer(offer: &str, settings: Settings) -> Option<String> {
    negotiate(offer, settings).expect("it is acceptable").map(|(_, value)| value)
}

/// Section 7.1: without settings the answer repeats the offer, but for a window that the client
/// leaves open.
#[test]
fn section_7_1_an_offer_is_answered() {
    let plain = Settings::default();
    for (offer, expected) in [
        ("permessage-deflate", "permessage-deflate"),
        ("permessage-deflate; client_max_window_bits", "permessage-deflate"),
        (
            "permessage-deflate; client_max_window_bits=9; server_no_context_takeover",
            "permessage-deflate; client_max_window_bits=9; server_no_context_takeover",
        ),
    ] {
        assert_eq!(answer(offer, plain).as_deref(), Some(expected), "{offer}");
    }
    assert_eq!(answer("x-other; a=b", plain), None);
}

/// Section 5.1: offers come in order of preference; the first that can be accepted is.
#[test]
fn section_5_1_fallback_offers() {
    let small = Settings { client_max_window_bits: WindowBits::Exactly(10), ..Settings::default() };
    let offers = "permessage-deflate, permessage-deflate; client_max_window_bits=9, \
                  permessage-deflate; client_max_window_bits";
    let expected = "permessage-deflate; client_max_window_bits=10";
    assert_eq!(answer(offers, small).as_deref(), Some(expected));
    assert!(negotiate("permessage-deflate", small).is_err());
}

/// Section 7.2.3.1 to 7.2.3.3: the examples of the RFC.
#[test]
fn section_7_2_3_examples() {
    let mut reader = reader();
    let hello = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
    let again = [0xf2, 0x00, 0x11, 0x00, 0x00];
    let fragments = [frame(0x41, &hello[..3]), frame(0x80, &hello[3..])].concat();
    let bytes = [frame(TEXT, &hello), frame(TEXT, &again), fragments].concat();
    let said = Message::Text("Hello".to_owned());
    assert_eq!(feed(&mut reader, &bytes), (vec![said.clone(), said.clone(), said], Ok(())));
    // Section 7.2.3.3: a block that is not compressed.
    let stored = [0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00];
    assert_eq!(feed(&mut reader, &frame(TEXT, &stored)).0.len(), 1);
    // Section 7.2.3.4: a final block.
    let ended = [0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00];
    assert_eq!(feed(&mut reader, &frame(TEXT, &ended)).0.len(), 1);
    assert_eq!(feed(&mut reader, &frame(TEXT, &hello)).0.len(), 1);
}

/// Section 7.2.3.6: an empty message is one zero byte.
#[test]
fn section_7_2_3_6_empty_messages() {
    let mut compressor = Compressor::new(PARAMETERS);
    assert_eq!(deflate(&mut compressor, b""), [0x00]);
    assert_eq!(deflate(&mut compressor, b""), [0x00]);
    let bytes = [frame(TEXT, &[0]), frame(TEXT, &[])].concat();
    let empty = Message::Text(String::new());
    assert_eq!(feed(&mut reader(), &bytes), (vec![empty.clone(), empty], Ok(())));
}

#[test]
fn what_takes_its_window_over_refers_to_it_and_what_forgets_it_does_not() {
    let text: Vec<u8> =
        (0..2000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let mut compressor = Compressor::new(PARAMETERS);
    let first = deflate(&mut compressor, &text);
    let second = deflate(&mut compressor, &text);
    assert!(second.len() < first.len() / 10);
    compressor.forget();
    assert_eq!(deflate(&mut compressor, &text), first);
}

/// A message that one thousandth of its bytes announces: it stops at the limit, and the memory
/// that it takes does too.
#[test]
fn bombs_stop_at_the_limit() {
    let mut compressor = Compressor::new(PARAMETERS);
    let exact = deflate(&mut compressor, &vec![b'x'; LIMIT]);
    compressor.forget();
    let over = deflate(&mut compressor, &vec![b'x'; LIMIT + 1]);
    compressor.forget();
    let bomb = deflate(&mut compressor, &vec![b'x'; 9_000_000]);
    assert!(bomb.len() < LIMIT);
    assert_eq!(feed(&mut reader(), &frame(TEXT, &exact)).0.len(), 1);
    for message in [over, bomb] {
        let mut reader = reader();
        let (said, end) = feed(&mut reader, &frame(TEXT, &message));
        let violation = end.expect_err("it is too long");
        assert!(said.is_empty());
        assert_eq!(
            (violation.code, violation.message),
            (1009, "RangeError: Max payload size exceeded")
        );
        assert_eq!(reader.allocated(), 0);
    }
}

#[test]
fn an_agreement_survives_the_border() {
    for window in 8..=15 {
        let agreement =
            Agreement { server_window_bits: window, client_no_context_takeover: true, ..AGREED };
        assert_eq!(Agreement::from_bits(agreement.to_bits()), Some(agreement));
    }
    assert_eq!(Agreement::from_bits(0), None);
    assert_eq!(Agreement::from_bits(u32::MAX), None);
}

fn violation(end: &Result<(), Violation>) -> Option<u16> {
    end.err().map(|violation| violation.code)
}

/// Text in which something comes back, so that there is something to compress.
fn text() -> impl Strategy<Value = Vec<u8>> {
    let words = prop::sample::select(vec!["one", "two ", "Ωmega", "\n", "4", "[\"event\","]);
    let words = prop::collection::vec(words, 0..800).prop_map(|words| words.concat().into_bytes());
    prop_oneof![words, prop::collection::vec(any::<u8>(), 0..3000)]
}

proptest! {
    /// What was compressed comes out again, whatever the window, the level and the order of
    /// messages of both kinds.
    #[test]
    fn what_goes_in_comes_out(
        messages in prop::collection::vec((text(), any::<bool>()), 0..6),
        window_bits in 8..=15_u8,
        level in 0..=9_u8,
    ) {
        let mut compressor = Compressor::new(Parameters { window_bits, level });
        let agreement = Agreement { client_window_bits: window_bits, ..AGREED };
        let mut inflate = Inflate::new(agreement);
        for (message, forget) in messages {
            if forget {
                compressor.forget();
            }
            let mut payload = b"before".to_vec();
            compressor.compress(&message[..message.len() / 3], &message[message.len() / 3..], &mut payload);
            let back = inflate.inflate(&payload[6..], Some(message.len()));
            prop_assert_eq!(back, Ok(message));
        }
    }

    /// Bytes of anything are a message of at most the limit, or a violation.
    #[test]
    fn any_bytes_are_read_or_refused(
        payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 1..4),
    ) {
        let mut reader = reader();
        for payload in payloads {
            let (said, end) = feed(&mut reader, &frame(0xc2, &payload));
            for message in said {
                prop_assert!(matches!(message, Message::Binary(data) if data.len() <= LIMIT));
            }
            prop_assert!(matches!(violation(&end), None | Some(1007 | 1009)));
            if end.is_err() {
                break;
            }
        }
    }

    /// Cut anywhere, compressed frames say the same.
    #[test]
    fn any_split_says_the_same(message in text(), at in any::<prop::sample::Index>()) {
        let bytes = frame(0xc2, &deflate(&mut Compressor::new(PARAMETERS), &message));
        let (head, tail) = bytes.split_at(at.index(bytes.len()));
        let mut reader = reader();
        let (mut said, end) = feed(&mut reader, head);
        prop_assert!(end.is_ok());
        said.extend(feed(&mut reader, tail).0);
        prop_assert_eq!(said, feed(&mut self::reader(), &bytes).0);
    }

    /// A header is an answer or a refusal, and an answer can be read as an offer again.
    #[test]
    fn any_header_is_answered_or_refused(
        header in "(permessage-deflate|[ -~]{0,6}|; *(client|server)_(max_window_bits|no_context_takeover)(=[0-9]{1,2})?|[,;=\" \\\\]){0,8}",
    ) {
        if let Ok(Some((agreement, value))) = negotiate(&header, Settings::default()) {
            let again = negotiate(&value, Settings::default());
            prop_assert_eq!(again, Ok(Some((agreement, value))));
        }
    }
}
