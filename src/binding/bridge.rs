//! The class that JavaScript sees.
#![expect(clippy::needless_pass_by_value, reason = "arguments from JavaScript come by value")]

use std::cell::{Cell, RefCell};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use napi::bindgen_prelude::{Buffer, Function};
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi::{Env, JsString, Result, Status};
use napi_derive::napi;
use rustc_hash::FxHashMap;

use super::error::BorderError;
use super::ops::Operations;
use super::options::{DeflateAnswer, ServerConfig, UpgradeAnswer};
use crate::engineio::{Dialect, Protocol, Transport};
use crate::id::{Handle, Sid};
use crate::net::adopt::duplicate;
use crate::net::command::{Adopt, AdoptedStream, BridgeEvent, Command, PollEvent, Purpose};
use crate::net::inbox::Inbox;
use crate::net::runtime::Runtime;
use crate::net::server::{Environment, Server, Sessions};
use crate::socketio::Limits;
use crate::socketio::config::MAX_ATTACHMENTS;
use crate::websocket::extension::{self, Agreement};
use crate::websocket::handshake;

/// Wakes the JavaScript thread. Weak: it does not keep the process alive.
type Waker = ThreadsafeFunction<(), (), (), Status, false, true, 0>;

/// Holds the waker until the environment ends. Workers call it under the lock, and the clean-up
/// hook takes it out under the same lock: it is never called after the environment's end.
type SharedWaker = Arc<Mutex<Option<Waker>>>;

/// The data plane as one JavaScript thread sees it. One per thread.
#[napi]
pub struct Bridge {
    shared: Arc<Shared>,
    environment: Arc<Environment>,
    wanted_workers: usize,
    operations: RefCell<Operations>,
    servers: RefCell<FxHashMap<u32, Arc<Server>>>,
    next_server: Cell<u32>,
    /// The worker of each bridged stream, by its token.
    bridged: RefCell<FxHashMap<u32, usize>>,
    /// Buffers of the batch that was taken last.
    buffers: RefCell<Vec<Vec<u8>>>,
    /// Text of the batch before: its memory serves the next one.
    recycled: RefCell<String>,
}

/// What the clean-up hook of the environment needs too.
struct Shared {
    /// Held while a server is open.
    runtime: Mutex<Option<Arc<Runtime>>>,
    ended: AtomicBool,
    waker: SharedWaker,
}

impl fmt::Debug for Bridge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bridge").field("environment", &self.environment.id).finish_non_exhaustive()
    }
}

#[napi]
impl Bridge {
    /// The bridge of this thread. Threads are started when the first server is opened, and end with
    /// the last one of the process.
    ///
    /// `wake` is called when records wait for [`Bridge::take`]. `workers` is the number of
    /// threads (0: cores − 1, from 1 to 4); who opens the first server decides it.
    ///
    /// # Errors
    /// When the engine can't make what wakes it.
    #[napi(constructor)]
    pub fn new(env: Env, wake: Function<'_, (), ()>, workers: u32) -> Result<Self> {
        let waker: Waker = wake.build_threadsafe_function::<()>().weak::<true>().build()?;
        let waker: SharedWaker = Arc::new(Mutex::new(Some(waker)));
        let for_inbox = Arc::clone(&waker);
        let inbox = Inbox::new(move || {
            let waker = for_inbox.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(waker) = waker.as_ref() {
                // It fails when the environment is ending: then nobody reads the records.
                let _ending = waker.call((), ThreadsafeFunctionCallMode::NonBlocking);
            }
        });
        let environment = Arc::new(Environment::new(inbox));
        let shared =
            Arc::new(Shared { runtime: Mutex::default(), waker, ended: AtomicBool::new(false) });
        let environment_id = environment.id;
        // Hooks run last in, first out: this one runs before Node.js closes the waker.
        env.add_env_cleanup_hook(Arc::clone(&shared), move |shared| shared.end(environment_id))?;
        Ok(Self {
            shared,
            environment,
            wanted_workers: workers as usize,
            operations: RefCell::new(Operations::new(0)),
            servers: RefCell::default(),
            next_server: Cell::new(1),
            bridged: RefCell::default(),
            buffers: RefCell::default(),
            recycled: RefCell::default(),
        })
    }

