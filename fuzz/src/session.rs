//! The machine of a session.

use ferrosocket::engineio::{Dialect, Protocol, Transport};

use super::input::Input;
use super::world::{Event, World};

/// Bytes of the largest payload: small, so that a fuzzer goes beyond.
const MAX_PAYLOAD: usize = 100;

/// Whatever happens, [`World`] checks.
///
/// First byte: how the client speaks; then events, a byte that says which and what it needs.
pub fn session(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let flags = input.byte();
    let transport = if flags & 1 == 0 { Transport::Polling } else { Transport::WebSocket };
    let protocol = if flags & 2 == 0 { Protocol::V4 } else { Protocol::V3 };
    let mut world =
        World::new(transport, Dialect { protocol, base64: flags & 4 != 0 }, MAX_PAYLOAD);
    if flags & 8 != 0 {
        world.set_jsonp();
    }
    while !input.is_empty() {
        world.apply(event(&mut input));
    }
    world.finish();
}

fn event(input: &mut Input<'_>) -> Event {
    let kind = input.byte();
    let flag = kind & 0x80 != 0;
    match kind & 0x7f {
        b'g' => Event::Get,
        b'p' => Event::PostStart,
        b'b' => Event::PostBody(input.piece().to_vec(), flag),
        b'l' => Event::PostTooLarge,
        b'i' => Event::PostInvalidContent,
        b'r' => Event::RequestClosed(input.byte().into()),
        b'B' => Event::Binary(flag, input.piece().to_vec()),
        b'o' => Event::ProbeOpened,
        b'c' => Event::LinkClosed(flag),
        b'e' => Event::LinkError(flag),
        b'm' => Event::Buffer(flag),
        b'f' => Event::Flush,
        b'x' => Event::Close(flag),
        b'd' => Event::Defer,
        b't' => Event::Pass(u64::from(input.byte()) * 100),
        b'T' => Event::Timeout,
        _ => Event::Frame(flag, input.text()),
    }
}
