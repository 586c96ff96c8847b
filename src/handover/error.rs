//! Why what has come is not taken.

use thiserror::Error;

/// Why what has come is not taken.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum Invalid {
    /// A body is longer than any is.
    #[error("a message of a hand-over is too long")]
    TooLong,
    /// No message has this number.
    #[error("a message of a hand-over is of no known kind")]
    UnknownKind,
    /// A field is missing, is there twice, or says what it can't.
    #[error("a message of a hand-over is damaged")]
    Damaged,
    /// The first message does not begin as one does.
    #[error("what has come is no hand-over")]
    Foreign,
    /// More descriptors came than belong to the messages, or fewer.
    #[error("a message of a hand-over has come without its socket, or with another one")]
    Descriptors,
}
