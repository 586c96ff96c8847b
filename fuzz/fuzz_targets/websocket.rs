#![no_main]

libfuzzer_sys::fuzz_target!(
    init: ferrosocket_fuzz::seeds::write("websocket"),
    |bytes: &[u8]| ferrosocket_fuzz::websocket::plain(bytes)
);
