#![no_main]

libfuzzer_sys::fuzz_target!(
    init: ferrosocket_fuzz::seeds::write("websocket_deflate"),
    |bytes: &[u8]| ferrosocket_fuzz::websocket::deflated(bytes)
);
