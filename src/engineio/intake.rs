//! Why nothing of a client is taken for now, and what has come meanwhile: see `session/waiting.rs`.

use std::collections::VecDeque;

use super::action::RequestId;

/// Why a client waits, and what of it.
#[derive(Debug, Default)]
pub(super) struct Intake {
    /// Until when it may send no more; 0: it may.
    pub(super) paused_until: u64,
    /// Whether it goes to another process, or comes from one.
    pub(super) is_held: bool,
    /// What has come by POSTs, in that order; only the last one may not be answered.
    pub(super) kept: VecDeque<Kept>,
}

/// What is left of a POST that was all there.
#[derive(Debug)]
pub(super) struct Kept {
    /// Which; none: it has been answered.
    pub(super) request: Option<RequestId>,
    pub(super) payload: Vec<u8>,
    /// How much of that has been taken.
    pub(super) at: usize,
    /// Whether it is a binary payload.
    pub(super) binary: bool,
}
