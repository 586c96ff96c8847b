//! The TLS of one connection: bytes of the peer in, bytes of the program out, and the other way round. It has no
//! socket; [`super::tcp`] brings it what has come, and takes what is to leave.
//!
//! ```text
//!   what has come ──► receive() ──► what it says (decrypted), and in `seen` what has no place yet
//!   what is to be said ──► seal() ──┐
//!   handshake, tickets, alerts ─────┴──► send() ──► what leaves
//! ```

pub mod config;

use std::fmt;
use std::io::{self, IoSlice, Read as _, Write as _};
use std::sync::Arc;

use rustls::{HandshakeKind, ProtocolVersion, ServerConfig, ServerConnection};

use self::config::{cipher_names, take_chosen};

/// The TLS of one connection.
pub struct TlsSession {
    connection: ServerConnection,
    /// What has been decrypted and not been taken: at most what one read and an unfinished record bring.
    seen: Vec<u8>,
    /// Bytes at the front of the connection's queue whose ciphertext is on its way.
    sealed: usize,
    /// The number of the certificate that was shown; 0: none yet.
    identity: u32,
    /// Nothing more is said.
    is_closed: bool,
    /// The peer has said that nothing more comes.
    peer_is_closed: bool,
}

impl fmt::Debug for TlsSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsSession")
            .field("version", &self.connection.protocol_version())
            .finish_non_exhaustive()
    }
}

impl TlsSession {
    /// That of a connection by which nothing has come.
    ///
    /// # Errors
    /// When the configuration can't be used.
    pub fn new(config: Arc<ServerConfig>) -> Result<Self, rustls::Error> {
        let connection = ServerConnection::new(config)?;
        Ok(Self {
            connection,
            seen: Vec::new(),
            sealed: 0,
            identity: 0,
            is_closed: false,
            peer_is_closed: false,
        })
    }

    /// Whether nothing can be said yet.
    pub fn is_handshaking(&self) -> bool {
        self.connection.is_handshaking()
    }

    /// What the handshake has come to; see [`Details`].
    pub fn details(&self) -> Details {
        let connection = &self.connection;
        let (cipher, standard_cipher) = connection
            .negotiated_cipher_suite()
            .and_then(|suite| cipher_names(suite.suite()))
            .unwrap_or_default();
        Details {
            version: match connection.protocol_version() {
                Some(ProtocolVersion::TLSv1_2) => "TLSv1.2",
                _ => "TLSv1.3",
            },
            cipher,
            standard_cipher,
            is_resumed: connection.handshake_kind() == Some(HandshakeKind::Resumed),
            identity: self.identity,
            alpn: connection.alpn_protocol().map(|name| String::from_utf8_lossy(name).into()),
            server_name: connection.server_name().map(Into::into),
        }
    }

    // --- what comes in ---------------------------------------------------------------------------

    /// Takes what has come from the peer. What it says goes into `out`, as far as there is room and nothing waits to
    /// be [taken](Self::take); the rest waits. Gives how many bytes have been put there.
    ///
    /// # Errors
    /// When the peer breaks the rules: nothing more is to be said but what [`send`](Self::send) gives.
    pub fn receive(&mut self, mut bytes: &[u8], out: &mut [u8]) -> Result<usize, rustls::Error> {
        let mut filled = 0;
        while !bytes.is_empty() {
            match self.connection.read_tls(&mut bytes) {
                // Nothing counts behind the end that the peer has announced.
                Ok(0) if self.peer_is_closed => break,
                Ok(0) | Err(_) => {
                    return Err(rustls::Error::General("a message has no end".into()));
                }
                Ok(_) => {}
            }
            let state = self.connection.process_new_packets();
            let chosen = take_chosen();
            if chosen != 0 {
                self.identity = chosen;
            }
            let state = state?;
            self.peer_is_closed = state.peer_has_closed();
            let mut came = state.plaintext_bytes_to_read();
            while came > 0 {
                let room = if self.seen.is_empty() { out.len() - filled } else { 0 };
                let count = if room > 0 {
                    let count = self.connection.reader().read(&mut out[filled..]).unwrap_or(0);
                    filled += count;
                    count
                } else {
                    let before = self.seen.len();
                    self.seen.resize(before + came, 0);
                    let count = self.connection.reader().read(&mut self.seen[before..]);
                    let count = count.unwrap_or(0);
                    self.seen.truncate(before + count);
                    count
                };
                if count == 0 {
                    break;
                }
                came -= count;
            }
        }
        Ok(filled)
    }

