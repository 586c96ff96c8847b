//! The event loop of a JavaScript thread, as far as an addon can reach into it: libuv's functions, which Node.js
//! shows to addons, looked up by name. Where one is missing nothing here does anything, and Node.js accepts all
//! connections.

use std::ffi::c_void;

use napi::bindgen_prelude::FunctionRef;
use napi::{Env, Result};

/// A function of JavaScript that is called at the end of each turn of the event loop, before it waits.
#[derive(Debug)]
pub struct TurnEnd(#[expect(dead_code, reason = "dropping it ends the calls")] imp::Prepare);

impl TurnEnd {
    /// Has `callback` called until this is dropped, or the environment ends. None: it can't be had here.
    ///
    /// # Errors
    /// When the environment is ending.
    pub fn new(env: &Env, callback: FunctionRef<(), ()>) -> Result<Option<Self>> {
        Ok(imp::Prepare::start(env, callback)?.map(Self))
    }
}

/// Has the event loop not look at a descriptor that it waits for. False: it does not wait for it (yet).
pub fn leave(env: &Env, fd: i32) -> bool {
    imp::control(env, fd, false)
}

/// Undoes that.
pub fn join(env: &Env, fd: i32) -> bool {
    imp::control(env, fd, true)
}

/// Whether all of that can be had.
pub fn is_there() -> bool {
    imp::is_there()
}

#[cfg(target_os = "linux")]
mod imp {
    use std::cell::RefCell;
    use std::ffi::c_int;
    use std::fmt;
    use std::rc::{Rc, Weak};
    use std::sync::OnceLock;

    use napi::bindgen_prelude::FunctionRef;
    use napi::{CleanupEnvHook, Env, Result, sys};

    use super::c_void;
    use crate::binding::symbols::symbol;

    /// What `uv_handle_size()` is asked for: `UV_PREPARE`.
    const PREPARE: c_int = 9;

    type Callback = extern "C" fn(handle: *mut c_void);

    /// Functions of libuv, as uv.h declares them.
    #[derive(Clone, Copy, Debug)]
    struct Functions {
        backend_fd: unsafe extern "C" fn(uv_loop: *const c_void) -> c_int,
        handle_size: unsafe extern "C" fn(kind: c_int) -> usize,
        prepare_init: unsafe extern "C" fn(uv_loop: *mut c_void, handle: *mut c_void) -> c_int,
        prepare_start: unsafe extern "C" fn(handle: *mut c_void, call: Callback) -> c_int,
        prepare_stop: unsafe extern "C" fn(handle: *mut c_void) -> c_int,
        unref: unsafe extern "C" fn(handle: *mut c_void),
        close: unsafe extern "C" fn(handle: *mut c_void, call: Callback),
    }

    fn functions() -> Option<Functions> {
        static FUNCTIONS: OnceLock<Option<Functions>> = OnceLock::new();
        *FUNCTIONS.get_or_init(|| {
            #[expect(unsafe_code, reason = "functions that are looked up by their names")]
            // SAFETY: libuv has kept these names and types since its version 1.0, `uv_handle_size()`
            // since 0.11; it is part of the program for as long as that runs.
            let functions = unsafe {
                Functions {
                    backend_fd: symbol(c"uv_backend_fd")?,
                    handle_size: symbol(c"uv_handle_size")?,
                    prepare_init: symbol(c"uv_prepare_init")?,
                    prepare_start: symbol(c"uv_prepare_start")?,
                    prepare_stop: symbol(c"uv_prepare_stop")?,
                    unref: symbol(c"uv_unref")?,
                    close: symbol(c"uv_close")?,
                }
            };
            #[expect(unsafe_code, reason = "a function that only reads its argument")]
            // SAFETY: it takes any number.
            let size = unsafe { (functions.handle_size)(PREPARE) };
            ((1..=size_of::<Handle>()).contains(&size)).then_some(functions)
        })
    }

    pub(super) fn is_there() -> bool {
        functions().is_some()
    }

    pub(super) fn control(env: &Env, fd: i32, add: bool) -> bool {
        let (Some(functions), Ok(uv)) = (functions(), env.get_uv_event_loop()) else {
            return false;
        };
        let number = u64::try_from(fd).unwrap_or_default();
        // As libuv has it: for a socket that listens it never asks for anything else.
        let mut event = libc::epoll_event { events: libc::EPOLLIN.cast_unsigned(), u64: number };
        let operation = if add { libc::EPOLL_CTL_ADD } else { libc::EPOLL_CTL_DEL };
        #[expect(unsafe_code, reason = "the queue is libuv's")]
        // SAFETY: the loop is that of this thread; the kernel reads the event, and knows which
        // descriptors are there.
        let result = unsafe {
            let queue = (functions.backend_fd)(uv.cast());
            libc::epoll_ctl(queue, operation, fd, &raw mut event)
        };
        result == 0
    }

    /// Memory for a `uv_prepare_t`; the most that it may have.
    #[repr(C, align(16))]
    struct Handle([u8; 256]);

    /// What libuv calls, and what for. The handle comes first: its address is that of the whole.
    #[repr(C)]
    struct Watcher {
        handle: Handle,
        env: sys::napi_env,
        callback: FunctionRef<(), ()>,
    }

    /// A handle that is open.
    pub(super) struct Prepare {
        open: Rc<RefCell<Option<*mut Watcher>>>,
        env: Env,
        hook: Option<CleanupEnvHook<Weak<RefCell<Option<*mut Watcher>>>>>,
    }

    impl fmt::Debug for Prepare {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("Prepare")
        }
    }

    impl Prepare {
        pub(super) fn start(env: &Env, callback: FunctionRef<(), ()>) -> Result<Option<Self>> {
            let Some(functions) = functions() else { return Ok(None) };
            let uv = env.get_uv_event_loop()?;
            let handle = Handle([0; 256]);
            let watcher = Box::into_raw(Box::new(Watcher { handle, env: env.raw(), callback }));
            #[expect(unsafe_code, reason = "a handle of libuv")]
            // SAFETY: the loop is that of this thread, on which all of this is done; the handle has the
            // room that libuv asks for, and stays where it is until libuv has closed it.
            unsafe {
                // Neither fails.
                (functions.prepare_init)(uv.cast(), watcher.cast());
                (functions.prepare_start)(watcher.cast(), turn_ends);
                (functions.unref)(watcher.cast());
            }
            let open = Rc::new(RefCell::new(Some(watcher)));
            let hook = env.add_env_cleanup_hook(Rc::downgrade(&open), |open| {
                if let Some(open) = open.upgrade() {
                    close(&open);
                }
            })?;
            Ok(Some(Self { open, env: *env, hook: Some(hook) }))
        }
    }

    impl Drop for Prepare {
        fn drop(&mut self) {
            close(&self.open);
            if let Some(hook) = self.hook.take() {
                // It fails when the environment is ending, and runs then.
                let _ending = self.env.remove_env_cleanup_hook(hook);
            }
        }
    }

    fn close(open: &RefCell<Option<*mut Watcher>>) {
        let (Some(functions), Some(watcher)) = (functions(), open.take()) else { return };
        #[expect(unsafe_code, reason = "a handle of libuv")]
        // SAFETY: it is open, and was opened by this thread; nobody closes it again.
        unsafe {
            (functions.prepare_stop)(watcher.cast());
            (functions.close)(watcher.cast(), closed);
        }
    }

    extern "C" fn closed(handle: *mut c_void) {
        #[expect(unsafe_code, reason = "what libuv was lent comes back")]
        // SAFETY: it is the watcher that was made for this handle, and libuv does not touch it any more.
        drop(unsafe { Box::from_raw(handle.cast::<Watcher>()) });
    }

    extern "C" fn turn_ends(handle: *mut c_void) {
        #[expect(unsafe_code, reason = "what libuv was lent")]
        // SAFETY: it is the watcher that was made for this handle, which is open; the thread is that of its
        // environment, which has not ended, for then the handle would have been closed.
        unsafe {
            let watcher = handle.cast::<Watcher>();
            let env = (*watcher).env;
            let mut scope = std::ptr::null_mut();
            if sys::napi_open_handle_scope(env, &raw mut scope) != sys::Status::napi_ok {
                return;
            }
            let call = || {
                let env = Env::from_raw(env);
                (*watcher).callback.borrow_back(&env).and_then(|callback| callback.call(()))
            };
            // JavaScript's side lets nothing out; should something panic, it must not leave this function.
            let _done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(call));
            sys::napi_close_handle_scope(env, scope);
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod imp {
    use napi::bindgen_prelude::FunctionRef;
    use napi::{Env, Result};

    #[derive(Debug)]
    pub(super) struct Prepare;

    impl Prepare {
        pub(super) fn start(_env: &Env, _callback: FunctionRef<(), ()>) -> Result<Option<Self>> {
            Ok(None)
        }
    }

    pub(super) fn control(_env: &Env, _fd: i32, _add: bool) -> bool {
        false
    }

    pub(super) fn is_there() -> bool {
        false
    }
}
