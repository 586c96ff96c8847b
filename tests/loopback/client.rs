//! The other end: an independent WebSocket client, and a bare socket for what such a client can't do.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::thread;

use ferrosocket::id::Handle;
use ferrosocket::net::command::{Command, Purpose};
use ferrosocket::net::server::Server;
use futures_util::future::join;
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::runtime::{Builder, Runtime};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::host::{Host, PATIENCE};

/// First byte of a frame: the last of its message.
pub(crate) const FIN: u8 = 0x80;
pub(crate) const TEXT: u8 = 1;
pub(crate) const BINARY: u8 = 2;
pub(crate) const CLOSE: u8 = 8;
pub(crate) const PING: u8 = 9;
pub(crate) const PONG: u8 = 10;

/// A WebSocket client of `tokio-tungstenite`, driven from synchronous code.
pub(crate) struct Client {
    /// Ends the connection first, then its runtime.
    socket: WebSocketStream<tokio::net::TcpStream>,
    runtime: Runtime,
    /// JavaScript's name for the stream.
    pub(crate) token: u32,
}

impl Client {
    /// Connects and opens a session; gives the client, past the handshake, and the handle.
    pub(crate) fn open(host: &Host) -> (Self, Handle) {
        let mut client = Self::connect(host, host.worker, Purpose::Session(host.sid()));
        let handle = host.opened();
        assert!(client.text().starts_with("0{\"sid\":\"session-"));
        (client, handle)
    }

    /// Connects; nothing is read.
    pub(crate) fn connect(host: &Host, worker: usize, purpose: Purpose) -> Self {
        Self::connect_to(host, &host.server, worker, purpose)
    }

    /// The same, to this server of the host.
    pub(crate) fn connect_to(
        host: &Host,
        server: &Arc<Server>,
        worker: usize,
        purpose: Purpose,
    ) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let (token, listener, address) = (host.token(), host.listener(), host.address());
        let server = Arc::clone(server);
        let accepting = thread::spawn(move || {
            Host::incoming(&server, token, purpose, Host::accept(&listener), b"")
        });
        let socket = runtime.block_on(async {
            let tcp = tokio::net::TcpStream::connect(address).await.unwrap();
            let request = "ws://localhost/socket.io/?EIO=4&transport=websocket";
            let shaking = tokio_tungstenite::client_async(request, tcp);
            let handing_over = async {
                // The request is out once the handshake has been polled for the first time.
                tokio::task::yield_now().await;
                let incoming = accepting.join().unwrap();
                host.command_to(worker, incoming);
            };
            let (shaken, ()) = join(shaking, handing_over).await;
            shaken.unwrap().0
        });
        Self { socket, runtime, token }
    }

    /// The next message, or the error in its place; none at the end.
    pub(crate) fn try_next(&mut self) -> Option<Result<Message, Error>> {
        let next = self.socket.next();
        self.runtime
            .block_on(async { tokio::time::timeout(PATIENCE, next).await })
            .expect("the server sends something")
    }

    pub(crate) fn next(&mut self) -> Message {
        self.try_next().expect("the connection is open").unwrap()
    }

    /// The next message, which is a text.
    pub(crate) fn text(&mut self) -> String {
        self.next().into_text().unwrap().to_string()
    }

    pub(crate) fn send(&mut self, message: impl Into<Message>) {
        let sending = self.socket.send(message.into());
        self.runtime
            .block_on(async { tokio::time::timeout(PATIENCE, sending).await })
            .expect("the server reads")
            .unwrap();
    }

    /// Sends a close frame.
    pub(crate) fn close(&mut self, frame: Option<CloseFrame>) {
        self.send(Message::Close(frame));
    }

    /// Reads to the end; gives the code of the close frame if one came.
    pub(crate) fn end(&mut self) -> Option<u16> {
        let mut code = None;
        loop {
            match self.try_next() {
                Some(Ok(Message::Close(frame))) => code = frame.map(|frame| frame.code.into()),
                Some(Ok(other)) => panic!("not the end: {other:?}"),
                Some(Err(error)) => panic!("not an orderly end: {error}"),
                None => return code,
            }
        }
    }
}

/// One frame of the server.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) opcode: u8,
    pub(crate) payload: Vec<u8>,
}

