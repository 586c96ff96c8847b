//! What leaves by a wire.

use std::cell::Cell;
use std::rc::Rc;

use bytes::Bytes;

use super::{BRIDGE_CREDIT, CLOSE_TIMEOUT, Carried, State, Stream, WebSocketWire, Writing};
use crate::border::RecordKind;
use crate::engineio::{Dialect, Link, Protocol};
use crate::net::clock;
use crate::net::context::{Wire as _, WorkerContext};
use crate::net::deflate::Deflate;
use crate::net::shared_frames::{SharedFrames, write_binary_header};
use crate::net::tcp::Written;
use crate::net::write_queue::{COPY_LIMIT, WriteQueue};
use crate::websocket::frame::{self, OpCode};

impl WebSocketWire {
    /// Queues bytes as they are (the answer to the upgrade request).
    pub fn write_raw(self: &Rc<Self>, context: &WorkerContext, bytes: &[u8]) {
        self.queue(context, |out| out.extend_from_slice(bytes));
    }

    /// Queues one text frame. `compress`: whether it may be compressed.
    pub fn write_text(self: &Rc<Self>, context: &WorkerContext, text: &str, compress: bool) {
        if let Some(deflate) = self.deflates(compress, text.len()) {
            return self.write_deflated(context, deflate, OpCode::Text, b"", text.as_bytes());
        }
        self.queue(context, |out| {
            frame::write_header(out, OpCode::Text, false, text.len());
            out.extend_from_slice(text.as_bytes());
        });
    }

    /// Queues one Engine.IO message packet as a text frame: `4` and the text.
    /// `compress`: whether it may be compressed.
    pub fn write_message(self: &Rc<Self>, context: &WorkerContext, text: &[u8], compress: bool) {
        if let Some(deflate) = self.deflates(compress, text.len() + 1) {
            return self.write_deflated(context, deflate, OpCode::Text, b"4", text);
        }
        self.queue(context, |out| {
            frame::write_header(out, OpCode::Text, false, text.len() + 1);
            out.push(b'4');
            out.extend_from_slice(text);
        });
    }

    /// Queues one message packet whose memory can be kept: a large one is not copied.
    pub fn write_owned_message(
        self: &Rc<Self>,
        context: &WorkerContext,
        text: &Bytes,
        compress: bool,
    ) {
        if text.len() <= COPY_LIMIT || self.deflates(compress, text.len() + 1).is_some() {
            return self.write_message(context, text, compress);
        }
        self.queue(context, |out| {
            frame::write_header(out, OpCode::Text, false, text.len() + 1);
            out.push(b'4');
        });
        self.write_shared(context, text);
    }

    /// Queues one binary message. `compress`: whether it may be compressed.
    pub fn write_binary(self: &Rc<Self>, context: &WorkerContext, data: &Bytes, compress: bool) {
        let dialect = self.dialect;
        let header = |out: &mut Vec<u8>| {
            write_binary_header(out, dialect, dialect.binary_len(data.len()));
        };
        if dialect != Dialect::from(Protocol::V4) {
            return self.queue(context, |out| {
                header(out);
                dialect.write_binary(out, data);
            });
        }
        if let Some(deflate) = self.deflates(compress, data.len()) {
            return self.write_deflated(context, deflate, OpCode::Binary, b"", data);
        }
        // The bytes are the frame's payload as they are: large ones are not copied.
        self.queue(context, header);
        self.write_shared(context, data);
    }

    /// Queues frames that other wires get too. `compress`: whether they may be compressed.
    pub fn write_frames(
        self: &Rc<Self>,
        context: &WorkerContext,
        frames: &SharedFrames<'_>,
        compress: bool,
    ) {
        match self.deflate() {
            Some(deflate) if compress => {
                let shared = &context.compressors;
                for index in 0..frames.messages.len() {
                    let frame = frames.compressed(index, self.dialect, deflate, shared);
                    self.write_shared(context, &frame);
                }
            }
            Some(_) | None => {
                for frame in frames.of(self.dialect) {
                    self.write_shared(context, frame);
                }
            }
        }
    }

    /// The compressor for a message of `len` bytes, if it is to be compressed.
    fn deflates(&self, compress: bool, len: usize) -> Option<&Deflate> {
        self.deflate().filter(|deflate| compress && deflate.takes(len))
    }

    fn write_deflated(
        self: &Rc<Self>,
        context: &WorkerContext,
        deflate: &Deflate,
        opcode: OpCode,
        prefix: &[u8],
        data: &[u8],
    ) {
        self.queue(context, |out| {
            deflate.write_frame(&context.compressors, opcode, prefix, data, out);
        });
    }

    fn write_shared(self: &Rc<Self>, context: &WorkerContext, frame: &Bytes) {
        if self.is_writable() {
            self.out.borrow_mut().append_shared(frame, || context.spare_buffer());
            self.mark_due(context);
        }
    }

    pub(super) fn queue(
        self: &Rc<Self>,
        context: &WorkerContext,
        write: impl FnOnce(&mut Vec<u8>),
    ) {
        if self.is_writable() {
            self.out.borrow_mut().append(|| context.spare_buffer(), write);
            self.mark_due(context);
        }
    }

