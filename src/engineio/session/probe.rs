//! The WebSocket that takes a polling session over.

use super::{Session, State, TransportState};
use crate::engineio::action::{Action, Link};
use crate::engineio::close::CloseReason;
use crate::engineio::packet::Packet;
use crate::engineio::upgrade::{Step, Upgrade};

impl Session {
    /// A WebSocket with this session's id opened; `false` when there is nothing to upgrade (not
    /// polling, or another one is probing): the driver closes it.
    pub fn handle_probe_opened(&mut self, now: u64) -> bool {
        if self.is_closed() {
            return false;
        }
        match &mut self.transport {
            TransportState::Polling(polling) if polling.upgrade.is_none() => {
                polling.upgrade = Some(Upgrade::new(now, self.config.upgrade_timeout));
                true
            }
            TransportState::Polling(_) | TransportState::WebSocket => false,
        }
    }

    pub(super) fn handle_probe_packet(&mut self, now: u64, packet: &Packet<'_>) {
        let TransportState::Polling(polling) = &mut self.transport else { return };
        let Some(upgrade) = &mut polling.upgrade else { return };
        match upgrade.handle_packet(now, packet) {
            Step::Probed => {
                self.actions.push(Action::SendText(Link::Probe, "3probe".into()));
                self.actions.push(Action::Upgrading);
                self.answer_early();
            }
            Step::Complete => self.complete_upgrade(now),
            Step::Failed => self.end_probe(),
        }
    }

    /// The probe becomes the transport. A POST whose body is not complete is lost, as is a poll: a
    /// client ends both before it sends the upgrade packet. What is kept of one that was there stays.
    fn complete_upgrade(&mut self, now: u64) {
        self.answer_kept();
        let TransportState::Polling(mut polling) =
            std::mem::replace(&mut self.transport, TransportState::WebSocket)
        else {
            return;
        };
        self.upgraded = true;
        polling.shut_requests(&mut self.actions);
        self.actions.push(Action::Upgraded);
        if polling.hand_over(&mut self.actions) {
            self.actions.push(Action::Drain);
        }
        // A ping may have left with a poll while its pong comes by the new transport: the client gets
        // the whole time again. (Without any wait, a silent client would live for ever.)
        self.heartbeat.restart_wait(now, &self.config);
        if matches!(self.state, State::Closing) {
            self.end(CloseReason::ForcedClose);
        }
    }

    /// Ends the probe; polling goes on untouched.
    pub(super) fn end_probe(&mut self) {
        if let TransportState::Polling(polling) = &mut self.transport
            && polling.upgrade.take().is_some()
        {
            self.actions.push(Action::CloseLink(Link::Probe));
        }
    }
}
