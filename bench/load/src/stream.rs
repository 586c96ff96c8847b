//! A TCP connection that never blocks, with what came in and what is to go out.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

/// Messages from this size on are written from where they are, and not copied first.
const DIRECT_FROM: usize = 16 * 1024;

/// One connection to the server.
#[derive(Debug)]
pub(crate) struct Stream {
    tcp: TcpStream,
    token: Token,
    connected: bool,
    inbox: Vec<u8>,
    /// How much of `inbox` is dealt with.
    consumed: usize,
    outbox: Vec<u8>,
    /// How much of `outbox` is written.
    written: usize,
    waits_for_write: bool,
}

impl Stream {
    /// Begins to connect.
    pub(crate) fn open(registry: &Registry, token: Token, port: u16) -> io::Result<Self> {
        let mut tcp = TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
        // Closing resets the connection: in TIME_WAIT the ports of the machine would not last.
        socket2::SockRef::from(&tcp).set_linger(Some(Duration::ZERO))?;
        registry.register(&mut tcp, token, Interest::READABLE | Interest::WRITABLE)?;
        Ok(Self {
            tcp,
            token,
            connected: false,
            inbox: Vec::new(),
            consumed: 0,
            outbox: Vec::new(),
            written: 0,
            waits_for_write: true,
        })
    }

    /// Goes on after it became writable.
    pub(crate) fn handle_writable(&mut self, registry: &Registry) -> io::Result<()> {
        if !self.connected {
            if let Some(error) = self.tcp.take_error()? {
                return Err(error);
            }
            self.tcp.set_nodelay(true)?;
            self.connected = true;
        }
        self.write_out(registry)
    }

    /// Reads what is there, through `scratch`.
    pub(crate) fn handle_readable(&mut self, scratch: &mut [u8]) -> io::Result<()> {
        loop {
            match self.tcp.read(scratch) {
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

    /// What came in and is not consumed.
    pub(crate) fn input(&self) -> &[u8] {
        &self.inbox[self.consumed..]
    }

    /// The first bytes of [`Self::input`] are dealt with.
    pub(crate) fn consume(&mut self, len: usize) {
        self.consumed += len;
    }

    /// Gives room back; to be called when [`Self::input`] holds nothing whole any more.
    pub(crate) fn compact(&mut self) {
        self.inbox.drain(..self.consumed);
        self.consumed = 0;
    }

    /// What [`Self::flush`] sends.
    pub(crate) fn outbox(&mut self) -> &mut Vec<u8> {
        &mut self.outbox
    }

    /// Queues bytes. Of many, what the stream takes at once is not copied.
    pub(crate) fn queue(&mut self, bytes: &[u8]) {
        let direct = bytes.len() >= DIRECT_FROM && self.outbox.is_empty() && !self.waits_for_write;
        // An error comes again when the rest is written.
        let written = if direct { self.tcp.write(bytes).unwrap_or(0) } else { 0 };
        self.outbox.extend_from_slice(&bytes[written..]);
    }

    /// Sends what is queued, now or when the stream takes it.
    pub(crate) fn flush(&mut self, registry: &Registry) -> io::Result<()> {
        if self.waits_for_write || self.outbox.is_empty() {
            Ok(())
        } else {
            self.write_out(registry)
        }
    }

    /// Forgets the stream, so that its descriptor may be closed.
    pub(crate) fn close(&mut self, registry: &Registry) {
        // It may be gone already, and then there is nothing to undo.
        let _ = registry.deregister(&mut self.tcp);
    }

    fn write_out(&mut self, registry: &Registry) -> io::Result<()> {
        while self.written < self.outbox.len() {
            match self.tcp.write(&self.outbox[self.written..]) {
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
        registry.reregister(&mut self.tcp, self.token, interest)
    }
}
