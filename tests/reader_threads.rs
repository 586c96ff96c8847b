//! All orders in which a worker, JavaScript and what comes from outside can come, while the sockets change hands: `loom`
//! runs the files of the network floor, with parts of its own in the place of threads, atomics and the selector.
//!
//! It finds something that nobody reads, because both believe that the other one looks, and a thread that waits for ever.
//! (That one of them alone may ask the selector is what its mutex is for.)
#![cfg(feature = "net")]
#![expect(unsafe_code, reason = "a lock is made by an unsafe function")]
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

/// What the files are made of here.
mod sync {
    pub(crate) use loom::cell::UnsafeCell;
    pub(crate) use loom::sync::atomic::{AtomicU8, AtomicU32, Ordering};

    /// To ask before it waits changes nothing but how often it waits.
    pub(crate) const SPINS: u32 = 0;

    /// What ends a wait for sockets.
    pub(crate) type Waker = super::Ready;

    pub(crate) mod thread {
        pub(crate) use loom::thread::{ThreadId, park, yield_now};

        pub(crate) struct Thread(loom::thread::Thread);

        pub(crate) fn current() -> Thread {
            Thread(loom::thread::current())
        }

        impl Thread {
            pub(crate) fn id(&self) -> ThreadId {
                self.0.id()
            }

            pub(crate) fn unpark(&self) {
                self.0.unpark();
            }
        }
    }
}

#[path = "../src/net/parker.rs"]
#[expect(dead_code, reason = "not all of it is used here")]
#[expect(unreachable_pub, reason = "it is public where it belongs")]
mod parker;
#[path = "../src/net/reader.rs"]
#[expect(unreachable_pub, reason = "it is public where it belongs")]
#[expect(dead_code, reason = "not all of it is used here")]
mod reader;
#[path = "../src/net/sleep_lock.rs"]
#[expect(unreachable_pub, reason = "it is public where it belongs")]
#[expect(clippy::reversed_empty_ranges, reason = "nobody asks here, see `SPINS`")]
mod sleep_lock;

use std::rc::Rc;

use loom::cell::Cell;
use loom::model::Builder;
use loom::sync::{Arc, Condvar, Mutex, MutexGuard};
use loom::thread;
use parker::Parker;
use reader::{Preference, Reader};
use sleep_lock::{RunInline, SleepLock};

/// The selector, the inbox and the mailbox: each of them has locks of its own, which are not what is tried here.
#[derive(Clone)]
struct Ready(Arc<(Mutex<State>, Condvar, Condvar)>);

#[derive(Default)]
struct State {
    /// What has come by the sockets.
    unread: u32,
    /// The wait for the sockets is to end.
    woken: bool,
    /// Records that JavaScript has not taken; it is awake, or woken, while there are some.
    records: u32,
    /// JavaScript's event loop watches the selector.
    watching: bool,
    stop: bool,
}

impl Ready {
    fn new() -> Self {
        Self(Arc::new((Mutex::new(State::default()), Condvar::new(), Condvar::new())))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.0.lock().unwrap()
    }

    /// Both may wait for the sockets.
    fn arrive(&self) {
        self.state().unread += 1;
        self.0.1.notify_one();
        self.0.2.notify_one();
    }

    /// As the waker of the selector does.
    #[expect(clippy::unnecessary_wraps, reason = "that of the system may fail")]
    pub(crate) fn wake(&self) -> Result<(), ()> {
        self.state().woken = true;
        self.0.1.notify_one();
        Ok(())
    }

    /// The worker waits in the selector.
    fn wait(&self) {
        let mut state = self.state();
        while state.unread == 0 && !state.woken {
            state = self.0.1.wait(state).unwrap();
        }
        state.woken = false;
    }

    /// JavaScript waits in its event loop; gives whether it was for a socket.
    fn wait_as_javascript(&self) -> bool {
        let mut state = self.state();
        loop {
            if state.records > 0 {
                return false;
            }
            if state.watching && state.unread > 0 {
                return true;
            }
            state = self.0.2.wait(state).unwrap();
        }
    }

    /// Reads what has come; the records are announced.
    fn read(&self) -> u32 {
        let mut state = self.state();
        let count = std::mem::take(&mut state.unread);
        state.records += count;
        self.0.2.notify_one();
        count
    }
}

/// The worker's data.
struct Worker {
    ready: Ready,
    reader: Arc<Reader>,
    turns: Cell<u32>,
}

// SAFETY: it depends on no thread, and nothing of it is left behind.
unsafe impl RunInline for Rc<Worker> {
    type Work<'a> = &'a mut bool;

    /// JavaScript reads; gives whether the sockets are its.
    fn run_inline(&self, mine: &mut bool) -> bool {
        *mine = self.reader.is_javascript();
        if *mine {
            self.turn();
        }
        true
    }
}

impl Worker {
    fn turn(&self) {
        self.turns.set(self.turns.get() + 1);
        self.ready.read();
    }
}

