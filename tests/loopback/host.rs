//! JavaScript's part of a server: accepts, takes records, gives commands.

use std::cell::{Cell, RefCell};
use std::collections::{HashSet, VecDeque};
use std::io::Read;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, RwLock, RwLockReadGuard};
use std::time::Duration;

use ferrosocket::border::{BodyKind, HandoverEvent, RecordKind, session_flag};
use ferrosocket::engineio::{Config, Protocol, RequestId};
use ferrosocket::id::{Handle, Sid};
use ferrosocket::net::backlog::BufferLimits;
use ferrosocket::net::budget::{HeldBytes, OWN_LANE};
use ferrosocket::net::clock;
use ferrosocket::net::command::{
    BridgeEvent, Command, IncomingStream, IncomingWebSocket, Purpose, RequestEvent, UpgradeResponse,
};
use ferrosocket::net::deflate::Compression;
use ferrosocket::net::inbox::{Inbox, Taken};
use ferrosocket::net::operation_batch::OperationBatch;
use ferrosocket::net::peer::Peer;
use ferrosocket::net::reader::Preference;
use ferrosocket::net::record;
use ferrosocket::net::runtime::Runtime;
use ferrosocket::net::server::{Environment, Server};
use ferrosocket::net::turns::Ended;
use ferrosocket::socketio::{AttachmentLimits, LongString};
use ferrosocket::websocket::extension::Settings;
use ferrosocket::websocket::handshake;
use serde_json::Value;

use crate::client::Client;

/// How long anything that a test waits for may take, on a machine that has much else to do.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);
/// Workers of the runtime that all tests of this process share.
const WORKERS: usize = 2;

/// Held for reading by every [`Host`], for writing by the test that wants the process for itself.
static GATE: RwLock<()> = RwLock::new(());

/// One record, with the buffers that belong to it.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) fields: Vec<Value>,
    pub(crate) buffers: Vec<Vec<u8>>,
}

impl Record {
    /// Puts long strings where they belong, as the JavaScript side does.
    fn put_back<'a>(&mut self, strings: &mut impl Iterator<Item = LongString<'a>>) {
        if self.kind() == RecordKind::Arrived {
            let text = text_of(strings.next().expect("it has a string"));
            return self.fields.push(Value::String(text));
        }
        if !matches!(self.kind(), RecordKind::Event | RecordKind::Ack) || self.fields.len() <= 6 {
            return;
        }
        for index in self.fields.split_off(6) {
            let text = text_of(strings.next().expect("each index has its string"));
            let index = usize::try_from(index.as_u64().unwrap()).unwrap();
            self.fields[3][index] = Value::String(text);
        }
    }

    pub(crate) fn kind(&self) -> RecordKind {
        let kind = u8::try_from(self.number(0)).unwrap();
        RecordKind::read(kind).expect("the kind of a record")
    }

    pub(crate) fn number(&self, field: usize) -> u64 {
        self.fields[field].as_u64().expect("the field is a number")
    }

    pub(crate) fn text(&self, field: usize) -> &str {
        self.fields[field].as_str().expect("the field is a string")
    }

    /// Its kind, and what stands behind that as JSON.
    pub(crate) fn parts(&self) -> (RecordKind, String) {
        (self.kind(), serde_json::to_string(&self.fields[1..]).unwrap())
    }

    /// How many buffers travel beside it.
    fn count_buffers(&self) -> usize {
        let kind = self.kind();
        if matches!(kind, RecordKind::Event | RecordKind::Ack) && self.fields.len() >= 6 {
            return usize::try_from(self.number(5)).unwrap();
        }
        if kind == RecordKind::Handover {
            return match HandoverEvent::read(u8::try_from(self.number(2)).unwrap()) {
                Some(HandoverEvent::Peer | HandoverEvent::End | HandoverEvent::State) => 1,
                Some(HandoverEvent::Connection) => 2,
                _ => 0,
            };
        }
        if kind == RecordKind::Opened {
            return usize::from(self.number(4) & u64::from(session_flag::ADOPTED) != 0);
        }
        usize::from(
            matches!(kind, RecordKind::BridgeWrite | RecordKind::GivenBack)
                || kind == RecordKind::RawMessage && self.fields.len() == 2
                || kind == RecordKind::Response
                    && !matches!(self.body(), BodyKind::None | BodyKind::Ok),
        )
    }

    /// The body of a response.
    pub(crate) fn body(&self) -> BodyKind {
        let kind = u8::try_from(self.number(3)).unwrap();
        BodyKind::read(kind).expect("the kind of a body")
    }

    fn names_a_handle(&self) -> bool {
        !matches!(
            self.kind(),
            RecordKind::Response
                | RecordKind::DropRequest
                | RecordKind::RequestRefused
                | RecordKind::BridgeWrite
                | RecordKind::WireClosed
                | RecordKind::BridgePause
                | RecordKind::BridgeResume
                | RecordKind::GivenBack
                | RecordKind::AskTurn
                | RecordKind::Arrived
                | RecordKind::Foreign
                | RecordKind::Unlistened
                | RecordKind::HandshakeFailed
                | RecordKind::Handover
        )
    }
}

