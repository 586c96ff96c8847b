//! One WebSocket byte stream: a socket that we own, or a stream that JavaScript pumps.
//!
//! ```text
//!           our close frame is queued                 peer's close frame
//!   Open ─────────────────────────────► Closing ─────────────────────────┐
//!    │                                     │                             ▼
//!    ├── peer's close frame (answered) ────┼──────────────────────────► Ending   half-closed when
//!    └── peer breaks a rule (told so) ─────┴──────────────────────────►  │       all is written
//!                       end of stream, error or CLOSE_TIMEOUT            │
//!                                          ▼                             ▼
//!                                        Gone  ◄─────────────────────────┘
//! ```

use std::cell::{Cell, RefCell};
use std::fmt;
use std::io::{self, IoSlice};
use std::ops::ControlFlow;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{self, Poll, Waker};

use bytes::Bytes;
use socket2::SockRef;
use tokio::io::{AsyncRead as _, ReadBuf};
use tokio::net::TcpStream;

use super::clock;
use super::context::{Context, Port};
use super::deflate::Deflate;
use super::inbox::{CONNECTION_LIMIT, INBOX_LIMIT};
use super::record::Kind;
use super::server::{Environment, Server};
use super::shared_frames::{SharedFrames, write_binary_header};
use super::write_queue::{MAX_SLICES, WriteQueue};
use crate::engineio::{Dialect, Link, Protocol};
use crate::websocket::deflate::Inflate;
use crate::websocket::extension::Agreement;
use crate::websocket::frame::{self, OpCode};
use crate::websocket::reader::MAX_FRAGMENTS;
use crate::websocket::{Incoming, Limits, Reader};

/// How long a peer may take to answer our close frame: 30 s, as `ws`.
const CLOSE_TIMEOUT: u64 = 30_000;
/// Reads of one connection before the others of its worker get their turn.
const READS_PER_TURN: u32 = 4;
/// Answers to WebSocket pings are dropped while more than this waits to be written: a peer that
/// sends pings and reads nothing must not grow our memory.
const PONG_LIMIT: usize = 64 << 10;
/// Bytes of a bridged stream that may be on their way through JavaScript.
const BRIDGE_CREDIT: usize = 256 << 10;

/// What a wire carries: a connection, as far as the wire has to know it.
pub trait Carried {
    /// Bytes of it that wait for JavaScript.
    fn waiting_bytes(&self) -> usize;
    /// A text message: one Engine.IO packet. A session that has ended ignores it.
    fn handle_text(&self, now: u64, link: Link, text: &str);
    /// A binary message: one Engine.IO message packet.
    fn handle_binary(&self, now: u64, link: Link, data: &[u8]);
    /// Bytes came by the main link: whatever they are part of, the client has not stopped.
    fn handle_progress(&self, now: u64);
    /// The WebSocket of `link` broke its protocol.
    fn handle_link_error(&self, now: u64, link: Link, message: &'static str);
    /// The WebSocket of `link` is closed.
    fn handle_link_closed(&self, now: u64, link: Link);
    /// What waited has been written.
    fn handle_drained(&self);
    /// The wire reads on after the inbox was full.
    fn handle_resumed(&self, now: u64);
    /// Carries out what the session asks for, and keeps its deadline with the worker.
    fn settle(&self, worker: &Context);
    /// Ends everything at once: the environment is gone, or the worker can't go on with it.
    fn abort(&self, worker: &Context);
}

/// Where the bytes come from and go to.
#[derive(Debug)]
enum Stream {
    Tcp(RefCell<Option<TcpStream>>),
    /// Bytes on their way through JavaScript, not yet confirmed.
    Bridge {
        in_flight: Cell<usize>,
    },
}

/// How far the closing handshake has come; see the diagram above.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    Closing,
    Ending,
    Gone,
}

