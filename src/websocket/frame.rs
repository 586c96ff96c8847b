//! Opcodes, and the headers of the frames that a server writes.
//!
//! ```text
//!  0               1               2 …
//! +-+-+-+-+-------+-+-------------+-------------------------------+
//! |F|R|R|R|opcode |M| length (7)  | 16 or 64 more bits of length, |
//! |I|S|S|S|  (4)  |A| ≤125, or    | big endian                    |
//! |N|V|V|V|       |S| 126, or 127 |                               |
//! | |1|2|3|       |K|             |                               |
//! +-+-+-+-+-------+-+-------------+-------------------------------+
//! ```
//! "A server MUST NOT mask any frames that it sends to the client" (RFC 6455, section 5.1), so
//! a header is all that is written in front of shared payload bytes.

/// Longest header of an unmasked frame: two bytes and a 64-bit length.
pub const MAX_HEADER: usize = 10;

/// Longest payload whose length fits into the header's second byte; also the most that a control
/// frame may carry.
pub const MAX_SHORT: usize = 125;

/// Second byte's value for a 16-bit length.
pub(super) const LENGTH_16: u8 = 126;
/// Second byte's value for a 64-bit length.
pub(super) const LENGTH_64: u8 = 127;

pub(super) const FIN: u8 = 0x80;
pub(super) const RSV1: u8 = 0x40;
pub(super) const RSV2_RSV3: u8 = 0x30;
pub(super) const MASK: u8 = 0x80;

/// What a frame is for (RFC 6455, section 11.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum OpCode {
    /// The next fragment of the open message.
    Continuation = 0x0,
    /// A text message, or its first fragment.
    Text = 0x1,
    /// A binary message, or its first fragment.
    Binary = 0x2,
    /// The closing handshake.
    Close = 0x8,
    /// A ping, to be answered with its own payload.
    Ping = 0x9,
    /// The answer to a ping.
    Pong = 0xa,
}

impl OpCode {
    /// The opcode with these four bits; `None` for the reserved ones.
    pub const fn from_bits(bits: u8) -> Option<Self> {
        match bits {
            0x0 => Some(Self::Continuation),
            0x1 => Some(Self::Text),
            0x2 => Some(Self::Binary),
            0x8 => Some(Self::Close),
            0x9 => Some(Self::Ping),
            0xa => Some(Self::Pong),
            _ => None,
        }
    }

    /// The four bits on the wire.
    pub const fn bits(self) -> u8 {
        self as u8
    }

    /// Whether it is one of close, ping and pong.
    pub const fn is_control(self) -> bool {
        self.bits() & 0x8 != 0
    }
}

/// The header of a final, unmasked frame whose payload has `len` bytes.
///
/// The first `n` bytes of the array are the header, `n` being the second value (2, 4 or 10).
pub fn header(opcode: OpCode, rsv1: bool, len: usize) -> ([u8; MAX_HEADER], usize) {
    let mut bytes = [0; MAX_HEADER];
    bytes[0] = FIN | opcode.bits() | if rsv1 { RSV1 } else { 0 };
    if let Ok(short @ 0..LENGTH_16) = u8::try_from(len) {
        bytes[1] = short;
        (bytes, 2)
    } else if let Ok(medium) = u16::try_from(len) {
        bytes[1] = LENGTH_16;
        bytes[2..4].copy_from_slice(&medium.to_be_bytes());
        (bytes, 4)
    } else {
        bytes[1] = LENGTH_64;
        bytes[2..10].copy_from_slice(&(len as u64).to_be_bytes());
        (bytes, MAX_HEADER)
    }
}

/// Appends the header of a final, unmasked frame whose payload has `len` bytes.
pub fn write_header(out: &mut Vec<u8>, opcode: OpCode, rsv1: bool, len: usize) {
    let (bytes, used) = header(opcode, rsv1, len);
    out.extend_from_slice(&bytes[..used]);
}

/// Appends a whole close frame, with `code` or empty.
///
/// No reason goes with the code: peers need none, and one that quoted them could grow past the
/// 125 bytes that a control frame may have.
pub fn write_close(out: &mut Vec<u8>, code: Option<u16>) {
    write_close_for(out, code, "");
}

/// The same with a reason, of 123 bytes at most, if it has a code.
pub fn write_close_for(out: &mut Vec<u8>, code: Option<u16>, reason: &str) {
    match code {
        Some(code) => {
            write_header(out, OpCode::Close, false, 2 + reason.len());
            out.extend_from_slice(&code.to_be_bytes());
            out.extend_from_slice(reason.as_bytes());
        }
        None => write_header(out, OpCode::Close, false, 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(opcode: OpCode, rsv1: bool, len: usize) -> Vec<u8> {
        let mut out = Vec::new();
        write_header(&mut out, opcode, rsv1, len);
        out
    }

    #[test]
    fn a_length_takes_the_fewest_bytes() {
        assert_eq!(written(OpCode::Text, false, 0), [0x81, 0]);
        assert_eq!(written(OpCode::Text, false, 125), [0x81, 125]);
        assert_eq!(written(OpCode::Binary, false, 126), [0x82, 126, 0, 126]);
        assert_eq!(written(OpCode::Binary, false, 255), [0x82, 126, 0, 255]);
        assert_eq!(written(OpCode::Binary, false, 65_535), [0x82, 126, 255, 255]);
        assert_eq!(written(OpCode::Binary, false, 65_536), [0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]);
    }

    #[test]
    fn rsv1_marks_a_deflated_message() {
        assert_eq!(written(OpCode::Text, true, 5), [0xc1, 5]);
    }

    #[test]
    fn a_close_frame_has_a_code_or_nothing() {
        let mut out = Vec::new();
        write_close(&mut out, Some(1009));
        write_close(&mut out, None);
        assert_eq!(out, [0x88, 2, 0x03, 0xf1, 0x88, 0]);
    }

    #[test]
    fn bits_and_opcodes_are_inverse() {
        for bits in 0..16 {
            if let Some(opcode) = OpCode::from_bits(bits) {
                assert_eq!(opcode.bits(), bits);
                assert_eq!(opcode.is_control(), bits > 7);
            } else {
                assert!(matches!(bits, 3..=7 | 11..=15));
            }
        }
    }
}
