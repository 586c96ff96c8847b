//! The thread of a link: it connects, and does what it is asked, again and again.
//!
//! ```text
//!   Connecting ── connected, and all is subscribed ──► Ready ── lost ──► Reconnecting ──┐
//!        │                                               ▲                              │
//!        └──────── tried again, later each time ─────────┴──────────────────────────────┘
//!   Closed: at the end, from any of them
//! ```
#![expect(clippy::wildcard_enum_match_arm, reason = "Redis may say anything")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use redis::{Value, cmd};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::backoff::{Backoff, random};
use super::clock;
use super::deliveries::Inbound;
use super::faults::{is_away, is_lost};
use super::lanes::{Batch, Lanes, Outcome};
use super::news::{Counters, News, NewsQueue, State};
use super::nodes::Told;
use super::options::{Connector, LinkFault, LinkOptions};
use super::orders::{Order, Shared};
use super::outbox::{Outbox, SharedOutbox, until};
use super::session::Session;
use super::streams::restoration::Restoration;
use super::streams::serve::serve as serve_streams;
use super::streams::stream::{Hooks, Streams};
use super::subscriptions::Ask;
use super::topology::Address;
use crate::net::directory::Directory;
use crate::redis::broadcasts::Mode;
use crate::redis::frames::Kind;

/// How long a link that is closed may take to send what waits.
const CLOSING: Duration = Duration::from_secs(1);
/// Channels that are subscribed by one message to Redis.
const ASKS: Batch = Batch { items: 256, bytes: usize::MAX };

