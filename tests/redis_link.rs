//! The link to Redis, against a server that does what the test says.
#![cfg(feature = "redis")]
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod redis_support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use bytes::Bytes;
use ferrosocket::cluster::link::Link;
use ferrosocket::cluster::news::{News, State};
use ferrosocket::cluster::options::LinkOptions;
use ferrosocket::cluster::orders::{Cluster, Member, Order, Payload, Publication, StreamOptions};
use ferrosocket::net::directory::Directory;
use ferrosocket::redis::broadcasts::{Mode, Node};
use ferrosocket::redis::json::write_msgpack;

use redis_support::{LIMIT, is_in, until};

const REQUESTS: &str = "socket.io-request#/#";

/// A Redis whose answers the test writes.
struct FakeRedis(TcpListener);

impl FakeRedis {
    fn new() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").unwrap())
    }

    fn url(&self) -> String {
        format!("redis://{}", self.0.local_addr().unwrap())
    }

    /// The next connection, which has said what it speaks.
    fn accept(&self) -> Connection {
        let (stream, _) = self.0.accept().unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        stream.set_write_timeout(Some(LIMIT)).unwrap();
        let mut connection = Connection(BufReader::new(stream));
        assert_eq!(connection.command()[..2], ["HELLO", "3"]);
        connection.write(b"%1\r\n+proto\r\n:3\r\n");
        for _ in 0..2 {
            assert_eq!(connection.command()[..2], ["CLIENT", "SETINFO"]);
            connection.write(b"+OK\r\n");
        }
        connection
    }
}

struct Connection(BufReader<TcpStream>);

impl Connection {
    fn line(&mut self) -> String {
        let mut line = String::new();
        assert!(self.0.read_line(&mut line).unwrap() > 0, "the link has closed it");
        line.trim_end().to_owned()
    }

    /// The next command.
    fn command(&mut self) -> Vec<String> {
        let count: usize = self.line()[1..].parse().unwrap();
        let part = |_| {
            let length: usize = self.line()[1..].parse().unwrap();
            let mut bytes = vec![0; length + 2];
            self.0.read_exact(&mut bytes).unwrap();
            bytes.truncate(length);
            String::from_utf8(bytes).unwrap()
        };
        (0..count).map(part).collect()
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0.get_mut().write_all(bytes).unwrap();
    }

    /// Answers so many commands; gives them, sorted.
    fn answer(&mut self, count: usize) -> Vec<String> {
        let mut commands = Vec::new();
        for _ in 0..count {
            let command = self.command();
            let kind = command[0].to_lowercase();
            if kind.ends_with("subscribe") {
                let (head, name) = (format!(">3\r\n${}\r\n{kind}", kind.len()), &command[1]);
                self.write(format!("{head}\r\n${}\r\n{name}\r\n:1\r\n", name.len()).as_bytes());
            } else {
                self.write(b":0\r\n");
            }
            commands.push(command.join(" "));
        }
        commands.sort();
        commands
    }
}

fn request(payload: &str) -> Vec<u8> {
    let channel = format!("${}\r\n{REQUESTS}\r\n", REQUESTS.len());
    format!(">3\r\n$7\r\nmessage\r\n{channel}${}\r\n{payload}\r\n", payload.len()).into_bytes()
}

fn publication(payload: &'static str) -> Order {
    let payload = Payload::Made(Bytes::from_static(payload.as_bytes()));
    Order::Publish(Publication { mode: Mode::Classic, channel: "channel".into(), payload })
}

/// A link with one namespace, and what tells that there is news.
fn open(redis: &FakeRedis) -> (Link, Receiver<()>) {
    let (link, woken) = open_link(redis, Arc::default());
    open_namespace(&link);
    (link, woken)
}

fn open_namespace(link: &Link) {
    link.ask(Order::Open(Arc::new(Cluster {
        number: 1,
        node: Arc::new(Node { mode: Mode::Classic, namespace: "/".into(), uid: "me".into() }),
        prefix: "socket.io#/#".into(),
        requests: REQUESTS.into(),
        patterns: vec![b"socket.io#/#*".to_vec()],
        channels: vec![REQUESTS.into()],
        stream: None,
    })));
}

