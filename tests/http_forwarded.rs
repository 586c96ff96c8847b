//! Where a request comes from, as proxies tell: by headers, and by the PROXY protocol.

use std::net::IpAddr;

use ferrosocket::http::forwarded::{Network, Proxies, TrustProxy};
use ferrosocket::http::proxy_protocol::{LONGEST, Preface, Told, read};
use proptest::prelude::*;

fn hops(count: u32) -> TrustProxy {
    TrustProxy { proxies: Proxies::Hops(count), header: "x-forwarded-for".into() }
}

fn within(networks: &[&str]) -> TrustProxy {
    let networks = networks.iter().map(|text| network_of(text)).collect();
    TrustProxy { proxies: Proxies::In { networks, unix: false }, header: "x-forwarded-for".into() }
}

fn network_of(text: &str) -> Network {
    Network::parse(text).expect("a network")
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

/// The client by `trust`, of a request that `10.0.0.1` has passed on with these headers.
fn client(trust: &TrustProxy, fields: &str) -> Option<String> {
    trust.client(Some(ip("10.0.0.1")), fields.as_bytes()).map(|address| address.to_string())
}

fn x_forwarded_for(trust: &TrustProxy, value: &str) -> Option<String> {
    client(trust, &format!("host\nexample.org\nX-Forwarded-For\n{value}\naccept\n*/*"))
}

#[test]
fn nobody_is_trusted_who_is_not_named() {
    assert_eq!(x_forwarded_for(&hops(0), "1.2.3.4"), None);
    assert_eq!(x_forwarded_for(&within(&["192.168.0.0/16"]), "1.2.3.4"), None);
    assert_eq!(x_forwarded_for(&within(&["10.0.0.2"]), "1.2.3.4"), None);
    assert_eq!(hops(0).client(None, b"x-forwarded-for\n1.2.3.4"), None);
    assert_eq!(within(&["0.0.0.0/0", "::/0"]).client(None, b"x-forwarded-for\n1.2.3.4"), None);
}

#[test]
fn hops_are_counted_from_here() {
    let chain = "6.6.6.6, 1.1.1.1, 2.2.2.2";
    for (count, expected) in [(1, "2.2.2.2"), (2, "1.1.1.1"), (3, "6.6.6.6"), (4, "6.6.6.6")] {
        assert_eq!(x_forwarded_for(&hops(count), chain).as_deref(), Some(expected), "{count}");
    }
    assert_eq!(x_forwarded_for(&hops(u32::MAX), chain).as_deref(), Some("6.6.6.6"));
    assert_eq!(client(&hops(1), "host\nexample.org"), None);
}

#[test]
fn the_first_one_from_the_right_that_is_not_trusted_is_the_client() {
    let trust = within(&["10.0.0.0/8", "192.168.0.0/16"]);
    assert_eq!(
        x_forwarded_for(&trust, "6.6.6.6, 7.7.7.7, 192.168.0.9").as_deref(),
        Some("7.7.7.7")
    );
    assert_eq!(x_forwarded_for(&trust, "10.0.0.7, 10.0.0.8").as_deref(), Some("10.0.0.7"));
}

#[test]
fn several_fields_are_one_list() {
    let fields = "x-forwarded-for\n1.1.1.1\nhost\na\nX-FORWARDED-FOR\n2.2.2.2, 3.3.3.3";
    for (count, expected) in [(1, "3.3.3.3"), (2, "2.2.2.2"), (3, "1.1.1.1")] {
        assert_eq!(client(&hops(count), fields).as_deref(), Some(expected), "{count}");
    }
}

#[test]
fn a_value_that_looks_like_a_name_is_none() {
    assert_eq!(client(&hops(1), "host\nx-forwarded-for\n1.2.3.4\nx"), None);
    assert_eq!(client(&hops(1), "a\nx-forwarded-for\nb\n1.2.3.4"), None);
}

#[test]
fn what_is_no_address_ends_the_chain() {
    assert_eq!(x_forwarded_for(&hops(9), "1.1.1.1, unknown, 2.2.2.2").as_deref(), Some("2.2.2.2"));
    for value in
        ["", ",", "unknown", "_hidden", "1.2.3", "1.2.3.4.5", "01.2.3.4", "1.2.3.4:", "1.2.3.4:x"]
    {
        assert_eq!(x_forwarded_for(&hops(9), value), None, "{value}");
    }
    for value in
        ["[::1", "::1]", "[1.2.3.4]", "[::1]80", "[::1]:", "fe80::1%eth0", "1.2.3.4:123456"]
    {
        assert_eq!(x_forwarded_for(&hops(9), value), None, "{value}");
    }
}

#[test]
fn an_address_may_have_a_port() {
    for (value, expected) in [
        ("1.2.3.4:5678", "1.2.3.4"),
        ("[2001:DB8::1]:443", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("2001:db8:0::1", "2001:db8::1"),
        ("::ffff:1.2.3.4", "1.2.3.4"),
        ("\t1.2.3.4 ", "1.2.3.4"),
        ("1.2.3.4:_obscured", "1.2.3.4"),
    ] {
        assert_eq!(x_forwarded_for(&hops(1), value).as_deref(), Some(expected), "{value}");
    }
}

#[test]
fn addresses_of_ipv4_may_be_written_as_those_of_ipv6() {
    let trust = within(&["10.0.0.0/8"]);
    let peer = Some(ip("::ffff:10.0.0.1"));
    assert_eq!(trust.client(peer, b"x-forwarded-for\n1.2.3.4"), Some(ip("1.2.3.4")));
    let fields = b"x-forwarded-for\n1.2.3.4, ::ffff:10.9.9.9";
    assert_eq!(trust.client(peer, fields), Some(ip("1.2.3.4")));
}

#[test]
fn who_comes_by_a_unix_socket_has_no_address_and_may_be_trusted() {
    let proxies = Proxies::In { networks: [].into(), unix: true };
    let trust = TrustProxy { proxies, header: "x-forwarded-for".into() };
    assert_eq!(trust.client(None, b"x-forwarded-for\n1.2.3.4"), Some(ip("1.2.3.4")));
    assert_eq!(trust.client(Some(ip("10.0.0.1")), b"x-forwarded-for\n1.2.3.4"), None);
    assert_eq!(hops(1).client(None, b"x-forwarded-for\n1.2.3.4"), Some(ip("1.2.3.4")));
}

#[test]
fn only_the_header_that_is_named_is_read() {
    let standard = TrustProxy { proxies: Proxies::Hops(1), header: "forwarded".into() };
    assert_eq!(client(&standard, "x-forwarded-for\n1.2.3.4"), None);
    assert_eq!(client(&hops(1), "forwarded\nfor=1.2.3.4"), None);
    let own = TrustProxy { proxies: Proxies::Hops(1), header: "cf-connecting-ip".into() };
    assert_eq!(client(&own, "CF-Connecting-IP\n1.2.3.4").as_deref(), Some("1.2.3.4"));
}

#[test]
fn rfc_7239_4_forwarded() {
    let trust = TrustProxy { proxies: Proxies::Hops(1), header: "forwarded".into() };
    for (value, expected) in [
        ("for=192.0.2.60;proto=http;by=203.0.113.43", Some("192.0.2.60")),
        ("For=\"[2001:db8:cafe::17]:4711\"", Some("2001:db8:cafe::17")),
        ("for=192.0.2.43, FOR=198.51.100.17", Some("198.51.100.17")),
        ("by=203.0.113.43; for = 192.0.2.60", Some("192.0.2.60")),
        ("for=\"192.0.2.60:80\"", Some("192.0.2.60")),
        ("for=_gazonk", None),
        ("for=unknown", None),
        ("proto=https", None),
        ("for=1.1.1.1;for=2.2.2.2", None),
        ("for=\"1.1.1.1", None),
        ("for=\"1.1\\.1.1\"", None),
        ("", None),
        // A client that begins a string reaches nothing behind it.
        ("for=\"6.6.6.6, for=1.2.3.4", Some("1.2.3.4")),
        ("for=\"6.6.6.6, x=\", for=1.2.3.4", Some("1.2.3.4")),
    ] {
        assert_eq!(client(&trust, &format!("forwarded\n{value}")).as_deref(), expected, "{value}");
    }
}

#[test]
fn networks_are_read_strictly() {
    let refused =
        ["", "/", "10.0.0.0/", "10.0.0.0/33", "::/129", "10.0.0/8", "10.0.0.0/+8", "10.0.0.0/8/8"];
    for text in refused {
        assert_eq!(Network::parse(text), None, "{text}");
    }
    for (network, inside, outside) in [
        ("10.0.0.0/8", "10.255.255.255", "11.0.0.0"),
        ("10.1.2.3/8", "10.9.9.9", "9.255.255.255"),
        ("1.2.3.4", "1.2.3.4", "1.2.3.5"),
        ("1.2.3.4/32", "::ffff:1.2.3.4", "::1.2.3.4"),
        ("0.0.0.0/0", "255.255.255.255", "::1"),
        ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::1"),
        ("::1", "::1", "::2"),
    ] {
        let network = network_of(network);
        assert!(network.contains(ip(inside)), "{network:?} {inside}");
        assert!(!network.contains(ip(outside)), "{network:?} {outside}");
    }
    assert!(network_of("::/0").contains(ip("1.2.3.4")));
}

proptest! {
    /// However a client fills the header, what trusted proxies have appended decides.
    #[test]
    fn a_client_can_not_choose_its_address(
        forged in "[ -~]{0,60}",
        fields in prop::collection::vec("[!-~]{1,8}\n[ -~]{0,20}", 0..4),
        standard in any::<bool>(),
    ) {
        let header = if standard { "forwarded" } else { "x-forwarded-for" };
        let proxies = within(&["10.0.0.0/8"]).proxies;
        let trust = TrustProxy { proxies, header: header.into() };
        let each = if standard { "for=" } else { "" };
        let mut all = fields;
        all.push(format!("{header}\n{forged},{each}203.0.113.7,{each}10.0.0.2"));
        let found = trust.client(Some(ip("10.0.0.1")), all.join("\n").as_bytes());
        prop_assert_eq!(found, Some(ip("203.0.113.7")));
    }

    /// Any bytes are read, and the result stands in them.
    #[test]
    fn any_bytes_are_read(fields in prop::collection::vec(any::<u8>(), 0..200), count in 0..9_u32) {
        let _any = hops(count).client(Some(ip("10.0.0.1")), &fields);
    }
}

// --- the PROXY protocol ---------------------------------------------------------------------------

fn told(source: &str, destination: &str) -> Told {
    let end = |text: &str| text.parse().expect("an address and a port");
    Told { source: end(source), destination: end(destination) }
}

/// A header of version 2.
fn binary(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let mut bytes = b"\r\n\r\n\0\r\nQUIT\n".to_vec();
    bytes.extend([command, family]);
    bytes.extend(u16::try_from(rest.len()).expect("a short header").to_be_bytes());
    bytes.extend(rest);
    bytes
}

const FOUR: [u8; 12] = [1, 2, 3, 4, 5, 6, 7, 8, 0x12, 0x34, 0, 80];

#[test]
fn proxy_2_1_the_line_of_version_1() {
    for (line, expected) in [
        (
            "PROXY TCP4 192.168.0.1 192.168.0.11 56324 443",
            Some(told("192.168.0.1:56324", "192.168.0.11:443")),
        ),
        ("PROXY TCP6 2001:db8::1 ::1 65535 0", Some(told("[2001:db8::1]:65535", "[::1]:0"))),
        ("PROXY UNKNOWN", None),
        ("PROXY UNKNOWN ffff:f...f:ffff 65535 65535", None),
    ] {
        let bytes = format!("{line}\r\n");
        let length = bytes.len();
        let expected = Preface::Complete { length, told: expected };
        assert_eq!(read(format!("{bytes}GET / HTTP/1.1\r\n").as_bytes()), expected, "{line}");
        for end in 0..length {
            assert_eq!(read(&bytes.as_bytes()[..end]), Preface::Partial, "{line}, {end}");
        }
    }
    for line in [
        "GET / HTTP/1.1\r\n",
        "PROXY \r\n",
        "PROXY TCP4\r\n",
        "PROXY TCP4 1.2.3.4 5.6.7.8 1\r\n",
        "PROXY TCP4 1.2.3.4 5.6.7.8 1 2 3\r\n",
        "PROXY TCP4  1.2.3.4 5.6.7.8 1 2\r\n",
        "PROXY TCP4 1.2.3.4 5.6.7.8 1 2 \r\n",
        "PROXY TCP4 1.2.3.4 5.6.7.8 01 2\r\n",
        "PROXY TCP4 1.2.3.4 5.6.7.8 +1 2\r\n",
        "PROXY TCP4 1.2.3.4 5.6.7.8 1 65536\r\n",
        "PROXY TCP4 ::1 ::2 1 2\r\n",
        "PROXY TCP6 1.2.3.4 ::2 1 2\r\n",
        "PROXY TCP4 1.2.3.4 5.6.7.8 1 2\n",
        "PROXY UDP4 1.2.3.4 5.6.7.8 1 2\r\n",
        "proxy TCP4 1.2.3.4 5.6.7.8 1 2\r\n",
        "\r\nPROXY UNKNOWN\r\n",
    ] {
        assert_eq!(read(line.as_bytes()), Preface::Invalid, "{line:?}");
    }
    let mut long = format!("PROXY UNKNOWN {}", "x".repeat(91)); // 105 bytes
    assert_eq!(read(long.as_bytes()), Preface::Partial);
    assert_eq!(
        read(format!("{long}\r\n").as_bytes()),
        Preface::Complete { length: 107, told: None }
    );
    long.push('x');
    assert_eq!(read(format!("{long}\r\n").as_bytes()), Preface::Invalid);
    assert_eq!(read(format!("{long}x").as_bytes()), Preface::Invalid);
}

#[test]
fn proxy_2_2_the_header_of_version_2() {
    let six: Vec<u8> = [[1; 16], [2; 16]].concat().into_iter().chain([0, 1, 0, 2]).collect();
    let tlv = [0x20, 0, 3, 1, 2, 3];
    for (bytes, expected) in [
        (binary(0x21, 0x11, &FOUR), Some(told("1.2.3.4:4660", "5.6.7.8:80"))),
        (binary(0x21, 0x11, &[&FOUR[..], &tlv].concat()), Some(told("1.2.3.4:4660", "5.6.7.8:80"))),
        (
            binary(0x21, 0x21, &six),
            Some(told(
                "[101:101:101:101:101:101:101:101]:1",
                "[202:202:202:202:202:202:202:202]:2",
            )),
        ),
        // LOCAL: the proxy itself, for instance to see whether we are there
        (binary(0x20, 0x00, &[]), None),
        (binary(0x20, 0x11, &FOUR), None),
        (binary(0x20, 0x11, &[]), None),
        // whose family and protocol are ignored, whatever they are
        (binary(0x20, 0xff, &[]), None),
        (binary(0x20, 0x43, &[9; 20]), None),
        (binary(0x21, 0x00, &[9; 5]), None),
        // a Unix socket, UDP
        (binary(0x21, 0x31, &[b'x'; 216]), None),
        (binary(0x21, 0x12, &FOUR), None),
    ] {
        let length = bytes.len();
        let expected = Preface::Complete { length, told: expected };
        assert_eq!(read(&[&bytes[..], b"GET /"].concat()), expected, "{bytes:?}");
        for end in 0..length {
            assert_eq!(read(&bytes[..end]), Preface::Partial, "{bytes:?}, {end}");
        }
    }
    for bytes in [
        binary(0x11, 0x11, &FOUR),       // another version
        binary(0x22, 0x11, &FOUR),       // another command
        binary(0x21, 0x41, &FOUR),       // another family
        binary(0x21, 0x13, &FOUR),       // another protocol
        binary(0x21, 0x11, &FOUR[..11]), // too short for its addresses
        binary(0x21, 0x21, &FOUR),
        binary(0x21, 0x11, &[0; LONGEST - 15]),
        b"\r\n\r\n\0\r\nQUIT\r".to_vec(),
    ] {
        assert_eq!(read(&bytes), Preface::Invalid, "{:?}", &bytes[..16.min(bytes.len())]);
    }
    let longest = binary(0x21, 0x11, &[0; LONGEST - 16]);
    assert!(matches!(read(&longest), Preface::Complete { length: LONGEST, told: Some(_) }));
}
