//! How much may come: of connections, clients, events and bytes, in all, from an address, from a client.
//!
//! | file | tells |
//! |---|---|
//! | [`bucket`] | a token bucket in one number |
//! | [`addresses`] | what is known of each address, bounded |
//! | [`gate`] | who may open a session: [`gate::Gate`] |
//! | [`traffic`] | how much those may send that are there |
//! | [`counts`] | how many there are, and may be |
//! | [`overload`] | whether there is so much to do that nobody else is let in |
//!
//! Times are milliseconds of a monotonic clock, which the caller reads. All of it may be asked by many threads at once:
//! clients of one address are spread over the workers.

pub mod addresses;
pub mod bucket;
pub mod counts;
pub mod gate;
pub mod overload;
pub mod traffic;
