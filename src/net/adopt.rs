//! Taking a socket over from Node.js.

use std::io;
use std::net::{SocketAddr, TcpStream};

/// Duplicates the file descriptor of a connected socket that somebody else owns (close-on-exec).
/// The original may be closed then.
///
/// # Errors
/// What the operating system says, for instance when the limit of open files is reached.
#[cfg(unix)]
pub fn duplicate(fd: i32) -> io::Result<TcpStream> {
    use std::os::fd::BorrowedFd;

    if fd < 0 {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    #[expect(unsafe_code, reason = "the descriptor comes from JavaScript as a number")]
    // SAFETY: the caller's JavaScript holds the socket open during this synchronous call, and the
    // borrow ends with it: only the duplicate is kept.
    let borrowed = unsafe { BorrowedFd::borrow_raw(fd) };
    Ok(TcpStream::from(borrowed.try_clone_to_owned()?))
}

/// There are no descriptors to take over here: such systems use the byte bridge.
///
/// # Errors
/// Always.
#[cfg(not(unix))]
pub fn duplicate(_fd: i32) -> io::Result<TcpStream> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Makes a stream fit for a worker: non-blocking, without Nagle's delay. Gives the peer's address
/// too, none when it has gone already.
///
/// # Errors
/// When the operating system refuses, which leaves the stream useless.
pub fn prepare(stream: &TcpStream) -> io::Result<Option<SocketAddr>> {
    stream.set_nonblocking(true)?;
    // Not every stream socket knows the option (a Unix socket does not), and none needs it.
    let _unsupported = stream.set_nodelay(true);
    Ok(stream.peer_addr().ok())
}
