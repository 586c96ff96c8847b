#![no_main]

libfuzzer_sys::fuzz_target!(
    init: ferrosocket_fuzz::seeds::write("session"),
    |bytes: &[u8]| ferrosocket_fuzz::session::session(bytes)
);