/// A link, as long as it is held.
#[derive(Debug)]
pub struct Link {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Link {
    /// Begins to connect. `wake` is called when there is something to take; what comes for clients is handed over by
    /// `directory`.
    ///
    /// # Errors
    /// What can't be right.
    pub fn open(
        options: &LinkOptions,
        directory: Arc<Directory>,
        wake: Box<dyn Fn() + Send + Sync>,
    ) -> Result<Self, LinkFault> {
        let connector = Connector::new(options)?;
        let backoff = Backoff::new(options.min_backoff, options.max_backoff);
        let shared = Arc::new(Shared::new(NewsQueue::new(wake), options.max_buffered));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (for_thread, is_cluster) = (Arc::clone(&shared), options.cluster);
        let thread = thread::Builder::new().name("ferrosocket-redis".into());
        let thread = thread.spawn(move || {
            let desk = Desk::new(directory, Arc::clone(&for_thread), is_cluster);
            let done = catch_unwind(AssertUnwindSafe(|| {
                runtime.block_on(run(desk, connector, backoff));
            }));
            if done.is_err() {
                // It has said so on stderr.
                let message = "the link has failed: it is to be opened again".to_owned();
                for_thread.counters.set_state(State::Closed);
                for_thread.news.push(News::State(State::Closed, Some(message)));
            }
            // A name that is still being looked up is not waited for.
            runtime.shutdown_background();
        })?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// What is shared with the thread.
    pub fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Asks for something.
    pub fn ask(&self, order: Order) {
        // What is asked so is never too much.
        let _pushed = self.shared.push(order);
        self.shared.notify();
    }

    /// Takes what waits for JavaScript.
    pub fn take(&self) -> impl IntoIterator<Item = News> + use<> {
        self.shared.news.take()
    }
}

impl Drop for Link {
    /// Ends it, and waits for that. What waits to be sent is not.
    fn drop(&mut self) {
        self.shared.abort();
        if let Some(thread) = self.thread.take() {
            // One that has panicked has said so on stderr; there is nothing to add.
            let _panicked = thread.join();
        }
    }
}

/// All that the thread does.
pub(super) async fn run(desk: Desk, mut connector: Connector, mut backoff: Backoff) {
    let desk = Arc::new(desk);
    desk.inbound.namespaces().subscriptions.lost(); // there is no connection yet
    loop {
        // The first reason counts.
        let (sender, mut lost) = mpsc::channel(1);
        // Of a session, the desk is told; and it has the session.
        let moving = Arc::downgrade(&desk);
        let told = Told {
            lost: Arc::new(move |reason| drop(sender.try_send(reason))),
            moved: Arc::new(move |channels| {
                if let Some(desk) = moving.upgrade() {
                    desk.note_moved(channels);
                }
            }),
        };
        let connected = tokio::select! {
            biased;
            () = desk.work() => break,
            connected = connector.connect(&desk.inbound, told) => connected,
        };
        let message = match connected {
            Ok(session) => match serve(&desk, session, &connector, &mut lost).await {
                Ended::Closed => break,
                Ended::Lost(message) => {
                    // A connection by which Redis refuses what is needed is as good as none.
                    if desk.is_ready() {
                        backoff.reset();
                    }
                    message
                }
            },
            Err(error) => format!("can't connect: {error}"),
        };
        desk.set_session(None);
        desk.inbound.namespaces().subscriptions.lost();
        desk.outbox.lost();
        desk.streams.lost();
        desk.note_lost(message);
        let wait = Duration::from_millis(backoff.next(random()));
        tokio::select! {
            biased;
            () = desk.work() => break,
            () = sleep(wait) => {}
        }
    }
    desk.set_state(State::Closed, None);
}

/// Why a session is over.
enum Ended {
    Closed,
    Lost(String),
}

/// Does all that goes by a session, until it is lost or the link is closed.
async fn serve(
    desk: &Arc<Desk>,
    session: Session,
    connector: &Connector,
    lost: &mut mpsc::Receiver<String>,
) -> Ended {
    desk.inbound.namespaces().subscriptions.connected();
    desk.asks.notify_one();
    desk.set_session(Some(session.clone()));
    let mut tasks = JoinSet::new();
    tasks.spawn({
        let (desk, session) = (Arc::clone(desk), session.clone());
        async move {
            let (told, landed) = (|error| desk.tell(error), |error| desk.note_landed(error));
            desk.outbox.serve(session, told, landed).await;
            "the connection is lost".to_owned()
        }
    });
    tasks.spawn(subscribe(Arc::clone(desk), session.clone()));
    let (settled, told) = (Arc::clone(desk), Arc::clone(desk));
    let hooks = Hooks {
        settled: Arc::new(move || settled.note_subscribed()),
        told: Arc::new(move |message| told.tell(message)),
    };
    let of_streams = session.clone();
    tasks.spawn(serve_streams(Arc::clone(&desk.streams), connector.clone(), of_streams, hooks));
    let ended = tokio::select! {
        biased;
        () = desk.work() => Ended::Closed,
        ended = tasks.join_next() => Ended::Lost(match ended {
            Some(Ok(message)) => message,
            Some(Err(error)) => error.to_string(),
            None => String::new(),
        }),
        reason = lost.recv() => Ended::Lost(reason.unwrap_or_default()),
    };
    if matches!(ended, Ended::Closed) && !desk.shared.is_aborted() {
        // When that takes too long, what is left is lost.
        let left = async {
            desk.outbox.drained().await;
            desk.streams.drained().await;
        };
        let _late = timeout(CLOSING, left).await;
    }
    // Who still waits for an answer must not keep it: what is subscribed would be heard twice, there and by the next one.
    session.end();
    ended
}

/// Subscribes what is wanted, and unsubscribes what is not any more.
async fn subscribe(desk: Arc<Desk>, session: Session) -> String {
    let mut lanes: Lanes<Ask, Address> = Lanes::new(ASKS);
    let (mut flights, mut version) = (FuturesUnordered::new(), session.version());
    loop {
        let now = session.version();
        if now != version {
            version = now;
            lanes.moved();
        }
        let expiry = {
            let mut namespaces = desk.inbound.namespaces();
            namespaces.subscriptions.expire(clock::now());
            namespaces.subscriptions.take_asks().into_iter().for_each(|ask| lanes.push(ask));
            namespaces.subscriptions.next_expiry()
        };
        for place in lanes.take(clock::now(), |ask| session.place_of(ask)) {
            let (asks, mut session) = (lanes.sent(&place).to_vec(), session.clone());
            flights.push(async move {
                let results = session.subscribe_at(&place, &asks).await;
                (place, results)
            });
        }
        desk.note_subscribed();
        let (place, results) = tokio::select! {
            Some(landed) = flights.next() => landed,
            () = desk.asks.notified() => continue,
            () = until(expiry) => continue,
            () = until(lanes.next_time()) => continue,
        };
        let (mut lost, mut waits) = (None, None);
        let _in_any_order = lanes.land(&place, clock::now(), |index, ask| {
            let Some(Err(error)) = results.get(index) else {
                if ask.wanted {
                    desk.note_there(&ask.channel);
                }
                return Outcome::Out;
            };
            if is_away(error) {
                waits = Some(error.to_string());
            } else if is_lost(error) {
                lost = Some(format!("the connection is lost: {error}"));
            } else {
                // It may be allowed later.
                desk.tell(error.to_string());
            }
            // What can't be asked is not there.
            if ask.wanted { Outcome::Again } else { Outcome::Out }
        });
        if let Some(message) = lost {
            return message;
        }
        if let Some(error) = waits.filter(|_| lanes.is_stalled()) {
            desk.tell(format!("channels can't be subscribed: {error}"));
        }
    }
}

/// What all tasks of the thread share.
pub(super) struct Desk {
    shared: Arc<Shared>,
    inbound: Arc<Inbound>,
    outbox: SharedOutbox,
    streams: Arc<Streams>,
    /// Channels are to be subscribed, or the opposite.
    asks: Notify,
    session: Mutex<Option<Session>>,
    state: Mutex<State>,
    /// What was told last of what Redis refuses: the same is not told again and again.
    refusal: Mutex<String>,
}

impl Desk {
    pub(super) fn new(directory: Arc<Directory>, shared: Arc<Shared>, is_cluster: bool) -> Self {
        let outbox = SharedOutbox::new(Outbox::new(Arc::clone(&shared), is_cluster));
        let inbound = Arc::new(Inbound::new(Arc::clone(&directory), Arc::clone(&shared)));
        let streams =
            Streams::new(directory, Arc::clone(&inbound), Arc::clone(&shared), Arc::clone(&outbox));
        Self {
            inbound,
            shared,
            outbox,
            streams: Arc::new(streams),
            asks: Notify::new(),
            session: Mutex::new(None),
            state: Mutex::new(State::Connecting),
            refusal: Mutex::default(),
        }
    }

