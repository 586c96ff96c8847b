//! What a client sends, where that is limited: whether it is taken, dropped or the end, and when the client is read on.
//!
//! ```text
//!          no token is left behind a message            its time has come (a deadline of the client)
//!   read ────────────────────────────────────► paused ─────────────────────────────────────────────► read
//!                                                │
//!                                                └─ what it has sent waits: bytes of its WebSocket undecoded (`Undecoded`),
//!                                                   what is left of a POST in `context.unread`
//! ```
//!
//! A paused client is pinged as always, and not held to answer: its pong stands behind what waits.

use std::cell::Cell;
use std::rc::Rc;

use super::{Client, State};
use crate::border::send_flag::VOLATILE;
use crate::limits::traffic::{Action, Judgement, Over, Traffic};
use crate::net::clock;
use crate::net::context::WorkerContext;
use crate::net::places::Allowance;
use crate::net::unread::{Post, PostPart};
use crate::socketio::PacketType;

/// What is answered to an event that is dropped.
const DROPPED: &str = "too many events";

/// The limits for one message of a client.
pub(super) struct Limiter {
    allowance: Rc<Allowance>,
    now: u64,
    /// Whether the packet is one that can't be dropped.
    is_needed: bool,
    /// Whether there were too many, and it was taken as it is such a one.
    is_forced: Cell<bool>,
}

