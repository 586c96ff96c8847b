//! The data plane: worker threads that own connections from accept to close.
//!
//! ```text
//!   binding ── Mailbox (operations in order) ──► Worker ──► Client ──► Wire ──► peer
//!           ◄── Inbox (records, one text) ──────────┘
//! ```
//!
//! | file | tells |
//! |---|---|
//! | [`runtime`] | the threads: started with the first user, stopped with the last |
//! | [`worker`] | one thread: what it does in a turn; how it waits, and what is done with each operation, in files below |
//! | [`sockets`] | the sockets of a worker, which its thread or JavaScript's reads |
//! | [`context`] | what all connections of a worker share: buffers, deadlines, lists |
//! | [`client`] | one client: session, decoder, wires; what comes in and what is asked in files below; [`clients`]: the table of them |
//! | [`websocket_wire`] | one WebSocket byte stream; reading and writing in files below |
//! | [`listener`], [`admission`], [`newcomers`], [`session_ids`] | sockets from which workers accept, and what they take without JavaScript |
//! | [`arrival`] | what connections come in for; [`refusal`]: what is answered to those that are refused |
//! | [`places`] | where some clients come from, and what counts them |
//! | [`selector`], [`parker`] | where a worker's thread waits, and how it is woken |
//! | [`connections`], [`readiness`] | which sockets are ready, and whose turn it is |
//! | [`tcp`], [`stream`], [`tls`] | one TCP connection: its socket, its TLS, and the turn in which it is read and written |
//! | [`http_wire`] | one connection that polling requests come by; [`http_table`]: the table of them |
//! | [`mailbox`], [`operation_batch`], [`command`] | the queue down, and what stands in it |
//! | [`inbox`], [`record`], [`side_strings`] | the queue up |
//! | [`shared_frames`] | a broadcast, framed once for all that it goes to |
//! | [`deflate`] | who compresses what, with which window |
//! | [`panic_guard`] | what a panic costs; `faults`: panics that tests ask for |
//! | [`lifecycle`] | which clients have come and gone |
//! | [`directory`], [`room_name`] | who is where |
//! | [`returning`] | who comes back, and what it has missed |
//! | [`budget`] | how much may wait for JavaScript, whichever way it has come in |
//! | [`reader`], [`reader_policy`] | who reads the sockets of a worker, and when that changes |
//! | [`wakeups`] | when JavaScript is woken |
//! | [`sleep_lock`], [`sync`] | what JavaScript does itself while a worker sleeps |
//! | [`backlog`] | what waits for clients that read too slowly |
//! | [`idle_trim`] | when memory is given back |
//! | [`transfer`], [`unread`] | hand-overs of clients from one process to another |
//! | [`turns`] | whether the event loop of JavaScript goes round |
//! | [`metrics`] | what is counted, for who looks at a running server |
//! | [`cross_origin`] | from where browsers may read the answers |
//! | [`http_profile`], [`request_name`], [`write_queue`], [`timers`], [`clock`], [`server`], [`descriptor`] | what the name says |
//!
//! A client belongs to one worker for life: nothing of it is locked or shared while the worker is awake.

/// A place that tests make panic: its name, the id of an environment, and whose name there.
/// Nothing at all in what ships.
macro_rules! fault {
    ($place:literal, $environment:expr, $name:expr) => {
        #[cfg(any(test, feature = "faults"))]
        $crate::net::faults::pass($place, $environment, $name);
    };
}

pub mod admission;
pub mod arrival;
pub mod backlog;
pub mod budget;
pub mod client;
pub mod clients;
pub mod clock;
pub mod command;
pub mod connections;
pub mod context;
pub mod cross_origin;
pub mod deflate;
pub mod descriptor;
pub mod directory;
#[cfg(any(test, feature = "faults"))]
pub mod faults;
pub mod http_profile;
pub mod http_table;
pub mod http_wire;
pub mod idle_trim;
pub mod inbox;
pub mod lifecycle;
pub mod listener;
pub mod lone_packet;
pub mod mailbox;
pub mod metrics;
pub mod newcomers;
pub mod operation_batch;
pub mod panic_guard;
pub mod parker;
pub mod peer;
pub mod places;
pub mod reader;
pub mod reader_policy;
pub mod readiness;
pub mod record;
pub mod refusal;
pub mod relay;
pub mod request_name;
pub mod returning;
pub mod room_name;
pub mod runtime;
pub mod selector;
pub mod server;
pub mod session_ids;
pub mod shared_frames;
pub mod side_strings;
pub mod sleep_lock;
pub mod sockets;
pub mod stream;
pub mod sync;
pub mod taking;
pub mod tcp;
pub mod timers;
pub mod tls;
pub mod transfer;
pub mod turns;
pub mod unread;
pub mod wakeups;
pub mod websocket_wire;
pub mod worker;
pub mod write_queue;
