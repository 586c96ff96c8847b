//! The nodes of a Redis Cluster.
//!
//! ```text
//!   PUBLISH, SUBSCRIBE …     home: any node, as the cluster hands these on by itself
//!   SPUBLISH, XADD, GET …    the node that has the slot: its connection for commands
//!   SSUBSCRIBE …             the same: another connection, its listener
//! ```
//!
//! What is broadcast by sharded Pub/Sub may be asked of a replica, which hands it on to its primary, too: so it goes on while
//! one of them is away. All else is the primary's.
//!
//! A listener is not for commands. When a slot moves, Redis ends the subscriptions of its channels unasked, which looks as an answer
//! does; so what is taken for an answer there is looked at, and a listener that answers something else is given up.
//!
//! Nothing is sent twice but what a node has refused, or what could not be sent.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use futures_util::future::{join_all, select_ok};
use redis::{Cmd, ErrorKind, PushKind, RedisError, RedisResult, ServerErrorKind, Value, cmd};
use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::SmallVec;
use tokio::sync::OnceCell;
use tokio::time::{Instant, timeout};

use super::backoff::random;
use super::deliveries::Inbound;
use super::dialer::Dialer;
use super::faults::{is_away, is_lost};
use super::lanes::Item as _;
use super::node::{Event, Node};
use super::route::{Route, route};
use super::subscriptions::Ask;
use super::topology::{Address, Topology, redirected};
use crate::redis::frames::Kind;

/// How often something is asked that another node has to be asked, before it is given back.
const TRIES: usize = 3;
/// How long a node is passed over that can't be reached.
const DOWN: Duration = Duration::from_secs(1);
/// How long what is known of the nodes is not asked for again.
const FRESH: Duration = Duration::from_millis(50);
/// How long a node may take that is asked as one of several. Who takes longer hangs: whoever has subscribed there hears nothing now.
const TOGETHER: Duration = Duration::from_secs(1);

/// The names of channels.
pub(super) type Channels = Vec<Box<[u8]>>;

/// What the link is told.
#[derive(Clone)]
pub(super) struct Told {
    /// All is of no use any more, and why.
    pub(super) lost: Arc<dyn Fn(String) + Send + Sync>,
    /// These channels of sharded Pub/Sub are not subscribed any more.
    pub(super) moved: Arc<dyn Fn(Channels) + Send + Sync>,
}

/// The nodes, and the connections to them.
pub(super) struct Nodes {
    dialer: Dialer,
    inbound: Arc<Inbound>,
    told: Told,
    state: Mutex<State>,
    /// When it was asked last what nodes there are; held while it is.
    refreshed: tokio::sync::Mutex<Option<Instant>>,
    /// For what the connections tell.
    this: Weak<Self>,
}

struct State {
    topology: Topology,
    /// How often that has changed.
    version: u64,
    home: Address,
    /// Whether something is subscribed there: then it can't be another.
    is_heard: bool,
    /// Whether that is no part of the cluster any more.
    is_homeless: bool,
    commands: Connections,
    listeners: Connections,
    /// The channels that are subscribed, or are being, and where.
    places: FxHashMap<Box<[u8]>, Address>,
    /// Nodes that can't be reached, and until when they are passed over.
    down: FxHashMap<Address, Instant>,
}

/// Each is made when it is needed first.
type Connections = FxHashMap<Address, Arc<OnceCell<Node>>>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    Commands,
    Listener,
}

impl fmt::Debug for Nodes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Nodes").finish_non_exhaustive()
    }
}

