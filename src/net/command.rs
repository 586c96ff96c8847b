//! What a worker can be asked.

use std::net::TcpStream;
use std::sync::Arc;

use bytes::Bytes;
use rustc_hash::FxHashSet;

pub use super::arrival::{Opening, Purpose, UpgradeResponse};
use super::budget::HeldBytes;
use super::descriptor::Addresses;
use super::http_profile::Profile;
use super::listener::Listener;
use super::metrics::Parcel;
use super::peer::Peer;
use super::server::{Environment, Server};
use super::stream::Stream;
use super::transfer::{Adoption, Channel, FinishTicket, Freeze};
use crate::border::RecordKind;
use crate::border::returned::UNKNOWN_SID;
use crate::engineio::{Body, Dialect, PostFault, RequestId};
use crate::id::{Sid, Slot};
use crate::limits::gate::Ticket;
use crate::socketio::{Group, LongString};
use crate::websocket::extension::Agreement;

/// To send so many bytes inline counts as one packet.
const INLINE_BYTES: usize = 8 << 10;

/// Everything that a worker can be asked, other than to send one text packet to one client.
#[derive(Debug)]
pub enum Command {
    /// One Socket.IO packet with attachments, or one bare Engine.IO message.
    Send {
        /// The client.
        slot: Slot,
        /// Bits of [`send_flag`](crate::border::send_flag).
        flags: u8,
        /// The messages, in order.
        messages: Vec<Outgoing>,
    },
    /// One Engine.IO packet that is not a message.
    SendPacket {
        /// The client.
        slot: Slot,
        /// Bits of [`send_flag`](crate::border::send_flag).
        flags: u8,
        /// Its digit and its data.
        packet: String,
    },
    /// One packet to many clients.
    Broadcast {
        /// The clients, as they were when the packet was emitted.
        group: Group,
        /// Bits of [`send_flag`](crate::border::send_flag).
        flags: u8,
        /// The messages, in order; shared with the other workers.
        messages: Arc<[Outgoing]>,
    },
    /// Close the session, after what is queued (`discard`: at once).
    Close {
        /// The client.
        slot: Slot,
        /// Whether a waiting poll must not delay the end.
        discard: bool,
    },
    /// JavaScript has let go of the handle.
    Release {
        /// The client.
        slot: Slot,
    },
    /// The client has joined its first namespace.
    Joined {
        /// The client.
        slot: Slot,
    },
    /// Which extra records JavaScript wants of this client (bits of [`observed`](crate::border::observed)).
    Observe {
        /// The client.
        slot: Slot,
        /// A set of bits.
        mask: u8,
    },
    /// Say when everything that has been sent to the client so far has left.
    Fence {
        /// The client.
        slot: Slot,
    },
    /// A WebSocket connection comes in.
    IncomingWebSocket(Box<IncomingWebSocket>),
    /// A connection comes in that is to be relayed to Node.js.
    Relay(Box<IncomingRelay>),
    /// End a relay so that its peer sees a reset.
    ResetRelay {
        /// The environment that it belongs to.
        environment: u32,
        /// JavaScript's name for it.
        token: u32,
    },
    /// The worker is to accept connections.
    Listen(Arc<Listener>),
    /// Node.js has accepted this connection from its socket, which the worker is to deal with.
    Receive(Box<(Arc<Listener>, TcpStream)>),
    /// It need not any more: the socket is closed.
    Unlisten(Arc<Listener>),
    /// A handshake over polling comes in.
    OpenPolling {
        /// The server that it came to.
        server: Arc<Server>,
        /// The HTTP request.
        token: u32,
        /// The session to be made.
        sid: Sid,
        /// How the client speaks.
        dialect: Dialect,
        /// The parameter `j` of a client that polls by JSONP.
        jsonp: Option<String>,
        /// Who is at the other end of the connection of that request.
        peer: Peer,
        /// Its place among the clients, if they are counted.
        ticket: Option<Ticket>,
    },
    /// A request of a polling session.
    Request {
        /// The client.
        slot: Slot,
        /// The HTTP request.
        request: RequestId,
        /// What happened to it.
        event: RequestEvent,
    },
    /// A connection comes in by which polling requests come.
    IncomingHttp(Box<IncomingHttp>),
    /// The answer to a request that came by a connection of this worker.
    Answer {
        /// The connection.
        wire: u32,
        /// Which of its requests.
        generation: u32,
        /// The answer.
        answer: Answer,
    },
    /// JavaScript closes the connections of an HTTP server.
    CloseHttp(CloseHttp),
    /// JavaScript ends connections whose sockets it has shown to the program.
    EndWires(Arc<EndWires>),
    /// Something happened to a bridged stream.
    Bridge {
        /// The environment and its name for the stream.
        key: BridgeKey,
        /// What happened to it.
        event: BridgeEvent,
    },
    /// The inbox has room again.
    Resume,
    /// JavaScript has looked at all its sockets ([`super::turns`]).
    Turned {
        /// Its environment.
        environment: u32,
        /// Which time that was.
        round: u64,
    },
    /// The JavaScript environment with this id ends: drop all of its connections.
    DropEnvironment(u32),
    /// Reads the sessions of a server no more, or again.
    Freeze(Freeze),
    /// A session goes to another process.
    HandOver {
        /// The client.
        slot: Slot,
        /// The way there.
        channel: Arc<Channel>,
        /// What JavaScript says of it.
        blob: Vec<u8>,
    },
    /// The connections of a server follow by which polling requests come: all its sessions have gone that way.
    FinishHandOver {
        /// The server.
        server: u32,
        /// The way there, and what is owed to it.
        ticket: FinishTicket,
    },
    /// A session comes from another process.
    Adopt(Box<Adoption>),
    /// What the client of such a session sends is read from here on.
    ReadOn {
        /// The client.
        slot: Slot,
    },
    /// The runtime ends.
    Stop,
}

