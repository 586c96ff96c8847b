#![no_main]

libfuzzer_sys::fuzz_target!(
    init: ferrosocket_fuzz::seeds::write("deflate_round_trip"),
    |bytes: &[u8]| ferrosocket_fuzz::websocket::round_trip(bytes)
);
