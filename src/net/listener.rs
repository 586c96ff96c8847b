//! The listening sockets of HTTP servers from which workers accept.
//!
//! ```text
//!            JavaScript                                    the worker
//!   admit(what may be taken) ───► Listener ◄─── accept(), while something may be
//!   admit(nothing) ─────────────►  (lock)  ◄─── admission(), for what has been accepted before
//!   close() ────────────────────►
//! ```
//!
//! All of it is under one lock. So when [`Listener::admit`] returns, whoever is accepted from then on is
//! accepted under the new rules or not at all, and when [`Listener::close`] returns, nobody is.

use std::fs::File;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mio::net::TcpListener;
use mio::{Interest, Registry, Token};
use rustls::ServerConfig;

use super::admission::Admission;
use super::server::Environment;
use crate::border::RecordKind;
use crate::http::forwarded::Network;

/// What the system says when a process, or the machine, has no descriptor left.
const NO_DESCRIPTOR: [i32; 2] = [23, 24]; // ENFILE, EMFILE

/// A listening socket that a worker has a descriptor of.
#[derive(Debug)]
pub struct Listener {
    /// JavaScript's name for its HTTP server.
    pub number: u32,
    /// Whose it is.
    pub environment: Arc<Environment>,
    /// Which connections begin by saying for whom they are (the PROXY protocol); none: none does.
    introduced: Option<Introduced>,
    state: Mutex<State>,
    /// Whether JavaScript has been told that nobody is accepted any more.
    told: AtomicBool,
}

#[derive(Debug)]
struct State {
    /// None: it is closed.
    socket: Option<TcpListener>,
    /// Where the worker waits for it.
    registry: Option<Registry>,
    /// What may be taken; none: nobody is accepted.
    admission: Option<Arc<Admission>>,
    /// How the connections speak TLS; none: they do not.
    tls: Option<Arc<Tls>>,
    /// Given up for a moment when no other descriptor is left.
    spare: Option<File>,
}

/// Connections that begin with the header of the PROXY protocol.
#[derive(Debug)]
pub struct Introduced {
    /// From where they come; none: from anywhere.
    pub from: Option<Box<[Network]>>,
    /// How long the header may take, in ms.
    pub within: u64,
}

impl Introduced {
    /// How long the header may take: a proxy sends it at once, and a segment that is lost comes again after some seconds.
    pub const WITHIN: u64 = 5_000;
}

/// How the connections of an HTTPS server speak TLS.
#[derive(Debug)]
pub struct Tls {
    /// Keys, certificates, ciphers and so on.
    pub config: Arc<ServerConfig>,
    /// How long a handshake may take, in ms.
    pub timeout: u64,
    /// Whether JavaScript wants to hear of those that fail.
    pub tells_failures: bool,
}

/// What has come of accepting.
#[derive(Debug)]
pub enum Accepted {
    /// A connection, which does not block, and where it comes from.
    Stream(TcpStream, SocketAddr),
    /// One that was closed at once: there was no descriptor for it. Node.js does so, too.
    Shed,
    /// Nobody waits, or nobody may be accepted.
    Nobody,
    /// The system has no means for it now, and does not tell when it has.
    Exhausted,
}

