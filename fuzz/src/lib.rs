//! One function for each decoder: it takes any bytes and panics when what must hold does not.
//!
//! `fuzz_targets/` hands them to libFuzzer; `tests/fuzz_corpus.rs` of the crate runs them on the
//! [`seeds`], on what fuzzing has found before, and on random bytes, with nothing but `cargo test`.

pub mod engineio;
pub mod handover;
pub mod http;
mod input;
pub mod proxies;
pub mod redis;
pub mod seeds;
pub mod session;
pub mod socketio;
pub mod websocket;
pub mod world;

/// A function to be fuzzed.
pub type Target = fn(&[u8]);

/// All of them by name, which is that of their binary, too.
pub const TARGETS: [(&str, Target); 17] = [
    ("websocket", websocket::plain),
    ("websocket_deflate", websocket::deflated),
    ("deflate_round_trip", websocket::round_trip),
    ("handshake", websocket::handshake),
    ("extension", websocket::extension),
    ("http_request", http::request),
    ("http_upgrade", http::upgrade),
    ("forwarded", proxies::forwarded),
    ("proxy_protocol", proxies::proxy_protocol),
    ("payload", engineio::payload),
    ("payload_v3", engineio::payload_v3),
    ("session", session::session),
    ("handover", handover::stream),
    ("redis_message", redis::message),
    ("redis_frames", redis::frames),
    ("socketio_packet", socketio::packet),
    ("socketio_decoder", socketio::decoder),
];
