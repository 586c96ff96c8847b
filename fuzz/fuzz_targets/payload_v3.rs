#![no_main]

libfuzzer_sys::fuzz_target!(
    init: ferrosocket_fuzz::seeds::write("payload_v3"),
    |bytes: &[u8]| ferrosocket_fuzz::engineio::payload_v3(bytes)
);
