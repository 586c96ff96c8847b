//! The border between JavaScript and Rust: each number that crosses it has its name here, and here only.
//!
//! Rust uses these items. JavaScript has the same names in `native/border.js`, which the build writes
//! (`build.rs`): a kind becomes a member of a frozen object (`RecordKind::RawMessage` is
//! `RecordKind.RAW_MESSAGE`), so does a constant of a module (`send_flag::VOLATILE` is
//! `SendFlag.VOLATILE`). The file is committed, and `tests/border.rs` compares it.
//!
//! - **Records** go up, from the workers to JavaScript: one JSON array a batch, each record an array that
//!   begins with its [`RecordKind`]. Buffers and long strings travel beside it, in the order of the records.
//! - **Operations** come down, as bytes: see [`OperationKind`].
//! - **Calls** are the methods of the native class, declared in `native/index.d.ts`.

#[macro_use]
mod twin;

// ── records ──────────────────────────────────────────────────────────────────────────────────────

kinds! {
    /// The kinds of records. 0–4 are the types of Socket.IO packets.
    pub enum RecordKind {
        /// `[kind, handle, namespace, auth]`: a client wants to join a namespace.
        Connect = 0,
        /// `[kind, handle, namespace]`
        Disconnect = 1,
        /// `[kind, handle, ackId, data, namespace?, attachments?, index…]`; ackId −1: none; at each
        /// index of the data belongs a string that travels beside. The attachments are buffers.
        Event = 2,
        /// `[kind, handle, ackId, data, namespace?, attachments?, index…]`, as an event.
        Ack = 3,
        /// `[kind, handle, namespace, data]`
        ConnectError = 4,
        /// `[kind, handle, server, sid, flags, token, generation, address?, port?, localAddress?,
        /// localPort?]`: a session, with the bits of [`session_flag`]. The generation
        /// is that of the handle; the last four are of a socket that was taken over.
        Opened = 10,
        /// `[kind, handle, reason, message]`: the session has ended, and nothing more comes of it.
        Closed = 11,
        /// `[kind, handle, token]`: the wire of that token is the transport of the session now.
        Upgraded = 12,
        /// `[kind, handle, token]`: the wire of that token asks to become it.
        Upgrading = 13,
        /// `[kind, handle]`: the client has joined no namespace in time.
        ConnectTimeout = 14,
        /// `[kind, handle, message]`: it has sent what is no packet.
        InvalidPacket = 15,
        /// `[kind, handle, count]`: what was sent before the oldest [`OperationKind::Fence`]s has left, `count`
        /// of them.
        Drain = 16,
        /// `[kind, handle, out, packet]`: an Engine.IO packet that is no message; out 1: sent, 0: received.
        Control = 17,
        /// `[kind, handle, text]`, `[kind, handle, 0]` ([`record_sentinel::STRING_BESIDE`]) and a string that travels beside, or
        /// `[kind, handle]` and a buffer: an Engine.IO message as it came, of a server with a parser of
        /// its own.
        RawMessage = 19,
        /// `[kind, token, status, body]`, and a buffer if that [`BodyKind`] has one: answers a request.
        Response = 20,
        /// `[kind, token]`: the connection of the request is to be closed without an answer.
        DropRequest = 21,
        /// `[kind, token, code]`: the request is refused with that Engine.IO error.
        RequestRefused = 22,
        /// `[kind, token]` and a buffer: bytes for the peer of a bridged stream.
        BridgeWrite = 30,
        /// `[kind, token, cut?]`: a wire has ended; cut 1: something was left to write.
        WireClosed = 31,
        /// `[kind, token]`: the bridged stream is not to be read for now.
        BridgePause = 32,
        /// `[kind, token]`: it is to be read again.
        BridgeResume = 33,
        /// `[kind, token]` and a buffer: a connection that requests came by, and what of them is not
        /// answered; its stream waits for `takeDescriptor`.
        GivenBack = 34,
        /// `[kind]`: a worker wants to know when this thread has looked at all its sockets: `turned` tells it.
        AskTurn = 35,
        /// `[kind, token, listener, tls?, address?, port?, localAddress?, localPort?]` and a string that travels beside: a worker has accepted a connection, whose
        /// first request is described there (src/http/request.rs), and has taken it; `tls`: what was agreed on
        /// (src/net/tls.rs), if that is spoken, else absent or empty; the addresses: if a proxy has told them.
        Arrived = 36,
        /// `[kind, token, listener, address?, port?, localAddress?, localPort?]`: it has accepted one, and has not taken it; its
        /// stream waits for `takeDescriptor`. The addresses: if a proxy has told them.
        Foreign = 37,
        /// `[kind, listener]`: it accepts no more, as it was told to or because it can't; told once for each `listen`.
        Unlistened = 38,
        /// `[kind, listener, more?]`: it waits for the first request of one connection more (1), or of one less (0): of that
        /// it has told, or it has gone.
        Newcomer = 39,
        /// `[kind, token, listener, address, port, localAddress, localPort, tls?]`: a worker relays a connection, which it has,
        /// and whose addresses these are; the end for Node.js waits for `takeDescriptor`. `tls`: as for `Arrived`.
        Relayed = 40,
        /// `[kind, token]`: the peer's side of it is broken.
        RelayBroken = 41,
        /// `[kind]`: a worker wants to see whether this thread takes records.
        AskAwake = 42,
        /// `[kind, listener, message, address, port]`: TLS could not be begun with a connection that it has accepted, which
        /// is closed.
        HandshakeFailed = 43,
        /// `[kind, milliseconds, stopped]`: what was taken last had waited for so long, as this thread was blocked; 0: not for long.
        /// `stopped` 1: so much has waited that connections were not read.
        Delayed = 44,
        /// `[kind, channel, event, first?, second?]`: news of a hand-over, see [`HandoverEvent`].
        Handover = 60,
        /// `[kind, server]`: handshakes have been refused for its limits since `hearLimits` was last asked.
        Limited = 45,
    }
}

