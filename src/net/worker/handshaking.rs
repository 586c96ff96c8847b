//! Newcomers with whom TLS is begun.
//!
//! ```text
//!   accepted ──► the handshake ─┬─ done ──► its first request is waited for, as of any other (accepting.rs)
//!                               └─ fails, or takes too long ──► closed; JavaScript may hear of it
//! ```
//!
//! It takes much computing, so JavaScript's thread leaves it to the worker's. As by Node.js, any number may be under way: each
//! has its time, `handshakeTimeout` of the server. Until it is done, nobody counts the connection, and a server that closes lets go
//! of it.

use std::cell::Cell;
use std::io;
use std::net::TcpStream;
use std::rc::Rc;
use std::sync::Arc;

use super::{Connection, Worker};
use crate::border::RecordKind;
use crate::net::clock;
use crate::net::listener::{Listener, Tls};
use crate::net::newcomers::Newcomer;
use crate::net::peer::Source;
use crate::net::stream::Stream;
use crate::net::tcp::{Handshake, Tcp};
use crate::net::tls::TlsSession;

impl Worker {
    /// A connection has been accepted whose peer is to begin with TLS.
    pub(super) fn begin_tls(
        &self,
        listener: &Arc<Listener>,
        stream: TcpStream,
        source: Source,
        tls: Arc<Tls>,
    ) {
        let context = &self.context;
        let key = self.next_handshake(tls.timeout);
        // The peer may wait for what we say, or be told of an alert, without delay.
        let _unsupported = stream.set_nodelay(true);
        // It is closed when it can't be kept.
        let kept = self.connections.add(&context.run_queue, |place| {
            let session = TlsSession::new(Arc::clone(&tls.config)).map_err(io::Error::other)?;
            let stream = Stream::Tls(stream, Box::new(session));
            let newcomer = Rc::new(Newcomer {
                listener: Arc::clone(listener),
                tcp: Tcp::open(context, stream, place)?,
                source,
                awaits_preface: false,
                handshake: Cell::new(Some(key)),
                tls: Some(tls),
                deadline: Cell::new(u64::MAX),
                asked: Cell::default(),
                came: Cell::new(0),
                pieces: Cell::new(0),
                is_counted: Cell::new(false),
            });
            Ok((Connection::Newcomer(Rc::clone(&newcomer)), newcomer))
        });
        if let Ok(newcomer) = kept {
            self.accepting.handshakes.borrow_mut().insert(key, newcomer);
            self.set_deadline();
        }
    }

    /// The place of a handshake that begins now among those that are under way.
    pub(super) fn next_handshake(&self, timeout: u64) -> (u64, u64) {
        let number = self.accepting.last_handshake.get() + 1;
        self.accepting.last_handshake.set(number);
        (clock::now().saturating_add(timeout), number)
    }

    /// Goes on with a handshake. Whether it is done.
    pub(super) fn shake_hands(&self, newcomer: &Rc<Newcomer>) -> bool {
        let done = self.context.guard(&**newcomer, || {
            fault!("handshake", newcomer.listener.environment.id, newcomer.listener.number);
            match newcomer.tcp.shake_hands(&self.context) {
                Handshake::Done => return true,
                Handshake::Waits => {}
                Handshake::Failed(error) => self.refuse(newcomer, &error),
            }
            false
        });
        if done == Some(true) {
            self.end_handshake(newcomer);
            return true;
        }
        if newcomer.tcp.is_closed() {
            self.end_handshake(newcomer);
        }
        false
    }

    /// When the first one must be done.
    pub(super) fn first_handshake(&self) -> Option<u64> {
        self.accepting.handshakes.borrow().first_key_value().map(|((deadline, _), _)| *deadline)
    }

    /// Those that have taken too long have failed.
    pub(super) fn fire_handshakes(&self, now: u64) {
        while self.first_handshake().is_some_and(|deadline| deadline <= now) {
            let first = self.accepting.handshakes.borrow_mut().pop_first();
            let Some((_, newcomer)) = first else { return };
            newcomer.handshake.set(None);
            self.context.guard(&*newcomer, || {
                self.refuse(&newcomer, &io::ErrorKind::TimedOut.into());
            });
        }
    }

    /// Closes those that have come to sockets of which nobody wants to hear any more.
    pub(super) fn drop_handshakes(&self, doomed: impl Fn(&Arc<Listener>) -> bool) {
        self.accepting.handshakes.borrow_mut().retain(|_, newcomer| {
            let stays = !doomed(&newcomer.listener);
            if !stays {
                newcomer.tcp.close(&self.context);
            }
            stays
        });
    }

    pub(super) fn end_handshake(&self, newcomer: &Newcomer) {
        if let Some(key) = newcomer.handshake.take() {
            self.accepting.handshakes.borrow_mut().remove(&key);
            self.set_deadline();
        }
    }

    /// There will be no TLS with a newcomer.
    fn refuse(&self, newcomer: &Newcomer, error: &io::Error) {
        newcomer.tcp.close(&self.context);
        let Newcomer { listener, tls, source, .. } = newcomer;
        if !tls.as_ref().is_some_and(|tls| tls.tells_failures) {
            return;
        }
        let peer = source.peer();
        listener.environment.inbox.push(self.context.index, |record| {
            record.kind(RecordKind::HandshakeFailed).number(listener.number);
            record
                .string(&error.to_string())
                .string(&peer.ip().to_string())
                .number(peer.port().into());
        });
    }
}