impl Listener {
    /// The socket of the HTTP server that JavaScript knows by `number`. Nobody is accepted yet.
    pub fn new(
        number: u32,
        environment: Arc<Environment>,
        socket: std::net::TcpListener,
        introduced: Option<Introduced>,
    ) -> Self {
        let socket = Some(TcpListener::from_std(socket));
        let state =
            State { socket, registry: None, admission: None, tls: None, spare: open_spare() };
        Self {
            number,
            environment,
            introduced,
            state: Mutex::new(state),
            told: AtomicBool::new(false),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has `registry` tell of connections.
    ///
    /// # Errors
    /// When it can't, or the socket is closed.
    pub fn register(&self, registry: Registry, token: Token) -> io::Result<()> {
        let mut state = self.lock();
        let socket = state.socket.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        registry.register(socket, token, Interest::READABLE)?;
        state.registry = Some(registry);
        Ok(())
    }

    /// How long the header of the PROXY protocol may take by which a connection from there begins, in ms; none: it begins with none.
    pub fn preface_time(&self, address: IpAddr) -> Option<u64> {
        let Introduced { from, within } = self.introduced.as_ref()?;
        let is_of_proxy =
            from.as_ref().is_none_or(|networks| networks.iter().any(|it| it.contains(address)));
        is_of_proxy.then_some(*within)
    }

    /// From now on connections that are accepted speak TLS like this; none: they do not.
    pub fn secure(&self, tls: Option<Arc<Tls>>) {
        self.lock().tls = tls;
    }

    /// How connections speak TLS that are accepted now.
    pub fn tls(&self) -> Option<Arc<Tls>> {
        self.lock().tls.clone()
    }

    /// From now on this is what may be taken; none: nobody is accepted.
    pub fn admit(&self, admission: Option<Arc<Admission>>) {
        self.lock().admission = admission;
    }

    /// What may be taken now.
    pub fn admission(&self) -> Option<Arc<Admission>> {
        self.lock().admission.clone()
    }

    /// Whether this is what may be taken now.
    pub fn admits(&self, admission: &Arc<Admission>) -> bool {
        self.lock().admission.as_ref().is_some_and(|now| Arc::ptr_eq(now, admission))
    }

    /// Gives up the descriptor.
    pub fn close(&self) {
        let mut state = self.lock();
        state.admission = None;
        if let Some(mut socket) = state.socket.take()
            && let Some(registry) = state.registry.take()
        {
            // It fails when the queue has gone, and the socket with it.
            let _gone = registry.deregister(&mut socket);
        }
    }

    /// Tells JavaScript, if it does not know yet, that nobody is accepted any more; on the lane of `worker`.
    pub fn tell_end(&self, worker: usize) {
        if !self.told.swap(true, Ordering::Relaxed) {
            self.environment.inbox.push(worker, |record| {
                record.kind(RecordKind::Unlistened).number(self.number);
            });
        }
    }

    /// Whether it has been closed.
    pub fn is_closed(&self) -> bool {
        self.lock().socket.is_none()
    }

    /// Accepts a connection, if one waits.
    pub fn accept(&self) -> Accepted {
        let mut state = self.lock();
        let State { socket: Some(socket), admission: Some(_), spare, .. } = &mut *state else {
            return Accepted::Nobody;
        };
        loop {
            let error = match socket.accept() {
                Ok((stream, peer)) => return Accepted::Stream(stream.into(), peer),
                Err(error) => error,
            };
            let is = |kind| error.kind() == kind;
            if is(io::ErrorKind::WouldBlock) {
                return Accepted::Nobody;
            }
            if error.raw_os_error().is_some_and(|code| NO_DESCRIPTOR.contains(&code)) {
                return shed(socket, spare);
            }
            // Else the peer has gone while it waited.
            if !is(io::ErrorKind::Interrupted) && !is(io::ErrorKind::ConnectionAborted) {
                return Accepted::Exhausted;
            }
        }
    }
}

/// Closes the connection that has waited longest, as no descriptor is left: else all would wait for ever.
fn shed(socket: &TcpListener, spare: &mut Option<File>) -> Accepted {
    if spare.take().is_none() {
        *spare = open_spare();
        return Accepted::Exhausted;
    }
    let shed = match socket.accept() {
        Ok(_) => Accepted::Shed,
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Accepted::Nobody,
        Err(_) => Accepted::Exhausted,
    };
    *spare = open_spare();
    shed
}

fn open_spare() -> Option<File> {
    File::open("/dev/null").ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::inbox::Inbox;

    #[test]
    fn nobody_is_accepted_unless_somebody_may_be() {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        socket.set_nonblocking(true).unwrap();
        let environment = Arc::new(Environment::new(Inbox::new(|| ())));
        let listener = Listener::new(1, environment, socket.try_clone().unwrap(), None);
        let _client = TcpStream::connect(address).unwrap();
        assert!(matches!(listener.accept(), Accepted::Nobody));
        assert!(!listener.is_closed());
        listener.close();
        assert!(listener.is_closed());
        assert!(matches!(listener.accept(), Accepted::Nobody));
        // Whose socket it is can still accept.
        socket.accept().unwrap();
    }
}