fn text_of(string: LongString<'_>) -> String {
    match string {
        LongString::Latin1(bytes) => bytes.iter().map(|&byte| char::from(byte)).collect(),
        LongString::Utf16(units) => String::from_utf16(&units).unwrap(),
    }
}

/// The JavaScript thread of one environment, with one server.
pub(crate) struct Host {
    pub(crate) runtime: Arc<Runtime>,
    pub(crate) environment: Arc<Environment>,
    pub(crate) server: Arc<Server>,
    listener: TcpListener,
    signal: Arc<Signal>,
    records: RefCell<VecDeque<Record>>,
    /// Handles whose session has ended: nothing may come for them until they are opened again.
    ended: RefCell<HashSet<u64>>,
    next: Cell<u32>,
    /// Whether its event loop goes round when it is asked to.
    turns: Cell<bool>,
    /// Where new sessions go; all to one worker, so that slots are predictable.
    pub(crate) worker: usize,
    /// Set when the end of the environment is not to be told.
    abandoned: bool,
    /// Dropped last; none in a test that has the process for itself.
    gate: Option<Rc<RwLockReadGuard<'static, ()>>>,
}

#[derive(Default)]
struct Signal {
    woken: Mutex<bool>,
    condition: Condvar,
    /// How often a worker has set it.
    count: AtomicU32,
    /// Makes the next call from a worker panic: a fault in the middle of its work.
    panics: AtomicBool,
    /// What a worker does when it wakes JavaScript.
    at_wake: Mutex<Option<AtWake>>,
}

type AtWake = Box<dyn Fn() + Send>;

impl Signal {
    fn set(&self) {
        // Before anybody wakes up: who asks for a fault then means the next call.
        let panics = self.panics.swap(false, Ordering::Relaxed);
        if let Some(at_wake) = &*self.at_wake.lock().unwrap() {
            at_wake();
        }
        self.count.fetch_add(1, Ordering::Relaxed);
        *self.woken.lock().unwrap() = true;
        self.condition.notify_all();
        assert!(!panics, "a fault that the test asked for");
    }

    /// Waits until it is set, and takes it back.
    fn wait(&self) -> bool {
        let woken = self.woken.lock().unwrap();
        let (mut woken, timeout) =
            self.condition.wait_timeout_while(woken, PATIENCE, |woken| !*woken).unwrap();
        *woken = false;
        !timeout.timed_out()
    }
}

fn server(environment: &Arc<Environment>, config: Config, connect_timeout: u64) -> Server {
    Server {
        id: 7,
        environment: Arc::clone(environment),
        engine: Arc::new(config),
        limits: AttachmentLimits::default(),
        compression: None,
        trust_proxy: None,
        buffers: BufferLimits::default(),
        gate: None,
        connect_timeout,
        raw_messages: false,
        plain: false,
        sessions: Arc::default(),
        recall_count: Arc::default(),
        cross_origin: Arc::default(),
        metrics: Arc::default(),
        is_frozen: Arc::default(),
    }
}

