//! When JavaScript is woken: once a worker has looked at all sockets that were ready, its turn.
//!
//! ```text
//!   ready sockets ─► read ─► records ─► the next ready socket …
//!                              behind all that were ready ─► announce ─► JavaScript wakes up once
//! ```
//!
//! Waking a thread costs more than reading a socket. A worker that woke JavaScript at the first record
//! would have to do so again for nearly each of those that follow at once.

use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;

use super::server::Environment;

/// Wakes the environments that have something to hear at the end of a turn.
#[derive(Default)]
pub struct Wakeups {
    /// The environments that have or had connections here.
    environments: RefCell<Vec<Arc<Environment>>>,
}

impl fmt::Debug for Wakeups {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let environments = self.environments.borrow().len();
        f.debug_struct("Wakeups").field("environments", &environments).finish_non_exhaustive()
    }
}

impl Wakeups {
    /// Notes that `environment` may get records from this worker.
    pub fn add(&self, environment: &Arc<Environment>) {
        let mut environments = self.environments.borrow_mut();
        if !environments.iter().any(|known| Arc::ptr_eq(known, environment)) {
            environments.push(Arc::clone(environment));
        }
    }

    /// Forgets the environments that `doomed` names by their id.
    pub fn forget(&self, doomed: impl Fn(u32) -> bool) {
        self.environments.borrow_mut().retain(|environment| !doomed(environment.id));
    }

    /// Whether there is something to announce.
    pub fn has_news(&self, worker: usize) -> bool {
        self.environments.borrow().iter().any(|known| known.inbox.has_news(worker))
    }

    /// Announces the records of `worker`. Whether JavaScript hears of some.
    pub fn announce(&self, worker: usize) -> bool {
        let mut told = false;
        for environment in self.environments.borrow().iter() {
            if environment.inbox.has_news(worker) {
                told |= environment.inbox.announce(worker);
            }
        }
        told
    }
}
