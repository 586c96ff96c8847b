//! The border to Node.js: one class, integer handles, batches instead of calls.
//!
//! | file | tells |
//! |---|---|
//! | [`data_plane`] | the class [`data_plane::DataPlane`], what JavaScript sees |
//! | [`operations`] | the batch down: rooms and targets are looked up here, on the JavaScript thread |
//! | [`side_strings`] | long strings on their way up |
//! | [`options`] | a server's options as they cross the border |
//! | [`libuv`] | the event loop of a JavaScript thread |
//! | [`logs`] | the logs of connection state recovery |
//! | [`publishers`] | who tells other nodes |
//! | [`recovery`] | what JavaScript asks of them by calls |
//! | [`callback`] | how the event loop calls JavaScript |
//! | [`descriptor_watch`] | how it learns that a descriptor can be read |
//! | `event` (Linux) | how another thread wakes it |
//! | [`event_names`] | names of events, which JavaScript has already |
//! | `symbols` | functions of the process, by their names |
//! | [`memory`] | memory that nobody uses goes back to the system |
//! | [`error`] | what can go wrong on the way |

#[cfg(unix)]
pub mod callback;
pub mod data_plane;
#[cfg(unix)]
pub mod descriptor_watch;
pub mod error;
#[cfg(target_os = "linux")]
pub mod event;
#[cfg(unix)]
pub mod event_names;
pub mod libuv;
pub mod logs;
pub mod memory;
pub mod operations;
pub mod options;
pub mod publishers;
pub mod recovery;
pub mod side_strings;
#[cfg(unix)]
mod symbols;
