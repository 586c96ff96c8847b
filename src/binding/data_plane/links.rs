//! The links to Redis that a thread has opened.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Weak;

use napi::CleanupEnvHook;
use rustc_hash::FxHashMap;

use crate::cluster::link::Link;

/// The links of a thread.
#[derive(Default)]
pub(super) struct Links {
    pub(super) open: RefCell<FxHashMap<u32, OpenLink>>,
    /// The link of each namespace.
    pub(super) clusters: RefCell<FxHashMap<u32, u32>>,
    pub(super) last_link: Cell<u32>,
    pub(super) last_cluster: Cell<u32>,
}

impl fmt::Debug for Links {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Links").field("last", &self.last_link).finish_non_exhaustive()
    }
}

/// A link that is open.
pub(super) struct OpenLink {
    pub(super) link: Link,
    /// Ends the link with the environment.
    pub(super) hook: CleanupEnvHook<Weak<Links>>,
}
