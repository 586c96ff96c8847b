//! A connection that goes the way of its sessions, to another process.

use super::{HttpWire, State};
use crate::handover::Message;
use crate::net::context::{Wire as _, WorkerContext};
use crate::net::stream::Stream;
use crate::net::transfer::Channel;

impl HttpWire {
    /// Reads no more, or again, if it is of that server of that environment.
    pub(super) fn set_held(
        &self,
        context: &WorkerContext,
        environment: u32,
        server: u32,
        is_held: bool,
    ) {
        if self.handover.server.id != server || self.environment_id() != environment {
            return;
        }
        self.is_held.set(is_held);
        if !is_held {
            self.put_off_timeout(context);
            self.tcp.wake(context);
        }
    }

    /// Goes to the process that has got its sessions: with what has come of a request, and what is still to be written. One whose
    /// request is not answered is closed behind the answer; one that can't go, at once.
    pub(super) fn carry(&self, context: &WorkerContext, server: u32, channel: &Channel) {
        if self.handover.server.id != server || self.environment_id() != channel.environment.id {
            return;
        }
        match self.state.get() {
            State::Gone => return,
            State::Idle { skip: 0 } | State::Head { .. } | State::Body { .. }
                if self.tcp.is_plain() && !self.ended.get() && !self.closing.get() => {}
            // Of a body that nobody wants, the rest is on its way.
            State::Idle { .. } | State::Head { .. } | State::Body { .. } => {
                return self.finish(context);
            }
            State::Waiting { .. } | State::Full { .. } | State::Ready => {
                self.is_held.set(false);
                self.closing.set(true);
                return;
            }
        }
        let unread = self.input.take();
        let unwritten = self.out.borrow_mut().take(usize::MAX);
        if let Some(Stream::Plain(socket)) = self.tcp.give_away(context) {
            channel.send(&Message::Connection { unread, unwritten }, vec![socket]);
        }
        self.finish(context);
    }
}
