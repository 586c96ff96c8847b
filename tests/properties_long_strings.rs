//! Long strings against `serde_json`: what is read and what is written must be the same text.

use ferrosocket::socketio::LongString;
use ferrosocket::socketio::json_string::{write_ascii, write_utf16};
use ferrosocket::socketio::long_string::LONG_STRING;
use ferrosocket::socketio::packet::decode;
use proptest::prelude::*;
use serde_json::Value;

/// Texts in which little or much must be escaped, some of them long.
fn text() -> impl Strategy<Value = String> {
    let stretch = prop_oneof![
        "[a-z ]{0,100}",
        "[\\x00-\\x7f]{0,40}",
        "[\"\\\\\\n/]{0,10}",
        "[é\u{ff}]{0,40}",
        any::<String>(),
    ];
    let repeated = (stretch, 1..120_usize).prop_map(|(text, n)| text.repeat(n));
    prop::collection::vec(repeated, 0..3).prop_map(|stretches| stretches.concat())
}

fn read(text: &LongString<'_>) -> String {
    match text {
        LongString::Latin1(bytes) => bytes.iter().map(|&byte| char::from(byte)).collect(),
        LongString::Utf16(units) => String::from_utf16(units).expect("nothing here is alone"),
    }
}

proptest! {
    #[test]
    fn every_long_argument_is_found_and_reads_the_same(
        mut arguments in prop::collection::vec(
            prop_oneof![text().prop_map(Value::from), any::<i32>().prop_map(Value::from)], 0..6),
        nested in text(),
        pretty in any::<bool>(),
    ) {
        arguments.insert(0, Value::from("name"));
        arguments.push(serde_json::json!([{ "nested": nested }]));
        let json = if pretty {
            serde_json::to_string_pretty(&arguments).unwrap()
        } else {
            serde_json::to_string(&arguments).unwrap()
        };
        let message = format!("2{json}");
        let packet = decode(&message).unwrap();
        let found: Vec<usize> =
            packet.strings.as_slice().iter().map(|string| string.index as usize).collect();
        let expected: Vec<usize> = arguments
            .iter()
            .enumerate()
            .filter(|(_, argument)| {
                argument.is_string() && argument.to_string().len() >= LONG_STRING
            })
            .map(|(index, _)| index)
            .take(4)
            .collect();
        prop_assert_eq!(found, expected);
        for string in packet.strings.as_slice() {
            let text = LongString::from_json(&json[string.start..string.end]);
            prop_assert_eq!(&Value::from(read(&text)), &arguments[string.index as usize]);
        }
    }

    #[test]
    fn damaged_json_is_refused_as_serde_refuses_it(
        before in text(),
        after in text(),
        at in any::<prop::sample::Index>(),
        damage in "[\"\\\\,\\[\\]\\x00-\\x20a0]",
    ) {
        let mut json = serde_json::to_string(&["e", &before, &after]).unwrap();
        let at = (5..=at.index(json.len()).max(5)).rev().find(|&at| json.is_char_boundary(at));
        json.insert_str(at.unwrap_or(5), &damage);
        let valid = serde_json::from_str::<Vec<serde::de::IgnoredAny>>(&json).is_ok();
        prop_assert_eq!(decode(&format!("2{json}")).is_ok(), valid);
    }

    #[test]
    fn every_text_is_written_as_serde_writes_it(text in text()) {
        let expected = serde_json::to_string(&text).unwrap();
        let units: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let mut out = Vec::new();
        write_utf16(&mut out, &units);
        prop_assert_eq!(std::str::from_utf8(&out).unwrap(), &expected);
        if text.is_ascii() {
            out.clear();
            write_ascii(&mut out, text.as_bytes());
            prop_assert_eq!(std::str::from_utf8(&out).unwrap(), &expected);
        }
    }
}
