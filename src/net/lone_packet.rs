//! A batch that is one packet, as most are while few messages come: JavaScript gets its parts as they are. `JSON.parse` takes
//! longer to begin than to read a short text, so the array of records is not made for it, and short strings are not parsed
//! at all.
//!
//! What this must not change: the parts are those that `JSON.parse` would give. Which batch is one packet is noted when it is
//! written ([`Record::plain_packet`](super::record::Record::plain_packet)). What is not plainly one or two strings (escapes, anything
//! but ASCII, any other value) is left to `JSON.parse`.

use memchr::memchr2;

/// What such a batch says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LonePacket<'a> {
    /// `Event` or `Ack`, as its number.
    pub kind: u32,
    /// That of the session.
    pub handle: u32,
    /// The ack id; −1: none.
    pub id: i32,
    /// Its data.
    pub payload: Payload<'a>,
}

/// An array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payload<'a> {
    /// Of one or two strings: ASCII, as they are. That of an event begins with its name.
    Strings(&'a str, Option<&'a str>),
    /// Of anything, as JSON.
    Json(&'a str),
}

impl<'a> LonePacket<'a> {
    /// `payload`: JSON that is known to be valid.
    pub(super) fn new(kind: u32, handle: u32, id: i32, payload: &'a str) -> Self {
        let strings = strings(payload).map(|(first, second)| Payload::Strings(first, second));
        Self { kind, handle, id, payload: strings.unwrap_or(Payload::Json(payload)) }
    }
}

fn strings(payload: &str) -> Option<(&str, Option<&str>)> {
    let (first, rest) = string(payload.strip_prefix('[')?)?;
    if rest == "]" {
        return Some((first, None));
    }
    let (second, rest) = string(rest.strip_prefix(',')?)?;
    (rest == "]").then_some((first, Some(second)))
}

/// A string in which nothing is escaped and all is ASCII, and what stands behind it.
fn string(text: &str) -> Option<(&str, &str)> {
    let text = text.strip_prefix('"')?;
    let end = memchr2(b'"', b'\\', text.as_bytes())?;
    let (string, rest) = text.split_at(end);
    Some((string, rest.strip_prefix('"')?)).filter(|_| string.is_ascii())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    /// What `JSON.parse` gives for what JavaScript gets.
    fn value(payload: Payload<'_>) -> Value {
        match payload {
            Payload::Strings(first, second) => {
                [Some(first), second].into_iter().flatten().collect()
            }
            Payload::Json(json) => serde_json::from_str(json).unwrap(),
        }
    }

    fn is_strings(payload: &str) -> bool {
        matches!(LonePacket::new(2, 0, -1, payload).payload, Payload::Strings(..))
    }

    #[test]
    fn one_or_two_short_strings_need_no_json() {
        for payload in [r#"["a"]"#, r#"["a","b"]"#, r#"["",""]"#, r#"["]]]","[[,"]"#] {
            assert!(is_strings(payload), "{payload}");
        }
        for payload in [
            "[]",
            r#"["a" ]"#,
            r#"[ "a"]"#,
            r#"["a" ,"b"]"#,
            r#"["a","b","c"]"#,
            r#"["a",["b"]]"#,
            r#"["a",0]"#,
            r#"[0,"a"]"#,
            r#"["\u0061"]"#,
            r#"["a","\""]"#,
            r#"["é"]"#,
        ] {
            assert!(!is_strings(payload), "{payload}");
        }
    }

    proptest! {
        #[test]
        fn the_parts_are_those_of_the_json(
            strings in prop::collection::vec("[ -~]{0,5}|\\PC{0,3}", 1..4),
            number in prop::option::of(any::<i32>()),
        ) {
            let strings = strings.into_iter().map(Value::from);
            let all = Value::Array(strings.chain(number.map(Value::from)).collect());
            let text = all.to_string();
            prop_assert_eq!(value(LonePacket::new(2, 0, -1, &text).payload), all);
        }

        #[test]
        fn whatever_is_json_is_read_as_that(payload in "\\[[]\\[\",a\\\\ 1]{0,12}\\]") {
            if let Ok(parsed) = serde_json::from_str::<Value>(&payload) {
                prop_assert_eq!(value(LonePacket::new(2, 0, -1, &payload).payload), parsed);
            }
        }
    }
}
