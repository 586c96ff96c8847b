//! `Sec-WebSocket-Extensions` (RFC 6455, section 9.1): agreeing on permessage-deflate (RFC 7692).
//!
//! ```text
//! extension-list = extension *( "," extension )
//! extension      = token *( ";" token [ "=" ( token / quoted token ) ] )
//! ```
//! One walk over the header, a step forward per byte: no run of blanks or quotes is looked at
//! twice. A header that breaks the grammar, or an offer with parameters that the RFC does not
//! have, refuses the whole request, as `ws` does.

use std::fmt::Write as _;

use super::handshake::is_token_byte;

/// The name of the only extension that is known here.
const NAME: &str = "permessage-deflate";

/// The smallest window that can be agreed on, in bits.
pub const MIN_WINDOW_BITS: u8 = 8;
/// The largest window, and the one that counts when nothing is said, in bits.
pub const MAX_WINDOW_BITS: u8 = 15;

/// What the server says to a window size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WindowBits {
    /// Whatever the client offers.
    #[default]
    Any,
    /// No limit is accepted.
    Refused,
    /// Exactly so many bits, 8 to 15.
    Exactly(u8),
}

/// The server's side of the negotiation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Whether the server starts each message with an empty window; `Some(false)` turns down an
    /// offer that asks for it.
    pub server_no_context_takeover: Option<bool>,
    /// Whether the client has to.
    pub client_no_context_takeover: bool,
    /// The window of the server's messages.
    pub server_max_window_bits: WindowBits,
    /// The window of the client's messages.
    pub client_max_window_bits: WindowBits,
}

/// What both sides keep to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agreement {
    /// The server starts each message with an empty window.
    pub server_no_context_takeover: bool,
    /// The client starts each message with an empty window.
    pub client_no_context_takeover: bool,
    /// The window of the server's messages, 8 to 15 bits.
    pub server_window_bits: u8,
    /// The window of the client's messages, 8 to 15 bits.
    pub client_window_bits: u8,
}

/// The header can't be read, or nothing in it can be accepted; `Display` gives the body of the
/// answer, whose status is 400.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Invalid or unacceptable Sec-WebSocket-Extensions header")]
pub struct Unacceptable;

impl Agreement {
    /// The agreement as a number that is not zero; see [`Agreement::from_bits`].
    ///
    /// Bits 0-3 and 4-7 are the windows of server and client, bits 8 and 9 say that server and
    /// client start with an empty window.
    pub fn to_bits(self) -> u32 {
        u32::from(self.server_window_bits)
            | u32::from(self.client_window_bits) << 4
            | u32::from(self.server_no_context_takeover) << 8
            | u32::from(self.client_no_context_takeover) << 9
    }

    /// The agreement that [`Agreement::to_bits`] gave; `None` for any other number, such as zero.
    pub fn from_bits(bits: u32) -> Option<Self> {
        let [low, flags, 0, 0] = bits.to_le_bytes() else { return None };
        let window = |bits: u8| (MIN_WINDOW_BITS..=MAX_WINDOW_BITS).contains(&bits).then_some(bits);
        Some(Self {
            server_no_context_takeover: flags & 1 != 0,
            client_no_context_takeover: flags & 2 != 0,
            server_window_bits: window(low & 0xf)?,
            client_window_bits: window(low >> 4)?,
        })
    }
}

/// The answer to the offers in `header`, and its value for the header of the response; `None` when
/// permessage-deflate is not offered.
///
/// # Errors
/// When the header or an offer is malformed, and when no offer fits the settings.
pub fn negotiate(
    header: &str,
    settings: Settings,
) -> Result<Option<(Agreement, String)>, Unacceptable> {
    let offers = parse(header)?;
    if offers.is_empty() {
        return Ok(None);
    }
    let mut offer = offers.into_iter().find(|offer| offer.suits(settings)).ok_or(Unacceptable)?;
    offer.answer(settings);
    Ok(Some((offer.agreement(), offer.value())))
}

