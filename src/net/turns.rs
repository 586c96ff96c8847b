//! Whether the event loop of a JavaScript thread goes round.
//!
//! What a client has sent may lie in a socket that Node.js has, or in its queue of connections that nobody has accepted,
//! because JavaScript is blocked. So before a worker gives up such a client, it asks:
//!
//! ```text
//!   worker: a deadline has come ── ask ──► JavaScript: looks at all its sockets ── end ──► worker: decides
//! ```
//!
//! All who ask while a round goes on wait for the next one: theirs has to begin after their deadline.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// JavaScript counts as blocked, and not only as busy, when it takes so many milliseconds to look at all its sockets.
pub const BLOCKED: u64 = 500;

/// The rounds of one JavaScript thread.
#[derive(Debug, Default)]
pub struct Turns(Mutex<Rounds>);

#[derive(Debug, Default)]
struct Rounds {
    begun: u64,
    ended: u64,
    /// Whether somebody waits for the round behind the one that goes on.
    again: bool,
    /// The workers, one bit each, that wait for a round.
    waiting: u32,
}

/// A round that somebody waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Its number.
    pub round: u64,
    /// Whether JavaScript is to be told that it begins.
    pub begins: bool,
}

/// A round that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Its number.
    pub round: u64,
    /// The workers, one bit each, that are to hear of it.
    pub waiting: u32,
    /// Whether the next one begins at once.
    pub again: bool,
}

impl Turns {
    /// Asks for a round that begins now or later, for `worker`.
    pub fn ask(&self, worker: usize) -> Asked {
        let mut rounds = self.lock();
        rounds.waiting |= 1 << worker;
        let begins = rounds.begun == rounds.ended;
        if begins {
            rounds.begun += 1;
        } else {
            rounds.again = true;
        }
        Asked { round: rounds.begun + u64::from(!begins), begins }
    }

    /// JavaScript has looked at all its sockets since it was told.
    pub fn end(&self) -> Ended {
        let mut rounds = self.lock();
        let (waiting, again) = (rounds.waiting, rounds.again);
        rounds.ended = rounds.begun;
        rounds.again = false;
        if again {
            rounds.begun += 1; // for some of those that wait
        } else {
            rounds.waiting = 0;
        }
        Ended { round: rounds.ended, waiting, again }
    }

    fn lock(&self) -> MutexGuard<'_, Rounds> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_while_a_round_goes_on_waits_for_the_next() {
        let turns = Turns::default();
        assert_eq!(turns.ask(0), Asked { round: 1, begins: true });
        assert_eq!(turns.ask(2), Asked { round: 2, begins: false });
        assert_eq!(turns.end(), Ended { round: 1, waiting: 0b101, again: true });
        assert_eq!(turns.ask(1), Asked { round: 3, begins: false });
        assert_eq!(turns.end(), Ended { round: 2, waiting: 0b111, again: true });
        assert_eq!(turns.end(), Ended { round: 3, waiting: 0b111, again: false });
        assert_eq!(turns.ask(1), Asked { round: 4, begins: true });
        assert_eq!(turns.end(), Ended { round: 4, waiting: 0b10, again: false });
    }
}
