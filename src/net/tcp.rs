//! A TCP connection of a worker: its socket, the TLS that may be spoken on it, and the turn in which it is read and
//! written. A WebSocket and HTTP share it; what differs is the [`Handler`].
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

use std::cell::Cell;
use std::fmt;
use std::io::{self, IoSlice, Read as _, Write as _};
use std::net::Shutdown;

use mio::net::TcpStream;
use mio::{Interest, Token};

use super::context::{Victim, WorkerContext};
use super::readiness::Readiness;
use super::stream::Stream;
use super::tls::TlsSession;
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
    /// Whether nothing is left to be written to a peer that has ended its half of the connection.
    fn is_over(&self) -> bool {
        true
    }
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
    tcp.send_tls(context);
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
        match tcp.read(context, &mut buffer[..most]) {
            Ok(0) => {
                handler.handle_end(false);
                return if handler.is_over() { Driven::Gone } else { Driven::Waits };
            }
            Ok(count) => {
                context.count_read(count);
                context.metrics.read.add(count as u64);
                handler.handle_bytes(&mut buffer[..count]);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Driven::Waits,
            // What has come was nothing for the handler.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => {
                handler.handle_end(true);
                return Driven::Gone;
            }
        }
    }
    Driven::Again
}

/// A socket, until it is closed.
///
/// There is one for each connection, so it is kept small: cells need no room to count who borrows.
pub struct Tcp {
    stream: Cell<Option<TcpStream>>,
    tls: Cell<Option<Box<TlsSession>>>,
    readiness: Readiness,
}

/// What a [`Tcp`] lends for one call; it gets it back, also when that panics.
struct Lent<'a> {
    tcp: &'a Tcp,
    stream: Option<TcpStream>,
    tls: Option<Box<TlsSession>>,
}

impl Lent<'_> {
    fn stream(&mut self) -> Option<&mut TcpStream> {
        self.stream.as_mut()
    }

    fn parts(&mut self) -> Option<(&mut TcpStream, Option<&mut TlsSession>)> {
        Some((self.stream.as_mut()?, self.tls.as_deref_mut()))
    }
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        self.tcp.stream.set(self.stream.take());
        self.tcp.tls.set(self.tls.take());
    }
}

/// How far a handshake of TLS has come.
#[derive(Debug)]
pub enum Handshake {
    /// It is done, or there is none.
    Done,
    /// The peer has to say more, or to take more.
    Waits,
    /// It has failed.
    Failed(io::Error),
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
    /// Takes a stream, which does not block, for the connection that has this place in the worker's table.
    ///
    /// # Errors
    /// When the system does not take it into its queue.
    pub fn open(
        context: &WorkerContext,
        stream: impl Into<Stream>,
        place: u32,
    ) -> io::Result<Self> {
        let (stream, tls) = match stream.into() {
            Stream::Plain(stream) => (stream, None),
            Stream::Tls(stream, session) => (stream, Some(session)),
        };
        let mut stream = TcpStream::from_std(stream);
        let interests = Interest::READABLE | Interest::WRITABLE;
        context.registry.register(&mut stream, Token(place as usize), interests)?;
        Ok(Self {
            stream: Cell::new(Some(stream)),
            tls: Cell::new(tls),
            readiness: Readiness::new(place),
        })
    }

