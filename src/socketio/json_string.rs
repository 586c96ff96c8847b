//! Strings as `JSON.stringify` writes them, byte for byte (ECMA-262, `QuoteJSONString`).
//!
//! Escaped are the quote, the backslash, control characters (five of them by a letter, the others
//! as `\u00` and two small hexadecimal digits) and surrogates that are alone. Nearly all text needs
//! none of it, so whole blocks are checked first, in loops over arrays of fixed size: the compiler makes
//! vector instructions of them.

/// Bytes, or UTF-16 units, that are looked at together.
const BLOCK: usize = 32;

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Appends ASCII text as a JSON string.
pub fn write_ascii(out: &mut Vec<u8>, text: &[u8]) {
    out.reserve(text.len() + 2);
    out.push(b'"');
    // The bytes before `plain` are written; those from it on need no escape, so far.
    let mut plain = 0;
    let (blocks, _) = text.as_chunks::<BLOCK>();
    for (i, block) in blocks.iter().enumerate() {
        if has_escapes(block) {
            out.extend_from_slice(&text[plain..i * BLOCK]);
            write_bytes(out, block);
            plain = (i + 1) * BLOCK;
        }
    }
    let tail = blocks.len() * BLOCK;
    out.extend_from_slice(&text[plain..tail.max(plain)]);
    write_bytes(out, &text[tail..]);
    out.push(b'"');
}

/// Appends text as a JSON string.
pub fn write_utf8(out: &mut Vec<u8>, text: &str) {
    write_ascii(out, text.as_bytes()); // what is not ASCII needs no escape
}

/// Appends UTF-16 text, as little-endian bytes, as a JSON string in UTF-8.
pub fn write_utf16(out: &mut Vec<u8>, text: &[u8]) {
    let (mut units, _) = text.as_chunks::<2>();
    out.reserve(units.len() + 2);
    out.push(b'"');
    while let Some((block, rest)) = units.split_first_chunk::<BLOCK>() {
        let block = block.map(u16::from_le_bytes);
        if is_plain(&block) {
            out.extend_from_slice(&block.map(|unit| unit.to_le_bytes()[0]));
            units = rest;
            continue;
        }
        // A pair that is cut by the end of the block would look like two lone surrogates.
        let whole = if is_high_surrogate(block[BLOCK - 1]) { BLOCK - 1 } else { BLOCK };
        write_units(out, &block[..whole]);
        units = &units[whole..];
    }
    let mut tail = [0; BLOCK];
    for (unit, bytes) in tail.iter_mut().zip(units) {
        *unit = u16::from_le_bytes(*bytes);
    }
    write_units(out, &tail[..units.len()]);
    out.push(b'"');
}

/// Whether some byte of ASCII needs an escape. It never stops early, so that it becomes vector
/// instructions.
fn has_escapes(block: &[u8; BLOCK]) -> bool {
    block.iter().fold(false, |found, &byte| found | needs_escape(byte))
}

/// Whether all is ASCII without escapes.
fn is_plain(block: &[u16; BLOCK]) -> bool {
    let special = |unit| unit < 0x20 || unit == 0x22 || unit == 0x5c || unit >= 0x80;
    !block.iter().fold(false, |found, &unit| found | special(unit))
}

const fn needs_escape(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

const fn is_high_surrogate(unit: u16) -> bool {
    unit & 0xfc00 == 0xd800
}

fn write_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    for &byte in bytes {
        if needs_escape(byte) {
            write_escape(out, byte);
        } else {
            out.push(byte);
        }
    }
}

fn write_units(out: &mut Vec<u8>, units: &[u16]) {
    for decoded in char::decode_utf16(units.iter().copied()) {
        match decoded {
            Ok(char) if char.is_ascii() && needs_escape(char as u8) => {
                write_escape(out, char as u8);
            }
            Ok(char) => out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes()),
            Err(lone) => {
                let [high, low] = lone.unpaired_surrogate().to_be_bytes();
                out.extend_from_slice(b"\\u");
                write_hex(out, high);
                write_hex(out, low);
            }
        }
    }
}

fn write_escape(out: &mut Vec<u8>, byte: u8) {
    let letter = match byte {
        0x08 => b'b',
        0x09 => b't',
        0x0a => b'n',
        0x0c => b'f',
        0x0d => b'r',
        b'"' | b'\\' => byte,
        _ => {
            out.extend_from_slice(b"\\u00");
            return write_hex(out, byte);
        }
    };
    out.extend_from_slice(&[b'\\', letter]);
}

fn write_hex(out: &mut Vec<u8>, byte: u8) {
    out.extend_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ascii(text: &str) -> String {
        let mut out = Vec::new();
        write_ascii(&mut out, text.as_bytes());
        String::from_utf8(out).unwrap()
    }

    fn utf16(units: &[u16]) -> String {
        let bytes: Vec<u8> = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
        let mut out = Vec::new();
        write_utf16(&mut out, &bytes);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn each_ascii_character_at_each_place_of_a_block() {
        for code in 0..0x80u8 {
            for before in [0, 1, 31, 32, 33, 70] {
                for after in [0, 1, 31, 40] {
                    let text =
                        format!("{}{}{}", "a".repeat(before), char::from(code), "b".repeat(after));
                    let expected = serde_json::to_string(&text).unwrap();
                    assert_eq!(ascii(&text), expected);
                    let units: Vec<u16> = text.encode_utf16().collect();
                    assert_eq!(utf16(&units), expected);
                }
            }
        }
    }

    #[test]
    fn each_width_at_each_place_of_a_block() {
        for before in 0..=66 {
            for char in ['é', '€', '\u{2028}', '\u{ffff}', '😀', '\u{10ffff}'] {
                let text = format!("{}{char}\"{char}{}", "a".repeat(before), "b".repeat(40));
                let units: Vec<u16> = text.encode_utf16().collect();
                assert_eq!(utf16(&units), serde_json::to_string(&text).unwrap());
            }
        }
    }

    #[test]
    fn surrogates_that_are_alone_are_escaped_in_small_letters() {
        assert_eq!(utf16(&[0xd83d]), r#""\ud83d""#);
        assert_eq!(utf16(&[0xdfff, 0xd800, 0x61]), r#""\udfff\ud800a""#);
        for before in 0..=66 {
            let mut units = vec![0x61; before];
            units.extend([0xd83d, 0xd83d, 0xde00, 0xde00, 0xdbff]);
            let expected = format!("\"{}\\ud83d😀\\ude00\\udbff\"", "a".repeat(before));
            assert_eq!(utf16(&units), expected);
        }
    }
}
