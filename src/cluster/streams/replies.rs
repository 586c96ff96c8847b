//! What is asked of Redis for a stream, and what it answers. An answer may have any shape: what is no entry is left out and counted.
#![expect(clippy::wildcard_enum_match_arm, reason = "Redis may say anything")]

use redis::{Cmd, Value, cmd};

use crate::redis::Malformed;
use crate::redis::entries::{Entry, EntryId};

/// How long Redis waits for an entry before it says that there is none, in ms: less than an answer may take.
const BLOCK: u64 = 5_000;

/// An entry, or the id of what is none.
pub(super) type Read = Result<Entry, Option<EntryId>>;

/// Entries after that one.
pub(super) fn read(key: &str, after: EntryId, count: u32, block: bool) -> Cmd {
    let mut command = cmd("XREAD");
    command.arg("COUNT").arg(count);
    if block {
        command.arg("BLOCK").arg(BLOCK);
    }
    command.arg("STREAMS").arg(key).arg(after.to_string());
    command
}

/// Entries after one, and not after another.
pub(super) fn range(key: &str, after: EntryId, to: EntryId, count: u32) -> Cmd {
    let mut command = cmd("XRANGE");
    command.arg(key).arg(format!("({after}")).arg(to.to_string()).arg("COUNT").arg(count);
    command
}

/// The entries of an answer to [`read`].
pub(super) fn entries_read(answer: Value) -> Vec<Read> {
    match answer {
        // Of the one stream that was asked for.
        Value::Map(mut streams) => streams.pop().map(|(_, list)| entries(list)).unwrap_or_default(),
        Value::Array(mut streams) => match streams.pop() {
            Some(Value::Array(mut pair)) if pair.len() == 2 => {
                pair.pop().map(entries).unwrap_or_default()
            }
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

/// Those of an answer to [`range`].
pub(super) fn entries(list: Value) -> Vec<Read> {
    let Value::Array(list) = list else { return Vec::new() };
    list.into_iter().map(entry).collect()
}

fn entry(value: Value) -> Read {
    let Value::Array(parts) = value else { return Err(None) };
    let mut parts = parts.into_iter();
    let (Some(Value::BulkString(id)), Some(fields)) = (parts.next(), parts.next()) else {
        return Err(None);
    };
    let bytes = |value| match value {
        Value::BulkString(bytes) => bytes,
        _ => Vec::new(),
    };
    let fields: Vec<_> = match fields {
        Value::Array(fields) => fields.into_iter().map(bytes).collect(),
        Value::Map(pairs) => {
            pairs.into_iter().flat_map(|(name, value)| [bytes(name), bytes(value)]).collect()
        }
        _ => Vec::new(),
    };
    let place = parse(&id);
    Entry::new(&id, fields).map_err(|Malformed| place)
}

fn parse(id: &[u8]) -> Option<EntryId> {
    std::str::from_utf8(id).ok()?.parse().ok()
}

/// What there is of a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Extent {
    /// The last entry that was written.
    pub(super) last: EntryId,
    /// The first one that is there.
    first: Option<EntryId>,
    /// How many are there.
    length: u64,
    /// How many were written ever; since Redis 7.
    added: Option<u64>,
}

impl Extent {
    /// Of an answer to `XINFO STREAM`.
    pub(super) fn new(answer: Value) -> Self {
        let mut extent = Self::default();
        let pairs = match answer {
            Value::Map(pairs) => pairs,
            Value::Array(values) => {
                let mut values = values.into_iter();
                std::iter::from_fn(|| values.next().zip(values.next())).collect()
            }
            _ => Vec::new(),
        };
        let id = |value: Value| match value {
            Value::BulkString(id) => parse(&id),
            Value::SimpleString(id) => parse(id.as_bytes()),
            _ => None,
        };
        for (name, value) in pairs {
            let name = match &name {
                Value::BulkString(name) => &**name,
                Value::SimpleString(name) => name.as_bytes(),
                _ => continue,
            };
            match (name, value) {
                (b"last-generated-id", value) => extent.last = id(value).unwrap_or_default(),
                (b"length", Value::Int(length)) => extent.length = length.unsigned_abs(),
                (b"entries-added", Value::Int(added)) => extent.added = Some(added.unsigned_abs()),
                (b"first-entry", Value::Array(parts)) => {
                    extent.first = parts.into_iter().next().and_then(id);
                }
                _ => {}
            }
        }
        extent
    }

    /// Whether all that was written after that entry is there. A stream that has lost nothing, and not that entry, is another one, which
    /// was begun anew since: Redis has lost the old one.
    pub(super) fn has_all_after(&self, place: EntryId) -> bool {
        self.last <= place
            || self.first.is_some_and(|first| first <= place)
            || (place == EntryId::default() && self.added == Some(self.length))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    fn id(time: u64) -> EntryId {
        EntryId { time, number: 0 }
    }

    #[test]
    fn entries_are_read_in_both_versions_of_the_protocol() {
        let fields = ["uid", "a", "nsp", "/", "type", "3", "data", "{}", "n", "4"].map(text);
        let list = Value::Array(vec![
            Value::Array(vec![text("1-0"), Value::Array(fields.to_vec())]),
            Value::Array(vec![text("2-0"), Value::Array(vec![text("a"), text("b")])]),
            Value::Nil,
        ]);
        let answers = [
            Value::Map(vec![(text("s"), list.clone())]),
            Value::Array(vec![Value::Array(vec![text("s"), list])]),
        ];
        for answer in answers {
            let read = entries_read(answer);
            assert_eq!(read.len(), 3);
            let first = read[0].as_ref().unwrap();
            assert_eq!((first.id, first.number), (id(1), Some(4)));
            assert_eq!(read[1..], [Err(Some(id(2))), Err(None)]);
        }
        for nothing in [Value::Nil, Value::Int(1), Value::Array(vec![Value::Nil])] {
            assert_eq!(entries_read(nothing), []);
        }
    }

    #[test]
    fn what_has_been_trimmed_shows() {
        let first = Value::Array(vec![text("5-0"), Value::Array(vec![])]);
        let pairs = |added| {
            vec![
                (text("length"), Value::Int(3)),
                (text("last-generated-id"), text("9-0")),
                (text("entries-added"), Value::Int(added)),
                (text("first-entry"), first.clone()),
            ]
        };
        let extent = Extent::new(Value::Map(pairs(7)));
        assert_eq!(extent.last, id(9));
        for (place, has_all) in [(4, false), (5, true), (7, true), (9, true), (10, true)] {
            assert_eq!(extent.has_all_after(id(place)), has_all, "{place}");
        }
        assert!(Extent::new(Value::Map(pairs(3))).has_all_after(id(0)));
        assert!(!Extent::new(Value::Map(pairs(3))).has_all_after(id(4)), "it is another one");
        assert!(Extent::default().has_all_after(id(0)), "there is no stream");
        let flat = Value::Array(pairs(7).into_iter().flat_map(|(a, b)| [a, b]).collect());
        assert_eq!(Extent::new(flat), extent);
    }
}
