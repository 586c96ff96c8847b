//! What a client sends, where that is limited: whether it is taken, dropped or the end, and when the client is read on.
//!
//! ```text
//!          no token is left behind a message            its time has come (a deadline of the client)
//!   read ────────────────────────────────────► paused ─────────────────────────────────────────────► read
//!                                                │
//!                                                └─ what it has sent waits: in its socket, or undecoded (`Undecoded`), or what is left
//!                                                   of a POST (`Session::take_kept`)
//! ```
//!
//! Whatever else happens to it meanwhile is what its session makes of that (`engineio/session/waiting.rs`). A paused client is pinged as
//! always. While something of it lies unread, it is not held to answer: its pong may stand behind that. A connection that breaks is
//! noticed at once; who has only ended its half is heard to its end, for as long as a silent client stays.

use std::cell::Cell;
use std::rc::Rc;

use super::Client;
use super::outgoing::VOLATILE_AHEAD;
use crate::border::send_flag::VOLATILE;
use crate::engineio::Protocol;
use crate::limits::traffic::{Action, Judgement, Over, Traffic};
use crate::net::context::WorkerContext;
use crate::net::places::Allowance;
use crate::socketio::PacketType;

/// The limits for one message of a client.
pub(super) struct Limiter {
    allowance: Rc<Allowance>,
    protocol: Protocol,
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
        let name = match self.protocol {
            Protocol::V4 => namespace,
            // Together with a query.
            Protocol::V3 => namespace.split('?').next().unwrap_or_default(),
        };
        let is_read_as_url = self.protocol == Protocol::V3;
        if is_read_as_url
            && self.traffic().is_some_and(Traffic::limits_namespaces)
            && !is_plain(name)
        {
            return Err(Exceeded("invalid namespace"));
        }
        let namespace = self.traffic().and_then(|traffic| traffic.namespace(name));
        self.allowance.namespace.set(namespace);
        self.is_needed = !matches!(kind, PacketType::Event | PacketType::BinaryEvent);
        let dropped = self.judge((1, bytes))?;
        self.allowance.dropped.set(dropped.filter(|_| kind == PacketType::BinaryEvent));
        Ok(dropped)
    }

    /// A message has come that JavaScript decodes; likewise.
    pub(super) fn admit_raw(&mut self, bytes: usize) -> Result<Option<Over>, Exceeded> {
        self.judge((1, bytes))
    }

    /// An attachment has come; its packet has been admitted, or not.
    pub(super) fn admit_attachment(&self, bytes: usize) -> Result<(), Exceeded> {
        if self.allowance.dropped.get().is_none() {
            self.charge_or_end((0, bytes))?;
        }
        Ok(())
    }

    /// All attachments of a packet are there. Gives what it was too much of, if it is dropped.
    pub(super) fn complete(&self) -> Option<Over> {
        self.allowance.dropped.take()
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

    /// The message has been dealt with. Until when nothing is to be taken behind it, if so.
    pub(super) fn pauses_until(&self) -> Option<u64> {
        let Allowance { gate, address, meter, namespace, .. } = &*self.allowance;
        let Over { limit, wait } = self.traffic()?.pause(
            meter,
            address.as_deref(),
            namespace.get(),
            self.now,
            self.is_forced.get(),
        )?;
        gate.note_action(limit, Action::Pause);
        Some(self.now.saturating_add(wait))
    }

    /// Notes the answer to an event that is dropped.
    pub(super) fn answer(&self, namespace: &str, id: &str, Over { limit, wait }: Over) {
        let comma = if namespace == "/" { "" } else { "," };
        let namespace = if namespace == "/" { "" } else { namespace };
        let kind = PacketType::Ack as u8;
        let error = limit.message();
        let text =
            format!(r#"{kind}{namespace}{comma}{id}[{{"error":"{error}","retryAfter":{wait}}}]"#);
        self.allowance.answers.borrow_mut().push(text);
    }
}

impl Client {
    fn allowance(&self, context: &WorkerContext) -> Option<Rc<Allowance>> {
        self.server.gate.as_ref()?.traffic()?;
        context.places.allowance(self.handle.slot().index)
    }

    /// The limits for a message that comes now; none: there are none.
    pub(super) fn limiter(
        &self,
        context: &WorkerContext,
        protocol: Protocol,
        now: u64,
    ) -> Option<Limiter> {
        self.allowance(context).map(|allowance| Limiter {
            allowance,
            protocol,
            now,
            is_needed: false,
            is_forced: Cell::new(false),
        })
    }

    /// Takes on, if its time has come.
    pub(super) fn end_pause(&self, context: &WorkerContext, now: u64) {
        let mut state = self.state.borrow_mut();
        if !state.closed && state.session.end_pause(now) {
            self.go_on(context, &mut state, now);
        }
    }

    /// Tells the client of events that have been dropped and that it wants to be answered. Who leaves unread what it is sent is not told.
    pub(super) fn send_answers(&self, context: &WorkerContext) {
        let Some(allowance) = self.allowance(context) else { return };
        let answers = allowance.answers.take();
        for answer in answers {
            let flags = if self.polls_on() { 0 } else { VOLATILE };
            self.send_text(context, flags, answer.as_bytes());
        }
    }

    /// Whether it is a polling client for which little waits: it may be between two polls.
    fn polls_on(&self) -> bool {
        let state = self.state.borrow();
        state.main.is_none() && state.session.buffered() <= VOLATILE_AHEAD
    }
}

/// Whether the name of a namespace stays as it is when JavaScript reads it as a URL, of which it takes the path: that of protocol 3. What
/// would become another name could go round what is limited for that one; no client in good faith sends such.
fn is_plain(name: &str) -> bool {
    let is_kept = |byte: u8| byte.is_ascii_alphanumeric() || b"-_~.!$&'()*+;=:@%/".contains(&byte);
    name.bytes().all(is_kept)
        && !["//", "/.", "/%2e", "/%2E"].iter().any(|part| name.contains(part))
}

#[cfg(test)]
mod tests {
    use super::is_plain;

    #[test]
    fn names_that_a_url_has_otherwise_are_not_plain() {
        for name in ["/", "/chat", "/chat-1/room_2", "/a.b", "/100%", "/user:1@x"] {
            assert!(is_plain(name), "{name}");
        }
        let other =
            ["/chat#x", "//h/chat", "/./chat", "/a/../chat", "/ch\tat", "\\chat", "/é", "/a b"];
        for name in other.into_iter().chain(["/%2e/chat", "/a/%2E%2e/chat", "/\"", "/<", "/#"]) {
            assert!(!is_plain(name), "{name}");
        }
    }
}
