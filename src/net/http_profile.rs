//! What JavaScript has fixed for a connection by which polling requests come.

use crate::http::request::Rules;

/// All that the answers to its requests depend on, beside the session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Which requests may be answered here.
    pub rules: Rules,
    /// Headers that every answer begins with, each with its line end. If they depend on the `Origin`: those for the
    /// request that opens a session.
    pub lines: Box<str>,
    /// Whether they depend on the `Origin`: then all other requests look them up ([`super::cross_origin`]).
    pub by_origin: bool,
    /// Seconds that `Keep-Alive` promises; none: it is left out.
    pub keep_alive: Option<u64>,
    /// Milliseconds after which an idle connection is closed; 0: never.
    pub idle_timeout: u64,
    /// Milliseconds that the head of a request may take; 0: for ever.
    pub headers_timeout: u64,
    /// Milliseconds that the body of a request may take; 0: for ever.
    pub request_timeout: u64,
    /// Answers of so many bytes are compressed if the client takes that; none: no answer is.
    pub compress_from: Option<usize>,
}
