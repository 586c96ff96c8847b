//! What is read of Redis: messages of other nodes are taken out, and the rest is for the crate.
//!
//! ```text
//!   socket ──► buffer ──► messages: deliveries, from where they stand in it
//!                    └──► all else: the crate `redis`
//! ```
//!
//! Most of what a node of a large cluster is sent concerns none of its clients. So there is one look at the channel's name for
//! that, and nothing is allocated or copied. Order between messages is kept, and so is that of the rest.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, sleep_until};

use super::deliveries::Inbound;
use crate::redis::frames::{Frames, Piece};

/// Bytes that are read at once. A longer message has as many as it needs, as long as it is there.
const AT_ONCE: usize = 64 << 10;
/// After so many reads, other tasks have a turn.
const READS: usize = 8;

/// A connection to Redis, without the messages.
pub(super) struct Sieve<S> {
    stream: S,
    inbound: Arc<Inbound>,
    pulse: Arc<Pulse>,
    frames: Frames,
    buffer: Vec<u8>,
    /// What of the buffer has been read, and not been given to anybody.
    start: usize,
    end: usize,
    /// How many bytes from `start` are for the crate.
    other: usize,
    /// How many bytes there must be before anything can be told.
    needed: usize,
}

/// Whether Redis is heard.
#[derive(Debug)]
pub(super) struct Pulse {
    begin: Instant,
    /// When something has come last, or could have again: in ms since the beginning.
    heard: AtomicU64,
    /// Whether nothing is read, since JavaScript has too much to take.
    is_held: AtomicBool,
}

impl Pulse {
    pub(super) fn new() -> Self {
        Self { begin: Instant::now(), heard: AtomicU64::new(0), is_held: AtomicBool::new(false) }
    }

    /// Since when Redis has said nothing, although it was listened to.
    pub(super) fn silent_since(&self) -> Instant {
        if self.is_held.load(Ordering::Relaxed) {
            Instant::now()
        } else {
            self.begin + Duration::from_millis(self.heard.load(Ordering::Relaxed))
        }
    }

    pub(super) fn beat(&self) {
        let now = u64::try_from(self.begin.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.heard.store(now, Ordering::Relaxed);
    }

    pub(super) fn hold(&self, is_held: bool) {
        if self.is_held.swap(is_held, Ordering::Relaxed) {
            self.beat();
        }
    }
}

impl<S> fmt::Debug for Sieve<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sieve").field("frames", &self.frames).finish_non_exhaustive()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Sieve<S> {
    pub(super) fn new(stream: S, inbound: Arc<Inbound>, pulse: Arc<Pulse>) -> Self {
        let buffer = vec![0; AT_ONCE];
        let frames = Frames::default();
        Self { stream, inbound, pulse, frames, buffer, start: 0, end: 0, other: 0, needed: 1 }
    }

    /// Takes out what is for nobody but us, as far as there is room for the rest.
    fn sift(&mut self, out: &mut ReadBuf<'_>) {
        let mut reading = None;
        loop {
            if self.other > 0 {
                let count = self.other.min(out.remaining());
                out.put_slice(&self.buffer[self.start..self.start + count]);
                self.start += count;
                self.other -= count;
                if self.other > 0 {
                    return;
                }
            }
            match self.frames.next(&self.buffer[self.start..self.end]) {
                Piece::Message(message, length) => {
                    reading.get_or_insert_with(|| self.inbound.reading()).message(&message);
                    self.start += length;
                }
                Piece::Other(count) => self.other = count,
                Piece::More(count) => {
                    self.needed = count;
                    return;
                }
            }
        }
    }

