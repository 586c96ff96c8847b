//! What comes while nothing of it may be taken: the client has sent as much as it may for now (it is *paused*), or it goes to another
//! process or comes from one (it is *held*).
//!
//! ```text
//!             pause(until) · hold()
//!   taken ───────────────────────────► waiting ◄─┐ a whole POST comes: it is kept, and not answered
//!     ▲                                 │ │ │ │  │ a WebSocket probes, or becomes the transport: it is answered, and stays; it comes
//!     │                                 │ │ │ └──┘ before what the new transport brings
//!     │  end_pause() and release(), then│ │ │
//!     │  take_kept(): it is answered    │ │ └─ carry(): it is answered, and goes along, all that is kept with it
//!     └─────────────────────────────────┘ │
//!       may pause again                   ├─ its peer has gone: the request is dropped, the session ends
//!                                         └─ the session ends, or begins to close: it is answered, and says nothing any more
//! ```
//!
//! So only an open session waits (`State::Open` has what is kept), and nothing is kept of one that does not. A client that waits is pinged as always. While something of it
//! lies unread it can't be heard, so its driver has its deadlines put off: [`Session::put_off`].
//!
//! A client that wants to upgrade ends its poll, and begins none before its POST is answered and it has upgraded: it would hear no ping for
//! as long as it waits, and give up. So a POST is answered then although it is kept, as long as no more is than one may have, and few are. Who
//! has been answered and has no connection can be heard, and is timed out as always: what is kept of it goes with it.

use std::ops::ControlFlow;

use super::carried::CarriedPost;
use super::{Session, State, TransportState};
use crate::engineio::action::{Body, PostHalt};
use crate::engineio::intake::{Intake, Kept, Posted};
use crate::engineio::jsonp;
use crate::engineio::packet::{Data, Packet};
use crate::engineio::upgrade::Upgrade;

/// POSTs of a client that are kept although they have been answered, at most: who upgrades has one under way, and may answer a ping.
const MAX_ANSWERED: usize = 4;

impl Session {
    fn intake(&self) -> Option<&Intake> {
        match &self.state {
            State::Open(intake) => intake.as_deref(),
            State::Closing | State::Closed { .. } => None,
        }
    }

    /// The place for it, if the session is open.
    fn intake_mut(&mut self) -> Option<&mut Option<Box<Intake>>> {
        match &mut self.state {
            State::Open(intake) => Some(intake),
            State::Closing | State::Closed { .. } => None,
        }
    }

    /// The client may send no more until then, if it is open.
    pub fn pause(&mut self, until: u64) {
        if let Some(intake) = self.intake_mut() {
            intake.get_or_insert_default().paused_until = until;
        }
    }

    /// Until when it may send no more; 0: it may.
    pub fn paused_until(&self) -> u64 {
        self.intake().map_or(0, |intake| intake.paused_until)
    }

    /// Whether it may send no more for now.
    pub fn is_paused(&self) -> bool {
        self.paused_until() > 0
    }

    /// It may send on, if its time has come. Gives whether that is so; call [`Session::take_kept`] then.
    pub fn end_pause(&mut self, now: u64) -> bool {
        let over = self.is_paused() && self.paused_until() <= now;
        if let Some(Some(intake)) = self.intake_mut().filter(|_| over) {
            intake.paused_until = 0;
        }
        over
    }

    /// Takes nothing more, if it is open, until [`Session::release`] is called.
    pub fn hold(&mut self) {
        if let Some(intake) = self.intake_mut() {
            intake.get_or_insert_default().is_held = true;
        }
    }

    /// Whether nothing is taken until [`Session::release`] is called.
    pub fn is_held(&self) -> bool {
        self.intake().is_some_and(|intake| intake.is_held)
    }

    /// It is held no more. Gives whether it was; call [`Session::take_kept`] then.
    pub fn release(&mut self) -> bool {
        match self.intake_mut() {
            Some(Some(intake)) => std::mem::take(&mut intake.is_held),
            Some(None) | None => false,
        }
    }

    /// Whether nothing is taken for now.
    pub fn waits(&self) -> bool {
        self.intake().is_some_and(|intake| intake.paused_until > 0 || intake.is_held)
    }

