//! Where a request comes from that proxies have passed on: the client's address, by a header and by whom we trust.
//!
//! ```text
//!   client ──► proxy B ──► proxy A ──► us        X-Forwarded-For: <what the client says>, client, B
//!                                                                     nobody's word ┘        │  └ A's word
//!                                                                                            └ B's word
//! ```
//!
//! Each proxy appends whom it has been asked by. So the header is read from its end: A is at the other end of the
//! connection, and if A is trusted, what it says is believed; if what it names is trusted, too, what stands before, and so
//! on. The first one that is not trusted is the client. Nothing that stands to the left has any influence on how the right
//! is read, so a client may write what it likes.
//!
//! What is no address (`unknown`, a name, damage) ends that: the client is then the nearest one that is known.

use std::net::{IpAddr, Ipv6Addr};

/// That of RFC 7239, whose elements have parameters.
const STANDARD: &str = "forwarded";
/// Bits of an IPv6 address that stand before an IPv4 address which is written as one.
const MAPPED_BITS: u8 = 96;

/// Whose word about where a request comes from is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustProxy {
    /// Who is trusted.
    pub proxies: Proxies,
    /// The header that they write, in lower case. Only one is read: a proxy passes on what it does not know, and that
    /// would be the client's word.
    pub header: Box<str>,
}

/// Who is trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proxies {
    /// So many, counted from here; [`u32::MAX`]: all of them.
    Hops(u32),
    /// Those in these networks.
    In {
        /// The networks.
        networks: Box<[Network]>,
        /// Whether who comes by a Unix socket, which has no address, is one, too.
        unix: bool,
    },
}

/// A network: addresses that begin alike. An IPv4 address is in the networks of IPv6 that it is written in as `::ffff:a.b.c.d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    first: u128,
    mask: u128,
}

impl Network {
    /// Reads an address, or one with the number of the bits that count: `10.0.0.0/8`. None: it is neither.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let (before, longest) = if address.is_ipv4() { (MAPPED_BITS, 32) } else { (0, 128) };
        let bits = match bits {
            None => longest,
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                digits.parse().ok().filter(|bits| *bits <= longest)?
            }
            Some(_) => return None,
        };
        let mask = u128::MAX.checked_shl(u32::from(128 - before - bits)).unwrap_or_default();
        Some(Self { first: number_of(address) & mask, mask })
    }

    /// Whether an address is in it.
    pub fn contains(&self, address: IpAddr) -> bool {
        number_of(address) & self.mask == self.first
    }
}

/// An address as one of IPv6.
fn number_of(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

impl TrustProxy {
    /// The address of the client. None: that of the peer, which nobody trusted has said anything else about.
    ///
    /// `peer`: who is at the other end of the connection; none: somebody by a Unix socket. `fields`: the names and the values
    /// of the headers of the request, a line each.
    pub fn client(&self, peer: Option<IpAddr>, fields: &[u8]) -> Option<IpAddr> {
        if !self.trusts(0, peer) {
            return None;
        }
        let is_standard = &*self.header == STANDARD;
        let mut client = None;
        let mut hop = 1;
        for element in Elements::of(fields, &self.header) {
            let node = if is_standard { node_of(element) } else { Some(element) };
            let Some(address) = node.and_then(read_node) else { break };
            client = Some(address);
            if !self.trusts(hop, client) {
                break;
            }
            hop = hop.saturating_add(1);
        }
        client
    }

    /// Whether the word of a proxy is taken that is so many hops away.
    fn trusts(&self, hop: u32, address: Option<IpAddr>) -> bool {
        match &self.proxies {
            Proxies::Hops(count) => hop < *count,
            Proxies::In { networks, unix } => match address {
                None => *unix,
                Some(address) => networks.iter().any(|network| network.contains(address)),
            },
        }
    }
}

/// The elements of a header, which may have been sent in several fields, from the last one to the first.
struct Elements<'a> {
    header: &'a str,
    /// The fields that have not been looked at, without the last of the line ends.
    fields: &'a [u8],
    /// What is left of a field.
    value: Option<&'a [u8]>,
}

impl<'a> Elements<'a> {
    fn of(fields: &'a [u8], header: &'a str) -> Self {
        Self { header, fields, value: None }
    }

    /// Takes the last line of the fields.
    fn pop_line(&mut self) -> &'a [u8] {
        let at = memchr::memrchr(b'\n', self.fields);
        let (left, line) =
            at.map_or((&[][..], self.fields), |at| (&self.fields[..at], &self.fields[at + 1..]));
        self.fields = left;
        line
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        while self.value.is_none() {
            if self.fields.is_empty() {
                return None;
            }
            let value = self.pop_line();
            let name = self.pop_line();
            self.value = name.eq_ignore_ascii_case(self.header.as_bytes()).then_some(value);
        }
        let value = self.value.take()?;
        let Some(comma) = memchr::memrchr(b',', value) else { return Some(value.trim_ascii()) };
        self.value = Some(&value[..comma]);
        Some(value[comma + 1..].trim_ascii())
    }
}

/// The parameter `for` of an element of `Forwarded` (RFC 7239 §4).
///
/// A comma in a quoted string is taken for the end of an element here: no proxy writes such a string there, and a client that
/// begins one must not reach the elements behind it.
fn node_of(element: &[u8]) -> Option<&[u8]> {
    let mut node = None;
    for pair in element.split(|&byte| byte == b';') {
        if pair.trim_ascii().is_empty() {
            continue; // RFC 7239 §4: a pair may be left out
        }
        let at = memchr::memchr(b'=', pair)?;
        let (name, value) = (pair[..at].trim_ascii(), pair[at + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"for") && node.replace(unquoted(value)?).is_some() {
            return None; // RFC 7239 §4: each parameter at most once
        }
    }
    node
}

/// A token, or what stands between quotes, if that is written as it is.
fn unquoted(value: &[u8]) -> Option<&[u8]> {
    let text = value.strip_prefix(b"\"").map_or(Some(value), |rest| rest.strip_suffix(b"\""))?;
    memchr::memchr2(b'"', b'\\', text).is_none().then_some(text)
}

/// The address of a node, which may have a port.
fn read_node(node: &[u8]) -> Option<IpAddr> {
    let node = std::str::from_utf8(node).ok()?;
    if let Some(rest) = node.strip_prefix('[') {
        let (address, port) = rest.split_once(']')?;
        let is_port = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
        let address: Ipv6Addr = address.parse().ok().filter(|_| is_port)?;
        return Some(IpAddr::V6(address).to_canonical());
    }
    let (address, port) = match node.split_once(':') {
        Some((address, port)) if !port.contains(':') => (address, Some(port)),
        Some(_) | None => (node, None), // an IPv6 address without brackets has no port
    };
    if !port.is_none_or(is_port) {
        return None;
    }
    Some(address.parse::<IpAddr>().ok()?.to_canonical())
}

/// A port of RFC 7239 §6: a number, or a name that begins with `_`.
fn is_port(port: &str) -> bool {
    let is_number = (1..=5).contains(&port.len()) && port.bytes().all(|it| it.is_ascii_digit());
    is_number || port.starts_with('_')
}
