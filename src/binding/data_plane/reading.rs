//! JavaScript's thread reads the sockets of workers, while it has time (`net/reader.rs`).
//!
//! ```text
//!   a socket is ready ─► the selector of its worker can be read ─► libuv calls `on_ready`
//!      read all that is ready, with the worker's code and data, while its thread sleeps
//!      Border.drain: the handlers run, then ticks; what they send is written in the tick
//! ```
//!
//! The records go through the inbox as always, so order and bounds are those of records that a worker has
//! read; but nobody is woken for them.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::sync::Arc;

use napi::Env;

use super::shared::Shared;
use crate::binding::descriptor_watch::DescriptorWatch;
use crate::net::clock::now_micros;
use crate::net::reader::Reader;
use crate::net::reader_policy::{Change, Hands, JavaScriptSide, Turn};
use crate::net::runtime::Runtime;
use crate::net::server::Environment;

/// What JavaScript's thread needs in order to read. There is one from waking up to falling asleep.
pub(super) struct Reading {
    env: Env,
    shared: Arc<Shared>,
    environment: Arc<Environment>,
    /// Has JavaScript handle what was read.
    drain: RefCell<Option<Rc<dyn Fn()>>>,
    sides: RefCell<Vec<Side>>,
    /// For how many microseconds JavaScript has worked for records.
    busy: Cell<u64>,
    /// When it took those that it works for now; none: it does not, or `on_ready` counts.
    since: Cell<Option<u64>>,
    /// Since when it reads, and has what was read handled; none: it does not.
    reads_since: Cell<Option<u64>>,
}

/// One worker.
struct Side {
    state: JavaScriptSide,
    watch: Option<DescriptorWatch>,
}

impl Side {
    /// Asks the policy, and does what it says.
    fn ask(
        &mut self,
        reading: &Rc<Reading>,
        runtime: &Runtime,
        worker: usize,
        ask: impl FnOnce(&mut JavaScriptSide, &Reader) -> Change,
    ) {
        let reader = runtime.reader(worker);
        let change = ask(&mut self.state, reader);
        let mut hands = EventLoop { reading, runtime, worker, watch: &mut self.watch };
        self.state.carry_out(change, reader, &mut hands);
    }
}

/// The event loop of this thread.
struct EventLoop<'a> {
    reading: &'a Rc<Reading>,
    runtime: &'a Runtime,
    worker: usize,
    watch: &'a mut Option<DescriptorWatch>,
}

impl Hands for EventLoop<'_> {
    fn watch(&mut self) -> bool {
        if self.watch.is_none() {
            let (reading, worker) = (Rc::downgrade(self.reading), self.worker);
            let on_ready = move || {
                if let Some(reading) = Weak::upgrade(&reading) {
                    reading.on_ready(worker);
                }
            };
            let Ok(descriptor) = self.runtime.selector_descriptor(worker) else { return false };
            *self.watch = DescriptorWatch::new(self.reading.env, descriptor, on_ready);
        }
        self.watch.as_ref().is_some_and(DescriptorWatch::start)
    }

    fn leave(&mut self) {
        if let Some(watch) = self.watch {
            watch.stop();
        }
    }

    fn wake(&mut self) {
        self.runtime.wake(self.worker);
    }
}

impl Reading {
    pub(super) fn new(
        env: Env,
        shared: Arc<Shared>,
        environment: Arc<Environment>,
        drain: Rc<dyn Fn()>,
    ) -> Rc<Self> {
        Rc::new(Self {
            env,
            shared,
            environment,
            drain: RefCell::new(Some(drain)),
            sides: RefCell::default(),
            busy: Cell::new(0),
            since: Cell::new(None),
            reads_since: Cell::new(None),
        })
    }

    /// Records of these workers (one bit each) have been taken.
    pub(super) fn handle_records(self: &Rc<Self>, runtime: &Runtime, workers: u32) {
        let now = self.reads_since.get().unwrap_or_else(|| {
            let now = now_micros();
            self.since.set(Some(now));
            now
        });
        for worker in (0..runtime.workers()).filter(|worker| workers & (1 << worker) != 0) {
            {
                let mut sides = self.sides.borrow_mut();
                while sides.len() <= worker {
                    let state = JavaScriptSide::new(runtime.reader(sides.len()));
                    sides.push(Side { state, watch: None });
                }
            }
            self.ask_side(runtime, worker, |side, reader, busy| {
                side.handle_records(reader, now, busy)
            });
        }
    }

    /// What the handlers of the last records have sent is written.
    pub(super) fn handle_written(&self) {
        if let Some(since) = self.since.take() {
            self.count_busy(since, now_micros());
        }
    }

    /// Ends: JavaScript's environment does, or no server is open. Workers that are there read by themselves.
    pub(super) fn end(self: &Rc<Self>) {
        let runtime = self.shared.runtime();
        for (worker, mut side) in self.sides.take().into_iter().enumerate() {
            if let Some(runtime) = &runtime
                && worker < runtime.workers()
            {
                side.ask(self, runtime, worker, JavaScriptSide::end);
            }
        }
        drop(self.drain.take());
    }

    fn count_busy(&self, since: u64, now: u64) {
        self.busy.set(self.busy.get() + now.saturating_sub(since));
    }

    fn leave(&self, worker: usize) {
        if let Some(Side { watch: Some(watch), .. }) = self.sides.borrow().get(worker) {
            watch.stop();
        }
    }

    /// A socket of `worker` is ready.
    fn on_ready(self: &Rc<Self>, worker: usize) {
        let Some(runtime) = self.shared.runtime() else { return self.leave(worker) };
        if worker >= runtime.workers() {
            return self.leave(worker);
        }
        let began = now_micros();
        let (turn, has_news) = self.environment.inbox.while_awake(|| runtime.read(worker, began));
        let turn = match turn {
            Turn::Done { .. } => Turn::Done { useful: has_news },
            turn @ (Turn::NotMine | Turn::Contended) => turn,
        };
        self.ask_side(&runtime, worker, |side, reader, busy| {
            side.handle_ready(reader, began, busy, turn)
        });
        // What runs now may close the last server, and waits for the end of the workers then.
        drop(runtime);
        if has_news {
            self.handle_news(began);
        } else if !matches!(turn, Turn::Done { .. }) {
            return;
        }
        // Also where nothing has come for JavaScript: clients can send much that it never hears of, and the
        // time that it takes to read that counts.
        let now = now_micros();
        self.count_busy(began, now);
        if let Some(runtime) = self.shared.runtime() {
            self.ask_side(&runtime, worker, |side, reader, busy| {
                side.handle_done(reader, now, busy)
            });
        }
    }

    /// Has what was read handled.
    fn handle_news(&self, began: u64) {
        let drain = self.drain.borrow().clone();
        let Some(drain) = drain else { return };
        self.reads_since.set(Some(began));
        drain();
        self.reads_since.set(None);
    }

    fn ask_side(
        self: &Rc<Self>,
        runtime: &Runtime,
        worker: usize,
        ask: impl FnOnce(&mut JavaScriptSide, &Reader, u64) -> Change,
    ) {
        if let Some(side) = self.sides.borrow_mut().get_mut(worker) {
            let busy = self.busy.get();
            side.ask(self, runtime, worker, |state, reader| ask(state, reader, busy));
        }
    }
}
