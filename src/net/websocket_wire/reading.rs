//! What comes by a wire: frames. Messages go to the caller; the rest (ping, close, what breaks a rule) is
//! answered here.

use std::ops::ControlFlow;
use std::rc::Rc;

use super::undecoded::{Extras, PIECE, Undecoded};
use super::{Behind, Carried, Ended, Message, PONG_LIMIT, State, WebSocketWire, Writing};
use crate::engineio::{Fault, Link};
use crate::net::budget::HeldBytes;
use crate::net::command::{BridgeEvent, Command};
use crate::net::context::WorkerContext;
use crate::net::inbox::CLIENT_LIMIT;
use crate::net::tcp::Tcp;
use crate::websocket::frame::{self, OpCode};
use crate::websocket::{Halt, Incoming, Violation};

impl WebSocketWire {
    /// Whether the inbox has room for what this peer sends; `own` gives how many of its bytes wait there
    /// already. If not, the worker wakes this wire once JavaScript has taken enough.
    pub fn may_read(self: &Rc<Self>, context: &WorkerContext, own: impl Fn() -> usize) -> bool {
        if self.stalled.get() {
            return false;
        }
        let budget = &self.environment.inbox.budget;
        let waits = budget
            .must_wait(context.index, || own() < CLIENT_LIMIT && budget.has_room(context.index));
        if waits {
            self.stalled.set(true);
            context.add_stalled(Rc::<Self>::clone(self));
        }
        !waits
    }

    /// Whether to read on past this wire's turn: it is in the middle of a message, and little room is left.
    pub fn reads_on(&self, context: &WorkerContext) -> bool {
        self.held.bytes() > 0 && !self.environment.inbox.budget.has_plenty(context.index)
    }