impl Host {
    pub(crate) fn new() -> Self {
        Self::with(Config::default())
    }

    pub(crate) fn with(config: Config) -> Self {
        Self::with_connect_timeout(config, 45_000)
    }

    /// With a server that has a parser of its own.
    pub(crate) fn with_raw_messages() -> Self {
        let mut host = Self::new();
        Arc::get_mut(&mut host.server).expect("it has no client yet").raw_messages = true;
        host
    }

    /// With an Engine.IO server that no Socket.IO server stands on.
    pub(crate) fn plain(config: Config, connect_timeout: u64) -> Self {
        let mut host = Self::with_connect_timeout(config, connect_timeout);
        Arc::get_mut(&mut host.server).expect("it has no client yet").plain = true;
        host
    }

    /// With a server that compresses.
    pub(crate) fn with_compression() -> Self {
        let mut host = Self::new();
        host.compress();
        host
    }

    /// Has its server compress.
    pub(crate) fn compress(&mut self) {
        let server = Arc::get_mut(&mut self.server).expect("it has no client yet");
        server.compression =
            Some(Compression { settings: Settings::default(), threshold: 1024, level: 6 });
    }

    pub(crate) fn with_connect_timeout(config: Config, connect_timeout: u64) -> Self {
        let gate = GATE.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        let runtime = Runtime::acquire(WORKERS, Preference::Workers).unwrap();
        Self::make(runtime, Some(Rc::new(gate)), config, connect_timeout)
    }

    /// A second environment in the same process.
    pub(crate) fn beside(other: &Self) -> Self {
        let runtime = Arc::clone(&other.runtime);
        Self::make(runtime, other.gate.clone(), Config::default(), 45_000)
    }

    fn make(
        runtime: Arc<Runtime>,
        gate: Option<Rc<RwLockReadGuard<'static, ()>>>,
        config: Config,
        connect_timeout: u64,
    ) -> Self {
        let signal = Arc::new(Signal::default());
        let for_inbox = Arc::clone(&signal);
        let environment = Arc::new(Environment::new(Inbox::new(move || for_inbox.set())));
        let server = server(&environment, config, connect_timeout);
        let worker = runtime.pick();
        Self {
            environment,
            server: Arc::new(server),
            listener: TcpListener::bind("127.0.0.1:0").unwrap(),
            signal,
            records: RefCell::default(),
            ended: RefCell::default(),
            next: Cell::new(1),
            turns: Cell::new(true),
            worker,
            runtime,
            abandoned: false,
            gate,
        }
    }

    /// A client that is pinged every 100 ms, by which a test knows that time passes. However slow the machine is, it is not
    /// given up: it is another server's, of the same environment.
    pub(crate) fn clock(&self) -> Client {
        let config = Config { ping_interval: 100, ping_timeout: 600_000, ..Config::default() };
        let patient = Arc::new(server(&self.environment, config, 600_000));
        let mut client =
            Client::connect_to(self, &patient, self.worker, Purpose::Session(self.sid()));
        assert!(client.text().starts_with("0{"));
        client
    }

    /// Makes the worker panic that brings the next record.
    pub(crate) fn panic_at_next_record(&self) {
        self.signal.panics.store(true, Ordering::Relaxed);
    }

    /// How often a worker has woken JavaScript.
    pub(crate) fn wakes(&self) -> u32 {
        self.signal.count.load(Ordering::Relaxed)
    }

    /// There are records of which JavaScript knows by itself.
    pub(crate) fn wake_itself(&self) {
        *self.signal.woken.lock().unwrap() = true;
    }

    /// Has each worker that brings records do this, before it goes on.
    pub(crate) fn at_wake(&self, work: impl Fn() + Send + 'static) {
        *self.signal.at_wake.lock().unwrap() = Some(Box::new(work));
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.listener.local_addr().unwrap()
    }

    pub(crate) fn token(&self) -> u32 {
        self.next.replace(self.next.get() + 1)
    }

    /// A session id that no other session has.
    pub(crate) fn sid(&self) -> Sid {
        Sid::new(&format!("session-{}", self.token()))
    }

