//! The worker threads of the process.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::clock;
use super::command::Command;
use super::mailbox::Mailbox;
use super::metrics::WorkerMetrics;
use super::operation_batch::OperationBatch;
use super::reader::{Preference, Reader};
use super::reader_policy::Turn;
use super::selector::Selector;
use super::sockets::Sockets;
use super::worker::{self, Inline, SharedWorker};
use crate::id::Handle;

/// Workers made when nobody asks for a number: all cores but the one of JavaScript, at most 4.
const MAX_DEFAULT_WORKERS: usize = 4;
/// Who waits for a worker looks again after this time.
const LOOK_AGAIN: Duration = Duration::from_micros(50);

/// The threads of the data plane. One per process, shared by all servers and environments;
/// dropping the last `Arc` stops the threads and waits for their end.
#[derive(Debug)]
pub struct Runtime {
    workers: Vec<WorkerThread>,
    next: AtomicUsize,
}

#[derive(Debug)]
struct WorkerThread {
    mailbox: Arc<Mailbox>,
    lock: Arc<SharedWorker>,
    sockets: Arc<Sockets>,
    thread: Option<JoinHandle<()>>,
}

static RUNTIME: Mutex<Weak<Runtime>> = Mutex::new(Weak::new());

impl Runtime {
    /// The runtime of the process; started with `workers` threads (0: the default number) when
    /// there is none. `preference`: who reads the sockets then, as long as nobody else acquires it.
    ///
    /// # Errors
    /// When the operating system gives no thread or no event queue.
    pub fn acquire(workers: usize, preference: Preference) -> std::io::Result<Arc<Self>> {
        let mut shared = RUNTIME.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(runtime) = shared.upgrade() {
            // From now on there are sockets of several threads of JavaScript: none of them reads.
            for worker in 0..runtime.workers() {
                if runtime.reader(worker).fix() {
                    runtime.wake(worker);
                }
            }
            return Ok(runtime);
        }
        let runtime = Arc::new(Self::start(workers, preference)?);
        *shared = Arc::downgrade(&runtime);
        Ok(runtime)
    }

    fn start(workers: usize, preference: Preference) -> std::io::Result<Self> {
        let count = match workers {
            0 => default_workers(),
            n => n.min(Handle::MAX_WORKERS),
        };
        let mut runtime = Self { workers: Vec::with_capacity(count), next: AtomicUsize::new(0) };
        let mut selectors = Vec::with_capacity(count);
        let mut mailboxes = Vec::with_capacity(count);
        for _ in 0..count {
            let (selector, parker) = Selector::new()?;
            let registry = selector.registry()?;
            selectors.push((registry, Arc::new(Sockets::new(selector, preference)?)));
            mailboxes.push(Arc::new(Mailbox::new(parker)));
        }
        let mailboxes: Arc<[Arc<Mailbox>]> = mailboxes.into();
        for (index, (registry, sockets)) in selectors.into_iter().enumerate() {
            let mailbox = Arc::clone(&mailboxes[index]);
            let for_thread = Arc::clone(&mailboxes);
            let for_worker = Arc::clone(&sockets);
            let (started, wait) = mpsc::channel();
            let thread =
                thread::Builder::new().name(format!("ferrosocket-{index}")).spawn(move || {
                    worker::thread::run(index, for_thread, for_worker, registry, |lock| {
                        // Nobody listens any more only if the caller has failed already.
                        let _gone = started.send(lock);
                    });
                })?;
            let lock = wait.recv().map_err(|_| std::io::ErrorKind::Other)?;
            runtime.workers.push(WorkerThread { mailbox, lock, sockets, thread: Some(thread) });
        }
        Ok(runtime)
    }

    /// Number of workers.
    pub fn workers(&self) -> usize {
        self.workers.len()
    }

    /// The mailbox of a worker.
    pub fn mailbox(&self, worker: usize) -> &Mailbox {
        &self.workers[worker].mailbox
    }

    /// Has a worker do what `batch` asks for, which is left empty; `buffer`: what lends to it. While the worker sleeps, what
    /// is little work is done inline, on this thread, before this returns: to wake it would cost more.
    /// Gives whether it has been woken.
    pub fn hand_over(&self, worker: usize, batch: &mut OperationBatch, buffer: &[u8]) -> bool {
        let thread = &self.workers[worker];
        let reads = thread.sockets.reader.is_javascript();
        let done =
            batch.may_run_inline(reads) && thread.lock.try_run(Inline::Perform(batch, buffer));
        if !done {
            thread.mailbox.post(batch, buffer);
        }
        !done
    }

    /// Who reads the sockets of a worker.
    pub fn reader(&self, worker: usize) -> &Reader {
        &self.workers[worker].sockets.reader
    }

    /// What a worker counts of itself.
    pub fn metrics(&self, worker: usize) -> &WorkerMetrics {
        &self.workers[worker].sockets.metrics
    }

    /// Reads the sockets of a worker, on this thread, that of JavaScript, if they are its; `now`: in microseconds.
    pub fn read(&self, worker: usize, now: u64) -> Turn {
        let thread = &self.workers[worker];
        if !thread.sockets.reader.is_javascript() {
            return Turn::NotMine;
        }
        let mut turn = Turn::Contended;
        thread.lock.try_run(Inline::Read(&mut turn, now));
        turn
    }

    /// A descriptor of its own that can be read while a socket of the worker is ready.
    ///
    /// # Errors
    /// When the limit of open files is reached.
    #[cfg(unix)]
    pub fn selector_descriptor(&self, worker: usize) -> std::io::Result<std::os::fd::OwnedFd> {
        self.workers[worker].sockets.descriptor.try_clone()
    }

    /// Has a worker look what there is to do.
    pub fn wake(&self, worker: usize) {
        self.workers[worker].mailbox.parker.unpark();
    }

    /// Waits until the workers have done, and written, what they have been told: at most so many milliseconds, as one
    /// that always has something to do never sleeps.
    pub fn settle(&self, most: u64) {
        let end = clock::now() + most;
        for WorkerThread { mailbox, lock, .. } in &self.workers {
            // What it has taken out of its mailbox is done when it sleeps.
            while !(mailbox.is_closed() || mailbox.is_empty() && lock.try_run(Inline::Nothing)) {
                if clock::now() >= end {
                    return;
                }
                thread::sleep(LOOK_AGAIN);
            }
        }
    }

    /// The worker for the next new session: each in turn, except those that have ended. (When none is left,
    /// the session is refused.)
    pub fn pick(&self) -> usize {
        let count = self.workers.len();
        let first = self.next.fetch_add(1, Ordering::Relaxed);
        let mut each = (first..first.wrapping_add(count)).map(|next| next % count);
        each.find(|&worker| !self.workers[worker].mailbox.is_closed()).unwrap_or(first % count)
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        for worker in &self.workers {
            worker.mailbox.post_command(Command::Stop);
        }
        for worker in &mut self.workers {
            if let Some(thread) = worker.thread.take() {
                // A worker that panicked has said so on stderr; there is nothing to add.
                let _panicked = thread.join();
            }
        }
    }
}

fn default_workers() -> usize {
    let cores = thread::available_parallelism().map_or(2, NonZeroUsize::get);
    cores.saturating_sub(1).clamp(1, MAX_DEFAULT_WORKERS)
}