/// The client has sent more than it may, which says this, and is to be disconnected.
#[derive(Debug)]
pub(super) struct Exceeded(pub(super) &'static str);

impl Limiter {
    fn traffic(&self) -> Option<&Traffic> {
        self.allowance.gate.traffic()
    }

    /// A packet has come by a message of so many bytes; with attachments, these follow. Gives what it is too much of, if it is to be
    /// dropped. What it costs is paid, unless it is.
    pub(super) fn admit(
        &mut self,
        kind: PacketType,
        namespace: &str,
        bytes: usize,
    ) -> Result<Option<Over>, Exceeded> {
        // Clients of protocol 3 name it together with a query.
        let name = namespace.split('?').next().unwrap_or_default();
        let namespace = self.traffic().and_then(|traffic| traffic.namespace(name));
        self.allowance.namespace.set(namespace);
        self.is_needed = !matches!(kind, PacketType::Event | PacketType::BinaryEvent);
        let dropped = self.judge((1, bytes))?;
        let wait = dropped.map_or(0, |over| over.wait);
        self.allowance.dropped.set(if kind == PacketType::BinaryEvent { wait } else { 0 });
        Ok(dropped)
    }

    /// A message has come that JavaScript decodes; likewise.
    pub(super) fn admit_raw(&mut self, bytes: usize) -> Result<Option<Over>, Exceeded> {
        self.judge((1, bytes))
    }

    /// An attachment has come; its packet has been admitted, or not.
    pub(super) fn admit_attachment(&self, bytes: usize) -> Result<(), Exceeded> {
        if self.allowance.dropped.get() == 0 {
            self.charge_or_end((0, bytes))?;
        }
        Ok(())
    }

    /// All attachments of a packet are there. Gives after how many milliseconds it might have been taken, if it is dropped.
    pub(super) fn complete(&self) -> Option<u64> {
        let wait = self.allowance.dropped.take();
        (wait > 0).then_some(wait)
    }

    /// Gives what it is too much of, if it is to be dropped.
    fn judge(&self, cost: (u64, usize)) -> Result<Option<Over>, Exceeded> {
        let over = self.charge_or_end(cost)?;
        self.is_forced.set(over.is_some() && self.is_needed);
        let over = over.filter(|_| !self.is_needed);
        if let Some(Over { limit, .. }) = over {
            self.allowance.gate.note_action(limit, Action::Drop);
        }
        Ok(over)
    }

    /// Gives what there is too much of; it is charged all the same, unless it may be dropped.
    fn charge_or_end(&self, (events, bytes): (u64, usize)) -> Result<Option<Over>, Exceeded> {
        let Allowance { gate, address, meter, namespace, .. } = &*self.allowance;
        let (address, namespace, now) = (address.as_deref(), namespace.get(), self.now);
        let Some(traffic) = self.traffic() else { return Ok(None) };
        let over = match traffic.judge(meter, address, namespace, now) {
            Judgement::End(over) => {
                gate.note_action(over.limit, Action::Disconnect);
                return Err(Exceeded(over.limit.message()));
            }
            Judgement::Drop(over) => Some(over),
            Judgement::Pass => None,
        };
        // An attachment is no event of its own, and goes the way of its packet.
        if over.is_none() || self.is_needed || events == 0 {
            let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
            traffic.charge(meter, address, namespace, now, (events, bytes));
        }
        Ok(over)
    }

    /// The message has been dealt with. Whether nothing is to be read behind it for now.
    pub(super) fn pauses(&self) -> bool {
        let Allowance { gate, address, meter, namespace, paused_until, .. } = &*self.allowance;
        let Some(traffic) = self.traffic() else { return false };
        let over = traffic.pause(
            meter,
            address.as_deref(),
            namespace.get(),
            self.now,
            self.is_forced.get(),
        );
        let Some(Over { limit, wait }) = over else { return false };
        gate.note_action(limit, Action::Pause);
        paused_until.set(self.now.saturating_add(wait));
        true
    }

    /// Notes the answer to an event that is dropped.
    pub(super) fn answer(&self, namespace: &str, id: &str, wait: u64) {
        let comma = if namespace == "/" { "" } else { "," };
        let namespace = if namespace == "/" { "" } else { namespace };
        let kind = PacketType::Ack as u8;
        let text =
            format!(r#"{kind}{namespace}{comma}{id}[{{"error":"{DROPPED}","retryAfter":{wait}}}]"#);
        self.allowance.answers.borrow_mut().push(text);
    }
}

impl Client {
    fn allowance(&self, context: &WorkerContext) -> Option<Rc<Allowance>> {
        self.server.gate.as_ref()?.traffic()?;
        context.places.allowance(self.handle.slot().index)
    }

    /// The limits for a message that comes now; none: there are none.
    pub(super) fn limiter(&self, context: &WorkerContext, now: u64) -> Option<Limiter> {
        self.allowance(context).map(|allowance| Limiter {
            allowance,
            now,
            is_needed: false,
            is_forced: Cell::new(false),
        })
    }

    /// Until when nothing is read of it; 0: it is read.
    pub(super) fn paused_until(&self, context: &WorkerContext) -> u64 {
        self.allowance(context).map_or(0, |allowance| allowance.paused_until.get())
    }

    /// Whether nothing is read of it for now, as it has sent as much as it may.
    pub(super) fn is_paused(&self, context: &WorkerContext) -> bool {
        self.paused_until(context) > 0
    }

    /// Reads on, if its time has come.
    pub(super) fn end_pause(&self, context: &WorkerContext, now: u64) {
        let Some(allowance) = self.allowance(context) else { return };
        let until = allowance.paused_until.get();
        if until == 0 || until > now {
            return;
        }
        allowance.paused_until.set(0);
        let mut state = self.state.borrow_mut();
        if state.closed {
            return;
        }
        state.defer(now);
        if let Some(wire) = &state.main {
            wire.read_on(context);
        }
        if !state.unread {
            self.take_waiting_post(context, &mut state, now);
        }
    }

    /// Takes the POST that waits, if there is one.
    pub(super) fn take_waiting_post(&self, context: &WorkerContext, state: &mut State, now: u64) {
        if let Some(post) = context.unread.take_post(self.handle.slot().index) {
            self.take_post(context, state, now, post);
        }
    }

    /// Another transport takes the place of polling: what is left of a POST comes before what comes by that.
    pub(super) fn take_rest(&self, context: &WorkerContext, state: &mut State) {
        let Some(Post { body, binary, is_begun, .. }) =
            context.unread.take_post(self.handle.slot().index)
        else {
            return;
        };
        if is_begun {
            self.take_post_part(context, state, clock::now(), PostPart::Rest(None, &body, binary));
        }
    }

    /// Keeps a POST until the client may send on.
    pub(super) fn keep_post(&self, context: &WorkerContext, post: Post) {
        context.unread.put_post(self.handle.slot().index, post);
    }

    /// Tells the client of events that have been dropped and that it wants to be answered. Who leaves unread what it is sent is not told.
    pub(super) fn send_answers(&self, context: &WorkerContext) {
        let Some(allowance) = self.allowance(context) else { return };
        let answers = allowance.answers.take();
        for answer in answers {
            self.send_text(context, VOLATILE, answer.as_bytes());
        }
    }
}
