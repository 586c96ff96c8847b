//! The opening handshake (RFC 6455, section 4.2): is the request acceptable, what is the answer.
//!
//! The caller has parsed the HTTP. A header that occurs more than once comes joined with `", "`.

use std::collections::BTreeSet;

use tungstenite::handshake::derive_accept_key;

/// The parts of an upgrade request that the handshake looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// The HTTP method.
    pub method: &'a str,
    /// `Upgrade`.
    pub upgrade: Option<&'a str>,
    /// `Sec-WebSocket-Key`.
    pub key: Option<&'a str>,
    /// `Sec-WebSocket-Version`.
    pub version: Option<&'a str>,
    /// `Sec-WebSocket-Protocol`.
    pub protocol: Option<&'a str>,
}

/// Why an upgrade request is refused; `Display` gives the body of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[error("{}", self.message())]
pub enum Reject {
    /// The method is not `GET`.
    Method,
    /// `Upgrade` is missing or names something else.
    Upgrade,
    /// `Sec-WebSocket-Key` is missing or is not 16 bytes in base64.
    Key,
    /// `Sec-WebSocket-Version` is missing or is neither 13 nor 8.
    Version,
    /// `Sec-WebSocket-Protocol` is not a list of different tokens.
    Protocol,
}

impl Reject {
    /// The HTTP status: 405 for the method, else 400.
    pub const fn status(self) -> u16 {
        match self {
            Self::Method => 405,
            Self::Upgrade | Self::Key | Self::Version | Self::Protocol => 400,
        }
    }

    /// The body of the answer.
    pub const fn message(self) -> &'static str {
        match self {
            Self::Method => "Invalid HTTP method",
            Self::Upgrade => "Invalid Upgrade header",
            Self::Key => "Missing or invalid Sec-WebSocket-Key header",
            Self::Version => "Missing or invalid Sec-WebSocket-Version header",
            Self::Protocol => "Invalid Sec-WebSocket-Protocol header",
        }
    }

    /// Headers of the answer beyond the usual ones, each with its `\r\n`.
    ///
    /// To a version that it does not speak the server answers with "a \|Sec-WebSocket-Version\|
    /// header field indicating the version(s) the server is capable of understanding" (section
    /// 4.2.2).
    pub const fn extra_headers(self) -> &'static str {
        match self {
            Self::Version => "Sec-WebSocket-Version: 13, 8\r\n",
            Self::Method | Self::Upgrade | Self::Key | Self::Protocol => "",
        }
    }

    /// Appends the whole HTTP answer; the connection is to be closed after it.
    pub fn write_response(self, out: &mut Vec<u8>) {
        let status = match self {
            Self::Method => "405 Method Not Allowed",
            Self::Upgrade | Self::Key | Self::Version | Self::Protocol => "400 Bad Request",
        };
        let message = self.message();
        let length = message.len().to_string();
        for part in [
            "HTTP/1.1 ",
            status,
            "\r\nConnection: close\r\nContent-Type: text/html\r\nContent-Length: ",
            &length,
            "\r\n",
            self.extra_headers(),
            "\r\n",
            message,
        ] {
            out.extend_from_slice(part.as_bytes());
        }
    }
}

/// An acceptable request: what its answer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accept {
    key: String,
    protocol: Option<String>,
}

impl Accept {
    /// The answer to a request that is known to be acceptable and to name no subprotocol.
    /// `key`: its `Sec-WebSocket-Key`.
    pub fn of_key(key: &str) -> Self {
        Self { key: derive_accept_key(key.as_bytes()), protocol: None }
    }

    /// The subprotocol chosen: the first that the client offers, as `ws` does when not told
    /// otherwise.
    pub fn protocol(&self) -> Option<&str> {
        self.protocol.as_deref()
    }

    /// Appends the `101` answer, headers in the order of `ws`.
    ///
    /// `extra_headers` are complete lines, each with its `\r\n`; the caller answers for them.
    pub fn write_response(&self, out: &mut Vec<u8>, extra_headers: &str) {
        let mut push = |part: &str| out.extend_from_slice(part.as_bytes());
        push("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n");
        push("Sec-WebSocket-Accept: ");
        push(&self.key);
        push("\r\n");
        if let Some(protocol) = &self.protocol {
            push("Sec-WebSocket-Protocol: ");
            push(protocol);
            push("\r\n");
        }
        push(extra_headers);
        push("\r\n");
    }
}

/// Checks an upgrade request, in the order of `ws`.
///
/// # Errors
/// The first thing that is wrong with it.
pub fn check(request: &Request<'_>) -> Result<Accept, Reject> {
    if request.method != "GET" {
        return Err(Reject::Method);
    }
    if !request.upgrade.is_some_and(|name| name.eq_ignore_ascii_case("websocket")) {
        return Err(Reject::Upgrade);
    }
    let key = request.key.filter(|key| is_key(key)).ok_or(Reject::Key)?;
    // `ws` takes anything that JavaScript turns into 13 or 8, "0xd" too; the two spellings of the
    // protocol are enough.
    if !matches!(request.version.map(str::trim), Some("13" | "8")) {
        return Err(Reject::Version);
    }
    let protocol = match request.protocol {
        Some(offer) => Some(first_protocol(offer).ok_or(Reject::Protocol)?.to_owned()),
        None => None,
    };
    Ok(Accept { key: derive_accept_key(key.as_bytes()), protocol })
}

/// Whether `key` looks like 16 bytes in base64.
fn is_key(key: &str) -> bool {
    key.strip_suffix("==").is_some_and(|digits| {
        digits.len() == 22
            && digits.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/'))
    })
}

/// The first of a list of subprotocols; `None` if one is no token, empty or there twice.
///
/// One walk over each element: no pattern that could go back and forth over a run of spaces.
fn first_protocol(offer: &str) -> Option<&str> {
    let mut seen = BTreeSet::new();
    let mut first = None;
    for element in offer.split(',') {
        let name = element.trim_matches([' ', '\t']);
        if name.is_empty() || !name.bytes().all(is_token_byte) || !seen.insert(name) {
            return None;
        }
        first = first.or(Some(name));
    }
    first
}

/// Whether `byte` may stand in a token (RFC 9110, section 5.6.2).
pub(super) const fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~'
        )
}