/// A WebSocket byte stream.
pub struct Wire {
    environment: Arc<Environment>,
    /// JavaScript's name for the stream.
    pub token: u32,
    dialect: Dialect,
    stream: Stream,
    reader: RefCell<Reader>,
    out: RefCell<WriteQueue>,
    /// Present when compressed messages were agreed on.
    deflate: Option<Box<Deflate>>,
    state: Cell<State>,
    half_closed: Cell<bool>,
    /// Set while the peer does not take what we write.
    blocked: Cell<bool>,
    /// Set while we don't read, because the inbox is full.
    stalled: Cell<bool>,
    /// Set while the worker knows that something waits to be written.
    dirty: Cell<bool>,
    connection: RefCell<Option<Rc<dyn Carried>>>,
    link: Cell<Link>,
    waker: RefCell<Option<Waker>>,
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire")
            .field("token", &self.token)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

impl Wire {
    /// A stream for `server`; `tcp` is none for a bridged one, `agreement` when messages are not
    /// compressed.
    pub fn new(
        server: &Server,
        token: u32,
        tcp: Option<TcpStream>,
        dialect: Dialect,
        agreement: Option<Agreement>,
    ) -> Self {
        let stream = match tcp {
            Some(tcp) => Stream::Tcp(RefCell::new(Some(tcp))),
            None => Stream::Bridge { in_flight: Cell::new(0) },
        };
        let max_message = server.engine.max_payload;
        let mut reader = Reader::new(Limits { max_message, max_fragments: MAX_FRAGMENTS });
        let mut deflate = None;
        if let (Some(compression), Some(agreement)) = (&server.compression, agreement) {
            reader = reader.with_inflate(Inflate::new(agreement));
            deflate = Some(Box::new(Deflate::new(compression, agreement)));
        }
        Self {
            environment: Arc::clone(&server.environment),
            token,
            dialect,
            stream,
            reader: RefCell::new(reader),
            out: RefCell::default(),
            deflate,
            state: Cell::new(State::Open),
            half_closed: Cell::new(false),
            blocked: Cell::new(false),
            stalled: Cell::new(false),
            dirty: Cell::new(false),
            connection: RefCell::new(None),
            link: Cell::new(Link::Main),
            waker: RefCell::new(None),
        }
    }

    /// How the client speaks on it.
    #[inline]
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Whether JavaScript pumps the bytes.
    pub fn is_bridge(&self) -> bool {
        matches!(self.stream, Stream::Bridge { .. })
    }

    /// Whether the WebSocket is open: neither side has begun to close it.
    pub fn is_open(&self) -> bool {
        self.state.get() == State::Open
    }

    /// Whether we have stopped reading because the inbox is full.
    pub fn is_stalled(&self) -> bool {
        self.stalled.get()
    }

    /// Bytes not yet written.
    pub fn queued(&self) -> usize {
        self.out.borrow().len()
    }

    /// Makes the wire carry a session, as its main link or as a probe.
    pub fn bind(&self, connection: Rc<dyn Carried>, link: Link) {
        *self.connection.borrow_mut() = Some(connection);
        self.link.set(link);
    }

    /// Makes a probe the main link.
    pub fn promote(&self) {
        self.link.set(Link::Main);
    }

    /// The session that it carries.
    fn connection(&self) -> Option<Rc<dyn Carried>> {
        self.connection.borrow().clone()
    }

    /// Handling this wire has panicked: its session ends, and nothing else.
    pub fn handle_panic(&self, worker: &Context) {
        if let Some(connection) = self.connection() {
            connection.abort(worker);
        }
        self.finish(worker);
    }

    /// Lets go of the session.
    pub fn unbind(&self) {
        *self.connection.borrow_mut() = None;
    }

    // --- writing -----------------------------------------------------------------------------

    /// Queues bytes as they are (the answer to the upgrade request).
    pub fn write_raw(self: &Rc<Self>, worker: &Context, bytes: &[u8]) {
        self.queue(worker, |out| out.extend_from_slice(bytes));
    }

    /// Queues one text frame.
    pub fn write_text(self: &Rc<Self>, worker: &Context, text: &str) {
        if let Some(deflate) = self.deflates(true, text.len()) {
            return self.write_deflated(worker, deflate, OpCode::Text, b"", text.as_bytes());
        }
        self.queue(worker, |out| {
            frame::write_header(out, OpCode::Text, false, text.len());
            out.extend_from_slice(text.as_bytes());
        });
    }

    /// Queues one Engine.IO message packet as a text frame: `4` and the text.
    /// `compress`: whether it may be compressed.
    pub fn write_message(self: &Rc<Self>, worker: &Context, text: &[u8], compress: bool) {
        if let Some(deflate) = self.deflates(compress, text.len() + 1) {
            return self.write_deflated(worker, deflate, OpCode::Text, b"4", text);
        }
        self.queue(worker, |out| {
            frame::write_header(out, OpCode::Text, false, text.len() + 1);
            out.push(b'4');
            out.extend_from_slice(text);
        });
    }

