//! permessage-deflate (RFC 7692): messages in and out of raw DEFLATE.
//!
//! Both sides keep a window of what they have compressed before, so that a message can refer to
//! earlier ones ("context takeover"), unless it was agreed to start each message with an empty one.
//! A window costs memory, to compress much more than to decompress. So neither is made before the
//! first message that needs it, and a decompressor without takeover does not outlive its message.

use std::fmt;
use std::mem;

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use super::error::Violation;
use super::extension::Agreement;

/// What a sync flush ends in, left out on the wire (RFC 7692, section 7.2.1).
const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];
/// Room for a flush: zlib repeats its marker when it is given less than seven bytes.
const MIN_ROOM: usize = 64;
/// The smallest window of the library. A compressor with it looks back 250 bytes at most, so it
/// also serves peers with a window of 8 bits.
const MIN_WINDOW_BITS: u8 = 9;

/// How hard to compress, and for which window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameters {
    /// The window, 8 to 15 bits.
    pub window_bits: u8,
    /// 0 (none) to 9 (best).
    pub level: u8,
}

/// Compresses messages, each with what went before in its window.
pub struct Compressor {
    stream: Compress,
}

impl fmt::Debug for Compressor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compressor").finish_non_exhaustive()
    }
}

impl Compressor {
    /// A compressor with an empty window.
    pub fn new(parameters: Parameters) -> Self {
        let level = Compression::new(u32::from(parameters.level.min(9)));
        let bits = parameters.window_bits.clamp(MIN_WINDOW_BITS, 15);
        Self { stream: Compress::new_with_window_bits(level, false, bits) }
    }

    /// Empties the window. What is compressed next can be read by a peer with any window.
    pub fn forget(&mut self) {
        self.stream.reset();
    }

    /// Appends the payload of a compressed message: `prefix` and `data`.
    pub fn compress(&mut self, prefix: &[u8], data: &[u8], out: &mut Vec<u8>) {
        if prefix.is_empty() && data.is_empty() {
            // A flush without input writes nothing; this is an empty block without its tail
            // (RFC 7692, section 7.2.3.6).
            out.push(0);
            return;
        }
        if !prefix.is_empty() {
            self.write(prefix, FlushCompress::None, out);
        }
        self.write(data, FlushCompress::Sync, out);
        debug_assert!(out.ends_with(&TAIL), "a sync flush ends in an empty block");
        out.truncate(out.len() - TAIL.len());
    }

    fn write(&mut self, mut input: &[u8], flush: FlushCompress, out: &mut Vec<u8>) {
        loop {
            if out.capacity() - out.len() < MIN_ROOM {
                out.reserve(MIN_ROOM.max(input.len() / 4));
            }
            let before = self.stream.total_in();
            let status = self
                .stream
                .compress_vec(input, out, flush)
                .expect("the stream is well-formed and never finished");
            input = &input[step(before, self.stream.total_in())..];
            // All is out when there is room left, or nothing was left to do in the first place.
            let done = out.len() < out.capacity() || status == Status::BufError;
            if input.is_empty() && done {
                return;
            }
        }
    }
}

/// The decompressing half of one connection.
pub struct Inflate {
    window_bits: u8,
    context_takeover: bool,
    stream: Option<Decompress>,
    /// Bytes that have come, and bytes that they were, since somebody asked.
    counted: (u64, u64),
}

impl fmt::Debug for Inflate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inflate")
            .field("window_bits", &self.window_bits)
            .field("context_takeover", &self.context_takeover)
            .finish_non_exhaustive()
    }
}

impl Inflate {
    /// Reads what a client that keeps to `agreement` sends.
    pub fn new(agreement: Agreement) -> Self {
        Self {
            window_bits: agreement.client_window_bits.clamp(MIN_WINDOW_BITS, 15),
            context_takeover: !agreement.client_no_context_takeover,
            stream: None,
            counted: (0, 0),
        }
    }

    /// Bytes of compressed messages, and what they were, since this was asked last.
    pub fn take_counts(&mut self) -> (u64, u64) {
        mem::take(&mut self.counted)
    }

    /// The content of a compressed message, of at most `limit` bytes if there is a limit.
    ///
    /// It stops at the first byte beyond the limit, so a message that would grow a thousandfold
    /// costs no more than one that is as long as the limit.
    ///
    /// # Errors
    /// When it is longer than the limit, or is not what a compressor writes.
    pub fn inflate(&mut self, message: &[u8], limit: Option<usize>) -> Result<Vec<u8>, Violation> {
        let mut stream = self
            .stream
            .take()
            .unwrap_or_else(|| Decompress::new_with_window_bits(false, self.window_bits));
        let mut out = Vec::new();
        let ended = read(&mut stream, message, limit, &mut out)?
            || read(&mut stream, &TAIL, limit, &mut out)?;
        // A client may end the stream with its message; the next one then begins a new stream.
        if self.context_takeover && !ended {
            self.stream = Some(stream);
        }
        self.counted.0 += message.len() as u64;
        self.counted.1 += out.len() as u64;
        Ok(out)
    }
}

/// Decompresses all of `input`; whether the stream has ended, after which nothing counts.
fn read(
    stream: &mut Decompress,
    mut input: &[u8],
    limit: Option<usize>,
    out: &mut Vec<u8>,
) -> Result<bool, Violation> {
    loop {
        if out.len() == out.capacity() {
            // One byte beyond the limit shows that the message is longer.
            let most = limit.map_or(usize::MAX, |limit| limit.saturating_add(1));
            let wanted = (out.len() * 2).max(input.len() * 2 + MIN_ROOM).min(most);
            out.reserve_exact(wanted.saturating_sub(out.len()));
        }
        let (before, length) = (stream.total_in(), out.len());
        let status = stream
            .decompress_vec(input, out, FlushDecompress::Sync)
            .map_err(|error| Violation::invalid_deflate(error.message()))?;
        let used = step(before, stream.total_in());
        input = &input[used..];
        if limit.is_some_and(|limit| out.len() > limit) {
            return Err(Violation::TOO_BIG);
        }
        match status {
            Status::StreamEnd => return Ok(true),
            Status::Ok | Status::BufError if out.len() == out.capacity() => {}
            Status::Ok | Status::BufError if input.is_empty() => return Ok(false),
            // With input and room there is always something to do, or the data is wrong.
            Status::Ok | Status::BufError if used == 0 && out.len() == length => {
                return Err(Violation::INVALID_DEFLATE);
            }
            Status::Ok | Status::BufError => {}
        }
    }
}

/// Bytes between two counts of one call.
fn step(before: u64, after: u64) -> usize {
    usize::try_from(after - before).expect("no more is taken than a slice holds")
}
