//! Base64 as clients have always been allowed to write it.

use base64_simd::{STANDARD, STANDARD_NO_PAD};

/// Length of the base64 of `len` bytes.
pub(super) fn encoded_len(len: usize) -> usize {
    len.div_ceil(3) * 4
}

/// Appends `data` as base64, with padding.
pub(super) fn encode(out: &mut Vec<u8>, data: &[u8]) {
    STANDARD.encode_append(data, out);
}

/// Decodes base64 as leniently as `Buffer.from(text, "base64")`, which never fails: both alphabets,
/// characters of neither are skipped, the first `=` ends it, a lone last character is dropped.
///
/// One difference: Node.js takes a character above U+00FF by its low byte; here it is skipped.
pub(super) fn decode(text: &[u8]) -> Vec<u8> {
    // What nearly every client sends is decoded many bytes at once, and all that is not quite
    // that the slow way.
    let usual = if text.len().is_multiple_of(4) { STANDARD } else { STANDARD_NO_PAD };
    usual.decode_to_vec(text).unwrap_or_else(|_| decode_lenient(text))
}

fn decode_lenient(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let mut group = 0_u32;
    let mut digits = 0;
    for digit in text.iter().take_while(|&&byte| byte != b'=').filter_map(|&byte| sextet(byte)) {
        group = group << 6 | u32::from(digit);
        digits += 1;
        if digits == 4 {
            out.extend_from_slice(&group.to_be_bytes()[1..]);
            (group, digits) = (0, 0);
        }
    }
    match digits {
        2 => out.extend_from_slice(&(group << 12).to_be_bytes()[1..2]),
        3 => out.extend_from_slice(&(group << 6).to_be_bytes()[1..3]),
        _ => {}
    }
    out
}

fn sextet(byte: u8) -> Option<u8> {
    Some(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_read_as_leniently_as_node_does() {
        let cases: [(&str, &[u8]); 22] = [
            ("", b""),
            ("AQID", &[1, 2, 3]),
            ("AQI=", &[1, 2]),
            ("AQ==", &[1]),
            ("AQI", &[1, 2]),
            ("AQ", &[1]),
            ("A", b""),
            ("A=QID", b""),
            ("=AQID", b""),
            ("AQ=AQID", &[1]),
            ("AQ==AQID", &[1]),
            ("AQID=AQID", &[1, 2, 3]),
            ("AQID===", &[1, 2, 3]),
            ("AQ=====", &[1]),
            ("QQQ=QQ", &[0x41, 0x04]),
            ("A Q", &[1]),
            ("A\nQ==", &[1]),
            ("AQ!I", &[1, 2]),
            ("AQID!!!!AQID", &[1, 2, 3, 1, 2, 3]),
            ("-_-_", &[0xfb, 0xff, 0xbf]),
            ("+/+/", &[0xfb, 0xff, 0xbf]),
            ("A!", b""),
        ];
        for (text, bytes) in cases {
            assert_eq!(decode(text.as_bytes()), bytes, "{text:?}");
            assert_eq!(decode_lenient(text.as_bytes()), bytes, "{text:?}, the slow way");
        }
    }

    #[test]
    fn any_length_is_read_as_it_was_written_with_padding_or_without() {
        for length in 0..=300_usize {
            let bytes: Vec<u8> = (1..=u8::MAX).cycle().take(length).collect();
            let mut text = Vec::new();
            encode(&mut text, &bytes);
            assert_eq!(text.len(), encoded_len(length));
            assert_eq!(decode(&text), bytes);
            let bare = text.iter().position(|&byte| byte == b'=').unwrap_or(text.len());
            assert_eq!(decode(&text[..bare]), bytes);
        }
    }

    #[test]
    fn what_is_unusual_is_read_the_same_wherever_it_stands() {
        let mut text = Vec::new();
        encode(&mut text, &[0xfb; 150]);
        for at in 0..text.len() {
            for odd in *b"-_=\n!\0\xff" {
                let mut odd_text = text.clone();
                odd_text[at] = odd;
                assert_eq!(decode(&odd_text), decode_lenient(&odd_text), "{odd} at {at}");
                odd_text.insert(at, odd);
                assert_eq!(decode(&odd_text), decode_lenient(&odd_text), "{odd} twice at {at}");
            }
        }
    }
}
