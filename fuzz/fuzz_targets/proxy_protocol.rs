#![no_main]

libfuzzer_sys::fuzz_target!(
    init: ferrosocket_fuzz::seeds::write("proxy_protocol"),
    |bytes: &[u8]| ferrosocket_fuzz::proxies::proxy_protocol(bytes)
);