/// What it costs to send these to one client inline, in packets.
fn cost_of(messages: &[Outgoing]) -> usize {
    messages.iter().map(Outgoing::inline_cost).sum()
}

impl Command {
    /// Whether it sends a large message: to compress one takes long.
    pub fn is_large(&self) -> bool {
        if let Self::Send { messages, .. } = self {
            messages.iter().any(Outgoing::is_large)
        } else if let Self::Broadcast { messages, .. } = self {
            messages.iter().any(Outgoing::is_large)
        } else {
            false
        }
    }

    /// What it costs to do it inline, on JavaScript's thread: how many packets are to be written, about.
    /// `usize::MAX`: only the worker can do it.
    pub fn inline_cost(&self) -> usize {
        match self {
            Self::Send { messages, .. } => cost_of(messages),
            Self::Broadcast { group, messages, .. } => {
                group.members.len().saturating_mul(cost_of(messages))
            }
            Self::Joined { .. } | Self::Observe { .. } | Self::Release { .. } => 0,
            Self::SendPacket { .. }
            | Self::Close { .. }
            | Self::Fence { .. }
            | Self::IncomingWebSocket(_)
            | Self::Listen(_)
            | Self::Receive(_)
            | Self::Unlisten(_)
            | Self::OpenPolling { .. }
            | Self::IncomingHttp(_)
            | Self::Request { .. }
            | Self::Answer { .. }
            | Self::CloseHttp(_)
            | Self::Relay(_)
            | Self::ResetRelay { .. }
            | Self::EndWires(_)
            | Self::Bridge { .. }
            | Self::Resume
            | Self::Turned { .. }
            | Self::DropEnvironment(_)
            | Self::Freeze(_)
            | Self::HandOver { .. }
            | Self::FinishHandOver { .. }
            | Self::Adopt(_)
            | Self::ReadOn { .. }
            | Self::Stop => usize::MAX,
        }
    }
}

/// Who is ended when it panics to carry out an operation.
#[derive(Debug)]
pub enum Blame {
    /// Nobody, or each that it concerns is guarded by itself.
    Nobody,
    /// This client.
    Client(Slot),
    /// The HTTP connection in this slot.
    HttpWire(u32),
    /// This bridged stream.
    Stream(BridgeKey),
    /// The connection that has just come.
    Newcomer(Newcomer),
    /// This socket: nobody is accepted from it any more.
    Listener(Arc<Listener>),
}

impl Blame {
    /// The worker with this number has ended. What has just come is refused.
    pub fn refuse(&self, worker: usize) {
        match self {
            Self::Newcomer(newcomer) => newcomer.refuse(worker),
            Self::Listener(listener) => {
                listener.tell_end(worker);
                listener.environment.inbox.announce(worker);
            }
            Self::Nobody | Self::Client(_) | Self::HttpWire(_) | Self::Stream(_) => {}
        }
    }
}

/// A connection or request that has just come, by the name that JavaScript has for it: the worker does not know it yet.
#[derive(Debug)]
pub struct Newcomer {
    environment: Arc<Environment>,
    token: u32,
    kind: RecordKind,
}

impl Newcomer {
    fn blame(server: &Server, token: u32, kind: RecordKind) -> Blame {
        Blame::Newcomer(Self { environment: Arc::clone(&server.environment), token, kind })
    }

    /// Tells JavaScript that it is refused; on the lane of `worker`.
    pub fn refuse(&self, worker: usize) {
        let inbox = &self.environment.inbox;
        inbox.push(worker, |record| {
            record.kind(self.kind).number(self.token);
            if self.kind == RecordKind::RequestRefused {
                record.number(UNKNOWN_SID);
            }
        });
        inbox.announce(worker);
    }
}

