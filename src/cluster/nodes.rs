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
use redis::{Arg, Cmd, ErrorKind, PushKind, RedisError, RedisResult, ServerErrorKind, Value, cmd};
use rustc_hash::FxHashMap;
use tokio::sync::OnceCell;
use tokio::time::Instant;

use super::backoff::random;
use super::deliveries::Inbound;
use super::dialer::Dialer;
use super::faults::{is_away, is_lost};
use super::node::{Event, Node};
use super::subscriptions::Ask;
use super::topology::{Address, Topology, redirected};
use crate::redis::frames::Kind;
use crate::redis::slots::slot_of;

/// How often something is asked that another node has to be asked, before it is given back.
const TRIES: usize = 3;
/// How long a node is passed over that can't be reached.
const DOWN: Duration = Duration::from_secs(1);

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
    /// For what the connections tell.
    this: Weak<Self>,
}

struct State {
    topology: Topology,
    home: Address,
    /// Whether something is subscribed there: then it can't be another.
    is_heard: bool,
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

/// Who can do something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Route {
    Home,
    Primary(u16),
    Shard(u16),
    All,
}

/// Where something is to be asked now.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    At(Address),
    Everywhere,
    /// Nobody who could do it can be reached.
    Away,
    /// It is done already.
    Needless,
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

    /// Sends commands; gives what has come of each. Those for one node are sent in order.
    pub(super) async fn run(&self, commands: Vec<Cmd>) -> Vec<RedisResult<Value>> {
        let place = |index: usize| self.place(route(&commands[index]));
        self.ask(&commands, Purpose::Commands, place, |_, _, answer| answer).await
    }

    /// Subscribes channels, or the opposite; gives what has come of each.
    pub(super) async fn subscribe(&self, asks: &[Ask]) -> Vec<RedisResult<Value>> {
        let commands: Vec<_> = asks.iter().map(Ask::command).collect();
        let is_sharded = |ask: &Ask| ask.channel.0 == Kind::Sharded;
        if !asks.iter().any(is_sharded) {
            self.state().is_heard = true;
            return self.run(commands).await;
        }
        let place = |index: usize| match &asks[index] {
            ask if is_sharded(ask) => self.begin(ask),
            _ => Place::Away, // a link speaks one dialect
        };
        let check = |index: usize, address: &Address, answer| match &asks[index] {
            ask if is_sharded(ask) => self.confirmed(ask, address, answer),
            _ => answer,
        };
        let mut results = self.ask(&commands, Purpose::Listener, place, check).await;
        // One that was confirmed may have been lost while others were not yet.
        let state = self.state();
        for (ask, result) in asks.iter().zip(&mut results) {
            let is_gone = is_sharded(ask) && !state.places.contains_key(&ask.channel.1);
            if ask.wanted && result.is_ok() && is_gone {
                *result = Err(away());
            }
        }
        results
    }

    /// Asks whoever has the place of a command; again, if that has moved.
    async fn ask(
        &self,
        commands: &[Cmd],
        purpose: Purpose,
        place: impl Fn(usize) -> Place,
        check: impl Fn(usize, &Address, RedisResult<Value>) -> RedisResult<Value>,
    ) -> Vec<RedisResult<Value>> {
        let mut results: Vec<RedisResult<Value>> = commands.iter().map(|_| Err(away())).collect();
        for attempt in 0..TRIES {
            let mut groups: FxHashMap<Address, Vec<usize>> = FxHashMap::default();
            let mut everywhere = Vec::new();
            for (index, result) in results.iter_mut().enumerate() {
                if !matches!(result, Err(error) if is_away(error)) {
                    continue;
                }
                match place(index) {
                    Place::At(address) => groups.entry(address).or_default().push(index),
                    Place::Everywhere => everywhere.push(index),
                    Place::Needless => *result = Ok(Value::Nil),
                    Place::Away => *result = Err(away()),
                }
            }
            let asked = groups.into_iter().map(|(address, group)| {
                let commands = group.iter().map(|&index| commands[index].clone()).collect();
                async move {
                    let answers = self.run_on(&address, purpose, commands).await;
                    (address, group, answers)
                }
            });
            for (address, group, answers) in join_all(asked).await {
                for (index, answer) in group.into_iter().zip(answers) {
                    results[index] = check(index, &address, answer);
                }
            }
            for index in everywhere {
                results[index] = self.run_on_all(&commands[index]).await;
            }
            if attempt + 1 < TRIES && !self.look_again(&mut results, commands).await {
                break;
            }
        }
        results
    }

    /// Where a sharded channel is to be asked; it is there from now on, or not any more.
    fn begin(&self, ask: &Ask) -> Place {
        let name = &ask.channel.1;
        if ask.wanted {
            let place = self.place(Route::Shard(slot_of(name)));
            if let Place::At(address) = &place {
                self.state().places.insert(name.clone(), address.clone());
            }
            return place;
        }
        let mut state = self.state();
        match state.places.remove(name) {
            Some(address) if state.listeners.contains_key(&address) => Place::At(address),
            _ => Place::Needless,
        }
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
            if let Some(address) = &instead
                && error.kind() == ErrorKind::Server(ServerErrorKind::Ask)
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

    /// Asks what nodes there are: first who is said to know, then home, then all others.
    async fn refresh(&self, who: Option<Address>) {
        let others = {
            let state = self.state();
            let all = state.topology.all().into_iter().cloned();
            [state.home.clone()].into_iter().chain(all).collect::<Vec<_>>()
        };
        for address in who.iter().chain(&others) {
            let Ok(mut node) = self.node(address, Purpose::Commands).await else { continue };
            if let Ok(topology) = topology_of(&mut node, address).await {
                self.state().topology = topology;
                return;
            }
        }
        (self.told.lost)("no node of the Redis Cluster can be reached".to_owned());
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
        let asked = all.iter().map(|it| self.run_on(it, Purpose::Commands, vec![command.clone()]));
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
            let told = move |event| {
                let Some(this) = this.upgrade() else { return };
                match event {
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
                state.connections(purpose).remove(address);
                state.down.insert(address.clone(), Instant::now() + DOWN);
                Err(error)
            }
        }
    }

    /// Who is to be asked now.
    fn place(&self, route: Route) -> Place {
        let mut state = self.state();
        let candidates = match route {
            Route::Home => return Place::At(state.home.clone()),
            Route::All => return Place::Everywhere,
            Route::Primary(slot) => {
                state.topology.nodes(slot).first().cloned().into_iter().collect()
            }
            Route::Shard(slot) => state.topology.nodes(slot).to_vec(),
        };
        let found = candidates.into_iter().find(|address| !state.is_down(address));
        found.map_or(Place::Away, Place::At)
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
            home: seed.clone(), // until it is known who else there is
            is_heard: false,
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

fn route(command: &Cmd) -> Route {
    let argument = |index: usize| match command.args_iter().nth(index) {
        Some(Arg::Simple(argument)) => argument,
        _ => &[],
    };
    match argument(0) {
        b"SPUBLISH" => Route::Shard(slot_of(argument(1))),
        b"XADD" | b"XRANGE" | b"XTRIM" | b"GET" | b"SET" | b"PTTL" => {
            Route::Primary(slot_of(argument(1)))
        }
        b"XINFO" => Route::Primary(slot_of(argument(2))),
        b"XREAD" => {
            let names = command.args_iter().position(|it| matches!(it, Arg::Simple(b"STREAMS")));
            Route::Primary(slot_of(argument(names.map_or(0, |at| at + 1))))
        }
        b"PUBSUB" => Route::All,
        _ => Route::Home,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_goes_where_its_key_is() {
        let slot = slot_of(b"key");
        for (text, expected) in [
            ("PUBLISH key x", Route::Home),
            ("SUBSCRIBE key", Route::Home),
            ("PING", Route::Home),
            ("SPUBLISH key x", Route::Shard(slot)),
            ("XADD key MAXLEN ~ 9 * a b", Route::Primary(slot)),
            ("XREAD COUNT 9 BLOCK 5 STREAMS key 0-0", Route::Primary(slot)),
            ("XINFO STREAM key", Route::Primary(slot)),
            ("SET key x XX", Route::Primary(slot)),
            ("PUBSUB NUMSUB key", Route::All),
        ] {
            let mut words = text.split(' ');
            let mut command = cmd(words.next().unwrap());
            words.for_each(|word| {
                command.arg(word);
            });
            assert_eq!(route(&command), expected, "{text}");
        }
    }
}