/// A bare socket that has shaken hands.
pub(crate) struct Raw {
    pub(crate) stream: TcpStream,
    pub(crate) token: u32,
}

impl Raw {
    /// Connects and opens a session; gives the client, past the handshake, and the handle.
    pub(crate) fn open(host: &Host) -> (Self, Handle) {
        Self::open_with(host, b"")
    }

    /// The same; `head` comes to the worker together with the connection.
    pub(crate) fn open_with(host: &Host, head: &[u8]) -> (Self, Handle) {
        let mut raw = Self::connect(host, host.worker, Purpose::Session(host.sid()), head);
        let handle = host.opened();
        let handshake = raw.frame();
        assert_eq!((handshake.opcode, handshake.payload[0]), (TEXT, b'0'));
        (raw, handle)
    }

    /// Connects and reads the answer to the upgrade request.
    pub(crate) fn connect(host: &Host, worker: usize, purpose: Purpose, head: &[u8]) -> Self {
        Self::connect_with(host, worker, purpose, head, |_| {})
    }

    /// The same; `change` changes the command that gives the worker the connection.
    pub(crate) fn connect_with(
        host: &Host,
        worker: usize,
        purpose: Purpose,
        head: &[u8],
        change: impl FnOnce(&mut Command),
    ) -> Self {
        let mut stream = TcpStream::connect(host.address()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        stream
            .write_all(
                b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: localhost\r\n\
                Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            )
            .unwrap();
        let token = host.token();
        let accepted = Host::accept(&host.listener());
        let mut incoming = Host::incoming(&host.server, token, purpose, accepted, head);
        change(&mut incoming);
        host.command_to(worker, incoming);
        let mut response = Vec::new();
        while !response.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            response.push(byte[0]);
        }
        assert!(response.starts_with(b"HTTP/1.1 101 "));
        Self { stream, token }
    }

    /// Writes bytes as they are.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// Writes one masked frame.
    pub(crate) fn send(&mut self, first: u8, payload: impl AsRef<[u8]>) {
        self.write(&frame(first, payload.as_ref()));
    }

    /// Reads one frame.
    pub(crate) fn frame(&mut self) -> Frame {
        self.try_frame().expect("a frame comes")
    }

    /// Reads one frame; none when the stream ends before it.
    pub(crate) fn try_frame(&mut self) -> Option<Frame> {
        let mut first = [0; 1];
        if self.stream.read(&mut first).unwrap() == 0 {
            return None;
        }
        assert_eq!(first[0] & 0xf0, FIN, "the server does not fragment");
        let length = usize::from(self.bytes(1)[0]);
        let length = match length {
            126 => self.bytes(2).iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)),
            127 => self.bytes(8).iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)),
            short => short,
        };
        Some(Frame { opcode: first[0] & 0xf, payload: self.bytes(length) })
    }

    /// Reads one text frame.
    pub(crate) fn text(&mut self) -> String {
        let frame = self.frame();
        assert_eq!(frame.opcode, TEXT);
        String::from_utf8(frame.payload).unwrap()
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.stream.read_exact(&mut bytes).unwrap();
        bytes
    }

    /// Expects that the server has ended its side and sends nothing before.
    pub(crate) fn expect_end(&mut self) {
        assert_eq!(self.try_frame(), None);
    }

    /// Ends our side of the connection.
    pub(crate) fn half_close(&self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
    }

    /// Ends the connection with a reset.
    pub(crate) fn reset(self) {
        let linger = Some(std::time::Duration::ZERO);
        socket2::SockRef::from(&self.stream).set_linger(linger).unwrap();
    }
}

/// A masked frame; `first` is its first byte.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let key = [0x37, 0xfa, 0x21, 0x3d];
    let mut bytes = vec![first];
    if payload.len() < 126 {
        bytes.push(0x80 | u8::try_from(payload.len()).unwrap());
    } else if let Ok(length) = u16::try_from(payload.len()) {
        bytes.push(0xfe);
        bytes.extend(length.to_be_bytes());
    } else {
        bytes.push(0xff);
        bytes.extend((payload.len() as u64).to_be_bytes());
    }
    bytes.extend(key);
    bytes.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}