kinds! {
    /// What has become of a hand-over to another process, or from one.
    pub enum HandoverEvent {
        /// Both sides, `token, count, against` and a buffer: the other one is there, and what its JavaScript says. To the new process,
        /// `count` sockets that listen wait for `takeDescriptor`, the first by the name `token`. `against`: why no session can go from
        /// one to the other, as they speak different versions; empty: they can.
        Peer = 0,
        /// To the old process, `against`: the new one is about to serve, and waits for the sessions. `against`: why it can have none; empty: it
        /// can.
        Ready = 1,
        /// To the old process, `worker`: nothing more comes of what is to be handed over that this worker has.
        Frozen = 2,
        /// To the old process, `sessions`: the new one serves, and has so many; 0 when it did not say.
        Sent = 3,
        /// To the new process, `token` and two buffers: an HTTP connection, whose stream waits for `takeDescriptor`; what has come by
        /// it and is not answered, and what is still to be written.
        Connection = 4,
        /// To the new process, `sessions, reason` and a buffer: it serves, so many have come, why not all have (empty: they have), and what
        /// the old one's JavaScript says.
        End = 5,
        /// Both sides, `reason`: it is over, and the old process is the one that serves.
        Failed = 6,
        /// To the new process, a buffer: what the old one's JavaScript says of all sessions.
        State = 7,
    }
}

kinds! {
    /// The body of a [`RecordKind::Response`].
    pub enum BodyKind {
        /// None: the response is its status.
        None = 0,
        /// A buffer of text.
        Text = 1,
        /// A buffer of text that may be compressed.
        CompressibleText = 2,
        /// The text "ok".
        Ok = 3,
        /// A buffer of bytes.
        Bytes = 4,
        /// A buffer of bytes that may be compressed.
        CompressibleBytes = 5,
    }
}

numbers! {
    /// What stands in records for something else.
    pub mod record_sentinel {
        /// A batch ends in up to three characters, in this order, which mean nothing in JSON. Strings travel beside it…
        pub const STRINGS_BESIDE: u8 = b'\t';
        /// …and buffers…
        pub const BUFFERS_BESIDE: u8 = b'\n';
        /// …and it is not all: more records wait, and nobody is woken for them.
        pub const MORE_WAIT: u8 = b' ';
        /// The text of a raw message travels beside its record.
        pub const STRING_BESIDE: u32 = 0;
    }
}

numbers! {
    /// What a session is: the bits of a [`RecordKind::Opened`], and of what `lookup` returns.
    pub mod session_flag {
        /// Its transport is WebSocket; otherwise it is polling.
        pub const WEBSOCKET: u32 = 1;
        /// It speaks protocol 3; otherwise 4.
        pub const PROTOCOL_3: u32 = 2;
        /// Its handshake said that the client is in "/"; `lookup` does not tell.
        pub const GREETED: u32 = 4;
        /// Another process has handed it over; a buffer travels beside the record: what its JavaScript says.
        pub const ADOPTED: u32 = 8;
    }
}

// ── operations ───────────────────────────────────────────────────────────────────────────────────

