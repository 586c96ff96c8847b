//! What waits to be published. It is sent in batches: to each node one is on its way, and the next gathers meanwhile.
//!
//! What has been handed to a connection that is lost is not sent again: a message comes once or not at all. Sessions are: they are
//! kept, and not told of. What Redis has not taken since who should is not there waits in its place, and is sent again; but not behind
//! what was to come later.
//!
//! While a node of a Redis Cluster is away, half of what may wait is for the others: what is for it and does not fit into the other
//! half is dropped.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use redis::{Cmd, RedisResult, Value};
use tokio::sync::Notify;
use tokio::time::sleep;

use super::clock;
use super::faults::{is_away, is_lost};
use super::lanes::{Batch, Item, Lanes, Outcome};
use super::news::Counters;
use super::orders::{Payload, Publication, Shared, bytes_of};
use super::route::Route;
use super::session::Session;
use super::topology::Address;
use crate::redis::broadcasts::Mode;
use crate::redis::slots::slot_of;

/// What is sent at once.
const BATCH: Batch = Batch { items: 256, bytes: 256 << 10 };
/// A node that has not answered for so long, in ms, holds up what is for it.
const SLOW: u64 = 1_000;

/// The queue.
#[derive(Debug)]
pub(super) struct Outbox {
    shared: Arc<Shared>,
    /// Whether there are several nodes, which have parts of the keys and channels.
    is_cluster: bool,
    queue: Mutex<Queue>,
    /// Something waits.
    news: Notify,
    /// Nothing waits, and nothing is on its way.
    empty: Notify,
    /// Something has left.
    pub(super) left: Notify,
}

#[derive(Debug)]
struct Queue {
    lanes: Lanes<Numbered, Address>,
    /// How many have come ever.
    pushed: u64,
}

/// A publication, and how many came before.
#[derive(Debug)]
struct Numbered {
    number: u64,
    route: Route,
    publication: Publication,
}

impl Item for Numbered {
    type Key = Route;

    fn key(&self) -> Route {
        self.route
    }

    fn weight(&self) -> usize {
        self.publication.weight()
    }

    fn must_precede(&self, later: &Self) -> bool {
        let session = |it: &Publication| matches!(it.payload, Payload::Session { .. });
        match (session(&self.publication), session(&later.publication)) {
            (false, false) => true,
            (true, true) => self.publication.channel == later.publication.channel,
            (true, false) | (false, true) => false,
        }
    }
}

/// What has become of a batch: of each whether it could be sent, and what Redis has said.
type Landed = (Address, Vec<Option<RedisResult<Value>>>);

impl Outbox {
    pub(super) fn new(shared: Arc<Shared>, is_cluster: bool) -> Self {
        let queue = Mutex::new(Queue { lanes: Lanes::new(BATCH), pushed: 0 });
        let (news, empty, left) = (Notify::new(), Notify::new(), Notify::new());
        Self { shared, is_cluster, queue, news, empty, left }
    }

