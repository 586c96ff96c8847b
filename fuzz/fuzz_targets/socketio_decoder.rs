#![no_main]

libfuzzer_sys::fuzz_target!(
    init: ferrosocket_fuzz::seeds::write("socketio_decoder"),
    |bytes: &[u8]| ferrosocket_fuzz::socketio::decoder(bytes)
);