    /// Makes room behind what is not complete.
    fn make_room(&mut self) {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.needed > self.buffer.len() {
            // Not at once as much as somebody says that there will be.
            self.buffer.resize(self.needed.min(2 * self.buffer.len()), 0);
        } else if self.end == 0 && self.buffer.len() > AT_ONCE {
            self.buffer = vec![0; AT_ONCE];
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Sieve<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = out.filled().len();
        for _ in 0..READS {
            this.sift(out);
            if out.filled().len() > before || out.remaining() == 0 {
                return Poll::Ready(Ok(()));
            }
            let is_held = this.inbound.poll_room(context).is_pending();
            this.pulse.hold(is_held);
            if is_held {
                return Poll::Pending;
            }
            this.make_room();
            let mut read = ReadBuf::new(&mut this.buffer[this.end..]);
            ready!(Pin::new(&mut this.stream).poll_read(context, &mut read))?;
            let count = read.filled().len();
            if count == 0 {
                return Poll::Ready(Ok(())); // the end
            }
            this.end += count;
            this.pulse.beat();
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Sieve<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}

/// Waits until nothing has been heard for so long.
pub(super) async fn silence(pulse: &Pulse, most: Duration) {
    let mut since = Instant::now();
    loop {
        sleep_until(since + most).await;
        let heard = pulse.silent_since();
        if heard <= since {
            return;
        }
        since = heard;
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

    use super::*;
    use crate::cluster::news::{News, NewsQueue};
    use crate::cluster::orders::{Cluster, Shared};
    use crate::net::directory::Directory;
    use crate::redis::broadcasts::{Mode, Node};
    use crate::redis::frames::Kind;

    /// A sieve, the other end of it, and what has been taken out.
    fn sieve() -> (Sieve<DuplexStream>, DuplexStream, Arc<Shared>) {
        let shared = Arc::new(Shared::new(NewsQueue::new(Box::new(|| {})), 0));
        let inbound = Arc::new(Inbound::new(Arc::new(Directory::default()), Arc::clone(&shared)));
        let node = Node { mode: Mode::Classic, namespace: "/".into(), uid: "me".into() };
        let (prefix, requests) = ("socket.io#/#".to_owned(), b"requests".to_vec());
        let channels = vec![requests.clone()];
        let (number, patterns) = (1, vec![]);
        let cluster = Cluster {
            number,
            node: Arc::new(node),
            prefix,
            requests,
            patterns,
            channels,
            stream: None,
        };
        let mut namespaces = inbound.namespaces();
        namespaces.subscriptions.add((Kind::Plain, b"requests"[..].into()), 1);
        namespaces.clusters.insert(1, Arc::new(cluster));
        drop(namespaces);
        let (near, far) = duplex(1 << 20);
        (Sieve::new(near, inbound, Arc::new(Pulse::new())), far, shared)
    }

    fn request(payload: &str) -> Vec<u8> {
        let head = ">3\r\n$7\r\nmessage\r\n$8\r\nrequests\r\n";
        format!("{head}${}\r\n{payload}\r\n", payload.len()).into_bytes()
    }

    fn taken(shared: &Shared) -> Vec<String> {
        let payload = |news| {
            let News::Message { payload, .. } = news else { panic!("{news:?}") };
            String::from_utf8(payload.to_vec()).unwrap()
        };
        shared.news.take().into_iter().map(payload).collect()
    }

    #[tokio::test]
    async fn the_rest_comes_as_it_was_sent() {
        let (mut sieve, mut far, shared) = sieve();
        let all = [&b"+OK\r\n$5\r\nhel"[..], b"lo\r\n", &request("{}"), b":1\r\n", &request("[]")];
        for byte in all.concat() {
            far.write_all(&[byte]).await.unwrap();
        }
        let mut rest = [0; 20];
        for place in rest.chunks_mut(3) {
            sieve.read_exact(place).await.unwrap();
        }
        assert_eq!(&rest, b"+OK\r\n$5\r\nhello\r\n:1\r\n");
        drop(far);
        assert_eq!(sieve.read(&mut [0; 9]).await.unwrap(), 0);
        assert_eq!(taken(&shared), ["{}", "[]"]);
    }

    #[tokio::test]
    async fn a_long_message_has_room_and_gives_it_back() {
        let (mut sieve, mut far, shared) = sieve();
        let long = format!("[\"{}\"]", "x".repeat(5 * AT_ONCE));
        far.write_all(&request(&long)).await.unwrap();
        far.write_all(b"+OK\r\n").await.unwrap();
        assert_eq!(sieve.read(&mut [0; 9]).await.unwrap(), 5);
        assert_eq!(taken(&shared), [long]);
        far.write_all(b"+OK\r\n").await.unwrap();
        assert_eq!(sieve.read(&mut [0; 9]).await.unwrap(), 5);
        assert_eq!(sieve.buffer.len(), AT_ONCE);
    }

    #[tokio::test]
    async fn nothing_more_is_read_than_javascript_takes() {
        let (mut sieve, mut far, shared) = sieve();
        let payload = format!("[\"{}\"]", "x".repeat(1 << 20));
        let message = request(&payload);
        let count = 100;
        let writing = tokio::spawn(async move {
            for _ in 0..count {
                far.write_all(&message).await.unwrap();
            }
            far.write_all(b"+OK\r\n").await.unwrap();
            far
        });
        let mut got = 0;
        let mut bytes = [0; 9];
        let mut reading = Box::pin(sieve.read(&mut bytes));
        let mut most = 0;
        let read = std::future::poll_fn(|context| {
            let polled = reading.as_mut().poll(context);
            let now = taken(&shared).len();
            most = most.max(now);
            got += now;
            polled
        });
        assert_eq!(read.await.unwrap(), 5);
        assert_eq!(got, count);
        assert!(most < 20, "{most} were read at once");
        drop(writing.await.unwrap());
    }
}
