//! A TCP connection of a worker: its socket, and the turn in which it is read and written. A WebSocket
//! and HTTP share it; what differs is the [`Handler`].
//!
//! ```text
//!   the socket is ready, or `wake` was called: it is in the run queue, and its turn comes
//!      │
//!      ▼
//!   is_blocked()? ── yes, and the peer takes more ──► handle_writable()
//!      │
//!      ▼
//!   next() ──┬─ Read ──► bytes: handle_bytes(); the end of the stream: handle_end(), and it is over
//!      ▲     ├─ Again
//!      │     ├─ Wait ──► nothing until the socket is ready, or `wake` is called
//!      │     └─ Gone ──► it is over
//!      └─ READS_PER_TURN times; then the worker's other connections have their turn
//! ```

use std::cell::RefCell;
use std::fmt;
use std::io::{self, IoSlice, Read as _, Write as _};
use std::net::Shutdown;

use mio::net::TcpStream;
use mio::{Interest, Token};

use super::context::{Victim, WorkerContext};
use super::readiness::Readiness;
use super::write_queue::{MAX_SLICES, WriteQueue};

/// Reads of one connection before the others of its worker have their turn…
const READS_PER_TURN: u32 = 4;
/// …and as many when it is in the middle of a message while little room is left in the inbox.
const MAX_READS_PER_TURN: u32 = 64;

/// What is done with the bytes of a TCP connection.
pub trait Handler: Victim {
    /// Whether something waits because the peer did not take it.
    fn is_blocked(&self) -> bool;
    /// The peer takes more.
    fn handle_writable(&self);
    /// Does what can be done without reading, then says what to do next.
    fn next(&self) -> Next;
    /// Whether to read on although others wait for their turn. While little room is left in the inbox, it is
    /// better to read one message to its end than to begin many.
    fn reads_on(&self) -> bool;
    /// Bytes have come.
    fn handle_bytes(&self, bytes: &mut [u8]);
    /// The stream has ended; `broken`: by an error.
    fn handle_end(&self, broken: bool);
}

/// What is to be done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Read so many bytes, at most.
    Read(usize),
    /// Ask again: bytes that were there already have been handled, which counts as a read.
    Again,
    /// Nothing, until the connection is woken.
    Wait,
    /// End: the connection is gone.
    Gone,
}

/// Reads and writes a connection whose turn it is.
pub fn drive(context: &WorkerContext, tcp: &Tcp, handler: &impl Handler) {
    match context.guard(handler, || poll(context, tcp, handler)) {
        Some(Driven::Waits) => {}
        Some(Driven::Again) => tcp.wake(context),
        // One that has panicked has ended.
        Some(Driven::Gone) | None => tcp.close(context),
    }
}

/// What comes next for a connection that has had its turn.
enum Driven {
    /// Nothing, until its socket is ready or it is woken.
    Waits,
    /// Another turn.
    Again,
    /// Nothing: it is over.
    Gone,
}

fn poll(context: &WorkerContext, tcp: &Tcp, handler: &impl Handler) -> Driven {
    while handler.is_blocked() && tcp.is_writable() {
        handler.handle_writable();
    }
    for read in 0..MAX_READS_PER_TURN {
        if read >= READS_PER_TURN && !handler.reads_on() {
            break;
        }
        let most = match handler.next() {
            Next::Read(most) => most,
            Next::Again => continue,
            Next::Wait => return Driven::Waits,
            Next::Gone => return Driven::Gone,
        };
        let mut buffer = context.read_buffer();
        let most = most.min(buffer.len());
        match tcp.read(&mut buffer[..most]) {
            Ok(0) => {
                handler.handle_end(false);
                return Driven::Gone;
            }
            Ok(count) => handler.handle_bytes(&mut buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Driven::Waits,
            Err(_) => {
                handler.handle_end(true);
                return Driven::Gone;
            }
        }
    }
    Driven::Again
}

/// A socket, until it is closed.
pub struct Tcp {
    stream: RefCell<Option<TcpStream>>,
    readiness: Readiness,
}

/// How far something was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// All of it.
    All,
    /// The peer takes no more for now.
    Blocked,
    /// The connection broke, and the rest is dropped. The next read sees the end.
    Broken,
}

impl fmt::Debug for Tcp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tcp")
    }
}