    /// Queues one binary message. `compress`: whether it may be compressed.
    pub fn write_binary(self: &Rc<Self>, worker: &Context, data: &Bytes, compress: bool) {
        let dialect = self.dialect;
        let header = |out: &mut Vec<u8>| {
            write_binary_header(out, dialect, dialect.binary_len(data.len()));
        };
        if dialect != Dialect::from(Protocol::V4) {
            return self.queue(worker, |out| {
                header(out);
                dialect.write_binary(out, data);
            });
        }
        if let Some(deflate) = self.deflates(compress, data.len()) {
            return self.write_deflated(worker, deflate, OpCode::Binary, b"", data);
        }
        // The bytes are the frame's payload as they are: large ones are not copied.
        self.queue(worker, header);
        self.write_shared(worker, data);
    }

    /// Queues frames that other wires get too. `compress`: whether they may be compressed.
    pub fn write_frames(
        self: &Rc<Self>,
        worker: &Context,
        frames: &SharedFrames<'_>,
        compress: bool,
    ) {
        match &self.deflate {
            Some(deflate) if compress => {
                for index in 0..frames.messages.len() {
                    let frame =
                        frames.compressed(index, self.dialect, deflate, &worker.compressors);
                    self.write_shared(worker, &frame);
                }
            }
            Some(_) | None => {
                for frame in frames.of(self.dialect) {
                    self.write_shared(worker, frame);
                }
            }
        }
    }

    /// The compressor for a message of `len` bytes, if it is to be compressed.
    fn deflates(&self, compress: bool, len: usize) -> Option<&Deflate> {
        self.deflate.as_deref().filter(|deflate| compress && deflate.takes(len))
    }

    fn write_deflated(
        self: &Rc<Self>,
        worker: &Context,
        deflate: &Deflate,
        opcode: OpCode,
        prefix: &[u8],
        data: &[u8],
    ) {
        self.queue(worker, |out| {
            deflate.write_frame(&worker.compressors, opcode, prefix, data, out);
        });
    }

    fn write_shared(self: &Rc<Self>, worker: &Context, frame: &Bytes) {
        if self.state.get() == State::Open {
            self.out.borrow_mut().append_shared(frame, || worker.spare_buffer());
            self.mark_dirty(worker);
        }
    }

    fn queue(self: &Rc<Self>, worker: &Context, write: impl FnOnce(&mut Vec<u8>)) {
        if self.state.get() == State::Open {
            self.out.borrow_mut().append(|| worker.spare_buffer(), write);
            self.mark_dirty(worker);
        }
    }

    fn mark_dirty(self: &Rc<Self>, worker: &Context) {
        if !self.blocked.get() && !self.dirty.replace(true) {
            worker.add_dirty(Rc::<Self>::clone(self));
        }
    }

    /// Begins the closing handshake: a close frame goes out behind what is queued.
    pub fn begin_close(self: &Rc<Self>, worker: &Context, code: Option<u16>) {
        if self.state.get() != State::Open {
            return;
        }
        self.queue(worker, |out| frame::write_close(out, code));
        self.state.set(State::Closing);
        worker.watch_closing(clock::now() + CLOSE_TIMEOUT, Rc::<Self>::clone(self));
    }

    /// Ends the WebSocket with a close frame, the last that is written: the peer has closed, or has
    /// said something that is no WebSocket and is not listened to any more.
    fn end(self: &Rc<Self>, worker: &Context, code: Option<u16>) {
        if self.state.get() == State::Open {
            self.queue(worker, |out| frame::write_close(out, code));
            worker.watch_closing(clock::now() + CLOSE_TIMEOUT, Rc::<Self>::clone(self));
        }
        self.state.set(State::Ending);
        // Nothing may be left to write: then this is what half-closes.
        Rc::clone(self).flush(worker);
    }