    /// Number of worker threads that run now.
    #[napi(getter)]
    pub fn workers(&self) -> u32 {
        let workers = self.shared.runtime().map_or(0, |runtime| runtime.workers());
        u32::try_from(workers).unwrap_or(u32::MAX)
    }

    /// Opens a server; gives its number.
    ///
    /// # Errors
    /// When threads can't be started, or this one is ending.
    #[napi]
    pub fn open_server(&self, config: ServerConfig) -> Result<u32> {
        self.start()?;
        let id = self.next_server.get();
        self.next_server.set(id + 1);
        self.put_server(id, &config, Arc::default());
        Ok(id)
    }

    /// Gives a server other options, which count for the sessions to come.
    #[napi]
    pub fn configure_server(&self, server: u32, config: ServerConfig) {
        let sessions = self.servers.borrow().get(&server).map(|old| Arc::clone(&old.sessions));
        if let Some(sessions) = sessions {
            self.put_server(server, &config, sessions);
        }
    }

    fn put_server(&self, id: u32, config: &ServerConfig, sessions: Arc<Sessions>) {
        let engine = config.engine();
        let limits = Limits {
            max_attachments: MAX_ATTACHMENTS,
            // Each attachment may be as large as a message, as upstream has it.
            max_attachment_bytes: engine.max_payload.saturating_mul(MAX_ATTACHMENTS as usize),
        };
        let server = Server {
            id,
            environment: Arc::clone(&self.environment),
            engine: Arc::new(engine),
            limits,
            compression: config.compression(),
            connect_timeout: config.connect_timeout(),
            raw_messages: config.raw_messages.unwrap_or(false),
            sessions,
        };
        self.servers.borrow_mut().insert(id, Arc::new(server));
    }

    /// Forgets a server of which nothing is left: no client, no wire, no request. With the last
    /// server of the process, the threads end.
    #[napi]
    pub fn close_server(&self, server: u32) {
        self.servers.borrow_mut().remove(&server);
        if self.servers.borrow().is_empty() {
            self.shared.stop();
        }
    }

