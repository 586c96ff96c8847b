//! The way down: what JavaScript has for one worker.
//!
//! The commonest operation, one text packet to one client, is kept as bytes in one buffer (no
//! allocation per packet); everything else is a [`Command`] beside it. The order between the two
//! is kept: each takes a tag in the byte buffer.

use std::fmt;
use std::net::TcpStream;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tokio::sync::Notify;

use super::polling_profile::Profile;
use super::server::Server;
use crate::engineio::{Body, Dialect, RequestId};
use crate::id::Sid;
use crate::socketio::Group;
use crate::websocket::extension::Agreement;
use crate::websocket::handshake::Accept;

/// Flag: drop the packet when the client can't take it at once.
pub const VOLATILE: u8 = 1;
/// Flag: do not compress the packet.
pub const NO_COMPRESS: u8 = 2;

/// Everything that a worker can be asked, other than to send one text packet to one client.
#[derive(Debug)]
pub enum Command {
    /// One Socket.IO packet with attachments, or one bare Engine.IO message.
    Send {
        /// The client.
        slot: u32,
        /// [`VOLATILE`], [`NO_COMPRESS`].
        flags: u8,
        /// The messages, in order.
        messages: Vec<Outgoing>,
    },
    /// One Engine.IO packet that is not a message.
    SendPacket {
        /// The client.
        slot: u32,
        /// [`NO_COMPRESS`].
        flags: u8,
        /// Its digit and its data.
        packet: String,
    },
    /// One packet to many clients.
    Broadcast {
        /// The clients, as they were when the packet was emitted.
        group: Group,
        /// [`VOLATILE`], [`NO_COMPRESS`].
        flags: u8,
        /// The messages, in order; shared with the other workers.
        messages: Arc<[Outgoing]>,
    },
    /// Close the session, after what is queued (`discard`: at once).
    Close {
        /// The client.
        slot: u32,
        /// Whether a waiting poll must not delay the end.
        discard: bool,
    },
    /// JavaScript has let go of the handle.
    Release {
        /// The client.
        slot: u32,
    },
    /// The client has joined its first namespace.
    Joined {
        /// The client.
        slot: u32,
    },
    /// Which extra records JavaScript wants of this client ([`super::connection::watch`]).
    Watch {
        /// The client.
        slot: u32,
        /// A set of bits.
        mask: u8,
    },
    /// Say when everything that has been sent to the client so far has left.
    Mark {
        /// The client.
        slot: u32,
    },
    /// A WebSocket connection comes in.
    Adopt(Box<Adopt>),
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
    },
    /// A request of a polling session.
    Poll {
        /// The client.
        slot: u32,
        /// The HTTP request.
        request: RequestId,
        /// What happened to it.
        event: PollEvent,
    },
    /// A connection comes in that polling requests come by.
    AdoptPolling(Box<AdoptPolling>),
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
    ClosePolling(ClosePolling),
    /// Something happened to a bridged stream.
    Bridge {
        /// The environment and its name for the stream.
        key: BridgeKey,
        /// What happened to it.
        event: BridgeEvent,
    },
    /// The inbox has room again.
    Resume,
    /// The JavaScript environment with this id ends: drop all of its connections.
    DropEnvironment(u32),
    /// The runtime ends.
    Stop,
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
    /// Its length in bytes.
    pub fn len(&self) -> usize {
        match self {
            Self::Text(data) | Self::Binary(data) => data.len(),
        }
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What happened to a request of the polling transport.
#[derive(Debug)]
pub enum PollEvent {
    /// A GET.
    Get,
    /// A POST has begun.
    PostStart,
    /// The whole body of the POST is here.
    PostBody {
        /// The body.
        body: Vec<u8>,
        /// Whether its content type is `application/octet-stream`.
        binary: bool,
    },
    /// The POST announced a content type that the protocol does not allow.
    PostInvalidContent,
    /// The body is longer than `maxHttpBufferSize`.
    PostTooLarge,
    /// The client closed the request before the answer.
    Closed,
}

/// A connection that polling requests come by, idle.
#[derive(Debug)]
pub struct AdoptPolling {
    /// The server that its requests are for.
    pub server: Arc<Server>,
    /// JavaScript's name for it.
    pub token: u32,
    /// JavaScript's name for the HTTP server that it came to.
    pub listener: u32,
    /// What is fixed for it.
    pub profile: Arc<Profile>,
    /// The connection.
    pub stream: TcpStream,
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
        /// Whether to wait with it until JavaScript has taken what is in the inbox.
        hold: bool,
    },
    /// The connection ends without an answer.
    Drop,
    /// There is no such session any more.
    Refused,
}

