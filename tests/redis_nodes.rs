//! The link to a Redis Cluster, against nodes that do what the test says.
#![cfg(feature = "redis")]
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod redis_support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;

use bytes::Bytes;
use ferrosocket::cluster::link::Link;
use ferrosocket::cluster::news::{News, State};
use ferrosocket::cluster::options::LinkOptions;
use ferrosocket::cluster::orders::{Cluster, Order, Payload, Publication};
use ferrosocket::net::directory::Directory;
use ferrosocket::redis::broadcasts::{Mode, Node};
use ferrosocket::redis::slots::slot_of;

use redis_support::{LIMIT, is_in, until};

/// Bytes that may wait to leave.
const MOST_BUFFERED: usize = 1 << 20;

/// What is seen when a connection is closed.
const CLOSED: &str = "(closed)";

/// What a node says to a command; none: nothing, ever.
type Answer = dyn Fn(&[String]) -> Option<String> + Send + Sync;

/// A node of a Redis Cluster.
struct FakeNode {
    port: u16,
    /// What it says to what is not said of it below.
    answer: Arc<Mutex<Arc<Answer>>>,
    /// The commands that it is sent, but those that make a connection; and when one is closed.
    seen: Arc<Mutex<Receiver<String>>>,
}

impl FakeNode {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (sender, seen) = channel();
        let nothing: Arc<Answer> = Arc::new(|_: &[String]| Some(":0\r\n".to_owned()));
        let node =
            Self { port, answer: Arc::new(Mutex::new(nothing)), seen: Arc::new(Mutex::new(seen)) };
        let answer = Arc::clone(&node.answer);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { return };
                let (answer, sender) = (Arc::clone(&answer), sender.clone());
                thread::spawn(move || {
                    let _ended = serve(stream, &answer, &sender);
                    let _nobody_looks = sender.send(CLOSED.to_owned());
                });
            }
        });
        node
    }

    fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// What it says from now on.
    fn says(&self, answer: impl Fn(&[String]) -> Option<String> + Send + Sync + 'static) {
        *self.answer.lock().unwrap() = Arc::new(answer);
    }

    /// Whether there was a command that begins so, of those that have not been looked at.
    fn has_seen(&self, beginning: &str) -> bool {
        let seen = self.seen.lock().unwrap();
        seen.try_iter().filter(|command| command.starts_with(beginning)).count() > 0
    }

    /// The next command that begins so.
    fn next(&self, beginning: &str) -> String {
        let seen = self.seen.lock().unwrap();
        loop {
            let command = seen.recv_timeout(LIMIT).expect("a command in time");
            if command.starts_with(beginning) {
                return command;
            }
        }
    }
}

fn bulk(text: &str) -> String {
    format!("${}\r\n{text}\r\n", text.len())
}

/// `CLUSTER SLOTS`: from which slot, to which, and the ports of who has them.
fn slots(ranges: &[(u16, u16, &[u16])]) -> String {
    let node = |port: &u16| format!("*2\r\n{}:{port}\r\n", bulk("127.0.0.1"));
    let range = |(first, last, ports): &(u16, u16, &[u16])| {
        let nodes: String = ports.iter().map(node).collect();
        format!("*{}\r\n:{first}\r\n:{last}\r\n{nodes}", 2 + ports.len())
    };
    format!("*{}\r\n{}", ranges.len(), ranges.iter().map(range).collect::<String>())
}

/// Speaks with one client, until that goes.
fn serve(
    stream: TcpStream,
    answer: &Mutex<Arc<Answer>>,
    seen: &Sender<String>,
) -> std::io::Result<()> {
    let mut writing = stream.try_clone()?;
    let mut reading = BufReader::new(stream);
    loop {
        let mut line = String::new();
        if reading.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let mut command = Vec::new();
        for _ in 0..line.trim_end()[1..].parse::<usize>().unwrap() {
            let mut line = String::new();
            reading.read_line(&mut line)?;
            let mut bytes = vec![0; line.trim_end()[1..].parse::<usize>().unwrap() + 2];
            reading.read_exact(&mut bytes)?;
            bytes.truncate(bytes.len() - 2);
            command.push(String::from_utf8(bytes).unwrap());
        }
        let kind = command[0].to_lowercase();
        let text = match &*kind {
            "hello" => Some("%1\r\n+proto\r\n:3\r\n".to_owned()),
            "client" => Some("+OK\r\n".to_owned()),
            _ => {
                let _nobody_looks = seen.send(command.join(" "));
                let answer = Arc::clone(&answer.lock().unwrap());
                answer(&command)
            }
        };
        let text = match text {
            // As it is confirmed.
            Some(text) if kind.ends_with("subscribe") && text == ":0\r\n" => {
                Some(format!(">3\r\n{}{}:1\r\n", bulk(&kind), bulk(&command[1])))
            }
            text => text,
        };
        if let Some(text) = text {
            writing.write_all(text.as_bytes())?;
        }
    }
}

