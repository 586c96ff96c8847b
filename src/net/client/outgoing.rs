//! What JavaScript asks of a client.

use std::rc::Rc;

use bytes::Bytes;

use super::Client;
use crate::border::send_flag::{NO_COMPRESS, VOLATILE};
use crate::engineio::{Link, OutMessage, Route, Session};
use crate::net::clock;
use crate::net::command::Outgoing;
use crate::net::context::WorkerContext;
use crate::net::metrics::Parcel;
use crate::net::shared_frames::SharedFrames;
use crate::net::websocket_wire::WebSocketWire;

/// Bytes that a batch may gather for a client before its volatile packets ask whether the client takes
/// them: enough for what a tick sends, and no more than one write carries.
pub(super) const VOLATILE_AHEAD: usize = 64 << 10;

impl Client {
    /// Sends one text message.
    pub fn send_text(&self, context: &WorkerContext, flags: u8, text: &[u8]) {
        fault!("send text", self.server.environment.id, self.handle.raw());
        let state = self.state.borrow();
        match state.session.route() {
            Route::WebSocket => {
                let Some(wire) = &state.main else { return };
                if flags & VOLATILE != 0 && self.loses_volatile(context, wire) {
                    return;
                }
                self.count_sent(Parcel::of_text(text));
                wire.write_message(context, text, flags & NO_COMPRESS == 0);
            }
            Route::Buffer => {
                drop(state);
                let message = Outgoing::Text(Bytes::copy_from_slice(text));
                self.buffer(context, flags, std::slice::from_ref(&message));
            }
            Route::Closed => {}
        }
    }

    /// Sends messages that belong together: a packet and its attachments.
    pub fn send(self: &Rc<Self>, context: &WorkerContext, flags: u8, messages: &[Outgoing]) {
        fault!("send", self.server.environment.id, self.handle.raw());
        let state = self.state.borrow();
        match state.session.route() {
            Route::WebSocket => {
                let Some(wire) = &state.main else { return };
                if flags & VOLATILE != 0 && self.loses_volatile(context, wire) {
                    return;
                }
                self.count_sent(Outgoing::parcel(messages));
                let compress = flags & NO_COMPRESS == 0;
                for message in messages {
                    match message {
                        Outgoing::Text(text) => wire.write_owned_message(context, text, compress),
                        Outgoing::Binary(data) => wire.write_binary(context, data, compress),
                    }
                }
            }
            Route::Buffer => {
                drop(state);
                self.buffer(context, flags, messages);
            }
            Route::Closed => {}
        }
    }

    /// Sends one packet that is not a message. The session does not know of it: it is the program's own, and
    /// what the client answers is treated as usual.
    pub fn send_packet(self: &Rc<Self>, context: &WorkerContext, flags: u8, packet: String) {
        fault!("send packet", self.server.environment.id, self.handle.raw());
        let mut state = self.state.borrow_mut();
        let compress = flags & NO_COMPRESS == 0;
        match state.session.route() {
            Route::WebSocket => {
                if let Some(wire) = &state.main {
                    wire.write_text(context, &packet, compress);
                }
            }
            Route::Buffer => {
                state.session.buffer_packet(packet, compress);
                drop(state);
                self.flush_later(context);
            }
            Route::Closed => {}
        }
    }

    /// Sends what other clients get, too.
    pub fn send_shared(
        self: &Rc<Self>,
        context: &WorkerContext,
        flags: u8,
        frames: &SharedFrames<'_>,
    ) {
        fault!("broadcast", self.server.environment.id, self.handle.raw());
        let state = self.state.borrow();
        match state.session.route() {
            Route::WebSocket => {
                let Some(wire) = &state.main else { return };
                if flags & VOLATILE != 0 && self.loses_volatile(context, wire) {
                    return;
                }
                self.count_sent(frames.parcel);
                wire.write_frames(context, frames, flags & NO_COMPRESS == 0);
            }
            Route::Buffer => {
                drop(state);
                self.buffer(context, flags, frames.messages);
            }
            Route::Closed => {}
        }
    }

    /// Whether a volatile packet is to be dropped: its peer does not take what it has been offered. What
    /// only waits for the end of the batch has not been offered yet, unless it has become much.
    #[inline(never)]
    fn loses_volatile(&self, context: &WorkerContext, wire: &Rc<WebSocketWire>) -> bool {
        if !wire.is_blocked() && wire.queued() > VOLATILE_AHEAD {
            wire.write_out(context);
        }
        let is_lost = wire.backlog() > self.server.buffers.volatile;
        if is_lost {
            self.counts().volatile_dropped.add(1);
        }
        is_lost
    }

    /// Counts what is about to be sent.
    #[inline]
    pub(super) fn count_sent(&self, parcel: Parcel) {
        let is_unread = self.server.raw_messages || self.server.plain;
        self.counts().sent.count(parcel.unread(is_unread));
    }

    /// The same for a session that is carried by polls: no poll waits that could take it.
    fn buffers_no_volatile(&self, session: &Session) -> bool {
        match self.server.buffers.volatile {
            0 => !session.writable() || session.buffered() > VOLATILE_AHEAD,
            limit => session.buffered() > limit,
        }
    }

    fn buffer(&self, context: &WorkerContext, flags: u8, messages: &[Outgoing]) {
        let mut state = self.state.borrow_mut();
        let session = &mut state.session;
        if flags & VOLATILE != 0 && self.buffers_no_volatile(session) {
            self.counts().volatile_dropped.add(1);
            return;
        }
        self.count_sent(Outgoing::parcel(messages));
        for message in messages {
            let (data, binary) = match message {
                Outgoing::Text(data) => (data, false),
                Outgoing::Binary(data) => (data, true),
            };
            let compress = flags & NO_COMPRESS == 0;
            session.buffer(OutMessage { data: data.clone(), binary, compress });
        }
        drop(state);
        self.flush_later(context);
    }

    /// Lets what is buffered go out when all operations of the batch are done.
    pub(super) fn flush_later(&self, context: &WorkerContext) {
        if !self.unflushed.replace(true) {
            context.add_unflushed(self.handle.slot());
        }
    }

    /// Closes the session from our side.
    pub fn close(&self, context: &WorkerContext, discard: bool) {
        fault!("close", self.server.environment.id, self.handle.raw());
        let now = clock::now();
        let mut state = self.state.borrow_mut();
        state.session.close(now, discard);
        self.count_held(&state); // what waited is forgotten
        drop(state);
        self.settle(context);
    }

    /// The client has joined a namespace: it may stay.
    pub fn set_joined(&self, context: &WorkerContext) {
        fault!("joined", self.server.environment.id, self.handle.raw());
        self.state.borrow_mut().join_deadline = 0;
        context.places.authenticate(self.handle.slot().index);
    }

    /// Which extra records JavaScript wants.
    pub fn observe(&self, mask: u8) {
        fault!("observe", self.server.environment.id, self.handle.raw());
        self.observed.set(mask);
    }

    /// JavaScript wants to know when what has been sent so far has left.
    ///
    /// Everything is written now, as far as the peer takes it: only clients that are asked for it pay.
    pub fn fence(&self, context: &WorkerContext) {
        fault!("fence", self.server.environment.id, self.handle.raw());
        self.fences.set(self.fences.get() + 1);
        let wire = self.wire(Link::Main);
        if let Some(wire) = wire {
            wire.write_out(context);
            if wire.has_left() {
                self.handle_drained();
            }
        } else {
            self.flush_session(context);
            if self.state.borrow().session.buffered() == 0 {
                self.handle_drained();
            }
        }
    }
}