    /// Takes the records that wait: a JSON array, or "" when there are none.
    ///
    /// # Errors
    /// When the engine can't make a string of that size.
    #[napi]
    pub fn take<'env>(&self, env: &'env Env) -> Result<JsString<'env>> {
        let recycled = std::mem::take(&mut *self.recycled.borrow_mut());
        let (batch, stalled) = self.environment.inbox.take(recycled);
        *self.buffers.borrow_mut() = batch.buffers;
        if stalled != 0
            && let Some(runtime) = self.shared.runtime()
        {
            for worker in (0..runtime.workers()).filter(|worker| stalled & (1 << worker) != 0) {
                runtime.mailbox(worker).post_command(Command::Resume);
            }
        }
        // One byte a character when it can be: such strings are made and parsed faster.
        let text = if batch.text.is_ascii() {
            env.create_string_latin1(batch.text.as_bytes())
        } else {
            env.create_string(&batch.text)
        };
        *self.recycled.borrow_mut() = batch.text;
        text
    }

    /// Takes the buffers that the records of the last [`Bridge::take`] refer to, in order.
    #[napi]
    pub fn take_buffers(&self) -> Vec<Buffer> {
        let buffers = std::mem::take(&mut *self.buffers.borrow_mut());
        buffers.into_iter().map(Buffer::from).collect()
    }

    /// Carries out the first `length` bytes of a batch of operations; see `ops.rs`.
    ///
    /// # Errors
    /// When the batch is malformed.
    #[napi]
    pub fn flush(&self, ops: Buffer, length: u32) -> Result<()> {
        let Some(runtime) = self.shared.runtime() else { return Ok(()) };
        let batch = ops.get(..length as usize).unwrap_or(&ops);
        Ok(self.operations.borrow_mut().apply(batch, &runtime)?)
    }

    /// What is known of a session: −1 no such session, 0 it polls, 1 it uses a WebSocket; 2 more
    /// when it speaks protocol 3.
    #[napi]
    pub fn lookup(&self, server: u32, sid: String) -> i32 {
        let servers = self.servers.borrow();
        let Some(server) = servers.get(&server) else { return -1 };
        server.sessions.get(sid.as_str()).map_or(-1, |entry| {
            i32::from(entry.transport == Transport::WebSocket)
                + 2 * i32::from(entry.protocol == Protocol::V3)
        })
    }

    /// A handshake over polling: opens the session `sid`; the request `token` is its first poll.
    /// `dialect`: 1 for protocol 3, 2 more for bytes as base64. `jsonp`: the parameter `j`, if any.
    ///
    /// # Errors
    /// When the server is not open.
    #[napi]
    pub fn open_polling(
        &self,
        server: u32,
        token: u32,
        sid: String,
        dialect: u32,
        jsonp: Option<String>,
    ) -> Result<()> {
        let server = self.server(server)?;
        let runtime = self.shared.runtime().ok_or(BorderError::Ended)?;
        let sid = Sid::new(&sid);
        let mailbox = runtime.mailbox(runtime.pick());
        let dialect = read_dialect(dialect);
        mailbox.post_command(Command::OpenPolling { server, token, sid, dialect, jsonp });
        Ok(())
    }

    /// A GET of an open session. False: there is no such session any more.
    #[napi]
    pub fn poll_get(&self, server: u32, token: u32, sid: String) -> bool {
        self.poll(server, token, &sid, PollEvent::Get)
    }

    /// A POST of an open session has begun. False: there is no such session any more.
    #[napi]
    pub fn poll_post(&self, server: u32, token: u32, sid: String) -> bool {
        self.poll(server, token, &sid, PollEvent::PostStart)
    }

    /// The whole body of a POST; `binary` when its content type is `application/octet-stream`.
    #[napi]
    pub fn poll_body(
        &self,
        server: u32,
        token: u32,
        sid: String,
        body: Buffer,
        binary: bool,
    ) -> bool {
        self.poll(server, token, &sid, PollEvent::PostBody { body: body.to_vec(), binary })
    }

    /// A POST has a content type that the protocol does not allow.
    #[napi]
    pub fn poll_invalid_content(&self, server: u32, token: u32, sid: String) -> bool {
        self.poll(server, token, &sid, PollEvent::PostInvalidContent)
    }

    /// The body of a POST is longer than `maxHttpBufferSize`.
    #[napi]
    pub fn poll_too_large(&self, server: u32, token: u32, sid: String) -> bool {
        self.poll(server, token, &sid, PollEvent::PostTooLarge)
    }

    /// The client closed a request before it was answered.
    #[napi]
    pub fn request_closed(&self, server: u32, token: u32, sid: String) -> bool {
        self.poll(server, token, &sid, PollEvent::Closed)
    }

    /// Checks the request of a WebSocket upgrade. Gives the head of the answer; a refusal begins
    /// with "!" and is JSON: `{status, message, headers}`.
    #[napi]
    pub fn check_upgrade(
        &self,
        method: String,
        upgrade: Option<String>,
        key: Option<String>,
        version: Option<String>,
        protocols: Option<String>,
        extra_headers: String,
    ) -> String {
        let request = handshake::Request {
            method: &method,
            upgrade: upgrade.as_deref(),
            key: key.as_deref(),
            version: version.as_deref(),
            protocol: protocols.as_deref(),
        };
        match handshake::check(&request) {
            Ok(accept) => {
                let mut response = Vec::with_capacity(256);
                accept.write_response(&mut response, &extra_headers);
                // The headers came as strings, so this is one too.
                String::from_utf8_lossy(&response).into_owned()
            }
            Err(reject) => format!(
                "!{}",
                serde_json::json!({
                    "status": reject.status(),
                    "message": reject.message(),
                    "headers": reject.extra_headers(),
                })
            ),
        }
    }

    /// Answers the `Sec-WebSocket-Extensions` of an upgrade request; nothing when there is nothing
    /// to agree on.
    ///
    /// # Errors
    /// When the server is not open.
    #[napi]
    pub fn negotiate_deflate(&self, server: u32, offers: String) -> Result<Option<DeflateAnswer>> {
        let server = self.server(server)?;
        let Some(compression) = &server.compression else { return Ok(None) };
        Ok(match extension::negotiate(&offers, compression.settings) {
            Ok(None) => None,
            Ok(Some((agreement, value))) => {
                Some(DeflateAnswer { agreement: agreement.to_bits(), value })
            }
            Err(refusal) => Some(DeflateAnswer { agreement: 0, value: refusal.to_string() }),
        })
    }

    /// Takes a WebSocket connection over: duplicates `fd`, so that JavaScript can drop its socket.
    /// `head`: bytes that came behind the upgrade request; `answer`: to be sent;
    /// `kind`: a dialect as for [`Bridge::open_polling`], 4 more for a new session.
    ///
    /// # Errors
    /// When the descriptor can't be duplicated or the server is not open.
    #[napi]
    pub fn adopt(
        &self,
        server: u32,
        token: u32,
        sid: String,
        kind: u32,
        fd: i32,
        head: Buffer,
        answer: UpgradeAnswer,
    ) -> Result<bool> {
        let stream = AdoptedStream::Tcp(duplicate(fd).map_err(BorderError::TakeOver)?);
        self.accept(server, token, &sid, kind, stream, &head, answer)
    }

    /// Like [`Bridge::adopt`], for a stream that JavaScript pumps: bytes from the peer come by
    /// [`Bridge::bridge_data`], bytes to it leave as records.
    ///
    /// # Errors
    /// When the server is not open.
    #[napi]
    pub fn bridge_open(
        &self,
        server: u32,
        token: u32,
        sid: String,
        kind: u32,
        head: Buffer,
        answer: UpgradeAnswer,
    ) -> Result<bool> {
        self.accept(server, token, &sid, kind, AdoptedStream::Bridge, &head, answer)
    }

    /// Bytes from the peer of a bridged stream.
    #[napi]
    pub fn bridge_data(&self, token: u32, chunk: Buffer) {
        self.bridge_event(token, BridgeEvent::Data(chunk.to_vec()));
    }

    /// So many bytes of a bridged stream have been written.
    #[napi]
    pub fn bridge_written(&self, token: u32, bytes: u32) {
        self.bridge_event(token, BridgeEvent::Written(bytes as usize));
    }

    /// A bridged stream has ended, failed or was closed.
    #[napi]
    pub fn bridge_end(&self, token: u32) {
        self.bridge_event(token, BridgeEvent::End);
        self.bridged.borrow_mut().remove(&token);
    }

    /// Counters, as JSON: `workers`, `sessions` (open ones, of all servers of this thread),
    /// `rooms` (with members), `inboxBytes` (waiting for this thread).
    #[napi]
    pub fn stats(&self) -> String {
        let sessions: usize =
            self.servers.borrow().values().map(|server| server.sessions.len()).sum();
        serde_json::json!({
            "workers": self.workers(),
            "sessions": sessions,
            "rooms": self.operations.borrow().rooms(),
            "inboxBytes": self.environment.inbox.bytes(),
        })
        .to_string()
    }
}