    /// Has the worker write what is queued; while the peer takes nothing, has the client look at it instead.
    fn mark_due(self: &Rc<Self>, context: &WorkerContext) {
        match self.writing.get() {
            Writing::Idle => {
                self.writing.set(Writing::Due);
                context.add_dirty(Rc::<Self>::clone(self));
            }
            Writing::Blocked { told: false, .. } => self.tell_backlog(context),
            Writing::Due | Writing::Blocked { .. } | Writing::Broken | Writing::Shut => {}
        }
    }

    /// Has the client look how much waits.
    fn tell_backlog(&self, context: &WorkerContext) {
        if let Some(Carried { client, link: Link::Main }) = self.carried() {
            if let Writing::Blocked { pongs, .. } = self.writing.get() {
                self.writing.set(Writing::Blocked { pongs, told: true });
            }
            context.add_unflushed(client);
        }
    }

    /// Lets go of the client. The WebSocket is closed when the peer next says something, or after
    /// `CLOSE_TIMEOUT`.
    pub fn detach(self: &Rc<Self>, context: &WorkerContext) {
        self.unbind();
        if self.is_open() {
            self.state.set(State::Detached);
            context.watch_closing(clock::now() + CLOSE_TIMEOUT, Rc::<Self>::clone(self));
        }
    }

    /// Begins the closing handshake: a close frame goes out behind what is queued.
    pub fn begin_close(self: &Rc<Self>, context: &WorkerContext, code: Option<u16>) {
        if self.is_writable() {
            self.queue(context, |out| frame::write_close(out, code));
            self.state.set(State::Closing(self.carried()));
            context.watch_closing(clock::now() + CLOSE_TIMEOUT, Rc::<Self>::clone(self));
        }
    }

    /// Ends the WebSocket: the peer has closed it, or has broken a rule and is not listened to any more. A
    /// close frame is the last thing that is written, with this reason if it has a code. Gives whom the wire carried.
    pub fn end(
        self: &Rc<Self>,
        context: &WorkerContext,
        code: Option<u16>,
        reason: &str,
    ) -> Option<Carried> {
        if self.is_writable() {
            self.queue(context, |out| frame::write_close_for(out, code, reason));
            context.watch_closing(clock::now() + CLOSE_TIMEOUT, Rc::<Self>::clone(self));
        }
        let carried = self.carried();
        // Let go of last: should this panic, the client has to hear of it.
        self.state.set(State::Ending(carried));
        // Nothing may be left to write: then this is what half-closes.
        self.write_out(context);
        self.unbind();
        carried
    }

    /// Writes what is queued, as far as the peer takes it.
    pub fn write_out(&self, context: &WorkerContext) {
        fault!("flush", self.environment.id, self.token);
        let mut out = self.out.borrow_mut();
        let written = match &self.stream {
            Stream::Tcp(tcp) => tcp.write(context, &mut out),
            Stream::Bridge { in_flight } => self.pump(in_flight, &mut out),
        };
        let all = out.is_empty();
        drop(out);
        let before = self.writing.get();
        self.writing.set(match (before, written) {
            (Writing::Broken | Writing::Shut, _) | (Writing::Blocked { .. }, Written::Blocked) => {
                before
            }
            (_, Written::Blocked) => Writing::Blocked { pongs: 0, told: false },
            (_, Written::Broken) => Writing::Broken,
            (_, Written::All) => Writing::Idle,
        });
        if matches!(before, Writing::Blocked { .. }) || self.is_blocked() {
            self.tell_backlog(context);
        }
        if matches!(self.state.get(), State::Ending(_))
            && all
            && self.writing.get() == Writing::Idle
        {
            self.writing.set(Writing::Shut);
            match &self.stream {
                Stream::Tcp(tcp) => tcp.half_close(context),
                // JavaScript ends the stream when it hears that the wire is closed.
                Stream::Bridge { .. } => self.finish(context),
            }
        }
    }

    /// Hands JavaScript what is queued, as far as its credit goes.
    fn pump(&self, in_flight: &Cell<usize>, out: &mut WriteQueue) -> Written {
        let room = BRIDGE_CREDIT.saturating_sub(in_flight.get());
        if !out.is_empty() && room > 0 {
            let bytes = out.take(room);
            in_flight.set(in_flight.get() + bytes.len());
            self.push(|record| {
                record.kind(RecordKind::BridgeWrite).number(self.token).buffer(bytes);
            });
        }
        if out.is_empty() { Written::All } else { Written::Blocked }
    }

    /// The bridge has written `n` bytes. True: what had to wait is all written now.
    pub fn handle_written(&self, context: &WorkerContext, n: usize) -> bool {
        let Stream::Bridge { in_flight } = &self.stream else { return false };
        in_flight.set(in_flight.get().saturating_sub(n));
        self.write_on(context)
    }

    /// The peer takes more. True: what had to wait is all written now.
    pub fn write_on(&self, context: &WorkerContext) -> bool {
        let was_blocked = self.is_blocked();
        self.write_out(context);
        was_blocked && !self.is_blocked() && self.writing.get() != Writing::Broken
    }
}
