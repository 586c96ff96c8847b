#![no_main]

libfuzzer_sys::fuzz_target!(
    init: ferrosocket_fuzz::seeds::write("handover"),
    |bytes: &[u8]| ferrosocket_fuzz::handover::stream(bytes)
);
