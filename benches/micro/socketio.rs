//! Packets of Socket.IO: the header, the check of the JSON, attachments.

use std::hint::black_box;

use ferrosocket::socketio::AttachmentLimits;
use ferrosocket::socketio::decoder::Decoder;
use ferrosocket::socketio::packet::decode;

use crate::harness::Suite;
use crate::samples::{SIZES, event, event_of_records};

pub(crate) fn cases(suite: &mut Suite) {
    for (len, size) in SIZES {
        decoding(suite, format!("socketio: decode an event of {size}, one string"), event(len));
    }
    for (len, size) in &SIZES[1..] {
        let text = event_of_records(*len);
        decoding(suite, format!("socketio: decode an event of {size}, records"), text);
    }
    let nested = format!(r#"2["news",{}{}]"#, "[".repeat(2 << 10), "]".repeat(2 << 10));
    decoding(suite, "socketio: decode an event of 4 KiB, brackets".to_owned(), nested);
    let text = r#"2/admin,12["news",{"id":1}]"#.to_owned();
    decoding(suite, "socketio: decode an event with a namespace and an ack id".to_owned(), text);
    decoding(suite, "socketio: decode an ack".to_owned(), r#"312["done"]"#.to_owned());
    attachments(suite);
}

fn decoding(suite: &mut Suite, name: String, text: String) {
    suite.case(name, move || assert!(black_box(decode(black_box(&text))).is_ok()));
}

fn attachments(suite: &mut Suite) {
    let (mut decoder, limits, attachment) =
        (Decoder::new(), AttachmentLimits::default(), [7; 1 << 10]);
    let text = concat!(
        r#"52-["file",{"_placeholder":true,"num":0},"#,
        r#"{"_placeholder":true,"num":1}]"#
    );
    suite.case("socketio: put an event and two attachments of 1 KiB together", move || {
        assert!(decoder.handle_text(0, &limits, black_box(text)).is_ok());
        assert!(decoder.handle_binary(0, &attachment).is_ok());
        decoder.handle_binary(0, &attachment).expect("it is due").expect("it is the last")
    });
}
