//! A Redis Cluster in memory, on the clock of the test, and what may happen to it.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};

use bytes::{Buf as _, BytesMut};
use futures_util::future::BoxFuture;
use proptest::prelude::*;
use redis::RedisResult;
use tokio::io::{
    AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream, ReadBuf, duplex,
};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use crate::cluster::dial::ByteStream;
use crate::cluster::dialer::Reach;
use crate::cluster::topology::Address;
use crate::redis::broadcasts::Mode;
use crate::redis::slots::{SLOTS, slot_of};

const SHARDS: usize = 3;
/// In each shard, a primary and a replica.
const NODES: usize = 2 * SHARDS;
/// The slots move in such parts.
pub(super) const PARTS: usize = 4;
const PART: u16 = SLOTS / 4;
const FIRST_PORT: u16 = 7_000;

fn part_of(channel: &str) -> usize {
    usize::from(slot_of(channel.as_bytes()) / PART)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Health {
    Well,
    /// It has ended.
    Dead,
    /// It takes connections, and says nothing.
    Hangs,
    /// It does not even take connections, nor refuse them.
    Vanished,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Odd {
    Empty,
    Nil,
    Malformed,
    Refused,
    Nowhere,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Refusal {
    ClusterDown,
    TryAgain,
    NoPermission,
    /// Others are named, where nobody is.
    MovedAway,
    MovedNowhere,
    AskAway,
}

/// What may happen to it.
#[derive(Clone, Debug)]
pub(super) enum Happening {
    /// Slots go to a shard.
    Move(usize, usize),
    FailOver(usize),
    Health(usize, Health),
    CutOff(usize),
    /// What a node knows of the others stays as it is.
    Stale(usize),
    Rejoin(usize),
    Refuse(usize, usize, Refusal),
    Odd(usize, Option<Odd>),
    /// It takes no more connections, or does again.
    Full(usize, bool),
    /// Its connections are lost.
    Cut(usize),
    /// It says something that is no answer.
    Babble(usize),
    /// A node gets another address.
    Replace(usize),
    /// Two nodes get each other's.
    Swap(usize, usize),
}

pub(super) fn happening() -> impl Strategy<Value = Happening> {
    let health = prop_oneof![
        3 => Just(Health::Well),
        2 => Just(Health::Dead),
        1 => Just(Health::Hangs),
        1 => Just(Health::Vanished),
    ];
    let refusal = prop_oneof![
        Just(Refusal::ClusterDown),
        Just(Refusal::TryAgain),
        Just(Refusal::NoPermission),
        Just(Refusal::MovedAway),
        Just(Refusal::MovedNowhere),
        Just(Refusal::AskAway),
    ];
    let odd = prop_oneof![
        Just(None),
        Just(Some(Odd::Empty)),
        Just(Some(Odd::Nil)),
        Just(Some(Odd::Malformed)),
        Just(Some(Odd::Refused)),
        Just(Some(Odd::Nowhere)),
    ];
    let refuse = (0..NODES, 1..9_usize, refusal);
    let two = (0..NODES, 1..NODES);
    prop_oneof![
        3 => (0..PARTS, 0..SHARDS).prop_map(|(part, shard)| Happening::Move(part, shard)),
        2 => (0..SHARDS).prop_map(Happening::FailOver),
        5 => (0..NODES, health).prop_map(|(at, health)| Happening::Health(at, health)),
        1 => (0..NODES).prop_map(Happening::CutOff),
        1 => (0..NODES).prop_map(Happening::Stale),
        1 => (0..NODES).prop_map(Happening::Rejoin),
        2 => refuse.prop_map(|(at, count, refusal)| Happening::Refuse(at, count, refusal)),
        1 => (0..NODES, odd).prop_map(|(at, odd)| Happening::Odd(at, odd)),
        2 => (0..NODES).prop_map(Happening::Cut),
        1 => (0..NODES, any::<bool>()).prop_map(|(at, is_full)| Happening::Full(at, is_full)),
        1 => (0..NODES).prop_map(Happening::Babble),
        1 => (0..NODES).prop_map(Happening::Replace),
        1 => two.prop_map(|(one, apart)| Happening::Swap(one, (one + apart) % NODES)),
    ]
}

/// Who has what.
#[derive(Clone, Debug)]
pub(super) struct Map {
    /// The shard of each part.
    owners: [usize; PARTS],
    /// The ports of each shard, its primary first.
    shards: [[u16; 2]; SHARDS],
}

pub(super) struct Fake {
    pub(super) port: u16,
    health: Health,
    /// Whether it takes no more connections.
    pub(super) is_full: bool,
    is_cut_off: bool,
    /// What it takes for true; none: what is.
    belief: Option<Map>,
    /// What it says if it is asked for the slots.
    odd: Option<Odd>,
    /// What it says to so many commands.
    refuses: Option<(usize, Refusal)>,
}

/// Of what has been connected to, as the node sees it.
pub(super) struct Connection {
    /// By which name it was connected to.
    pub(super) name: Address,
    pub(super) port: u16,
    pub(super) channels: BTreeSet<String>,
    says: mpsc::UnboundedSender<Vec<u8>>,
    /// Whether the link has closed it.
    pub(super) is_gone: Arc<AtomicBool>,
    task: Option<AbortHandle>,
}

pub(super) struct World {
    /// Whether channels are a slot's.
    is_sharded: bool,
    pub(super) nodes: Vec<Fake>,
    pub(super) map: Map,
    pub(super) connections: BTreeMap<u64, Connection>,
    next_connection: u64,
    next_port: u16,
    /// What has been taken, by channels.
    pub(super) taken: BTreeMap<String, Vec<u64>>,
    /// What was taken by nodes that had been given up.
    pub(super) late: BTreeMap<String, Vec<u64>>,
    /// Whether nothing may be unsubscribed.
    pub(super) keeps: bool,
    pub(super) dials: usize,
    /// Commands, but those that are always sent.
    pub(super) commands: Vec<String>,
}

pub(super) type SharedWorld = Arc<Mutex<World>>;

pub(super) fn lock(world: &SharedWorld) -> MutexGuard<'_, World> {
    world.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Map {
    pub(super) fn owner(&self, channel: &str) -> [u16; 2] {
        self.shards[self.owners[part_of(channel)]]
    }

    fn slots(&self, is_dead: impl Fn(u16) -> bool) -> String {
        let node = |port: &u16| format!("*2\r\n$9\r\n127.0.0.1\r\n:{port}\r\n");
        let part = |(index, &owner): (usize, &usize)| {
            let [primary, replica] = self.shards[owner];
            let nodes: Vec<u16> =
                if is_dead(replica) { vec![primary] } else { vec![primary, replica] };
            let first = u16::try_from(index).unwrap() * PART;
            let all: String = nodes.iter().map(node).collect();
            format!("*{}\r\n:{first}\r\n:{}\r\n{all}", 2 + nodes.len(), first + PART - 1)
        };
        format!("*{PARTS}\r\n{}", self.owners.iter().enumerate().map(part).collect::<String>())
    }
}

impl World {
    pub(super) fn new(mode: Mode) -> Self {
        let port = |index: usize| FIRST_PORT + u16::try_from(index).unwrap();
        let node = |index| Fake {
            port: port(index),
            health: Health::Well,
            is_full: false,
            is_cut_off: false,
            belief: None,
            odd: None,
            refuses: None,
        };
        Self {
            is_sharded: mode == Mode::Sharded,
            nodes: (0..NODES).map(node).collect(),
            map: Map {
                owners: std::array::from_fn(|part| part % SHARDS),
                shards: std::array::from_fn(|shard| [port(2 * shard), port(2 * shard + 1)]),
            },
            connections: BTreeMap::new(),
            next_connection: 0,
            next_port: port(NODES),
            taken: BTreeMap::new(),
            late: BTreeMap::new(),
            keeps: false,
            dials: 0,
            commands: Vec::new(),
        }
    }

    fn node(&mut self, port: u16) -> Option<&mut Fake> {
        self.nodes.iter_mut().find(|node| node.port == port)
    }

    fn health(&mut self, port: u16) -> Health {
        self.node(port).map_or(Health::Dead, |node| node.health)
    }

    /// Nodes end subscriptions to channels that they know to be another's.
    pub(super) fn conform(&mut self) {
        let map = &self.map;
        for connection in self.connections.values_mut().filter(|_| self.is_sharded) {
            let node = self.nodes.iter().find(|node| node.port == connection.port);
            let Some(node) = node.filter(|it| it.health == Health::Well) else { continue };
            let known = node.belief.as_ref().filter(|_| node.is_cut_off).unwrap_or(map);
            connection.channels.retain(|channel| {
                let stays = known.owner(channel).contains(&node.port);
                if !stays {
                    let text = confirmation("sunsubscribe", channel);
                    let _closed = connection.says.send(text.into_bytes());
                }
                stays
            });
        }
    }

    fn answer(&mut self, number: u64, command: &[String]) -> String {
        let Some(connection) = self.connections.get(&number) else { return String::new() };
        let (port, is_gone) = (connection.port, connection.is_gone.load(Ordering::SeqCst));
        let Some(at) = self.nodes.iter().position(|node| node.port == port) else {
            return String::new();
        };
        let dead: Vec<_> = self.nodes.iter().filter(|it| it.health == Health::Dead).collect();
        let dead: Vec<_> = dead.into_iter().map(|node| node.port).collect();
        let map = self.nodes[at].belief.clone().unwrap_or_else(|| self.map.clone());
        // Even one that knows too little knows what it has itself.
        let owned = if self.nodes[at].is_cut_off { &map } else { &self.map };
        let name = command[0].to_uppercase();
        let argument = command.get(1).cloned().unwrap_or_default();
        if !matches!(&*name, "HELLO" | "CLIENT" | "PING") && argument != "INFO" {
            self.commands.push(command.join(" "));
        }
        match &*name {
            "HELLO" => "%1\r\n+proto\r\n:3\r\n".to_owned(),
            "PING" => "+PONG\r\n".to_owned(),
            "CLUSTER" if argument == "INFO" => {
                let state = if self.nodes[at].is_cut_off { "fail" } else { "ok" };
                let text = format!("cluster_state:{state}\r\ncluster_size:{SHARDS}\r\n");
                format!("${}\r\n{text}\r\n", text.len())
            }
            "CLUSTER" => match self.nodes[at].odd {
                None => map.slots(|port| dead.contains(&port)),
                Some(Odd::Empty) => "*0\r\n".to_owned(),
                Some(Odd::Nil) => "_\r\n".to_owned(),
                Some(Odd::Malformed) => {
                    "*2\r\n*1\r\n:5\r\n*3\r\n:-1\r\n$1\r\nx\r\n_\r\n".to_owned()
                }
                Some(Odd::Refused) => "-LOADING later\r\n".to_owned(),
                Some(Odd::Nowhere) => {
                    "*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$1\r\n?\r\n:0\r\n".to_owned()
                }
            },
            "SPUBLISH" | "SSUBSCRIBE" | "SUNSUBSCRIBE" | "PUBLISH" | "SUBSCRIBE"
            | "UNSUBSCRIBE" => {
                let is_sharded = name.starts_with('S') && name != "SUBSCRIBE";
                if is_sharded && !owned.owner(&argument).contains(&port) {
                    let slot = slot_of(argument.as_bytes());
                    return format!("-MOVED {slot} 127.0.0.1:{}\r\n", map.owner(&argument)[0]);
                }
                // What must not go stays; and what is no slot's can always go.
                let may = |it: &Refusal| match &*name {
                    "UNSUBSCRIBE" => false,
                    "SUNSUBSCRIBE" => matches!(it, Refusal::ClusterDown | Refusal::TryAgain),
                    _ => true,
                };
                if let Some((left @ 1.., refusal)) = self.nodes[at].refuses.as_mut()
                    && may(refusal)
                {
                    *left -= 1;
                    return match refusal {
                        Refusal::ClusterDown => "-CLUSTERDOWN wait\r\n".to_owned(),
                        Refusal::TryAgain => "-TRYAGAIN later\r\n".to_owned(),
                        Refusal::NoPermission => "-NOPERM not you\r\n".to_owned(),
                        Refusal::MovedAway => "-MOVED 1 127.0.0.1:9\r\n".to_owned(),
                        Refusal::MovedNowhere => "-MOVED 1 ?:0\r\n".to_owned(),
                        Refusal::AskAway => "-ASK 1 127.0.0.1:9\r\n".to_owned(),
                    };
                }
                if self.keeps && name == "SUNSUBSCRIBE" {
                    return "-NOPERM not you\r\n".to_owned();
                }
                if name.ends_with("PUBLISH") {
                    let taken = if is_gone { &mut self.late } else { &mut self.taken };
                    let payload = command[2].parse().unwrap();
                    taken.entry(argument).or_default().push(payload);
                    return ":1\r\n".to_owned();
                }
                let channels = &mut self.connections.get_mut(&number).unwrap().channels;
                if name.contains("UNSUB") {
                    channels.remove(&argument);
                } else {
                    channels.insert(argument.clone());
                }
                confirmation(&name.to_lowercase(), &argument)
            }
            _ => "+OK\r\n".to_owned(),
        }
    }

    /// All connections of a node end.
    fn cut(&mut self, port: u16) {
        self.connections.retain(|_, connection| {
            let stays = connection.port != port;
            if let (false, Some(task)) = (stays, &connection.task) {
                task.abort();
            }
            stays
        });
    }

    fn set_health(&mut self, at: usize, health: Health) {
        let port = self.nodes[at].port;
        self.nodes[at].health = health;
        if health == Health::Dead {
            self.cut(port);
        }
        self.wake(port);
    }

    /// Connections go on that had to wait.
    fn wake(&self, port: u16) {
        for connection in self.connections.values().filter(|it| it.port == port) {
            let _closed = connection.says.send(Vec::new());
        }
    }

    /// Gives a port to another one.
    fn rename(&mut self, at: usize, port: u16) {
        let before = std::mem::replace(&mut self.nodes[at].port, port);
        self.map.shards.iter_mut().flatten().filter(|it| **it == before).for_each(|it| *it = port);
    }

    pub(super) fn heal(&mut self) {
        for at in 0..NODES {
            let node = &mut self.nodes[at];
            (node.is_cut_off, node.belief, node.odd, node.refuses) = (false, None, None, None);
            node.is_full = false;
            self.set_health(at, Health::Well);
        }
    }

    /// The connections that the link holds.
    pub(super) fn held(&self) -> impl Iterator<Item = &Connection> {
        self.connections.values().filter(|it| !it.is_gone.load(Ordering::SeqCst))
    }

    /// Where a channel is subscribed.
    pub(super) fn subscribed(&self, channel: &str) -> Vec<u16> {
        self.held().filter(|it| it.channels.contains(channel)).map(|it| it.port).collect()
    }

    pub(super) fn happens(&mut self, happening: &Happening) {
        match *happening {
            Happening::Move(part, shard) => self.map.owners[part] = shard,
            Happening::FailOver(shard) => {
                let replica = self.map.shards[shard][1];
                let node = self.node(replica).unwrap();
                if node.health == Health::Well && !node.is_cut_off {
                    self.map.shards[shard].swap(0, 1);
                }
            }
            Happening::Health(at, health) => self.set_health(at, health),
            Happening::CutOff(at) => {
                self.nodes[at].belief = Some(self.map.clone());
                self.nodes[at].is_cut_off = true;
            }
            Happening::Stale(at) => self.nodes[at].belief = Some(self.map.clone()),
            Happening::Rejoin(at) => {
                self.nodes[at].is_cut_off = false;
                self.nodes[at].belief = None;
            }
            Happening::Refuse(at, count, refusal) => {
                self.nodes[at].refuses = Some((count, refusal));
            }
            Happening::Odd(at, odd) => self.nodes[at].odd = odd,
            Happening::Full(at, is_full) => self.nodes[at].is_full = is_full,
            Happening::Cut(at) => self.cut(self.nodes[at].port),
            Happening::Babble(at) => {
                let port = self.nodes[at].port;
                for connection in self.connections.values().filter(|it| it.port == port) {
                    let _closed = connection.says.send(b"?\r\n".to_vec());
                }
            }
            Happening::Replace(at) => {
                self.cut(self.nodes[at].port);
                self.rename(at, self.next_port);
                self.next_port += 1;
            }
            Happening::Swap(a, b) => {
                let [first, second] = [self.nodes[a].port, self.nodes[b].port];
                self.cut(first);
                self.cut(second);
                self.rename(a, 0);
                self.rename(b, first);
                self.rename(a, second);
            }
        }
        self.conform();
    }
}

fn confirmation(kind: &str, channel: &str) -> String {
    format!(">3\r\n${}\r\n{kind}\r\n${}\r\n{channel}\r\n:1\r\n", kind.len(), channel.len())
}

/// The end of a connection that the link has.
struct Client {
    stream: DuplexStream,
    is_gone: Arc<AtomicBool>,
}

impl Drop for Client {
    fn drop(&mut self) {
        self.is_gone.store(true, Ordering::SeqCst);
    }
}

impl AsyncRead for Client {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(context, out)
    }
}

impl AsyncWrite for Client {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}

/// Takes a command from what has been read.
fn next_command(bytes: &mut BytesMut) -> Option<Vec<String>> {
    fn line(bytes: &[u8], at: &mut usize) -> Option<usize> {
        let rest = bytes.get(*at + 1..)?;
        let end = memchr::memchr(b'\r', rest)?;
        *at += end + 3;
        std::str::from_utf8(&rest[..end]).unwrap().parse().ok()
    }
    let mut at = 0;
    let count = line(bytes, &mut at)?;
    let mut command = Vec::new();
    for _ in 0..count {
        let length = line(bytes, &mut at)?;
        let text = bytes.get(at..at + length)?;
        command.push(String::from_utf8(text.to_vec()).unwrap());
        at += length + 2;
    }
    if bytes.len() < at {
        return None;
    }
    bytes.advance(at);
    Some(command)
}

/// What a node does for a connection.
async fn serve(
    world: Weak<Mutex<World>>,
    number: u64,
    port: u16,
    mut stream: DuplexStream,
    mut says: mpsc::UnboundedReceiver<Vec<u8>>,
) -> io::Result<()> {
    let mut bytes = BytesMut::new();
    loop {
        let Some(world) = world.upgrade() else { return Ok(()) };
        let is_well = lock(&world).health(port) == Health::Well;
        while is_well && let Some(command) = next_command(&mut bytes) {
            let answer = lock(&world).answer(number, &command);
            stream.write_all(answer.as_bytes()).await?;
        }
        drop(world);
        tokio::select! {
            biased;
            said = says.recv() => match said {
                Some(text) => stream.write_all(&text).await?,
                None => return Ok(()),
            },
            read = stream.read_buf(&mut bytes), if is_well => {
                if read? == 0 {
                    return Ok(());
                }
            }
        }
    }
}

fn connect(world: &SharedWorld, address: &Address) -> Option<RedisResult<Box<dyn ByteStream>>> {
    let mut state = lock(world);
    state.dials += 1;
    let port = if &*address.0 == "seed" {
        let well = state.nodes.iter().find(|it| it.health == Health::Well && !it.is_cut_off);
        well.or(state.nodes.first()).map_or(0, |node| node.port)
    } else {
        address.1
    };
    let is_full = state.node(port).is_some_and(|node| node.is_full);
    match state.health(port) {
        Health::Well if is_full => {
            return Some(Err(io::Error::from(io::ErrorKind::ConnectionReset).into()));
        }
        Health::Well | Health::Hangs => {}
        Health::Dead => return Some(Err(io::Error::from(io::ErrorKind::ConnectionRefused).into())),
        Health::Vanished => return None,
    }
    let (near, far) = duplex(1 << 20);
    let (says, said) = mpsc::unbounded_channel();
    let is_gone = Arc::new(AtomicBool::new(false));
    let client = Client { stream: near, is_gone: Arc::clone(&is_gone) };
    let number = state.next_connection;
    state.next_connection += 1;
    let (name, channels) = (address.clone(), BTreeSet::new());
    let connection = Connection { name, port, channels, says, is_gone, task: None };
    state.connections.insert(number, connection);
    let of_task = Arc::downgrade(world);
    let task = tokio::spawn(async move {
        let _ended = serve(Weak::clone(&of_task), number, port, far, said).await;
        if let Some(world) = of_task.upgrade() {
            lock(&world).connections.remove(&number);
        }
    });
    state.connections.get_mut(&number).unwrap().task = Some(task.abort_handle());
    Some(Ok(Box::new(client)))
}

pub(super) fn reach(world: &SharedWorld) -> Reach {
    let world = Arc::clone(world);
    Reach::new(move |address| -> BoxFuture<'static, _> {
        let connected = connect(&world, &address);
        Box::pin(async move {
            match connected {
                Some(connected) => connected,
                None => std::future::pending().await,
            }
        })
    })
}