    /// Whether something of the client is kept.
    pub fn has_kept(&self) -> bool {
        self.intake().is_some_and(|intake| !intake.kept.is_empty())
    }

    /// Whether a POST of it waits for its answer: it can say nothing else before.
    pub fn owes_answer(&self) -> bool {
        let last = self.intake().and_then(|intake| intake.kept.back());
        last.is_some_and(|kept| kept.request.is_some())
    }

    /// Bytes that are kept.
    pub fn kept(&self) -> usize {
        let kept = self.intake().into_iter().flat_map(|intake| &intake.kept);
        kept.map(|kept| kept.payload.len()).sum()
    }

    /// Keeps what has just come.
    pub(super) fn keep(&mut self, kept: Kept) {
        if let Some(intake) = self.intake_mut() {
            intake.get_or_insert_default().kept.push_back(kept);
            self.answer_early();
        }
    }

    /// Answers what is kept if the client does not go on with its upgrade before.
    pub(super) fn answer_early(&mut self) {
        let is_probed = match &self.transport {
            TransportState::Polling(polling) => {
                polling.upgrade.as_ref().is_some_and(Upgrade::is_probed)
            }
            TransportState::WebSocket => false,
        };
        let count = self.intake().map_or(0, |intake| intake.kept.len());
        if is_probed && count <= MAX_ANSWERED && self.kept() <= self.config.max_payload {
            self.answer_kept();
        }
    }

    /// Keeps the body of a POST that another process has answered ([`Session::carry`]).
    pub fn keep_answered(&mut self, body: &[u8], binary: bool) {
        let binary = self.is_binary_post(binary);
        if let Some(payload) = self.payload_of(body, binary) {
            self.keep(Kept { request: None, payload: payload.split_off(0), at: 0 });
        }
    }

    /// Takes what is kept, unless it has to wait on: as [`Session::handle_post_body`] does.
    pub fn take_kept<F>(&mut self, now: u64, mut show: impl FnMut(&Packet<'_>), mut sink: F)
    where
        F: FnMut(Data<'_>) -> ControlFlow<PostHalt>,
    {
        if self.waits() {
            return;
        }
        let Some(intake) = self.intake_mut().and_then(Option::take) else { return };
        let mut all = intake.kept;
        while let Some(Kept { request, payload, at }) = all.pop_front() {
            let request = request.filter(|&request| self.take_post(request));
            let end = self.receive_payload(now, &payload, at, &mut show, &mut sink);
            self.end_post(request, end, |left| Kept { at: payload.len() - left, request, payload });
            if let Some(Some(intake)) = self.intake_mut() {
                intake.kept.append(&mut all); // behind what is left
            }
        }
    }

    /// Answers the POST that is kept: its client has done its part.
    pub(super) fn answer_kept(&mut self) {
        let kept = match self.intake_mut() {
            Some(Some(intake)) => intake.kept.back_mut(),
            Some(None) | None => None,
        };
        if let Some(request) = kept.and_then(|kept| kept.request.take())
            && self.take_post(request)
        {
            self.actions.respond(request, 200, Body::Ok);
        }
    }

    /// What is kept, as the bodies that would bring it, for another process.
    pub(super) fn carry_kept(&mut self) -> Vec<CarriedPost> {
        self.answer_kept();
        let Some(intake) = self.intake_mut().and_then(Option::take) else { return Vec::new() };
        let is_jsonp = self.is_jsonp();
        let posts =
            intake.kept.into_iter().map(|Kept { payload, at, .. }| match payload.split_off(at) {
                Posted::Text(text) if is_jsonp => (jsonp::form(text.as_bytes()), false),
                Posted::Text(text) => (text.into_owned().into_bytes(), false),
                Posted::Binary(bytes) => (bytes.into_owned(), true),
            });
        posts.collect()
    }

    /// The driver has not read this client on purpose: it may have said long ago what is waited for. So the waits begin again: for its
    /// pong, and for the end of its upgrade, which comes behind the answer to its POST.
    pub fn put_off(&mut self, now: u64) {
        self.heartbeat.restart_wait(now, &self.config);
        if let TransportState::Polling(polling) = &mut self.transport
            && let Some(upgrade) = &mut polling.upgrade
        {
            upgrade.put_off(now, self.config.upgrade_timeout);
        }
    }
}
