#![no_main]

libfuzzer_sys::fuzz_target!(
    init: ferrosocket_fuzz::seeds::write("handshake"),
    |bytes: &[u8]| ferrosocket_fuzz::websocket::handshake(bytes)
);