    /// Takes what has been decrypted and has waited; 0: nothing has.
    pub fn take(&mut self, out: &mut [u8]) -> usize {
        let count = self.look(out);
        if count == self.seen.len() {
            // Seldom is anything kept; an idle connection owns no memory for it.
            self.seen = Vec::new();
        } else {
            self.seen.drain(..count);
        }
        count
    }

    /// Copies what has been decrypted and waits, and takes nothing of it.
    pub fn look(&self, out: &mut [u8]) -> usize {
        let count = out.len().min(self.seen.len());
        out[..count].copy_from_slice(&self.seen[..count]);
        count
    }

    /// Whether something that has been decrypted waits.
    pub fn has_seen(&self) -> bool {
        !self.seen.is_empty()
    }

    /// Whether the peer has said that nothing more comes than what waits.
    pub fn peer_is_closed(&self) -> bool {
        self.peer_is_closed
    }

    // --- what goes out ---------------------------------------------------------------------------

    /// Whether something is to leave.
    pub fn wants_to_send(&self) -> bool {
        self.connection.wants_write()
    }

    /// Writes what is to leave, as far as `socket` takes it.
    ///
    /// # Errors
    /// That of the socket.
    pub fn send(&mut self, socket: &mut dyn io::Write) -> io::Result<usize> {
        self.connection.write_tls(socket)
    }

    /// Encrypts the beginning of what is to be said, up to a bound: it stays in the queue of the connection until it
    /// has left. False: nothing more can be said.
    pub fn seal(&mut self, pieces: &[IoSlice<'_>]) -> bool {
        debug_assert_eq!(self.sealed, 0, "what was sealed before has left");
        self.sealed = self.connection.writer().write_vectored(pieces).unwrap_or(0);
        self.sealed > 0
    }

    /// Bytes of what is to be said that are on their way; none from now on.
    pub fn take_sealed(&mut self) -> usize {
        std::mem::take(&mut self.sealed)
    }

    /// Says that nothing more is said.
    pub fn close(&mut self) {
        if !self.is_closed {
            self.is_closed = true;
            self.connection.send_close_notify();
        }
    }

    /// Whether it has said that nothing more is said.
    pub fn is_closed(&self) -> bool {
        self.is_closed
    }
}

/// What a handshake has come to, for programs that ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Details {
    /// As Node.js names it: "TLSv1.3" or "TLSv1.2".
    pub version: &'static str,
    /// The cipher suite, as OpenSSL names it.
    pub cipher: &'static str,
    /// The same, as the standard names it.
    pub standard_cipher: &'static str,
    /// Whether it goes on with the keys of an earlier connection.
    pub is_resumed: bool,
    /// The number of the certificate that was shown.
    pub identity: u32,
    /// What was agreed on by ALPN.
    pub alpn: Option<String>,
    /// The name that the client asked for.
    pub server_name: Option<String>,
}

impl fmt::Display for Details {
    /// As JavaScript reads it: version, cipher, the same as the standard has it, whether it is resumed (0 or 1), number
    /// of the certificate, ALPN, name; with spaces between, and the last two maybe empty.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { version, cipher, standard_cipher, is_resumed, identity, alpn, server_name } =
            self;
        let alpn = alpn.as_deref().unwrap_or_default();
        let name = server_name.as_deref().unwrap_or_default();
        let resumed = u8::from(*is_resumed);
        write!(f, "{version} {cipher} {standard_cipher} {resumed} {identity} {alpn} {name}")
    }
}
