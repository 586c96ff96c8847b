//! Where a message begins and ends: its length, its kind, how many descriptors come with it, and its body.

use super::error::Invalid;

/// The length of what follows (`u32`), the kind and the number of descriptors (a byte each), all little-endian.
pub const HEADER: usize = 6;
/// A body, at most: what a session may have under way, with what JavaScript says of it.
pub const MAX_BODY: usize = 1 << 30;

/// A message as it was cut out of the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// What it is.
    pub kind: u8,
    /// So many descriptors came with its first byte.
    pub descriptors: usize,
    /// The rest.
    pub body: Vec<u8>,
}

/// Cuts a stream into messages. It holds twice what has come, at most, whatever a header announces.
#[derive(Debug)]
pub struct FrameReader {
    bytes: Vec<u8>,
    /// Where in them the next message begins.
    start: usize,
    /// Bytes of a body, at most.
    longest: usize,
}

impl Default for FrameReader {
    fn default() -> Self {
        Self { bytes: Vec::new(), start: 0, longest: MAX_BODY }
    }
}

impl FrameReader {
    /// Takes bytes as they came.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.start > 0 && self.start >= self.bytes.len() / 2 {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// Takes no messages with longer bodies, until this is called again.
    pub fn set_longest(&mut self, longest: usize) {
        self.longest = longest.min(MAX_BODY);
    }

    /// Whether a message has begun that is not all there.
    pub fn is_in_message(&self) -> bool {
        self.bytes.len() > self.start
    }

    /// The next message, if all of it is there.
    ///
    /// # Errors
    /// [`Invalid::TooLong`].
    pub fn next_frame(&mut self) -> Result<Option<Frame>, Invalid> {
        let Some((header, rest)) = self.bytes[self.start..].split_first_chunk::<HEADER>() else {
            return Ok(None);
        };
        let [a, b, c, d, kind, descriptors] = *header;
        let length = u32::from_le_bytes([a, b, c, d]) as usize;
        if length > self.longest {
            return Err(Invalid::TooLong);
        }
        let Some(body) = rest.get(..length) else { return Ok(None) };
        let frame = Frame { kind, descriptors: descriptors.into(), body: body.to_vec() };
        self.start += HEADER + length;
        Ok(Some(frame))
    }
}

/// Appends a message whose body `write` appends. None, and nothing is appended: it would be too long.
pub(super) fn write_frame(
    out: &mut Vec<u8>,
    kind: u8,
    descriptors: u8,
    write: impl FnOnce(&mut Vec<u8>),
) -> Option<()> {
    let start = out.len();
    out.extend_from_slice(&[0; HEADER]);
    write(out);
    let length = out.len() - start - HEADER;
    let Some(length) = u32::try_from(length).ok().filter(|_| length <= MAX_BODY) else {
        out.truncate(start);
        return None;
    };
    out[start..start + 4].copy_from_slice(&length.to_le_bytes());
    out[start + 4] = kind;
    out[start + 5] = descriptors;
    Some(())
}
