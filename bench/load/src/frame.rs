//! WebSocket frames (RFC 6455, section 5.2), as far as a client of a friendly server needs them.

/// A text message.
pub(crate) const TEXT: u8 = 0x1;
/// A binary message.
pub(crate) const BINARY: u8 = 0x2;
/// The end of the connection.
pub(crate) const CLOSE: u8 = 0x8;

/// The first bit of the first byte: no fragment follows.
const FINAL: u8 = 0x80;
/// The second bit of the first byte: permessage-deflate (RFC 7692, section 6).
const COMPRESSED: u8 = 0x40;
/// The first bit of the second byte.
const MASKED: u8 = 0x80;
/// Instead of a length: it is in the next 2 bytes.
const LEN_16: u8 = 126;
/// Instead of a length: it is in the next 8 bytes.
const LEN_64: u8 = 127;

/// A frame of the server, unmasked.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Frame<'a> {
    pub(crate) opcode: u8,
    /// Whether the payload is deflated. Nobody here looks into such a payload.
    pub(crate) compressed: bool,
    pub(crate) payload: &'a [u8],
    /// The bytes of the whole frame, header included.
    pub(crate) len: usize,
}

/// Appends a final frame. The mask is zero: allowed, and costs nothing here.
pub(crate) fn push(out: &mut Vec<u8>, opcode: u8, payload: &[u8]) {
    out.push(FINAL | opcode);
    match payload.len() {
        len @ 0..126 => out.push(MASKED | len as u8),
        len @ 126..0x1_0000 => {
            out.push(MASKED | LEN_16);
            out.extend_from_slice(&(len as u16).to_be_bytes());
        }
        len => {
            out.push(MASKED | LEN_64);
            out.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(payload);
}

/// The frame at the start of `bytes`, once it is all there.
pub(crate) fn parse(bytes: &[u8]) -> Option<Frame<'_>> {
    let (&[first, second], rest) = bytes.split_first_chunk()?;
    let (header, payload_len) = match second & !MASKED {
        LEN_16 => (4, usize::from(u16::from_be_bytes(*rest.first_chunk()?))),
        LEN_64 => (10, usize::try_from(u64::from_be_bytes(*rest.first_chunk()?)).ok()?),
        len => (2, usize::from(len)),
    };
    let len = header + payload_len;
    let payload = bytes.get(header..len)?;
    Some(Frame { opcode: first & 0x0f, compressed: first & COMPRESSED != 0, payload, len })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_what_a_server_sends() {
        for len in [0, 1, 125, 126, 127, 65_535, 65_536] {
            let payload = vec![b'x'; len];
            let mut bytes = Vec::new();
            push(&mut bytes, TEXT, &payload);
            // A server's frame is a client's without the mask.
            let mask = bytes.len() - len - 4;
            bytes.drain(mask..mask + 4);
            bytes[1] &= 0x7f;

            assert_eq!(parse(&bytes[..bytes.len() - 1]), None);
            let whole = bytes.len();
            bytes.push(0);
            let payload = &payload[..];
            let frame = Frame { opcode: TEXT, compressed: false, payload, len: whole };
            assert_eq!(parse(&bytes), Some(frame));
        }
    }
}