    /// Does what JavaScript asks; returns when the link is to end.
    async fn work(&self) {
        loop {
            if self.shared.is_aborted() {
                return;
            }
            let mut closed = false;
            for order in self.shared.take() {
                closed |= self.carry_out(order);
            }
            if closed {
                return;
            }
            self.shared.asked().await;
        }
    }

    /// Whether the link is to be closed.
    fn carry_out(&self, order: Order) -> bool {
        match order {
            Order::Open(cluster) => {
                let kind = match cluster.node.mode {
                    Mode::Classic => Kind::Plain,
                    Mode::Sharded => Kind::Sharded,
                };
                let patterns = cluster.patterns.iter().map(|it| (Kind::Pattern, &**it));
                let channels = cluster.channels.iter().map(|it| (kind, &**it));
                let all = patterns.chain(channels).map(|(kind, name)| (kind, name.into()));
                self.streams.open(&cluster);
                let (number, mut namespaces) = (cluster.number, self.inbound.namespaces());
                let has_begun = namespaces.subscriptions.open(number, all);
                namespaces.clusters.insert(number, cluster);
                drop(namespaces);
                if has_begun {
                    self.shared.news.push(News::Subscribed(number));
                }
                self.asks.notify_one();
            }
            Order::Shut(number) => {
                let mut namespaces = self.inbound.namespaces();
                namespaces.subscriptions.shut(number);
                namespaces.clusters.remove(&number);
                drop(namespaces);
                self.streams.shut(number);
                self.asks.notify_one();
            }
            Order::Subscribe { cluster, channel, wanted } => {
                let mut namespaces = self.inbound.namespaces();
                let Some(found) = namespaces.clusters.get(&cluster) else { return false };
                let kind = match found.node.mode {
                    Mode::Classic => Kind::Plain,
                    Mode::Sharded => Kind::Sharded,
                };
                let channel = (kind, channel.as_bytes().into());
                if wanted {
                    namespaces.subscriptions.add(channel, cluster);
                } else {
                    namespaces.subscriptions.remove(&channel, cluster, clock::now());
                }
                self.asks.notify_one();
            }
            Order::Publish(publication) => {
                let session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
                self.outbox.push(publication, session.as_ref());
            }
            Order::Add(addition) => self.streams.add(addition),
            Order::Restore { cluster, request, pid, offset } => {
                let found = self.inbound.namespaces().clusters.get(&cluster).cloned();
                let found =
                    found.and_then(|it| Some((it.stream.as_ref()?.session_prefix.clone(), it)));
                let Some((prefix, cluster)) = found else {
                    self.shared.news.push(News::Restored { request, found: None });
                    return false;
                };
                let (key, behind) = (format!("{prefix}{pid}"), self.outbox.pushed());
                let restoration = Restoration {
                    request,
                    cluster: Arc::clone(&cluster),
                    key,
                    offset,
                    behind,
                    session: None,
                    number: None,
                };
                self.streams.restore(&cluster, restoration);
            }
            Order::Forgo(request) => self.streams.forgo(request),
            Order::Count { request, channel, sharded } => self.count(request, channel, sharded),
            Order::Close => return true,
        }
        false
    }

