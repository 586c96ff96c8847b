//! One client: from the TCP connect to the Socket.IO namespace, and the events after that.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

use crate::frame;

/// How far a connection is.
///
/// ```text
/// Connecting ──writable──► Upgrading ──"101"──► Opening ──"0{…}"──► Joining ──"40{…}"──► Ready
///      └──────────────────────┴────────────────────┴───────────────────┴──── error ──────► Dead
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Connecting,
    Upgrading,
    Opening,
    Joining,
    Ready,
    Dead,
}

/// What came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// The connection is in the namespace.
    Joined,
    /// An event or an ack.
    Message,
}

/// One client.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    token: Token,
    state: State,
    inbox: Vec<u8>,
    /// How much of `inbox` is dealt with.
    consumed: usize,
    outbox: Vec<u8>,
    /// How much of `outbox` is written.
    written: usize,
    waits_for_write: bool,
    /// When the connect began.
    pub(crate) began: Instant,
    /// When each event that is in flight was sent, or was due.
    pub(crate) sent: VecDeque<Instant>,
    /// How many messages came in.
    pub(crate) received: u64,
}

impl Connection {
    /// Begins to connect.
    pub(crate) fn open(registry: &Registry, token: Token, port: u16) -> io::Result<Self> {
        let mut stream = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port)))?;
        // Closing resets the connection: in TIME_WAIT the ports of the machine would not last.
        socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO))?;
        registry.register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
        Ok(Self {
            stream,
            token,
            state: State::Connecting,
            inbox: Vec::new(),
            consumed: 0,
            outbox: Vec::new(),
            written: 0,
            waits_for_write: true,
            began: Instant::now(),
            sent: VecDeque::new(),
            received: 0,
        })
    }

    /// How far it is.
    pub(crate) fn state(&self) -> State {
        self.state
    }

    /// Ends it.
    pub(crate) fn kill(&mut self, registry: &Registry) {
        self.state = State::Dead;
        // It may be gone already, and then there is nothing to undo.
        let _ = registry.deregister(&mut self.stream);
    }

    /// Goes on after the stream became writable.
    pub(crate) fn handle_writable(&mut self, registry: &Registry) -> io::Result<()> {
        if self.state == State::Connecting {
            if let Some(error) = self.stream.take_error()? {
                return Err(error);
            }
            self.stream.set_nodelay(true)?;
            self.state = State::Upgrading;
            self.outbox.extend_from_slice(
                b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: 127.0.0.1\r\n\
                  Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
                  Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            );
        }
        self.write_out(registry)
    }

    /// Reads what is there, through `scratch`; call [`Self::next_event`] afterwards.
    pub(crate) fn handle_readable(&mut self, scratch: &mut [u8]) -> io::Result<()> {
        loop {
            match self.stream.read(scratch) {
                Ok(0) => return Err(io::Error::other("the server closed a connection")),
                Ok(n) => {
                    self.inbox.extend_from_slice(&scratch[..n]);
                    if n < scratch.len() {
                        return Ok(());
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// The next thing that came in; what the protocol asks for in between is answered here.
    pub(crate) fn next_event(&mut self) -> io::Result<Option<Event>> {
        if self.state == State::Upgrading && !self.take_response()? {
            return Ok(None);
        }
        while let Some(frame) = frame::parse(&self.inbox[self.consumed..]) {
            let (opcode, packet) = (frame.opcode, frame.payload);
            let (first, second) = (packet.first().copied(), packet.get(1).copied());
            self.consumed += frame.len;
            match (opcode, first, self.state) {
                (frame::CLOSE, ..) => {
                    return Err(io::Error::other("the server sent a close frame"));
                }
                (frame::TEXT, Some(b'0'), State::Opening) => {
                    self.state = State::Joining;
                    frame::push(&mut self.outbox, frame::TEXT, b"40");
                }
                (frame::TEXT, Some(b'2'), _) => frame::push(&mut self.outbox, frame::TEXT, b"3"),
                (frame::TEXT, Some(b'4'), State::Joining) if second == Some(b'0') => {
                    self.state = State::Ready;
                    return Ok(Some(Event::Joined));
                }
                (frame::TEXT, Some(b'4'), State::Ready) => {
                    self.received += 1;
                    return Ok(Some(Event::Message));
                }
                _ => {}
            }
        }
        self.inbox.drain(..self.consumed);
        self.consumed = 0;
        Ok(None)
    }

    /// Queues a frame, made by [`frame::push`]; [`Self::flush`] sends it.
    pub(crate) fn queue(&mut self, frame: &[u8]) {
        self.outbox.extend_from_slice(frame);
    }

    /// Sends what is queued, now or when the stream takes it.
    pub(crate) fn flush(&mut self, registry: &Registry) -> io::Result<()> {
        if self.waits_for_write || self.outbox.is_empty() {
            Ok(())
        } else {
            self.write_out(registry)
        }
    }

    fn write_out(&mut self, registry: &Registry) -> io::Result<()> {
        while self.written < self.outbox.len() {
            match self.stream.write(&self.outbox[self.written..]) {
                Ok(n) => self.written += n,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    return self.wait_for_write(registry, true);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.outbox.clear();
        self.written = 0;
        self.wait_for_write(registry, false)
    }

    fn wait_for_write(&mut self, registry: &Registry, wait: bool) -> io::Result<()> {
        if self.waits_for_write == wait {
            return Ok(());
        }
        self.waits_for_write = wait;
        let interest =
            if wait { Interest::READABLE | Interest::WRITABLE } else { Interest::READABLE };
        registry.reregister(&mut self.stream, self.token, interest)
    }

    /// Takes the response to the upgrade request; `false` when it is not all there.
    fn take_response(&mut self) -> io::Result<bool> {
        let Some(end) = self.inbox.windows(4).position(|bytes| bytes == b"\r\n\r\n") else {
            return Ok(false);
        };
        if !self.inbox.starts_with(b"HTTP/1.1 101") {
            let head = String::from_utf8_lossy(&self.inbox[..end]).into_owned();
            return Err(io::Error::other(format!("no upgrade: {head}")));
        }
        self.consumed = end + 4;
        self.state = State::Opening;
        Ok(true)
    }
}
