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
//!
//! A node that is cut off from the others goes on with what it knew: it takes what is published, and nobody hears it. So who is spoken
//! with is asked again and again whether it reaches the others, and is left when it does not and somebody else does.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;
use redis::{Cmd, ErrorKind, PushKind, RedisError, RedisResult, ServerErrorKind, Value, cmd};
use rustc_hash::FxHashMap;
use tokio::sync::OnceCell;
use tokio::time::{Instant, sleep, timeout};

use super::deliveries::Inbound;
use super::dial::within;
use super::dialer::Dialer;
use super::faults::{is_away, is_lost};
use super::known::{Purpose, State};
use super::lanes::Item as _;
use super::node::{Event, Node, Task};
use super::route::{Route, route};
use super::subscriptions::Ask;
use super::topology::{Address, View, is_cut_off, redirected};
use crate::redis::frames::Kind;

/// How often something is asked that another node has to be asked, before it is given back.
const TRIES: usize = 3;
/// How long it takes before a node that can't be reached is tried again. That is done beside: until it is there, it is passed over.
const DOWN: Duration = Duration::from_secs(1);
/// How long what is known of the nodes is not asked for again.
const FRESH: Duration = Duration::from_millis(50);
/// How long a node may take that is asked as one of several. Who takes longer hangs: whoever has subscribed there hears nothing now.
const TOGETHER: Duration = Duration::from_secs(1);

/// How often nodes are asked whether they reach the others. Who says twice that it does not is left: while others take the place of one
/// that has died, it is not known by all at the same moment.
const WATCH: Duration = Duration::from_secs(3);

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
    /// What was learnt last of the nodes; held while they are asked.
    learnt: tokio::sync::Mutex<Option<Learnt>>,
    /// For what the connections tell.
    this: Weak<Self>,
    _watch: Task,
}

