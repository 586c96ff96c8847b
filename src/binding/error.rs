//! What can go wrong at the border. All of it is a fault of our own JavaScript or of the
//! operating system, never of a client.

use thiserror::Error;

use crate::cluster::options::LinkFault;
use crate::net::tls::config::TlsFault;

/// Why a call over the border failed.
#[derive(Debug, Error)]
pub enum BorderError {
    /// No such server is open in this thread.
    #[error("server {0} is not open in this thread")]
    UnknownServer(u32),
    /// The environment is shutting down.
    #[error("this thread is ending: its servers are closed")]
    Ended,
    /// The socket could not be taken over.
    #[error("can't take over the socket: {0}")]
    TakeOver(#[source] std::io::Error),
    /// TLS can't be spoken as an HTTPS server has been told to.
    #[error("{0}")]
    Tls(#[source] TlsFault),
    /// Connections were to be accepted in plain text for an HTTPS server.
    #[error("the workers have not been told how to speak TLS by this socket")]
    NotSecured,
    /// There can be no link to Redis.
    #[error("{0}")]
    Link(#[from] LinkFault),
    /// No such link is open in this thread.
    #[error("the link to Redis {0} is not open in this thread")]
    UnknownLink(u32),
    /// There can be no hand-over by this file.
    #[error("can't {verb} the clients by {path}: {cause}")]
    HandOver {
        /// What was to be done: "hand over" or "take over".
        verb: &'static str,
        /// The Unix socket.
        path: String,
        /// What the system says.
        #[source]
        cause: std::io::Error,
    },
    /// No such hand-over is under way in this thread.
    #[error("the hand-over {0} is not under way in this thread")]
    UnknownHandOver(u32),
    /// The worker threads could not be started.
    #[error("can't start the worker threads: {0}")]
    Start(#[source] std::io::Error),
}

impl From<BorderError> for napi::Error {
    fn from(error: BorderError) -> Self {
        Self::from_reason(error.to_string())
    }
}
