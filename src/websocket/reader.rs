//! Bytes in, messages and control frames out.
//!
//! ```text
//!            header complete, rules kept
//!   ┌──────► Header ───────────────────────────► Payload ──┐
//!   │          │                                    │      │ last byte of the frame:
//!   │          │ broken rule                        │      │ deliver, or keep the fragment
//!   │          ▼                                    ▼      │
//!   │        Closed ◄── close frame, broken rule, Stop     │
//!   └──────────────────────────────────────────────────────┘
//! ```
//! A frame that lies whole in the caller's buffer is handed on from there. Only what has to wait
//! is copied: at most 14 header bytes inline, a message under way in one `Vec`, half a control
//! frame in another. All are empty and unallocated while nothing waits.
//!
//! A compressed message is decompressed when all of it is there, up to the limit and not beyond.
//!
//! Neither a chunk nor a fragment is an object of its own here, so tiny ones pin no more than
//! their bytes; the limits on them bound the work that empty and tiny ones can ask for.

use std::borrow::Cow;
use std::mem;
use std::ops::ControlFlow;

use super::deflate::Inflate;
use super::error::Violation;
use super::frame::OpCode;
use super::frame_header::{Frame, MAX_CLIENT_HEADER, parse, write_client_header};
use super::mask::unmask;

/// Fragments of one message by default: what `ws` allows.
pub const MAX_FRAGMENTS: u32 = 16_384;

/// What a client may send in one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageLimits {
    /// Payload bytes, over all fragments. Zero means no limit, as in `ws`.
    pub max_message: usize,
    /// Fragments, empty ones too. Zero means no limit, as in `ws`; see [`MAX_FRAGMENTS`].
    pub max_fragments: u32,
}

