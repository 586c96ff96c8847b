//! The link to Redis: what this node tells the others of its cluster, and what they tell.
//!
//! ```text
//!   JavaScript ── orders ──► link (a thread) ──► Redis: PUBLISH
//!              ◄── news ────  │      ▲────────── Redis: what is subscribed
//!   workers   ◄── broadcasts ─┘  past JavaScript, by the `net::directory`
//! ```
//!
//! | file | tells |
//! |---|---|
//! | [`link`] | the thread: it connects, and does what it is asked, again and again |
//! | [`options`] | what a program says of it, and how a connection is made of that |
//! | [`orders`] | what JavaScript asks of it |
//! | [`outbox`] | what waits to be published |
//! | `lanes` | in which order, to which node |
//! | [`news`] | what it has for JavaScript, and its counters |
//! | [`deliveries`] | what is done with a message of another node |
//! | [`subscriptions`] | which channels are wanted, and which there are |
//! | [`dial`] | a connection to a Redis, as bytes |
//! | [`dialer`] | how the nodes of a Redis Cluster are connected to |
//! | [`node`] | a connection to one |
//! | [`nodes`] | those to the nodes of a Redis Cluster: who is asked for what |
//! | `known` | what is known of them |
//! | `route` | which of them can do something |
//! | [`topology`] | which node has which slots |
//! | [`sieve`] | what is read of it: messages of other nodes, and the rest |
//! | [`streams`] | entries that Redis keeps, for what is not to be missed |
//! | [`faults`] | what an error means |
//! | [`session`] | what commands go by: one connection, or those to a Redis Cluster |
//! | [`backoff`] | when it is tried again |
//! | `clock` | what time it is |
//!
//! The protocol of Redis and that of Sentinel are those of the crate `redis`, on a thread of the link's own. Its client for Redis
//! Cluster is not used: that publishes again what may have been published, and its queue of messages has no bound.
//! Everything that waits is bounded: what goes out by an option, what comes in by not being read.

pub mod backoff;
mod clock;
pub mod deliveries;
pub mod dial;
pub mod dialer;
pub mod faults;
mod known;
mod lanes;
pub mod link;
#[cfg(test)]
mod model;
pub mod news;
pub mod node;
pub mod nodes;
pub mod options;
pub mod orders;
pub mod outbox;
mod route;
pub mod session;
pub mod sieve;
pub mod streams;
pub mod subscriptions;
pub mod topology;