kinds! {
    /// The kinds of operations. Little-endian, packed: the length of what follows (`u32`), the kind
    /// (`u8`), the operands. `text` and `bytes` are preceded by their length (`u32`).
    ///
    /// - A handle is two `u32`: its place and its generation.
    /// - A room is two `u32`: the lower bits of its number ([`layout::ROOM_LOW_BITS`]), and the rest.
    /// - Targets are a count (`u32`), and each a room, or a handle with [`layout::CONNECTION`] set in its place.
    /// - Messages are one message, a count, and so many more messages; a message is text, or bytes
    ///   with [`layout::BINARY`] set in their length, or [`layout::ATTACHED`] and a number.
    /// - A text of which some arguments are long strings comes in parts: [`layout::PARTED`] instead of its length,
    ///   the bytes that it will take (about), the number of strings, JSON, and for each string its
    ///   [`StringEncoding`] (`u8`), the string as it is, and the JSON behind it. Rust makes JSON of the
    ///   strings: `JSON.stringify` is many times slower.
    pub enum OperationKind {
        /// handle, flags `u8`, text: a packet without attachments.
        Send = 1,
        /// handle, flags, messages: a packet with attachments.
        SendMessages = 2,
        /// flags, targets, excepted targets, messages.
        Broadcast = 3,
        /// handle, room.
        Join = 4,
        /// handle, room.
        Leave = 5,
        /// handle: the client has joined its first namespace.
        Joined = 6,
        /// handle, discard `u8`: 1 to drop what waits to be written.
        Close = 7,
        /// handle: of a closed session all is done here.
        Release = 8,
        /// handle, mask `u8`, see [`observed`].
        Observe = 9,
        /// handle, flags, binary `u8`, bytes: one Engine.IO message as it is.
        SendRaw = 10,
        /// handle: a [`RecordKind::Drain`] is to come when all that was sent before has left.
        Fence = 11,
        /// flags, messages, count `u32`, handle…
        Multicast = 12,
        /// handle, flags, text: an Engine.IO packet that is no message, its digit and its data.
        SendPacket = 13,
        /// log `u32`, time `u64`, count, kept room `u32`…, count, excepted kept room…, and what a
        /// broadcast has: it is sent, and kept for those who come back.
        Keep = 14,
        /// handle, log `u32`, session `u64`, packet `u64`: what the session has missed since.
        Replay = 15,
        /// cluster `u32`, name, room: other nodes call the room so. A name is 1 for a number or 0 for a text (`u8`), and
        /// its text.
        NameRoom = 16,
        /// cluster, name, handle: they call so the room that this client alone is in.
        NameSocket = 17,
        /// cluster, name: no room is called so any more.
        Unname = 18,
        /// cluster, room: all clients of the namespace are in it.
        NameEveryone = 19,
        /// cluster, count `u32`: so many messages that count have been handled. If these are all, what other nodes broadcast is
        /// fanned out past JavaScript from here on.
        Direct = 20,
        /// cluster: it is not any more.
        Indirect = 21,
        /// cluster, channel (text): what is sent by it is to come.
        Subscribe = 22,
        /// cluster, channel: it need not any more.
        Unsubscribe = 23,
        /// cluster, channel, message: is sent by it.
        Publish = 24,
        /// cluster, channel, options (text), and what a broadcast has: it is sent here, and the other nodes are told. In a cluster
        /// by a stream it is sent here when it comes back.
        BroadcastCluster = 25,
        /// cluster, token `u32`, type `u8`, data: an entry that is written to the stream of the cluster, and told of when it comes
        /// back.
        AddEntry = 26,
        /// cluster, key (text), time in ms `u64`, value: is kept in Redis for that time.
        KeepSession = 27,
        /// handle, cluster, number `u32`, count `u32`: a client that comes back is let in. So many messages that count have been
        /// handled, as for [`Self::Direct`].
        LetIn = 28,
        /// handle, channel `u32`, bytes: the session goes to another process, with what JavaScript says of it.
        HandOver = 40,
        /// handle: what the client of a session that was taken over sends is read from here on.
        ReadOn = 41,
    }
}

numbers! {
    /// How the packet of an operation is sent.
    pub mod send_flag {
        /// It is dropped when the client can't take it at once.
        pub const VOLATILE: u8 = 1;
        /// It is not compressed.
        pub const NO_COMPRESS: u8 = 2;
    }
}

numbers! {
    /// What JavaScript wants to hear of a session, beside the rest.
    pub mod observed {
        /// A record for each Engine.IO packet that is not a message.
        pub const CONTROL: u8 = 1;
    }
}

kinds! {
    /// How a string is written that becomes JSON in Rust.
    pub enum StringEncoding {
        /// One byte a character, all of them ASCII.
        Ascii = 0,
        /// UTF-16, little-endian.
        Utf16 = 1,
    }
}

numbers! {
    /// Words of operations, and their sizes in bytes.
    pub mod layout {
        /// The length of an operation, with which it begins.
        pub const LENGTH: usize = size_of::<u32>();
        /// The kind of an operation.
        pub const KIND: usize = size_of::<u8>();
        /// A handle: its place and its generation.
        pub const HANDLE: usize = 2 * size_of::<u32>();
        /// Set in the place of a target that is a connection and not a room.
        pub const CONNECTION: u32 = 1 << 31;
        /// Bits of the number of a room that are in its first word.
        pub const ROOM_LOW_BITS: u32 = 31;
        /// Set in the length of a message that is binary.
        pub const BINARY: u32 = 1 << 31;
        /// Stands for the length of a text that comes in parts.
        pub const PARTED: u32 = u32::MAX;
        /// Stands for the length of bytes that were handed over before the batch, by `attach`: their number follows.
        pub const ATTACHED: u32 = u32::MAX - 1;
    }
}

