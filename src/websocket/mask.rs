//! Undoing the client's masking (RFC 6455, section 5.3).

/// Bytes handled at once: one AVX register, two SSE or NEON ones.
const BLOCK: usize = 32;
/// Bytes handled at once in what is left over after the blocks.
const WORD: usize = 8;

/// XORs `data` in place with `key` over and over; doing it twice changes nothing.
///
/// `data` begins at the key's first byte. A payload that comes in pieces needs the key turned by
/// the bytes already done: `key.rotate_left(done % 4)`.
pub fn unmask(data: &mut [u8], key: [u8; 4]) {
    // Clients that need no masking (behind TLS, in tests) send the zero key: nothing to do.
    if key == [0; 4] {
        return;
    }
    // Fixed-size arrays let LLVM turn the loop into vector instructions without unsafe code.
    let pattern: [u8; BLOCK] = std::array::from_fn(|i| key[i % 4]);
    let (blocks, rest) = data.as_chunks_mut::<BLOCK>();
    for block in blocks {
        for (byte, mask) in block.iter_mut().zip(&pattern) {
            *byte ^= mask;
        }
    }
    // Both sizes are multiples of four, so the key never has to be turned.
    let word = u64::from_ne_bytes(std::array::from_fn(|i| key[i % 4]));
    let (words, tail) = rest.as_chunks_mut::<WORD>();
    for bytes in words {
        *bytes = (u64::from_ne_bytes(*bytes) ^ word).to_ne_bytes();
    }
    for (byte, mask) in tail.iter_mut().zip(&pattern) {
        *byte ^= mask;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_equals_the_definition() {
        let key = [0x37, 0xfa, 0x21, 0x3d];
        for len in 0..=130_usize {
            let plain: Vec<u8> = (0..len).map(|i| u8::try_from(i * 7 % 251).unwrap()).collect();
            let expected: Vec<u8> =
                plain.iter().enumerate().map(|(i, byte)| byte ^ key[i % 4]).collect();
            let mut data = plain.clone();
            unmask(&mut data, key);
            assert_eq!(data, expected);
            unmask(&mut data, key);
            assert_eq!(data, plain);
        }
    }

    #[test]
    fn the_zero_key_changes_nothing() {
        let mut data = *b"unchanged";
        unmask(&mut data, [0; 4]);
        assert_eq!(&data, b"unchanged");
    }

    #[test]
    fn the_example_of_section_5_7() {
        let mut data = [0x7f, 0x9f, 0x4d, 0x51, 0x58];
        unmask(&mut data, [0x37, 0xfa, 0x21, 0x3d]);
        assert_eq!(&data, b"Hello");
    }
}
