//! A server's options as they cross the border.

use napi::Either;
use napi::bindgen_prelude::Buffer;
use napi_derive::napi;

use crate::engineio::{Config, OutMessage};

/// What the data plane has to know of a server. Times are milliseconds, sizes bytes; `JavaScript`
/// fills in upstream's defaults.
#[napi(object)]
pub struct ServerConfig {
    /// Time between two pings of the server.
    pub ping_interval: f64,
    /// Time that the client has to answer one.
    pub ping_timeout: f64,
    /// Time that an upgrade may take.
    pub upgrade_timeout: f64,
    /// Time that a client has to join a namespace.
    pub connect_timeout: f64,
    /// Largest message or request body.
    pub max_http_buffer_size: f64,
    /// Whether HTTP long-polling is offered.
    pub polling: bool,
    /// Whether WebSocket is offered.
    pub websocket: bool,
    /// Whether a polling session may become a WebSocket one.
    pub allow_upgrades: bool,
    /// Whether messages go up as they come, undecoded: JavaScript has a parser of its own.
    pub raw_messages: Option<bool>,
    /// A message that every client gets right after the handshake.
    pub initial_packet: Option<Either<String, Buffer>>,
}

impl std::fmt::Debug for ServerConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerConfig")
            .field("ping_interval", &self.ping_interval)
            .field("ping_timeout", &self.ping_timeout)
            .finish_non_exhaustive()
    }
}

impl ServerConfig {
    /// The options of the Engine.IO sessions.
    pub fn engine(&self) -> Config {
        Config {
            ping_interval: millis(self.ping_interval),
            ping_timeout: millis(self.ping_timeout),
            upgrade_timeout: millis(self.upgrade_timeout),
            max_payload: usize::try_from(millis(self.max_http_buffer_size)).unwrap_or(usize::MAX),
            polling: self.polling,
            websocket: self.websocket,
            allow_upgrades: self.allow_upgrades,
            initial_packet: self.initial_packet.as_ref().map(|packet| {
                let (data, binary) = match packet {
                    Either::A(text) => (text.clone().into_bytes(), false),
                    Either::B(buffer) => (buffer.to_vec(), true),
                };
                OutMessage { data: data.into(), binary, compress: true }
            }),
        }
    }

    /// Milliseconds that a client has to join a namespace.
    pub fn connect_timeout(&self) -> u64 {
        millis(self.connect_timeout)
    }
}

/// A number of JavaScript as a whole number: negative and NaN are 0, infinite is a year and more.
fn millis(value: f64) -> u64 {
    const LONGEST: f64 = 1e12;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to the range of u64"
    )]
    let millis = value.clamp(0.0, LONGEST) as u64;
    millis
}
