//! The queue up to JavaScript against a model: several workers with several clients each, messages of
//! any size, JavaScript that takes now and then. What waits stays within the bound, everybody's
//! messages arrive whole and in order, and nobody waits for ever.
#![cfg(feature = "net")]

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ferrosocket::border::RecordKind;
use ferrosocket::net::budget::{BEHIND, Held, INBOX_LIMIT};
use ferrosocket::net::inbox::{BATCH_LIMIT, CLIENT_LIMIT, Inbox, Taken};
use ferrosocket::net::record::RecordBatch;
use proptest::collection::vec;
use proptest::prelude::*;

const WORKERS: usize = 3;
const CLIENTS: usize = 7;
/// Bytes of one read.
const READ: usize = 1 << 20;
/// What a record has besides its message, and what is not announced yet.
const SLACK: usize = 8 << 10;

#[derive(Clone, Debug)]
enum Step {
    Send {
        client: usize,
        bytes: usize,
    },
    /// The clients of a worker are read, so often.
    Read {
        worker: usize,
        turns: usize,
    },
    Announce {
        worker: usize,
    },
    /// JavaScript reads the clients of a worker by itself, and takes what there is.
    ReadByJavaScript {
        worker: usize,
    },
    Take {
        times: usize,
    },
    /// A client goes in the middle of a message.
    Leave {
        client: usize,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let sizes = prop_oneof![0..200usize, 0..2 * READ, Just(3 * READ + 5)];
    let client = 0..WORKERS * CLIENTS;
    prop_oneof![
        8 => (client.clone(), sizes).prop_map(|(client, bytes)| Step::Send { client, bytes }),
        6 => (0..WORKERS, 1..6usize).prop_map(|(worker, turns)| Step::Read { worker, turns }),
        2 => (0..WORKERS).prop_map(|worker| Step::Announce { worker }),
        2 => (0..WORKERS).prop_map(|worker| Step::ReadByJavaScript { worker }),
        1 => (1..5usize).prop_map(|times| Step::Take { times }),
        1 => client.prop_map(|client| Step::Leave { client }),
    ]
}

/// A client, as a wire and a connection see it.
struct Client {
    /// Messages that are on their way, by their number and size.
    sent: VecDeque<(u32, usize)>,
    next: u32,
    /// Bytes of the first of them that have been read.
    held: Held,
    stalled: bool,
    waiting: usize,
    end: u64,
    /// Messages that JavaScript is to see next.
    expected: VecDeque<(u32, usize)>,
}

struct Model {
    inbox: Arc<Inbox>,
    clients: Vec<Client>,
    /// Whether JavaScript has to come: it was woken, or told that there is more.
    awake: Arc<AtomicBool>,
    /// What waited when JavaScript was last not behind.
    before: usize,
}

impl Model {
    fn new() -> Self {
        let awake = Arc::new(AtomicBool::new(false));
        let for_inbox = Arc::clone(&awake);
        let inbox = Arc::new(Inbox::new(move || for_inbox.store(true, Ordering::SeqCst)));
        let client = |index| Client {
            sent: VecDeque::new(),
            next: 0,
            held: Held::new(&inbox.budget, index / CLIENTS),
            stalled: false,
            waiting: 0,
            end: 0,
            expected: VecDeque::new(),
        };
        let clients = (0..WORKERS * CLIENTS).map(client).collect();
        Self { inbox, clients, awake, before: 0 }
    }

    /// Whether a client may be read; `relief` when it had to stop.
    fn has_room(&self, index: usize, relief: bool) -> bool {
        let (client, worker, budget) = (&self.clients[index], index / CLIENTS, &self.inbox.budget);
        let left =
            usize::try_from(client.end.saturating_sub(self.inbox.taken(worker))).expect("64 bits");
        let room = if relief { budget.has_relief(worker) } else { budget.has_room(worker) };
        room && client.waiting.min(left) < CLIENT_LIMIT
    }

    /// Whether a client has to wait: then it hears of what is taken later.
    fn must_wait(&self, index: usize, relief: bool) -> bool {
        if self.has_room(index, relief) {
            return false;
        }
        self.inbox.budget.wait(index / CLIENTS);
        !self.has_room(index, relief)
    }

    fn read(&mut self, index: usize) {
        let worker = index / CLIENTS;
        if self.clients[index].stalled || self.clients[index].sent.is_empty() {
            return;
        }
        if self.must_wait(index, false) {
            self.clients[index].stalled = true;
            return;
        }
        let taken = self.inbox.taken(worker);
        let client = &mut self.clients[index];
        let mut left = READ;
        // What a read brings: the rest of a message, others, the beginning of one.
        while let Some(&(number, bytes)) = client.sent.front() {
            let part = left.min(bytes - client.held.bytes());
            left -= part;
            if client.held.bytes() + part < bytes {
                client.held.set(client.held.bytes() + part);
                break;
            }
            client.held.set(0);
            client.sent.pop_front();
            let pushed = self.inbox.push(worker, |record| {
                record.kind(RecordKind::RawMessage).number(u32::try_from(index).expect("few"));
                record.number(number).buffer(vec![0; bytes]);
            });
            if client.end <= taken {
                client.waiting = 0;
            }
            client.waiting += pushed.bytes;
            client.end = pushed.end;
            client.expected.push_back((number, bytes));
            if left == 0 {
                break;
            }
        }
    }

