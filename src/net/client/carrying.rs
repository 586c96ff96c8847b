//! A client that goes to another process, or comes from one.
//!
//! ```text
//!             hold()                  hand_over()
//!   here ───────────────► unread ─────────────────► over there: nobody here hears of it any more
//!     ▲                    ▲ │
//!     └───── read_on() ────┼─┘
//!                          └── it has come from another process
//! ```
//!
//! While it is unread, nothing that its client sends reaches JavaScript: a WebSocket is not read, and the body of a POST waits. What is
//! sent to it leaves as always, it is pinged, and nothing of it counts as late.

use std::sync::Arc;

use super::Client;
use crate::engineio::{CarriedPost, CloseReason};
use crate::handover::HandedSession;
use crate::handover::session::MAX_SID;
use crate::net::clock;
use crate::net::context::WorkerContext;
use crate::net::transfer::Channel;
use crate::net::websocket_wire::carrying::CarriedWire;
use crate::socketio::Decoded;

impl Client {
    /// From now on nothing is read.
    pub fn hold(&self) {
        let mut state = self.state.borrow_mut();
        state.session.hold();
        for wire in state.main.iter().chain(&state.probe) {
            wire.hold();
        }
    }

    /// It is read again. Gives what another process has read of its WebSocket, as frames.
    pub fn read_on(&self, context: &WorkerContext) -> Vec<u8> {
        let now = clock::now();
        let mut state = self.state.borrow_mut();
        if !state.session.release() {
            return Vec::new();
        }
        self.go_on(context, &mut state, now);
        for wire in state.main.iter().chain(&state.probe) {
            wire.release(context);
        }
        drop(state);
        self.settle(context);
        context.unread.take(self.handle.slot().index)
    }

    /// Another process goes on with it, if it is unread and can be carried; else it is closed, and its client comes back by itself.
    pub fn hand_over(&self, context: &WorkerContext, channel: &Arc<Channel>, blob: Vec<u8>) {
        fault!("hand over", self.server.environment.id, self.handle.raw());
        match self.carry(context, blob) {
            Some((session, wire)) => {
                self.settle(context); // a GET that waits is answered
                let (unwritten, frames, socket) = match wire {
                    Some(wire) => (wire.unwritten, wire.unread, Some(wire.socket)),
                    None => Default::default(),
                };
                let session = HandedSession { unread: frames, unwritten, ..session };
                let reason = if channel.send_session(session, socket) {
                    CloseReason::HandedOver
                } else {
                    CloseReason::TransportClose // its socket has been closed
                };
                self.finish(context, reason);
            }
            None => self.close(context, true),
        }
    }

    /// Takes all that another process needs, but for what is of its wire and stands beside. None, and nothing has happened: it can't be carried.
    fn carry(
        &self,
        context: &WorkerContext,
        blob: Vec<u8>,
    ) -> Option<(HandedSession, Option<CarriedWire>)> {
        let now = clock::now();
        let state = &mut *self.state.borrow_mut();
        let main = state.main.as_ref();
        if state.closed
            || !state.session.is_held()
            || state.probe.is_some()
            || state.session.sid().as_str().len() > MAX_SID
            || main.is_some_and(|wire| !wire.is_portable())
        {
            return None;
        }
        let dialect = main.map_or(state.session.protocol().into(), |wire| wire.dialect());
        let client = self.handle.slot().index;
        let (session, posts) = state.session.carry(now, dialect)?;
        // Where it has come from another process itself, and has not been read.
        let mut frames = context.unread.take(client);
        let wire = state.main.take().and_then(|wire| wire.carry_off(context)).map(|wire| {
            frames.extend_from_slice(&wire.unread);
            CarriedWire { unread: std::mem::take(&mut frames), ..wire }
        });
        let of_socket = || wire.as_ref()?.socket.peer_addr().ok();
        let told = context.places.address(client);
        let address = told.or_else(|| of_socket().map(|address| address.ip()));
        let join_left = match state.join_deadline {
            0 => None,
            deadline => Some(deadline.saturating_sub(now)),
        };
        let handed = HandedSession {
            session,
            join_left,
            address,
            unread: Vec::new(),
            unwritten: Vec::new(),
            packet: state.decoder.replay(),
            posts,
            blob,
        };
        Some((handed, wire))
    }

    /// Puts into place what another process has said of it. False: that makes no sense.
    pub fn restore(
        &self,
        context: &WorkerContext,
        frames: Vec<u8>,
        answered: Vec<CarriedPost>,
        packet: Option<(String, Vec<Vec<u8>>)>,
    ) -> bool {
        let now = clock::now();
        let state = &mut *self.state.borrow_mut();
        state.session.hold();
        context.unread.put(self.handle.slot().index, frames);
        for (body, binary) in answered {
            state.session.keep_answered(&body, binary);
        }
        if let Some(wire) = &state.main {
            wire.hold();
        }
        self.count_held(state);
        let Some((text, attachments)) = packet else { return true };
        let begun = state.decoder.handle_text(now, &self.server.limits, &text);
        let pending = begun == Ok(Decoded::Pending)
            && attachments
                .into_iter()
                .all(|bytes| state.decoder.handle_binary(now, bytes) == Ok(None));
        self.count_held(state);
        pending
    }
}
