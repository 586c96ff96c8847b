//! A session over WebSocket.

use std::io;

use mio::{Registry, Token};

use crate::frame;
use crate::http;
use crate::session::{Event, Session, Step};
use crate::stream::Stream;

/// How the connection is made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Opening<'a> {
    pub(crate) port: u16,
    /// The Engine.IO session that is to be upgraded, or none for a new one.
    pub(crate) sid: Option<&'a str>,
    /// Whether permessage-deflate is offered.
    pub(crate) deflate: bool,
}

/// One WebSocket.
#[derive(Debug)]
pub(crate) struct WebSocket {
    pub(crate) stream: Stream,
    /// Whether the HTTP connection has become a WebSocket.
    switched: bool,
    /// Whether it must be probed before the session moves to it.
    probes: bool,
    /// Whether it must have agreed on permessage-deflate.
    deflate: bool,
}

impl WebSocket {
    /// Begins to connect.
    pub(crate) fn open(
        registry: &Registry,
        token: Token,
        opening: Opening<'_>,
    ) -> io::Result<Self> {
        let mut stream = Stream::open(registry, token, opening.port)?;
        let sid = opening.sid.map_or(String::new(), |sid| format!("&sid={sid}"));
        // What browsers offer.
        let extensions = if opening.deflate {
            "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"
        } else {
            ""
        };
        let request = format!(
            "GET /socket.io/?EIO=4&transport=websocket{sid} HTTP/1.1\r\nHost: 127.0.0.1\r\n\
             Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{extensions}\r\n"
        );
        stream.outbox().extend_from_slice(request.as_bytes());
        let probes = opening.sid.is_some();
        Ok(Self { stream, switched: false, probes, deflate: opening.deflate })
    }

    /// The next thing that came in; what the protocol asks for in between is answered here.
    pub(crate) fn next_event(&mut self, session: &mut Session) -> io::Result<Option<Event>> {
        if !self.switched && !self.take_response()? {
            return Ok(None);
        }
        while let Some(frame) = frame::parse(self.stream.input()) {
            let step = match frame.opcode {
                frame::CLOSE => return Err(io::Error::other("the server sent a close frame")),
                frame::TEXT if !frame.compressed => session.handle_text(frame.payload)?,
                frame::TEXT | frame::BINARY => session.handle_opaque(),
                _ => Step::Nothing,
            };
            let len = frame.len;
            self.stream.consume(len);
            match step {
                Step::Nothing => {}
                Step::Reply(packet) => self.send(packet.as_bytes()),
                Step::Event(event) => return Ok(Some(event)),
            }
        }
        self.stream.compact();
        Ok(None)
    }

    /// Queues a packet.
    pub(crate) fn send(&mut self, packet: &[u8]) {
        frame::push(self.stream.outbox(), frame::TEXT, packet);
    }

    /// Takes the response to the upgrade request; `false` when it is not all there.
    fn take_response(&mut self) -> io::Result<bool> {
        let Some(response) = http::parse(self.stream.input())? else { return Ok(false) };
        let head = String::from_utf8_lossy(&self.stream.input()[..response.len]).into_owned();
        if response.status != 101 {
            return Err(io::Error::other(format!("no upgrade: {head}")));
        }
        if self.deflate && !head.contains("permessage-deflate") {
            return Err(io::Error::other("the server does not compress"));
        }
        self.stream.consume(response.len);
        self.switched = true;
        if self.probes {
            self.send(b"2probe");
        }
        Ok(true)
    }
}
