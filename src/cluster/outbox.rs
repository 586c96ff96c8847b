//! What waits to be published. It is sent in batches: one is on its way, and the next gathers meanwhile.
//!
//! What has been handed to a connection that is lost is not sent again: a message comes once or not at all. Sessions are: they are
//! kept, and not told of. What Redis has not taken since who should is not there waits in its place, and is sent again.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use redis::Cmd;
use tokio::sync::Notify;
use tokio::time::sleep;

use super::faults::{is_away, is_lost};
use super::news::Counters;
use super::orders::{Payload, Publication, bytes_of};
use super::session::Session;
use crate::redis::broadcasts::Mode;

/// Messages in a batch.
const MESSAGES: usize = 256;
/// Bytes in a batch, about.
const BYTES: usize = 256 << 10;
/// How long what Redis has not taken waits.
const AGAIN: Duration = Duration::from_millis(100);

/// The queue.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    queue: Mutex<Queue>,
    /// Something waits.
    news: Notify,
    /// Nothing waits, and nothing is on its way.
    empty: Notify,
    /// Something has left.
    left: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<Publication>,
    /// Whether a batch is on its way.
    busy: bool,
    /// How many have come ever.
    pushed: u64,
    /// How many have been taken.
    taken: u64,
    /// How many have left.
    left: u64,
}

impl Outbox {
    fn with<T>(&self, look: impl FnOnce(&mut Queue) -> T) -> T {
        look(&mut self.queue.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Appends something.
    pub(super) fn push(&self, publication: Publication) {
        self.with(|queue| {
            queue.pushed += 1;
            queue.waiting.push_back(publication);
        });
        self.news.notify_one();
    }

    /// How many have been appended ever.
    pub(super) fn pushed(&self) -> u64 {
        self.with(|queue| queue.pushed)
    }

    /// Waits until so many have left.
    pub(super) async fn passed(&self, count: u64) {
        loop {
            let left = self.left.notified();
            if self.with(|queue| queue.left >= count) {
                return;
            }
            left.await;
        }
    }

    /// Waits until all has left.
    pub(super) async fn drained(&self) {
        while self.with(|queue| queue.busy || !queue.waiting.is_empty()) {
            self.empty.notified().await;
        }
    }

    fn take(&self, counters: &Counters) -> Vec<(Cmd, Publication)> {
        let mut batch = Vec::new();
        let mut bytes = 0;
        self.with(|queue| {
            while batch.len() < MESSAGES && bytes < BYTES {
                let Some(publication) = queue.waiting.pop_front() else { break };
                queue.taken += 1;
                let weight = publication.weight();
                counters.buffered.fetch_sub(weight, Ordering::Relaxed);
                match command(&publication) {
                    Some(command) => {
                        bytes += weight;
                        batch.push((command, publication));
                    }
                    None => Counters::add(&counters.dropped, 1),
                }
            }
            queue.busy = !batch.is_empty();
        });
        batch
    }

    /// These have not left.
    fn put_back(&self, publications: Vec<Publication>, counters: &Counters) {
        self.with(|queue| {
            for publication in publications.into_iter().rev() {
                queue.taken -= 1;
                counters.buffered.fetch_add(publication.weight(), Ordering::Relaxed);
                queue.waiting.push_front(publication);
            }
        });
    }

    fn done(&self) {
        self.with(|queue| {
            queue.busy = false;
            queue.left = queue.taken;
        });
        self.empty.notify_one();
        self.left.notify_waiters();
    }

    /// Sends what waits, and what comes, as long as the session lasts.
    pub(super) async fn serve(
        &self,
        mut session: Session,
        counters: &Counters,
        told: impl Fn(String),
    ) {
        // What was on its way when the session before was lost.
        self.done();
        loop {
            let batch = self.take(counters);
            if batch.is_empty() {
                self.news.notified().await;
                continue;
            }
            let (commands, sent): (Vec<_>, Vec<_>) = batch.into_iter().unzip();
            let mut again = Vec::new();
            let results = session.run(commands).await;
            let (mut lost, mut is_waiting) = (false, false);
            for (result, publication) in results.iter().zip(sent) {
                match result {
                    Ok(_) => {
                        Counters::add(&counters.published, 1);
                        Counters::add(&counters.published_bytes, publication.weight());
                    }
                    Err(error) if is_away(error) => {
                        is_waiting = true;
                        again.push(publication);
                    }
                    Err(error) if is_lost(error) => {
                        lost = true;
                        // To keep a session twice does no harm.
                        if matches!(publication.payload, Payload::Session { .. }) {
                            again.push(publication);
                        } else {
                            Counters::add(&counters.dropped, 1);
                        }
                    }
                    Err(error) => {
                        Counters::add(&counters.refused, 1);
                        told(error.to_string());
                    }
                }
            }
            self.put_back(again, counters);
            self.done();
            if lost && matches!(session, Session::One(_)) {
                return;
            }
            if is_waiting {
                sleep(AGAIN).await;
            }
        }
    }
}

/// None: it is no packet that can be told of.
fn command(publication: &Publication) -> Option<Cmd> {
    let Publication { mode, channel, payload } = publication;
    if let Payload::Session { value, time } = payload {
        let mut command = redis::cmd("SET");
        command.arg(&**channel).arg(&**value).arg("PX").arg(*time);
        return Some(command);
    }
    let mut command = redis::cmd(match mode {
        Mode::Classic => "PUBLISH",
        Mode::Sharded => "SPUBLISH",
    });
    command.arg(&**channel);
    match payload {
        Payload::Made(bytes) | Payload::Session { value: bytes, .. } => {
            command.arg(&**bytes);
        }
        Payload::Broadcast { node, messages, options } => {
            let mut message = Vec::new();
            let packet = messages.first().map(bytes_of)?;
            let attachments: Vec<&[u8]> = messages.iter().skip(1).map(bytes_of).collect();
            node.write(&mut message, packet, &attachments, options).ok()?;
            command.arg(message);
        }
    }
    Some(command)
}

/// So that the type can be shared between the tasks of a thread.
pub(super) type SharedOutbox = Arc<Outbox>;
