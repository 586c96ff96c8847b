//! One direction of a relay: bytes from one end to the other, as far as that takes them.
//!
//! ```text
//!   Open ── the source ends ──► Ending ── all is written ──► Closing ── the sink has been told ──► Over
//! ```
//!
//! Nothing is read while the sink has not taken what was read before: so one read is the most that waits here, and
//! whoever sends too fast is held up by his own socket.

use std::io;

use crate::net::tcp::Written;
use crate::net::write_queue::WriteQueue;

/// A byte stream that bytes come from and go to.
pub trait End {
    /// Reads what has come; 0: the stream has ended.
    ///
    /// # Errors
    /// `WouldBlock` when nothing has come; `Interrupted`: what has come says nothing; else the stream is broken.
    fn read(&self, buffer: &mut [u8]) -> io::Result<usize>;
    /// Writes what is queued, and what the end has to write of its own, as far as the other side takes it.
    fn write(&self, out: &mut WriteQueue) -> Written;
    /// Tells the other side that nothing more is written.
    fn half_close(&self);
}

/// What has come of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// There may be more to do.
    Moved,
    /// Nothing can be done until one of the ends is ready.
    Stuck,
    /// Where bytes come from is broken.
    SourceBroke,
    /// Where they go to is broken.
    SinkBroke,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Open,
    Ending,
    Closing,
    Over,
}

/// One direction.
#[derive(Debug, Default)]
pub struct Flow {
    waiting: WriteQueue,
    state: State,
}

impl Flow {
    /// One that begins with bytes that have been read before.
    pub fn behind(bytes: &[u8]) -> Self {
        let mut flow = Self::default();
        flow.queue(bytes);
        flow
    }

    /// Bytes that wait here.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Whether the source has ended.
    pub fn has_ended(&self) -> bool {
        self.state != State::Open
    }

    /// Whether the sink has got everything, and knows that nothing more comes.
    pub fn is_over(&self) -> bool {
        self.state == State::Over
    }

    /// Nothing more is read from the source.
    pub fn end(&mut self) {
        if self.state == State::Open {
            self.state = State::Ending;
        }
    }

    /// Does what can be done at once, with one read at most.
    pub fn step(&mut self, source: &impl End, sink: &impl End, buffer: &mut [u8]) -> Step {
        match sink.write(&mut self.waiting) {
            Written::All => {}
            Written::Blocked => return Step::Stuck,
            Written::Broken => return Step::SinkBroke,
        }
        match self.state {
            State::Open => match source.read(buffer) {
                Ok(0) => self.state = State::Ending,
                Ok(count) => {
                    self.queue(&buffer[..count]);
                    if sink.write(&mut self.waiting) == Written::Broken {
                        return Step::SinkBroke;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Step::Stuck,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Step::SourceBroke,
            },
            State::Ending => {
                sink.half_close();
                self.state = State::Closing;
            }
            State::Closing => self.state = State::Over,
            State::Over => return Step::Stuck,
        }
        Step::Moved
    }

    /// Bytes that go to the sink behind those that wait.
    pub fn queue(&mut self, bytes: &[u8]) {
        self.waiting.append(Vec::new, |tail| tail.extend_from_slice(bytes));
    }
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    /// What happens to the two ends, between the steps of the flow.
    #[derive(Clone, Debug)]
    enum Event {
        /// The source's other side sends.
        Send(Vec<u8>),
        /// It ends the stream.
        End,
        /// It breaks.
        Break,
        /// The sink's other side takes so many bytes more.
        Take(usize),
        /// It is gone.
        Leave,
    }

    #[derive(Default)]
    struct Fake {
        incoming: RefCell<VecDeque<u8>>,
        ended: Cell<bool>,
        broken: Cell<bool>,
        room: Cell<usize>,
        taken: RefCell<Vec<u8>>,
        told: Cell<u32>,
    }

    impl End for Fake {
        fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
            if self.broken.get() {
                return Err(io::ErrorKind::ConnectionReset.into());
            }
            let mut incoming = self.incoming.borrow_mut();
            if incoming.is_empty() {
                return if self.ended.get() {
                    Ok(0)
                } else {
                    Err(io::ErrorKind::WouldBlock.into())
                };
            }
            let count = incoming.len().min(buffer.len());
            for (to, byte) in buffer.iter_mut().zip(incoming.drain(..count)) {
                *to = byte;
            }
            Ok(count)
        }

        fn write(&self, out: &mut WriteQueue) -> Written {
            assert!(out.is_empty() || self.told.get() == 0, "nothing follows the end");
            if self.broken.get() {
                return Written::Broken;
            }
            let bytes = out.take(self.room.get());
            self.room.set(self.room.get() - bytes.len());
            self.taken.borrow_mut().extend(bytes);
            if out.is_empty() { Written::All } else { Written::Blocked }
        }

        fn half_close(&self) {
            self.told.set(self.told.get() + 1);
        }
    }

    fn event() -> impl Strategy<Value = Event> {
        prop_oneof![
            6 => proptest::collection::vec(any::<u8>(), 1..300).prop_map(Event::Send),
            1 => Just(Event::End),
            1 => Just(Event::Break),
            6 => (0usize..400).prop_map(Event::Take),
            1 => Just(Event::Leave),
        ]
    }

    proptest! {
        #[test]
        fn what_goes_in_comes_out_in_order_and_no_more_than_a_read_waits(
            events in proptest::collection::vec(event(), 0..60),
            size in 1usize..64,
        ) {
            let (source, sink) = (Fake::default(), Fake::default());
            let mut flow = Flow::default();
            let mut buffer = vec![0; size];
            let mut sent = Vec::new();
            let mut last = Step::Stuck;
            for event in events {
                match event {
                    Event::Send(bytes) if !source.ended.get() => {
                        sent.extend_from_slice(&bytes);
                        source.incoming.borrow_mut().extend(bytes);
                    }
                    Event::Send(_) => {}
                    Event::End => source.ended.set(true),
                    Event::Break => source.broken.set(true),
                    Event::Take(bytes) => sink.room.set(sink.room.get() + bytes),
                    Event::Leave => sink.broken.set(true),
                }
                loop {
                    last = flow.step(&source, &sink, &mut buffer);
                    prop_assert!(flow.waiting() <= size);
                    if last != Step::Moved {
                        break;
                    }
                }
                prop_assert!(sent.starts_with(&sink.taken.borrow()));
                if last == Step::SinkBroke || last == Step::SourceBroke {
                    break;
                }
                // It does not stop as long as there is something to do.
                let got = sink.taken.borrow().len();
                let left = sent.len() - got;
                prop_assert!(left == 0 || sink.room.get() == 0);
                prop_assert_eq!(flow.is_over(), source.ended.get() && left == 0);
                prop_assert_eq!(sink.told.get() == 1, flow.is_over());
            }
            prop_assert_eq!(last == Step::SinkBroke, sink.broken.get() && last != Step::SourceBroke && last != Step::Stuck);
        }
    }
}
