//! A connection that nobody drives: on its way to the worker that is to have it, or to JavaScript.

use std::io::{self, IoSlice, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};

use super::tls::{Details, TlsSession};

/// A connection, and the TLS that is spoken on it.
#[derive(Debug)]
pub enum Stream {
    /// Its bytes are those of the socket.
    Plain(TcpStream),
    /// The socket has them encrypted; the handshake is done.
    Tls(TcpStream, Box<TlsSession>),
}

impl From<TcpStream> for Stream {
    fn from(socket: TcpStream) -> Self {
        Self::Plain(socket)
    }
}

impl Stream {
    /// The socket.
    pub fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(socket) | Self::Tls(socket, _) => socket,
        }
    }

    /// What the handshake of TLS has come to, if there was one.
    pub fn details(&self) -> Option<Details> {
        match self {
            Self::Plain(_) => None,
            Self::Tls(_, session) => Some(session.details()),
        }
    }

    /// Takes bytes that are known to have come.
    ///
    /// # Errors
    /// What the system says.
    pub fn take_off(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.read(buffer),
            Self::Tls(_, session) => Ok(session.take(buffer)),
        }
    }

    /// Says the last thing that is said on it, which is short, and ends it. What has come must have been taken off: else the
    /// system ends it with a reset, and the peer may not see what was said.
    pub fn say_last(self, text: &str) {
        match self {
            // The buffer of a new connection has room for it. If the peer has gone, nobody misses it.
            Self::Plain(mut socket) => {
                let _gone = socket.write(text.as_bytes());
                let _gone = socket.shutdown(Shutdown::Write);
            }
            Self::Tls(mut socket, mut session) => {
                session.seal(&[IoSlice::new(text.as_bytes())]);
                session.close();
                while session.wants_to_send()
                    && session.send(&mut socket).is_ok_and(|count| count > 0)
                {}
                let _gone = socket.shutdown(Shutdown::Write);
            }
        }
    }
}
