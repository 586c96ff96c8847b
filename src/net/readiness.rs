//! What sockets are known to be ready for, and whose turn it is.
//!
//! The system tells of a socket once when something changes (edge-triggered). What it told is kept until a
//! call shows that it is over, so no call is made only to find out that there is nothing to do. It is a hint
//! and never the truth: a socket of which too much is believed is asked for nothing, once.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

use mio::event::Event;

/// Whether a read that does not fill the buffer shows that nothing is left. Windows tells of more only after
/// a read that has found nothing.
const SHORT_READ_IS_LAST: bool = cfg!(unix);

const READABLE: u8 = 1;
const WRITABLE: u8 = 2;
/// The peer has ended the stream, or it broke: behind the last bytes there is an end to be read, of which the
/// system tells no second time.
const HUNG_UP: u8 = 4;
/// It is in the run queue.
const QUEUED: u8 = 8;
/// It is closed, and its place may be given to another as soon as it is not in the run queue any more.
const CLOSED: u8 = 16;
/// The stream broke: who does not read on need not wait for its end, as nobody is there any more.
const BROKEN: u8 = 32;

/// What one socket is known to be ready for.
#[derive(Debug)]
pub struct Readiness {
    place: u32,
    flags: Cell<u8>,
}

impl Readiness {
    /// That of a new socket, whose connection has this place in the table.
    pub fn new(place: u32) -> Self {
        Self { place, flags: Cell::new(WRITABLE) }
    }

    fn has(&self, flag: u8) -> bool {
        self.flags.get() & flag != 0
    }

    fn set(&self, flags: u8) {
        self.flags.set(self.flags.get() | flags);
    }

    fn clear(&self, flags: u8) {
        self.flags.set(self.flags.get() & !flags);
    }

    /// Whether there may be something to read.
    #[inline]
    pub fn is_readable(&self) -> bool {
        self.has(READABLE)
    }

    /// Whether the peer may take something.
    #[inline]
    pub fn is_writable(&self) -> bool {
        self.has(WRITABLE)
    }

    /// Whether the peer may have ended the stream.
    pub fn is_hung_up(&self) -> bool {
        self.has(HUNG_UP)
    }

    /// Whether the stream is known to be broken.
    pub fn is_broken(&self) -> bool {
        self.has(BROKEN)
    }

    /// The system has told something.
    pub fn handle_event(&self, event: &Event) {
        let ended = event.is_read_closed() || event.is_error();
        if event.is_readable() || ended {
            self.set(READABLE);
        }
        if event.is_writable() || event.is_write_closed() || event.is_error() {
            self.set(WRITABLE);
        }
        if ended {
            self.set(HUNG_UP);
        }
        if event.is_error() {
            self.set(BROKEN);
        }
    }

    /// `count` bytes have been read into a buffer of `room`.
    #[inline]
    pub fn handle_read(&self, count: usize, room: usize) {
        if SHORT_READ_IS_LAST && count < room && !self.has(HUNG_UP) {
            self.clear(READABLE);
        }
    }

    /// There was nothing to read.
    pub fn handle_nothing_read(&self) {
        self.clear(READABLE | HUNG_UP);
    }

    /// The peer took nothing.
    pub fn handle_nothing_written(&self) {
        self.clear(WRITABLE);
    }

    /// A write has failed: the next read sees the end.
    pub fn handle_broken(&self) {
        self.set(READABLE | HUNG_UP | BROKEN);
    }
}

/// Who is to be looked at, in order; each at most once.
///
/// A place is free for another connection when its own is closed and not in the queue any more. So whoever is
/// found in a place is the one that was queued.
#[derive(Debug, Default)]
pub struct RunQueue {
    due: RefCell<VecDeque<u32>>,
    closed: RefCell<Vec<u32>>,
}

impl RunQueue {
    /// Has the connection with this readiness looked at, behind those that are in the queue.
    pub fn push(&self, readiness: &Readiness) {
        if !readiness.has(QUEUED | CLOSED) {
            readiness.set(QUEUED);
            self.due.borrow_mut().push_back(readiness.place);
        }
    }

    /// How many are in the queue.
    pub fn len(&self) -> usize {
        self.due.borrow().len()
    }

    /// Whether nobody is.
    pub fn is_empty(&self) -> bool {
        self.due.borrow().is_empty()
    }

    /// The place of the next one; [`take`](Self::take) has to follow.
    pub fn pop(&self) -> Option<u32> {
        self.due.borrow_mut().pop_front()
    }

    /// The next one has been found by its place. False: it is closed, and not to be looked at.
    pub fn take(&self, readiness: &Readiness) -> bool {
        readiness.clear(QUEUED);
        !readiness.has(CLOSED)
    }

    /// The socket with this readiness is closed: its place is given back when it is not in the queue.
    pub fn close(&self, readiness: &Readiness) {
        if !readiness.has(CLOSED) {
            readiness.set(CLOSED);
            self.closed.borrow_mut().push(readiness.place);
        }
    }

    /// Gives the places that are to be free to `free`, as far as it says that they can be.
    pub fn release(&self, mut free: impl FnMut(u32) -> bool) {
        if self.closed.borrow().is_empty() {
            return;
        }
        // Nothing is borrowed meanwhile: what is dropped with a connection may be anything.
        let mut left = self.closed.take();
        left.retain(|&place| !free(place));
        let mut closed = self.closed.borrow_mut();
        left.append(&mut closed);
        *closed = left;
    }

    /// Whether the place of the connection with this readiness can be free.
    pub fn is_over(&self, readiness: &Readiness) -> bool {
        readiness.has(CLOSED) && !readiness.has(QUEUED)
    }
}
