#![no_main]

libfuzzer_sys::fuzz_target!(
    init: ferrosocket_fuzz::seeds::write("forwarded"),
    |bytes: &[u8]| ferrosocket_fuzz::proxies::forwarded(bytes)
);
