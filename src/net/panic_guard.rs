//! What a panic costs: the connection that the code ran for, and nothing else.
//!
//! Nothing from the network panics. In case something does all the same, whatever a worker runs for one
//! connection, it runs in here, also what another thread runs inline:
//!
//! ```text
//!   guard(victim, work) ─── work returns ──► go on
//!          └─── work panics ──► victim.handle_panic() ──► go on with the next connection
//! ```
//!
//! Borrows of cells end while the stack is unwound. A guard stands where no cell of its victim is
//! borrowed, and none of the worker's that is needed to end it.
//!
//! Outside of it runs what is for no connection: the worker's own lists and its sleep. A panic there ends
//! all of the worker's connections, and the worker goes on without them (`worker.rs`).

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::context::{Victim, WorkerContext};

/// Nobody is ended: what panics is over already, or belongs to no connection.
#[derive(Debug)]
pub struct Nobody;

impl Victim for Nobody {
    fn handle_panic(&self, _context: &WorkerContext) {}
}

impl WorkerContext {
    /// Runs `work`; a panic in it ends `victim`, and gives nothing. (The hook has printed its message.)
    #[inline]
    pub fn guard<R>(&self, victim: &(impl Victim + ?Sized), work: impl FnOnce() -> R) -> Option<R> {
        let result = catch_unwind(AssertUnwindSafe(work)).ok();
        if result.is_none() {
            self.punish(victim);
        }
        result
    }

    #[cold]
    fn punish(&self, victim: &(impl Victim + ?Sized)) {
        // If this panics too, the second time does the rest: no step is done twice.
        for _ in 0..2 {
            if catch_unwind(AssertUnwindSafe(|| victim.handle_panic(self))).is_ok() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;
    use std::sync::Arc;

    use super::*;
    use crate::id::Slot;
    use crate::net::context::Wire;
    use crate::net::mailbox::Mailbox;
    use crate::net::selector::Selector;

    /// Panics at whatever it is asked, and again at its end, once.
    #[derive(Default)]
    struct Bad {
        ends: Cell<u32>,
    }

    impl Victim for Bad {
        fn handle_panic(&self, _context: &WorkerContext) {
            self.ends.set(self.ends.get() + 1);
            assert_ne!(self.ends.get(), 1, "the first time");
        }
    }

    impl Wire for Bad {
        fn flush(&self, _context: &WorkerContext) {
            panic!("on purpose");
        }
        fn resume(&self, _context: &WorkerContext, _own: &dyn Fn() -> usize) -> bool {
            panic!("on purpose");
        }
        fn finish(&self, _context: &WorkerContext) {
            panic!("on purpose");
        }
        fn is_gone(&self) -> bool {
            false
        }
        fn environment_id(&self) -> u32 {
            1
        }
        fn token(&self) -> u32 {
            1
        }
        fn client(&self) -> Option<Slot> {
            None
        }
    }

    /// Counts what it is asked.
    #[derive(Default)]
    struct Good {
        asked: Cell<u32>,
        ends: Cell<u32>,
    }

    impl Victim for Good {
        fn handle_panic(&self, _context: &WorkerContext) {
            self.ends.set(self.ends.get() + 1);
        }
    }

    impl Wire for Good {
        fn flush(&self, _context: &WorkerContext) {
            self.asked.set(self.asked.get() + 1);
        }
        fn resume(&self, _context: &WorkerContext, _own: &dyn Fn() -> usize) -> bool {
            self.asked.set(self.asked.get() + 1);
            true
        }
        fn finish(&self, _context: &WorkerContext) {
            self.asked.set(self.asked.get() + 1);
        }
        fn is_gone(&self) -> bool {
            false
        }
        fn environment_id(&self) -> u32 {
            1
        }
        fn token(&self) -> u32 {
            1
        }
        fn client(&self) -> Option<Slot> {
            None
        }
    }

    #[test]
    fn each_list_goes_on_behind_who_panics() {
        let (selector, parker) = Selector::new().unwrap();
        let mailboxes = Arc::from([Arc::new(Mailbox::new(parker))]);
        let context =
            WorkerContext::new(0, mailboxes, selector.registry().unwrap(), Arc::default());
        let (bad, good) = (Rc::new(Bad::default()), Rc::new(Good::default()));
        let all = || -> [Rc<dyn Wire>; 3] {
            [Rc::<Good>::clone(&good), Rc::<Bad>::clone(&bad), Rc::<Good>::clone(&good)]
        };
        let walks: [&dyn Fn(); 3] = [
            &|| {
                for wire in all() {
                    context.add_dirty(wire);
                }
                context.flush_dirty();
            },
            &|| {
                for wire in all() {
                    context.add_stalled(wire);
                }
                context.resume(|wire| wire.resume(&context, &|| 0));
            },
            &|| {
                for wire in all() {
                    context.watch_closing(1, wire);
                }
                context.drop_wires(|_| true);
            },
        ];
        for walk in walks {
            good.asked.set(0);
            bad.ends.set(0);
            walk();
            // Its end panicked the first time, so it was tried once more.
            assert_eq!((good.asked.get(), good.ends.get(), bad.ends.get()), (2, 0, 2));
        }
    }
}