impl Nodes {
    /// Asks whichever of `seeds` answers first what nodes there are, and connects to one of them.
    ///
    /// # Errors
    /// Nobody answers, or it is no Redis Cluster.
    pub(super) async fn connect(
        dialer: Dialer,
        seeds: &[Address],
        inbound: &Arc<Inbound>,
        told: Told,
    ) -> RedisResult<Arc<Self>> {
        let asked = seeds.iter().map(|seed| {
            let dialer = &dialer;
            Box::pin(async move {
                let mut node = dialer.open(seed, inbound, |_| {}).await?;
                topology_of(&mut node, seed).await.map(|topology| (seed, topology))
            })
        });
        let ((seed, topology), _others) = select_ok(asked).await?;
        let nodes = Arc::new_cyclic(|this| Self {
            dialer: dialer.clone(),
            inbound: Arc::clone(inbound),
            told,
            state: Mutex::new(State::new(topology, seed.clone())),
            refreshed: tokio::sync::Mutex::default(),
            this: Weak::clone(this),
        });
        let home = nodes.state().home.clone();
        if nodes.node(&home, Purpose::Commands).await.is_err() {
            // Who has answered has just been there.
            nodes.state().home = seed.clone();
            nodes.node(seed, Purpose::Commands).await?;
        }
        Ok(nodes)
    }

    /// Where something is to be asked now; a place where nobody is, if nobody who could do it can be reached.
    pub(super) fn place(&self, route: Route) -> Address {
        let mut state = self.state();
        let candidates = match route {
            Route::Home | Route::All => return state.home.clone(),
            Route::Primary(slot) => state.topology.nodes(slot).get(..1),
            Route::Shard(slot) => Some(state.topology.nodes(slot)),
        };
        let candidates = SmallVec::<[Address; 4]>::from(candidates.unwrap_or_default());
        candidates.into_iter().find(|address| !state.is_down(address)).unwrap_or_default()
    }

    /// How often it has changed who has what.
    pub(super) fn version(&self) -> u64 {
        self.state().version
    }

    /// Where a channel of sharded Pub/Sub is to be subscribed, or the opposite.
    pub(super) fn place_of(&self, ask: &Ask) -> Address {
        if !ask.wanted
            && let Some(place) = self.state().places.get(&ask.channel.1)
        {
            return place.clone();
        }
        self.place(ask.key())
    }

    /// Sends commands to one node, in order; gives what has come of each. If others have to be asked, it is known who, then.
    pub(super) async fn run_at(
        &self,
        place: &Address,
        commands: Vec<Cmd>,
    ) -> Vec<RedisResult<Value>> {
        let mut results = self.run_on(place, Purpose::Commands, commands.clone()).await;
        self.look_again(&mut results, &commands).await;
        results
    }

    /// Sends commands; gives what has come of each. Those for one node are sent in order. Where something has moved, it is asked
    /// again.
    pub(super) async fn run(&self, commands: Vec<Cmd>) -> Vec<RedisResult<Value>> {
        let mut results: Vec<RedisResult<Value>> = commands.iter().map(|_| Err(away())).collect();
        for attempt in 0..TRIES {
            let mut groups: FxHashMap<Address, Vec<usize>> = FxHashMap::default();
            let mut everywhere = Vec::new();
            for (index, result) in results.iter().enumerate() {
                if !matches!(result, Err(error) if is_away(error)) {
                    continue;
                }
                match route(&commands[index]) {
                    Route::All => everywhere.push(index),
                    route @ (Route::Home | Route::Primary(_) | Route::Shard(_)) => {
                        groups.entry(self.place(route)).or_default().push(index);
                    }
                }
            }
            let asked = groups.into_iter().map(|(address, group)| {
                let commands = group.iter().map(|&index| commands[index].clone()).collect();
                async move {
                    let answers = self.run_on(&address, Purpose::Commands, commands).await;
                    (group, answers)
                }
            });
            for (group, answers) in join_all(asked).await {
                for (index, answer) in group.into_iter().zip(answers) {
                    results[index] = answer;
                }
            }
            for index in everywhere {
                results[index] = self.run_on_all(&commands[index]).await;
            }
            if attempt + 1 < TRIES && !self.look_again(&mut results, &commands).await {
                break;
            }
        }
        results
    }

