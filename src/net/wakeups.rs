//! When JavaScript is woken: once a worker has looked at all sockets that were ready, its turn.
//!
//! ```text
//!   epoll ─► ready sockets ─► read ─► records ─┬─► the next ready socket …
//!                                              └─► first ones of this turn: queue the announcement
//!                     behind all that is ready ─► announce ─► JavaScript wakes up once
//! ```
//!
//! Waking a thread costs more than reading a socket. A worker that woke JavaScript at the first record
//! would have to do so again for nearly each of those that follow at once.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::sync::Arc;
use std::task::{self, Waker};

use super::server::Environment;

/// Wakes the environments that have something to hear at the end of a turn.
#[derive(Default)]
pub struct Wakeups {
    /// The environments that have or had connections here.
    environments: RefCell<Vec<Arc<Environment>>>,
    /// The task that announces.
    waker: RefCell<Option<Waker>>,
    /// Whether that task is queued.
    queued: Cell<bool>,
}

impl fmt::Debug for Wakeups {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wakeups").field("queued", &self.queued).finish_non_exhaustive()
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

    /// A socket of `worker` has been looked at: its records are announced behind all sockets that are ready
    /// now, if there are any.
    #[inline]
    pub fn announce_soon(&self, worker: usize) {
        if !self.queued.get()
            && self.environments.borrow().iter().any(|known| known.inbox.has_news(worker))
        {
            self.queued.set(true);
            if let Some(waker) = self.waker.borrow().as_ref() {
                waker.wake_by_ref();
            }
        }
    }

    /// Announces the records of `worker`.
    pub fn announce(&self, worker: usize) {
        self.queued.set(false);
        for environment in self.environments.borrow().iter() {
            if environment.inbox.has_news(worker) {
                environment.inbox.announce(worker);
            }
        }
    }

    /// The task of `cx` announces: it is woken when there is something to announce.
    pub fn watch(&self, cx: &mut task::Context<'_>) {
        let mut waker = self.waker.borrow_mut();
        if !waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            *waker = Some(cx.waker().clone());
        }
    }
}
