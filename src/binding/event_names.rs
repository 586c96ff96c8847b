//! Names of events that have come before. JavaScript has them in an array, and is told the place instead of a new string,
//! which V8 would have to make, and to look up in its table of names.
//!
//! What this must not change: at the place of a name there is that name. It is put there before the place is noted here,
//! nobody else writes there, and what is noted is compared with what comes, so another name of the same hash is another name.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::hash::{Hash as _, Hasher as _};

use napi::bindgen_prelude::{JsObjectValue as _, Object, ObjectRef};
use napi::{Env, Result};
use rustc_hash::FxHasher;

/// How many are kept: clients can send any names, so there is a bound.
const PLACES: usize = 64;
/// A longer one is no name that a program waits for.
const LONGEST: usize = 64;
/// So often another name has to come to a place before it gets that, if the one that is there does not come meanwhile.
const PATIENCE: u8 = 16;

/// The names, and the array that JavaScript has them in. It belongs to one thread.
pub struct EventNames {
    env: Env,
    array: Option<ObjectRef<false>>,
    places: [Place; PLACES],
}

#[derive(Default)]
struct Place {
    name: RefCell<Box<str>>,
    is_taken: Cell<bool>,
    missed: Cell<u8>,
}

impl fmt::Debug for EventNames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventNames").finish_non_exhaustive()
    }
}

impl EventNames {
    /// `array` is to be used for nothing else.
    ///
    /// # Errors
    /// When Node.js can't hold it.
    pub fn new(env: Env, array: &Object<'_>) -> Result<Self> {
        let places = std::array::from_fn(|_| Place::default());
        Ok(Self { env, array: Some(array.create_ref()?), places })
    }

    /// Where in the array this name is, which is ASCII. None: it is not there.
    ///
    /// # Errors
    /// When V8 has no memory for it.
    pub fn place(&self, name: &str) -> Result<Option<u32>> {
        if name.len() > LONGEST {
            return Ok(None);
        }
        let (number, place) = self.find(name);
        if !place.comes(name) {
            if !place.gives_way() {
                return Ok(None);
            }
            let Some(array) = &self.array else { return Ok(None) };
            place.is_taken.set(false);
            let mut array = array.get_value(&self.env)?;
            array.set_element(number, self.env.create_string_latin1(name.as_bytes())?)?;
            place.take(name);
        }
        Ok(Some(number))
    }

    fn find(&self, name: &str) -> (u32, &Place) {
        let mut hasher = FxHasher::default();
        name.hash(&mut hasher);
        let number = u32::try_from(hasher.finish() % PLACES as u64).unwrap_or_default();
        (number, &self.places[number as usize])
    }
}

impl Drop for EventNames {
    fn drop(&mut self) {
        if let Some(array) = self.array.take() {
            // It fails when the environment is ending, and is nobody's then.
            let _ending = array.unref(&self.env);
        }
    }
}

impl Place {
    /// Whether it is the name that is here.
    fn comes(&self, name: &str) -> bool {
        let comes = self.is_taken.get() && **self.name.borrow() == *name;
        if comes {
            self.missed.set(0);
        }
        comes
    }

    /// Whether another may have the place, for which it asks.
    fn gives_way(&self) -> bool {
        let missed = self.missed.get() + 1;
        self.missed.set(missed % PATIENCE);
        !self.is_taken.get() || missed == PATIENCE
    }

    fn take(&self, name: &str) {
        *self.name.borrow_mut() = name.into();
        self.is_taken.set(true);
        self.missed.set(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_for_a_name_that_comes_again_and_again() {
        let place = Place::default();
        assert!(!place.comes("") && place.gives_way());
        place.take("a");
        assert!(place.comes("a") && !place.comes("b"));
        for _ in 1..PATIENCE {
            assert!(!place.gives_way());
        }
        assert!(place.comes("a"));
        for _ in 1..PATIENCE {
            assert!(!place.gives_way());
        }
        assert!(place.gives_way());
        place.take("b");
        assert!(place.comes("b") && !place.comes("a"));
    }
}