impl Bridge {
    /// Sees to it that there are workers.
    fn start(&self) -> std::result::Result<(), BorderError> {
        let mut shared = self.shared.runtime.lock().unwrap_or_else(PoisonError::into_inner);
        if self.shared.ended.load(Ordering::Relaxed) {
            return Err(BorderError::Ended);
        }
        if shared.is_none() {
            let runtime = Runtime::acquire(self.wanted_workers).map_err(BorderError::Start)?;
            // There are no members left: rooms begin anew, for as many workers as there are now.
            *self.operations.borrow_mut() = Operations::new(runtime.workers());
            *shared = Some(runtime);
        }
        Ok(())
    }

    fn server(&self, id: u32) -> std::result::Result<Arc<Server>, BorderError> {
        self.servers.borrow().get(&id).map(Arc::clone).ok_or(BorderError::UnknownServer(id))
    }

    fn session(&self, server: u32, sid: &str) -> Option<Handle> {
        let servers = self.servers.borrow();
        servers.get(&server)?.sessions.get(sid).map(|entry| entry.handle)
    }

    fn poll(&self, server: u32, token: u32, sid: &str, event: PollEvent) -> bool {
        let Some(handle) = self.session(server, sid) else { return false };
        let Some(runtime) = self.shared.runtime() else { return false };
        let command = Command::Poll { slot: handle.slot(), token, event };
        runtime.mailbox(handle.worker()).post_command(command);
        true
    }

