//! Long strings among the arguments of a packet.
//!
//! JSON is the slow way to bring a long text into JavaScript: the engine looks at each character
//! several times, on the only thread that runs the program. So a long string that is an
//! argument by itself (`["name", "…"]`, not `["name", {"text": "…"}]`) is found here, while the JSON
//! is checked, and decoded here, and JavaScript gets it as a string made in one piece.
//! The record tells its place beside the JSON, never in it, so no payload can name a string of another.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer as _, IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// A string of this many bytes of JSON, or more, is long. For a shorter one, `JSON.parse` costs less than
/// the call that makes a string.
pub const LONG_STRING: usize = 1024;

/// How many long strings of one packet are noted; those behind them go the usual way.
const MAX_LONG_STRINGS: usize = 4;

/// How many arguments are looked at: a packet may be an array of millions of numbers.
const MAX_INDEX: u32 = 16;

/// Bytes that are looked at together.
const BLOCK: usize = 64;

/// Where one long string stands in a payload.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LongStringSpan {
    /// Its index in the array that the payload is.
    pub index: u32,
    /// Where its first quote stands.
    pub start: usize,
    /// Behind its last quote.
    pub end: usize,
}

/// The long strings of one packet, in order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LongStringSpans {
    count: usize,
    strings: [LongStringSpan; MAX_LONG_STRINGS],
}

impl LongStringSpans {
    /// No long string.
    pub const NONE: Self = Self {
        count: 0,
        strings: [LongStringSpan { index: 0, start: 0, end: 0 }; MAX_LONG_STRINGS],
    };

    /// The strings; empty for nearly all packets.
    pub fn as_slice(&self) -> &[LongStringSpan] {
        &self.strings[..self.count]
    }

    fn push(&mut self, string: LongStringSpan) {
        self.strings[self.count] = string;
        self.count += 1;
    }

    const fn is_full(&self) -> bool {
        self.count == MAX_LONG_STRINGS
    }
}

/// Checks that `json` is valid and an array, and notes its long strings; `None` when it is not.
pub(super) fn check_array(json: &str) -> Option<LongStringSpans> {
    if let Some(strings) = check_plain_strings(json.as_bytes()) {
        return Some(strings);
    }
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let strings = deserializer.deserialize_seq(Finder { json }).ok()?;
    deserializer.end().ok()?;
    Some(strings)
}

/// The same for the commonest packets, arrays of nothing but strings without escapes: they are
/// looked at in blocks. `None`: it is some other array, or none.
fn check_plain_strings(json: &[u8]) -> Option<LongStringSpans> {
    let mut strings = LongStringSpans::NONE;
    let mut rest = json.strip_prefix(b"[")?;
    for index in 0..MAX_INDEX {
        let start = json.len() - rest.len();
        rest = rest.strip_prefix(b"\"")?;
        rest = rest[plain_len(rest)..].strip_prefix(b"\"")?;
        let end = json.len() - rest.len();
        if end - start >= LONG_STRING {
            strings.push(LongStringSpan { index, start, end });
        }
        match rest {
            b"]" => return Some(strings),
            [b',', tail @ ..] if !strings.is_full() => rest = tail,
            _ => return None,
        }
    }
    None
}

/// How many bytes come before the first that must be escaped in a JSON string.
fn plain_len(bytes: &[u8]) -> usize {
    let special = |byte: u8| byte < 0x20 || byte == b'"' || byte == b'\\';
    let (blocks, _) = bytes.as_chunks::<BLOCK>();
    let plain = |block: &&[u8; BLOCK]| !block.iter().fold(false, |found, &b| found | special(b));
    let start = blocks.iter().take_while(plain).count() * BLOCK;
    let rest = &bytes[start..];
    start + rest.iter().position(|&byte| special(byte)).unwrap_or(rest.len())
}

struct Finder<'a> {
    json: &'a str,
}

