//! The readers of what proxies tell of where requests come from.

use std::net::{IpAddr, Ipv4Addr};

use ferrosocket::http::forwarded::{Network, Proxies, TrustProxy};
use ferrosocket::http::proxy_protocol::{LONGEST, Preface, read};

const PROXY: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));

/// What a client sends has no influence on how that is read which a proxy has appended.
pub fn forwarded(bytes: &[u8]) {
    let Some(network) = Network::parse("10.0.0.0/8") else { return };
    for (header, element) in [("x-forwarded-for", "192.0.2.1"), ("forwarded", "for=192.0.2.1")] {
        for proxies in
            [Proxies::Hops(u32::MAX), Proxies::In { networks: [network].into(), unix: false }]
        {
            let is_strict = proxies != Proxies::Hops(u32::MAX);
            let trust = TrustProxy { proxies, header: header.into() };
            let _any = trust.client(Some(PROXY), bytes);
            assert_eq!(trust.client(Some(IpAddr::V4(Ipv4Addr::LOCALHOST)), bytes).is_some(), {
                !is_strict && trust.client(Some(PROXY), bytes).is_some()
            });
            if is_strict && !bytes.contains(&b'\n') {
                let mut fields = format!("{header}\n").into_bytes();
                fields.extend(bytes);
                fields.extend(
                    format!(", {element}, {}", element.replace("192.0.2.1", "10.1.1.1")).bytes(),
                );
                let client = trust.client(Some(PROXY), &fields);
                assert_eq!(client, Some(Ipv4Addr::new(192, 0, 2, 1).into()));
            }
        }
    }
}

/// A header lies within what came, is read the same whatever comes behind it, and each beginning of it is partial.
pub fn proxy_protocol(bytes: &[u8]) {
    let Preface::Complete { length, told } = read(bytes) else { return };
    assert!(length <= bytes.len() && length <= LONGEST);
    assert!(told.is_none_or(|told| told.source.is_ipv4() == told.destination.is_ipv4()));
    let header = &bytes[..length];
    assert_eq!(read(header), Preface::Complete { length, told });
    for end in 0..length {
        assert_eq!(read(&header[..end]), Preface::Partial, "the first {end} bytes");
    }
}