/// A link to a Redis Cluster, and what tells that there is news.
fn open(seed: &FakeNode) -> (Link, Receiver<()>) {
    open_as(seed, Mode::Sharded)
}

fn open_as(seed: &FakeNode, mode: Mode) -> (Link, Receiver<()>) {
    let options = LinkOptions {
        urls: vec![seed.url()],
        cluster: true,
        max_buffered: MOST_BUFFERED,
        min_backoff: 1,
        max_backoff: 1,
        connect_timeout: 60_000,
        ..LinkOptions::default()
    };
    let (sender, woken) = channel();
    let wake = Box::new(move || sender.send(()).unwrap_or(()));
    let link = Link::open(&options, Arc::new(Directory::default()), wake).unwrap();
    link.ask(Order::Open(Arc::new(Cluster {
        number: 1,
        node: Arc::new(Node { mode, namespace: "/".into(), uid: "me".into() }),
        prefix: "socket.io#/#".into(),
        requests: b"socket.io#/#".to_vec(),
        patterns: vec![],
        channels: vec![b"socket.io#/#".to_vec()],
        stream: None,
    })));
    (link, woken)
}

fn publish(link: &Link, channel: &str, payload: impl Into<String>) {
    let payload = Payload::Made(Bytes::from(payload.into()));
    let channel = channel.into();
    link.ask(Order::Publish(Publication { mode: Mode::Sharded, channel, payload }));
}

/// A cluster of two parts. Channels with the first name are the first one's, those with the other are the other's.
struct Halves {
    names: [String; 2],
    /// Who is the other now: its port.
    other: Arc<AtomicUsize>,
    first: FakeNode,
}

const HALF: u16 = 8_192;

impl Halves {
    fn new(other: u16) -> Self {
        let name = |is_first: bool| {
            let names = (0..).map(|number: u32| format!("socket.io#/#{number}#"));
            names.into_iter().find(|name| is_of_first(name) == is_first).unwrap()
        };
        let halves = Self {
            names: [name(true), name(false)],
            other: Arc::new(AtomicUsize::new(other.into())),
            first: FakeNode::new(),
        };
        halves.first.says(halves.topology(|_| Some(":0\r\n".to_owned())));
        halves
    }

    /// Says who has what, and else what `answer` says.
    fn topology(
        &self,
        answer: impl Fn(&[String]) -> Option<String> + Send + Sync + 'static,
    ) -> impl Fn(&[String]) -> Option<String> + Send + Sync + 'static {
        let (first, other) = (self.first.port, Arc::clone(&self.other));
        move |command| {
            if command[0] != "CLUSTER" {
                return answer(command);
            }
            let other = u16::try_from(other.load(Ordering::SeqCst)).unwrap();
            Some(slots(&[(0, HALF - 1, &[other]), (HALF, 16_383, &[first])]))
        }
    }
}

/// Whether a channel is the first one's. That of the namespace is: so the link is ready whatever the other does.
fn is_of_first(name: &str) -> bool {
    slot_of(name.as_bytes()) >= HALF
}

/// A port where nobody listens.
fn nobody() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn subscribe(link: &Link, channel: &str) {
    let channel = channel.into();
    link.ask(Order::Subscribe { cluster: 1, channel, wanted: true });
}

fn count_of(link: &Link, name: &str) -> u64 {
    let (_, counters) = link.shared().counters.list();
    counters.iter().find(|(of, _)| *of == name).unwrap().1
}

#[test]
fn a_node_that_hangs_holds_up_nothing_else() {
    let hanging = FakeNode::new();
    hanging.says(|_| None);
    let halves = Halves::new(hanging.port);
    let [here, there] = &halves.names;
    let (link, woken) = open(&halves.first);
    assert!(is_of_first("socket.io#/#"));
    until(&link, &woken, is_in(State::Ready));
    for number in 0..600_u32 {
        publish(&link, there, "lost");
        if number % 100 == 0 {
            publish(&link, here, "comes");
            halves.first.next("SPUBLISH");
        }
    }
    subscribe(&link, there);
    hanging.next("SSUBSCRIBE");
    subscribe(&link, here);
    halves.first.next("SSUBSCRIBE");
}

