//! JSON, as far as messages between nodes are read, and turned into `MessagePack`.
//!
//! What is read here either was made by `JSON.stringify` in this process, or has been found to be JSON
//! ([`check`]). So this looks for where values end, and is no second judge of what is JSON.

use std::borrow::Cow;

use serde::de::IgnoredAny;

use super::msgpack::{write_array, write_bin, write_f64, write_map, write_str};
use super::{MAX_DEPTH, Malformed};

type Result<T = ()> = std::result::Result<T, Malformed>;

/// What stands where an attachment belongs, up to its number.
const PLACEHOLDER: &[u8] = b"{\"_placeholder\":true,\"num\":";

/// Looks whether all of `bytes` is one JSON value in UTF-8.
///
/// # Errors
/// It is not.
pub fn check(bytes: &[u8]) -> Result<&str> {
    let text = simdutf8::basic::from_utf8(bytes).map_err(|_| Malformed)?;
    serde_json::from_str::<IgnoredAny>(text).map_err(|_| Malformed)?;
    Ok(text)
}

/// A value of a text, as it stands there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Value<'a>(pub &'a str);

impl<'a> Value<'a> {
    /// The pairs of an object; none when it is something else.
    pub fn members(self) -> impl Iterator<Item = (Cow<'a, str>, Self)> {
        let mut scanner = Scanner::new(self.0.as_bytes());
        let mut open = scanner.begin(b'{');
        std::iter::from_fn(move || {
            open = open && scanner.more(b'}');
            if !open {
                return None;
            }
            let key = unescape(text(scanner.string().ok()?)?);
            scanner.expect(b':').ok()?;
            let value = scanner.value().ok()?;
            Some((key, Self(text(value)?)))
        })
    }

    /// The values of an array; none when it is something else.
    pub fn elements(self) -> impl Iterator<Item = Self> {
        let mut scanner = Scanner::new(self.0.as_bytes());
        let mut open = scanner.begin(b'[');
        std::iter::from_fn(move || {
            open = open && scanner.more(b']');
            if open { scanner.value().ok().and_then(text).map(Self) } else { None }
        })
    }

    /// The value of that name, the last one if there are several.
    pub fn get(self, name: &str) -> Option<Self> {
        self.members().filter(|(key, _)| key == name).last().map(|(_, value)| value)
    }

    /// Its text, if it is a string.
    pub fn string(self) -> Option<Cow<'a, str>> {
        let inner = self.0.strip_prefix('"')?.strip_suffix('"')?;
        Some(unescape(inner))
    }

    /// Its number, if it is one.
    pub fn number(self) -> Option<f64> {
        self.0.parse().ok()
    }

    /// Whether it is an array.
    pub fn is_array(self) -> bool {
        self.0.starts_with('[')
    }

    /// Whether it is an object.
    pub fn is_object(self) -> bool {
        self.0.starts_with('{')
    }

    /// Whether it is `null`.
    pub fn is_null(self) -> bool {
        self.0 == "null"
    }

    /// Whether JavaScript takes it for true.
    pub fn is_truthy(self) -> bool {
        match self.0 {
            "false" | "null" | "\"\"" => false,
            other => {
                other.parse().is_ok_and(|number: f64| number != 0.0) || self.number().is_none()
            }
        }
    }
}

/// Appends what a JSON text stands for as `MessagePack`. A placeholder with a number of one of the `attachments` is that.
///
/// # Errors
/// It is no JSON, or nested too deeply.
pub fn write_msgpack(out: &mut Vec<u8>, json: &[u8], attachments: &[&[u8]]) -> Result {
    let mut scanner = Scanner::new(json);
    scanner.write(out, attachments, 0)?;
    if scanner.peek().is_some() { Err(Malformed) } else { Ok(()) }
}

struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Whether nothing of the array or object has been read yet.
    first: bool,
}