// ── both, and calls ──────────────────────────────────────────────────────────────────────────────

numbers! {
    /// Parts of a handle.
    pub mod handle {
        /// The lowest bits of its place, which name the worker.
        pub const WORKER_BITS: u32 = 4;
    }
}

numbers! {
    /// The names of connections, which JavaScript or the workers make.
    pub mod token {
        /// Set in those that workers make. All are below twice that, which V8 has no objects for.
        pub const OF_WORKER: u32 = 1 << 30;
    }
}

numbers! {
    /// How a client speaks: the lowest bits of a [`wire_kind`], too.
    pub mod dialect {
        /// Protocol 4, and bytes as they are: none of the bits.
        pub const PLAIN: u32 = 0;
        /// Protocol 3; otherwise 4.
        pub const PROTOCOL_3: u32 = 1;
        /// Bytes come and go as base64.
        pub const BASE64: u32 = 2;
    }
}

numbers! {
    /// What a WebSocket wire is for, above the bits of its [`dialect`].
    pub mod wire_kind {
        /// It opens a session; otherwise it asks to become the transport of one.
        pub const NEW_SESSION: u32 = 4;
        /// Its answer is still to be made: what is given is the `Sec-WebSocket-Key` and further header lines.
        pub const KEY_ONLY: u32 = 8;
        /// The bits above these are what was agreed on about compression.
        pub const AGREEMENT_SHIFT: u32 = 4;
    }
}

kinds! {
    /// Why the body of a POST is not taken.
    pub enum BodyFault {
        /// Its content type is one that the protocol does not allow.
        InvalidContent = 0,
        /// It is longer than `maxHttpBufferSize`.
        TooLarge = 1,
        /// It came in more chunks than `maxBufferedChunks`.
        TooManyChunks = 2,
        /// It took longer than `httpRequestBodyTimeout`.
        TimedOut = 3,
    }
}

numbers! {
    /// What calls return when there is nothing to return, and codes.
    pub mod returned {
        /// `lookup`: there is no such session.
        pub const NO_SESSION: i32 = -1;
        /// `takeDescriptor`: there is none.
        pub const NO_DESCRIPTOR: i32 = -1;
        /// `askHandover`: there is no process that offers anything.
        pub const NO_HANDOVER: i32 = -1;
        /// `askHandover`: such a process hands its clients over just now, or is asked by too many at once; ask again.
        pub const HANDOVER_UNDER_WAY: i32 = -2;
        /// `offerHandover`: a process offers there already.
        pub const HANDOVER_OFFERED: i32 = -3;
        /// `offerHandover`: there is a file that is none of a socket.
        pub const OTHER_FILE: i32 = -4;
        /// `askHandover`: the process there is another user's.
        pub const OTHER_USER: i32 = -5;
        /// `offerHandover`, `askHandover`: the system has not what is needed: it is not Linux, or has no `/proc`.
        pub const NO_HANDING: i32 = -6;
        /// `offerHandover`, `askHandover`: this process may open no more files for now.
        pub const TOO_MANY_FILES: i32 = -7;
        /// `negotiateDeflate`: there is none to be had, so the request is to be refused. In a
        /// [`super::wire_kind`]: none is needed.
        pub const NO_AGREEMENT: u32 = 0;
        /// `passGate`, `reservePlace`: bits of the Engine.IO error; above them are the seconds after which to try again.
        pub const CODE_BITS: u32 = 8;
        /// The code of a [`super::RecordKind::RequestRefused`]: the Engine.IO error "Session ID unknown".
        pub const UNKNOWN_SID: u32 = 1;
    }
}

/// What `native/border.js` has to say.
pub fn javascript() -> String {
    twin::render(TABLE)
}

/// What an addon and the JavaScript beside it must have alike: the version, and a hash of this table.
pub fn contract() -> String {
    twin::contract(TABLE)
}

const TABLE: &[twin::Group] = &[
    RecordKind::GROUP,
    BodyKind::GROUP,
    HandoverEvent::GROUP,
    record_sentinel::GROUP,
    session_flag::GROUP,
    OperationKind::GROUP,
    send_flag::GROUP,
    observed::GROUP,
    StringEncoding::GROUP,
    layout::GROUP,
    handle::GROUP,
    token::GROUP,
    dialect::GROUP,
    wire_kind::GROUP,
    BodyFault::GROUP,
    returned::GROUP,
];
