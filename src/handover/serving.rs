//! Which of the two processes serves (accepts connections, and reads clients): the states of both, in one place.
//!
//! Whoever serves holds a lock (`src/net/transfer/lock.rs`). No two hold it, and the system takes it from a process that ends. So
//! there are never two that serve, whatever is said, gets lost or comes too late; and what is said decides which of the two it is:
//!
//! ```text
//!   old:  Holding ── all has been said ──► Released ── Taken ───────────────────► Gone
//!            │                                │  ▲                                  ▲
//!            │ Refused, the end,              │  └ it has been said: no way back    │ no: the new one has it
//!            │ or JavaScript wants to stay    └── Refused, the end ──► Locking ─────┤
//!            ▼                                                                      │ yes
//!          Kept ◄───────────────────────────────────────────────────────────────────┘
//!
//!   new:  Waiting ── End, or the end ──► Locking ── yes ──► Serving ── JavaScript serves: Taken is said ──► Settled
//!            │                             │                  │
//!            │ Refused, or JavaScript      │ no               │ JavaScript wants no more: Refused is said
//!            │ wants no more: said         ▼                  │
//!            └──────────────────────────► Out ◄───────────────┘
//! ```
//!
//! "The end" is that of the Unix socket: mostly of the other process, but nothing rests on that. One who is `Out` listens by itself as
//! soon as the port is free, that is when the old process has ended.

/// What is to be done next, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The lock is let go.
    Unlock,
    /// The word is said.
    Say(Word),
    /// This process serves.
    Serve,
    /// It does not.
    Yield,
}

/// What one says to the other that decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Word {
    /// Old: that was all, serve.
    End,
    /// New: I serve.
    Taken,
    /// Both: it is not to be.
    Refused,
}

type Steps = &'static [Step];

const NOTHING: Steps = &[];

/// The side of the old process. It begins with the lock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Giver {
    /// It serves, or is about to hand over and can still go on.
    #[default]
    Holding,
    /// All has been said: the new one is to serve.
    Released,
    /// The new one has gone without a word, or does not want to: it serves again if nobody else has the lock.
    Locking,
    /// It serves, and the hand-over is over.
    Kept,
    /// The new one serves.
    Gone,
}

impl Giver {
    /// It is about to say a word. None: it must not be said.
    pub fn say(&mut self, word: Word) -> Steps {
        match (*self, word) {
            (Self::Holding, Word::End) => {
                *self = Self::Released;
                &[Step::Unlock, Step::Say(Word::End)]
            }
            (Self::Holding, Word::Refused) => {
                *self = Self::Kept;
                &[Step::Say(Word::Refused), Step::Serve]
            }
            _ => NOTHING,
        }
    }

    /// The new one has said a word.
    pub fn handle_word(&mut self, word: Word) -> Steps {
        match (*self, word) {
            (Self::Released, Word::Taken) => {
                *self = Self::Gone;
                &[Step::Yield]
            }
            (_, Word::Refused) => self.handle_end(),
            _ => NOTHING,
        }
    }

    /// Nothing more comes from the new one.
    pub fn handle_end(&mut self) -> Steps {
        match self {
            Self::Holding => {
                *self = Self::Kept;
                &[Step::Serve]
            }
            Self::Released => {
                *self = Self::Locking;
                NOTHING
            }
            Self::Locking | Self::Kept | Self::Gone => NOTHING,
        }
    }

    /// Whether it wants the lock.
    pub fn is_locking(self) -> bool {
        self == Self::Locking
    }

    /// It has the lock, or somebody else has it.
    pub fn handle_lock(&mut self, is_locked: bool) -> Steps {
        if !self.is_locking() {
            return NOTHING;
        }
        if is_locked {
            *self = Self::Kept;
            &[Step::Serve]
        } else {
            *self = Self::Gone;
            &[Step::Yield]
        }
    }

    /// Whether it is known who serves.
    pub fn is_settled(self) -> bool {
        matches!(self, Self::Kept | Self::Gone)
    }
}

/// The side of the new process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Taker {
    /// Clients may come.
    #[default]
    Waiting,
    /// All have come, or nobody is there any more who could send them: it serves if it gets the lock.
    Locking,
    /// It is to serve; its JavaScript is about to.
    Serving,
    /// It serves.
    Settled,
    /// It does not serve.
    Out,
}

impl Taker {
    /// It is about to say a word. None: it must not be said.
    pub fn say(&mut self, word: Word) -> Steps {
        match (*self, word) {
            (Self::Serving, Word::Taken) => {
                *self = Self::Settled;
                &[Step::Say(Word::Taken)]
            }
            (Self::Waiting | Self::Locking, Word::Refused) => {
                *self = Self::Out;
                &[Step::Say(Word::Refused), Step::Yield]
            }
            (Self::Serving, Word::Refused) => {
                *self = Self::Out;
                // Before it is said: who hears it wants the lock.
                &[Step::Unlock, Step::Say(Word::Refused), Step::Yield]
            }
            _ => NOTHING,
        }
    }

    /// The old one has said a word.
    pub fn handle_word(&mut self, word: Word) -> Steps {
        match (*self, word) {
            (Self::Waiting, Word::End) => {
                *self = Self::Locking;
                NOTHING
            }
            (Self::Waiting, Word::Refused) => {
                *self = Self::Out;
                &[Step::Yield]
            }
            _ => NOTHING,
        }
    }

    /// Nothing more comes from the old one.
    pub fn handle_end(&mut self) -> Steps {
        if *self == Self::Waiting {
            *self = Self::Locking;
        }
        NOTHING
    }

    /// Whether it wants the lock.
    pub fn is_locking(self) -> bool {
        self == Self::Locking
    }

    /// It has the lock, or somebody else has it.
    pub fn handle_lock(&mut self, is_locked: bool) -> Steps {
        if !self.is_locking() {
            return NOTHING;
        }
        if is_locked {
            *self = Self::Serving;
            &[Step::Serve]
        } else {
            *self = Self::Out;
            &[Step::Yield]
        }
    }

    /// Whether it is known who serves.
    pub fn is_settled(self) -> bool {
        matches!(self, Self::Serving | Self::Settled | Self::Out)
    }
}
