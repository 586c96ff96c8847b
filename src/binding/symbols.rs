//! Functions of the process that has loaded the addon, looked up by their names. They are not linked: where one is
//! missing the addon loads all the same.

use std::ffi::{CStr, c_void};
use std::mem;

/// The function of the process that has this name.
///
/// # Safety
/// `F` is the type of a pointer to that function.
#[expect(unsafe_code, reason = "a symbol has no type")]
pub(super) unsafe fn symbol<F: Copy>(name: &CStr) -> Option<F> {
    const { assert!(size_of::<F>() == size_of::<*mut c_void>()) };
    // SAFETY: `name` is a C string.
    let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    // SAFETY: it is a pointer to a function of this type, as the caller says.
    (!found.is_null()).then(|| unsafe { mem::transmute_copy(&found) })
}