/// Which connections are to be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClosePolling {
    /// Of this environment…
    pub environment: u32,
    /// …and there of this HTTP server: the idle ones…
    pub listener: u32,
    /// …those whose request has no answer yet, too…
    pub busy: bool,
    /// …or those as soon as they have answered.
    pub later: bool,
}

/// What happened to a bridged stream.
#[derive(Debug)]
pub enum BridgeEvent {
    /// Bytes came in.
    Data(Vec<u8>),
    /// So many bytes have left.
    Written(usize),
    /// It is over.
    End,
}

/// Names a bridged stream: the environment, and the token that it gave.
pub type BridgeKey = (u32, u32);

/// A WebSocket connection that comes in.
#[derive(Debug)]
pub struct Adopt {
    /// The server that it came to.
    pub server: Arc<Server>,
    /// JavaScript's name for it.
    pub token: u32,
    /// What it is for.
    pub purpose: Purpose,
    /// How the client speaks on it.
    pub dialect: Dialect,
    /// Where its bytes come from and go to.
    pub stream: AdoptedStream,
    /// Bytes that came behind the upgrade request.
    pub head: Vec<u8>,
    /// The answer to the upgrade request.
    pub response: UpgradeResponse,
    /// How messages may be compressed, if that was agreed on.
    pub deflate: Option<Agreement>,
}

/// The answer to an upgrade request that is let through.
#[derive(Debug)]
pub enum UpgradeResponse {
    /// As it goes out.
    Whole(Vec<u8>),
    /// Still to be made of the request's `Sec-WebSocket-Key`, which has been checked, and of
    /// further header lines, each with its `\r\n`. It names no subprotocol.
    Accept {
        /// The key.
        key: String,
        /// The lines.
        headers: String,
    },
}

impl UpgradeResponse {
    /// The bytes that go out.
    pub fn into_bytes(self) -> Vec<u8> {
        match self {
            Self::Whole(bytes) => bytes,
            Self::Accept { key, headers } => {
                let mut bytes = Vec::with_capacity(160 + headers.len());
                Accept::of_key(&key).write_response(&mut bytes, &headers);
                bytes
            }
        }
    }
}

/// What an incoming WebSocket is for.
#[derive(Debug)]
pub enum Purpose {
    /// A new session.
    Session(Sid),
    /// The upgrade of the session in this slot.
    Upgrade(u32),
}

/// A byte stream as it comes to a worker.
#[derive(Debug)]
pub enum AdoptedStream {
    /// A non-blocking socket that the worker owns from now on.
    Tcp(TcpStream),
    /// A stream that JavaScript pumps.
    Bridge,
}

/// Operations in order: tags and text packets in `bytes`, commands in `commands`.
#[derive(Default)]
pub struct Batch {
    bytes: Vec<u8>,
    commands: Vec<Command>,
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch")
            .field("bytes", &self.bytes.len())
            .field("commands", &self.commands.len())
            .finish()
    }
}

const TAG_TEXT: u8 = 0;
const TAG_COMMAND: u8 = 1;

/// One operation out of a [`Batch`].
#[derive(Debug)]
pub enum Operation<'a> {
    /// Send `text` as one message to the client in `slot`.
    SendText {
        /// The client.
        slot: u32,
        /// [`VOLATILE`], [`NO_COMPRESS`].
        flags: u8,
        /// The Socket.IO packet.
        text: &'a [u8],
    },
    /// Anything else.
    Command(Command),
}

impl Batch {
    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Appends a text packet to one client.
    ///
    /// # Panics
    /// When the text is 4 GiB long: no string of JavaScript is.
    pub fn send_text(&mut self, slot: u32, flags: u8, text: &[u8]) {
        self.bytes.reserve(10 + text.len());
        self.bytes.push(TAG_TEXT);
        self.bytes.extend_from_slice(&slot.to_le_bytes());
        self.bytes.push(flags);
        let len = u32::try_from(text.len()).expect("a string of JavaScript is shorter than 4 GiB");
        self.bytes.extend_from_slice(&len.to_le_bytes());
        self.bytes.extend_from_slice(text);
    }

