//! The header of a client's frame: read, and held against the rules.

use super::error::Violation;
use super::frame::{
    FIN, LENGTH_16, LENGTH_64, MASK, MAX_SHORT, OpCode, RSV1, RSV2_RSV3, write_header,
};

/// Longest header of a client's frame: two bytes, a 64-bit length and the masking key.
pub(super) const MAX_CLIENT_HEADER: usize = 14;

/// Largest length that a JavaScript number holds exactly; `ws` refuses more.
const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

/// A frame whose header has been accepted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    pub(super) opcode: OpCode,
    pub(super) fin: bool,
    /// Whether it begins a compressed message.
    pub(super) compressed: bool,
    /// The masking key, turned to fit the next byte.
    pub(super) key: [u8; 4],
    /// Payload bytes that have not come yet.
    pub(super) remaining: usize,
}

/// Reads the header that `bytes` begins with, and its size; `None` when `bytes` is too short.
///
/// `message_open` tells whether a fragmented message is under way, `room` how many bytes it may
/// still have, `deflate` whether messages may be compressed. Rules are checked as soon as their bits are there, in the order of `ws`.
pub(super) fn parse(
    bytes: &[u8],
    message_open: bool,
    room: Option<usize>,
    deflate: bool,
) -> Result<Option<(Frame, usize)>, Violation> {
    let &[first, second, ref rest @ ..] = bytes else { return Ok(None) };
    let opcode = check_flags(first, second, message_open, deflate)?;
    let (length, rest) = match second & !MASK {
        LENGTH_16 => match rest.split_first_chunk::<2>() {
            Some((length, rest)) => (u64::from(u16::from_be_bytes(*length)), rest),
            None => return Ok(None),
        },
        LENGTH_64 => match rest.split_first_chunk::<8>() {
            Some((length, rest)) => (u64::from_be_bytes(*length), rest),
            None => return Ok(None),
        },
        short => (u64::from(short), rest),
    };
    let room = if opcode.is_control() { None } else { room };
    let remaining = check_length(length, room)?;
    let Some((key, rest)) = rest.split_first_chunk::<4>() else { return Ok(None) };
    let (fin, compressed) = (first & FIN != 0, first & RSV1 != 0);
    let frame = Frame { opcode, fin, compressed, key: *key, remaining };
    Ok(Some((frame, bytes.len() - rest.len())))
}

/// Appends the header of an uncompressed frame of a client, whose payload has `length` bytes, masked with `key`.
pub(super) fn write_client_header(
    out: &mut Vec<u8>,
    opcode: OpCode,
    fin: bool,
    length: usize,
    key: [u8; 4],
) {
    let start = out.len();
    write_header(out, opcode, false, length);
    if !fin {
        out[start] &= !FIN;
    }
    out[start + 1] |= MASK;
    out.extend_from_slice(&key);
}

/// Checks the first two bytes (RFC 6455, sections 5.1, 5.2, 5.4 and 5.5; RFC 7692, section 6).
fn check_flags(
    first: u8,
    second: u8,
    message_open: bool,
    deflate: bool,
) -> Result<OpCode, Violation> {
    if first & RSV2_RSV3 != 0 {
        return Err(Violation::RSV_2_3);
    }
    let compressed = first & RSV1 != 0;
    if compressed && !deflate {
        return Err(Violation::RSV_1);
    }
    let bits = first & 0x0f;
    let opcode = OpCode::from_bits(bits).ok_or(Violation::invalid_opcode(bits))?;
    if opcode.is_control() {
        if first & FIN == 0 {
            return Err(Violation::EXPECTED_FIN);
        }
        if compressed {
            return Err(Violation::RSV_1);
        }
        let field = second & !MASK;
        // Half a close code is as wrong as too many bytes.
        if usize::from(field) > MAX_SHORT || (opcode == OpCode::Close && field == 1) {
            return Err(Violation::invalid_control_length(field));
        }
    } else if compressed && opcode == OpCode::Continuation {
        return Err(Violation::RSV_1);
    } else if (opcode == OpCode::Continuation) != message_open {
        return Err(Violation::invalid_opcode(bits));
    }
    if second & MASK == 0 {
        return Err(Violation::EXPECTED_MASK);
    }
    Ok(opcode)
}

/// Checks a declared length, before a byte of the payload is kept.
///
/// A length written with more bytes than it needs is let through, as `ws` does: it says the same,
/// and nothing here allocates by it.
fn check_length(declared: u64, room: Option<usize>) -> Result<usize, Violation> {
    if declared > MAX_SAFE_INTEGER {
        return Err(Violation::LENGTH_UNSUPPORTED);
    }
    match usize::try_from(declared) {
        Ok(length) if room.is_none_or(|room| length <= room) => Ok(length),
        Ok(_) | Err(_) => Err(Violation::TOO_BIG),
    }
}
