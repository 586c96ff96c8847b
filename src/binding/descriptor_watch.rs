//! Has the event loop of Node.js call when something can be read from a descriptor: a `uv_poll` handle.
//!
//! Node.js has no such thing in its stable interface, but its binary exports libuv's functions, and libuv
//! promises theirs. They are looked up when they are needed first, not linked: where they are missing, the
//! addon must load all the same, and nothing is watched.
//!
//! ```text
//!   new ──► stopped ◄── start, stop ──► started
//!              └────────── drop, or the end of the environment ──────────┘
//!                                        ▼
//!                     closing ── libuv's next turn ──► closed: its memory and its descriptor are freed
//! ```
//!
//! The descriptor is a duplicate, which belongs to the handle: whatever becomes of the original, libuv never
//! watches a number that means something else by then. The handle is unreferenced: it keeps no event loop alive.

use std::cell::{Cell, RefCell};
use std::ffi::{c_int, c_void};
use std::fmt;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::rc::Rc;
use std::sync::OnceLock;

use napi::{Env, sys};

use super::symbols::symbol;

/// `UV_POLL` of `uv_handle_type`.
const UV_POLL: c_int = 8;
/// `UV_READABLE` of `uv_poll_event`.
const UV_READABLE: c_int = 1;

type PollCallback = unsafe extern "C" fn(handle: *mut c_void, status: c_int, events: c_int);
type CloseCallback = unsafe extern "C" fn(handle: *mut c_void);

/// The functions of libuv, as uv.h declares them.
struct Uv {
    handle_size: unsafe extern "C" fn(kind: c_int) -> usize,
    handle_set_data: unsafe extern "C" fn(handle: *mut c_void, data: *mut c_void),
    handle_get_data: unsafe extern "C" fn(handle: *const c_void) -> *mut c_void,
    poll_init: unsafe extern "C" fn(uv_loop: *mut c_void, handle: *mut c_void, fd: c_int) -> c_int,
    poll_start:
        unsafe extern "C" fn(handle: *mut c_void, events: c_int, call: PollCallback) -> c_int,
    poll_stop: unsafe extern "C" fn(handle: *mut c_void) -> c_int,
    unref: unsafe extern "C" fn(handle: *mut c_void),
    close: unsafe extern "C" fn(handle: *mut c_void, call: CloseCallback),
}

impl Uv {
    /// Those of the process, if it has all of them.
    fn get() -> Option<&'static Self> {
        static UV: OnceLock<Option<Uv>> = OnceLock::new();
        UV.get_or_init(Self::find).as_ref()
    }

    fn find() -> Option<Self> {
        #[expect(unsafe_code, reason = "symbols are looked up by their names")]
        // SAFETY: each type is that which uv.h gives the function of that name, from libuv 1.19 on.
        unsafe {
            Some(Self {
                handle_size: symbol(c"uv_handle_size")?,
                handle_set_data: symbol(c"uv_handle_set_data")?,
                handle_get_data: symbol(c"uv_handle_get_data")?,
                poll_init: symbol(c"uv_poll_init")?,
                poll_start: symbol(c"uv_poll_start")?,
                poll_stop: symbol(c"uv_poll_stop")?,
                unref: symbol(c"uv_unref")?,
                close: symbol(c"uv_close")?,
            })
        }
    }
}

/// A descriptor that the event loop of Node.js watches while this is started. All of it happens on the thread
/// of that event loop.
pub struct DescriptorWatch {
    handle: Rc<Handle>,
}

struct Handle {
    uv: &'static Uv,
    /// The `uv_poll_t`. Not moved, and not freed before libuv has closed it.
    memory: Box<[Cell<u128>]>,
    descriptor: OwnedFd,
    started: Cell<bool>,
    closing: Cell<bool>,
    on_ready: RefCell<Option<Rc<dyn Fn()>>>,
    /// What has the handle closed when the environment ends.
    hook: Cell<sys::napi_async_cleanup_hook_handle>,
}

impl fmt::Debug for DescriptorWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DescriptorWatch")
            .field("started", &self.handle.started)
            .finish_non_exhaustive()
    }
}

