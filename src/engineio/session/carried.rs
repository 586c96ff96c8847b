//! A session that goes from one process to another.

use std::borrow::Cow;
use std::sync::Arc;

use super::{Session, State, TransportState};
use crate::engineio::action::Actions;
use crate::engineio::config::Config;
use crate::engineio::dialect::Dialect;
use crate::engineio::heartbeat::{CarriedBeat, Heartbeat};
use crate::engineio::packet::OutMessage;
use crate::engineio::polling::{Polling, Queued};
use crate::id::Sid;

/// All that another process needs to go on with a session. No time in it depends on a clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CarriedSession {
    /// The id that names the session on the wire.
    pub sid: Sid,
    /// How the client speaks.
    pub dialect: Dialect,
    /// Where its heartbeat stands.
    pub beat: CarriedBeat,
    /// How often it beats, as the client has been told with the handshake.
    pub ping_interval: u64,
    /// How long an answer may take, as it has been told.
    pub ping_timeout: u64,
    /// Whether it began with polling and has moved to a WebSocket.
    pub upgraded: bool,
    /// What is polling's; none: it has a WebSocket.
    pub polling: Option<CarriedPolling>,
}

/// The polling transport of such a session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CarriedPolling {
    /// The number of the client's callback, if it polls by JSONP.
    pub jsonp: Option<String>,
    /// What waits for the next poll.
    pub queue: Vec<CarriedPacket>,
}

/// A packet that waits for a poll.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CarriedPacket {
    /// One that is no message, and whether it may be compressed.
    Control(String, bool),
    /// A message.
    Message(OutMessage),
}

/// The body of a POST, and whether it is binary.
pub type CarriedPost = (Vec<u8>, bool);

impl Session {
    /// Ends the session here, as another process goes on with it: nothing is told to the client, and nobody hears of an end. `dialect`
    /// is that of its WebSocket, if it has one. A GET that waits is answered. A POST that is kept is, too; another one
    /// is forgotten: it goes along with its connection. None, and nothing happens, while it can't be carried: in an upgrade, or when it
    /// is about to end. Gives beside what is kept, as the bodies of POSTs: [`Session::keep_answered`].
    ///
    /// [`Session::poll_action`] gives what is to be done then.
    pub fn carry(
        &mut self,
        now: u64,
        dialect: Dialect,
    ) -> Option<(CarriedSession, Vec<CarriedPost>)> {
        let is_quiet = match &self.transport {
            TransportState::WebSocket => true,
            TransportState::Polling(polling) => polling.upgrade.is_none(),
        };
        if !self.is_open() || !is_quiet {
            return None;
        }
        self.flush();
        let kept = self.carry_kept();
        let mut dialect = dialect;
        let polling = match &mut self.transport {
            TransportState::WebSocket => None,
            TransportState::Polling(polling) => {
                polling.answer(&["6"], &mut self.actions);
                dialect = polling.dialect;
                Some(CarriedPolling {
                    jsonp: polling.jsonp.take().map(Into::into),
                    queue: polling.take_queue().into_iter().map(Into::into).collect(),
                })
            }
        };
        self.state = State::Closed { untold: None };
        let session = CarriedSession {
            sid: self.sid.clone(),
            dialect,
            beat: self.heartbeat.carry(now),
            ping_interval: self.config.ping_interval,
            ping_timeout: self.config.ping_timeout,
            upgraded: self.upgraded,
            polling,
        };
        Some((session, kept))
    }

    /// The session that another process has ended by [`Session::carry`]. The client has had no chance to be heard meanwhile, so the
    /// wait for it begins again.
    pub fn adopt(config: Arc<Config>, carried: CarriedSession, now: u64) -> Self {
        let CarriedSession { sid, dialect, beat, ping_interval, ping_timeout, upgraded, polling } =
            carried;
        let config = if (config.ping_interval, config.ping_timeout) == (ping_interval, ping_timeout)
        {
            config
        } else {
            Arc::new(Config { ping_interval, ping_timeout, ..Config::clone(&config) })
        };
        let mut heartbeat = Heartbeat::adopt(beat, dialect.protocol, now, &config);
        heartbeat.restart_wait(now, &config);
        let mut unsent_ping = false;
        let transport = match polling {
            None => TransportState::WebSocket,
            Some(CarriedPolling { jsonp, queue }) => {
                let mut polling = Polling::new(dialect);
                polling.jsonp = jsonp.map(|digits| {
                    digits.chars().filter(char::is_ascii_digit).collect::<String>().into()
                });
                for packet in queue {
                    match packet {
                        CarriedPacket::Control(text, compress) => {
                            unsent_ping |= text == "2";
                            polling.push_control(text.into(), compress);
                        }
                        CarriedPacket::Message(message) => polling.push_message(message),
                    }
                }
                polling.unsent_ping = unsent_ping;
                TransportState::Polling(Box::new(polling))
            }
        };
        Self {
            config,
            sid,
            transport,
            state: State::Open(None),
            heartbeat,
            actions: Actions::default(),
            protocol: dialect.protocol,
            upgraded,
        }
    }
}

impl From<Queued> for CarriedPacket {
    fn from(queued: Queued) -> Self {
        match queued {
            Queued::Control(text, compress) => Self::Control(Cow::into_owned(text), compress),
            Queued::Message(message) => Self::Message(message),
        }
    }
}
