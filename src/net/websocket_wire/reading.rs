//! What comes by a wire.

use std::cell::RefCell;
use std::io;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{self, Poll};

use tokio::io::{AsyncRead as _, ReadBuf};
use tokio::net::TcpStream;

use super::undecoded::{PIECE, Undecoded};
use super::{Carried, PONG_LIMIT, READS_PER_TURN, Stream, WRITE_ERROR, WebSocketWire};
use crate::engineio::{Fault, Link};
use crate::net::budget::{Budget, HeldBytes, MAX_READS_PER_TURN};
use crate::net::clock;
use crate::net::command::{BridgeEvent, Command};
use crate::net::context::{Wire as _, WorkerContext};
use crate::net::inbox::CLIENT_LIMIT;
use crate::net::record::Kind;
use crate::websocket::frame::{self, OpCode};
use crate::websocket::{Incoming, Violation};

impl WebSocketWire {
    /// Wakes the task that drives the wire.
    pub fn wake(&self) {
        if let Some(waker) = self.waker.borrow().as_ref() {
            waker.wake_by_ref();
        }
    }

    /// Drives a socket that we own; ready when it is gone.
    pub fn poll_drive(
        self: &Rc<Self>,
        context: &WorkerContext,
        cx: &mut task::Context<'_>,
    ) -> Poll<()> {
        let Stream::Tcp(tcp) = &self.stream else { return Poll::Ready(()) };
        {
            let mut waker = self.waker.borrow_mut();
            if !waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
                *waker = Some(cx.waker().clone());
            }
        }
        self.poll_blocked(context, tcp, cx);
        for read in 0.. {
            if read >= READS_PER_TURN && !self.goes_on(context, read) {
                break;
            }
            if self.is_gone() {
                return Poll::Ready(());
            }
            if !self.may_read(context) {
                return Poll::Pending;
            }
            if self.has_undecoded() {
                self.decode_on(context);
                continue;
            }
            match self.poll_read(context, tcp, cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(0)) => {
                    self.handle_end(context, false);
                    return Poll::Ready(());
                }
                Poll::Ready(Err(_)) => {
                    self.handle_end(context, true);
                    return Poll::Ready(());
                }
                Poll::Ready(Ok(_)) => {}
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Whether to read on although others wait for their turn: while little room is left, a message
    /// that has begun is better read to its end, than many are begun.
    fn goes_on(&self, context: &WorkerContext, reads: u32) -> bool {
        reads < MAX_READS_PER_TURN
            && self.held.bytes() > 0
            && !self.environment.inbox.budget.has_plenty(context.index)
    }

    fn poll_blocked(
        self: &Rc<Self>,
        context: &WorkerContext,
        tcp: &RefCell<Option<TcpStream>>,
        cx: &mut task::Context<'_>,
    ) {
        while self.blocked.get() && !self.lost.get() {
            match tcp.borrow().as_ref().map(|tcp| tcp.poll_write_ready(cx)) {
                Some(Poll::Ready(Ok(()))) => {}
                Some(Poll::Pending | Poll::Ready(Err(_))) | None => return,
            }
            Rc::clone(self).flush(context);
            if !self.lost.get() {
                self.tell_drained(true);
            }
        }
    }

    fn poll_read(
        self: &Rc<Self>,
        context: &WorkerContext,
        tcp: &RefCell<Option<TcpStream>>,
        cx: &mut task::Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let mut buffer = context.read_buffer();
        let most = if self.compressed.is_some() { PIECE } else { buffer.len() };
        let mut read = ReadBuf::new(&mut buffer[..most]);
        {
            let mut tcp = tcp.borrow_mut();
            let Some(tcp) = tcp.as_mut() else { return Poll::Ready(Ok(0)) };
            match Pin::new(tcp).poll_read(cx, &mut read) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Ready(Ok(())) => {}
            }
        }
        let n = read.filled().len();
        fault!("read", self.environment.id, self.token);
        if n > 0 {
            self.handle_bytes(context, &mut buffer[..n]);
        }
        Poll::Ready(Ok(n))
    }

    /// Whether the inbox has room for what this peer sends. When it has not, the worker wakes us
    /// after JavaScript has taken enough.
    fn may_read(self: &Rc<Self>, context: &WorkerContext) -> bool {
        if self.stalled.get() {
            return false;
        }
        if !self.must_wait(context, |budget| budget.has_room(context.index)) {
            return true;
        }
        self.stall(context);
        false
    }