    fn with<T>(&self, look: impl FnOnce(&mut Queue) -> T) -> T {
        look(&mut self.queue.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn counters(&self) -> &Counters {
        &self.shared.counters
    }

    /// Appends something. `session`: by which it will leave, if there is one.
    pub(super) fn push(&self, publication: Publication, session: Option<&Session>) {
        let route = self.route(&publication);
        let weight = publication.weight();
        let is_pushed = self.with(|queue| {
            let buffered = self.counters().buffered.load(Ordering::Relaxed);
            if let (Some(session), Route::Shard(_) | Route::Primary(_)) = (session, route)
                && buffered > self.shared.most_buffered / 2
            {
                let since = clock::now().saturating_sub(SLOW);
                let place = |it: &Numbered| session.place(it.route);
                if queue.lanes.is_held_up(route, since, place) {
                    return false;
                }
            }
            queue.lanes.push(Numbered { number: queue.pushed, route, publication });
            queue.pushed += 1;
            true
        });
        if is_pushed {
            self.news.notify_one();
        } else {
            self.counters().buffered.fetch_sub(weight, Ordering::Relaxed);
            Counters::add(&self.counters().dropped, 1);
        }
    }

    /// Who takes it.
    fn route(&self, publication: &Publication) -> Route {
        match (&publication.payload, publication.mode) {
            _ if !self.is_cluster => Route::Home,
            (Payload::Session { .. }, _) => Route::Primary(slot_of(publication.channel.as_bytes())),
            (_, Mode::Sharded) => Route::Shard(slot_of(publication.channel.as_bytes())),
            (_, Mode::Classic) => Route::Home,
        }
    }

    /// How many have been appended ever.
    pub(super) fn pushed(&self) -> u64 {
        self.with(|queue| queue.pushed)
    }

    /// Whether the first so many have left, as far as the session with that key may be among them.
    pub(super) fn has_passed(&self, count: u64, key: &str) -> bool {
        let route =
            if self.is_cluster { Route::Primary(slot_of(key.as_bytes())) } else { Route::Home };
        self.with(|queue| queue.lanes.first(route).is_none_or(|first| first.number >= count))
    }

    /// Whether something waits since nobody takes it.
    pub(super) fn is_stalled(&self) -> bool {
        self.with(|queue| queue.lanes.is_stalled())
    }

    /// Waits until all has left.
    pub(super) async fn drained(&self) {
        while self.with(|queue| !queue.lanes.is_empty()) {
            self.empty.notified().await;
        }
    }

    /// The session is lost. So is what was on its way, but for what may be kept twice.
    pub(super) fn lost(&self) {
        let counters = self.counters();
        let gone = self.with(|queue| {
            queue.lanes.lost(|it| {
                let is_kept = matches!(it.publication.payload, Payload::Session { .. });
                if is_kept {
                    counters.buffered.fetch_add(it.weight(), Ordering::Relaxed);
                }
                is_kept
            })
        });
        Counters::add(&counters.dropped, gone.len());
    }

    /// Sends what can be now; gives where to, and what: nothing in the place of what is no packet that can be told of.
    fn take(&self, session: &Session) -> Vec<(Address, Vec<Option<Cmd>>)> {
        let buffered = &self.counters().buffered;
        self.with(|queue| {
            let places = queue.lanes.take(clock::now(), |it| session.place(it.route));
            let commands = |place: &Address| {
                let sent = queue.lanes.sent(place).iter();
                sent.map(|it| {
                    buffered.fetch_sub(it.weight(), Ordering::Relaxed);
                    command(&it.publication)
                })
                .collect()
            };
            places
                .into_iter()
                .map(|place| {
                    let commands = commands(&place);
                    (place, commands)
                })
                .collect()
        })
    }

    /// Notes what has come of a batch. Gives whether a connection is lost, and why something waits.
    fn land(&self, (place, results): Landed, told: impl Fn(String)) -> (bool, Option<String>) {
        let counters = self.counters();
        let (mut is_over, mut waits) = (false, None);
        let mut refusals = Vec::new();
        self.with(|queue| {
            let passed = queue.lanes.land(&place, clock::now(), |index, it| {
                let outcome = match results.get(index) {
                    Some(Some(Ok(_))) => {
                        Counters::add(&counters.published, 1);
                        Counters::add(&counters.published_bytes, it.weight());
                        Outcome::Out
                    }
                    Some(Some(Err(error))) if is_away(error) => {
                        waits = Some(error.to_string());
                        Outcome::Again
                    }
                    Some(Some(Err(error))) if is_lost(error) => {
                        is_over = true;
                        // To keep a session twice does no harm.
                        let is_session = matches!(it.publication.payload, Payload::Session { .. });
                        Counters::add(&counters.dropped, usize::from(!is_session));
                        if is_session { Outcome::Again } else { Outcome::Out }
                    }
                    Some(Some(Err(error))) => {
                        Counters::add(&counters.refused, 1);
                        refusals.push(error.to_string());
                        Outcome::Refused
                    }
                    Some(None) | None => {
                        Counters::add(&counters.dropped, 1);
                        Outcome::Refused
                    }
                };
                if outcome == Outcome::Again {
                    counters.buffered.fetch_add(it.weight(), Ordering::Relaxed);
                }
                outcome
            });
            for it in &passed {
                counters.buffered.fetch_sub(it.weight(), Ordering::Relaxed);
            }
            Counters::add(&counters.dropped, passed.len());
        });
        self.empty.notify_one();
        self.left.notify_waiters();
        refusals.into_iter().for_each(told);
        (is_over, waits)
    }

    /// Sends what waits, and what comes, as long as the session lasts. `told`: what Redis refuses. `landed` is called when something
    /// has been taken, or has not; then with the reason.
    pub(super) async fn serve(
        &self,
        session: Session,
        told: impl Fn(String),
        landed: impl Fn(Option<String>),
    ) {
        let (mut flights, mut version) = (FuturesUnordered::new(), session.version());
        loop {
            let now = session.version();
            if now != version {
                version = now;
                self.with(|queue| queue.lanes.moved());
            }
            for (place, commands) in self.take(&session) {
                let mut session = session.clone();
                flights.push(async move {
                    let sent = commands.iter().flatten().cloned().collect();
                    let mut results = session.run_at(&place, sent).await.into_iter();
                    let result = |command: Option<Cmd>| command.and_then(|_| results.next());
                    let results = commands.into_iter().map(result).collect();
                    (place, results)
                });
            }
            let next = self.with(|queue| queue.lanes.next_time());
            tokio::select! {
                Some(batch) = flights.next() => {
                    let (is_over, waits) = self.land(batch, &told);
                    if is_over && matches!(session, Session::One(_)) {
                        return;
                    }
                    landed(waits);
                }
                () = self.news.notified() => {}
                () = until(next) => {}
            }
        }
    }
}

/// Waits for a time, in ms; for ever, if there is none.
pub(super) async fn until(time: Option<u64>) {
    match time {
        Some(time) => sleep(Duration::from_millis(time.saturating_sub(clock::now()))).await,
        None => std::future::pending().await,
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
