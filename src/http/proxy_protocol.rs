//! The header that a proxy of TCP connections sends first: who has come to it, and where.
//!
//! That is the PROXY protocol, version 1 (a line of text) and version 2 (binary), as the specification has it:
//! <https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt>. Of the TLVs of version 2 none is read.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// What version 1 begins with.
const WORD: &[u8] = b"PROXY ";
/// Bytes of a line of version 1, at most, its end included (§2.1).
const LONGEST_LINE: usize = 107;
/// What version 2 begins with (§2.2).
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// Bytes of version 2 before the addresses.
const FIXED: usize = 16;
/// Bytes of a header, at most: certificates and the like may stand in the TLVs, and more than that is no header of a proxy.
pub const LONGEST: usize = 4096;

/// What the first bytes of a connection are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preface {
    /// The header is not complete.
    Partial,
    /// No such header: the connection is to be closed.
    Invalid,
    /// A header.
    Complete {
        /// Its bytes.
        length: usize,
        /// Who has come to the proxy; none: it does not say, and the addresses of the connection count.
        told: Option<Told>,
    },
}

/// The addresses that a proxy tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// Who has come to it.
    pub source: SocketAddr,
    /// Where.
    pub destination: SocketAddr,
}

/// Reads the header at the beginning of `bytes`.
pub fn read(bytes: &[u8]) -> Preface {
    if begins(bytes, SIGNATURE) {
        read_binary(bytes)
    } else if begins(bytes, WORD) {
        read_line(bytes)
    } else {
        Preface::Invalid
    }
}

/// Whether bytes begin so, as far as they go.
fn begins(bytes: &[u8], with: &[u8]) -> bool {
    let n = bytes.len().min(with.len());
    bytes[..n] == with[..n]
}

fn read_line(bytes: &[u8]) -> Preface {
    let seen = &bytes[..bytes.len().min(LONGEST_LINE)];
    let Some(end) = memchr::memchr(b'\n', seen) else {
        return if seen.len() < LONGEST_LINE { Preface::Partial } else { Preface::Invalid };
    };
    let length = end + 1;
    let line = seen[..end].strip_suffix(b"\r").and_then(|line| std::str::from_utf8(line).ok());
    match line.and_then(|line| line.strip_prefix("PROXY ")) {
        // §2.1: the receiver must ignore anything presented before the CRLF
        Some(rest) if rest.split(' ').next() == Some("UNKNOWN") => {
            Preface::Complete { length, told: None }
        }
        Some(rest) => match read_words(rest) {
            told @ Some(_) => Preface::Complete { length, told },
            None => Preface::Invalid,
        },
        None => Preface::Invalid,
    }
}

/// Reads what stands in a line of version 1.
fn read_words(line: &str) -> Option<Told> {
    let mut words = line.split(' ');
    let is_four = match words.next()? {
        "TCP4" => true,
        "TCP6" => false,
        _ => return None,
    };
    let mut address = || {
        let address: IpAddr = words.next()?.parse().ok()?;
        (address.is_ipv4() == is_four).then_some(address)
    };
    let (source, destination) = (address()?, address()?);
    let mut port = || read_port(words.next()?);
    let (source_port, destination_port) = (port()?, port()?);
    words.next().is_none().then(|| Told {
        source: SocketAddr::new(source, source_port),
        destination: SocketAddr::new(destination, destination_port),
    })
}

/// §2.1: a decimal number without leading zeroes.
fn read_port(text: &str) -> Option<u16> {
    let is_plain =
        text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| is_plain)
}

fn read_binary(bytes: &[u8]) -> Preface {
    let Some((fixed, rest)) = bytes.split_first_chunk::<FIXED>() else { return Preface::Partial };
    let [.., command, family, high, low] = *fixed;
    let size = usize::from(u16::from_be_bytes([high, low]));
    let length = FIXED + size;
    let is_local = command == 0x20;
    // §2.2: any other version, command, family or protocol must be rejected; of LOCAL, all behind the command is ignored, the family
    // included
    let is_known = is_local || command == 0x21 && family >> 4 <= 3 && family & 0xf <= 2;
    // A stream over IPv4 or IPv6; of all else the addresses mean nothing here.
    let needed = match family {
        0x11 if !is_local => 12,
        0x21 if !is_local => 36,
        _ => 0,
    };
    if !is_known || length > LONGEST || size < needed {
        return Preface::Invalid;
    }
    let Some(addresses) = rest.get(..size) else { return Preface::Partial };
    let told = match needed {
        12 => read_ends::<4>(addresses, |bytes| Ipv4Addr::from(bytes).into()),
        36 => read_ends::<16>(addresses, |bytes| Ipv6Addr::from(bytes).into()),
        _ => None,
    };
    Preface::Complete { length, told }
}

/// Reads two addresses of `N` bytes and their ports.
fn read_ends<const N: usize>(bytes: &[u8], address: impl Fn([u8; N]) -> IpAddr) -> Option<Told> {
    let (source, rest) = bytes.split_first_chunk::<N>()?;
    let (destination, rest) = rest.split_first_chunk::<N>()?;
    let (source_port, rest) = rest.split_first_chunk()?;
    let (destination_port, _) = rest.split_first_chunk()?;
    let end = |of: [u8; N], port| SocketAddr::new(address(of), u16::from_be_bytes(port));
    Some(Told {
        source: end(*source, *source_port),
        destination: end(*destination, *destination_port),
    })
}
