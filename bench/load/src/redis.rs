//! Broadcasts of another node of the cluster: published to Redis as `@socket.io/redis-emitter` 5 does, for
//! `@socket.io/redis-adapter` and whoever speaks its format.

use std::io;

use mio::{Registry, Token, event};

use crate::stream::Stream;

/// Of the connection to Redis; clients have those that count from 0.
pub(crate) const REDIS: Token = Token(usize::MAX - 1);

/// The connection that publishes.
#[derive(Debug)]
pub(crate) struct Publisher {
    stream: Stream,
}

impl Publisher {
    /// Begins to connect.
    pub(crate) fn open(registry: &Registry, port: u16) -> io::Result<Self> {
        Ok(Self { stream: Stream::open(registry, REDIS, port)? })
    }

    /// Queues a command; [`Self::flush`] sends it.
    pub(crate) fn queue(&mut self, command: &[u8]) {
        self.stream.outbox().extend_from_slice(command);
    }

    /// Sends what is queued, now or when the stream takes it.
    pub(crate) fn flush(&mut self, registry: &Registry) -> io::Result<()> {
        self.stream.flush(registry)
    }

    /// Moves bytes as the stream is ready. Replies are numbers of subscribers, and an error is fatal.
    pub(crate) fn handle_ready(
        &mut self,
        registry: &Registry,
        ready: &event::Event,
        scratch: &mut [u8],
    ) -> io::Result<()> {
        if ready.is_writable() {
            self.stream.handle_writable(registry)?;
        }
        if ready.is_readable() {
            self.stream.handle_readable(scratch)?;
        }
        let replies = self.stream.input();
        if replies.contains(&b'-') {
            return Err(io::Error::other(String::from_utf8_lossy(replies).into_owned()));
        }
        let len = replies.len();
        self.stream.consume(len);
        self.stream.compact();
        Ok(())
    }
}

/// The command that publishes the event `["b", text]` for a room of "/".
pub(crate) fn broadcast(room: &str, text: &str) -> Vec<u8> {
    let mut packet = vec![0x93]; // an array: who sends, the packet, the options
    push_text(&mut packet, "emitter");
    packet.push(0x83); // a map of three
    push_text(&mut packet, "type");
    packet.push(2);
    push_text(&mut packet, "data");
    packet.push(0x92);
    push_text(&mut packet, "b");
    push_text(&mut packet, text);
    push_text(&mut packet, "nsp");
    push_text(&mut packet, "/");
    packet.push(0x83);
    push_text(&mut packet, "rooms");
    packet.push(0x91);
    push_text(&mut packet, room);
    push_text(&mut packet, "flags");
    packet.push(0x80);
    push_text(&mut packet, "except");
    packet.push(0x90);
    command(&[b"PUBLISH", format!("socket.io#/#{room}#").as_bytes(), &packet])
}

/// A text in `MessagePack`, of less than 64 KiB.
fn push_text(packet: &mut Vec<u8>, text: &str) {
    let len = text.len();
    match len {
        0..32 => packet.push(0xa0 | len as u8),
        32..256 => packet.extend_from_slice(&[0xd9, len as u8]),
        _ => {
            packet.push(0xda);
            packet.extend_from_slice(&(len as u16).to_be_bytes());
        }
    }
    packet.extend_from_slice(text.as_bytes());
}

/// A command as Redis reads it.
fn command(parts: &[&[u8]]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", parts.len()).into_bytes();
    for part in parts {
        bytes.extend_from_slice(format!("${}\r\n", part.len()).as_bytes());
        bytes.extend_from_slice(part);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn publishes() {
        let bytes = broadcast("r7", "x");
        assert!(bytes.starts_with(b"*3\r\n$7\r\nPUBLISH\r\n$15\r\nsocket.io#/#r7#\r\n$"));
        assert!(bytes.windows(10).any(|part| part == b"\xa4data\x92\xa1b\xa1x"));
        assert!(bytes.ends_with(b"\xa5flags\x80\xa6except\x90\r\n"));
    }

    #[test]
    fn texts_have_their_length() {
        let of = |len: usize| {
            let mut packet = Vec::new();
            push_text(&mut packet, &"x".repeat(len));
            packet.len() - len
        };
        assert_eq!((of(31), of(32), of(256)), (1, 2, 3));
    }
}