/// One of the four parameters of permessage-deflate (RFC 7692, section 7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Parameter {
    ServerNoContextTakeover,
    ClientNoContextTakeover,
    ServerMaxWindowBits(u8),
    /// Without a value, which an offer may do: the client can keep to any.
    ClientMaxWindowBits(Option<u8>),
}

impl Parameter {
    fn read(name: &str, value: Option<&str>) -> Result<Self, Unacceptable> {
        match (name, value) {
            ("server_no_context_takeover", None) => Ok(Self::ServerNoContextTakeover),
            ("client_no_context_takeover", None) => Ok(Self::ClientNoContextTakeover),
            ("server_max_window_bits", Some(bits)) => {
                window_bits(bits).map(Self::ServerMaxWindowBits)
            }
            ("client_max_window_bits", None) => Ok(Self::ClientMaxWindowBits(None)),
            ("client_max_window_bits", Some(bits)) => {
                Ok(Self::ClientMaxWindowBits(Some(window_bits(bits)?)))
            }
            _ => Err(Unacceptable),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::ServerNoContextTakeover => "server_no_context_takeover",
            Self::ClientNoContextTakeover => "client_no_context_takeover",
            Self::ServerMaxWindowBits(_) => "server_max_window_bits",
            Self::ClientMaxWindowBits(_) => "client_max_window_bits",
        }
    }

    fn bits(self) -> Option<u8> {
        match self {
            Self::ServerNoContextTakeover | Self::ClientNoContextTakeover => None,
            Self::ServerMaxWindowBits(bits) => Some(bits),
            Self::ClientMaxWindowBits(bits) => bits,
        }
    }
}

/// "A decimal integer value without leading zeroes between 8 to 15 inclusive" (RFC 7692, section
/// 7.1.2). `ws` takes other spellings of the number too; no client uses them.
fn window_bits(value: &str) -> Result<u8, Unacceptable> {
    match value {
        "8" | "9" => Ok(value.as_bytes()[0] - b'0'),
        "10" | "11" | "12" | "13" | "14" | "15" => Ok(10 + value.as_bytes()[1] - b'0'),
        _ => Err(Unacceptable),
    }
}

/// An offer, and later the answer to it: parameters, in their order and each at most once.
#[derive(Debug, Default)]
struct Offer(Vec<Parameter>);

impl Offer {
    fn push(&mut self, parameter: Parameter) -> Result<(), Unacceptable> {
        if self.get(parameter.name()).is_some() {
            return Err(Unacceptable);
        }
        self.0.push(parameter);
        Ok(())
    }

    fn get(&self, name: &str) -> Option<Parameter> {
        self.0.iter().copied().find(|parameter| parameter.name() == name)
    }

    /// Changes a parameter where it stands, or adds it at the end.
    fn set(&mut self, parameter: Parameter) {
        match self.0.iter_mut().find(|other| other.name() == parameter.name()) {
            Some(other) => *other = parameter,
            None => self.0.push(parameter),
        }
    }

    fn suits(&self, settings: Settings) -> bool {
        let empty_window = self.get("server_no_context_takeover").is_some();
        let server = self.get("server_max_window_bits").and_then(Parameter::bits);
        let client = self.get("client_max_window_bits");
        if empty_window && settings.server_no_context_takeover == Some(false) {
            return false;
        }
        let server_suits = match (settings.server_max_window_bits, server) {
            (WindowBits::Refused, Some(_)) => false,
            (WindowBits::Exactly(ours), Some(theirs)) => ours <= theirs,
            (WindowBits::Any, _) | (_, None) => true,
        };
        let client_suits = match (settings.client_max_window_bits, client) {
            // A client that does not mention it can't be told.
            (WindowBits::Exactly(_), None) => false,
            (WindowBits::Exactly(ours), Some(theirs)) => {
                theirs.bits().is_none_or(|theirs| ours <= theirs)
            }
            (WindowBits::Any | WindowBits::Refused, _) => true,
        };
        server_suits && client_suits
    }

