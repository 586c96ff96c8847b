//! A TCP connection of a worker: its socket, and the loop that reads and writes it. A WebSocket
//! and HTTP share the loop; what differs is the [`Handler`].
//!
//! ```text
//!   the socket is ready, or `wake` was called
//!      │
//!      ▼
//!   is_blocked()? ── yes, and the peer takes more ──► handle_writable()
//!      │
//!      ▼
//!   next() ──┬─ Read ──► bytes: handle_bytes(); the end of the stream: handle_end(), and the loop ends
//!      ▲     ├─ Again
//!      │     ├─ Wait ──► sleep until the socket is ready, or `wake` is called
//!      │     └─ Gone ──► the loop ends
//!      └─ READS_PER_TURN times; then the worker's other connections have their turn
//! ```

use std::cell::RefCell;
use std::fmt;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::net::Shutdown;
use std::pin::Pin;
use std::task::{self, Poll, Waker, ready};

use socket2::SockRef;
use tokio::io::{AsyncRead as _, ReadBuf};
use tokio::net::TcpStream;

use super::context::{Victim, WorkerContext};
use super::panic_guard::Nobody;
use super::write_queue::{MAX_SLICES, WriteQueue};

/// Reads of one connection before the others of its worker have their turn…
const READS_PER_TURN: u32 = 4;
/// …and as many when it is in the middle of a message while little room is left in the inbox.
const MAX_READS_PER_TURN: u32 = 64;

/// What is done with the bytes of a TCP connection.
pub trait Handler: Victim {
    /// Whether something waits because the peer did not take it.
    fn is_blocked(&self) -> bool;
    /// The peer takes more.
    fn handle_writable(&self);
    /// Does what can be done without reading, then says what to do next.
    fn next(&self) -> Next;
    /// Whether to read on although others wait for their turn. While little room is left in the inbox, it is
    /// better to read one message to its end than to begin many.
    fn reads_on(&self) -> bool;
    /// Bytes have come.
    fn handle_bytes(&self, bytes: &mut [u8]);
    /// The stream has ended; `broken`: by an error.
    fn handle_end(&self, broken: bool);
}

/// What is to be done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Read so many bytes, at most.
    Read(usize),
    /// Ask again: bytes that were there already have been handled, which counts as a read.
    Again,
    /// Nothing, until the connection is woken.
    Wait,
    /// End: the connection is gone.
    Gone,
}

/// Reads and writes a connection until it is gone.
pub async fn drive(context: &WorkerContext, tcp: &Tcp, handler: &impl Handler) {
    poll_fn(|cx| {
        let polled = context.guard(handler, || poll(context, tcp, handler, cx));
        context.guard(&Nobody, || context.wakeups.announce_soon(context.index));
        polled.unwrap_or(Poll::Ready(()))
    })
    .await;
}

fn poll(
    context: &WorkerContext,
    tcp: &Tcp,
    handler: &impl Handler,
    cx: &mut task::Context<'_>,
) -> Poll<()> {
    tcp.watch(cx);
    while handler.is_blocked() && tcp.poll_writable(cx) {
        handler.handle_writable();
    }
    for read in 0..MAX_READS_PER_TURN {
        if read >= READS_PER_TURN && !handler.reads_on() {
            break;
        }
        let most = match handler.next() {
            Next::Read(most) => most,
            Next::Again => continue,
            Next::Wait => return Poll::Pending,
            Next::Gone => return Poll::Ready(()),
        };
        let mut buffer = context.read_buffer();
        let most = most.min(buffer.len());
        match ready!(tcp.poll_read(cx, &mut buffer[..most])) {
            Ok(0) => {
                handler.handle_end(false);
                return Poll::Ready(());
            }
            Ok(count) => handler.handle_bytes(&mut buffer[..count]),
            Err(_) => {
                handler.handle_end(true);
                return Poll::Ready(());
            }
        }
    }
    cx.waker().wake_by_ref();
    Poll::Pending
}

