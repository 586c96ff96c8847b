//! Looking at a socket of Node.js, and taking it over.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};

/// Duplicates the file descriptor of a connected socket that somebody else owns (close-on-exec).
/// The original may be closed then.
///
/// # Errors
/// What the operating system says, for instance when the limit of open files is reached.
#[cfg(unix)]
pub fn duplicate(fd: i32) -> io::Result<TcpStream> {
    borrow(fd, TcpStream::try_clone)
}

/// Duplicates the file descriptor of a socket that listens, which somebody else owns (close-on-exec).
///
/// # Errors
/// What the operating system says.
#[cfg(unix)]
pub fn duplicate_listener(fd: i32) -> io::Result<TcpListener> {
    use std::os::fd::{FromRawFd as _, IntoRawFd as _};

    let fd = duplicate(fd)?.into_raw_fd();
    #[expect(unsafe_code, reason = "what has been duplicated is a socket of another kind")]
    // SAFETY: the descriptor is open, and nobody else has it.
    Ok(unsafe { TcpListener::from_raw_fd(fd) })
}

/// There are no descriptors to be duplicated here.
///
/// # Errors
/// Always.
#[cfg(not(unix))]
pub fn duplicate_listener(_fd: i32) -> io::Result<TcpListener> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Looks at what the peer of a connected socket, which somebody else owns, has sent, without taking
/// it. Gives the number of bytes; 0: nothing will come.
///
/// # Errors
/// `WouldBlock` when nothing has come yet; what the operating system says.
#[cfg(unix)]
pub fn peek(fd: i32, buffer: &mut [u8]) -> io::Result<usize> {
    borrow(fd, |stream| stream.peek(buffer))
}

/// Where a connected socket comes from that somebody else owns; none when the peer has gone.
#[cfg(unix)]
pub fn peer_of(fd: i32) -> Option<IpAddr> {
    borrow(fd, TcpStream::peer_addr).ok().map(|peer| peer.ip())
}

/// Nobody can say so here.
#[cfg(not(unix))]
pub fn peer_of(_fd: i32) -> Option<IpAddr> {
    None
}

/// Duplicates the descriptor of an event queue (close-on-exec): it can be read while something is ready there.
///
/// # Errors
/// When the limit of open files is reached.
#[cfg(unix)]
pub fn duplicate_queue(queue: &impl std::os::fd::AsRawFd) -> io::Result<std::os::fd::OwnedFd> {
    use std::os::fd::BorrowedFd;

    #[expect(unsafe_code, reason = "the queue has no safe way to lend its descriptor")]
    // SAFETY: it is borrowed from the queue, which lives during this call.
    let borrowed = unsafe { BorrowedFd::borrow_raw(queue.as_raw_fd()) };
    borrowed.try_clone_to_owned()
}