impl<'de> Visitor<'de> for Finder<'de> {
    type Value = LongStringSpans;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Self::Value, A::Error> {
        let mut strings = LongStringSpans::NONE;
        for index in 0..MAX_INDEX {
            // Walks like `IgnoredAny`, and tells what it has walked over.
            let Some(element) = elements.next_element::<&RawValue>()? else { return Ok(strings) };
            let element = element.get();
            if element.len() < LONG_STRING || !element.starts_with('"') {
                continue;
            }
            let start = element.as_ptr().addr() - self.json.as_ptr().addr();
            strings.push(LongStringSpan { index, start, end: start + element.len() });
            if strings.is_full() {
                break;
            }
        }
        while elements.next_element::<IgnoredAny>()?.is_some() {}
        Ok(strings)
    }
}

/// A string as JavaScript's engine stores it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LongString<'a> {
    /// One byte a character, when none is above U+00FF.
    Latin1(Cow<'a, [u8]>),
    /// UTF-16; surrogates may be alone, as they may in JSON.
    Utf16(Vec<u16>),
}

impl<'a> LongString<'a> {
    /// A string as it is.
    pub fn from_plain(string: &'a str) -> Self {
        if string.is_ascii() {
            return Self::Latin1(Cow::Borrowed(string.as_bytes()));
        }
        if string.chars().all(|c| u32::from(c) < 0x100) {
            return Self::Latin1(string.chars().map(|c| u32::from(c).to_le_bytes()[0]).collect());
        }
        Self::Utf16(string.encode_utf16().collect())
    }

    /// Reads a JSON string, its quotes included, that is known to be valid.
    pub fn from_json(string: &'a str) -> Self {
        let inner = &string[1..string.len() - 1];
        if is_plain(inner.as_bytes()) {
            return Self::Latin1(Cow::Borrowed(inner.as_bytes()));
        }
        if inner.is_ascii()
            && let Some(bytes) = unescape_narrow(inner)
        {
            return Self::Latin1(Cow::Owned(bytes));
        }
        let mut units = Vec::with_capacity(inner.len());
        unescape(inner, |piece| match piece {
            Piece::Plain(text) => units.extend(text.encode_utf16()),
            Piece::Unit(unit) => units.push(unit),
        });
        if units.iter().all(|&unit| unit < 0x100) {
            return Self::Latin1(units.iter().map(|unit| unit.to_le_bytes()[0]).collect());
        }
        units.shrink_to_fit();
        Self::Utf16(units)
    }

    /// Bytes that it takes.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Latin1(bytes) => bytes.len(),
            Self::Utf16(units) => units.len() * 2,
        }
    }

    /// The same, owned.
    #[must_use]
    pub fn into_owned(self) -> LongString<'static> {
        match self {
            Self::Latin1(bytes) => LongString::Latin1(Cow::Owned(bytes.into_owned())),
            Self::Utf16(units) => LongString::Utf16(units),
        }
    }
}

/// Whether all is ASCII without escapes. Each block is looked at to its end, so that the compiler makes
/// vector instructions of it.
fn is_plain(bytes: &[u8]) -> bool {
    let special = |byte: u8| byte >= 0x80 || byte == b'\\';
    let (blocks, tail) = bytes.as_chunks::<BLOCK>();
    blocks.iter().all(|block| !block.iter().fold(false, |found, &b| found | special(b)))
        && !tail.iter().any(|&byte| special(byte))
}

/// The usual case of escapes: line feeds and quotes among ASCII.
fn unescape_narrow(inner: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(inner.len());
    let mut narrow = true;
    unescape(inner, |piece| match piece {
        Piece::Plain(text) => bytes.extend_from_slice(text.as_bytes()),
        Piece::Unit(unit) => match u8::try_from(unit) {
            Ok(byte) => bytes.push(byte),
            Err(_) => narrow = false,
        },
    });
    narrow.then_some(bytes)
}

enum Piece<'a> {
    /// Without escapes.
    Plain(&'a str),
    /// What one escape stands for.
    Unit(u16),
}

