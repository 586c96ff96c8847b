//! Faults on purpose, for the tests: a panic at a place that has a name.
//!
//! Compiled in for unit tests and with the feature `faults` only.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

/// A place, and for whom it is to fail: the id of an environment, and a name there (a token or a handle).
pub type Fault = (&'static str, u32, u64);

/// The places that are to fail, each once, and for whom.
static ARMED: Mutex<Vec<Fault>> = Mutex::new(Vec::new());
/// How many there are, to be asked without the lock.
static COUNT: AtomicUsize = AtomicUsize::new(0);

/// Makes a place panic the next time that it is passed for whom it names.
pub fn arm(fault: Fault) {
    let mut armed = ARMED.lock().unwrap_or_else(PoisonError::into_inner);
    armed.push(fault);
    COUNT.store(armed.len(), Ordering::SeqCst);
}

/// Whether a fault that was asked for has not happened yet.
pub fn is_armed(fault: Fault) -> bool {
    ARMED.lock().unwrap_or_else(PoisonError::into_inner).contains(&fault)
}

/// Passes `place`.
///
/// # Panics
/// When it was armed.
pub fn pass(place: &'static str, environment: u32, name: impl Into<u64>) {
    if COUNT.load(Ordering::SeqCst) == 0 {
        return;
    }
    let mut armed = ARMED.lock().unwrap_or_else(PoisonError::into_inner);
    let fault = (place, environment, name.into());
    let found = armed.iter().position(|it| *it == fault);
    let Some(index) = found else { return };
    armed.swap_remove(index);
    COUNT.store(armed.len(), Ordering::SeqCst);
    drop(armed);
    #[expect(clippy::panic, reason = "what it is for")]
    {
        panic!("a fault that the test asked for: {place}");
    }
}