impl DescriptorWatch {
    /// Watches nothing yet. `on_ready` is called by the event loop, with no JavaScript around it, each time it
    /// finds that something can be read. None where libuv can't be asked.
    pub fn new(env: Env, descriptor: OwnedFd, on_ready: impl Fn() + 'static) -> Option<Self> {
        let uv = Uv::get()?;
        let mut uv_loop = ptr::null_mut();
        #[expect(unsafe_code, reason = "the event loop of Node.js")]
        // SAFETY: the environment is alive, and `uv_loop` is a place for the answer.
        let status = unsafe { sys::napi_get_uv_event_loop(env.raw(), &raw mut uv_loop) };
        if status != sys::Status::napi_ok {
            return None;
        }
        #[expect(unsafe_code, reason = "functions of libuv")]
        // SAFETY: it only reads its argument.
        let size = unsafe { (uv.handle_size)(UV_POLL) };
        let handle = Rc::new(Handle {
            uv,
            memory: (0..size.div_ceil(size_of::<u128>())).map(|_| Cell::new(0)).collect(),
            descriptor,
            started: Cell::new(false),
            closing: Cell::new(false),
            on_ready: RefCell::new(Some(Rc::new(on_ready))),
            hook: Cell::new(ptr::null_mut()),
        });
        let fd = handle.descriptor.as_raw_fd();
        #[expect(unsafe_code, reason = "functions of libuv and of Node.js")]
        // SAFETY: the memory is as large as libuv asks for, and aligned for anything. Once it is initialized,
        // the handle is libuv's until `on_closed`: until then libuv has a reference to it as its data, which
        // also is what the hook refers to. The hook goes when the handle is closed.
        unsafe {
            if (uv.poll_init)(uv_loop.cast(), handle.raw(), fd) != 0 {
                return None;
            }
            let data = Rc::into_raw(Rc::clone(&handle)).cast_mut().cast();
            (uv.handle_set_data)(handle.raw(), data);
            (uv.unref)(handle.raw());
            let mut hook = ptr::null_mut();
            let status =
                sys::napi_add_async_cleanup_hook(env.raw(), Some(on_end), data, &raw mut hook);
            if status != sys::Status::napi_ok {
                handle.close();
                return None;
            }
            handle.hook.set(hook);
        }
        Some(Self { handle })
    }

    /// Has the event loop watch the descriptor from now on. False when it can't.
    pub fn start(&self) -> bool {
        let handle = &self.handle;
        if handle.closing.get() {
            return false;
        }
        if !handle.started.get() {
            #[expect(unsafe_code, reason = "a function of libuv")]
            // SAFETY: the handle is initialized and not closing.
            let status = unsafe { (handle.uv.poll_start)(handle.raw(), UV_READABLE, on_poll) };
            handle.started.set(status == 0);
        }
        handle.started.get()
    }

    /// Has the event loop leave the descriptor alone.
    pub fn stop(&self) {
        self.handle.stop();
    }
}

impl Drop for DescriptorWatch {
    fn drop(&mut self) {
        self.handle.close();
    }
}

impl Handle {
    fn raw(&self) -> *mut c_void {
        self.memory.as_ptr().cast_mut().cast()
    }

    fn stop(&self) {
        if self.started.replace(false) && !self.closing.get() {
            #[expect(unsafe_code, reason = "a function of libuv")]
            // SAFETY: the handle is initialized and not closing.
            let _never_fails = unsafe { (self.uv.poll_stop)(self.raw()) };
        }
    }

    fn close(&self) {
        self.stop();
        if self.closing.replace(true) {
            return;
        }
        // It may hold whoever has made it.
        drop(self.on_ready.take());
        #[expect(unsafe_code, reason = "a function of libuv")]
        // SAFETY: the handle is initialized, and this is done once.
        unsafe {
            (self.uv.close)(self.raw(), on_closed);
        };
    }
}

#[expect(unsafe_code, reason = "called by libuv")]
/// Something can be read, or the descriptor is broken: whoever reads it finds out.
unsafe extern "C" fn on_poll(raw: *mut c_void, _status: c_int, _events: c_int) {
    let Some(uv) = Uv::get() else { return };
    // SAFETY: `raw` is a handle of this file, whose data is a reference that libuv holds until `on_closed`.
    let on_ready =
        unsafe { (*(uv.handle_get_data)(raw).cast::<Handle>()).on_ready.borrow().clone() };
    if let Some(on_ready) = on_ready {
        // What is called guards itself. No panic may come to libuv, whatever it is.
        let _caught = catch_unwind(AssertUnwindSafe(|| on_ready()));
    }
}

#[expect(unsafe_code, reason = "called by libuv")]
/// libuv has let go of the handle.
unsafe extern "C" fn on_closed(raw: *mut c_void) {
    let Some(uv) = Uv::get() else { return };
    // SAFETY: `raw` is a handle of this file, and this is the reference that libuv was given.
    let handle = unsafe { Rc::from_raw((uv.handle_get_data)(raw).cast::<Handle>()) };
    let hook = handle.hook.replace(ptr::null_mut());
    if !hook.is_null() {
        // SAFETY: the hook was added for this handle, and is removed once. Where the environment is ending,
        // this tells it that all is done here.
        let _status = unsafe { sys::napi_remove_async_cleanup_hook(hook) };
    }
}

#[expect(unsafe_code, reason = "called by Node.js")]
/// The environment ends: it waits until the handle is closed.
unsafe extern "C" fn on_end(_hook: sys::napi_async_cleanup_hook_handle, handle: *mut c_void) {
    // SAFETY: `handle` is the reference that libuv holds; the hook is removed before that goes.
    unsafe { (*handle.cast::<Handle>()).close() };
}