    /// Subscribes channels at one node, or the opposite; gives what has come of each.
    pub(super) async fn subscribe_at(
        &self,
        place: &Address,
        asks: &[Ask],
    ) -> Vec<RedisResult<Value>> {
        let is_sharded = |ask: &Ask| ask.channel.0 == Kind::Sharded;
        if !asks.iter().all(is_sharded) {
            self.state().is_heard = true; // a link speaks one dialect
            return self.run(asks.iter().map(Ask::command).collect()).await;
        }
        let begun: Vec<bool> = asks.iter().map(|ask| self.begin(place, ask)).collect();
        let commands: Vec<_> = asks.iter().map(Ask::command).collect();
        let asked = commands.iter().zip(&begun).filter(|&(_, begun)| *begun);
        let asked = asked.map(|(command, _)| command.clone()).collect();
        let mut answers = self.run_on(place, Purpose::Listener, asked).await.into_iter();
        let mut results: Vec<_> = begun
            .into_iter()
            .zip(asks)
            .map(|(begun, ask)| match begun.then(|| answers.next()).flatten() {
                Some(answer) => self.confirmed(ask, place, answer),
                None => Ok(Value::Nil), // it is done already
            })
            .collect();
        self.check_places(asks, &mut results);
        self.look_again(&mut results, &commands).await;
        results
    }

    /// A channel that was confirmed may have been lost while others were not yet.
    fn check_places(&self, asks: &[Ask], results: &mut [RedisResult<Value>]) {
        let state = self.state();
        for (ask, result) in asks.iter().zip(results) {
            let is_gone = !state.places.contains_key(&ask.channel.1);
            if ask.wanted && result.is_ok() && is_gone {
                *result = Err(away());
            }
        }
    }

    /// A sharded channel is there from now on, or not any more. Whether that has to be asked.
    fn begin(&self, place: &Address, ask: &Ask) -> bool {
        let name = &ask.channel.1;
        let mut state = self.state();
        if ask.wanted {
            state.places.insert(name.clone(), place.clone());
            return true;
        }
        state.places.remove(name).is_some() && state.listeners.contains_key(place)
    }

    /// What an answer says of a channel.
    fn confirmed(
        &self,
        ask: &Ask,
        address: &Address,
        answer: RedisResult<Value>,
    ) -> RedisResult<Value> {
        let expected = if ask.wanted { PushKind::SSubscribe } else { PushKind::SUnsubscribe };
        let name = &*ask.channel.1;
        match answer {
            Ok(Value::Push { kind, data })
                if kind == expected
                    && matches!(data.first(), Some(Value::BulkString(it)) if it == name) =>
            {
                Ok(Value::Nil)
            }
            Ok(_) => {
                self.lost(address, Purpose::Listener, String::new());
                Err(away())
            }
            // It ends all that there was.
            Err(error) if !ask.wanted && (is_lost(&error) || is_away(&error)) => Ok(Value::Nil),
            Err(error) if is_lost(&error) => Err(away()),
            Err(error) => {
                self.state().places.remove(name);
                Err(error)
            }
        }
    }

    /// Whether something is to be asked again; where, it is known better then.
    async fn look_again(&self, results: &mut [RedisResult<Value>], commands: &[Cmd]) -> bool {
        let (mut told, mut again) = (None, false);
        let home = self.state().home.clone();
        for (result, command) in results.iter_mut().zip(commands) {
            let Err(error) = &*result else { continue };
            let instead = error.redirect_node().and_then(|it| redirected(it, &home.0));
            // Channels have no ASK.
            if let Some(address) = &instead
                && error.kind() == ErrorKind::Server(ServerErrorKind::Ask)
                && route(command) != Route::Home
            {
                let commands = vec![cmd("ASKING"), command.clone()];
                let mut answers = self.run_on(address, Purpose::Commands, commands).await;
                *result = answers.pop().unwrap_or_else(|| Err(away()));
                continue;
            }
            again |= is_away(error);
            told = told.or(instead);
        }
        if again {
            self.refresh(told).await;
        }
        again
    }