impl<'a> Scanner<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, first: true }
    }

    /// The next byte that is no space.
    fn peek(&mut self) -> Option<u8> {
        while let Some(&byte) = self.bytes.get(self.at) {
            if !matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
                return Some(byte);
            }
            self.at += 1;
        }
        None
    }

    fn expect(&mut self, byte: u8) -> Result {
        if self.peek() == Some(byte) {
            self.at += 1;
            Ok(())
        } else {
            Err(Malformed)
        }
    }

    fn begin(&mut self, open: u8) -> bool {
        self.first = true;
        self.expect(open).is_ok()
    }

    /// Whether another element follows; goes to where it begins, or past the end.
    fn more(&mut self, close: u8) -> bool {
        let first = std::mem::take(&mut self.first);
        match self.peek() {
            Some(byte) if byte == close => {
                self.at += 1;
                false
            }
            Some(b',') if !first => {
                self.at += 1;
                true
            }
            Some(_) => first,
            None => false,
        }
    }

    /// What stands between the quotes of a string.
    fn string(&mut self) -> Result<&'a [u8]> {
        self.expect(b'"')?;
        let start = self.at;
        loop {
            let rest = &self.bytes[self.at..];
            let found = memchr::memchr2(b'"', b'\\', rest).ok_or(Malformed)?;
            self.at += found + 1;
            if rest[found] == b'"' {
                return Ok(&self.bytes[start..self.at - 1]);
            }
            if self.at >= self.bytes.len() {
                return Err(Malformed);
            }
            self.at += 1; // what is escaped
        }
    }

    /// The whole next value.
    fn value(&mut self) -> Result<&'a [u8]> {
        self.peek();
        let start = self.at;
        let mut depth = 0_usize;
        loop {
            match self.peek().ok_or(Malformed)? {
                b'"' => {
                    self.string()?;
                }
                b'[' | b'{' => {
                    depth += 1;
                    self.at += 1;
                    continue;
                }
                b']' | b'}' => {
                    depth = depth.checked_sub(1).ok_or(Malformed)?;
                    self.at += 1;
                }
                b',' | b':' if depth > 0 => {
                    self.at += 1;
                    continue;
                }
                _ => {
                    self.scalar()?;
                }
            }
            if depth == 0 {
                return Ok(&self.bytes[start..self.at]);
            }
        }
    }

    /// A number or a word.
    fn scalar(&mut self) -> Result<&'a [u8]> {
        let rest = &self.bytes[self.at..];
        let ends = |byte: &u8| {
            matches!(
                byte,
                b',' | b':' | b'"' | b'[' | b']' | b'{' | b'}' | b' ' | b'\t' | b'\n' | b'\r'
            )
        };
        let length = rest.iter().position(ends).unwrap_or(rest.len());
        self.at += length;
        if length == 0 { Err(Malformed) } else { Ok(&rest[..length]) }
    }

    fn write(&mut self, out: &mut Vec<u8>, attachments: &[&[u8]], depth: usize) -> Result {
        if depth > MAX_DEPTH {
            return Err(Malformed);
        }
        match self.peek().ok_or(Malformed)? {
            b'"' => write_string(out, self.string()?),
            b'[' => {
                self.at += 1;
                self.first = true;
                let start = out.len();
                let mut count = 0;
                while self.more(b']') {
                    self.write(out, attachments, depth + 1)?;
                    self.first = false;
                    count += 1;
                }
                insert_head(out, start, |head| write_array(head, count));
            }
            b'{' => {
                if let Some(attachment) = self.placeholder(attachments) {
                    write_bin(out, attachment);
                    return Ok(());
                }
                self.at += 1;
                self.first = true;
                let start = out.len();
                let mut count = 0;
                while self.more(b'}') {
                    write_string(out, self.string()?);
                    self.expect(b':')?;
                    self.write(out, attachments, depth + 1)?;
                    self.first = false;
                    count += 1;
                }
                insert_head(out, start, |head| write_map(head, count));
            }
            _ => match self.scalar()? {
                b"null" => out.push(0xc0),
                b"false" => out.push(0xc2),
                b"true" => out.push(0xc3),
                number => {
                    let number = std::str::from_utf8(number).ok().and_then(|it| it.parse().ok());
                    write_f64(out, number.ok_or(Malformed)?);
                }
            },
        }
        // What ends an array or object is looked for behind the value only.
        Ok(())
    }

    /// Reads a placeholder, if that is what stands here, as our own encoder writes it.
    fn placeholder<'b>(&mut self, attachments: &[&'b [u8]]) -> Option<&'b [u8]> {
        if attachments.is_empty() {
            return None;
        }
        let rest = self.bytes[self.at..].strip_prefix(PLACEHOLDER)?;
        let digits = rest.iter().position(|byte| !byte.is_ascii_digit())?;
        let number: usize = std::str::from_utf8(&rest[..digits]).ok()?.parse().ok()?;
        let attachment = attachments.get(number)?;
        if rest[digits] != b'}' {
            return None;
        }
        self.at += PLACEHOLDER.len() + digits + 1;
        Some(attachment)
    }
}