    fn count(&self, request: u32, channel: String, is_sharded: bool) {
        let session = self.session.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let shared = Arc::clone(&self.shared);
        // While this one's channels are not there, those of others may not be either: all may have lost their connections.
        let is_complete = self.inbound.namespaces().subscriptions.is_complete();
        let Some(mut session) = session.filter(|_| is_complete) else {
            return shared.news.push(News::Count { request, count: None });
        };
        tokio::spawn(async move {
            let mut command = cmd("PUBSUB");
            command.arg(if is_sharded { "SHARDNUMSUB" } else { "NUMSUB" }).arg(channel);
            let result = session.run(vec![command]).await.pop();
            let count = result.and_then(Result::ok).and_then(|value| sum(&value));
            shared.news.push(News::Count { request, count });
        });
    }

    fn set_session(&self, session: Option<Session>) {
        *self.session.lock().unwrap_or_else(PoisonError::into_inner) = session;
    }

    // --- what JavaScript is told ---

    fn tell(&self, message: String) {
        let mut last = self.refusal.lock().unwrap_or_else(PoisonError::into_inner);
        if *last == message {
            return;
        }
        last.clone_from(&message);
        drop(last);
        let state = *self.state.lock().unwrap_or_else(PoisonError::into_inner);
        self.shared.news.push(News::State(state, Some(message)));
    }

    fn note_there(&self, channel: &super::subscriptions::Channel) {
        let ready = self.inbound.namespaces().subscriptions.confirm(channel);
        for cluster in ready {
            self.shared.news.push(News::Subscribed(cluster));
        }
    }

    /// Redis has ended subscriptions, since their slots have moved, or their node is gone.
    fn note_moved(&self, channels: Vec<Box<[u8]>>) {
        let mut namespaces = self.inbound.namespaces();
        for channel in channels {
            namespaces.subscriptions.ended(&(Kind::Sharded, channel));
        }
        let is_complete = namespaces.subscriptions.is_complete();
        drop(namespaces);
        if !is_complete && self.is_ready() {
            self.note_lost("channels have moved to other nodes of the Redis Cluster".to_owned());
        }
        self.asks.notify_one();
    }

    /// Something may be there.
    fn note_subscribed(&self) {
        let namespaces = self.inbound.namespaces();
        // Before the first namespace, nothing is wanted, and nobody can be heard.
        let is_complete = !namespaces.clusters.is_empty() && namespaces.subscriptions.is_complete();
        drop(namespaces);
        if is_complete && self.streams.are_settled() && !self.outbox.is_stalled() {
            self.set_state(State::Ready, None);
        }
    }

    /// A batch has been taken, or has not. `error`: why something waits.
    fn note_landed(&self, error: Option<String>) {
        let (is_ready, is_stalled) = (self.is_ready(), self.outbox.is_stalled());
        if is_ready && is_stalled {
            let error = error.unwrap_or_default();
            self.note_lost(format!("what is published waits: {error}"));
        } else if !is_ready && !is_stalled {
            self.note_subscribed();
        }
    }

    fn is_ready(&self) -> bool {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) == State::Ready
    }

    fn note_lost(&self, message: String) {
        let before = *self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if before == State::Ready {
            Counters::add(&self.shared.counters.reconnects, 1);
        }
        let now = if before == State::Connecting { State::Connecting } else { State::Reconnecting };
        self.set_state(now, Some(message));
    }

    fn set_state(&self, state: State, message: Option<String>) {
        let mut now = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if *now == state && message.is_none() {
            return;
        }
        *now = state;
        drop(now);
        self.shared.counters.set_state(state);
        self.shared.news.push(News::State(state, message));
    }
}

/// Redis may say anything.
fn total(counts: &[i64]) -> i64 {
    counts.iter().fold(0, |sum, &count| sum.saturating_add(count))
}

/// The sum of the counts that nodes have given: each is a list of channels and numbers.
fn sum(value: &Value) -> Option<i64> {
    match value {
        Value::Int(count) => Some(*count),
        Value::Array(values) => {
            let counts: Vec<_> = values.iter().filter_map(sum).collect();
            (!counts.is_empty()).then(|| total(&counts))
        }
        Value::Map(pairs) => {
            let counts: Vec<_> = pairs.iter().filter_map(|(_, value)| sum(value)).collect();
            (!counts.is_empty()).then(|| total(&counts))
        }
        _ => None,
    }
}
