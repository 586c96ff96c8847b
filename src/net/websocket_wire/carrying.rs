//! A wire whose client goes to another process.

use std::net::TcpStream;
use std::rc::Rc;

use super::{Carried, State, Stream, WebSocketWire, Writing};
use crate::engineio::Link;
use crate::net::context::WorkerContext;
use crate::net::stream;

/// What another process needs of a wire.
#[derive(Debug)]
pub struct CarriedWire {
    /// The socket.
    pub socket: TcpStream,
    /// What has come and is no whole message, as frames of the client.
    pub unread: Vec<u8>,
    /// What is still to be written.
    pub unwritten: Vec<u8>,
}

impl WebSocketWire {
    /// Whether it is read, but for want of room in the inbox.
    pub fn is_held(&self) -> bool {
        self.is_held.get()
    }

    /// Has it read no more. What JavaScript pumps is read all the same: nobody else could go on with it.
    pub fn hold(&self) {
        if matches!(self.stream, Stream::Tcp(_)) {
            self.is_held.set(true);
        }
    }

    /// Has it read again, should it not be: nobody else goes on with it.
    pub fn release(&self, context: &WorkerContext) {
        if let Stream::Tcp(tcp) = &self.stream
            && self.is_held.replace(false)
        {
            tcp.wake(context);
        }
    }

    /// Whether another process could go on with it: a plain socket, by which nothing is compressed and which nobody has begun to close.
    pub fn is_portable(&self) -> bool {
        let Stream::Tcp(tcp) = &self.stream else { return false };
        let is_open =
            matches!(self.state.get(), State::Open(Some(Carried { link: Link::Main, .. })));
        let is_writable = match self.writing.get() {
            Writing::Idle | Writing::Due | Writing::Blocked { .. } => true,
            Writing::Broken | Writing::Shut => false,
        };
        self.is_held()
            && is_open
            && is_writable
            && tcp.is_plain()
            && self.reader.borrow().replay().is_some()
    }

    /// Takes it apart; it has ended here. None: it is not [portable](Self::is_portable).
    pub fn carry_off(self: &Rc<Self>, context: &WorkerContext) -> Option<CarriedWire> {
        if !self.is_portable() {
            return None;
        }
        let mut unread = self.reader.borrow().replay()?;
        unread.extend_from_slice(&self.undecoded());
        let Stream::Tcp(tcp) = &self.stream else { return None };
        let unwritten = self.out.borrow_mut().take(usize::MAX);
        let stream::Stream::Plain(socket) = tcp.give_away(context)? else { return None };
        self.unbind();
        self.drop_stream(context);
        Some(CarriedWire { socket, unread, unwritten })
    }
}
