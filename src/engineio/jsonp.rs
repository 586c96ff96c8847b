//! JSONP: polling for pages that may load scripts from elsewhere, and nothing else.
//!
//! An answer is a script that calls `___eio[<index>]` with the payload; a request is a form whose
//! field `d` is the payload. Browsers change line feeds in forms, so the client writes `\n` for them,
//! and `\\n` for a `\n` of the payload.

use std::borrow::Cow;

/// The payload as a script for the callback `index`, which must be made of digits.
pub(super) fn wrap(index: &str, payload: &[u8]) -> Vec<u8> {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let mut out = Vec::with_capacity(payload.len() + payload.len() / 8 + 16);
    out.extend_from_slice(b"___eio[");
    out.extend_from_slice(index.as_bytes());
    out.extend_from_slice(b"](\"");
    let mut rest = payload;
    while let Some((&byte, behind)) = rest.split_first() {
        rest = behind;
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            0x08 => out.extend_from_slice(b"\\b"),
            b'\t' => out.extend_from_slice(b"\\t"),
            b'\n' => out.extend_from_slice(b"\\n"),
            0x0c => out.extend_from_slice(b"\\f"),
            b'\r' => out.extend_from_slice(b"\\r"),
            0..0x20 => {
                let digits = [HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]];
                out.extend_from_slice(b"\\u00");
                out.extend_from_slice(&digits);
            }
            // U+2028 and U+2029 end a line of a script, though not of JSON.
            0xe2 if matches!(behind, [0x80, 0xa8 | 0xa9, ..]) => {
                out.extend_from_slice(if behind[1] == 0xa8 { b"\\u2028" } else { b"\\u2029" });
                rest = &behind[2..];
            }
            _ => out.push(byte),
        }
    }
    out.extend_from_slice(b"\");");
    out
}

/// The payload in a form; `None` when the field `d` is not there, or there more than once.
pub(super) fn unwrap(form: &str) -> Option<String> {
    let mut fields = form.split('&').filter_map(|field| {
        let (name, value) = field.split_once('=').unwrap_or((field, ""));
        (unescape(name) == "d").then_some(value)
    });
    let value = fields.next()?;
    if fields.next().is_some() {
        return None;
    }
    Some(restore_line_feeds(&unescape(value)))
}

/// The form that brings a payload, as a client writes it: what `Session::handle_post_body` reads.
pub(super) fn form(payload: &[u8]) -> Vec<u8> {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut out = b"d=".to_vec();
    let mut escape = |byte: u8| {
        out.extend_from_slice(&[b'%', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
    };
    let mut before = b' ';
    for &byte in payload {
        if byte == b'n' && before == b'\\' {
            escape(b'\\'); // or the two would be a line feed
        }
        escape(byte);
        before = byte;
    }
    out
}

/// Undoes the escapes of a form. A `%` without two hexadecimal digits stands for itself.
fn unescape(value: &str) -> Cow<'_, str> {
    if !value.contains(['%', '+']) {
        return Cow::Borrowed(value);
    }
    let mut out = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let Some((&byte, behind)) = rest.split_first() {
        rest = behind;
        match (byte, behind) {
            (b'+', _) => out.push(b' '),
            (b'%', [high, low, tail @ ..]) => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => {
                    out.push(high << 4 | low);
                    rest = tail;
                }
                (Some(_) | None, _) => out.push(byte),
            },
            _ => out.push(byte),
        }
    }
    Cow::Owned(
        String::from_utf8(out)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()),
    )
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| value.try_into().ok())
}

/// `\n` becomes a line feed; with more backslashes before it, `n` loses one of them.
fn restore_line_feeds(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut backslashes = 0;
    for char in text.chars() {
        match char {
            'n' if backslashes == 1 => {
                out.pop();
                out.push('\n');
            }
            'n' if backslashes > 1 => {
                out.pop();
                out.push('n');
            }
            _ => out.push(char),
        }
        backslashes = if char == '\\' { backslashes + 1 } else { 0 };
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_is_a_script() {
        let script = wrap("7", "2:4\"\\\n\u{1}\u{2028}\u{2029}é\u{20ac}".as_bytes());
        let expected = "___eio[7](\"2:4\\\"\\\\\\n\\u0001\\u2028\\u2029é\u{20ac}\");";
        assert_eq!(String::from_utf8(script).unwrap(), expected);
        assert_eq!(wrap("", b"\x08\x0c\t\r\x1f\xe2"), b"___eio[](\"\\b\\f\\t\\r\\u001f\xe2\");");
    }

    #[test]
    fn a_form_brings_what_it_is_made_of() {
        for payload in ["", "2:4a", "\n", "\\n", "\\\\n", "n\\", "é%+&=\u{1}", "a\\\\\\nb"] {
            let form = String::from_utf8(form(payload.as_bytes())).unwrap();
            assert_eq!(unwrap(&form).as_deref(), Some(payload), "{form}");
        }
    }

    #[test]
    fn the_request_is_a_form() {
        assert_eq!(unwrap("d=2%3A4a+%C3%A9&t=1").unwrap(), "2:4a é");
        assert_eq!(unwrap("t=1&%64=%zz%4").unwrap(), "%zz%4");
        assert_eq!(unwrap("d").unwrap(), "");
        assert_eq!(unwrap("d=%ff").unwrap(), "\u{fffd}");
        assert_eq!(unwrap("d=a&d=b"), None);
        assert_eq!(unwrap("e=a"), None);
    }

    #[test]
    fn line_feeds_come_back() {
        for (sent, meant) in [
            ("a\\nb", "a\nb"),
            ("a\\\\nb", "a\\nb"),
            ("a\\\\\\nb", "a\\\\nb"),
            ("\\n\\n\\\\n", "\n\n\\n"),
            ("\\\\x", "\\\\x"),
            ("n\\", "n\\"),
        ] {
            assert_eq!(restore_line_feeds(sent), meant, "{sent:?}");
        }
    }
}
