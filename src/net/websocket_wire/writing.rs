//! What leaves by a wire.

use std::cell::{Cell, RefCell};
use std::io::{self, IoSlice};
use std::rc::Rc;

use bytes::Bytes;
use socket2::SockRef;
use tokio::net::TcpStream;

use super::{BRIDGE_CREDIT, CLOSE_TIMEOUT, State, Stream, WebSocketWire};
use crate::engineio::{Dialect, Protocol};
use crate::net::clock;
use crate::net::context::{Wire as _, WorkerContext};
use crate::net::deflate::Deflate;
use crate::net::record::Kind;
use crate::net::shared_frames::{SharedFrames, write_binary_header};
use crate::net::write_queue::{COPY_LIMIT, MAX_SLICES};
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
        match &self.compressed {
            Some(compressed) if compress => {
                let (deflate, shared) = (&compressed.deflate, &context.compressors);
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
        let deflate = self.compressed.as_ref().map(|compressed| &compressed.deflate);
        deflate.filter(|deflate| compress && deflate.takes(len))
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
        if self.state.get() == State::Open {
            self.out.borrow_mut().append_shared(frame, || context.spare_buffer());
            self.mark_dirty(context);
        }
    }

    pub(super) fn queue(
        self: &Rc<Self>,
        context: &WorkerContext,
        write: impl FnOnce(&mut Vec<u8>),
    ) {
        if self.state.get() == State::Open {
            self.out.borrow_mut().append(|| context.spare_buffer(), write);
            self.mark_dirty(context);
        }
    }

    fn mark_dirty(self: &Rc<Self>, context: &WorkerContext) {
        if self.blocked.get() {
            self.tell_backlog(context);
        } else if !self.dirty.replace(true) {
            context.add_dirty(Rc::<Self>::clone(self));
        }
    }

    /// Lets go of the session; the WebSocket is closed when the peer says something, or when it has
    /// said nothing for as long as it may take for the closing handshake.
    pub fn release(self: &Rc<Self>, context: &WorkerContext) {
        self.unbind();
        if self.is_open() && !self.released.replace(true) {
            context.watch_closing(clock::now() + CLOSE_TIMEOUT, Rc::<Self>::clone(self));
        }
    }

    /// Begins the closing handshake: a close frame goes out behind what is queued.
    pub fn begin_close(self: &Rc<Self>, context: &WorkerContext, code: Option<u16>) {
        if self.state.get() != State::Open {
            return;
        }
        self.queue(context, |out| frame::write_close(out, code));
        self.state.set(State::Closing);
        context.watch_closing(clock::now() + CLOSE_TIMEOUT, Rc::<Self>::clone(self));
    }

    /// Ends the WebSocket with a close frame, the last that is written: the peer has closed, or has
    /// said something that is no WebSocket and is not listened to any more.
    pub(super) fn end(self: &Rc<Self>, context: &WorkerContext, code: Option<u16>) {
        if self.state.get() == State::Open {
            self.queue(context, |out| frame::write_close(out, code));
            context.watch_closing(clock::now() + CLOSE_TIMEOUT, Rc::<Self>::clone(self));
        }
        self.state.set(State::Ending);
        // Nothing may be left to write: then this is what half-closes.
        Rc::clone(self).flush(context);
    }

    pub(super) fn flush_tcp(&self, context: &WorkerContext, tcp: &RefCell<Option<TcpStream>>) {
        let tcp = tcp.borrow();
        let Some(tcp) = tcp.as_ref() else { return };
        let mut out = self.out.borrow_mut();
        if self.lost.get() {
            out.clear();
            return;
        }
        while !out.is_empty() {
            let result = if let Some(bytes) = out.single() {
                tcp.try_write(bytes)
            } else {
                let mut slices = [IoSlice::new(&[]); MAX_SLICES];
                let n = out.slices(&mut slices);
                tcp.try_write_vectored(&slices[..n])
            };
            match result {
                Ok(n) => {
                    if let Some(spare) = out.advance(n) {
                        context.give_spare_buffer(spare);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if !self.blocked.replace(true) {
                        self.pongs.set(0);
                    }
                    self.wake();
                    return;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => {
                    // The reading side will see the end of the connection. Nothing leaves any more,
                    // so nobody may be told that it has.
                    out.clear();
                    self.lost.set(true);
                    self.blocked.set(true);
                    self.wake();
                    return;
                }
            }
        }
        self.blocked.set(false);
    }

    pub(super) fn flush_bridge(&self, in_flight: &Cell<usize>) {
        let mut out = self.out.borrow_mut();
        let room = BRIDGE_CREDIT.saturating_sub(in_flight.get());
        if !out.is_empty() && room > 0 {
            let bytes = out.take(room);
            in_flight.set(in_flight.get() + bytes.len());
            self.push(|record| {
                record.kind(Kind::BridgeWrite).number(self.token).buffer(bytes);
            });
        }
        if !self.blocked.replace(!out.is_empty()) {
            self.pongs.set(0);
        }
    }

    /// The bridge has written `n` bytes.
    pub fn handle_written(self: &Rc<Self>, context: &WorkerContext, n: usize) {
        if let Stream::Bridge { in_flight } = &self.stream {
            in_flight.set(in_flight.get().saturating_sub(n));
            let was_blocked = self.blocked.get();
            Rc::clone(self).flush(context);
            self.tell_drained(was_blocked);
        }
    }

    pub(super) fn tell_drained(&self, was_blocked: bool) {
        if was_blocked && !self.blocked.get() {
            let client = self.client();
            if let Some(client) = client {
                client.handle_drained();
            }
        }
    }

    pub(super) fn half_close(&self, context: &WorkerContext) {
        match &self.stream {
            Stream::Tcp(tcp) => {
                if let Some(tcp) = tcp.borrow().as_ref() {
                    // It fails when the peer is gone, and then the reading side sees it too.
                    let _gone = SockRef::from(tcp).shutdown(std::net::Shutdown::Write);
                }
            }
            // JavaScript ends the stream when it hears that the wire is closed.
            Stream::Bridge { .. } => self.finish(context),
        }
    }
}
