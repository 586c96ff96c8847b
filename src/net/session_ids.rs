//! Ids for the sessions that workers open without JavaScript.

use std::cell::RefCell;
use std::fmt;

use base64_simd::URL_SAFE_NO_PAD;

use crate::id::Sid;

/// Random bytes of an id: 20 characters, no padding, as JavaScript makes them (`lib/base/ids.js`).
const ID_BYTES: usize = 15;
/// One call of the system's generator serves so many.
const POOL_IDS: usize = 128;

/// Makes unguessable ids.
pub struct SessionIds(RefCell<Pool>);

struct Pool {
    bytes: Box<[u8]>,
    used: usize,
}

impl Default for SessionIds {
    fn default() -> Self {
        Self(RefCell::new(Pool { bytes: Box::default(), used: 0 }))
    }
}

impl fmt::Debug for SessionIds {
    /// What is in it are secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionIds")
    }
}

impl SessionIds {
    /// The next one; none when the system has no random bytes.
    pub fn next(&self) -> Option<Sid> {
        let mut pool = self.0.borrow_mut();
        let Pool { bytes, used } = &mut *pool;
        if *used == bytes.len() {
            let mut fresh = vec![0; ID_BYTES * POOL_IDS].into_boxed_slice();
            getrandom::fill(&mut fresh).ok()?;
            (*bytes, *used) = (fresh, 0);
        }
        let id = &mut bytes[*used..*used + ID_BYTES];
        *used += ID_BYTES;
        let text = URL_SAFE_NO_PAD.encode_to_string(&*id);
        id.fill(0);
        Some(Sid::new(&text))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ids_are_twenty_characters_and_no_two_are_equal() {
        let ids = SessionIds::default();
        let all: HashSet<_> =
            (0..3 * POOL_IDS).map(|_| ids.next().unwrap().as_str().to_owned()).collect();
        assert_eq!(all.len(), 3 * POOL_IDS);
        let is_usual = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        assert!(all.iter().all(|id| id.len() == 20 && id.chars().all(is_usual)));
    }
}