    /// Appends a text packet that `write` writes; nothing when that is `None`.
    ///
    /// # Panics
    /// As [`send_text`](Self::send_text).
    pub fn send_text_with(
        &mut self,
        slot: u32,
        flags: u8,
        write: impl FnOnce(&mut Vec<u8>) -> Option<()>,
    ) -> Option<()> {
        let before = self.bytes.len();
        self.send_text(slot, flags, b"");
        let start = self.bytes.len();
        if write(&mut self.bytes).is_none() {
            self.bytes.truncate(before);
            return None;
        }
        let len = self.bytes.len() - start;
        let len = u32::try_from(len).expect("a string of JavaScript is shorter than 4 GiB");
        self.bytes[start - 4..start].copy_from_slice(&len.to_le_bytes());
        Some(())
    }

    /// Appends a command.
    pub fn command(&mut self, command: Command) {
        self.bytes.push(TAG_COMMAND);
        self.commands.push(command);
    }

    /// Appends all of `other`, which is left empty and keeps its memory.
    fn append(&mut self, other: &mut Self) {
        self.bytes.extend_from_slice(&other.bytes);
        self.commands.append(&mut other.commands);
        other.bytes.clear();
    }

    /// Gives every operation to `apply`, in order, and leaves the batch empty.
    ///
    /// # Panics
    /// Never: what is read here was written by the methods above.
    pub fn drain(&mut self, mut apply: impl FnMut(Operation<'_>)) {
        let mut commands = self.commands.drain(..);
        let mut rest = self.bytes.as_slice();
        while let Some((&tag, tail)) = rest.split_first() {
            rest = tail;
            if tag == TAG_COMMAND {
                apply(Operation::Command(commands.next().expect("each tag has its command")));
                continue;
            }
            let slot = read_u32(&mut rest);
            let (&flags, tail) = rest.split_first().expect("send_text wrote the flags");
            rest = tail;
            let len = read_u32(&mut rest) as usize;
            let (text, tail) = rest.split_at(len);
            rest = tail;
            apply(Operation::SendText { slot, flags, text });
        }
        drop(commands);
        self.bytes.clear();
    }
}

fn read_u32(rest: &mut &[u8]) -> u32 {
    let (word, tail) = rest.split_first_chunk().expect("send_text wrote whole words");
    *rest = tail;
    u32::from_le_bytes(*word)
}

/// What JavaScript and a worker share: the queue between them.
#[derive(Debug, Default)]
pub struct Mailbox {
    batch: Mutex<Batch>,
    /// Wakes the worker.
    pub notify: Notify,
}

/// A drained batch keeps its buffers up to this many bytes.
const KEEP_CAPACITY: usize = 1 << 20;

impl Mailbox {
    /// Hands over `batch`, which is left empty.
    pub fn post(&self, batch: &mut Batch) {
        {
            let mut waiting = self.batch.lock().unwrap_or_else(PoisonError::into_inner);
            if waiting.is_empty() {
                std::mem::swap(&mut *waiting, batch);
            } else {
                waiting.append(batch);
            }
        }
        self.notify.notify_one();
    }

    /// Hands over one command.
    pub fn post_command(&self, command: Command) {
        self.leave_command(command);
        self.notify.notify_one();
    }

    /// Hands over one command without waking the worker: the caller sees to that.
    pub fn leave_command(&self, command: Command) {
        self.batch.lock().unwrap_or_else(PoisonError::into_inner).command(command);
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.batch.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Takes what waits into `batch`, which must be empty; false when nothing waits.
    pub fn take(&self, batch: &mut Batch) -> bool {
        if batch.bytes.capacity() > KEEP_CAPACITY {
            *batch = Batch::default();
        }
        let mut waiting = self.batch.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.is_empty() {
            return false;
        }
        std::mem::swap(&mut *waiting, batch);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_packets_and_commands_is_kept() {
        let mailbox = Mailbox::default();
        let mut batch = Batch::default();
        batch.send_text(1, VOLATILE, b"one");
        batch.command(Command::Close { slot: 1, discard: false });
        mailbox.post(&mut batch);
        assert!(batch.is_empty());
        batch.send_text(2, 0, b"");
        mailbox.post(&mut batch);
        mailbox.post_command(Command::Stop);

        let mut seen = Vec::new();
        assert!(mailbox.take(&mut batch));
        batch.drain(|operation| {
            seen.push(match operation {
                Operation::SendText { slot, flags, text } => {
                    format!("{slot} {flags} {}", String::from_utf8_lossy(text))
                }
                Operation::Command(Command::Close { slot, .. }) => format!("close {slot}"),
                Operation::Command(other) => format!("{other:?}"),
            });
        });
        assert_eq!(seen, ["1 1 one", "close 1", "2 0 ", "Stop"]);
        assert!(!mailbox.take(&mut batch));
    }
}
