//! Memory that nobody uses goes back to the system.

/// Gives back what the allocator of the calling thread keeps, and, with glibc, what the allocator of
/// Node.js keeps, after many clients have gone: their parsers, sockets and strings.
#[expect(unsafe_code, reason = "two functions of allocators, which have no wrappers")]
pub fn give_back() {
    // SAFETY: it may be called at any time, and works on the calling thread's heap.
    unsafe { mi_collect(true) };
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        // SAFETY: it may be called at any time by any thread; it takes the locks of the heaps.
        let _given = unsafe { libc::malloc_trim(0) };
    }
}

#[expect(unsafe_code, reason = "declares what mimalloc defines")]
// SAFETY: this is the declaration of mimalloc.h.
unsafe extern "C" {
    fn mi_collect(force: bool);
}