/// A socket, until it is closed.
#[derive(Default)]
pub struct Tcp(RefCell<Option<Socket>>);

#[derive(Debug)]
struct Socket {
    stream: TcpStream,
    /// Wakes the task that drives it.
    waker: Option<Waker>,
}

/// How far something was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// All of it.
    All,
    /// The peer takes no more for now.
    Blocked,
    /// The connection broke, and the rest is dropped. The next read sees the end.
    Broken,
}

impl fmt::Debug for Tcp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tcp")
    }
}

impl Tcp {
    /// A connection that is open.
    pub fn new(stream: TcpStream) -> Self {
        Self(RefCell::new(Some(Socket { stream, waker: None })))
    }

    /// Wakes the task that drives it.
    pub fn wake(&self) {
        if let Some(Socket { waker: Some(waker), .. }) = &*self.0.borrow() {
            waker.wake_by_ref();
        }
    }

    /// Closes it. The task that drives it ends.
    pub fn close(&self) {
        drop(self.take());
    }

    /// Takes the socket out, for somebody else. The task that drives it ends.
    pub fn give_away(&self) -> Option<std::net::TcpStream> {
        self.take()?.into_std().ok()
    }

    fn take(&self) -> Option<TcpStream> {
        let Socket { stream, waker } = self.0.take()?;
        if let Some(waker) = waker {
            waker.wake();
        }
        Some(stream)
    }

    /// Tells the peer that nothing more is written.
    pub fn half_close(&self) {
        if let Some(Socket { stream, .. }) = &*self.0.borrow() {
            // It fails when the peer is gone, and then the reading side sees it too.
            let _gone = SockRef::from(stream).shutdown(Shutdown::Write);
        }
    }

    /// Writes what is queued, as far as the peer takes it. If something is left, the task that drives the
    /// connection is woken, to write it later or to see the end.
    pub fn write(&self, context: &WorkerContext, out: &mut WriteQueue) -> Written {
        let socket = self.0.borrow();
        let Some(Socket { stream, waker }) = &*socket else { return Written::All };
        let written = loop {
            if out.is_empty() {
                return Written::All;
            }
            let result = if let Some(bytes) = out.single() {
                stream.try_write(bytes)
            } else {
                let mut slices = [IoSlice::new(&[]); MAX_SLICES];
                let n = out.slices(&mut slices);
                stream.try_write_vectored(&slices[..n])
            };
            match result {
                Ok(n) => {
                    if let Some(spare) = out.advance(n) {
                        context.give_spare_buffer(spare);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break Written::Blocked,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => {
                    out.clear();
                    break Written::Broken;
                }
            }
        };
        if let Some(waker) = waker {
            waker.wake_by_ref();
        }
        written
    }

    /// Has the task of `cx` drive it.
    fn watch(&self, cx: &mut task::Context<'_>) {
        if let Some(Socket { waker, .. }) = &mut *self.0.borrow_mut()
            && !waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker()))
        {
            *waker = Some(cx.waker().clone());
        }
    }

    /// Whether the peer takes something. If not, the task of `cx` is woken when it does.
    fn poll_writable(&self, cx: &mut task::Context<'_>) -> bool {
        let socket = self.0.borrow();
        let stream = socket.as_ref().map(|Socket { stream, .. }| stream);
        stream.is_some_and(|stream| matches!(stream.poll_write_ready(cx), Poll::Ready(Ok(()))))
    }

    /// Reads what has come; 0 at the end of the stream.
    fn poll_read(&self, cx: &mut task::Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut read = ReadBuf::new(buffer);
        let mut socket = self.0.borrow_mut();
        let Some(Socket { stream, .. }) = &mut *socket else { return Poll::Ready(Ok(0)) };
        Pin::new(stream).poll_read(cx, &mut read).map_ok(|()| read.filled().len())
    }
}
