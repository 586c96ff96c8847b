//! One client: from the first connect to the namespace, and the messages after that.

use std::collections::VecDeque;
use std::io;
use std::time::Instant;

use mio::event;
use mio::{Registry, Token};

use crate::config::Via;
use crate::message::Message;
use crate::polling::{self, Polling};
use crate::session::{Entry, Event, Resume, Session};
use crate::stream::Stream;
use crate::websocket::{Opening, WebSocket};

/// The streams that a client may have; see [`token`].
const STREAMS: usize = 3;
const WEBSOCKET: usize = 0;
const ASK: usize = 1;
const TELL: usize = 2;

/// The index of the client that an event is for.
pub(crate) fn index_of(token: Token) -> usize {
    token.0 / STREAMS
}

fn token(index: usize, stream: usize) -> Token {
    Token(index * STREAMS + stream)
}

/// Where and how a client connects.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Route {
    pub(crate) port: u16,
    pub(crate) via: Via,
    /// Whether permessage-deflate is offered.
    pub(crate) deflate: bool,
}

/// One client.
///
/// ```text
/// via websocket:  websocket ─────────────────────────────────────────────► joined
/// via polling:    polling ───────────────────────────────────────────────► joined
/// via upgrade:    polling ──sid──► both ──"3probe", no request left──► websocket, joined
/// ```
#[derive(Debug)]
pub(crate) struct Client {
    index: usize,
    route: Route,
    session: Session,
    websocket: Option<WebSocket>,
    polling: Option<Polling>,
    /// In the namespace, but not said so yet: the upgrade is still under way.
    joined_early: bool,
    /// When the connect began.
    pub(crate) began: Instant,
    /// When each event that is in flight was sent, or was due.
    pub(crate) sent: VecDeque<Instant>,
    /// How many messages came in.
    pub(crate) received: u64,
}

impl Client {
    /// Begins to connect.
    pub(crate) fn open(
        registry: &Registry,
        index: usize,
        route: Route,
        entry: Entry,
    ) -> io::Result<Self> {
        let (mut websocket, mut polling) = (None, None);
        if route.via == Via::WebSocket {
            let opening = Opening { port: route.port, sid: None, deflate: route.deflate };
            websocket = Some(WebSocket::open(registry, token(index, WEBSOCKET), opening)?);
        } else {
            let tokens = (token(index, ASK), token(index, TELL));
            polling = Some(Polling::open(registry, tokens, route.port)?);
        }
        Ok(Self {
            index,
            route,
            session: Session::new(entry),
            websocket,
            polling,
            joined_early: false,
            began: Instant::now(),
            sent: VecDeque::new(),
            received: 0,
        })
    }

    /// Whether the server gave back the session that was asked for.
    pub(crate) fn is_recovered(&self) -> bool {
        self.session.is_recovered()
    }

    /// Whether a session was asked for.
    pub(crate) fn is_resuming(&self) -> bool {
        self.session.is_resuming()
    }

    /// What it takes to get this session back.
    pub(crate) fn resume(&self) -> Option<Resume> {
        self.session.resume()
    }

    /// Moves bytes as a stream is ready; call [`Self::next_event`] afterwards.
    pub(crate) fn handle_ready(
        &mut self,
        registry: &Registry,
        ready: &event::Event,
        scratch: &mut [u8],
    ) -> io::Result<()> {
        let part = ready.token().0 % STREAMS;
        if part == ASK && self.polling.as_ref().is_some_and(Polling::is_leaving) {
            return Ok(());
        }
        let stream: Option<&mut Stream> = match part {
            WEBSOCKET => self.websocket.as_mut().map(|websocket| &mut websocket.stream),
            ASK => self.polling.as_mut().map(|polling| &mut polling.ask),
            _ => self.polling.as_mut().and_then(|polling| polling.tell.as_mut()),
        };
        // Without a stream, the event is for one that was closed meanwhile.
        let Some(stream) = stream else { return Ok(()) };
        if ready.is_writable() {
            stream.handle_writable(registry)?;
        }
        if ready.is_readable() {
            stream.handle_readable(scratch)?;
        }
        Ok(())
    }