/// When it was asked what nodes there are, and whether one has said it that reaches most of them.
#[derive(Clone, Copy)]
struct Learnt {
    at: Instant,
    is_whole: bool,
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
            within(dialer.most, async move {
                let mut node = dialer.open(seed, inbound, |_| {}).await?;
                view_of(&mut node, seed).await.map(|view| (seed, view))
            })
        });
        let (seed, View { topology, is_whole }) = best(asked).await?;
        let nodes = Arc::new_cyclic(|this| Self {
            dialer: dialer.clone(),
            inbound: Arc::clone(inbound),
            told,
            state: Mutex::new(State::new(topology, seed.clone())),
            learnt: tokio::sync::Mutex::default(),
            this: Weak::clone(this),
            _watch: Task::spawn(watch(Weak::clone(this))),
        });
        if !is_whole {
            nodes.refresh(None).await;
        }
        nodes.settle(seed).await?;
        Ok(nodes)
    }

    /// Finds a home: one that can be reached, and reaches the others.
    async fn settle(&self, seed: &Address) -> RedisResult<()> {
        let first = self.state().home.clone();
        let second = self.state().any_primary(Some(&first));
        for home in [Some(first), second].into_iter().flatten() {
            if self.cuts_off(&home).await == Some(false) {
                self.state().home = home;
                return Ok(());
            }
        }
        // Who has answered has just been there.
        self.state().home = seed.clone();
        self.node(seed, Purpose::Commands).await.map(drop)
    }

    /// Whether a node is cut off from the others; none: it does not say.
    async fn cuts_off(&self, address: &Address) -> Option<bool> {
        let asked = async {
            let mut answers = self.run_on(address, Purpose::Commands, vec![info()]).await;
            answers.pop().unwrap_or_else(|| Err(away()))
        };
        let answer = within(TOGETHER, asked).await;
        // Who may not ask does not know.
        let is_told = !matches!(&answer, Err(error) if is_away(error) || is_lost(error));
        is_told.then(|| is_cut_off(&answer))
    }

    /// All connections are closed, whoever waits for their answers.
    pub(super) fn end(&self) {
        let mut state = self.state();
        state.is_over = true;
        state.places.clear();
        let down = std::mem::take(&mut state.down);
        let commands = std::mem::take(&mut state.commands);
        let listeners = std::mem::take(&mut state.listeners);
        drop(state);
        drop(down);
        commands.values().chain(listeners.values()).filter_map(|it| it.get()).for_each(Node::end);
    }

    /// Where something is to be asked now; a place where nobody is, if nobody who could do it can be reached.
    pub(super) fn place(&self, route: Route) -> Address {
        let state = self.state();
        let candidates = match route {
            Route::Home | Route::All => return state.home.clone(),
            Route::Primary(slot) => state.topology.nodes(slot).get(..1),
            Route::Shard(slot) => Some(state.topology.nodes(slot)),
        };
        let mut candidates = candidates.unwrap_or_default().iter();
        candidates.find(|&address| !state.down.contains_key(address)).cloned().unwrap_or_default()
    }

    /// How often it has changed who has what.
    pub(super) fn version(&self) -> u64 {
        self.state().version
    }

    /// Where a channel of sharded Pub/Sub is to be subscribed, or the opposite: where it is, as long as that is so. At two nodes it would
    /// be heard twice.
    pub(super) fn place_of(&self, ask: &Ask) -> Address {
        if let Some(place) = self.state().places.get(&ask.channel.1) {
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
        self.look_again(&mut results, &commands, |_| place).await;
        results
    }

    /// Sends commands; gives what has come of each. Those for one node are sent in order. Where something has moved, it is asked
    /// again.
    pub(super) async fn run(&self, commands: Vec<Cmd>) -> Vec<RedisResult<Value>> {
        let mut results: Vec<RedisResult<Value>> = commands.iter().map(|_| Err(away())).collect();
        let mut places = vec![Address::default(); commands.len()];
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
                    (address, group, answers)
                }
            });
            for (address, group, answers) in join_all(asked).await {
                for (index, answer) in group.into_iter().zip(answers) {
                    results[index] = answer;
                    places[index].clone_from(&address);
                }
            }
            for index in everywhere {
                results[index] = self.run_on_all(&commands[index]).await;
            }
            let place = |index: usize| &places[index];
            if attempt + 1 < TRIES && !self.look_again(&mut results, &commands, place).await {
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
        let asked: Vec<_> = asked.map(|(command, _)| command.clone()).collect();
        // To ask nothing, nobody is connected to.
        let answers = match asked.len() {
            0 => Vec::new(),
            _ => self.run_on(place, Purpose::Listener, asked).await,
        };
        let mut answers = answers.into_iter();
        let mut results: Vec<_> = begun
            .into_iter()
            .zip(asks)
            .map(|(begun, ask)| match begun.then(|| answers.next()).flatten() {
                Some(answer) => self.confirmed(ask, place, answer),
                None => Ok(Value::Nil), // it is done already
            })
            .collect();
        self.check_places(asks, &mut results);
        self.look_again(&mut results, &commands, |_| place).await;
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

    /// A sharded channel is there from now on, or not any more. Whether that has to be asked: one that was to go may be wanted again
    /// before it was asked to go, and is there.
    fn begin(&self, place: &Address, ask: &Ask) -> bool {
        let name = &ask.channel.1;
        let mut state = self.state();
        if ask.wanted {
            return state.places.insert(name.clone(), place.clone()).as_ref() != Some(place);
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
            Err(error) if ask.wanted => {
                self.state().places.remove(name);
                Err(if is_lost(&error) { away() } else { error })
            }
            Err(error) if is_lost(&error) || is_away(&error) => {
                let is_gone = is_lost(&error) || error.redirect_node().is_some();
                if !is_gone && error.kind() != ErrorKind::ClusterConnectionNotFound {
                    // Whether it is subscribed still is not known: at another node, it might be heard twice.
                    self.lost(address, Purpose::Listener, String::new());
                }
                Ok(Value::Nil)
            }
            Err(refused) => {
                let mut state = self.state();
                if state.listeners.contains_key(address) {
                    state.places.insert(name.into(), address.clone()); // it stays
                }
                Err(refused)
            }
        }
    }

    /// Whether something is to be asked again; where, it is known better then. `place`: where each was asked.
    async fn look_again<'a>(
        &self,
        results: &mut [RedisResult<Value>],
        commands: &[Cmd],
        place: impl Fn(usize) -> &'a Address,
    ) -> bool {
        let (mut told, mut again) = (None, false);
        for (index, (result, command)) in results.iter_mut().zip(commands).enumerate() {
            let Err(error) = &*result else { continue };
            let instead = error.redirect_node().and_then(|it| redirected(it, &place(index).0));
            // Channels have no ASK.
            if let Some(address) = &instead
                && error.kind() == ErrorKind::Server(ServerErrorKind::Ask)
                && route(command) != Route::Home
            {
                let commands = vec![cmd("ASKING"), command.clone()];
                let mut answers = self.run_on(address, Purpose::Commands, commands).await;
                *result = answers.pop().unwrap_or_else(|| Err(away()));
            } else {
                told = told.or(instead);
            }
            again |= matches!(result, Err(error) if is_away(error));
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
        let mut learnt = self.learnt.lock().await;
        // While no node reaches most of the others, nobody will know better soon; unless it is said who does.
        let calm = |learnt: &Learnt| if learnt.is_whole || who.is_some() { FRESH } else { DOWN };
        if learnt.as_ref().is_some_and(|learnt| asked < learnt.at + calm(learnt)) {
            return;
        }
        let view = self.look(who.as_ref()).await;
        let is_whole = view.as_ref().is_some_and(|view| view.is_whole);
        match view {
            None => (self.told.lost)("no node of the Redis Cluster can be reached".to_owned()),
            Some(view) => self.learn(view),
        }
        *learnt = Some(Learnt { at: Instant::now(), is_whole });
    }

    /// It is known who there is.
    fn learn(&self, view: View) {
        let mut state = self.state();
        let unused = state.learn(view.topology);
        let is_over = state.is_heard && state.is_homeless;
        drop(state);
        drop(unused);
        if is_over {
            let reason = "the node that was subscribed at has left the Redis Cluster";
            (self.told.lost)(reason.to_owned());
        }
    }

    /// Who can't be reached may not come back, and may not be one of the nodes any more: then it is not tried again.
    async fn look_for_who_is_down(&self) {
        if self.state().down.is_empty() {
            return;
        }
        if let Some(view) = self.look(None).await {
            self.learn(view);
        }
    }

    /// What those say who are said to know; if they are cut off, or hang, what the others do.
    async fn look(&self, who: Option<&Address>) -> Option<View> {
        let home = self.state().home.clone();
        let mut first = None;
        for address in who.into_iter().chain([&home]) {
            match self.view(address).await {
                Some(view) if view.is_whole => return Some(view),
                view => first = first.or(view),
            }
        }
        let others = self.best_but(&[]).await;
        others.filter(|view| view.is_whole || first.is_none()).or(first)
    }

    /// What the nodes say that are not among those.
    async fn best_but(&self, not: &[Address]) -> Option<View> {
        let mut all: Vec<_> = self.state().topology.all().into_iter().cloned().collect();
        all.retain(|address| !not.contains(address));
        let asked = all.iter().map(|address| async move {
            let view = self.view(address).await;
            view.map(|view| (address, view)).ok_or_else(away)
        });
        best(asked).await.ok().map(|(_, view)| view)
    }

    /// What a node says, if it does not hang.
    async fn view(&self, address: &Address) -> Option<View> {
        let asked = async {
            let mut node = self.node(address, Purpose::Commands).await?;
            view_of(&mut node, address).await
        };
        timeout(TOGETHER, asked).await.ok()?.ok()
    }

    /// Which of the nodes that are spoken with are cut off from the others.
    async fn find_cut_off(&self) -> Vec<Address> {
        let all = self.state().spoken_with();
        let asked = all.into_iter().map(|address| async move {
            let is_cut_off = self.cuts_off(&address).await == Some(true);
            is_cut_off.then_some(address)
        });
        join_all(asked).await.into_iter().flatten().collect()
    }

    /// Leaves nodes that are cut off from the others, if these are to be found.
    async fn leave(&self, cut_off: &[Address]) {
        let Some(view) = self.best_but(cut_off).await.filter(|view| view.is_whole) else { return };
        let mut state = self.state();
        let unused = state.learn(view.topology);
        let is_home = cut_off.contains(&state.home);
        let is_over = is_home && state.is_heard;
        if is_home && !is_over {
            let home = state.home.clone();
            state.leave_home(&home);
        }
        let mut left = cut_off.to_vec();
        left.retain(|address| !state.has_all_of(address));
        drop(state);
        drop(unused);
        let reason = "the node that was subscribed at is cut off from the Redis Cluster";
        for address in left {
            self.lost(&address, Purpose::Listener, String::new());
        }
        if is_over {
            (self.told.lost)(reason.to_owned());
        }
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
            let is_down = *address == Address::default() || state.down.contains_key(address);
            let is_over = state.is_over;
            let connections = state.connections(purpose);
            // By a connection that is there, it can be asked all the same.
            if let Some(node) = connections.get(address).and_then(|cell| cell.get()) {
                return Ok(node.clone());
            }
            if is_over || is_down {
                return Err(away());
            }
            Arc::clone(connections.entry(address.clone()).or_default())
        };
        let connected = cell.get_or_try_init(|| async {
            // Somebody else has tried meanwhile.
            if self.state().down.contains_key(address) {
                return Err(away());
            }
            let of = Arc::downgrade(&cell);
            let (this, to) = (Weak::clone(&self.this), address.clone());
            let told = move |event| {
                let Some(this) = this.upgrade() else { return };
                if !this.state().has(&to, purpose, &of) {
                    return;
                }
                match event {
                    Event::Lost { reason, is_silent } => {
                        if is_silent {
                            this.pass_over(&to);
                        }
                        this.lost(&to, purpose, reason);
                    }
                    Event::Unsubscribed(channel) => this.unsubscribed(&to, channel),
                }
            };
            let opened = self.dialer.open(address, &self.inbound, told).await;
            if opened.is_err() {
                self.unreachable(address, purpose, &cell);
            }
            opened
        });
        connected.await.cloned()
    }

    /// A node can't be connected to.
    fn unreachable(&self, address: &Address, purpose: Purpose, cell: &Arc<OnceCell<Node>>) {
        self.pass_over(address);
        let mut state = self.state();
        // Somebody else may have connected to it meanwhile.
        if state.has(address, purpose, &Arc::downgrade(cell)) {
            state.connections(purpose).remove(address);
        }
        // What is subscribed at home is so by that connection.
        if purpose == Purpose::Commands {
            state.leave_home(address);
        }
    }

    /// A node can't be reached. Nobody waits for it before it can.
    fn pass_over(&self, address: &Address) {
        let mut state = self.state();
        if state.is_over || state.down.contains_key(address) {
            return;
        }
        let trying = try_out(
            Weak::clone(&self.this),
            self.dialer.clone(),
            Arc::clone(&self.inbound),
            address.clone(),
        );
        state.down.insert(address.clone(), Task::spawn(trying));
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
        let is_over = is_home && state.is_heard;
        if is_home && !is_over {
            state.leave_home(address);
        }
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

/// What a node says that there is.
async fn view_of(node: &mut Node, address: &Address) -> RedisResult<View> {
    let mut slots = cmd("CLUSTER");
    slots.arg("SLOTS");
    let mut answers = node.run([slots, info()]).await.into_iter();
    let slots = answers.next().unwrap_or(Ok(Value::Nil))?;
    let info = answers.next().unwrap_or(Ok(Value::Nil));
    View::new(slots, &info, &address.0).ok_or_else(away)
}

/// Asks a node how its cluster is.
fn info() -> Cmd {
    let mut command = cmd("CLUSTER");
    command.arg("INFO");
    command
}

/// What the first one says that reaches most of the others; if there is none such, what anybody says.
async fn best<T>(
    asked: impl Iterator<Item = impl Future<Output = RedisResult<(T, View)>>>,
) -> RedisResult<(T, View)> {
    let mut asked: FuturesUnordered<_> = asked.collect();
    let mut other = Err(away());
    while let Some(said) = asked.next().await {
        match said {
            Ok(said) if said.1.is_whole => return Ok(said),
            said if other.is_err() => other = said,
            _ => {}
        }
    }
    other
}

/// Tries again and again whether a node can be reached, and tells it.
async fn try_out(nodes: Weak<Nodes>, dialer: Dialer, inbound: Arc<Inbound>, address: Address) {
    while nodes.strong_count() > 0 {
        sleep(DOWN).await;
        if dialer.open(&address, &inbound, |_| {}).await.is_ok() {
            break;
        }
    }
    let Some(nodes) = nodes.upgrade() else { return };
    let mut state = nodes.state();
    state.version += 1;
    let this = state.down.remove(&address);
    drop(state);
    drop(this);
}

/// Leaves nodes that are cut off from the others, as long as there is somebody who speaks with them.
async fn watch(nodes: Weak<Nodes>) {
    let mut before = Vec::new();
    loop {
        sleep(WATCH).await;
        let Some(nodes) = nodes.upgrade() else { return };
        nodes.look_for_who_is_down().await;
        let now = nodes.find_cut_off().await;
        let certain: Vec<_> = now.iter().filter(|it| before.contains(*it)).cloned().collect();
        before = now;
        if !certain.is_empty() {
            nodes.leave(&certain).await;
        }
    }
}

/// Nothing has been sent.
fn away() -> RedisError {
    (ErrorKind::ClusterConnectionNotFound, "no node of the Redis Cluster can do that now").into()
}