    fn flush_tcp(&self, worker: &Context, tcp: &RefCell<Option<TcpStream>>) {
        let tcp = tcp.borrow();
        let Some(tcp) = tcp.as_ref() else { return };
        let mut out = self.out.borrow_mut();
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
                        worker.give_spare_buffer(spare);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.blocked.set(true);
                    self.wake();
                    return;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => {
                    // The reading side will see the end of the connection.
                    out.clear();
                    self.wake();
                    return;
                }
            }
        }
        self.blocked.set(false);
    }

    fn flush_bridge(&self, in_flight: &Cell<usize>) {
        let mut out = self.out.borrow_mut();
        let room = BRIDGE_CREDIT.saturating_sub(in_flight.get());
        if !out.is_empty() && room > 0 {
            let bytes = out.take(room);
            in_flight.set(in_flight.get() + bytes.len());
            self.environment.inbox.push(|record| {
                record.kind(Kind::BridgeWrite).number(self.token).buffer(bytes);
            });
        }
        self.blocked.set(!out.is_empty());
    }

    /// The bridge has written `n` bytes.
    pub fn handle_written(self: &Rc<Self>, worker: &Context, n: usize) {
        if let Stream::Bridge { in_flight } = &self.stream {
            in_flight.set(in_flight.get().saturating_sub(n));
            let was_blocked = self.blocked.get();
            Rc::clone(self).flush(worker);
            self.tell_drained(was_blocked);
        }
    }

    fn tell_drained(&self, was_blocked: bool) {
        if was_blocked && !self.blocked.get() {
            let connection = self.connection();
            if let Some(connection) = connection {
                connection.handle_drained();
            }
        }
    }

    fn half_close(&self, worker: &Context) {
        match &self.stream {
            Stream::Tcp(tcp) => {
                if let Some(tcp) = tcp.borrow().as_ref() {
                    // It fails when the peer is gone, and then the reading side sees it too.
                    let _gone = SockRef::from(tcp).shutdown(std::net::Shutdown::Write);
                }
            }
            // JavaScript ends the stream when it hears that the wire is closed.
            Stream::Bridge { .. } => self.finish(worker),
        }
    }

    // --- reading -----------------------------------------------------------------------------

    /// Wakes the task that drives the wire.
    pub fn wake(&self) {
        if let Some(waker) = self.waker.borrow().as_ref() {
            waker.wake_by_ref();
        }
    }

    /// Drives a socket that we own; ready when it is gone.
    pub fn poll_drive(self: &Rc<Self>, worker: &Context, cx: &mut task::Context<'_>) -> Poll<()> {
        let Stream::Tcp(tcp) = &self.stream else { return Poll::Ready(()) };
        {
            let mut waker = self.waker.borrow_mut();
            if !waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
                *waker = Some(cx.waker().clone());
            }
        }
        self.poll_blocked(worker, tcp, cx);
        for _ in 0..READS_PER_TURN {
            if self.is_gone() {
                return Poll::Ready(());
            }
            if !self.may_read(worker) {
                return Poll::Pending;
            }
            match self.poll_read(worker, tcp, cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(0) | Err(_)) => {
                    self.handle_end(worker);
                    return Poll::Ready(());
                }
                Poll::Ready(Ok(_)) => {}
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn poll_blocked(
        self: &Rc<Self>,
        worker: &Context,
        tcp: &RefCell<Option<TcpStream>>,
        cx: &mut task::Context<'_>,
    ) {
        while self.blocked.get() {
            match tcp.borrow().as_ref().map(|tcp| tcp.poll_write_ready(cx)) {
                Some(Poll::Ready(Ok(()))) => {}
                Some(Poll::Pending | Poll::Ready(Err(_))) | None => return,
            }
            Rc::clone(self).flush(worker);
            self.tell_drained(true);
        }
    }

    fn poll_read(
        self: &Rc<Self>,
        worker: &Context,
        tcp: &RefCell<Option<TcpStream>>,
        cx: &mut task::Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let mut buffer = worker.read_buffer();
        let mut read = ReadBuf::new(&mut buffer);
        {
            let mut tcp = tcp.borrow_mut();
            let Some(tcp) = tcp.as_mut() else { return Poll::Ready(Ok(0)) };
            match Pin::new(tcp).poll_read(cx, &mut read) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Ready(Ok(())) => {}
            }
        }
        let n = read.filled().len();
        if n > 0 {
            self.handle_bytes(worker, &mut buffer[..n]);
        }
        Poll::Ready(Ok(n))
    }

    /// Whether the inbox has room for what this peer sends. When it has not, the worker wakes us
    /// after JavaScript has drained it.
    fn may_read(self: &Rc<Self>, worker: &Context) -> bool {
        if self.stalled.get() {
            return false;
        }
        let inbox = &self.environment.inbox;
        let connection = self.connection.borrow();
        let own = connection.as_ref().map_or(0, |connection| connection.waiting_bytes());
        if inbox.bytes() < INBOX_LIMIT && own < CONNECTION_LIMIT {
            return true;
        }
        if !inbox.stall(worker.index) {
            return true;
        }
        self.stalled.set(true);
        worker.add_stalled(Rc::<Self>::clone(self));
        false
    }

    /// Bytes of a bridged stream. They are taken in any case; when the inbox is full,
    /// JavaScript is asked to stop reading the stream.
    pub fn handle_bridged(self: &Rc<Self>, worker: &Context, bytes: &mut [u8]) {
        self.handle_bytes(worker, bytes);
        if !self.stalled.get() && !self.is_gone() && !self.may_read(worker) {
            self.environment.inbox.push(|record| {
                record.kind(Kind::BridgePause).number(self.token);
            });
        }
    }

    /// Bytes as they came from the peer.
    pub fn handle_bytes(self: &Rc<Self>, worker: &Context, bytes: &mut [u8]) {
        if matches!(self.state.get(), State::Ending | State::Gone) {
            return;
        }
        let connection = self.connection();
        let now = clock::now();
        if self.link.get() == Link::Main
            && let Some(connection) = &connection
        {
            connection.handle_progress(now);
        }
        let result = self.reader.borrow_mut().handle_bytes(bytes, |incoming| {
            self.handle_incoming(worker, connection.as_ref(), now, incoming)
        });
        if let Err(violation) = result {
            self.end(worker, Some(violation.code));
            if let Some(connection) = &connection {
                connection.handle_link_error(now, self.link.get(), violation.message);
            }
        }
        if let Some(connection) = &connection {
            connection.settle(worker);
        }
        worker.flush_dirty();
    }

    fn handle_incoming(
        self: &Rc<Self>,
        worker: &Context,
        connection: Option<&Rc<dyn Carried>>,
        now: u64,
        incoming: Incoming<'_>,
    ) -> ControlFlow<()> {
        match incoming {
            // Behind an invalid packet the rest is still read, as the peer's close frame may stand
            // there.
            Incoming::Text(text) if self.is_open() => {
                if let Some(connection) = connection {
                    connection.handle_text(now, self.link.get(), text);
                }
                ControlFlow::Continue(())
            }
            Incoming::Binary(data) if self.is_open() => {
                if let Some(connection) = connection {
                    connection.handle_binary(now, self.link.get(), data);
                }
                ControlFlow::Continue(())
            }
            Incoming::Text(_) | Incoming::Binary(_) | Incoming::Pong(_) => {
                ControlFlow::Continue(())
            }
            Incoming::Ping(data) => {
                if self.queued() < PONG_LIMIT {
                    self.queue(worker, |out| {
                        frame::write_header(out, OpCode::Pong, false, data.len());
                        out.extend_from_slice(data);
                    });
                }
                ControlFlow::Continue(())
            }
            Incoming::Close(code) => {
                self.end(worker, code);
                if let Some(connection) = connection {
                    connection.handle_link_closed(now, self.link.get());
                }
                ControlFlow::Break(())
            }
        }
    }

    /// The stream has ended, orderly or not.
    pub fn handle_end(self: &Rc<Self>, worker: &Context) {
        let connection = self.connection();
        let link = self.link.get();
        self.finish(worker);
        if let Some(connection) = connection {
            let now = clock::now();
            connection.handle_link_closed(now, link);
            connection.settle(worker);
            worker.flush_dirty();
        }
    }
}