fn run_worker(
    ready: &Ready,
    reader: &Arc<Reader>,
    parker: &Parker,
    started: impl FnOnce(Arc<SleepLock<Rc<Worker>>>),
) {
    let (for_worker, readers) = (ready.clone(), Arc::clone(reader));
    let worker = Rc::new(Worker { ready: for_worker, reader: readers, turns: Cell::new(0) });
    // SAFETY: the owner touches it only while it holds the lock.
    let lock = Arc::new(unsafe { SleepLock::new(Rc::clone(&worker)) });
    parker.set_thread(sync::thread::current());
    started(Arc::clone(&lock));
    loop {
        if reader.is_javascript() {
            if parker.try_park_apart() {
                lock.release();
                while parker.is_apart() && reader.is_javascript() {
                    sync::thread::park();
                }
                parker.listen();
                lock.acquire();
            }
        } else if parker.try_park() {
            lock.release();
            ready.wait();
            parker.listen();
            lock.acquire();
        }
        parker.listen();
        if ready.state().stop {
            return lock.retire();
        }
        if !reader.is_javascript() {
            if ready.state().unread > 0 {
                reader.hand_over();
            }
            worker.turn();
        }
    }
}

/// What JavaScript does with the sockets when it has taken the record before the last.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Last {
    Keeps,
    GivesBack,
    Lends,
}

/// JavaScript, which has `expected` records to take and then tells the worker to stop. It asks for the sockets when it
/// takes the first.
fn run_javascript(
    ready: &Ready,
    reader: &Reader,
    parker: &Parker,
    lock: &SleepLock<Rc<Worker>>,
    expected: u32,
    last: Last,
) {
    let mut taken = 0;
    while taken < expected {
        if ready.wait_as_javascript() {
            let mut mine = true;
            let done = lock.try_run(&mut mine);
            if !mine {
                ready.state().watching = false;
            } else if !done {
                thread::yield_now();
            }
        }
        let records = std::mem::take(&mut ready.state().records);
        if records == 0 {
            continue;
        }
        taken += records;
        if reader.is_javascript() {
            if last != Last::Keeps && taken + 1 == expected {
                ready.state().watching = false;
                let had = if last == Last::Lends { reader.lend() } else { reader.give_back() };
                if had {
                    parker.unpark();
                }
            } else {
                ready.state().watching = true;
            }
        } else {
            ready.state().watching = false;
            reader.ask();
        }
    }
    ready.state().stop = true;
    parker.unpark();
}

fn check(arrivals: u32, last: Last, fixes: bool, switches: usize) {
    let mut model = Builder::new();
    model.preemption_bound = Some(switches);
    model.check(move || {
        let ready = Ready::new();
        let reader = Arc::new(Reader::new(Preference::Load));
        let parker = Arc::new(Parker::new(ready.clone()));
        let place = Arc::new((Mutex::new(None), Condvar::new()));
        let worker = {
            let (ready, reader, parker) = (ready.clone(), Arc::clone(&reader), Arc::clone(&parker));
            let place = Arc::clone(&place);
            thread::spawn(move || {
                run_worker(&ready, &reader, &parker, |lock| {
                    *place.0.lock().unwrap() = Some(lock);
                    place.1.notify_one();
                });
            })
        };
        let lock = {
            let mut lock = place.0.lock().unwrap();
            loop {
                if let Some(lock) = lock.take() {
                    break lock;
                }
                lock = place.1.wait(lock).unwrap();
            }
        };
        let outside = {
            let (ready, reader, parker) = (ready.clone(), Arc::clone(&reader), Arc::clone(&parker));
            thread::spawn(move || {
                for _ in 0..arrivals {
                    ready.arrive();
                }
                if fixes && reader.fix() {
                    parker.unpark();
                }
            })
        };
        run_javascript(&ready, &reader, &parker, &lock, arrivals, last);
        outside.join().unwrap();
        worker.join().unwrap();
    });
}

/// Their common name: sanitizers do not know how `loom` switches between threads.
mod model {
    use loom::sync::Arc;
    use loom::thread;

    use super::reader::{Preference, Reader};
    use super::{Last, check};

    #[test]
    fn what_comes_while_the_sockets_are_handed_over() {
        check(3, Last::Keeps, false, 2);
    }

    #[test]
    fn what_comes_while_they_are_given_back() {
        check(3, Last::GivesBack, false, 2);
    }

    #[test]
    fn what_comes_while_they_are_lent() {
        check(3, Last::Lends, false, 2);
    }

    #[test]
    fn who_has_given_back_does_not_get_them_any_more() {
        loom::model(|| {
            let reader = Arc::new(Reader::new(Preference::Load));
            assert!(reader.ask());
            let worker = {
                let reader = Arc::clone(&reader);
                thread::spawn(move || reader.hand_over())
            };
            let had = reader.give_back();
            assert_eq!(worker.join().unwrap(), had);
            assert!(!reader.is_javascript() && !reader.is_asked());
        });
    }

    #[test]
    fn what_comes_while_they_become_the_worker_s_for_good() {
        check(3, Last::Keeps, true, 2);
    }
}