/// Writes what an array or a map begins with before its values, which stand from `start` on.
fn insert_head(out: &mut Vec<u8>, start: usize, write: impl FnOnce(&mut Vec<u8>)) {
    let end = out.len();
    write(out);
    let length = out.len() - end;
    out[start..].rotate_right(length);
}

fn write_string(out: &mut Vec<u8>, inner: &[u8]) {
    if memchr::memchr(b'\\', inner).is_none() {
        return write_str(out, inner);
    }
    match text(inner) {
        Some(inner) => write_str(out, unescape(inner).as_bytes()),
        None => write_str(out, unescape(&String::from_utf8_lossy(inner)).as_bytes()),
    }
}

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

/// The text that stands between the quotes of a string. A surrogate that is alone becomes U+FFFD.
fn unescape(inner: &str) -> Cow<'_, str> {
    if memchr::memchr(b'\\', inner.as_bytes()).is_none() {
        return Cow::Borrowed(inner);
    }
    let mut text = String::with_capacity(inner.len());
    let mut units: Vec<u16> = Vec::new();
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            text.push(character);
            continue;
        }
        match characters.next() {
            Some('b') => text.push('\u{8}'),
            Some('f') => text.push('\u{c}'),
            Some('n') => text.push('\n'),
            Some('r') => text.push('\r'),
            Some('t') => text.push('\t'),
            Some('u') => {
                // Halves of a pair follow each other.
                units.clear();
                units.push(hexadecimal(&mut characters));
                while let Some(rest) = characters.as_str().strip_prefix("\\u") {
                    characters = rest.chars();
                    units.push(hexadecimal(&mut characters));
                }
                text.push_str(&String::from_utf16_lossy(&units));
            }
            Some(other) => text.push(other),
            None => {}
        }
    }
    Cow::Owned(text)
}

fn hexadecimal(characters: &mut std::str::Chars<'_>) -> u16 {
    let digits = characters.by_ref().take(4).map(|it| it.to_digit(16).unwrap_or(0));
    digits.fold(0, |unit, digit| unit << 4 | u16::try_from(digit).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_and_elements_are_found() {
        let value = Value(r#"{ "a" : [1, {"x":"]}"} , "b\"," ],"b":null, "a\u0062":2,"a":true}"#);
        let members: Vec<_> = value.members().map(|(key, value)| (key, value.0)).collect();
        let expected =
            [("a", r#"[1, {"x":"]}"} , "b\"," ]"#), ("b", "null"), ("ab", "2"), ("a", "true")];
        assert_eq!(members, expected.map(|(key, value)| (Cow::Borrowed(key), value)));
        assert_eq!(value.get("a"), Some(Value("true")));
        let elements: Vec<_> = members[0].1.into_elements();
        assert_eq!(elements, ["1", r#"{"x":"]}"}"#, r#""b\",""#]);
        assert_eq!(Value("[]").elements().count() + Value("{}").members().count(), 0);
        assert_eq!(Value("5").elements().count() + Value("[1]").members().count(), 0);
    }

    trait IntoElements {
        fn into_elements(self) -> Vec<String>;
    }

    impl IntoElements for &str {
        fn into_elements(self) -> Vec<String> {
            Value(self).elements().map(|value| value.0.to_owned()).collect()
        }
    }

    #[test]
    fn strings_are_unescaped() {
        let string = |text: &str| Value(text).string().unwrap().into_owned();
        assert_eq!(string(r#""a\"\\\/\b\f\n\r\té""#), "a\"\\/\u{8}\u{c}\n\r\té");
        assert_eq!(string(r#""\ud83d\ude00\u0041""#), "😀A");
        assert_eq!(string(r#""\ud83dx\ude00""#), "\u{fffd}x\u{fffd}");
    }

    #[test]
    fn what_is_true_is_told() {
        for (text, truthy) in [
            ("true", true),
            ("1", true),
            ("{}", true),
            ("\"0\"", true),
            ("0", false),
            ("null", false),
        ] {
            assert_eq!(Value(text).is_truthy(), truthy, "{text}");
        }
    }
}