impl Command {
    /// Who is ended when this panics.
    pub fn blame(&self) -> Blame {
        match self {
            Self::Send { slot, .. }
            | Self::SendPacket { slot, .. }
            | Self::Close { slot, .. }
            | Self::Release { slot }
            | Self::Joined { slot }
            | Self::Observe { slot, .. }
            | Self::HandOver { slot, .. }
            | Self::ReadOn { slot }
            | Self::Fence { slot } => Blame::Client(*slot),
            // `Request` is guarded where its connection is known, and the others one by one.
            Self::Request { .. }
            | Self::Broadcast { .. }
            | Self::Receive(_)
            | Self::CloseHttp(_)
            | Self::Relay(_)
            | Self::ResetRelay { .. }
            | Self::EndWires(_)
            | Self::Resume
            | Self::Turned { .. }
            | Self::DropEnvironment(_)
            | Self::Freeze(_)
            | Self::FinishHandOver { .. }
            | Self::Adopt(_)
            | Self::Stop => Blame::Nobody,
            Self::Answer { wire, .. } => Blame::HttpWire(*wire),
            Self::Bridge { key, .. } => Blame::Stream(*key),
            Self::IncomingWebSocket(incoming) => {
                Newcomer::blame(&incoming.server, incoming.token, RecordKind::WireClosed)
            }
            Self::IncomingHttp(incoming) => {
                let HttpHandover { server, token, .. } = &incoming.handover;
                Newcomer::blame(server, *token, RecordKind::WireClosed)
            }
            Self::Listen(listener) | Self::Unlisten(listener) => {
                Blame::Listener(Arc::clone(listener))
            }
            Self::OpenPolling { server, token, .. } => {
                Newcomer::blame(server, *token, RecordKind::RequestRefused)
            }
        }
    }
}

/// One Engine.IO message on its way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outgoing {
    /// Text, without the packet type.
    Text(Bytes),
    /// Binary.
    Binary(Bytes),
}

impl Outgoing {
    /// What messages that belong together are counted as.
    pub fn parcel(messages: &[Self]) -> Parcel {
        Parcel::of(messages.iter().map(|message| match message {
            Self::Text(data) => (&data[..], true),
            Self::Binary(data) => (&data[..], false),
        }))
    }

    /// Its length in bytes.
    pub fn len(&self) -> usize {
        match self {
            Self::Text(data) | Self::Binary(data) => data.len(),
        }
    }

    fn is_large(&self) -> bool {
        self.len() > INLINE_BYTES
    }