impl Tcp {
    /// Takes a socket, which does not block, for the connection that has this place in the worker's table.
    ///
    /// # Errors
    /// When the system does not take it into its queue.
    pub fn open(
        context: &WorkerContext,
        stream: std::net::TcpStream,
        place: u32,
    ) -> io::Result<Self> {
        let mut stream = TcpStream::from_std(stream);
        let interests = Interest::READABLE | Interest::WRITABLE;
        context.registry.register(&mut stream, Token(place as usize), interests)?;
        Ok(Self { stream: RefCell::new(Some(stream)), readiness: Readiness::new(place) })
    }

    /// What the socket is known to be ready for.
    pub fn readiness(&self) -> &Readiness {
        &self.readiness
    }

    /// Has the connection looked at, although its socket may not be ready.
    pub fn wake(&self, context: &WorkerContext) {
        context.run_queue.push(&self.readiness);
    }

    /// Closes it. The connection is not looked at any more.
    pub fn close(&self, context: &WorkerContext) {
        drop(self.take(context));
    }

    /// Takes the socket out, for somebody else. The connection is not looked at any more.
    pub fn give_away(&self, context: &WorkerContext) -> Option<std::net::TcpStream> {
        self.take(context).map(Into::into)
    }

    fn take(&self, context: &WorkerContext) -> Option<TcpStream> {
        let mut stream = self.stream.take()?;
        context.run_queue.close(&self.readiness);
        // Closing a descriptor is not enough: the socket may have another one, that of Node.js.
        // It fails when the queue does not know the socket, and that is what is wanted.
        let _unknown = context.registry.deregister(&mut stream);
        Some(stream)
    }

    /// Whether it has been closed, or somebody else has the socket.
    pub fn is_closed(&self) -> bool {
        self.stream.borrow().is_none()
    }

    /// Looks at what has come, and takes nothing of it; 0: nothing will come.
    ///
    /// # Errors
    /// What the system says; `WouldBlock` when nothing has come yet.
    pub fn peek(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.borrow().as_ref().map_or(Ok(0), |stream| stream.peek(buffer))
    }

    /// Lends the socket, if it is not closed.
    pub fn inspect(&self, f: impl FnOnce(&TcpStream)) {
        if let Some(stream) = &*self.stream.borrow() {
            f(stream);
        }
    }

    /// Tells the peer that nothing more is written.
    pub fn half_close(&self) {
        if let Some(stream) = &*self.stream.borrow() {
            // It fails when the peer is gone, and then the reading side sees it too.
            let _gone = stream.shutdown(Shutdown::Write);
        }
    }

    /// Writes what is queued, as far as the peer takes it. If something is left, the connection has its turn when
    /// the peer takes more, or to see the end.
    pub fn write(&self, context: &WorkerContext, out: &mut WriteQueue) -> Written {
        let socket = self.stream.borrow();
        let Some(mut stream) = socket.as_ref() else { return Written::All };
        loop {
            if out.is_empty() {
                return Written::All;
            }
            if !self.readiness.is_writable() {
                return Written::Blocked;
            }
            let result = if let Some(bytes) = out.single() {
                stream.write(bytes)
            } else {
                let mut slices = [IoSlice::new(&[]); MAX_SLICES];
                let n = out.slices(&mut slices);
                stream.write_vectored(&slices[..n])
            };
            match result {
                Ok(n) => {
                    if let Some(spare) = out.advance(n) {
                        context.give_spare_buffer(spare);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.readiness.handle_nothing_written();
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => {
                    out.clear();
                    self.readiness.handle_broken();
                    self.wake(context);
                    return Written::Broken;
                }
            }
        }
    }

    /// Whether the peer may take something.
    fn is_writable(&self) -> bool {
        self.readiness.is_writable() && self.stream.borrow().is_some()
    }

    /// Reads what has come; 0 at the end of the stream.
    ///
    /// # Errors
    /// `WouldBlock` when nothing has come; else the stream is broken.
    pub fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let socket = self.stream.borrow();
        let Some(mut stream) = socket.as_ref() else { return Ok(0) };
        if !self.readiness.is_readable() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        loop {
            let result = stream.read(buffer);
            match &result {
                Ok(count) => self.readiness.handle_read(*count, buffer.len()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.readiness.handle_nothing_read();
                }
                Err(_) => {}
            }
            return result;
        }
    }
}