    fn stall(self: &Rc<Self>, context: &WorkerContext) {
        self.stalled.set(true);
        context.add_stalled(Rc::<Self>::clone(self));
    }

    /// Whether there is no room. Then JavaScript takes something later than this, and the worker hears
    /// of it.
    pub(super) fn must_wait(
        &self,
        context: &WorkerContext,
        has_room: impl Fn(&Budget) -> bool,
    ) -> bool {
        let budget = &self.environment.inbox.budget;
        let has_room = || {
            let client = self.client.borrow();
            let own = client.as_ref().map_or(0, |client| client.waiting_bytes());
            own < CLIENT_LIMIT && has_room(budget)
        };
        if has_room() {
            return false;
        }
        // Noted first: what is taken before this looks again is seen here.
        budget.wait(context.index);
        !has_room()
    }

    /// Bytes of a bridged stream. They are taken in any case; when the inbox is full, JavaScript is
    /// asked to stop reading the stream, if it has not already (`paused`).
    pub fn handle_bridged(
        self: &Rc<Self>,
        context: &WorkerContext,
        bytes: &mut [u8],
        paused: bool,
    ) {
        let was_stalled = self.stalled.get();
        self.take_in(context, bytes);
        if was_stalled {
            return;
        }
        self.decode_on(context);
        if self.is_gone() {
            return;
        }
        if !self.may_read(context) {
            self.push_urgent(Kind::BridgePause);
        } else if paused {
            self.push_urgent(Kind::BridgeResume);
        }
    }

    /// Bytes as they came from the peer.
    pub fn handle_bytes(self: &Rc<Self>, context: &WorkerContext, bytes: &mut [u8]) {
        if self.is_over() {
            return;
        }
        let client = self.client();
        let now = clock::now();
        if self.link.get() == Link::Main
            && let Some(client) = &client
        {
            client.handle_progress(now);
        }
        let mut overlong = false;
        let mut reader = self.reader.borrow_mut();
        let result = reader.handle_bytes(bytes, |incoming| {
            self.handle_incoming(context, client.as_ref(), now, incoming, &mut overlong)
        });
        self.held.set(reader.buffered());
        drop(reader);
        let violation = if overlong { Some(Violation::TOO_BIG) } else { result.err() };
        if let Some(violation) = violation {
            self.end(context, Some(violation.code));
            if let Some(client) = &client {
                let Violation { message, detail, .. } = violation;
                let fault = Fault { text: message, number: detail };
                client.handle_link_error(now, self.link.get(), fault);
            }
        }
        if let Some(client) = &client {
            client.settle(context);
        }
        context.flush_dirty();
    }

    fn handle_incoming(
        self: &Rc<Self>,
        context: &WorkerContext,
        client: Option<&Rc<dyn Carried>>,
        now: u64,
        incoming: Incoming<'_>,
        overlong: &mut bool,
    ) -> ControlFlow<()> {
        match incoming {
            Incoming::Text(_) | Incoming::Binary(_) if self.released.get() => {
                self.begin_close(context, None);
                ControlFlow::Continue(())
            }
            // Behind an invalid packet the rest is still read, as the peer's close frame may stand
            // there.
            Incoming::Text(text) if self.is_open() => {
                if let Some(client) = client {
                    let link = self.link.get();
                    if client.handle_text(now, link, text).is_break() {
                        *overlong = true;
                        return ControlFlow::Break(());
                    }
                    if link == Link::Probe {
                        // JavaScript hears of the upgrade before it gets what comes right behind.
                        client.settle(context);
                    }
                }
                ControlFlow::Continue(())
            }
            Incoming::Binary(data) if self.is_open() => {
                let link = self.link.get();
                if let Some(client) = client
                    && client.handle_binary(now, link, data).is_break()
                {
                    *overlong = true;
                    return ControlFlow::Break(());
                }
                ControlFlow::Continue(())
            }
            Incoming::Text(_) | Incoming::Binary(_) | Incoming::Pong(_) => {
                ControlFlow::Continue(())
            }
            Incoming::Ping(data) => {
                if self.blocked.get() {
                    if self.pongs.get() == PONG_LIMIT {
                        self.finish(context);
                        if let Some(client) = client {
                            client.handle_link_closed(now, self.link.get());
                        }
                        return ControlFlow::Break(());
                    }
                    self.pongs.set(self.pongs.get() + 1);
                }
                self.queue(context, |out| {
                    frame::write_header(out, OpCode::Pong, false, data.len());
                    out.extend_from_slice(data);
                });
                ControlFlow::Continue(())
            }
            Incoming::Close(code) => {
                self.end(context, code);
                if let Some(client) = client {
                    client.handle_link_closed(now, self.link.get());
                }
                ControlFlow::Break(())
            }
        }
    }