fn open_link(redis: &FakeRedis, directory: Arc<Directory>) -> (Link, Receiver<()>) {
    let options = LinkOptions {
        urls: vec![redis.url()],
        max_buffered: 1 << 20,
        min_backoff: 1,
        max_backoff: 1,
        connect_timeout: 60_000,
        ..LinkOptions::default()
    };
    let (sender, woken) = channel();
    let wake = Box::new(move || sender.send(()).unwrap_or(()));
    (Link::open(&options, directory, wake).unwrap(), woken)
}

#[test]
fn a_link_that_is_lost_comes_back_with_all_that_was_wanted() {
    let redis = FakeRedis::new();
    let (link, woken) = open(&redis);
    for times in 1..=3 {
        let mut connection = redis.accept();
        let mut expected = vec!["PSUBSCRIBE socket.io#/#*", "SUBSCRIBE socket.io-request#/#"];
        if times > 1 {
            // What was asked for while there was none.
            expected.insert(1, "PUBLISH channel waits");
        }
        assert_eq!(connection.answer(expected.len()), expected);
        until(&link, &woken, is_in(State::Ready));
        // In pieces, and the connection ends in the middle of one.
        let bytes = [request("[1]"), b">2\r\n+other\r\n:1\r\n".to_vec(), request("[2]")].concat();
        for byte in &bytes {
            connection.write(&[*byte]);
        }
        let mut payloads = Vec::new();
        until(&link, &woken, |news| {
            if let News::Message { payload, .. } = news {
                payloads.push(payload);
            }
            payloads.len() == 2
        });
        assert_eq!(payloads, ["[1]", "[2]"]);
        connection.write(&request("[3]")[..20]);
        drop(connection);
        until(&link, &woken, is_in(State::Reconnecting));
        link.ask(publication("waits"));
    }
    let (_, counters) = link.shared().counters.list();
    let of = |name| counters.iter().find(|(of, _)| *of == name).map(|&(_, count)| count);
    assert_eq!((of("reconnects"), of("received"), of("dropped")), (Some(3), Some(6), Some(0)));
}

#[test]
fn a_link_is_not_ready_before_there_is_a_namespace() {
    let redis = FakeRedis::new();
    let (link, woken) = open_link(&redis, Arc::default());
    link.ask(publication("comes"));
    let mut connection = redis.accept();
    assert_eq!(connection.answer(1), ["PUBLISH channel comes"]);
    assert!(!link.take().into_iter().any(|news| is_in(State::Ready)(news)));
    open_namespace(&link);
    connection.answer(2);
    until(&link, &woken, is_in(State::Ready));
}

#[test]
fn a_server_that_refuses_is_asked_again() {
    let redis = FakeRedis::new();
    let (link, woken) = open(&redis);
    for _ in 0..3 {
        drop(redis.0.accept().unwrap());
        until(&link, &woken, |news| matches!(news, News::State(State::Connecting, Some(_))));
    }
    let mut connection = redis.accept();
    connection.answer(2);
    until(&link, &woken, is_in(State::Ready));
}

/// Whatever was on its way: messages come once or not at all, and a session is kept, if need be twice.
#[test]
fn a_session_on_its_way_is_sent_again_and_a_message_is_not() {
    let redis = FakeRedis::new();
    let (link, woken) = open(&redis);
    let mut connection = redis.accept();
    connection.answer(2);
    until(&link, &woken, is_in(State::Ready));
    let payload = Payload::Session { value: Bytes::from_static(b"session"), time: 9 };
    let channel = "key".into();
    link.ask(Order::Publish(Publication { mode: Mode::Classic, channel, payload }));
    link.ask(publication("lost"));
    let sent = [connection.command()[0].clone(), connection.command()[0].clone()];
    assert_eq!(sent, ["SET", "PUBLISH"]);
    drop(connection);
    until(&link, &woken, is_in(State::Reconnecting));
    let mut connection = redis.accept();
    let all = connection.answer(3);
    assert!(all.contains(&"SET key session PX 9".to_owned()), "{all:?}");
    until(&link, &woken, is_in(State::Ready));
    let (_, counters) = link.shared().counters.list();
    assert!(
        counters.contains(&("dropped", 1)) && counters.contains(&("buffered", 0)),
        "{counters:?}"
    );
}

