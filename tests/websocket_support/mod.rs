//! The client's side of a WebSocket, written apart from the code under test.

use std::ops::ControlFlow;

use ferrosocket::websocket::{Incoming, Reader, Violation};

/// What a reader delivered, owned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Message {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>),
}

impl From<Incoming<'_>> for Message {
    fn from(incoming: Incoming<'_>) -> Self {
        match incoming {
            Incoming::Text(text) => Self::Text(text.to_owned()),
            Incoming::Binary(data) => Self::Binary(data.into_owned()),
            Incoming::Ping(data) => Self::Ping(data.to_vec()),
            Incoming::Pong(data) => Self::Pong(data.to_vec()),
            Incoming::Close(code) => Self::Close(code),
        }
    }
}

/// A masked frame; `first` is its first byte: FIN, RSV1-3 and the opcode.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let key = [0x37, 0xfa, 0x21, 0x3d];
    let mut bytes = vec![first];
    match payload.len() {
        len @ 0..=125 => bytes.push(0x80 | u8::try_from(len).expect("the length is 125 at most")),
        len @ 126..=0xffff => {
            bytes.push(0xfe);
            bytes.extend(u16::try_from(len).expect("the length is 65,535 at most").to_be_bytes());
        }
        len => {
            bytes.push(0xff);
            bytes.extend((len as u64).to_be_bytes());
        }
    }
    bytes.extend(key);
    bytes.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

/// Feeds `bytes` in one go; what came out, and how it ended.
pub(crate) fn feed(reader: &mut Reader, bytes: &[u8]) -> (Vec<Message>, Result<(), Violation>) {
    let mut messages = Vec::new();
    let result = reader.handle_bytes(&mut bytes.to_vec(), |incoming| {
        messages.push(incoming.into());
        ControlFlow::Continue(())
    });
    (messages, result)
}
