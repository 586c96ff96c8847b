//! Streams: nodes tell each other by entries that Redis keeps, so that nothing is missed while a connection is lost, and clients that
//! come back get what they have missed, on whichever node.
//!
//! ```text
//!   JavaScript ── additions ──► own ──► writer ── XADD ──► Redis
//!   workers    ◄── all entries, those of this node, too ──── reader ◄── XREAD ──── │
//!   JavaScript ── who comes back? ──► restorer ◄── GET, XRANGE, SET ────────────── │
//! ```
//!
//! Everything passes the stream before anybody gets it, what this node has written as well: so all nodes and all clients have one
//! order, and how far a client has come is one place in it.
//!
//! | file | tells |
//! |---|---|
//! | [`stream`] | a stream, all of a link, and what is written to them |
//! | [`serve`] | who does what, as long as a connection lasts |
//! | [`own`] | what has been written, until it has come back |
//! | [`reader`] | reads entries, and hands them over |
//! | [`restoration`] | a client that comes back |
//! | [`restorer`] | finds what clients that come back have missed |
//! | [`replies`] | what Redis answers |

pub mod own;
pub mod reader;
pub mod replies;
pub mod restoration;
pub mod restorer;
pub mod serve;
pub mod stream;