    /// Lends what is there; nobody else finds it meanwhile.
    fn lend(&self) -> Lent<'_> {
        Lent { tcp: self, stream: self.stream.take(), tls: self.tls.take() }
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
        if let Some((mut stream, Some(mut session))) = self.take(context) {
            // That nothing more comes is said, if the peer takes it: who has been told knows that nothing is missing.
            if !session.is_handshaking() {
                session.close();
            }
            while session.wants_to_send() && session.send(&mut stream).is_ok_and(|count| count > 0)
            {
            }
        }
    }

    /// Takes the socket out, for somebody else. The connection is not looked at any more.
    pub fn give_away(&self, context: &WorkerContext) -> Option<Stream> {
        self.take(context).map(|taken| match taken {
            (stream, None) => Stream::Plain(stream.into()),
            (stream, Some(session)) => Stream::Tls(stream.into(), session),
        })
    }

    fn take(&self, context: &WorkerContext) -> Option<(TcpStream, Option<Box<TlsSession>>)> {
        let mut stream = self.stream.take()?;
        context.run_queue.close(&self.readiness);
        // Closing a descriptor is not enough: the socket may have another one, that of Node.js.
        // It fails when the queue does not know the socket, and that is what is wanted.
        let _unknown = context.registry.deregister(&mut stream);
        Some((stream, self.tls.take()))
    }

    /// Whether it has been closed, or somebody else has the socket.
    pub fn is_closed(&self) -> bool {
        self.lend().stream.is_none()
    }

    /// Whether its bytes are those of the socket.
    pub fn is_plain(&self) -> bool {
        let lent = self.lend();
        lent.stream.is_some() && lent.tls.is_none()
    }

    /// Looks at what has come, and takes nothing of it; 0: nothing will come.
    ///
    /// # Errors
    /// What the system says; `WouldBlock` when nothing has come yet.
    pub fn peek(&self, context: &WorkerContext, buffer: &mut [u8]) -> io::Result<usize> {
        match self.lend().parts() {
            None => Ok(0),
            Some((stream, None)) => stream.peek(buffer),
            Some((stream, Some(session))) => {
                while session.look(buffer) < buffer.len() {
                    match self.receive(context, stream, session, &mut []) {
                        Ok(Some(_)) => {}
                        Ok(None) => break,
                        Err(_) if session.has_seen() => break,
                        Err(error) => return Err(error),
                    }
                }
                Ok(session.look(buffer))
            }
        }
    }

    /// Lends the socket, if it is not closed.
    pub fn inspect(&self, f: impl FnOnce(&TcpStream)) {
        if let Some(stream) = self.lend().stream() {
            f(stream);
        }
    }

    /// Tells the peer that nothing more is written.
    pub fn half_close(&self, context: &WorkerContext) {
        match self.lend().parts() {
            None => {}
            // It fails when the peer is gone, and then the reading side sees it too.
            Some((stream, None)) => {
                let _gone = stream.shutdown(Shutdown::Write);
            }
            Some((stream, Some(session))) => {
                session.close();
                self.send(context, stream, session);
            }
        }
    }

    /// Writes what is queued, as far as the peer takes it. If something is left, the connection has its turn when
    /// the peer takes more, or to see the end.
    pub fn write(&self, context: &WorkerContext, out: &mut WriteQueue) -> Written {
        match self.lend().parts() {
            None => Written::All,
            Some((stream, None)) => self.write_plain(context, stream, out),
            Some((stream, Some(session))) => self.write_tls(context, stream, session, out),
        }
    }

    fn write_plain(
        &self,
        context: &WorkerContext,
        stream: &mut TcpStream,
        out: &mut WriteQueue,
    ) -> Written {
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
                    context.metrics.written.add(n as u64);
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
                    self.handle_broken(context);
                    return Written::Broken;
                }
            }
        }
    }

    /// The next read sees the end.
    fn handle_broken(&self, context: &WorkerContext) {
        self.readiness.handle_broken();
        self.wake(context);
    }

    /// Whether something may have come that has not been read.
    pub fn has_unread(&self) -> bool {
        self.readiness.is_readable()
            || self.lend().tls.as_ref().is_some_and(|session| session.has_seen())
    }

    /// Whether the peer may take something.
    fn is_writable(&self) -> bool {
        self.readiness.is_writable() && !self.is_closed()
    }

    /// Reads what has come; 0 at the end of the stream.
    ///
    /// # Errors
    /// `WouldBlock` when nothing has come; `Interrupted`: what has come says nothing; else the stream is broken.
    pub fn read(&self, context: &WorkerContext, buffer: &mut [u8]) -> io::Result<usize> {
        match self.lend().parts() {
            None => Ok(0),
            Some((stream, None)) => self.read_socket(stream, buffer),
            Some((_, Some(session))) if session.has_seen() => Ok(session.take(buffer)),
            Some((stream, Some(session))) => {
                match self.receive(context, stream, session, buffer)? {
                    None => Ok(0),
                    Some(0) => Err(io::ErrorKind::Interrupted.into()),
                    Some(count) => Ok(count),
                }
            }
        }
    }

    fn read_socket(&self, stream: &mut TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
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

    // --- TLS -------------------------------------------------------------------------------------

    /// Goes on with the handshake, as far as the peer has come.
    pub fn shake_hands(&self, context: &WorkerContext) -> Handshake {
        let mut lent = self.lend();
        let Some((stream, Some(session))) = lent.parts() else { return Handshake::Done };
        self.send(context, stream, session);
        while session.is_handshaking() {
            match self.receive(context, stream, session, &mut []) {
                Ok(Some(_)) => {}
                Ok(None) => return Handshake::Failed(io::ErrorKind::ConnectionReset.into()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Handshake::Waits,
                Err(error) => return Handshake::Failed(error),
            }
        }
        Handshake::Done
    }

    /// Reads what has come, once, and decrypts it: into `buffer`, and what has no place there waits. Gives how many bytes
    /// are in `buffer`, which may be none; nothing at the end of the stream.
    ///
    /// # Errors
    /// What the system says, or what is wrong with what has come.
    fn receive(
        &self,
        context: &WorkerContext,
        stream: &mut TcpStream,
        session: &mut TlsSession,
        buffer: &mut [u8],
    ) -> io::Result<Option<usize>> {
        if session.peer_is_closed() {
            return Ok(None);
        }
        let mut sealed = context.sealed_buffer();
        let count = self.read_socket(stream, &mut sealed)?;
        if count == 0 {
            return Ok(None);
        }
        let received = session.receive(&sealed[..count], buffer);
        // An alert, the answer to a change of keys, the next step of the handshake.
        self.send(context, stream, session);
        match received {
            Ok(count) => Ok(Some(count)),
            Err(error) => Err(io::Error::new(io::ErrorKind::InvalidData, error)),
        }
    }

    /// Sends what TLS itself has to say, if something is left of it.
    fn send_tls(&self, context: &WorkerContext) {
        if let Some((stream, Some(session))) = self.lend().parts()
            && session.wants_to_send()
        {
            self.send(context, stream, session);
        }
    }

    /// Sends what is encrypted, as far as the peer takes it; behind the last of it, the stream ends.
    fn send(
        &self,
        context: &WorkerContext,
        stream: &mut TcpStream,
        session: &mut TlsSession,
    ) -> Written {
        while session.wants_to_send() {
            if !self.readiness.is_writable() {
                return Written::Blocked;
            }
            match session.send(stream) {
                Ok(n) => context.metrics.written.add(n as u64),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.readiness.handle_nothing_written();
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => {
                    self.handle_broken(context);
                    return Written::Broken;
                }
            }
        }
        if session.is_closed() {
            // It fails when the peer is gone, and then the reading side sees it too.
            let _gone = stream.shutdown(Shutdown::Write);
        }
        Written::All
    }

    /// What is encrypted stays in the queue until it has left: so the queue is empty when nothing is left to be written,
    /// encrypted or not.
    fn write_tls(
        &self,
        context: &WorkerContext,
        stream: &mut TcpStream,
        session: &mut TlsSession,
        out: &mut WriteQueue,
    ) -> Written {
        loop {
            let sent = self.send(context, stream, session);
            let broken = match sent {
                Written::All => false,
                Written::Blocked => return Written::Blocked,
                Written::Broken => true,
            };
            let left = session.take_sealed();
            if !broken {
                if let Some(spare) = out.advance(left) {
                    context.give_spare_buffer(spare);
                }
                if out.is_empty() {
                    return Written::All;
                }
            }
            let mut slices = [IoSlice::new(&[]); MAX_SLICES];
            let n = out.slices(&mut slices);
            if broken || !session.seal(&slices[..n]) {
                out.clear();
                self.handle_broken(context);
                return Written::Broken;
            }
        }
    }
}
