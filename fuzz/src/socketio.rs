//! The decoders of the Socket.IO floor.

use ferrosocket::socketio::packet::decode_with;
use ferrosocket::socketio::{AttachmentLimits, Decoded, Decoder, Packet, PacketType};
use serde_json::Value;

use super::input::Input;

const LIMITS: AttachmentLimits = AttachmentLimits { max_attachments: 3, max_attachment_bytes: 300 };

/// Names that are not for clients to emit.
const RESERVED: [&str; 6] =
    ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"];

/// A packet that is accepted says what its text says, and its payload is what JavaScript will take.
pub fn packet(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(packet) = decode_with(text, &LIMITS) else { return };
    check(&packet);
    let written = write(&packet);
    assert_eq!(decode_with(&written, &LIMITS), Ok(packet), "{text:?} is read as {written:?}");
}

fn write(packet: &Packet<'_>) -> String {
    let attachments =
        if packet.kind.is_binary() { format!("{}-", packet.attachments) } else { String::new() };
    let namespace = match packet.namespace {
        "/" => String::new(),
        name => format!("{name},"),
    };
    let [id, payload] = [packet.id, packet.payload].map(Option::unwrap_or_default);
    format!("{}{attachments}{namespace}{id}{payload}", packet.kind as u8)
}

fn check(packet: &Packet<'_>) {
    assert!(packet.namespace.starts_with('/') && !packet.namespace.contains(','));
    assert!(packet.attachments <= LIMITS.max_attachments);
    assert_eq!(packet.attachments > 0, packet.kind.is_binary());
    let id = packet.id.unwrap_or("0");
    assert!(id.bytes().all(|digit| digit.is_ascii_digit()) && (id == "0" || !id.starts_with('0')));
    let Some(payload) = packet.payload else { return };
    // Lone surrogates and numbers beyond a double are JSON to JavaScript and not to this reader.
    let Ok(value) = value(payload) else { return };
    let fits = match packet.kind {
        PacketType::Connect => value.is_object(),
        PacketType::Disconnect => false,
        PacketType::ConnectError => value.is_object() || value.is_string(),
        PacketType::Ack | PacketType::BinaryAck => value.is_array(),
        PacketType::Event | PacketType::BinaryEvent => match value.get(0) {
            Some(Value::String(name)) => !RESERVED.contains(&name.as_str()),
            first => first.is_some_and(Value::is_number),
        },
    };
    assert!(fits, "{:?} {payload}", packet.kind);
}

/// Reads JSON as a tree, to the depth that its recursion bears.
fn value(text: &str) -> serde_json::Result<Value> {
    serde_json::from_str(text)
}

/// Packets and attachments in any order stay within their limits.
///
/// Steps: a byte that says which, then what it needs.
pub fn decoder(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let mut decoder = Decoder::new();
    let mut now = 0;
    let mut held = 0;
    while !input.is_empty() {
        let step = input.byte();
        let ended = match step % 5 {
            0 => {
                let text = input.text();
                held = 0;
                match decoder.handle_text(now, &LIMITS, &text) {
                    Ok(Decoded::Packet(packet)) => {
                        assert!(!packet.kind.is_binary() && !decoder.is_pending());
                        check(&packet);
                        false
                    }
                    Ok(Decoded::Pending) => {
                        assert!(decoder.is_pending());
                        false
                    }
                    Err(_) => true,
                }
            }
            1 | 2 => {
                let data = input.piece();
                held += data.len();
                match decoder.handle_binary(now, data) {
                    Ok(Some(whole)) => {
                        assert!(!whole.kind.is_binary() && !decoder.is_pending());
                        let sizes = whole.attachments.iter().map(Vec::len);
                        assert_eq!(sizes.sum::<usize>(), held);
                        assert!(whole.attachments.len() <= LIMITS.max_attachments as usize);
                        assert!(held <= LIMITS.max_attachment_bytes);
                        false
                    }
                    Ok(None) => {
                        assert!(decoder.is_pending() && held <= LIMITS.max_attachment_bytes);
                        false
                    }
                    Err(_) => true,
                }
            }
            3 => {
                decoder.handle_progress(now);
                false
            }
            _ => {
                now += u64::from(input.byte()) * 100;
                decoder.handle_timeout(now).is_err()
            }
        };
        assert_eq!(decoder.poll_timeout().is_some(), decoder.is_pending());
        if ended {
            assert!(!decoder.is_pending(), "something is held after an error");
            return;
        }
    }
}
