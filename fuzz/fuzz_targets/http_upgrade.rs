#![no_main]

libfuzzer_sys::fuzz_target!(
    init: ferrosocket_fuzz::seeds::write("http_upgrade"),
    |bytes: &[u8]| ferrosocket_fuzz::http::upgrade(bytes)
);