    /// How many small packets cost as much, about.
    fn inline_cost(&self) -> usize {
        self.len().div_ceil(INLINE_BYTES).max(1)
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What happened to a request of the polling transport.
#[derive(Debug)]
pub enum RequestEvent {
    /// A GET.
    Get,
    /// A POST has begun.
    PostStart,
    /// The whole body of the POST is here.
    PostBody {
        /// The body.
        body: HeldBytes,
        /// Whether its content type is `application/octet-stream`.
        binary: bool,
    },
    /// The body of the POST can't be taken.
    PostFault(PostFault),
    /// The client closed the request before the answer.
    Closed,
    /// The connection that it came by has panicked.
    Failed,
    /// A GET that JavaScript has not begun with: only a ping may answer it.
    Unread,
    /// A POST lies unread: JavaScript has not begun with it.
    PostUnread,
    /// That GET is not to be answered any more.
    UnreadGone,
    /// The ping by which it was answered has not left.
    PingUnsent,
    /// A POST that JavaScript has not begun with has brought a pong.
    Pong,
}

/// A connection by which polling requests come.
#[derive(Debug)]
pub struct IncomingHttp {
    /// What JavaScript says of it; kept as long as the connection.
    pub handover: HttpHandover,
    /// The connection.
    pub stream: Stream,
    /// What has been taken off it, if anything has.
    pub opening: Option<Opening>,
    /// Who is at its other end.
    pub peer: Peer,
    /// What JavaScript has still to hear of it, if a worker has accepted it.
    pub news: Option<News>,
}

/// A connection that is to be relayed to Node.js.
#[derive(Debug)]
pub struct IncomingRelay {
    /// Where it has come.
    pub listener: Arc<Listener>,
    /// The connection.
    pub stream: Stream,
    /// Its addresses, where those of its socket are a proxy's.
    pub told: Option<Addresses>,
    /// What has been read from it, and is to come first.
    pub read: Vec<u8>,
    /// The name that it had until now: JavaScript hears behind all else that what was called so has ended.
    pub before: Option<u32>,
    /// The Socket.IO server that its first request is for, and what counts for the answers that the worker gives in place of
    /// JavaScript; none: it gives none.
    pub deputy: Option<(Arc<Server>, Arc<Profile>)>,
}

/// What JavaScript has to hear of a connection that a worker has accepted, before anything that comes of it.
#[derive(Debug)]
pub struct News {
    /// JavaScript's name for the HTTP server that it came to.
    pub listener: u32,
    /// What was agreed on with TLS, if that is spoken: see [`super::tls::Details`].
    pub tls: Option<String>,
    /// Its addresses, where those of its socket are a proxy's.
    pub told: Option<Addresses>,
    /// Its first request; see [`crate::http::request::read_arrival`].
    pub description: Vec<u8>,
}

impl News {
    /// Tells of the connection that is called `token`, on the lane of `worker`.
    pub fn tell(self, environment: &Environment, worker: usize, token: u32) {
        environment.inbox.push(worker, |record| {
            record.kind(RecordKind::Arrived).number(token).number(self.listener);
            if self.tls.is_some() || self.told.is_some() {
                record.string(self.tls.as_deref().unwrap_or_default());
            }
            if let Some(told) = self.told {
                record.addresses(told);
            }
            record.side_string(LongString::Latin1(self.description.into()));
        });
    }
}

/// What JavaScript says of a connection by which polling requests come.
#[derive(Debug)]
pub struct HttpHandover {
    /// The server that its requests are for.
    pub server: Arc<Server>,
    /// JavaScript's name for it.
    pub token: u32,
    /// JavaScript's name for the HTTP server that it came to.
    pub listener: u32,
    /// The socket of that from which a worker accepts, if one did when the connection came.
    pub front: Option<Arc<Listener>>,
    /// What is fixed for it.
    pub profile: Arc<Profile>,
    /// The server's count of recalls when it was handed over ([`Server::recalls`]): a recall that comes
    /// before the worker has the connection counts, too.
    pub recalls: u32,
}

/// The answer of a session to a request.
#[derive(Debug)]
pub enum Answer {
    /// This is to be written.
    Respond {
        /// The HTTP status.
        status: u16,
        /// The body.
        body: Body,
        /// What JavaScript is to take first: the place in the inbox up to which the session has put
        /// something into it ([`super::inbox::Pushed::end`]).
        after: Option<u64>,
    },
    /// JavaScript, which has lent the request, has been given the answer.
    Lent {
        /// JavaScript's name for its connection.
        relay: u32,
        /// The body of the answer; none: "ok".
        text: Option<Vec<u8>>,
    },
    /// The connection ends without an answer.
    Drop,
    /// There is no such session any more.
    Refused,
}

/// Which connections are to be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CloseHttp {
    /// Of this environment…
    pub environment: u32,
    /// …and there of this HTTP server: the idle ones…
    pub listener: u32,
    /// …those whose request has no answer yet, too…
    pub busy: bool,
    /// …or those as soon as they have answered.
    pub later: bool,
}

/// Which connections are to end, as if their peers had ended them.
#[derive(Debug)]
pub struct EndWires {
    /// Of this environment…
    pub environment: u32,
    /// …those with these names there.
    pub tokens: FxHashSet<u32>,
}

/// What happened to a bridged stream.
#[derive(Debug)]
pub enum BridgeEvent {
    /// Bytes came in.
    Data {
        /// The bytes.
        bytes: HeldBytes,
        /// Whether JavaScript has stopped reading the stream, for want of room in the inbox: it goes on
        /// when it is told to.
        paused: bool,
    },
    /// So many bytes have left.
    Written(usize),
    /// It is over.
    End {
        /// It has failed, and what is under way with it.
        broken: bool,
    },
}

/// Names a bridged stream: the environment, and the token that it gave.
pub type BridgeKey = (u32, u32);

/// A WebSocket connection that comes in.
#[derive(Debug)]
pub struct IncomingWebSocket {
    /// The server that it came to.
    pub server: Arc<Server>,
    /// JavaScript's name for it.
    pub token: u32,
    /// What it is for.
    pub purpose: Purpose,
    /// How the client speaks on it.
    pub dialect: Dialect,
    /// Where its bytes come from and go to.
    pub stream: IncomingStream,
    /// Bytes that came behind the upgrade request.
    pub head: Vec<u8>,
    /// The answer to the upgrade request.
    pub response: UpgradeResponse,
    /// How messages may be compressed, if that was agreed on.
    pub deflate: Option<Agreement>,
    /// Who is at its other end.
    pub peer: Peer,
    /// What JavaScript has still to hear of it, if a worker has accepted it.
    pub news: Option<News>,
    /// The place of its session among the clients, if they are counted.
    pub ticket: Option<Ticket>,
}

/// A byte stream as it comes to a worker.
#[derive(Debug)]
pub enum IncomingStream {
    /// A non-blocking socket that the worker owns from now on.
    Tcp(Stream),
    /// A stream that JavaScript pumps.
    Bridge,
}
