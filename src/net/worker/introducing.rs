//! Newcomers whose proxy has to say first for whom it comes: the PROXY protocol.
//!
//! ```text
//!   accepted ──► the header ─┬─ complete ──► from here on as any other, with the addresses that it tells (accepting.rs)
//!                            └─ none, a wrong one, or it takes too long ──► closed
//! ```
//!
//! It stands before TLS. As with a handshake, nobody counts the connection until it is done, and a server that closes lets go of
//! it. Nothing is taken off the connection before all of the header is there.

use std::cell::Cell;
use std::io;
use std::net::TcpStream;
use std::rc::Rc;
use std::sync::Arc;

use super::accepting::has_ended;
use super::{Connection, Worker};
use crate::http::proxy_protocol::{self, Preface, Told};
use crate::net::descriptor::Addresses;
use crate::net::listener::Listener;
use crate::net::newcomers::Newcomer;
use crate::net::peer::Source;
use crate::net::stream::Stream;
use crate::net::tcp::Tcp;

impl Worker {
    /// Node.js has accepted a connection that this worker is to deal with.
    pub(super) fn receive_for_node(&self, listener: &Arc<Listener>, stream: TcpStream) {
        // It is closed when its peer has gone.
        if stream.set_nonblocking(true).is_ok()
            && let Ok(peer) = stream.peer_addr()
        {
            self.context.wakeups.add(&listener.environment);
            self.receive(listener, stream, peer);
        }
    }

    /// A connection has been accepted that is to begin with the header, which may take so many ms.
    pub(super) fn await_preface(
        &self,
        listener: &Arc<Listener>,
        stream: TcpStream,
        source: Source,
        within: u64,
    ) {
        match self.read_preface(|buffer| stream.peek(buffer)) {
            Preface::Complete { length, told } => {
                self.pass_preface(listener, stream.into(), source, length, told);
            }
            Preface::Invalid => {} // it is closed
            Preface::Partial => self.keep_for_preface(listener, stream, source, within),
        }
    }

    fn keep_for_preface(
        &self,
        listener: &Arc<Listener>,
        stream: TcpStream,
        source: Source,
        within: u64,
    ) {
        let context = &self.context;
        let key = self.next_handshake(within);
        // It is closed when it can't be kept.
        let kept = self.connections.add(&context.run_queue, |place| {
            let newcomer = Rc::new(Newcomer {
                listener: Arc::clone(listener),
                tcp: Tcp::open(context, stream, place)?,
                source,
                awaits_preface: true,
                handshake: Cell::new(Some(key)),
                tls: None,
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

    /// More may have come by a connection whose header is waited for.
    pub(super) fn look_for_preface(&self, newcomer: &Rc<Newcomer>) {
        let context = &self.context;
        context.guard(&**newcomer, || {
            fault!("preface", newcomer.listener.environment.id, newcomer.listener.number);
            match self.read_preface(|buffer| newcomer.tcp.peek(context, buffer)) {
                Preface::Partial if !has_ended(newcomer) => {}
                Preface::Complete { length, told } => {
                    if let Some(stream) = newcomer.tcp.give_away(context) {
                        self.pass_preface(
                            &newcomer.listener,
                            stream,
                            newcomer.source,
                            length,
                            told,
                        );
                    }
                }
                Preface::Partial | Preface::Invalid => newcomer.tcp.close(context),
            }
        });
        if newcomer.tcp.is_closed() {
            self.end_handshake(newcomer);
        }
    }

    /// Reads what has come.
    fn read_preface(&self, peek: impl FnOnce(&mut [u8]) -> io::Result<usize>) -> Preface {
        let mut buffer = self.context.read_buffer();
        match peek(&mut buffer[..proxy_protocol::LONGEST]) {
            Ok(count @ 1..) => proxy_protocol::read(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Preface::Partial,
            // It has ended, or is broken.
            Ok(_) | Err(_) => Preface::Invalid,
        }
    }

    /// The header is there.
    fn pass_preface(
        &self,
        listener: &Arc<Listener>,
        mut stream: Stream,
        source: Source,
        length: usize,
        told: Option<Told>,
    ) {
        if !self.take_off(&mut stream, length) {
            return; // the peer has gone
        }
        let told =
            told.map(|Told { source, destination }| Addresses { peer: source, local: destination });
        if let Stream::Plain(stream) = stream {
            self.welcome(listener, stream, Source { told, ..source });
        }
    }
}
