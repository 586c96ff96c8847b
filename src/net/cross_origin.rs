//! The headers by which the answers of a server tell browsers from where they may be read.
//!
//! They are made by JavaScript, from the option `cors`, and depend on the `Origin` of the request alone. A page and
//! the connection that its requests come by are not fixed to one: a browser names the origin with its POSTs, and not with
//! the GETs of a page of the same origin; a proxy's connection carries the requests of many pages.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

/// Headers, each with its line end. Shared by a thin pointer, which each connection has room for.
#[derive(Debug)]
pub struct Lines(pub Box<str>);

/// The headers for each `Origin` that JavaScript has seen, or expects. It bounds their number.
#[derive(Debug, Default)]
pub struct CrossOrigin {
    // Hashed in the standard way: the keys come from the network.
    known: RwLock<HashMap<Box<[u8]>, Arc<Lines>>>,
    /// Those for all others, with [`ORIGIN_PLACEHOLDER`] in place of the origin.
    others: RwLock<Option<Box<str>>>,
}

/// Stands in lines of headers where the `Origin` of the request is to stand.
const ORIGIN_PLACEHOLDER: char = '\0';
/// Characters of an origin that is put there, at most.
const LONGEST_ORIGIN: usize = 256;

impl CrossOrigin {
    /// The headers for requests from `origin` (empty: they do not say); none: JavaScript is
    /// to be asked.
    pub fn lines(&self, origin: &[u8]) -> Option<Arc<Lines>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.get(origin).map(Arc::clone).or_else(|| self.lines_for_others(origin))
    }

    fn lines_for_others(&self, origin: &[u8]) -> Option<Arc<Lines>> {
        let origin = std::str::from_utf8(origin).ok()?;
        let is_plain = origin.len() <= LONGEST_ORIGIN
            && !origin.is_empty()
            && origin.bytes().all(|byte| byte.is_ascii_graphic());
        let others = self.others.read().unwrap_or_else(PoisonError::into_inner);
        let lines = others.as_ref().filter(|_| is_plain)?.replace(ORIGIN_PLACEHOLDER, origin);
        Some(Arc::new(Lines(lines.into())))
    }

    /// Notes the headers for requests from all other origins, with a NUL in place of the origin; none: JavaScript is
    /// to be asked.
    pub fn note_others(&self, lines: Option<&str>) {
        *self.others.write().unwrap_or_else(PoisonError::into_inner) = lines.map(Into::into);
    }

    /// Notes the headers for requests from `origin`; none: they are not known any more.
    pub fn note(&self, origin: &[u8], lines: Option<&str>) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        match lines {
            Some(lines) => known.insert(origin.into(), Arc::new(Lines(lines.into()))),
            None => known.remove(origin),
        };
    }
}
