#![no_main]

libfuzzer_sys::fuzz_target!(
    init: ferrosocket_fuzz::seeds::write("http_request"),
    |bytes: &[u8]| ferrosocket_fuzz::http::request(bytes)
);