    fn take(&mut self) -> Result<(), TestCaseError> {
        if !self.awake.load(Ordering::SeqCst) {
            return Ok(());
        }
        self.awake.store(false, Ordering::SeqCst);
        let Taken { mut batch, waiting, .. } = self.inbox.take(RecordBatch::default());
        if batch.text.ends_with(' ') {
            self.awake.store(true, Ordering::SeqCst);
        }
        let text = batch.text.strip_suffix(' ').unwrap_or(&batch.text);
        prop_assert_eq!(text.ends_with('\n'), !batch.buffers.is_empty());
        if !batch.text.is_empty() {
            let records: Vec<[u32; 3]> = serde_json::from_str(&batch.text).expect("JSON");
            let bytes: usize = batch.buffers.iter().map(Vec::len).sum();
            prop_assert!(bytes <= BATCH_LIMIT || records.len() == 1);
            prop_assert_eq!(records.len(), batch.buffers.len());
            for ([_, index, number], buffer) in records.into_iter().zip(batch.buffers.drain(..)) {
                let expected = self.clients[index as usize].expected.pop_front();
                prop_assert_eq!(expected, Some((number, buffer.len())));
            }
        }
        for index in 0..self.clients.len() {
            let told = waiting & (1 << (index / CLIENTS)) != 0;
            if told && self.clients[index].stalled && !self.must_wait(index, true) {
                self.clients[index].stalled = false;
            }
        }
        Ok(())
    }

    fn apply(&mut self, step: &Step) -> Result<(), TestCaseError> {
        match *step {
            Step::Send { client, bytes } => {
                let client = &mut self.clients[client];
                client.sent.push_back((client.next, bytes));
                client.next += 1;
            }
            Step::Read { worker, turns } => {
                for _ in 0..turns {
                    for client in 0..CLIENTS {
                        self.read(worker * CLIENTS + client);
                        self.check()?;
                    }
                }
                self.inbox.announce(worker);
            }
            Step::Announce { worker } => {
                self.inbox.announce(worker);
            }
            Step::ReadByJavaScript { worker } => {
                let before = self.awake.load(Ordering::SeqCst);
                let inbox = Arc::clone(&self.inbox);
                let (checked, news): (Result<_, TestCaseError>, _) = inbox.while_awake(|| {
                    for client in 0..CLIENTS {
                        self.read(worker * CLIENTS + client);
                        self.check()?;
                    }
                    self.inbox.announce(worker);
                    Ok(())
                });
                checked?;
                prop_assert_eq!(self.awake.load(Ordering::SeqCst), before, "nobody is woken");
                if news {
                    self.awake.store(true, Ordering::SeqCst);
                    self.take()?;
                }
            }
            Step::Take { times } => {
                for _ in 0..times {
                    self.take()?;
                }
            }
            Step::Leave { client } => {
                let client = &mut self.clients[client];
                client.held.set(0);
                client.sent.clear();
            }
        }
        self.check()
    }

    fn check(&mut self) -> Result<(), TestCaseError> {
        let budget = &self.inbox.budget;
        let (queued, bytes) = (budget.queued(), budget.bytes());
        if queued <= BEHIND {
            self.before = bytes;
        }
        let bound = INBOX_LIMIT.max(self.before) + WORKERS * (READ + SLACK);
        prop_assert!(bytes <= bound, "{bytes} bytes wait");
        Ok(())
    }

    /// JavaScript works on until nothing is left.
    fn finish(&mut self) -> Result<(), TestCaseError> {
        let mut idle = false;
        while !idle {
            idle = true;
            for index in 0..self.clients.len() {
                let before = self.clients[index].held.bytes() + self.clients[index].sent.len();
                self.read(index);
                let client = &self.clients[index];
                idle &= before == client.held.bytes() + client.sent.len();
            }
            for worker in 0..WORKERS {
                self.inbox.announce(worker);
            }
            idle &= !self.awake.load(Ordering::SeqCst);
            self.take()?;
            self.check()?;
        }
        for client in &self.clients {
            prop_assert!(!client.stalled, "somebody waits for ever");
            prop_assert!(client.sent.is_empty() && client.expected.is_empty());
        }
        prop_assert_eq!((self.inbox.budget.queued(), self.inbox.budget.held()), (0, 0));
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn what_waits_is_bounded_and_all_of_it_arrives_in_order(steps in vec(step(), 0..400)) {
        let mut model = Model::new();
        for step in &steps {
            model.apply(step)?;
        }
        model.finish()?;
    }

    /// Many begin messages and do not end them: the others are read on.
    #[test]
    fn unfinished_messages_stop_nobody(bytes in 1..READ, steps in vec(step(), 0..60)) {
        let mut model = Model::new();
        let unfinished: Vec<Held> = (0..90)
            .map(|n| Held::of(&model.inbox.budget, n % WORKERS, bytes.max(READ / 2)))
            .collect();
        for step in &steps {
            model.apply(step)?;
        }
        while model.clients.iter().any(|client| !client.sent.is_empty() || !client.expected.is_empty()) {
            for index in 0..model.clients.len() {
                model.read(index);
            }
            for worker in 0..WORKERS {
                model.inbox.announce(worker);
            }
            prop_assert!(model.awake.load(Ordering::SeqCst) || model.clients.iter().all(|client| !client.stalled));
            model.take()?;
        }
        drop(unfinished);
        model.finish()?;
    }
}
