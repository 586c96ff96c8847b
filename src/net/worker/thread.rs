//! The thread of a worker: it waits, and gives the lock away meanwhile; then the worker has its turn.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use mio::Registry;

use super::{SharedWorker, Worker};
use crate::net::clock;
use crate::net::context::WorkerContext;
use crate::net::mailbox::Mailbox;
use crate::net::reader_policy::Watchdog;
use crate::net::selector::Wait;
use crate::net::sleep_lock::SleepLock;
use crate::net::sockets::Sockets;

/// How often the main loop of a worker may panic before the worker ends, on whichever thread: what panics so often
/// will go on to, and each time costs all connections.
const MAX_PANICS: u32 = 16;

/// Runs a worker on this thread until it is told to stop. `started` gets it when it can be asked for something.
///
/// `mailboxes`: those of all workers; `sockets` and `registry`: its own.
pub(in crate::net) fn run(
    index: usize,
    mailboxes: Arc<[Arc<Mailbox>]>,
    sockets: Arc<Sockets>,
    registry: Registry,
    started: impl FnOnce(Arc<SharedWorker>),
) {
    let context = WorkerContext::new(index, mailboxes, registry, Arc::clone(&sockets.metrics));
    let worker = Rc::new(Worker::new(context, Arc::clone(&sockets)));
    #[expect(unsafe_code, reason = "a worker is made of `Rc`s")]
    // SAFETY: this thread touches the worker, and what can be reached from it, only while it has the
    // lock. `Thread::wait` gives the lock away, uses nothing but what is the thread's own meanwhile, and
    // has it again when it returns.
    let lock = Arc::new(unsafe { SleepLock::new(Rc::clone(&worker)) });
    started(Arc::clone(&lock));
    let mailbox = Arc::clone(&worker.context.mailbox);
    mailbox.parker.set_thread(thread::current());
    sockets.metrics.set_thread();
    let mut thread = Thread { lock: Arc::clone(&lock), sockets, mailbox, watchdog: None };
    for _ in 0..MAX_PANICS {
        if matches!(catch_unwind(AssertUnwindSafe(|| thread.run(&worker))), Ok(true)) {
            return lock.retire();
        }
        worker.tell(format_args!("has panicked: its clients are closed, and it goes on"));
        worker.begin_anew();
    }
    // It would go on like that for ever. No new session comes here from now on.
    thread.sockets.reader.fix();
    worker.tell(format_args!("has panicked {MAX_PANICS} times and ends"));
    worker.context.mailbox.close(index);
    worker.lose_sockets();
    worker.announce_records();
    lock.retire();
}

/// What is the thread's and not the worker's: it is used while others have the lock.
struct Thread {
    lock: Arc<SharedWorker>,
    sockets: Arc<Sockets>,
    mailbox: Arc<Mailbox>,
    /// Looks whether JavaScript still comes, while that reads.
    watchdog: Option<Watchdog>,
}

impl Thread {
    /// True: it was told to stop. False: JavaScript's thread has panicked.
    fn run(&mut self, worker: &Worker) -> bool {
        loop {
            self.wait(worker);
            if worker.broken.take() {
                return false;
            }
            let mut selector = self.sockets.selector();
            worker.hear_all(&mut selector);
            if worker.turn().is_break() {
                worker.drop_clients(|_| true);
                return true;
            }
        }
    }

    /// Waits as long as the worker has nothing to do. The lock is free meanwhile, if that takes any time.
    fn wait(&mut self, worker: &Worker) {
        let wait = worker.fall_asleep();
        let hears = if self.sockets.reader.is_javascript() {
            if let Some(Wait::Until(deadline)) = wait {
                self.wait_apart(deadline);
            }
            // Those that wait for their turn have it here, whoever reads; while there are always some, this thread does
            // not look whether JavaScript comes, so it hears of the others. Before a deadline is fired, what has come
            // in time is read here, too.
            let reads = wait == Some(Wait::Never)
                || !self.sockets.reader.is_javascript()
                || worker.context.is_due(clock::now());
            self.sockets.look(reads);
            reads
        } else {
            self.watchdog = None;
            self.wait_for_sockets(wait);
            wait.is_some()
        };
        if wait.is_some() || hears {
            worker.wake_up(hears);
        }
    }

    fn wait_for_sockets(&self, wait: Option<Wait>) {
        let mut selector = self.sockets.selector();
        let Some(wait) = wait else { return selector.clear() };
        if matches!(wait, Wait::Until(_)) && self.mailbox.parker.try_park() {
            self.lock.release();
            selector.wait(wait);
            self.mailbox.parker.listen();
            self.lock.acquire();
        } else {
            // JavaScript may fill the mailbox as fast as we empty it, and the sockets must be read
            // all the same.
            selector.wait(Wait::Never);
        }
    }

    /// JavaScript reads: waits for what else there is to do, and looks whether JavaScript still comes. If it
    /// does not, the sockets are the worker's again.
    fn wait_apart(&mut self, deadline: Option<u64>) {
        let (sockets, parker) = (&*self.sockets, &self.mailbox.parker);
        let watchdog =
            self.watchdog.get_or_insert_with(|| Watchdog::new(&sockets.reader, clock::now()));
        if !parker.try_park_apart() {
            return;
        }
        self.lock.release();
        let mut reason = None;
        while reason.is_none() && parker.is_apart() && sockets.reader.is_javascript() {
            let now = clock::now();
            if deadline.is_some_and(|deadline| now >= deadline) {
                break;
            }
            if now >= watchdog.due() {
                reason = watchdog.look(now, sockets.reader.counts(), || sockets.are_ready());
            } else {
                let until = deadline.map_or(watchdog.due(), |at| at.min(watchdog.due()));
                thread::park_timeout(Duration::from_millis(until - now));
            }
        }
        parker.listen();
        self.lock.acquire();
        if reason.is_some() {
            sockets.reader.take_over();
            self.watchdog = None;
        }
    }
}
