//! Handshakes that JavaScript has read: whether their sessions may be opened, where their server has limits.
#![expect(clippy::needless_pass_by_value, reason = "arguments from JavaScript come by value")]

use std::sync::Arc;

use napi_derive::napi;
use serde_json::Value;

use super::{DataPlane, read_address};
use crate::border::returned;
use crate::limits::gate::{Gate, Reason, Refused};
use crate::net::clock;
use crate::net::descriptor::peer_of;
use crate::net::refusal::Refusal;

#[napi]
impl DataPlane {
    /// A handshake has come that may open a session, from this address if it is known. 0: it may go on. Else the Engine.IO error by
    /// which it is refused, and above its `Returned.CODE_BITS` the seconds after which another try may be let in. `key`: what
    /// [`Self::end_handshake`] is to be given, and must be.
    #[napi(catch_unwind)]
    pub fn pass_gate(&self, server: u32, address: Option<String>, key: u32) -> u32 {
        let Some(gate) = self.gate(server) else { return 0 };
        let passed = gate.pass(address.as_deref().and_then(read_address), clock::now());
        answer(passed.map(|pending| {
            if let Some(pending) = pending {
                self.handshakes.borrow_mut().insert(key, pending);
            }
        }))
    }

    /// A handshake that has passed is decided about, or its connection has gone.
    #[napi(catch_unwind)]
    pub fn end_handshake(&self, key: u32) {
        self.handshakes.borrow_mut().remove(&key);
    }

    /// The session of a handshake that has passed is about to be opened: the next one that this thread opens. 0: it may be; else as
    /// above.
    #[napi(catch_unwind)]
    pub fn reserve_place(&self, server: u32, address: Option<String>) -> u32 {
        let Some(gate) = self.gate(server) else { return 0 };
        let reserved = gate.reserve(address.as_deref().and_then(read_address), clock::now());
        answer(reserved.map(|ticket| self.ticket.set(Some(ticket))))
    }

    /// The same for the connection `fd`, which `peekRequest` has looked at last. False: its handshake is to be read and refused.
    #[napi(catch_unwind)]
    pub fn admit_descriptor(&self, server: u32, fd: i32) -> bool {
        let Ok(server) = self.server(server) else { return true };
        let Some(gate) = &server.gate else { return true };
        let (peer, trust) = (peer_of(fd), server.trust_proxy.as_ref());
        let told = trust.and_then(|trust| trust.client(peer, self.peeked.borrow().fields()));
        match gate.try_admit(told.or(peer), clock::now()) {
            Ok(ticket) => {
                self.ticket.set(Some(ticket));
                true
            }
            Err(_) => false,
        }
    }

    /// The session for which a place was reserved has been opened, or is not going to be.
    #[napi(catch_unwind)]
    pub fn drop_place(&self) {
        self.ticket.take();
    }

    /// What there is too much of to let anybody in, by the name that refusals are counted under; absent: nothing.
    #[napi(catch_unwind)]
    pub fn overloaded_by(&self, server: u32) -> Option<&'static str> {
        let reason = self.gate(server)?.overloaded(clock::now())?;
        Some(reason.name())
    }

    /// How many handshakes have been refused, by the limit, as JSON. `RecordKind.LIMITED` tells when there are more.
    #[napi(catch_unwind)]
    pub fn hear_limits(&self, server: u32) -> String {
        let Some(gate) = self.gate(server) else { return "{}".into() };
        gate.hear(clock::now());
        refused(&gate).to_string()
    }
}

impl DataPlane {
    fn gate(&self, server: u32) -> Option<Arc<Gate>> {
        self.servers.borrow().get(&server).and_then(|server| server.gate.clone())
    }
}

/// How many handshakes have been refused, by the limit.
pub(super) fn refused(gate: &Gate) -> Value {
    Reason::ALL
        .into_iter()
        .map(|reason| (reason.name().to_owned(), Value::from(gate.refused(reason))))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

fn answer(result: Result<(), Refused>) -> u32 {
    const LONGEST: u64 = (1 << (u32::BITS - returned::CODE_BITS)) - 1;
    let Err(refused) = result else { return 0 };
    let refusal = Refusal::from(refused);
    let seconds = u32::try_from(refusal.retry_after().min(LONGEST)).unwrap_or(0);
    refusal.code() | seconds << returned::CODE_BITS
}
