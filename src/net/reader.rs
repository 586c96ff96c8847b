//! Who reads the sockets of a worker: its own thread, or that of JavaScript.
//!
//! ```text
//!                 ask (JavaScript)            hand_over (the worker, with news for JavaScript)
//!      ┌─ Worker ─────────────────► Asked ───────────────────────────────┐
//!      │    ▲ ▲                       │ ▲                                ▼
//!      │    │ └───── give_back ───────┘ └───────── lend ──────────── JavaScript
//!      │    └─────────────── give_back (JavaScript), take_over (the worker) ──┘
//!      ▼
//!    Fixed: the worker's, for good (from each of them)
//! ```
//!
//! To wake a thread costs more than to read a socket and to answer. While JavaScript has time, its event loop
//! watches the worker's selector, and its thread does all for a message: it reads, calls the handlers, writes.
//! The worker's thread sleeps meanwhile, and looks every few milliseconds whether JavaScript still comes
//! ([`super::reader_policy::Watchdog`]).
//!
//! Only the worker's thread hands its sockets over, and only when it is about to tell JavaScript of records: so
//! JavaScript comes, sees it, and begins to watch. What was ready before is seen then, as the selector stays
//! readable. To get them back nobody is waited for: from the next time that it holds the worker's lock
//! on, JavaScript finds that they are not its any more.

use super::sync::{AtomicU8, AtomicU32, Ordering};

const WORKER: u8 = 0;
const ASKED: u8 = 1;
const JAVASCRIPT: u8 = 2;
const FIXED: u8 = 3;

/// Who is to read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Preference {
    /// Who has time.
    #[default]
    Load,
    /// The workers, always.
    Workers,
    /// JavaScript, unless it is blocked. For tests: so is done what else depends on the load.
    JavaScript,
}

impl Preference {
    /// The one of this name, if it is one.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "load" => Some(Self::Load),
            "workers" => Some(Self::Workers),
            "javascript" => Some(Self::JavaScript),
            _ => None,
        }
    }
}

/// Who reads the sockets of one worker.
#[derive(Debug, Default)]
pub struct Reader {
    preference: Preference,
    state: AtomicU8,
    turns: AtomicU32,
    useful: AtomicU32,
    bytes: AtomicU32,
    gains: AtomicU32,
}

impl Reader {
    /// The worker, at first.
    pub fn new(preference: Preference) -> Self {
        let state = if preference == Preference::Workers { FIXED } else { WORKER };
        Self { preference, state: AtomicU8::new(state), ..Self::default() }
    }

    /// Who is to read.
    pub fn preference(&self) -> Preference {
        self.preference
    }

    /// JavaScript would read them. Whether it is heard: not while they are the worker's for good.
    pub fn ask(&self) -> bool {
        self.change(WORKER, ASKED)
    }

    /// JavaScript does not want them any more. Whether it had them: then the worker has to be woken.
    pub fn give_back(&self) -> bool {
        // In the order in which the worker goes on: else it could hand them over between the two.
        !self.change(ASKED, WORKER) && self.change(JAVASCRIPT, WORKER)
    }

    /// JavaScript leaves them to the worker until that has news for it. Whether it had them: then the worker has to be
    /// woken.
    pub fn lend(&self) -> bool {
        self.change(JAVASCRIPT, ASKED)
    }

    /// They are the worker's for good. Whether JavaScript had them: then the worker has to be woken.
    pub fn fix(&self) -> bool {
        self.state.swap(FIXED, Ordering::AcqRel) == JAVASCRIPT
    }

    /// The worker is about to tell JavaScript of records: it leaves the sockets to it, if it has been asked.
    pub fn hand_over(&self) -> bool {
        let handed_over = self.is_asked() && self.change(ASKED, JAVASCRIPT);
        if handed_over {
            bump(&self.gains);
        }
        handed_over
    }

    /// The worker takes them. Whether JavaScript had them.
    pub fn take_over(&self) -> bool {
        self.change(JAVASCRIPT, WORKER)
    }

    /// Whether JavaScript has them.
    #[inline]
    pub fn is_javascript(&self) -> bool {
        self.is(JAVASCRIPT)
    }

    /// Whether it would have them, and has not.
    #[inline]
    pub fn is_asked(&self) -> bool {
        self.is(ASKED)
    }

    /// JavaScript has come to read.
    pub fn count_turn(&self) {
        bump(&self.turns);
    }

    /// It has read something that it had to know of.
    pub fn count_useful(&self) {
        bump(&self.useful);
    }

    /// So many bytes have been read, by who has the worker's lock.
    pub fn count_bytes(&self, bytes: u32) {
        add(&self.bytes, bytes);
    }

    /// How many bytes have been read, whoever did; it begins anew behind the largest number.
    pub fn bytes(&self) -> u32 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// How often JavaScript has got them.
    pub fn gains(&self) -> u32 {
        self.gains.load(Ordering::Relaxed)
    }

    /// How often JavaScript has come, and for how many of these times it was worth it.
    pub fn counts(&self) -> Counts {
        Counts {
            turns: self.turns.load(Ordering::Relaxed),
            useful: self.useful.load(Ordering::Relaxed),
        }
    }

    fn is(&self, state: u8) -> bool {
        self.state.load(Ordering::Acquire) == state
    }

    fn change(&self, from: u8, to: u8) -> bool {
        self.state.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}

/// JavaScript's turns with the sockets of a worker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// All.
    pub turns: u32,
    /// Those that had records for JavaScript.
    pub useful: u32,
}

fn bump(count: &AtomicU32) {
    add(count, 1);
}

/// One thread at a time writes each of them.
fn add(count: &AtomicU32, more: u32) {
    count.store(count.load(Ordering::Relaxed).wrapping_add(more), Ordering::Relaxed);
}