    fn accept(
        &self,
        server: u32,
        token: u32,
        sid: &str,
        kind: u32,
        stream: AdoptedStream,
        head: &[u8],
        answer: UpgradeAnswer,
    ) -> Result<bool> {
        let runtime = self.shared.runtime().ok_or(BorderError::Ended)?;
        let (worker, purpose) = if kind & NEW_SESSION != 0 {
            (runtime.pick(), Purpose::Session(Sid::new(sid)))
        } else {
            match self.session(server, sid) {
                Some(handle) => (handle.worker(), Purpose::Upgrade(handle.slot())),
                None => return Ok(false),
            }
        };
        if matches!(stream, AdoptedStream::Bridge) {
            self.bridged.borrow_mut().insert(token, worker);
        }
        let server = self.server(server)?;
        let adopt = Adopt {
            server,
            token,
            purpose,
            dialect: read_dialect(kind),
            stream,
            head: head.to_vec(),
            response: answer.response.into_bytes(),
            deflate: Agreement::from_bits(answer.deflate),
        };
        runtime.mailbox(worker).post_command(Command::Adopt(Box::new(adopt)));
        Ok(true)
    }

    fn bridge_event(&self, token: u32, event: BridgeEvent) {
        let Some(&worker) = self.bridged.borrow().get(&token) else { return };
        if let Some(runtime) = self.shared.runtime() {
            let key = (self.environment.id, token);
            runtime.mailbox(worker).post_command(Command::Bridge { key, event });
        }
    }
}

/// Set in the kind of a wire that opens a session; without it the wire is to take one over.
const NEW_SESSION: u32 = 4;

/// Reads a dialect as it crosses the border; see [`Bridge::open_polling`].
fn read_dialect(bits: u32) -> Dialect {
    let protocol = if bits & 1 == 0 { Protocol::V4 } else { Protocol::V3 };
    Dialect { protocol, base64: bits & 2 != 0 }
}

impl Shared {
    fn runtime(&self) -> Option<Arc<Runtime>> {
        self.runtime.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Lets go of the workers. If nobody else needs them, they end, and this waits for that.
    fn stop(&self) {
        let runtime = self.runtime.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(runtime);
    }

    /// The environment ends: nothing may call into it any more.
    fn end(&self, environment: u32) {
        self.ended.store(true, Ordering::Relaxed);
        let waker = self.waker.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(waker);
        if let Some(runtime) = self.runtime() {
            for worker in 0..runtime.workers() {
                runtime.mailbox(worker).post_command(Command::DropEnvironment(environment));
            }
        }
        self.stop();
    }
}