    /// The stream has ended; `broken`: not in an orderly way.
    pub fn handle_end(self: &Rc<Self>, context: &WorkerContext, broken: bool) {
        let client = self.client();
        let link = self.link.get();
        let lost = self.lost.get() || (broken && self.unsent() > 0);
        self.finish(context);
        if let Some(client) = client {
            let now = clock::now();
            if lost {
                client.handle_link_error(now, link, WRITE_ERROR.into());
            } else {
                client.handle_link_closed(now, link);
            }
            client.settle(context);
            context.flush_dirty();
        }
    }
}

impl WebSocketWire {
    /// Bytes as they came from the peer, as many as may be: of those that may be compressed, no more is
    /// decoded than there is room for.
    pub fn take_in(self: &Rc<Self>, context: &WorkerContext, mut bytes: &mut [u8]) {
        if self.compressed.is_none() {
            return self.handle_bytes(context, bytes);
        }
        if self.has_undecoded() || self.stalled.get() {
            return self.keep(context, bytes);
        }
        while !bytes.is_empty() {
            let count = bytes.len().min(PIECE);
            let (piece, rest) = bytes.split_at_mut(count);
            self.handle_bytes(context, piece);
            if !rest.is_empty() && !self.may_read(context) {
                return self.keep(context, rest);
            }
            bytes = rest;
        }
    }

    /// Keeps bytes for [`decode_on`](Self::decode_on).
    fn keep(&self, context: &WorkerContext, bytes: &[u8]) {
        if bytes.is_empty() || self.is_over() {
            return;
        }
        let mut undecoded = self
            .take_undecoded()
            .unwrap_or_else(|| Undecoded::new(&self.environment.inbox.budget, context.index));
        undecoded.push(bytes);
        self.set_undecoded(Some(undecoded));
    }

    /// Whether bytes wait to be decoded.
    pub(super) fn has_undecoded(&self) -> bool {
        self.compressed.as_ref().is_some_and(|compressed| compressed.undecoded.borrow().is_some())
    }

    fn take_undecoded(&self) -> Option<Undecoded> {
        self.compressed.as_ref().and_then(|compressed| compressed.undecoded.take())
    }

    pub(super) fn set_undecoded(&self, undecoded: Option<Undecoded>) {
        if let Some(compressed) = &self.compressed {
            *compressed.undecoded.borrow_mut() = undecoded;
        }
    }

    /// Decodes what waits, as far as there is room; behind it comes the end of the stream, if it has.
    pub(super) fn decode_on(self: &Rc<Self>, context: &WorkerContext) {
        let mut piece = [0; PIECE];
        while self.has_undecoded() && self.may_read(context) {
            let Some(mut undecoded) = self.take_undecoded() else { return };
            let count = undecoded.pop(&mut piece);
            let mut end = None;
            if undecoded.is_empty() {
                end = undecoded.end;
            } else {
                // Put back first: what comes now may end the wire.
                self.set_undecoded(Some(undecoded));
            }
            self.handle_bytes(context, &mut piece[..count]);
            if let Some(broken) = end {
                self.handle_end(context, broken);
            }
        }
    }

    /// The bridged stream has ended: behind what is not decoded yet, too.
    pub fn handle_bridge_end(self: &Rc<Self>, context: &WorkerContext, broken: bool) {
        match self.take_undecoded() {
            Some(mut undecoded) if !self.is_over() => {
                undecoded.end = Some(broken);
                self.set_undecoded(Some(undecoded));
            }
            Some(_) | None => self.handle_end(context, broken),
        }
    }

    /// There is room again: what waits of a bridged stream is decoded before more of it is read. It has
    /// a turn of its own for that.
    pub(super) fn decode_soon(&self, context: &WorkerContext) {
        let bytes = HeldBytes::new(&self.environment.inbox.budget, context.index, Vec::new());
        let event = BridgeEvent::Data { bytes, paused: true };
        context
            .post(context.index, Command::Bridge { key: (self.environment.id, self.token), event });
    }
}