    /// Asks what nodes there are: first who is said to know, then home, then all others. Who has waited for somebody else's asking
    /// knows what that has learnt.
    async fn refresh(&self, who: Option<Address>) {
        let asked = Instant::now();
        let mut last = self.refreshed.lock().await;
        if last.is_some_and(|last| asked < last + FRESH) {
            return;
        }
        let others = {
            let state = self.state();
            let all = state.topology.all().into_iter().cloned();
            [state.home.clone()].into_iter().chain(all).collect::<Vec<_>>()
        };
        let looking = async {
            for address in who.iter().chain(&others) {
                // One that hangs must not hide those who know.
                let asked = async {
                    let mut node = self.node(address, Purpose::Commands).await?;
                    topology_of(&mut node, address).await
                };
                if let Ok(Ok(topology)) = timeout(TOGETHER, asked).await {
                    return Some(topology);
                }
            }
            None
        };
        match looking.await {
            None => (self.told.lost)("no node of the Redis Cluster can be reached".to_owned()),
            Some(topology) => {
                let mut state = self.state();
                let unused = state.learn(topology);
                let is_over = state.is_heard && state.is_homeless;
                drop(state);
                drop(unused);
                if is_over {
                    let reason = "the node that was subscribed at has left the Redis Cluster";
                    (self.told.lost)(reason.to_owned());
                }
            }
        }
        *last = Some(Instant::now());
    }

    async fn run_on(
        &self,
        address: &Address,
        purpose: Purpose,
        commands: Vec<Cmd>,
    ) -> Vec<RedisResult<Value>> {
        let count = commands.len();
        match self.node(address, purpose).await {
            Ok(mut node) => node.run(commands).await,
            Err(_unreachable) => (0..count).map(|_| Err(away())).collect(),
        }
    }

    /// What all nodes say that can be reached.
    async fn run_on_all(&self, command: &Cmd) -> RedisResult<Value> {
        let all: Vec<_> = self.state().topology.all().into_iter().cloned().collect();
        let asked = all.iter().map(|address| async move {
            let asked = self.run_on(address, Purpose::Commands, vec![command.clone()]);
            timeout(TOGETHER, asked).await.unwrap_or_else(|_late| vec![Err(away())])
        });
        let answers = join_all(asked).await.into_iter().flatten();
        let (answers, errors): (Vec<_>, Vec<_>) = answers.partition(Result::is_ok);
        if let (true, Some(Err(error))) = (answers.is_empty(), errors.into_iter().next()) {
            return Err(error);
        }
        Ok(Value::Array(answers.into_iter().flatten().collect()))
    }

    /// The connection to a node.
    async fn node(&self, address: &Address, purpose: Purpose) -> RedisResult<Node> {
        let cell = {
            let mut state = self.state();
            if state.is_down(address) {
                return Err(away());
            }
            Arc::clone(state.connections(purpose).entry(address.clone()).or_default())
        };
        let connected = cell.get_or_try_init(|| async {
            let (this, to) = (Weak::clone(&self.this), address.clone());
            let of = Arc::downgrade(&cell);
            let told = move |event| {
                let Some(this) = this.upgrade() else { return };
                match event {
                    Event::Lost(_) if !this.state().has(&to, purpose, &of) => {}
                    Event::Lost(reason) => this.lost(&to, purpose, reason),
                    Event::Unsubscribed(channel) => this.unsubscribed(&to, channel),
                }
            };
            self.dialer.open(address, &self.inbound, told).await
        });
        match connected.await {
            Ok(node) => Ok(node.clone()),
            Err(error) => {
                let mut state = self.state();
                // Somebody else may have connected to it meanwhile.
                if state.has(address, purpose, &Arc::downgrade(&cell)) {
                    state.connections(purpose).remove(address);
                }
                state.down.insert(address.clone(), Instant::now() + DOWN);
                Err(error)
            }
        }
    }

    /// A connection is of no use any more.
    fn lost(&self, address: &Address, purpose: Purpose, reason: String) {
        let mut state = self.state();
        let was = state.connections(purpose).remove(address);
        let mut gone = Vec::new();
        if purpose == Purpose::Listener {
            state.places.retain(|channel, at| {
                let stays = at != address;
                if !stays {
                    gone.push(channel.clone());
                }
                stays
            });
        }
        let is_home = purpose == Purpose::Commands && *address == state.home;
        if is_home
            && !state.is_heard
            && let Some(other) = state.any_primary(Some(address))
        {
            state.home = other;
        }
        let is_over = is_home && state.is_heard;
        drop(state);
        drop(was);
        if !gone.is_empty() {
            (self.told.moved)(gone);
        }
        if is_over {
            (self.told.lost)(reason);
        }
    }