/// Whether something is ready in an event queue, as this descriptor of it says. Nothing is taken.
#[cfg(unix)]
pub fn is_ready(queue: &std::os::fd::OwnedFd) -> bool {
    use std::os::fd::AsRawFd as _;

    let mut asked = libc::pollfd { fd: queue.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    #[expect(unsafe_code, reason = "the function of the system that waits for descriptors")]
    // SAFETY: it is given one place, and does not wait.
    let ready = unsafe { libc::poll(&raw mut asked, 1, 0) };
    ready > 0
}

/// Lends a socket that somebody else owns.
#[cfg(unix)]
fn borrow<T>(fd: i32, f: impl FnOnce(&TcpStream) -> io::Result<T>) -> io::Result<T> {
    use std::mem::ManuallyDrop;
    use std::os::fd::FromRawFd as _;

    if fd < 0 {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    #[expect(unsafe_code, reason = "the descriptor comes from JavaScript as a number")]
    // SAFETY: the caller's JavaScript holds the socket open during this synchronous call, and the
    // loan ends with it: what has been lent is never dropped, so nothing is closed here.
    let stream = ManuallyDrop::new(unsafe { TcpStream::from_raw_fd(fd) });
    f(&stream)
}

/// Has the kernel keep the connections of a listening socket, which somebody else owns, until
/// something has come by them, or for `seconds`, about: who accepts them finds a request there.
/// 0: not any more.
///
/// # Errors
/// What the operating system says.
#[cfg(target_os = "linux")]
pub fn defer_accept(fd: i32, seconds: u32) -> io::Result<()> {
    let value = &raw const seconds;
    let length = libc::socklen_t::try_from(size_of_val(&seconds)).unwrap_or_default();
    #[expect(unsafe_code, reason = "an option of sockets that no wrapper has")]
    // SAFETY: the kernel reads `length` bytes at `value`, which are those of `seconds`, and refuses
    // a descriptor that is no socket.
    let result = unsafe {
        libc::setsockopt(fd, libc::IPPROTO_TCP, libc::TCP_DEFER_ACCEPT, value.cast(), length)
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Other systems than Linux have no such option.
///
/// # Errors
/// Always.
#[cfg(not(target_os = "linux"))]
pub fn defer_accept(_fd: i32, _seconds: u32) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Whether the other end of a stream is closed, and not only one half of it.
#[cfg(unix)]
pub fn is_hung_up(stream: &impl std::os::fd::AsRawFd) -> bool {
    let mut asked = libc::pollfd { fd: stream.as_raw_fd(), events: 0, revents: 0 };
    #[expect(unsafe_code, reason = "the function of the system that waits for descriptors")]
    // SAFETY: it is given one place, and does not wait.
    let found = unsafe { libc::poll(&raw mut asked, 1, 0) };
    found > 0 && asked.revents & libc::POLLHUP != 0
}

/// There are no pairs of sockets here of which this could be asked.
#[cfg(not(unix))]
pub fn is_hung_up<T>(_stream: &T) -> bool {
    false
}

/// Whether the peer has ended its half of a connection: all that it sends has come.
#[cfg(target_os = "linux")]
pub fn is_half_closed(stream: &impl std::os::fd::AsRawFd) -> bool {
    let mut asked = libc::pollfd { fd: stream.as_raw_fd(), events: libc::POLLRDHUP, revents: 0 };
    #[expect(unsafe_code, reason = "the function of the system that waits for descriptors")]
    // SAFETY: it is given one place, and does not wait.
    let found = unsafe { libc::poll(&raw mut asked, 1, 0) };
    found > 0 && asked.revents & libc::POLLRDHUP != 0
}

/// Workers accept nobody here of whom this could be asked.
#[cfg(not(target_os = "linux"))]
pub fn is_half_closed<T>(_stream: &T) -> bool {
    false
}

/// Whether the other end of a pair ([`pair`]) has not read all that was written to this one.
#[cfg(target_os = "linux")]
pub fn lies_unread(stream: &impl std::os::fd::AsRawFd) -> bool {
    let mut unread: libc::c_int = 0;
    #[expect(unsafe_code, reason = "a question to the system that no wrapper has")]
    // SAFETY: the kernel writes one number to the place that it is given.
    let asked = unsafe { libc::ioctl(stream.as_raw_fd(), libc::TIOCOUTQ, &raw mut unread) };
    asked == 0 && unread > 0
}

/// Nobody can say so here.
#[cfg(not(target_os = "linux"))]
pub fn lies_unread<T>(_stream: &T) -> bool {
    false
}

/// Has the peer of a socket see a reset when that is closed.
#[cfg(unix)]
pub fn reset_when_closed(stream: &impl std::os::fd::AsRawFd) {
    let linger = libc::linger { l_onoff: 1, l_linger: 0 };
    let value = &raw const linger;
    let length = libc::socklen_t::try_from(size_of_val(&linger)).unwrap_or_default();
    #[expect(unsafe_code, reason = "an option of sockets that no wrapper has")]
    // SAFETY: the kernel reads `length` bytes at `value`, which are those of `linger`. When it refuses, the socket is closed
    // in the usual way.
    let _refused = unsafe {
        let fd = stream.as_raw_fd();
        libc::setsockopt(fd, libc::SOL_SOCKET, libc::SO_LINGER, value.cast(), length)
    };
}

/// There are no pairs of sockets here for which this is needed.
#[cfg(not(unix))]
pub fn reset_when_closed<T>(_stream: &T) {}

/// Makes a pair of sockets, which do not block: what is written to one is read from the other (close-on-exec).
///
/// # Errors
/// When no descriptor is free.
#[cfg(unix)]
pub fn pair() -> io::Result<(TcpStream, TcpStream)> {
    use std::os::fd::OwnedFd;
    use std::os::unix::net::UnixStream;

    let (one, other) = UnixStream::pair()?;
    one.set_nonblocking(true)?;
    other.set_nonblocking(true)?;
    Ok((OwnedFd::from(one).into(), OwnedFd::from(other).into()))
}

/// There are none here.
///
/// # Errors
/// Always.
#[cfg(not(unix))]
pub fn pair() -> io::Result<(TcpStream, TcpStream)> {
    Err(io::ErrorKind::Unsupported.into())
}

/// There are no descriptors to take over here: such systems use the byte bridge.
///
/// # Errors
/// Always.
#[cfg(not(unix))]
pub fn duplicate(_fd: i32) -> io::Result<TcpStream> {
    Err(io::ErrorKind::Unsupported.into())
}

/// There are no descriptors to look at here.
///
/// # Errors
/// Always.
#[cfg(not(unix))]
pub fn peek(_fd: i32, _buffer: &mut [u8]) -> io::Result<usize> {
    Err(io::ErrorKind::Unsupported.into())
}

/// The addresses of a connection.
#[derive(Clone, Copy, Debug)]
pub struct Addresses {
    /// Where it comes from.
    pub peer: SocketAddr,
    /// Where it has come to.
    pub local: SocketAddr,
}

/// Makes a stream fit for a worker: non-blocking, without Nagle's delay. Gives its addresses too,
/// none when the peer has gone already.
///
/// # Errors
/// When the operating system refuses, which leaves the stream useless.
pub fn prepare(stream: &TcpStream) -> io::Result<Option<Addresses>> {
    stream.set_nonblocking(true)?;
    // Not every stream socket knows the option (a Unix socket does not), and none needs it.
    let _unsupported = stream.set_nodelay(true);
    let addresses =
        stream.peer_addr().and_then(|peer| Ok(Addresses { peer, local: stream.local_addr()? }));
    Ok(addresses.ok())
}