#[test]
fn what_is_for_a_node_that_is_away_waits_and_the_rest_goes_on() {
    let halves = Halves::new(nobody());
    let [here, there] = &halves.names;
    let (link, woken) = open(&halves.first);
    until(&link, &woken, is_in(State::Ready));
    for number in 0..600 {
        publish(&link, there, format!("{number}"));
        if number % 100 == 0 {
            publish(&link, here, "comes");
            halves.first.next("SPUBLISH");
        }
    }
    let waits = |news| matches!(news, News::State(State::Reconnecting, Some(reason)) if reason.contains("waits"));
    until(&link, &woken, waits);
    // Somebody takes its place.
    let late = FakeNode::new();
    late.says(halves.topology(|_| Some(":0\r\n".to_owned())));
    halves.other.store(late.port.into(), Ordering::SeqCst);
    for number in 0..600 {
        assert_eq!(late.next("SPUBLISH"), format!("SPUBLISH {there} {number}"));
    }
    until(&link, &woken, is_in(State::Ready));
    assert_eq!(count_of(&link, "dropped"), 0);
}

#[test]
fn what_waits_for_a_node_leaves_room_for_the_others() {
    const LENGTH: usize = 32 << 10;
    let halves = Halves::new(nobody());
    let [here, there] = &halves.names;
    let (link, woken) = open(&halves.first);
    until(&link, &woken, is_in(State::Ready));
    let long = "x".repeat(LENGTH);
    // Twice as much as may wait.
    let count = 2 * MOST_BUFFERED / LENGTH;
    for number in 0..count {
        publish(&link, there, long.clone());
        // It has been looked at when something behind it has come.
        publish(&link, here, format!("{number}"));
        assert_eq!(halves.first.next("SPUBLISH"), format!("SPUBLISH {here} {number}"));
    }
    let (dropped, buffered) = (count_of(&link, "dropped"), count_of(&link, "buffered"));
    let most = MOST_BUFFERED as u64;
    assert!((most / 3..most * 2 / 3).contains(&buffered), "{buffered} bytes wait");
    assert!(dropped > count as u64 / 2 && dropped < count as u64, "{dropped} of {count}");
}

#[test]
fn a_subscription_that_is_refused_is_asked_for_again() {
    let halves = Halves::new(nobody());
    let refusing = halves.topology(|command| {
        let is_refused = command[0] == "SSUBSCRIBE";
        Some(if is_refused { "-NOPERM not you\r\n" } else { ":0\r\n" }.to_owned())
    });
    halves.first.says(refusing);
    let (link, woken) = open(&halves.first);
    for _ in 0..3 {
        halves.first.next("SSUBSCRIBE");
    }
    let is_told = |news| matches!(news, News::State(State::Connecting, Some(text)) if text.contains("not you"));
    until(&link, &woken, is_told);
    halves.first.says(halves.topology(|_| Some(":0\r\n".to_owned())));
    until(&link, &woken, is_in(State::Ready));
}

/// One whose machine is gone takes no connection, and refuses none.
#[test]
fn nobody_waits_for_a_node_that_does_not_answer() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let (sender, tried) = channel();
    thread::spawn(move || {
        // The first time, it is known at once that it is not there.
        drop(silent.accept());
        let held: Vec<_> = silent.incoming().inspect(|_| sender.send(()).unwrap_or(())).collect();
        drop(held);
    });
    let replica = FakeNode::new();
    let both = [port, replica.port];
    replica.says(move |command| {
        let is_asked = command[0] == "CLUSTER";
        Some(if is_asked { slots(&[(0, 16_383, &both)]) } else { ":0\r\n".to_owned() })
    });
    let (link, woken) = open(&replica);
    until(&link, &woken, is_in(State::Ready));
    let mut is_tried = false;
    while !is_tried {
        is_tried = tried.try_recv().is_ok();
        publish(&link, "channel", "comes");
        replica.next("SPUBLISH");
    }
}

fn info(is_whole: bool) -> String {
    bulk(if is_whole { "cluster_state:ok\r\n" } else { "cluster_state:fail\r\n" })
}

#[test]
fn who_is_subscribed_at_is_left_when_it_is_cut_off() {
    let nodes: Vec<_> = (0..3).map(|_| FakeNode::new()).collect();
    let cut_off = Arc::new(AtomicUsize::new(0));
    let [a, b, c] = [0, 1, 2].map(|at: usize| nodes[at].port);
    for node in &nodes {
        let (port, cut_off) = (usize::from(node.port), Arc::clone(&cut_off));
        node.says(move |command| {
            Some(match &*command.join(" ") {
                "CLUSTER SLOTS" => {
                    slots(&[(0, 999, &[a]), (1000, 1999, &[b]), (2000, 16_383, &[c])])
                }
                "CLUSTER INFO" => info(port != cut_off.load(Ordering::SeqCst)),
                _ => ":0\r\n".to_owned(),
            })
        });
    }
    let (link, woken) = open_as(&nodes[0], Mode::Classic);
    until(&link, &woken, is_in(State::Ready));
    let home = nodes.iter().position(|node| node.has_seen("SUBSCRIBE")).unwrap();
    cut_off.store(nodes[home].port.into(), Ordering::SeqCst);
    let is_left = |news| matches!(news, News::State(State::Reconnecting, Some(reason)) if reason.contains("cut off"));
    until(&link, &woken, is_left);
    until(&link, &woken, is_in(State::Ready));
    assert!(!nodes[home].has_seen("SUBSCRIBE"));
    let is_other = |&(at, node): &(usize, &FakeNode)| at != home && node.has_seen("SUBSCRIBE");
    assert_eq!(nodes.iter().enumerate().filter(is_other).count(), 1);
}