    /// A node has ended a subscription. When that was asked, it has no place any more.
    fn unsubscribed(&self, address: &Address, channel: Box<[u8]>) {
        let mut state = self.state();
        if state.places.get(&channel) != Some(address) {
            return;
        }
        state.places.remove(&channel);
        drop(state);
        (self.told.moved)(vec![channel]);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn new(topology: Topology, seed: Address) -> Self {
        let mut state = Self {
            topology,
            version: 0,
            home: seed.clone(), // until it is known who else there is
            is_heard: false,
            is_homeless: false,
            commands: Connections::default(),
            listeners: Connections::default(),
            places: FxHashMap::default(),
            down: FxHashMap::default(),
        };
        state.home = state.any_primary(None).unwrap_or(seed);
        state
    }

    /// Any but that one, if there is another: so that not all links have one home.
    fn any_primary(&self, but: Option<&Address>) -> Option<Address> {
        let mut primaries = self.topology.primaries();
        primaries.retain(|&primary| Some(primary) != but);
        let at = random() as usize % primaries.len().max(1);
        primaries.get(at).map(|&primary| primary.clone())
    }

    /// It is known who there is. Gives the connections to those who are no more: some go on listening.
    #[must_use]
    fn learn(&mut self, topology: Topology) -> Vec<Arc<OnceCell<Node>>> {
        let has = |topology: &Topology, home: &Address| topology.all().contains(&home);
        // Who has been asked first may go by a name that others do not know.
        if has(&self.topology, &self.home) && !has(&topology, &self.home) {
            self.is_homeless = true;
        }
        self.version += u64::from(self.topology != topology);
        self.topology = topology;
        if self.is_homeless
            && !self.is_heard
            && let Some(home) = self.any_primary(None)
        {
            (self.home, self.is_homeless) = (home, false);
        }
        let now = Instant::now();
        self.down.retain(|_, until| now < *until);
        let all: FxHashSet<_> = self.topology.all().into_iter().collect();
        let is_used = |address: &Address| all.contains(address) || *address == self.home;
        let unused = self.commands.extract_if(|address, _| !is_used(address));
        let mut unused: Vec<_> = unused.map(|(_, cell)| cell).collect();
        let heard: FxHashSet<_> = self.places.values().collect();
        let is_used = |address: &Address| all.contains(address) || heard.contains(address);
        unused.extend(self.listeners.extract_if(|it, _| !is_used(it)).map(|(_, cell)| cell));
        unused
    }

    /// Whether a connection is the one to a node.
    fn has(&mut self, address: &Address, purpose: Purpose, cell: &Weak<OnceCell<Node>>) -> bool {
        let now = self.connections(purpose).get(address);
        now.is_some_and(|now| std::ptr::eq(Arc::as_ptr(now), cell.as_ptr()))
    }

    fn connections(&mut self, purpose: Purpose) -> &mut Connections {
        match purpose {
            Purpose::Commands => &mut self.commands,
            Purpose::Listener => &mut self.listeners,
        }
    }

    fn is_down(&mut self, address: &Address) -> bool {
        let Some(until) = self.down.get(address) else { return false };
        let is_down = Instant::now() < *until;
        if !is_down {
            self.down.remove(address);
        }
        is_down
    }
}

/// What a node says that there is.
async fn topology_of(node: &mut Node, address: &Address) -> RedisResult<Topology> {
    let mut command = cmd("CLUSTER");
    command.arg("SLOTS");
    let answer = node.run([command]).await.pop().unwrap_or(Ok(Value::Nil))?;
    Topology::new(answer, &address.0).ok_or_else(away)
}

/// Nothing has been sent.
fn away() -> RedisError {
    (ErrorKind::ClusterConnectionNotFound, "no node of the Redis Cluster can do that now").into()
}