    /// Turns the offer into the answer.
    fn answer(&mut self, settings: Settings) {
        if settings.server_no_context_takeover == Some(true) {
            self.set(Parameter::ServerNoContextTakeover);
        }
        if settings.client_no_context_takeover {
            self.set(Parameter::ClientNoContextTakeover);
        }
        if let WindowBits::Exactly(bits) = settings.server_max_window_bits {
            self.set(Parameter::ServerMaxWindowBits(bits));
        }
        match settings.client_max_window_bits {
            WindowBits::Exactly(bits) => self.set(Parameter::ClientMaxWindowBits(Some(bits))),
            WindowBits::Refused => {
                self.0.retain(|one| !matches!(one, Parameter::ClientMaxWindowBits(_)));
            }
            // Without a value it may stand in an offer only.
            WindowBits::Any => self.0.retain(|one| *one != Parameter::ClientMaxWindowBits(None)),
        }
    }

    fn agreement(&self) -> Agreement {
        let bits = |name| self.get(name).and_then(Parameter::bits).unwrap_or(MAX_WINDOW_BITS);
        Agreement {
            server_no_context_takeover: self.get("server_no_context_takeover").is_some(),
            client_no_context_takeover: self.get("client_no_context_takeover").is_some(),
            server_window_bits: bits("server_max_window_bits"),
            client_window_bits: bits("client_max_window_bits"),
        }
    }

    fn value(&self) -> String {
        let mut value = NAME.to_owned();
        for parameter in &self.0 {
            value.push_str("; ");
            value.push_str(parameter.name());
            if let Some(bits) = parameter.bits() {
                write!(value, "={bits}").expect("a String takes all that is written");
            }
        }
        value
    }
}

/// The offers of permessage-deflate in a list of extensions; the others are read and left out.
fn parse(header: &str) -> Result<Vec<Offer>, Unacceptable> {
    let mut offers = Vec::new();
    let mut scanner = Scanner { text: header, at: 0 };
    loop {
        let name = scanner.token()?;
        let mut offer = (name == NAME).then(Offer::default);
        let ended = loop {
            let blanks = scanner.skip_blanks();
            match scanner.next() {
                None if !blanks => break true,
                Some(b',') => break false,
                Some(b';') => {
                    scanner.skip_blanks();
                    let name = scanner.token()?;
                    let value = scanner.value()?;
                    if let Some(offer) = &mut offer {
                        offer.push(Parameter::read(name, value.as_deref())?)?;
                    }
                }
                Some(_) | None => return Err(Unacceptable),
            }
        };
        offers.extend(offer);
        if ended {
            return Ok(offers);
        }
        scanner.skip_blanks();
    }
}

/// A place in a header that only moves forward.
struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    /// Whether there were any.
    fn skip_blanks(&mut self) -> bool {
        let start = self.at;
        while matches!(self.peek(), Some(b' ' | b'\t')) {
            self.at += 1;
        }
        self.at > start
    }

    fn token(&mut self) -> Result<&'a str, Unacceptable> {
        let start = self.at;
        while self.peek().is_some_and(is_token_byte) {
            self.at += 1;
        }
        if self.at == start { Err(Unacceptable) } else { Ok(&self.text[start..self.at]) }
    }

    /// What follows `=`; `None` when there is no `=`.
    fn value(&mut self) -> Result<Option<String>, Unacceptable> {
        if self.peek() != Some(b'=') {
            return Ok(None);
        }
        self.at += 1;
        if self.peek() != Some(b'"') {
            return self.token().map(|token| Some(token.to_owned()));
        }
        self.at += 1;
        // "When using the quoted-string syntax variant, the value after quoted-string unescaping
        // MUST conform to the 'token' ABNF" (RFC 6455, section 9.1).
        let mut value = String::new();
        loop {
            match self.next() {
                Some(b'"') if !value.is_empty() => return Ok(Some(value)),
                Some(b'\\') => match self.next() {
                    Some(byte) if is_token_byte(byte) => value.push(char::from(byte)),
                    Some(_) | None => return Err(Unacceptable),
                },
                Some(byte) if is_token_byte(byte) => value.push(char::from(byte)),
                Some(_) | None => return Err(Unacceptable),
            }
        }
    }
}