    // --- accepting -------------------------------------------------------------------------------

    /// Accepts a connection and reads its upgrade request; gives the stream, the answer to the
    /// request and the bytes behind it.
    pub(crate) fn accept(listener: &TcpListener) -> (TcpStream, Vec<u8>, Vec<u8>) {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut bytes = Vec::new();
        let end = loop {
            let mut chunk = [0; 1024];
            let n = stream.read(&mut chunk).unwrap();
            assert_ne!(n, 0, "the client ended inside its request");
            bytes.extend_from_slice(&chunk[..n]);
            if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
        };
        let head = bytes.split_off(end);
        let request = String::from_utf8(bytes).unwrap();
        let header = |name: &str| {
            request.lines().find_map(|line| {
                let (key, value) = line.split_once(':')?;
                key.eq_ignore_ascii_case(name).then(|| value.trim())
            })
        };
        let accepted = handshake::check(&handshake::Request {
            method: request.split(' ').next().unwrap(),
            upgrade: header("upgrade"),
            key: header("sec-websocket-key"),
            version: header("sec-websocket-version"),
            protocol: header("sec-websocket-protocol"),
        })
        .unwrap();
        let mut response = Vec::new();
        accepted.write_response(&mut response, "");
        (stream, response, head)
    }

    pub(crate) fn listener(&self) -> TcpListener {
        self.listener.try_clone().unwrap()
    }

    /// The command that gives a worker an accepted connection; `extra` stands behind what was read
    /// with the request.
    pub(crate) fn incoming(
        server: &Arc<Server>,
        token: u32,
        purpose: Purpose,
        (stream, response, mut head): (TcpStream, Vec<u8>, Vec<u8>),
        extra: &[u8],
    ) -> Command {
        use std::os::fd::AsRawFd as _;
        // As in production: the worker gets a copy of the descriptor, the original is closed.
        let copy = ferrosocket::net::descriptor::duplicate(stream.as_raw_fd()).unwrap();
        head.extend_from_slice(extra);
        Command::IncomingWebSocket(Box::new(IncomingWebSocket {
            server: Arc::clone(server),
            token,
            purpose,
            dialect: Protocol::V4.into(),
            stream: IncomingStream::Tcp(copy.into()),
            head,
            response: UpgradeResponse::Whole(response),
            deflate: None,
            peer: Peer::default(),
            news: None,
            ticket: None,
        }))
    }

    // --- commands --------------------------------------------------------------------------------

    pub(crate) fn command_to(&self, worker: usize, command: Command) {
        self.runtime.mailbox(worker).post_command(command);
    }

    /// Gives the worker of `handle` a command.
    pub(crate) fn command(&self, handle: Handle, command: Command) {
        self.command_to(handle.worker(), command);
    }

    /// Has the worker of `handle` carry out a batch; gives whether it was woken for that.
    pub(crate) fn post(&self, handle: Handle, batch: &mut OperationBatch) -> bool {
        self.runtime.hand_over(handle.worker(), batch, &[])
    }

    /// Sends one text packet to one client; gives whether its worker was woken for that.
    pub(crate) fn send(&self, handle: Handle, text: &str) -> bool {
        let mut batch = OperationBatch::default();
        batch.send_text(handle.slot(), 0, text.as_bytes());
        self.post(handle, &mut batch)
    }

    pub(crate) fn close(&self, handle: Handle) {
        self.command(handle, Command::Close { slot: handle.slot(), discard: false });
    }

    pub(crate) fn release(&self, handle: Handle) {
        self.command(handle, Command::Release { slot: handle.slot() });
    }

    pub(crate) fn observe(&self, handle: Handle, mask: u8) {
        self.command(handle, Command::Observe { slot: handle.slot(), mask });
    }

    /// Asks for a record when all that was sent so far has left.
    pub(crate) fn fence(&self, handle: Handle) {
        self.command(handle, Command::Fence { slot: handle.slot() });
    }

