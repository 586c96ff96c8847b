//! What a server fixes for all of its sessions.

use super::packet::OutMessage;

/// The options of a server that its sessions need; shared by all of them.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "options that are switched one by one")]
pub struct Config {
    /// Milliseconds between a pong and the next ping.
    pub ping_interval: u64,
    /// Milliseconds a client may take to answer a ping, or to be late with one (protocol 3).
    pub ping_timeout: u64,
    /// Milliseconds a probing WebSocket may take to complete the upgrade.
    pub upgrade_timeout: u64,
    /// Bytes of one message or of one POST body (`maxHttpBufferSize`).
    pub max_payload: usize,
    /// Milliseconds that the body of a POST may take (`httpRequestBodyTimeout`).
    pub body_timeout: u64,
    /// Pieces that the body of a POST, or a frame of a WebSocket, may come in (`maxBufferedChunks`).
    /// They are merged as they come: this bounds the work that tiny ones ask for.
    pub max_chunks: u32,
    /// Whether HTTP long-polling is offered.
    pub polling: bool,
    /// Whether WebSocket is offered.
    pub websocket: bool,
    /// Whether WebTransport is offered.
    pub webtransport: bool,
    /// Whether the handshake announces that a polling session may move to WebSocket.
    pub allow_upgrades: bool,
    /// A message that every session gets right behind its handshake.
    pub initial_packet: Option<OutMessage>,
    /// A message that every session of protocol 3 gets there: these clients are in the namespace "/"
    /// without having asked, so they can be told so with the handshake.
    pub greeting: Option<OutMessage>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            ping_interval: 25_000,
            ping_timeout: 20_000,
            upgrade_timeout: 10_000,
            max_payload: 1_000_000,
            body_timeout: 30_000,
            max_chunks: 10_000,
            polling: true,
            websocket: true,
            webtransport: false,
            allow_upgrades: true,
            initial_packet: None,
            greeting: None,
        }
    }
}
