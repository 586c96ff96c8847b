//! What the error of a command means for the command, and for the connection.

use redis::{ErrorKind, RedisError, ServerErrorKind};

/// Whether a connection is of no use any more. What was sent by it may have been done.
pub(super) fn is_lost(error: &RedisError) -> bool {
    error.is_unrecoverable_error() || error.is_timeout() || error.kind() == ErrorKind::Io
}

/// Whether something has not been done, since who could do it is not there or not ready: it may be asked again.
pub(super) fn is_away(error: &RedisError) -> bool {
    use ServerErrorKind::{Ask, BusyLoading, ClusterDown, MasterDown, Moved, ReadOnly, TryAgain};
    let kinds = [Ask, BusyLoading, ClusterDown, MasterDown, Moved, ReadOnly, TryAgain];
    let kind = error.kind();
    kind == ErrorKind::ClusterConnectionNotFound
        || matches!(kind, ErrorKind::Server(kind) if kinds.contains(&kind))
}
