//! The clock's end of a worker's sleep.

use std::pin::Pin;
use std::task;
use std::time::Duration;

use tokio::time::{Instant, Sleep};

use super::clock;

/// One timer of the executor, which wakes the main loop at the earliest deadline or before.
///
/// The executor is woken by a system call when a timer is set to go off earlier than all others, so
/// this one is set when it must go off earlier, and left as it is when it need not: then it goes
/// off once for nothing.
#[derive(Debug, Default)]
pub struct Alarm {
    timer: Option<Pin<Box<Sleep>>>,
    /// When it goes off, as long as it has not.
    set_for: Option<u64>,
}

impl Alarm {
    /// Sees to it that the task of `cx` is woken at `deadline` or before.
    pub fn set(&mut self, deadline: u64, cx: &mut task::Context<'_>) {
        let now = clock::now();
        if self.set_for.is_some_and(|at| now < at && at <= deadline) {
            return;
        }
        let left = Duration::from_millis(deadline.saturating_sub(now));
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(left)));
        timer.as_mut().reset(Instant::now() + left);
        // It may be over already.
        let over = Future::poll(timer.as_mut(), cx).is_ready();
        self.set_for = (!over).then_some(deadline);
        if over {
            cx.waker().wake_by_ref();
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the one timer that a worker has")]
fn sleep(left: Duration) -> Sleep {
    tokio::time::sleep(left)
}