/// Undoes the escapes of a valid JSON string without its quotes.
fn unescape(inner: &str, mut put: impl FnMut(Piece<'_>)) {
    let mut rest = inner;
    while let Some((plain, escaped)) = rest.split_once('\\') {
        if !plain.is_empty() {
            put(Piece::Plain(plain));
        }
        let (letter, mut tail) = escaped.split_at(1);
        put(Piece::Unit(match letter.as_bytes()[0] {
            b'b' => 0x08,
            b't' => 0x09,
            b'n' => 0x0a,
            b'f' => 0x0c,
            b'r' => 0x0d,
            b'u' => {
                let digits;
                (digits, tail) = tail.split_at(4);
                u16::from_str_radix(digits, 16).expect("valid JSON has four digits here")
            }
            itself => u16::from(itself),
        }));
        rest = tail;
    }
    if !rest.is_empty() {
        put(Piece::Plain(rest));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(json: &str) -> Vec<(u32, &str)> {
        let strings = check_array(json).unwrap();
        strings.as_slice().iter().map(|s| (s.index, &json[s.start..s.end])).collect()
    }

    #[test]
    fn long_strings_that_are_arguments_are_found() {
        let long = format!("\"{}\"", "x".repeat(LONG_STRING - 2));
        let short = format!("\"{}\"", "x".repeat(LONG_STRING - 3));
        assert_eq!(find(&format!("[{short},{{\"a\":{long}}},[{long}]]")), []);
        let json = format!(" [ \"e\" ,\t{long} , 1, {long}\n] ");
        assert_eq!(find(&json), [(1, long.as_str()), (3, long.as_str())]);
        assert_eq!(find(&format!("[{}]", [long.as_str(); 9].join(","))).len(), MAX_LONG_STRINGS);
        assert_eq!(find(&format!("[{}{long}]", "0,".repeat(15))), [(15, long.as_str())]);
        assert_eq!(find(&format!("[{}{long}]", "0,".repeat(16))), []);
    }

    #[test]
    fn what_is_not_valid_is_refused_wherever_the_fault_is() {
        let long = format!("\"{}\"", "x".repeat(LONG_STRING));
        for bad in
            ["{}", "\"\"", "[1", "[1,]", "[\"\u{1}\"]", "[\"\\x\"]", "[] []", "[\"\\u12g4\"]"]
        {
            assert_eq!(check_array(bad), None, "{bad}");
        }
        for fault in [",", "1", "x", "\"\n\"", "]", "[}"] {
            for count in [0, 1, 4, 5, 30] {
                let json = format!("[{}{fault}]", format!("{long},").repeat(count));
                assert_eq!(check_array(&json).is_some(), fault == "1", "{count} {fault}");
            }
        }
    }

    #[test]
    fn arrays_of_plain_strings_are_found_alike() {
        for (len, special) in [(0, "\\n"), (1100, "\\n"), (1100, "\u{1}"), (70, "é"), (1100, "😀")]
        {
            for before in [0, 1, 63, 64, 65, 200] {
                let text = format!("\"{}{special}{}\"", "a".repeat(before), "b".repeat(len));
                for json in [format!("[{text}]"), format!("[\"e\",{text},\"\",{text}]")] {
                    let mut deserializer = serde_json::Deserializer::from_str(&json);
                    let slow = deserializer.deserialize_seq(Finder { json: &json }).ok();
                    assert_eq!(check_array(&json), slow, "{json}");
                }
            }
        }
    }

    #[test]
    fn a_string_is_decoded_as_javascript_stores_it() {
        let latin1 = |bytes: &'static [u8]| LongString::Latin1(Cow::Borrowed(bytes));
        assert_eq!(LongString::from_json("\"\""), latin1(b""));
        assert_eq!(LongString::from_json("\"abc\""), latin1(b"abc"));
        assert_eq!(LongString::from_json("\"é\u{ff}\""), latin1(b"\xe9\xff"));
        let escapes = r#""\"\\\/\b\f\n\r\t\u0041\u00e9.""#;
        assert_eq!(LongString::from_json(escapes), latin1(b"\"\\/\x08\x0c\n\r\tA\xe9."));
        let wide = LongString::from_json(r#""a\ud83d\n€\uDE00😀""#);
        let expected = [0x61, 0xd83d, 0x0a, 0x20ac, 0xde00, 0xd83d, 0xde00];
        assert_eq!(wide, LongString::Utf16(expected.to_vec()));
        assert_eq!((wide.bytes(), latin1(b"abc").bytes()), (14, 3));
    }
}