    /// Bytes as they came from the peer. `handle` takes each message for the client, and breaks when what stands behind it is not to be
    /// read. Gives how many of the bytes have been read, fewer than all only if that is [`Behind::Waits`], and what the client has to
    /// hear if this was the end.
    pub fn handle_bytes(
        self: &Rc<Self>,
        context: &WorkerContext,
        bytes: &mut [u8],
        mut handle: impl FnMut(Link, Message<'_>) -> ControlFlow<Behind>,
    ) -> (usize, Option<Ended>) {
        let all = bytes.len();
        if self.is_over() {
            return (all, None);
        }
        let mut stop = None;
        let mut reader = self.reader.borrow_mut();
        let result = reader.handle_some(bytes, |incoming| {
            stop = self.handle_incoming(context, incoming, &mut handle);
            match stop {
                None => ControlFlow::Continue(()),
                Some(Stop::Pause) => ControlFlow::Break(Halt::Pause),
                Some(Stop::Closed(_) | Stop::Overlong | Stop::Limited(_)) => {
                    ControlFlow::Break(Halt::Stop)
                }
            }
        });
        self.held.set(reader.buffered());
        if self.is_compressed() {
            let (bytes, to) = reader.take_inflated();
            context.metrics.inflated.add(bytes);
            context.metrics.inflated_to.add(to);
        }
        drop(reader);
        let (violation, reason) = match (stop, result) {
            (Some(Stop::Closed(carried)), _) => {
                return (all, carried.map(|Carried { link, .. }| Ended { link, fault: None }));
            }
            (Some(Stop::Overlong), _) => (Violation::TOO_BIG, ""),
            (Some(Stop::Limited(message)), _) => (Violation::limited(message), message),
            (Some(Stop::Pause) | None, Ok(read)) => return (read, None),
            (Some(Stop::Pause) | None, Err(violation)) => (violation, ""),
        };
        let Violation { code, message, detail } = violation;
        let ended = self.end(context, Some(code), reason).map(|Carried { link, .. }| Ended {
            link,
            fault: Some(Fault { text: message, number: detail }),
        });
        (all, ended)
    }

    /// Gives why nothing after this is read, if so.
    fn handle_incoming(
        self: &Rc<Self>,
        context: &WorkerContext,
        incoming: Incoming<'_>,
        handle: &mut impl FnMut(Link, Message<'_>) -> ControlFlow<Behind>,
    ) -> Option<Stop> {
        let message = match incoming {
            Incoming::Text(text) => Message::Text(text),
            Incoming::Binary(data) => Message::Binary(data),
            Incoming::Pong(_) => return None,
            Incoming::Ping(data) => return self.handle_ping(context, data),
            Incoming::Close(code) => return Some(Stop::Closed(self.end(context, code, ""))),
        };
        match self.state.get() {
            // Behind an invalid packet the rest is still read, as the peer's close frame may stand
            // there.
            State::Open(Some(Carried { link, .. })) => {
                handle(link, message).break_value().map(|behind| match behind {
                    Behind::IsDropped => Stop::Overlong,
                    Behind::Waits => Stop::Pause,
                    Behind::IsRefused(message) => Stop::Limited(message),
                })
            }
            State::Detached => {
                self.begin_close(context, None);
                None
            }
            State::Open(None) | State::Closing(_) | State::Ending(_) | State::Gone => None,
        }
    }

    fn handle_ping(self: &Rc<Self>, context: &WorkerContext, data: &[u8]) -> Option<Stop> {
        match self.writing.get() {
            Writing::Blocked { pongs: PONG_LIMIT, .. } => {
                return Some(Stop::Closed(self.drop_stream(context)));
            }
            Writing::Blocked { pongs, told } => {
                self.writing.set(Writing::Blocked { pongs: pongs + 1, told });
            }
            Writing::Idle | Writing::Due | Writing::Broken | Writing::Shut => {}
        }
        self.queue(context, |out| {
            frame::write_header(out, OpCode::Pong, false, data.len());
            out.extend_from_slice(data);
        });
        None
    }
}

/// Why nothing more of what has come is read.
enum Stop {
    /// It is closed, or the peer has asked for more answers than it reads. This was carried.
    Closed(Option<Carried>),
    /// A message is longer than JavaScript can take.
    Overlong,
    /// The client has sent more than it may, which says this.
    Limited(&'static str),
    /// For now, as it has sent as much as it may.
    Pause,
}

/// Of a stream that may be compressed, no more is decoded than there is room for: the rest waits. So does what a client has sent that
/// may send no more for now.
impl WebSocketWire {
    /// Whether it is not read for now, as its client may send no more.
    pub fn is_limited(&self) -> bool {
        self.is_limited.get()
    }

    /// Whether its connection is known to be broken: nobody would get what is written.
    pub fn is_broken(&self) -> bool {
        self.tcp().is_some_and(|tcp| tcp.readiness().is_broken())
    }

    /// Whether the peer is known to have ended its half.
    pub fn has_hung_up(&self) -> bool {
        match self.tcp() {
            Some(tcp) => tcp.readiness().is_hung_up(),
            None => self.extras.get().is_some_and(|extras| {
                extras.undecoded.borrow().as_ref().is_some_and(|it| it.end.is_some())
            }),
        }
    }

    /// Whether something that has come may not have been read.
    pub fn has_unread(&self) -> bool {
        self.has_undecoded() || self.tcp().is_none_or(Tcp::has_unread)
    }

    /// Its client may send no more for now.
    pub fn limit(&self) {
        self.is_limited.set(true);
    }

    /// It may again.
    pub fn read_on(&self, context: &WorkerContext) {
        if !self.is_limited.replace(false) {
            return;
        }
        match self.tcp() {
            Some(tcp) => tcp.wake(context),
            // It is read on when what waits has been decoded.
            None => self.decode_soon(context),
        }
    }

    /// Bytes that may be decoded at once.
    pub fn piece(&self) -> usize {
        if self.is_compressed() { PIECE } else { usize::MAX }
    }

    /// Keeps bytes that are not to be decoded yet.
    pub fn keep(&self, context: &WorkerContext, bytes: &[u8]) {
        if bytes.is_empty() || self.is_over() {
            return;
        }
        let mut undecoded = self
            .take_undecoded()
            .unwrap_or_else(|| Undecoded::new(&self.environment.inbox.budget, context.index));
        undecoded.push(bytes);
        self.set_undecoded(Some(undecoded));
    }

    /// Whether bytes wait to be decoded.
    pub fn has_undecoded(&self) -> bool {
        self.extras.get().is_some_and(|extras| extras.undecoded.borrow().is_some())
    }

    fn take_undecoded(&self) -> Option<Undecoded> {
        self.extras.get().and_then(|extras| extras.undecoded.take())
    }

    pub(super) fn set_undecoded(&self, undecoded: Option<Undecoded>) {
        if undecoded.is_some() {
            *self.extras.get_or_init(Box::default).undecoded.borrow_mut() = undecoded;
        } else if let Some(extras) = self.extras.get() {
            extras.undecoded.take();
        }
    }

    /// Copies the next bytes that wait; gives how many.
    pub fn copy_undecoded(&self, piece: &mut [u8; PIECE]) -> usize {
        let Some(Extras { undecoded, .. }) = self.extras.get().map(|extras| &**extras) else {
            return 0;
        };
        let undecoded = undecoded.borrow();
        let rest = undecoded.as_ref().map_or(&[][..], Undecoded::rest);
        let count = rest.len().min(PIECE);
        piece[..count].copy_from_slice(&rest[..count]);
        count
    }

    /// So many of them have been decoded. Gives, if the stream has ended right after them, whether by an error.
    pub fn drop_undecoded(&self, count: usize) -> Option<bool> {
        let mut undecoded = self.take_undecoded()?;
        undecoded.advance(count);
        if undecoded.is_empty() {
            return undecoded.end;
        }
        self.set_undecoded(Some(undecoded));
        None
    }

    /// What waits to be decoded.
    pub(super) fn undecoded(&self) -> Vec<u8> {
        let undecoded = self.take_undecoded();
        let bytes = undecoded.as_ref().map_or_else(Vec::new, |undecoded| undecoded.rest().to_vec());
        self.set_undecoded(undecoded);
        bytes
    }

    /// The stream has ended: if something waits that has come, the end waits behind it. False: nothing does, or nobody is there any more
    /// for whom it could wait on.
    pub fn keep_end(&self, context: &WorkerContext, broken: bool) -> bool {
        let undecoded = self.take_undecoded();
        let is_limited = self.is_limited();
        if self.is_over() || is_limited && broken || !is_limited && undecoded.is_none() {
            return false;
        }
        let mut undecoded = undecoded
            .unwrap_or_else(|| Undecoded::new(&self.environment.inbox.budget, context.index));
        undecoded.end = Some(broken);
        self.set_undecoded(Some(undecoded));
        true
    }

    /// There is room again: what waits of a bridged stream is decoded before more of it is read, in a turn
    /// of its own.
    pub(super) fn decode_soon(&self, context: &WorkerContext) {
        let bytes = HeldBytes::new(&self.environment.inbox.budget, context.index, Vec::new());
        let event = BridgeEvent::Data { bytes, paused: true };
        context
            .post(context.index, Command::Bridge { key: (self.environment.id, self.token), event });
    }
}