/// A complete message or control frame, unmasked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming<'a> {
    /// A text message.
    Text(&'a str),
    /// A binary message; owned if it had to be put together.
    Binary(Cow<'a, [u8]>),
    /// A ping; its payload (at most 125 bytes) belongs into the pong.
    Ping(&'a [u8]),
    /// A pong and its payload (at most 125 bytes).
    Pong(&'a [u8]),
    /// The closing handshake, with the client's code if it gave one. Nothing comes after it.
    Close(Option<u16>),
}

/// What becomes of what stands behind a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Halt {
    /// It is not read for now: the caller has it, and feeds it later.
    Pause,
    /// It is dropped, and so is all that comes later.
    Stop,
}

/// The receiving half of one server-side WebSocket.
#[derive(Debug)]
pub struct Reader {
    limits: MessageLimits,
    state: State,
    /// Type of the message under way: `Text` or `Binary`.
    open: Option<OpCode>,
    /// Whether the message under way is compressed.
    compressed: bool,
    /// Frames of the message under way whose header has been seen.
    fragments: u32,
    /// Chunks of the frame under way, and how many it may come in; zero means no limit, as in `ws`.
    chunks: u32,
    max_chunks: u32,
    /// The bytes of the message under way that could not be delivered from the caller's buffer.
    message: Vec<u8>,
    /// The bytes of a control frame under way; it may stand between the fragments of a message.
    control: Vec<u8>,
    /// Present when compressed messages were agreed on.
    inflate: Option<Box<Inflate>>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// The first `len` bytes of a header.
    Header { bytes: [u8; MAX_CLIENT_HEADER], len: usize },
    /// The rest of a payload.
    Payload(Frame),
    /// Nothing is read any more.
    Closed,
}

impl State {
    const START: Self = Self::Header { bytes: [0; MAX_CLIENT_HEADER], len: 0 };
}

impl Reader {
    /// A reader at the first byte after the handshake.
    pub fn new(limits: MessageLimits) -> Self {
        Self {
            limits,
            state: State::START,
            open: None,
            compressed: false,
            fragments: 0,
            chunks: 0,
            max_chunks: 0,
            message: Vec::new(),
            control: Vec::new(),
            inflate: None,
        }
    }

    /// Lets messages be compressed. To be called before the first byte.
    #[must_use]
    pub fn with_inflate(mut self, inflate: Inflate) -> Self {
        self.inflate = Some(Box::new(inflate));
        self
    }

    /// Limits the chunks that a frame may come in. Zero means no limit, as in `ws`.
    #[must_use]
    pub fn with_max_chunks(mut self, max_chunks: u32) -> Self {
        self.max_chunks = max_chunks;
        self
    }

    /// Feeds bytes as they came, in any split; they are unmasked in place.
    ///
    /// `sink` is called once for each complete message or control frame, in order. When it returns
    /// `Break`, and after a close frame, the rest of the bytes and all later ones are dropped.
    ///
    /// # Errors
    /// A broken rule of the framing or of the [`MessageLimits`]. Everything kept is given back, and later
    /// bytes are dropped.
    pub fn handle_bytes(
        &mut self,
        buf: &mut [u8],
        mut sink: impl FnMut(Incoming<'_>) -> ControlFlow<()>,
    ) -> Result<(), Violation> {
        let stop = |()| Halt::Stop;
        self.handle_some(buf, |incoming| sink(incoming).map_break(stop)).map(|_| ())
    }

    /// The same for a `sink` that may also [pause](Halt::Pause). Gives how many of the bytes have been read: fewer only if it has.
    ///
    /// # Errors
    /// Likewise.
    pub fn handle_some(
        &mut self,
        buf: &mut [u8],
        mut sink: impl FnMut(Incoming<'_>) -> ControlFlow<Halt>,
    ) -> Result<usize, Violation> {
        let all = buf.len();
        match self.read(buf, &mut sink) {
            Ok(ControlFlow::Continue(())) => Ok(all),
            Ok(ControlFlow::Break((Halt::Pause, left))) => {
                self.chunks = 0; // what is left comes as another one
                Ok(all - left)
            }
            Ok(ControlFlow::Break((Halt::Stop, _))) => {
                self.shut();
                Ok(all)
            }
            Err(violation) => {
                self.shut();
                Err(violation)
            }
        }
    }

    /// Bytes of compressed messages, and what they were, since this was asked last.
    pub fn take_inflated(&mut self) -> (u64, u64) {
        self.inflate.as_mut().map_or((0, 0), |inflate| inflate.take_counts())
    }

    /// Bytes that wait here for the rest of their header, frame or message.
    pub fn buffered(&self) -> usize {
        let header = match self.state {
            State::Header { len, .. } => len,
            State::Payload(_) | State::Closed => 0,
        };
        header + self.message.len() + self.control.len()
    }

    /// Bytes of heap memory held for [`buffered`](Self::buffered) ones; zero when nothing waits.
    pub fn allocated(&self) -> usize {
        self.message.capacity() + self.control.capacity()
    }

    /// Frames of a client that bring a reader, at its first byte, to where this one is: for another process, which goes on. None when
    /// it can't be told: messages may be compressed, or nothing is read any more.
    pub fn replay(&self) -> Option<Vec<u8>> {
        if self.inflate.is_some() {
            return None;
        }
        let mut out = Vec::with_capacity(self.buffered() + 2 * MAX_CLIENT_HEADER);
        match (self.state, self.open) {
            (State::Closed, _) => return None,
            (State::Payload(frame), Some(opcode)) if !frame.opcode.is_control() => {
                // One frame in place of all that the message has had so far.
                let mut key = frame.key;
                key.rotate_right(self.message.len() % 4);
                let length = self.message.len() + frame.remaining;
                write_begun(&mut out, opcode, frame.fin, length, key, &self.message);
            }
            (state, open) => {
                if let Some(opcode) = open {
                    let length = self.message.len();
                    write_begun(&mut out, opcode, false, length, [0; 4], &self.message);
                }
                match state {
                    State::Header { bytes, len } => out.extend_from_slice(&bytes[..len]),
                    State::Payload(frame) => {
                        let mut key = frame.key;
                        key.rotate_right(self.control.len() % 4);
                        let length = self.control.len() + frame.remaining;
                        write_begun(&mut out, frame.opcode, frame.fin, length, key, &self.control);
                    }
                    State::Closed => {}
                }
            }
        }
        Some(out)
    }

    /// Breaks with what has been said, and how many bytes stand behind that.
    fn read(
        &mut self,
        mut buf: &mut [u8],
        sink: &mut impl FnMut(Incoming<'_>) -> ControlFlow<Halt>,
    ) -> Result<ControlFlow<(Halt, usize)>, Violation> {
        if self.max_chunks > 0 && self.chunks >= self.max_chunks {
            return Err(Violation::TOO_MANY_CHUNKS);
        }
        self.chunks = self.chunks.saturating_add(1);
        loop {
            let frame = match self.state {
                State::Closed => return Ok(ControlFlow::Break((Halt::Stop, 0))),
                State::Payload(frame) => frame,
                State::Header { .. } => match self.read_header(buf)? {
                    Some((frame, used)) => {
                        buf = &mut mem::take(&mut buf)[used..];
                        frame
                    }
                    None => return Ok(ControlFlow::Continue(())),
                },
            };
            let arrived = frame.remaining.min(buf.len());
            let (chunk, rest) = mem::take(&mut buf).split_at_mut(arrived);
            buf = rest;
            unmask(chunk, frame.key);

            let missing = frame.remaining - arrived;
            if missing > 0 {
                self.keep(&frame, chunk, missing);
                let mut key = frame.key;
                key.rotate_left(arrived % 4);
                self.state = State::Payload(Frame { key, remaining: missing, ..frame });
                return Ok(ControlFlow::Continue(()));
            }
            self.state = State::START;
            // What stands behind the frame is one chunk of the next.
            self.chunks = u32::from(!buf.is_empty());
            if let ControlFlow::Break(halt) = self.finish(&frame, chunk, sink)? {
                return Ok(ControlFlow::Break((halt, buf.len())));
            }
        }
    }

    /// Reads a header at the front of `buf` and how many of its bytes stood there; `None` when it is
    /// not all there yet.
    fn read_header(&mut self, buf: &[u8]) -> Result<Option<(Frame, usize)>, Violation> {
        let State::Header { mut bytes, len } = self.state else { return Ok(None) };
        // Nearly always the whole header lies in `buf`. If not, top up the 14 inline bytes: that is
        // enough for any header, and what they hold too much stays in `buf`.
        let deflate = self.inflate.is_some();
        let parsed = if len == 0 {
            parse(buf, self.open.is_some(), self.room(), deflate)?
        } else {
            let added = buf.len().min(MAX_CLIENT_HEADER - len);
            bytes[len..len + added].copy_from_slice(&buf[..added]);
            parse(&bytes[..len + added], self.open.is_some(), self.room(), deflate)?
        };
        let Some((frame, size)) = parsed else {
            let total = len + buf.len();
            bytes[len..total].copy_from_slice(buf);
            self.state = State::Header { bytes, len: total };
            return Ok(None);
        };
        if !frame.opcode.is_control() {
            if frame.opcode != OpCode::Continuation {
                self.open = Some(frame.opcode);
                self.compressed = frame.compressed;
            }
            self.fragments += 1;
            if self.limits.max_fragments > 0 && self.fragments > self.limits.max_fragments {
                return Err(Violation::TOO_MANY_FRAGMENTS);
            }
        }
        Ok(Some((frame, size - len)))
    }

    /// Payload bytes that the message under way may still have; `None` without a limit.
    fn room(&self) -> Option<usize> {
        let limit = self.limits.max_message;
        (limit > 0).then(|| limit.saturating_sub(self.message.len()))
    }

    /// Keeps bytes of a frame of which `missing` more are announced.
    fn keep(&mut self, frame: &Frame, chunk: &[u8], missing: usize) {
        if frame.opcode.is_control() {
            self.control.extend_from_slice(chunk);
        } else {
            append(&mut self.message, chunk, frame.fin.then_some(missing));
        }
    }

    /// A frame is complete with `chunk`, its last bytes.
    fn finish(
        &mut self,
        frame: &Frame,
        chunk: &[u8],
        sink: &mut impl FnMut(Incoming<'_>) -> ControlFlow<Halt>,
    ) -> Result<ControlFlow<Halt>, Violation> {
        if frame.opcode.is_control() {
            if self.control.is_empty() {
                return deliver(frame.opcode, chunk.into(), sink);
            }
            let mut payload = mem::take(&mut self.control);
            payload.extend_from_slice(chunk);
            return deliver(frame.opcode, payload.into(), sink);
        }
        if !frame.fin {
            append(&mut self.message, chunk, None);
            return Ok(ControlFlow::Continue(()));
        }
        let opcode = self.open.take().expect("a data frame opens or continues a message");
        self.fragments = 0;
        if self.message.is_empty() {
            return self.deliver_message(opcode, chunk.into(), sink);
        }
        let mut payload = mem::take(&mut self.message);
        append(&mut payload, chunk, Some(0));
        self.deliver_message(opcode, payload.into(), sink)
    }

    fn deliver_message(
        &mut self,
        opcode: OpCode,
        payload: Cow<'_, [u8]>,
        sink: &mut impl FnMut(Incoming<'_>) -> ControlFlow<Halt>,
    ) -> Result<ControlFlow<Halt>, Violation> {
        match &mut self.inflate {
            Some(inflate) if self.compressed => {
                // The limit holds for what came and for what it becomes.
                let limit = (self.limits.max_message > 0).then_some(self.limits.max_message);
                deliver(opcode, inflate.inflate(&payload, limit)?.into(), sink)
            }
            Some(_) | None => deliver(opcode, payload, sink),
        }
    }

    fn shut(&mut self) {
        self.state = State::Closed;
        self.message = Vec::new();
        self.control = Vec::new();
        self.inflate = None;
    }
}

/// Writes a client's frame as far as it has come: its header, and the first bytes of its payload.
fn write_begun(
    out: &mut Vec<u8>,
    opcode: OpCode,
    fin: bool,
    length: usize,
    key: [u8; 4],
    payload: &[u8],
) {
    write_client_header(out, opcode, fin, length, key);
    let start = out.len();
    out.extend_from_slice(payload);
    unmask(&mut out[start..], key);
}

/// Hands a complete message or control frame to `sink`.
fn deliver(
    opcode: OpCode,
    payload: Cow<'_, [u8]>,
    sink: &mut impl FnMut(Incoming<'_>) -> ControlFlow<Halt>,
) -> Result<ControlFlow<Halt>, Violation> {
    Ok(match opcode {
        OpCode::Text => sink(Incoming::Text(utf8(&payload)?)),
        OpCode::Binary | OpCode::Continuation => {
            let mut payload = payload;
            if let Cow::Owned(bytes) = &mut payload {
                bytes.shrink_to_fit(); // the application may keep them
            }
            sink(Incoming::Binary(payload))
        }
        OpCode::Ping => sink(Incoming::Ping(&payload)),
        OpCode::Pong => sink(Incoming::Pong(&payload)),
        OpCode::Close => {
            // "The application MUST NOT send any more data frames after sending a Close frame"
            // (section 5.5.1), so nothing can follow, whatever `sink` says.
            let _ = sink(Incoming::Close(close_code(&payload)?));
            ControlFlow::Break(Halt::Stop)
        }
    })
}

/// The code of a close frame's payload, its reason checked.
fn close_code(payload: &[u8]) -> Result<Option<u16>, Violation> {
    let Some((code, reason)) = payload.split_first_chunk::<2>() else { return Ok(None) };
    let code = u16::from_be_bytes(*code);
    // 1004, 1005, 1006 and 1015 are reserved; 1016-2999 are unassigned (section 7.4).
    if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
        return Err(Violation::invalid_close_code(code));
    }
    utf8(reason)?;
    Ok(Some(code))
}

fn utf8(bytes: &[u8]) -> Result<&str, Violation> {
    simdutf8::basic::from_utf8(bytes).map_err(|_| Violation::INVALID_UTF8)
}

/// Appends to a message, growing to twice what really arrived: a header that announces much costs
/// nothing. `missing` is what the last frame still owes, if this is the last one: then growth stops
/// at the exact size.
fn append(message: &mut Vec<u8>, chunk: &[u8], missing: Option<usize>) {
    let needed = message.len() + chunk.len();
    if needed > message.capacity() {
        let wanted = needed.saturating_mul(2);
        let capacity = missing.map_or(wanted, |rest| wanted.min(needed.saturating_add(rest)));
        message.reserve_exact(capacity - message.len());
    }
    message.extend_from_slice(chunk);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_reader_is_small_and_owns_nothing() {
        let reader =
            Reader::new(MessageLimits { max_message: 1_000_000, max_fragments: MAX_FRAGMENTS });
        assert!(size_of::<Reader>() <= 136, "{}", size_of::<Reader>());
        assert_eq!((reader.buffered(), reader.allocated()), (0, 0));
    }

    #[test]
    fn growth_is_to_twice_what_came_and_ends_exactly() {
        let mut message = Vec::new();
        append(&mut message, &[1; 600], Some(900));
        append(&mut message, &[2; 100], Some(800));
        assert_eq!(message.capacity(), 1200);
        append(&mut message, &[3; 600], Some(200));
        assert_eq!(message.capacity(), 1500);
        append(&mut message, &[4; 200], Some(0));
        assert_eq!((message.len(), message.capacity()), (1500, 1500));
    }
}
