//! What a process says to the one that takes its clients over. Sans-IO.
//!
//! ```text
//!      new                          old
//!       │ ── Hello ───────────────► │
//!       │ ◄── Welcome, and sockets ─│   the first of them is the lock of who serves; or Refused
//!       │ ── Ready ───────────────► │
//!       │ ◄── State ─────────────── │
//!       │ ◄── Session, a socket ─── │   for each
//!       │ ◄── Connection, a socket ─│   for each by which polling requests come
//!       │ ◄── End ───────────────── │
//!       │ ── Taken ───────────────► │
//! ```
//!
//! | file | tells |
//! |---|---|
//! | [`error`] | why what has come is not taken |
//! | [`frame`] | where a message begins and ends, and how many descriptors come with it |
//! | `fields` | how the body of a message is made of fields |
//! | [`message`] | the messages |
//! | [`serving`] | which of the two serves, whatever happens |
//! | [`session`] | what is said of a session |
//!
//! Who reads it takes it for what a stranger has written, and what is not known is refused.
//!
//! Two of different versions say the same, but that nothing is between `Ready` and `End` ([`message`] tells what of it is so for ever):
//! the new one serves whoever comes then, and the old one lets its clients go.

pub mod error;
mod fields;
pub mod frame;
pub mod message;
pub mod serving;
pub mod session;

pub use error::Invalid;
pub use frame::{Frame, FrameReader};
pub use message::{Message, VERSION, against};
pub use session::HandedSession;