/// Nothing is read while JavaScript takes nothing, and all else goes on.
#[test]
fn what_is_published_leaves_while_javascript_takes_nothing() {
    const COUNT: usize = 64;
    let redis = FakeRedis::new();
    let (link, woken) = open(&redis);
    let mut connection = redis.accept();
    connection.answer(2);
    until(&link, &woken, is_in(State::Ready));

    let message = request(&format!("[\"{}\"]", "x".repeat(1 << 20)));
    let mut writing = connection.0.get_ref().try_clone().unwrap();
    let writer = thread::spawn(move || {
        for _ in 0..COUNT {
            writing.write_all(&message).unwrap();
        }
    });
    let received = || link.shared().counters.received_bytes.load(Ordering::Relaxed);
    while received() < 16 << 20 {
        thread::yield_now();
    }
    link.ask(publication("now"));
    assert_eq!(connection.command(), ["PUBLISH", "channel", "now"]);
    assert!(received() < 20 << 20, "{} bytes were read", received());
    let mut count = 0;
    until(&link, &woken, |news| {
        count += usize::from(matches!(news, News::Message { .. }));
        count == COUNT
    });
    writer.join().unwrap();
    // The answer, and who asks again: the connection is the same.
    connection.write(b":0\r\n");
    link.ask(publication("again"));
    assert_eq!(connection.answer(1), ["PUBLISH channel again"]);
}

/// A link whose only namespace is told of by a stream that is empty, and its connections: that for commands, and that of the reader.
struct StreamStage {
    redis: FakeRedis,
    link: Link,
    woken: Receiver<()>,
    asked: u32,
}

