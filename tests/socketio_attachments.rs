//! Packets whose attachments follow as binaries: in order, in time, within bounds.

use ferrosocket::socketio::decoder::ATTACHMENT_TIMEOUT;
use ferrosocket::socketio::{
    AttachmentLimits, Completed, Decoded, Decoder, LongStringSpans, PacketType, ParseError,
};

const ONE: &str = r#"51-["a",{"_placeholder":true,"num":0}]"#;
const TWO: &str = r#"62-/admin,7[{"_placeholder":true,"num":1},{"_placeholder":true,"num":0}]"#;

fn text<'a>(decoder: &mut Decoder, now: u64, text: &'a str) -> Result<Decoded<'a>, ParseError> {
    decoder.handle_text(now, &AttachmentLimits::default(), text)
}

/// A decoder that has been given `packet` at time 0 and waits.
fn pending(packet: &str) -> Decoder {
    let mut decoder = Decoder::new();
    assert_eq!(text(&mut decoder, 0, packet), Ok(Decoded::Pending));
    assert!(decoder.is_pending());
    decoder
}

/// The decoder holds nothing and starts again.
fn assert_idle(decoder: &mut Decoder) {
    assert!(!decoder.is_pending());
    assert_eq!(decoder.poll_timeout(), None);
    assert!(matches!(text(decoder, 0, "2[1]"), Ok(Decoded::Packet(_))));
}

#[test]
fn a_packet_without_attachments_is_there_at_once() {
    let mut decoder = Decoder::new();
    let Ok(Decoded::Packet(packet)) = text(&mut decoder, 0, "2/admin,3[\"a\"]") else {
        panic!("the packet is complete");
    };
    assert_eq!((packet.namespace, packet.id), ("/admin", Some("3")));
    assert_idle(&mut decoder);
}

#[test]
fn a_packet_is_complete_with_its_last_attachment() {
    let mut decoder = pending(ONE);
    let completed = decoder.handle_binary(5, &[1, 2, 3]).unwrap().unwrap();
    assert_eq!(
        completed,
        Completed {
            kind: PacketType::Event,
            namespace: "/".to_owned(),
            id: None,
            payload: ONE[3..].to_owned(),
            strings: LongStringSpans::NONE,
            attachments: vec![vec![1, 2, 3]],
        }
    );
    assert_idle(&mut decoder);
}

#[test]
fn attachments_keep_their_order() {
    let mut decoder = pending(TWO);
    assert_eq!(decoder.handle_binary(5, b"first"), Ok(None));
    let completed = decoder.handle_binary(6, b"").unwrap().unwrap();
    assert_eq!(completed.kind, PacketType::Ack);
    assert_eq!((completed.namespace.as_str(), completed.id.as_deref()), ("/admin", Some("7")));
    assert_eq!(completed.attachments, [b"first".to_vec(), vec![]]);
    assert_idle(&mut decoder);
}

#[test]
fn a_text_while_attachments_are_due_is_refused() {
    for late in ["2[1]", ONE, "nonsense"] {
        let mut decoder = pending(TWO);
        let error = text(&mut decoder, 1, late).unwrap_err();
        assert_eq!(error.to_string(), "got plaintext data when reconstructing a packet");
        assert_idle(&mut decoder);
    }
}

#[test]
fn a_binary_that_is_not_due_is_refused() {
    let mut decoder = Decoder::new();
    let error = decoder.handle_binary(0, b"x").unwrap_err();
    assert_eq!(error.to_string(), "got binary data when not reconstructing a packet");

    let mut decoder = pending(ONE);
    decoder.handle_binary(0, b"x").unwrap();
    assert_eq!(decoder.handle_binary(0, b"y"), Err(ParseError::UnexpectedBinary));
}

#[test]
fn a_bad_packet_leaves_nothing_pending() {
    let mut decoder = Decoder::new();
    assert_eq!(text(&mut decoder, 0, "511-[1]"), Err(ParseError::TooManyAttachments));
    assert_eq!(text(&mut decoder, 0, "51-{}"), Err(ParseError::InvalidPayload));
    assert_idle(&mut decoder);
}

/// CVE-2026-33151: a client that stops in the middle must not pin what it sent.
#[test]
fn attachments_have_to_come_in_time() {
    let mut decoder = pending(r#"510-["a"]"#);
    for now in 1..=9 {
        assert_eq!(decoder.handle_binary(now, &[0; 100]), Ok(None));
    }
    let deadline = decoder.poll_timeout().unwrap();
    assert_eq!(deadline, 9 + ATTACHMENT_TIMEOUT);
    assert_eq!(decoder.handle_timeout(deadline - 1), Ok(()));
    assert!(decoder.is_pending());
    let error = decoder.handle_timeout(deadline).unwrap_err();
    assert_eq!(error.to_string(), "attachments not received in time");
    assert_idle(&mut decoder);
}

/// A slow uplink in the middle of a large attachment has not stopped.
#[test]
fn progress_puts_the_deadline_off() {
    let mut decoder = pending(ONE);
    decoder.handle_progress(9_999);
    assert_eq!(decoder.handle_timeout(ATTACHMENT_TIMEOUT), Ok(()));
    assert_eq!(decoder.poll_timeout(), Some(9_999 + ATTACHMENT_TIMEOUT));
    assert!(decoder.handle_binary(15_000, b"x").unwrap().is_some());
}

#[test]
fn what_is_late_because_nobody_has_read_has_its_time_again_once_for_each_attachment() {
    let mut decoder = pending("52-[1]");
    decoder.prolong(9_999); // it is not late
    assert_eq!(decoder.poll_timeout(), Some(10_000));
    decoder.prolong(12_000);
    assert_eq!(decoder.poll_timeout(), Some(22_000));
    decoder.prolong(22_000);
    assert_eq!(decoder.poll_timeout(), Some(22_000));
    assert!(decoder.handle_binary(21_000, &b"x"[..]).unwrap().is_none());
    decoder.prolong(31_000);
    assert_eq!(decoder.poll_timeout(), Some(41_000));
    assert_eq!(decoder.handle_timeout(41_000), Err(ParseError::AttachmentTimeout));
}

#[test]
fn an_idle_decoder_has_no_deadline() {
    let mut decoder = Decoder::new();
    decoder.handle_progress(5);
    assert_eq!(decoder.poll_timeout(), None);
    assert_eq!(decoder.handle_timeout(u64::MAX), Ok(()));
}

/// GHSA-55mf-67qm-4wpg: the sum is bounded, not only each attachment.
#[test]
fn attachments_are_bounded_all_together() {
    let limits = AttachmentLimits { max_attachment_bytes: 100, ..AttachmentLimits::default() };
    let feed = |sizes: [usize; 2]| {
        let mut decoder = Decoder::new();
        decoder.handle_text(0, &limits, TWO).unwrap();
        decoder.handle_binary(0, vec![0; sizes[0]])?;
        decoder.handle_binary(0, vec![0; sizes[1]]).map(|completed| completed.is_some())
    };
    assert_eq!(feed([60, 40]), Ok(true));
    assert_eq!(feed([60, 41]), Err(ParseError::AttachmentsTooLarge));
    assert_eq!(feed([101, 0]), Err(ParseError::AttachmentsTooLarge));
}