    /// The next thing that came in; what the protocol asks for in between is done here.
    pub(crate) fn next_event(&mut self, registry: &Registry) -> io::Result<Option<Event>> {
        loop {
            let event = match (&mut self.websocket, &mut self.polling) {
                (Some(websocket), None) => websocket.next_event(&mut self.session)?,
                (None, Some(polling)) => polling.next_event(&mut self.session)?,
                (Some(websocket), Some(polling)) => {
                    match websocket.next_event(&mut self.session)? {
                        None => polling.next_event(&mut self.session)?,
                        event => event,
                    }
                }
                (None, None) => None,
            };
            match event {
                None if self.go_on_upgrading(registry)? => {
                    if self.joined_early {
                        return Ok(Some(Event::Joined));
                    }
                }
                None => return Ok(None),
                Some(Event::Probed) => {
                    if let Some(polling) = &mut self.polling {
                        polling.pause();
                    }
                }
                Some(Event::Joined) if self.is_upgrading() => self.joined_early = true,
                Some(Event::Message(stamp)) => {
                    self.received += 1;
                    return Ok(Some(Event::Message(stamp)));
                }
                event => return Ok(event),
            }
        }
    }

    /// Queues a message; [`Self::flush`] sends it.
    pub(crate) fn queue(&mut self, message: &Message) {
        match (&mut self.websocket, &mut self.polling) {
            (Some(websocket), None) => {
                websocket.stream.queue(&message.frames);
            }
            (_, Some(polling)) => polling.send(&message.payload),
            (None, None) => {}
        }
    }

    /// Sends what is queued, now or when the streams take it.
    pub(crate) fn flush(&mut self, registry: &Registry) -> io::Result<()> {
        if let Some(websocket) = &mut self.websocket {
            websocket.stream.flush(registry)?;
        }
        match &mut self.polling {
            Some(polling) => polling.flush(registry, &self.session),
            None => Ok(()),
        }
    }

    /// Goes away: `true` when it is gone, `false` when [`Event::Left`] will tell. A WebSocket just closes;
    /// a session over polling would stay on the server until its heartbeat fails, and is ended politely.
    pub(crate) fn leave(&mut self) -> bool {
        match &mut self.polling {
            Some(polling) => {
                polling.leave();
                false
            }
            None => true,
        }
    }

    /// Closes all streams.
    pub(crate) fn close(&mut self, registry: &Registry) {
        if let Some(mut websocket) = self.websocket.take() {
            websocket.stream.close(registry);
        }
        if let Some(mut polling) = self.polling.take() {
            polling.close(registry);
        }
    }

    fn is_upgrading(&self) -> bool {
        self.route.via == Via::Upgrade && self.polling.is_some()
    }

    /// Begins an upgrade when there is a session, and ends it when nothing is asked or told any more.
    /// `true` when it has ended right now.
    fn go_on_upgrading(&mut self, registry: &Registry) -> io::Result<bool> {
        if !self.is_upgrading() {
            return Ok(false);
        }
        let Some(sid) = self.session.sid() else { return Ok(false) };
        let Some(websocket) = &mut self.websocket else {
            let Route { port, deflate, .. } = self.route;
            let opening = Opening { port, sid: Some(sid), deflate };
            let token = token(self.index, WEBSOCKET);
            self.websocket = Some(WebSocket::open(registry, token, opening)?);
            return Ok(false);
        };
        let Some(mut polling) = self.polling.take_if(|polling| polling.is_quiet()) else {
            return Ok(false);
        };
        websocket.send(b"5");
        let untold = polling.close(registry);
        for packet in polling::split(&untold).filter(|packet| !packet.is_empty()) {
            websocket.send(&packet);
        }
        Ok(true)
    }
}