impl Port for Wire {
    fn flush(self: Rc<Self>, worker: &Context) {
        self.dirty.set(false);
        match &self.stream {
            Stream::Tcp(tcp) => self.flush_tcp(worker, tcp),
            Stream::Bridge { in_flight } => self.flush_bridge(in_flight),
        }
        if self.state.get() == State::Ending
            && self.out.borrow().is_empty()
            && !self.half_closed.replace(true)
        {
            self.half_close(worker);
        }
    }

    fn resume(&self, now: u64) {
        if let Some(connection) = self.connection() {
            connection.handle_resumed(now);
        }
        self.stalled.set(false);
        if self.is_bridge() {
            self.environment.inbox.push(|record| {
                record.kind(Kind::BridgeResume).number(self.token);
            });
        } else {
            self.wake();
        }
    }

    fn finish(&self, worker: &Context) {
        if self.state.replace(State::Gone) == State::Gone {
            return;
        }
        if let Stream::Tcp(tcp) = &self.stream {
            *tcp.borrow_mut() = None;
        } else {
            worker.add_gone_bridge((self.environment.id, self.token));
        }
        self.out.borrow_mut().clear();
        self.unbind();
        self.environment.inbox.push(|record| {
            record.kind(Kind::WireClosed).number(self.token);
        });
        self.wake();
    }

    fn is_gone(&self) -> bool {
        self.state.get() == State::Gone
    }

    fn environment_id(&self) -> u32 {
        self.environment.id
    }
}