/// What the session of a client is stored as.
fn session(pid: &str) -> String {
    let mut bytes = Vec::new();
    let json = format!(r#"{{"sid":"s","pid":"{pid}","rooms":["s"],"from":"0-0"}}"#);
    write_msgpack(&mut bytes, json.as_bytes(), &[]).unwrap();
    base64_simd::STANDARD.encode_to_string(&bytes)
}

fn bulk(text: &str) -> String {
    format!("${}\r\n{text}\r\n", text.len())
}

impl StreamStage {
    fn new() -> Self {
        let redis = FakeRedis::new();
        let directory = Arc::new(Directory::default());
        directory.lock().open_namespace(1);
        let (link, woken) = open_link(&redis, directory);
        let options = StreamOptions { key: "s".into(), max_len: 9, max_age: None, read_count: 9 };
        let node = Node { mode: Mode::Classic, namespace: "/".into(), uid: "me".into() };
        link.ask(Order::Open(Arc::new(Cluster {
            number: 1,
            node: Arc::new(node),
            prefix: String::new(),
            requests: Vec::new(),
            patterns: Vec::new(),
            channels: Vec::new(),
            stream: Some(Member { options, session_prefix: "of:".into(), kept: Some(99) }),
        })));
        Self { redis, link, woken, asked: 0 }
    }

    /// Lets it connect; gives both connections.
    fn accept(&self) -> (Connection, Connection) {
        let (connection, mut reader) = (self.redis.accept(), self.redis.accept());
        reader.expect(&["XINFO STREAM s"], "-ERR no such key\r\n");
        reader.expect(&["XREAD COUNT 9 STREAMS s 0-0"], "_\r\n");
        until(&self.link, &self.woken, is_in(State::Ready));
        (connection, reader)
    }

    fn restore(&mut self, pid: &str) -> u32 {
        self.asked += 1;
        let (request, offset) = (self.asked, None);
        self.link.ask(Order::Restore { cluster: 1, request, pid: pid.into(), offset });
        request
    }

    /// What has come of a client: its session, if it comes back.
    fn restored(&self, of: u32) -> Option<Bytes> {
        let mut session = None;
        until(&self.link, &self.woken, |news| {
            let News::Restored { request, found } = news else { return false };
            assert_eq!(request, of);
            session = found.map(|found| found.session);
            true
        });
        session
    }
}

impl Connection {
    /// The next commands, all of which get the one answer.
    fn expect(&mut self, commands: &[&str], answer: &str) {
        for command in commands {
            assert_eq!(self.command().join(" "), *command);
        }
        self.write(answer.as_bytes());
    }

    /// The session of a client is asked for.
    fn find(&mut self, pid: &str, stored: &str) {
        let commands = [&*format!("PTTL of:{pid}"), &*format!("GET of:{pid}")];
        self.expect(&commands, &format!(":60000\r\n{stored}"));
    }

    /// What it has missed is looked for.
    fn look(&mut self) {
        for _ in 0..2 {
            self.expect(&["XINFO STREAM s"], "-ERR no such key\r\n");
        }
    }

    /// The session is asked for, for good.
    fn claim(&mut self, pid: &str, request: u32, answer: &str) {
        let set = format!("SET of:{pid} claimed:me:{request} XX KEEPTTL GET");
        self.expect(&[&*format!("PTTL of:{pid}"), &set], answer);
    }
}

#[test]
fn a_session_outlives_a_connection_that_is_lost_while_its_client_comes_back() {
    let mut stage = StreamStage::new();
    let (mut connection, reader) = stage.accept();
    let request = stage.restore("p");
    connection.find("p", &bulk(&session("p")));
    connection.look();
    // Redis has done it, and its answer does not come.
    connection.claim("p", request, "");
    drop((connection, reader));
    let (mut connection, _reader) = stage.accept();
    connection.look();
    connection.claim("p", request, &format!(":60000\r\n{}", bulk("claimed:me:1")));
    assert!(stage.restored(request).is_some());
}

#[test]
fn of_several_nodes_one_gets_a_session() {
    let mut stage = StreamStage::new();
    let (mut connection, _reader) = stage.accept();
    let stored = bulk(&session("p"));
    let others = bulk("claimed:you:7");
    for (found, claimed) in [(&*stored, &*others), (&stored, "_\r\n"), (&others, ""), ("_\r\n", "")]
    {
        let request = stage.restore("p");
        connection.find("p", found);
        if !claimed.is_empty() {
            connection.look();
            connection.claim("p", request, &format!(":60000\r\n{claimed}"));
        }
        assert_eq!(stage.restored(request), None);
    }
    // It has been back elsewhere, was lost there, and is here: what it has missed since is another thing.
    let request = stage.restore("p");
    connection.find("p", &stored);
    connection.look();
    let newer = bulk(&session("newer"));
    connection.claim("p", request, &format!(":60000\r\n{newer}"));
    connection.look();
    connection.claim("p", request, &format!(":60000\r\n{}", bulk("claimed:me:5")));
    let bytes = stage.restored(request).unwrap();
    assert_eq!(bulk(&base64_simd::STANDARD.encode_to_string(&bytes)), newer);
    let (_, counters) = stage.link.shared().counters.list();
    assert!(counters.contains(&("malformed", 0)));
}

#[test]
fn who_is_not_waited_for_any_more_is_not_asked_for() {
    let mut stage = StreamStage::new();
    drop(stage.accept());
    until(&stage.link, &stage.woken, is_in(State::Reconnecting));
    for _ in 0..1_000 {
        let request = stage.restore("gone");
        stage.link.ask(Order::Forgo(request));
    }
    let request = stage.restore("p");
    // Both are kept: without the reader, it would connect again.
    let (mut connection, _reader) = stage.accept();
    connection.find("p", "_\r\n");
    assert_eq!(stage.restored(request), None);
}