    /// Bytes as they go down.
    pub(crate) fn held(&self, bytes: &[u8]) -> HeldBytes {
        HeldBytes::new(&self.environment.inbox.budget, OWN_LANE, bytes.to_vec())
    }

    /// A request of the polling transport.
    pub(crate) fn poll(&self, handle: Handle, event: RequestEvent) -> u32 {
        let token = self.token();
        self.poll_as(handle, token, event);
        token
    }

    pub(crate) fn poll_as(&self, handle: Handle, token: u32, event: RequestEvent) {
        self.command(
            handle,
            Command::Request { slot: handle.slot(), request: RequestId(token.into()), event },
        );
    }

    pub(crate) fn bridge(&self, token: u32, event: BridgeEvent) {
        let key = (self.environment.id, token);
        self.command_to(self.worker, Command::Bridge { key, event });
    }

    // --- records ---------------------------------------------------------------------------------

    /// Takes what waits in the inbox, and tells the workers that had to stop reading.
    pub(crate) fn take_batch(&self) -> record::RecordBatch {
        let Taken { batch, waiting, .. } =
            self.environment.inbox.take(record::RecordBatch::default());
        for worker in 0..self.runtime.workers() {
            if waiting & (1 << worker) != 0 {
                self.command_to(worker, Command::Resume);
            }
        }
        batch
    }

    /// Takes what waits in the inbox; gives the text as it is. To read megabytes takes long.
    pub(crate) fn take_text(&self) -> String {
        let mut text = String::new();
        loop {
            let batch = self.take_batch();
            text.push_str(&batch.text);
            if !batch.text.ends_with(' ') {
                return text;
            }
        }
    }

    /// Takes what waits in the inbox, and reads it.
    fn take(&self) {
        while self.take_some() {}
    }

    /// Takes a batch; gives whether there is more.
    fn take_some(&self) -> bool {
        let mut batch = self.take_batch();
        if batch.text.is_empty() {
            return false;
        }
        let arrays: Vec<Vec<Value>> = serde_json::from_str(&batch.text).unwrap();
        let mut buffers = batch.buffers.into_iter();
        let mut strings = batch.strings.drain();
        for fields in arrays {
            let mut record = Record { fields, buffers: Vec::new() };
            let count = record.count_buffers();
            record.buffers.extend(buffers.by_ref().take(count));
            assert_eq!(record.buffers.len(), count);
            record.put_back(&mut strings);
            if record.kind() == RecordKind::AskTurn && self.turns.get() {
                self.end_turn();
                continue;
            }
            self.check_order(&record);
            self.records.borrow_mut().push_back(record);
        }
        assert_eq!(buffers.next(), None, "a buffer that no record refers to");
        assert_eq!(strings.next(), None, "a string that no record refers to");
        batch.text.ends_with(' ')
    }

    /// The event loop does not go round any more when it is asked to, but when the test says so.
    pub(crate) fn turn_by_hand(&self) {
        self.turns.set(false);
    }

    /// It does again.
    pub(crate) fn turn_by_itself(&self) {
        self.turns.set(true);
        let mut records = self.records.borrow_mut();
        let before = records.len();
        records.retain(|record| record.kind() != RecordKind::AskTurn);
        if records.len() < before {
            self.end_turn();
        }
    }

    /// All sockets have been looked at.
    pub(crate) fn end_turn(&self) {
        let Ended { round, waiting, again } = self.environment.turns.end();
        let environment = self.environment.id;
        for worker in (0..self.runtime.workers()).filter(|worker| waiting & (1 << worker) != 0) {
            self.command_to(worker, Command::Turned { environment, round });
        }
        if again {
            self.end_turn();
        }
    }

    /// Between the end of a session and the next use of its handle, nothing comes for it.
    fn check_order(&self, record: &Record) {
        let mut ended = self.ended.borrow_mut();
        if record.kind() == RecordKind::Opened {
            ended.remove(&record.number(1));
        } else if record.names_a_handle() {
            assert!(!ended.contains(&record.number(1)), "after the end: {record:?}");
            if record.kind() == RecordKind::Closed {
                ended.insert(record.number(1));
            }
        }
    }

