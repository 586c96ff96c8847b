#![no_main]

libfuzzer_sys::fuzz_target!(
    init: ferrosocket_fuzz::seeds::write("redis_frames"),
    |bytes: &[u8]| ferrosocket_fuzz::redis::frames(bytes)
);