/// One that is cut off goes on as the primary that it was, while another one has taken its place.
#[test]
fn channels_leave_a_primary_that_is_cut_off() {
    let (before, behind) = (FakeNode::new(), Arc::new(FakeNode::new()));
    let is_cut_off = Arc::new(AtomicBool::new(false));
    let both: [u16; 2] = [before.port, behind.port];
    for (index, node) in [&before, &*behind].into_iter().enumerate() {
        let is_cut_off = Arc::clone(&is_cut_off);
        node.says(move |command| {
            let is_cut_off = is_cut_off.load(Ordering::SeqCst);
            Some(match &*command.join(" ") {
                "CLUSTER SLOTS" if is_cut_off && index == 1 => slots(&[(0, 16_383, &both[1..])]),
                "CLUSTER SLOTS" => slots(&[(0, 16_383, &both)]),
                "CLUSTER INFO" => info(!is_cut_off || index == 1),
                _ => ":0\r\n".to_owned(),
            })
        });
    }
    let (link, woken) = open(&before);
    until(&link, &woken, is_in(State::Ready));
    before.next("SSUBSCRIBE");
    publish(&link, "channel", "before");
    before.next("SPUBLISH");
    is_cut_off.store(true, Ordering::SeqCst);
    behind.next("SSUBSCRIBE");
    until(&link, &woken, is_in(State::Ready));
    publish(&link, "channel", "behind");
    behind.next("SPUBLISH");
}

#[test]
fn while_all_are_cut_off_nobody_is_left() {
    let node = FakeNode::new();
    let port = node.port;
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    node.says(move |command| {
        Some(match &*command.join(" ") {
            "CLUSTER SLOTS" => slots(&[(0, 16_383, &[port])]),
            "CLUSTER INFO" => {
                counted.fetch_add(1, Ordering::SeqCst);
                info(false)
            }
            _ => ":0\r\n".to_owned(),
        })
    });
    let (link, woken) = open_as(&node, Mode::Classic);
    until(&link, &woken, is_in(State::Ready));
    let before = asked.load(Ordering::SeqCst);
    while asked.load(Ordering::SeqCst) < before + 3 {
        node.next("CLUSTER INFO");
    }
    assert_eq!(link.shared().counters.list().0, State::Ready);
}

/// A cluster whose nodes are replaced, one after the other, as those that run it do: who is no part of it any more may go on listening.
#[test]
fn connections_to_nodes_that_are_no_more_are_closed() {
    const REPLACED: usize = 8;
    let seed = Arc::new(FakeNode::new());
    let others: Vec<_> = (0..REPLACED).map(|_| FakeNode::new()).collect();
    let ports: Vec<_> = others.iter().map(|it| it.port).collect();
    let moved_to = Arc::new(AtomicUsize::new(0));
    let (home, slot) = (seed.port, slot_of(b"channel"));
    let topology = {
        let (ports, moved_to) = (ports.clone(), Arc::clone(&moved_to));
        move || {
            let port = ports[moved_to.load(Ordering::SeqCst).min(REPLACED - 1)];
            let (before, behind) = (slot - 1, slot + 1);
            slots(&[(0, before, &[home]), (slot, slot, &[port]), (behind, 16_383, &[home])])
        }
    };
    let of_seed = topology.clone();
    seed.says(move |command| {
        Some(if command[0] == "CLUSTER" { of_seed() } else { ":0\r\n".to_owned() })
    });
    for (index, node) in others.iter().enumerate() {
        let (topology, ports) = (topology.clone(), ports.clone());
        let moved_to = Arc::clone(&moved_to);
        node.says(move |command| {
            let now = moved_to.load(Ordering::SeqCst);
            Some(match &*command[0] {
                "CLUSTER" => topology(),
                "SPUBLISH" if now > index => format!("-MOVED {slot} 127.0.0.1:{}\r\n", ports[now]),
                _ => ":0\r\n".to_owned(),
            })
        });
    }
    let (link, woken) = open(&seed);
    until(&link, &woken, is_in(State::Ready));
    for (index, node) in others.iter().enumerate() {
        moved_to.store(index, Ordering::SeqCst);
        publish(&link, "channel", "x");
        node.next("SPUBLISH");
    }
    for node in &others[..REPLACED - 1] {
        node.next(CLOSED);
    }
}
