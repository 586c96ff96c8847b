//! Bytes on their way to one peer.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf as _, Bytes};

/// A shared frame up to this size is copied behind what already waits: one buffer, one write.
pub const COPY_LIMIT: usize = 2048;
/// Bytes already written that a tail buffer may hold on to.
const COMPACT_FROM: usize = 16 << 10;
/// A tail below this size, such as the header of the frame that follows, does not take the whole
/// buffer with it.
const SMALL_TAIL: usize = 256;
/// At most this many pieces go into one `writev`.
pub const MAX_SLICES: usize = 32;

/// What is queued for one peer: whole shared frames first, then a tail that small writes extend.
///
/// An idle queue owns no memory.
#[derive(Debug, Default)]
pub struct WriteQueue {
    chunks: VecDeque<Bytes>,
    tail: Vec<u8>,
    /// Bytes of `tail` that are already written. Not zero only while `chunks` is empty.
    written: usize,
    queued: usize,
}

impl WriteQueue {
    /// Bytes not yet written.
    pub fn len(&self) -> usize {
        self.queued
    }

    /// Whether everything is written.
    pub fn is_empty(&self) -> bool {
        self.queued == 0
    }

    /// Appends what `write` appends to the tail buffer; `spare` provides one when there is none.
    pub fn append(&mut self, spare: impl FnOnce() -> Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
        if self.tail.capacity() == 0 {
            self.tail = spare();
        }
        // A peer that keeps up but never empties the queue must not make the tail grow for ever. Moving
        // what waits costs less than was written since the last time.
        if self.written >= COMPACT_FROM && self.written >= self.tail.len() - self.written {
            self.tail.drain(..self.written);
            self.written = 0;
        }
        let before = self.tail.len();
        write(&mut self.tail);
        self.queued += self.tail.len() - before;
    }

    /// Appends bytes that other queues hold too. Small ones are copied, large ones are not.
    pub fn append_shared(&mut self, bytes: &Bytes, spare: impl FnOnce() -> Vec<u8>) {
        if bytes.len() <= COPY_LIMIT {
            return self.append(spare, |tail| tail.extend_from_slice(bytes));
        }
        self.seal_tail();
        self.queued += bytes.len();
        self.chunks.push_back(bytes.clone());
    }

    /// The next pieces to write, in order.
    pub fn slices<'a>(&'a self, slices: &mut [IoSlice<'a>; MAX_SLICES]) -> usize {
        let mut n = 0;
        for chunk in self.chunks.iter().take(MAX_SLICES - 1) {
            slices[n] = IoSlice::new(chunk);
            n += 1;
        }
        if n == self.chunks.len() && self.tail.len() > self.written {
            slices[n] = IoSlice::new(&self.tail[self.written..]);
            n += 1;
        }
        n
    }

    /// The single piece that waits, when it is only one.
    pub fn single(&self) -> Option<&[u8]> {
        self.chunks.is_empty().then(|| &self.tail[self.written..])
    }

    /// Marks `n` bytes as written; gives back the tail buffer when nothing waits any more.
    pub fn advance(&mut self, mut n: usize) -> Option<Vec<u8>> {
        self.queued -= n;
        while n > 0 {
            let Some(chunk) = self.chunks.front_mut() else { break };
            let step = n.min(chunk.len());
            chunk.advance(step);
            n -= step;
            if chunk.is_empty() {
                self.chunks.pop_front();
            }
        }
        self.written += n;
        if self.queued > 0 {
            return None;
        }
        self.written = 0;
        self.chunks = VecDeque::new();
        let mut tail = std::mem::take(&mut self.tail);
        tail.clear();
        (tail.capacity() > 0).then_some(tail)
    }

    /// Takes up to `limit` bytes out of the queue, in order.
    pub fn take(&mut self, limit: usize) -> Vec<u8> {
        let mut taken = Vec::with_capacity(limit.min(self.queued));
        for chunk in &self.chunks {
            let room = limit - taken.len();
            taken.extend_from_slice(&chunk[..chunk.len().min(room)]);
        }
        let room = limit - taken.len();
        let tail = &self.tail[self.written..];
        taken.extend_from_slice(&tail[..tail.len().min(room)]);
        self.advance(taken.len());
        taken
    }

    /// Drops everything.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Moves the tail behind the chunks, so that a shared chunk can follow it.
    fn seal_tail(&mut self) {
        let waiting = &self.tail[self.written..];
        if (1..SMALL_TAIL).contains(&waiting.len()) {
            self.chunks.push_back(Bytes::copy_from_slice(waiting));
            self.tail.clear();
        } else if !waiting.is_empty() {
            let mut sealed = Bytes::from(std::mem::take(&mut self.tail));
            sealed.advance(self.written);
            self.chunks.push_back(sealed);
        } else {
            self.tail.clear();
        }
        self.written = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(queue: &mut WriteQueue, step: usize) -> Vec<u8> {
        let mut out = Vec::new();
        while !queue.is_empty() {
            let mut slices = [IoSlice::new(&[]); MAX_SLICES];
            let n = queue.slices(&mut slices);
            let before = out.len();
            out.extend(slices[..n].iter().flat_map(|slice| slice.iter().copied()).take(step));
            queue.advance(out.len() - before);
        }
        out
    }

    #[test]
    fn small_and_shared_writes_leave_in_order_whatever_the_socket_takes() {
        for step in [1, 3, 1000, 100_000] {
            let mut queue = WriteQueue::default();
            let mut expected = Vec::new();
            for round in 0..100u8 {
                queue.append(Vec::new, |tail| tail.extend_from_slice(&[round; 10]));
                expected.extend_from_slice(&[round; 10]);
                let shared = Bytes::from(vec![round; 100 * usize::from(round)]);
                queue.append_shared(&shared, Vec::new);
                expected.extend_from_slice(&shared);
            }
            assert_eq!(queue.len(), expected.len());
            assert!(drain(&mut queue, step) == expected);
        }
    }

    #[test]
    fn a_queue_that_is_never_empty_gives_back_what_is_written() {
        let mut queue = WriteQueue::default();
        queue.append(Vec::new, |tail| tail.extend_from_slice(&[0; 100]));
        for round in 0..100_000u32 {
            queue.append(Vec::new, |tail| tail.extend_from_slice(&round.to_le_bytes()));
            assert!(queue.advance(4).is_none());
        }
        assert_eq!(queue.len(), 100);
        assert!(queue.tail.capacity() <= 4 * COMPACT_FROM, "{}", queue.tail.capacity());
        assert_eq!(queue.take(100)[96..], 99_999u32.to_le_bytes());
    }

    #[test]
    fn take_gives_the_first_bytes() {
        let mut queue = WriteQueue::default();
        queue.append(Vec::new, |tail| tail.extend_from_slice(b"abc"));
        queue.append_shared(&Bytes::from(vec![b'x'; 3000]), Vec::new);
        queue.append(Vec::new, |tail| tail.extend_from_slice(b"end"));
        assert_eq!(queue.take(2), b"ab");
        assert_eq!(queue.take(4), b"cxxx");
        assert_eq!(queue.len(), 2997 + 3);
        assert_eq!(&queue.take(10_000)[2997..], b"end");
        assert!(queue.is_empty());
    }
}
