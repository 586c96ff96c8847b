//! The floor of the benchmark: what an echo costs if nothing is done but what must be.
//!
//! One thread, one epoll loop: a read, the frames in it unmasked and answered, one write. It speaks as much of HTTP,
//! WebSocket, Engine.IO and Socket.IO as the load generator needs to get in, checks nothing, and has neither
//! heartbeats nor bounds. Prints `listening PORT` once it is.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Registry, Token};

const LISTENER: Token = Token(usize::MAX);
/// One read takes at most this much.
const SCRATCH: usize = 64 * 1024;

/// The generator's key is always the same, and so is what is to be answered (RFC 6455, section 1.3).
const SWITCHING: &[u8] =
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
const OPEN: &[u8] =
    br#"0{"sid":"s","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#;
const CONNECTED: &[u8] = br#"40{"sid":"s"}"#;

/// A final text frame.
const TEXT: u8 = 0x81;
/// Instead of a length: it is in the next 2 bytes.
const LEN_16: u8 = 126;
/// Instead of a length: it is in the next 8 bytes.
const LEN_64: u8 = 127;

/// One client.
struct Client {
    tcp: TcpStream,
    /// Whether the HTTP connection has become a WebSocket.
    switched: bool,
    /// The begin of a head or of a frame whose rest has not come.
    inbox: Vec<u8>,
    /// What the socket has not taken.
    outbox: Vec<u8>,
}

fn main() -> io::Result<()> {
    let mut poll = Poll::new()?;
    let mut listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    println!("listening {}", listener.local_addr()?.port());

    let mut clients: Vec<Option<Client>> = Vec::new();
    let mut events = Events::with_capacity(1024);
    let mut scratch = vec![0; SCRATCH];
    let mut out = Vec::new();
    loop {
        match poll.poll(&mut events, None) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            outcome => outcome?,
        }
        for event in &events {
            if event.token() == LISTENER {
                accept(&listener, poll.registry(), &mut clients)?;
                continue;
            }
            let place = &mut clients[event.token().0];
            // Without a client, the event is for one that left.
            let Some(client) = place else { continue };
            let outcome = client.handle(event, &mut scratch, &mut out);
            if outcome.is_err() || event.is_read_closed() {
                *place = None;
            }
        }
    }
}

/// Lets in all who wait. A place is not used twice: nobody comes and goes here.
fn accept(
    listener: &TcpListener,
    registry: &Registry,
    clients: &mut Vec<Option<Client>>,
) -> io::Result<()> {
    loop {
        let mut tcp = match listener.accept() {
            Ok((tcp, _)) => tcp,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        };
        tcp.set_nodelay(true)?;
        let interest = Interest::READABLE | Interest::WRITABLE;
        registry.register(&mut tcp, Token(clients.len()), interest)?;
        let (inbox, outbox) = (Vec::new(), Vec::new());
        clients.push(Some(Client { tcp, switched: false, inbox, outbox }));
    }
}

impl Client {
    /// Reads and answers what is there. `out` is lent, to be used again.
    fn handle(
        &mut self,
        event: &mio::event::Event,
        scratch: &mut [u8],
        out: &mut Vec<u8>,
    ) -> io::Result<()> {
        if event.is_writable() && !self.outbox.is_empty() {
            let rest = std::mem::take(&mut self.outbox);
            self.write(&rest)?;
        }
        if !event.is_readable() {
            return Ok(());
        }
        loop {
            let count = match self.tcp.read(scratch) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            out.clear();
            if self.inbox.is_empty() {
                let done = self.answer(&mut scratch[..count], out);
                self.inbox.extend_from_slice(&scratch[done..count]);
            } else {
                self.inbox.extend_from_slice(&scratch[..count]);
                let mut inbox = std::mem::take(&mut self.inbox);
                let done = self.answer(&mut inbox, out);
                inbox.drain(..done);
                self.inbox = inbox;
            }
            if self.outbox.is_empty() {
                self.write(out)?;
            } else {
                self.outbox.extend_from_slice(out);
            }
            // What comes later is told by another event.
            if count < scratch.len() {
                return Ok(());
            }
        }
    }

    /// Puts the answers to all that is whole into `out`; how much of `bytes` that was.
    fn answer(&mut self, bytes: &mut [u8], out: &mut Vec<u8>) -> usize {
        if !self.switched {
            let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
                return 0;
            };
            self.switched = true;
            out.extend_from_slice(SWITCHING);
            push_frame(out, OPEN);
            return end + 4;
        }
        let mut done = 0;
        while let Some((payload, len)) = next_frame(&mut bytes[done..]) {
            match payload {
                [b'4', b'0', ..] => push_frame(out, CONNECTED),
                [b'4', b'2', ..] => push_frame(out, payload),
                _ => {}
            }
            done += len;
        }
        done
    }

    fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.tcp.write(bytes) {
                Ok(count) => bytes = &bytes[count..],
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.outbox.extend_from_slice(bytes);
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// The payload of the frame at the start of `bytes`, unmasked, and the length of the frame; once it is all there.
fn next_frame(bytes: &mut [u8]) -> Option<(&[u8], usize)> {
    let (header, len) = match bytes.get(1)? & 0x7f {
        LEN_16 => (4, usize::from(u16::from_be_bytes(*bytes.get(2..)?.first_chunk()?))),
        LEN_64 => {
            let len = u64::from_be_bytes(*bytes.get(2..)?.first_chunk()?);
            (10, usize::try_from(len).ok()?)
        }
        len => (2, usize::from(len)),
    };
    let mask: [u8; 4] = *bytes.get(header..)?.first_chunk()?;
    let start = header + mask.len();
    let payload = bytes.get_mut(start..start + len)?;
    for (byte, key) in payload.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= key;
    }
    Some((payload, start + len))
}

fn push_frame(out: &mut Vec<u8>, payload: &[u8]) {
    out.push(TEXT);
    let len = payload.len();
    match (u8::try_from(len), u16::try_from(len)) {
        (Ok(len), _) if len < LEN_16 => out.push(len),
        (_, Ok(len)) => {
            out.push(LEN_16);
            out.extend_from_slice(&len.to_be_bytes());
        }
        _ => {
            out.push(LEN_64);
            out.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(payload);
}
