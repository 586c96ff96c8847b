//! A batch that is one packet of short strings, as most are while few messages come: JavaScript gets its parts as they are.
//! `JSON.parse` would take longer to begin than to read it.
//!
//! What this must not change: the parts are those that `JSON.parse` would give. Whatever is not plainly so is left to it: more
//! records, another namespace, attachments, escapes, anything but ASCII, anything but one or two strings.

use crate::border::RecordKind;

/// What such a batch says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlainPacket<'a> {
    /// `Event` or `Ack`, as its number.
    pub kind: u32,
    /// That of the session.
    pub handle: u32,
    /// The ack id; −1: none.
    pub id: i32,
    /// Of its payload; for an event the name.
    pub first: &'a str,
    /// Of its payload.
    pub second: Option<&'a str>,
}

impl<'a> PlainPacket<'a> {
    /// Reads `batch`, records of [`RecordBatch::text`](super::record::RecordBatch::text); None: it is something else, or more.
    pub fn read(batch: &'a str) -> Option<Self> {
        let rest = batch.strip_prefix("[[")?;
        let (kind, rest) = number(rest)?;
        if kind != RecordKind::Event as u32 && kind != RecordKind::Ack as u32 {
            return None;
        }
        let (handle, rest) = number(rest)?;
        let (id, rest) = if let Some(rest) = rest.strip_prefix("-1,") {
            (-1, rest)
        } else {
            let (id, rest) = number(rest)?;
            (i32::try_from(id).ok()?, rest)
        };
        let payload = rest.strip_prefix('[')?.strip_suffix("]]]")?;
        let (first, rest) = string(payload)?;
        if rest.is_empty() {
            return Some(Self { kind, handle, id, first, second: None });
        }
        let (second, rest) = string(rest.strip_prefix(',')?)?;
        rest.is_empty().then_some(Self { kind, handle, id, first, second: Some(second) })
    }
}

/// A whole number as JSON writes it, and what stands behind its comma.
fn number(text: &str) -> Option<(u32, &str)> {
    let end = text.bytes().position(|byte| !byte.is_ascii_digit())?;
    let (digits, rest) = text.split_at(end);
    if digits.len() > 1 && digits.starts_with('0') {
        return None;
    }
    Some((digits.parse().ok()?, rest.strip_prefix(',')?))
}

/// A string in which nothing is escaped and all is ASCII, and what stands behind it.
fn string(text: &str) -> Option<(&str, &str)> {
    let text = text.strip_prefix('"')?;
    let end = text.bytes().position(|byte| matches!(byte, b'"' | b'\\' | 0x80..))?;
    (text.as_bytes()[end] == b'"').then(|| (&text[..end], &text[end + 1..]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    /// What `JSON.parse` gives, if it is one packet of one or two strings.
    fn parsed(batch: &str) -> Option<(u32, u32, i32, Vec<String>)> {
        let records: Vec<(u32, u32, i32, Vec<String>)> = serde_json::from_str(batch).ok()?;
        let [record] = <[_; 1]>::try_from(records).ok()?;
        (matches!(record.0, 2 | 3) && (1..=2).contains(&record.3.len())).then_some(record)
    }

    fn read(batch: &str) -> Option<(u32, u32, i32, Vec<String>)> {
        PlainPacket::read(batch).map(|PlainPacket { kind, handle, id, first, second }| {
            let strings = [Some(first), second].into_iter().flatten().map(str::to_owned);
            (kind, handle, id, strings.collect())
        })
    }

    #[test]
    fn plain_packets_are_read() {
        for batch in [
            r#"[[2,0,-1,["a"]]]"#,
            r#"[[2,4294967295,0,["a","b"]]]"#,
            r#"[[3,17,2147483647,["",""]]]"#,
            r#"[[3,17,12,["]]]","[[,"]]]"#,
        ] {
            assert!(read(batch).is_some(), "{batch}");
            assert_eq!(read(batch), parsed(batch));
        }
    }

    #[test]
    fn all_else_is_not() {
        for batch in [
            "",
            "[[2,0,-1,[]]]",
            r#"[[2,0,-1,["a"]]] "#,
            r#"[[2,0,-1,["a","b","c"]]]"#,
            r#"[[2,0,-1,["a",["b"]]]]"#,
            r#"[[2,0,-1,["a","b",["c"]]]]"#,
            r#"[[2,0,-1,["a" ,"b"]]]"#,
            r#"[[2,0,-1,["a"],"/n"]]"#,
            r#"[[2,0,-1,["a",0],"/",0,1]]"#,
            r#"[[2,0,-1,["a"]],[2,0,-1,["b"]]]"#,
            r#"[[2,0,-1,["\u0061"]]]"#,
            r#"[[2,0,-1,["é"]]]"#,
            r#"[[2,0,99999999999,["a"]]]"#,
            r#"[[2,0,-2,["a"]]]"#,
            r#"[[1,0,-1,["a"]]]"#,
        ] {
            assert_eq!(read(batch), None, "{batch}");
        }
    }

    proptest! {
        #[test]
        fn the_parts_are_those_of_the_json(
            kind in 0..5_u32,
            handle: u32,
            id in -1..20_i32,
            strings in prop::collection::vec("[ -~]{0,5}|\\PC{0,3}", 0..4),
            more in prop::option::of("[]\\[\",]{0,4}"),
        ) {
            let mut record = json!([kind, handle, id, strings]);
            if let Some(more) = more {
                record.as_array_mut().unwrap().push(Value::String(more));
            }
            let batch = Value::Array(vec![record]).to_string();
            if let Some(packet) = read(&batch) {
                prop_assert_eq!(Some(packet), parsed(&batch));
            }
        }

        #[test]
        fn whatever_is_read_is_json_of_the_same_parts(batch in "\\[\\[[23],1,(-1|0|12),[]\\[\",a\\\\ 1]{0,12}\\]\\]\\]") {
            if let Some(packet) = read(&batch) {
                prop_assert_eq!(Some(packet), parsed(&batch));
            }
        }
    }
}
