//! Functions of JavaScript that are called by the event loop, as Node.js calls its own callbacks: ticks and
//! microtasks run when one returns, and what it throws is an uncaught exception.

use std::ffi::CStr;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

use napi::bindgen_prelude::Function;
use napi::{Env, Error, JsError, JsValue as _, Result, sys};
use smallvec::SmallVec;

/// The name by which `async_hooks` shows it.
const NAME: &CStr = c"ferrosocket";

/// Two functions, with the asynchronous context of their making. They belong to one thread.
pub struct Callback {
    env: sys::napi_env,
    functions: [sys::napi_ref; 2],
    context: sys::napi_async_context,
}

/// Which of the two is called, and with what.
#[derive(Debug)]
pub struct Call {
    /// Which of them.
    pub second: bool,
    /// Handles of the scope in which they are asked for.
    pub arguments: SmallVec<[sys::napi_value; 5]>,
}

impl fmt::Debug for Callback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Callback").finish_non_exhaustive()
    }
}

impl Callback {
    /// The functions are held until this is dropped, on the same thread.
    pub fn new(env: Env, functions: [&Function<'_, (), ()>; 2]) -> Option<Self> {
        let env = env.raw();
        let (mut name, mut context) = (ptr::null_mut(), ptr::null_mut());
        let done = |status| (status == sys::Status::napi_ok).then_some(());
        #[expect(unsafe_code, reason = "functions of Node.js without wrappers")]
        // SAFETY: this is called by JavaScript, so there is a scope for handles; all pointers are places for
        // answers, or answers.
        unsafe {
            let text = NAME.to_bytes().len().cast_signed();
            done(sys::napi_create_string_latin1(env, NAME.as_ptr(), text, &raw mut name))?;
            done(sys::napi_async_init(env, ptr::null_mut(), name, &raw mut context))?;
            // What is there when one fails is given back.
            let mut callback = Self { env, functions: [ptr::null_mut(); 2], context };
            for (function, reference) in functions.into_iter().zip(&mut callback.functions) {
                done(sys::napi_create_reference(env, function.raw(), 1, &raw mut *reference))?;
            }
            Some(callback)
        }
    }

    /// Makes the call that `make` says; an error of that is an uncaught exception, too. To be used where no
    /// JavaScript is running.
    pub fn call(&self, make: impl FnOnce(&Env) -> Result<Call>) {
        let env = self.env;
        let (mut scope, mut callback) = (ptr::null_mut(), ptr::null_mut());
        let done = |status| status == sys::Status::napi_ok;
        #[expect(unsafe_code, reason = "functions of Node.js without wrappers")]
        // SAFETY: the environment is alive, as this is; the scopes are closed in the order in which they were opened,
        // and the handles do not outlive theirs.
        unsafe {
            if !done(sys::napi_open_handle_scope(env, &raw mut scope)) {
                return;
            }
            // Closing this is what runs ticks and microtasks. `napi_make_callback` would catch what they throw,
            // and they would not go on behind it.
            if done(sys::napi_open_callback_scope(
                env,
                ptr::null_mut(),
                self.context,
                &raw mut callback,
            )) {
                // The scopes are closed whatever happens.
                let make = || make(&Env::from_raw(env));
                let call = catch_unwind(AssertUnwindSafe(make));
                match call.unwrap_or_else(|_| Err(Error::from_reason("the addon has panicked"))) {
                    Ok(call) => self.call_in_scope(&call),
                    Err(error) => {
                        let error = JsError::from(error).into_value(env);
                        let _status = sys::napi_fatal_exception(env, error);
                    }
                }
                let _status = sys::napi_close_callback_scope(env, callback);
            }
            let _status = sys::napi_close_handle_scope(env, scope);
        }
    }

    fn call_in_scope(&self, call: &Call) {
        let (env, reference) = (self.env, self.functions[usize::from(call.second)]);
        let (mut function, mut this, mut result, mut error) =
            (ptr::null_mut(), ptr::null_mut(), ptr::null_mut(), ptr::null_mut());
        #[expect(unsafe_code, reason = "functions of Node.js without wrappers")]
        // SAFETY: as above; the reference is there as long as this is.
        unsafe {
            let _status = sys::napi_get_reference_value(env, reference, &raw mut function);
            let _status = sys::napi_get_undefined(env, &raw mut this);
            let status = sys::napi_call_function(
                env,
                this,
                function,
                call.arguments.len(),
                call.arguments.as_ptr(),
                &raw mut result,
            );
            if status == sys::Status::napi_pending_exception
                && sys::napi_get_and_clear_last_exception(env, &raw mut error)
                    == sys::Status::napi_ok
            {
                let _status = sys::napi_fatal_exception(env, error);
            }
        }
    }
}

impl Drop for Callback {
    fn drop(&mut self) {
        #[expect(unsafe_code, reason = "functions of Node.js without wrappers")]
        // SAFETY: this is the thread of the environment, which is alive, and both are there as long as this is.
        unsafe {
            for reference in self.functions {
                if !reference.is_null() {
                    let _status = sys::napi_delete_reference(self.env, reference);
                }
            }
            let _status = sys::napi_async_destroy(self.env, self.context);
        }
    }
}
