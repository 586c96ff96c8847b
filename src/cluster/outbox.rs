//! What waits to be published. It is sent in batches: one is on its way, and the next gathers meanwhile.
//!
//! What has been handed to a connection that is lost is not sent again: a message comes once or not at all.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use redis::Cmd;
use tokio::sync::Notify;

use super::news::Counters;
use super::orders::{Payload, Publication};
use super::session::{Session, is_lost};
use crate::net::command::Outgoing;
use crate::redis::broadcasts::Mode;

/// Messages in a batch.
const MESSAGES: usize = 256;
/// Bytes in a batch, about.
const BYTES: usize = 256 << 10;

/// The queue.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    queue: Mutex<Queue>,
    /// Something waits.
    news: Notify,
    /// Nothing waits, and nothing is on its way.
    empty: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<Publication>,
    /// Whether a batch is on its way.
    busy: bool,
}

impl Outbox {
    fn with<T>(&self, look: impl FnOnce(&mut Queue) -> T) -> T {
        look(&mut self.queue.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Appends something.
    pub(super) fn push(&self, publication: Publication) {
        self.with(|queue| queue.waiting.push_back(publication));
        self.news.notify_one();
    }

    /// Waits until all has left.
    pub(super) async fn drained(&self) {
        while self.with(|queue| queue.busy || !queue.waiting.is_empty()) {
            self.empty.notified().await;
        }
    }

    fn take(&self, counters: &Counters) -> Vec<(Cmd, usize)> {
        let mut batch = Vec::new();
        let mut bytes = 0;
        self.with(|queue| {
            while batch.len() < MESSAGES && bytes < BYTES {
                let Some(publication) = queue.waiting.pop_front() else { break };
                let weight = publication.weight();
                counters.buffered.fetch_sub(weight, Ordering::Relaxed);
                match command(&publication) {
                    Some(command) => {
                        bytes += weight;
                        batch.push((command, weight));
                    }
                    None => Counters::add(&counters.dropped, 1),
                }
            }
            queue.busy = !batch.is_empty();
        });
        batch
    }

    fn done(&self) {
        self.with(|queue| queue.busy = false);
        self.empty.notify_one();
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
            let (commands, sizes): (Vec<_>, Vec<_>) = batch.into_iter().unzip();
            let results = session.run(commands).await;
            let mut lost = false;
            for (result, size) in results.iter().zip(sizes) {
                match result {
                    Ok(_) => {
                        Counters::add(&counters.published, 1);
                        Counters::add(&counters.published_bytes, size);
                    }
                    Err(error) if is_lost(error) => {
                        Counters::add(&counters.dropped, 1);
                        lost = true;
                    }
                    Err(error) => {
                        Counters::add(&counters.refused, 1);
                        told(error.to_string());
                    }
                }
            }
            self.done();
            if lost && matches!(session, Session::One(..)) {
                return;
            }
        }
    }
}

/// None: it is no packet that can be told of.
fn command(publication: &Publication) -> Option<Cmd> {
    let Publication { mode, channel, payload } = publication;
    let mut command = redis::cmd(match mode {
        Mode::Classic => "PUBLISH",
        Mode::Sharded => "SPUBLISH",
    });
    command.arg(&**channel);
    match payload {
        Payload::Made(bytes) => {
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

fn bytes_of(message: &Outgoing) -> &[u8] {
    match message {
        Outgoing::Text(bytes) | Outgoing::Binary(bytes) => bytes,
    }
}

/// So that the type can be shared between the tasks of a thread.
pub(super) type SharedOutbox = Arc<Outbox>;