    /// Waits for the first record that `wanted` accepts; the others stay for later.
    pub(crate) fn find(&self, what: &str, wanted: impl Fn(&Record) -> bool) -> Record {
        loop {
            let found = {
                let mut records = self.records.borrow_mut();
                let at = records.iter().position(&wanted);
                at.and_then(|at| records.remove(at))
            };
            if let Some(record) = found {
                return record;
            }
            assert!(self.signal.wait(), "no {what}; there is {:?}", self.records.borrow());
            self.take();
        }
    }

    /// Waits for the next record of `kind`.
    pub(crate) fn next(&self, kind: RecordKind) -> Record {
        self.find(&format!("{kind:?} record"), |record| record.kind() == kind)
    }

    /// Waits for the next record of `kind` about `subject`, a handle or a token.
    pub(crate) fn next_of(&self, kind: RecordKind, subject: u32) -> Record {
        let what = format!("{kind:?} record about {subject}");
        self.find(&what, |record| record.kind() == kind && record.number(1) == u64::from(subject))
    }

    /// Waits for the next record, whatever it is.
    pub(crate) fn any(&self) -> Record {
        self.find("record", |_| true)
    }

    /// Waits for the next session; gives its handle.
    pub(crate) fn opened(&self) -> Handle {
        handle_of(&self.next(RecordKind::Opened))
    }

    /// Waits for the end of a session; gives the reason and the message.
    pub(crate) fn closed(&self, handle: Handle) -> (String, Option<String>) {
        let record = self.next_of(RecordKind::Closed, handle.raw());
        (record.text(2).to_owned(), record.fields[3].as_str().map(str::to_owned))
    }

    /// Waits, without taking records, until `condition` holds.
    pub(crate) fn until(condition: impl Fn() -> bool) {
        let patience = u64::try_from(PATIENCE.as_millis()).unwrap();
        let deadline = clock::now() + patience;
        while !condition() {
            assert!(clock::now() < deadline, "the condition never held");
            std::thread::yield_now();
        }
    }

    /// Whether a record of `kind` about `handle` has been taken already and waits here.
    pub(crate) fn has(&self, kind: RecordKind, handle: Handle) -> bool {
        self.has_record(|record| {
            record.kind() == kind && record.number(1) == u64::from(handle.raw())
        })
    }

    /// Whether such a record has been taken and not been asked for.
    pub(crate) fn has_record(&self, wanted: impl FnMut(&Record) -> bool) -> bool {
        self.records.borrow().iter().any(wanted)
    }
}

impl Host {
    /// Stops the runtime, if this is its last host, without the end of the environment before it.
    pub(crate) fn stop(mut self) {
        self.abandoned = true;
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if self.abandoned {
            return;
        }
        for worker in 0..self.runtime.workers() {
            self.command_to(worker, Command::DropEnvironment(self.environment.id));
        }
    }
}

/// The handle of the session that a record tells the opening of.
pub(crate) fn handle_of(record: &Record) -> Handle {
    let number = |field| u32::try_from(record.number(field)).unwrap();
    Handle::from_raw(number(1)).of_generation(number(6))
}

/// Runs `test` while no other test of this process has a [`Host`], and so no [`Runtime`]. It gets
/// what makes hosts.
pub(crate) fn alone(test: impl FnOnce(&dyn Fn() -> Host)) {
    alone_with(Preference::Workers, test);
}

/// The same; `preference`: who reads the sockets.
pub(crate) fn alone_with(preference: Preference, test: impl FnOnce(&dyn Fn() -> Host)) {
    alone_as(preference, &Config::default(), test);
}

/// The same, with hosts that have `config`.
pub(crate) fn alone_as(
    preference: Preference,
    config: &Config,
    test: impl FnOnce(&dyn Fn() -> Host),
) {
    let gate = GATE.write().unwrap_or_else(std::sync::PoisonError::into_inner);
    test(&|| {
        let runtime = Runtime::acquire(WORKERS, preference).unwrap();
        Host::make(runtime, None, config.clone(), 45_000)
    });
    drop(gate);
}
