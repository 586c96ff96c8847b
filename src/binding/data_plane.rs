//! The class that JavaScript sees. Here are its life, servers, records and operations; its other
//! methods are in files below:
//!
//! | file | tells |
//! |---|---|
//! | `accepting` | connections that Node.js has not read: they are looked at (`peeked`), and taken |
//! | `websocket` | WebSockets: the handshake, take-over, the byte bridge |
//! | [`http`] | connections that polling requests come by: to the workers, and back |
//! | `handing` | hand-overs of clients to another process, or from one |
//! | `limiting` | whether a session may be opened, where there are limits |
//! | `linking` | links to Redis (`links`), and what other nodes are told and tell |
//! | `metrics` | what has been counted |
//! | `reading` | sockets of workers that this thread reads |
//! | `requests` | polling requests that Node.js has read |
//! | `securing` | how workers speak TLS |
//! | `shared` | what outlives the class |

#![expect(clippy::needless_pass_by_value, reason = "arguments from JavaScript come by value")]

mod accepting;
mod handing;
pub mod http;
mod limiting;
pub mod linking;
mod links;
mod listening;
mod metrics;
mod peeked;
#[cfg(unix)]
mod reading;
mod requests;
mod securing;
mod shared;
mod websocket;

use std::cell::{Cell, RefCell, RefMut};
use std::fmt;
use std::net::IpAddr;
use std::ops::Deref;
use std::rc::Rc;
#[cfg(unix)]
use std::rc::Weak as RcWeak;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

#[cfg(unix)]
use napi::bindgen_prelude::ToNapiValue as _;
use napi::bindgen_prelude::{BufferSlice, Function, FunctionCallContext, Object, Uint8ArraySlice};
use napi::{CleanupEnvHook, Env, JsString, JsValue as _, Result};
use napi_derive::napi;
use rustc_hash::FxHashMap;
#[cfg(unix)]
use smallvec::smallvec;

use self::links::Links;
use self::peeked::Peeked;
#[cfg(unix)]
use self::reading::Reading;
use self::shared::{Shared, SharedWaker, Waker};
#[cfg(unix)]
use super::callback::{Call, Callback};
#[cfg(target_os = "linux")]
use super::descriptor_watch::DescriptorWatch;
use super::error::BorderError;
#[cfg(target_os = "linux")]
use super::event::Event;
#[cfg(unix)]
use super::event_names::EventNames;
use super::libuv::TurnEnd;
use super::memory::give_back;
use super::operations::Operations;
use super::options::ServerConfig;
use crate::border::{RecordKind, contract, dialect};
use crate::engineio::{Dialect, Protocol};
use crate::id::Handle;
use crate::limits::gate::{Pending, Ticket};
use crate::net::budget::{Held, OWN_LANE, Stop};
use crate::net::clients::stale_commands;
use crate::net::clock;
use crate::net::command::Command;
use crate::net::http_profile::Profile;
use crate::net::idle_trim::set_trim;
use crate::net::inbox::{Inbox, Taken};
use crate::net::listener::Listener;
#[cfg(unix)]
use crate::net::lone_packet::{LonePacket, Payload};
use crate::net::peer::Peer;
use crate::net::reader::Preference;
use crate::net::record::RecordBatch;
use crate::net::runtime::Runtime;
use crate::net::server::{Environment, Server};
use crate::net::turns::{BLOCKED, Ended};
use crate::socketio::AttachmentLimits;
use crate::socketio::config::MAX_ATTACHMENTS;

/// Up to so many bytes are copied to memory of V8, and what a worker has read them into is used again at
/// once. Memory that V8 only borrows comes back when it has collected garbage: much of it is away by then,
/// and cold. Of a larger one, a copy would cost more memory than that saves.
const COPY_LIMIT: usize = 1 << 20;

/// While connections have to wait for room again and again, JavaScript is told so often, in milliseconds.
const TELLING_INTERVAL: u64 = 1000;

/// How long a process that ends waits for workers that have something to do, in milliseconds.
const LONGEST_SETTLING: u64 = 250;

/// The data plane as one JavaScript thread sees it; there is one of them in each thread.
#[napi]
#[derive(Debug)]
pub struct DataPlane(Rc<Plane>);

/// What a [`DataPlane`] is. The functions that it makes have it, too.
pub struct Plane {
    shared: Arc<Shared>,
    environment: Arc<Environment>,
    /// Runs at the end of the environment, while somebody is to be woken.
    hook: RefCell<Option<CleanupEnvHook<Weak<Shared>>>>,
    wanted_workers: usize,
    /// Who is to read the sockets.
    preference: Preference,
    /// Whether libuv runs the event loop of this thread.
    has_libuv: bool,
    /// What this thread needs to read sockets, while somebody is to be woken.
    #[cfg(unix)]
    reading: RefCell<Option<Rc<Reading>>>,
    /// Has the event loop call when workers have something for this thread, while somebody is to be woken.
    #[cfg(target_os = "linux")]
    event: RefCell<Option<DescriptorWatch>>,
    operations: RefCell<Operations>,
    /// The workers (one bit each) that have commands for which they have not been woken.
    workers_to_wake: Cell<u32>,
    servers: RefCell<FxHashMap<u32, Arc<Server>>>,
    next_server: Cell<u32>,
    /// The worker of each bridged stream, by its token.
    bridged: RefCell<FxHashMap<u32, usize>>,
    /// The profile of the connection that was handed over last.
    last_profile: RefCell<Option<Arc<Profile>>>,
    /// The batch that was taken last: what its records refer to, and memory for the next one.
    pub(super) batch: RefCell<RecordBatch>,
    /// The bodies of requests that this thread gathers.
    bodies: Held,
    /// Set while some of these bodies are not read, for want of room.
    stop: Cell<Option<Stop>>,
    /// The first bytes of the connection that was accepted last.
    peeked: RefCell<Peeked>,
    /// The sockets from which workers accept, by JavaScript's names for their HTTP servers; and which worker.
    listeners: RefCell<FxHashMap<u32, (usize, Arc<Listener>)>>,
    /// Calls JavaScript at the end of each turn.
    turn_end: RefCell<Option<TurnEnd>>,
    /// When JavaScript was last told that it is late.
    delay_told: Cell<u64>,
    /// The links to Redis.
    links: Rc<Links>,
    /// The number of the last hand-over.
    last_handover: Cell<u32>,
    /// The place of the session that is opened next among the clients, if they are counted.
    ticket: Cell<Option<Ticket>>,
    /// Handshakes that JavaScript has not decided about, by its names for them, if they are counted.
    handshakes: RefCell<FxHashMap<u32, Pending>>,
}

impl Deref for DataPlane {
    type Target = Plane;

    fn deref(&self) -> &Plane {
        &self.0
    }
}

impl fmt::Debug for Plane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plane").field("environment", &self.environment.id).finish_non_exhaustive()
    }
}

#[napi]
impl DataPlane {
    /// The data plane of this thread, asleep. Threads are started when the first server is opened, and
    /// end with the last one of the process. `workers` is the number of threads (0: cores − 1, from
    /// 1 to 4); `reader` is who reads the sockets: "load" (this thread while it has time), "workers", or
    /// "javascript" (this thread, unless it is blocked). Who opens the first server decides both. `has_libuv`: whether
    /// libuv runs the event loop of this thread; where something else does, its functions may be there and do nothing
    /// but end the process.
    #[napi(constructor, catch_unwind)]
    pub fn new(workers: u32, reader: String, has_libuv: bool) -> Self {
        set_trim(give_back);
        let waker = SharedWaker::default();
        let for_inbox = Arc::clone(&waker);
        let inbox = Inbox::new(move || {
            let waker = for_inbox.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(waker) = waker.as_ref() {
                waker.call();
            }
        });
        let bodies = Held::new(&inbox.budget, OWN_LANE);
        let environment = Arc::new(Environment::new(inbox));
        let shared =
            Arc::new(Shared { runtime: Mutex::default(), waker, ended: AtomicBool::new(false) });
        Self(Rc::new(Plane {
            shared,
            environment,
            hook: RefCell::default(),
            wanted_workers: workers as usize,
            preference: Preference::parse(&reader).unwrap_or_default(),
            has_libuv,
            #[cfg(unix)]
            reading: RefCell::default(),
            #[cfg(target_os = "linux")]
            event: RefCell::default(),
            operations: RefCell::default(),
            workers_to_wake: Cell::new(0),
            servers: RefCell::default(),
            next_server: Cell::new(1),
            bridged: RefCell::default(),
            last_profile: RefCell::default(),
            batch: RefCell::default(),
            bodies,
            stop: Cell::default(),
            peeked: RefCell::default(),
            listeners: RefCell::default(),
            turn_end: RefCell::default(),
            delay_told: Cell::new(0),
            links: Rc::default(),
            last_handover: Cell::new(0),
            ticket: Cell::default(),
            handshakes: RefCell::default(),
        }))
    }

    /// Which sources this was built from, as far as JavaScript depends on it: `CONTRACT` of `native/border.js`
    /// must be the same.
    #[napi(catch_unwind)]
    pub fn contract() -> String {
        contract()
    }

    /// Has `wake` called from now on when records wait for `take()`, once at first. Where this thread has read them by
    /// itself, it is called with what that gives; or, if that is a single packet of the namespace `/`, with nothing beside it,
    /// `receive` with its parts: kind, handle, ack id, and either its JSON and `true`, or the one or two strings that are its data.
    /// In place of a string it may get where in `names` that is.
    ///
    /// What this makes is held by the environment, and holds `wake` with all that it reaches: until
    /// [`DataPlane::remove_waker`] nothing of it can be collected.
    ///
    /// # Errors
    /// When Node.js can't make what wakes this thread.
    #[napi(catch_unwind)]
    pub fn set_waker(
        &self,
        env: Env,
        #[napi(ts_arg_type = "(records?: string) => void")] wake: Function<'_, (), ()>,
        #[napi(
            ts_arg_type = "(kind: number, handle: number, id: number, first: string | number, second?: string | true) => void"
        )]
        receive: Function<'_, (), ()>,
        #[napi(ts_arg_type = "string[]")] names: Object<'_>,
    ) -> Result<()> {
        #[cfg(unix)]
        let drain = self.drain(env, &wake, &receive, names).filter(|_| self.has_libuv);
        #[cfg(not(unix))]
        let _unused = (receive, names);
        #[cfg(unix)]
        let ending = self.begin_reading(env, drain.as_ref());
        #[cfg(target_os = "linux")]
        let watched = drain.and_then(|drain| self.watch_event(env, drain));
        #[cfg(not(target_os = "linux"))]
        let watched = None;
        let waker = match watched {
            Some(waker) => waker,
            None => Waker::Function(wake.build_threadsafe_function().weak::<true>().build()?),
        };
        // Hooks run last in, first out: this one runs before Node.js closes the waker.
        let environment = self.environment.id;
        let hook =
            env.add_env_cleanup_hook(Arc::downgrade(&self.shared), move |shared: Weak<Shared>| {
                #[cfg(unix)]
                if let Some(reading) = ending.upgrade() {
                    reading.end();
                }
                if let Some(shared) = shared.upgrade() {
                    shared.end(environment);
                }
            })?;
        *self.hook.borrow_mut() = Some(hook);
        waker.call(); // for records that were announced while nobody listened
        let mut shared = self.shared.waker.lock().unwrap_or_else(PoisonError::into_inner);
        let before = shared.replace(waker);
        drop(shared);
        drop(before);
        Ok(())
    }

    /// Ends what [`DataPlane::set_waker`] began: no server is open.
    ///
    /// # Errors
    /// When the environment is ending.
    #[napi(catch_unwind)]
    pub fn remove_waker(&self, env: Env) -> Result<()> {
        let waker = self.shared.waker.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(waker);
        #[cfg(target_os = "linux")]
        drop(self.event.take());
        #[cfg(unix)]
        if let Some(reading) = self.reading.take() {
            reading.end();
        }
        let hook = self.hook.borrow_mut().take();
        hook.map_or(Ok(()), |hook| env.remove_env_cleanup_hook(hook))
    }

    /// Number of worker threads that run now.
    #[napi(getter, catch_unwind)]
    pub fn workers(&self) -> u32 {
        let workers = self.shared.runtime().map_or(0, |runtime| runtime.workers());
        u32::try_from(workers).unwrap_or(u32::MAX)
    }

    /// Opens a server; gives its number.
    ///
    /// # Errors
    /// When threads can't be started, or this one is ending.
    #[napi(catch_unwind)]
    pub fn open_server(&self, config: ServerConfig) -> Result<u32> {
        self.start()?;
        let id = self.next_server.get();
        self.next_server.set(id + 1);
        self.put_server(id, &config, None);
        Ok(id)
    }

    /// Gives a server other options, which count for the sessions to come.
    #[napi(catch_unwind)]
    pub fn configure_server(&self, server: u32, config: ServerConfig) {
        let old = self.servers.borrow().get(&server).map(Arc::clone);
        if let Some(old) = old {
            self.put_server(server, &config, Some(&old));
        }
    }

    /// `before`: the server whose place it takes.
    fn put_server(&self, id: u32, config: &ServerConfig, before: Option<&Server>) {
        let engine = config.engine();
        let limits = AttachmentLimits {
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
            buffers: config.buffers(),
            trust_proxy: config.trust_proxy(),
            gate: match before {
                Some(before) => before.gate.clone(),
                None => config.gate(&self.environment),
            },
            connect_timeout: config.connect_timeout(),
            raw_messages: config.raw_messages.unwrap_or(false),
            plain: config.plain.unwrap_or(false),
            sessions: before.map_or_else(Arc::default, |it| Arc::clone(&it.sessions)),
            recall_count: before.map_or_else(Arc::default, |it| Arc::clone(&it.recall_count)),
            cross_origin: before.map_or_else(Arc::default, |it| Arc::clone(&it.cross_origin)),
            metrics: before.map_or_else(Arc::default, |it| Arc::clone(&it.metrics)),
            is_frozen: before.map_or_else(Arc::default, |it| Arc::clone(&it.is_frozen)),
        };
        if server.compression.is_some() {
            self.operations().expect_compression();
        }
        self.servers.borrow_mut().insert(id, Arc::new(server));
    }

    /// Forgets a server of which nothing is left: no client, no wire, no request. With the last
    /// server of the process, the threads end.
    #[napi(catch_unwind)]
    pub fn close_server(&self, server: u32) {
        self.servers.borrow_mut().remove(&server);
        if self.servers.borrow().is_empty() {
            self.shared.stop();
        }
    }

    /// The process ends: waits until the workers have written what they have been told to.
    #[napi(catch_unwind)]
    pub fn settle(&self) {
        if let Some(runtime) = self.shared.runtime() {
            runtime.settle(LONGEST_SETTLING);
        }
    }

    /// `take` and `flush`, which are called in each turn, as functions by themselves: with a method of the class,
    /// its object is looked up, its type is checked and its use is noted, which takes longer than what they do.
    ///
    /// `take()` takes the next of the records that wait: a JSON array, or "" when there are none. How it ends (`RecordSentinel`)
    /// tells what travels beside it, which is lost with the next `take()`, and whether more wait, for which nobody will be woken.
    ///
    /// `flush(operations, length)` carries out the first `length` bytes of a batch of operations; see `operations.rs`.
    /// What can't be carried out is left out, and counted: see [`DataPlane::stats`].
    ///
    /// # Errors
    /// When V8 has no memory for them. `take` throws when V8 can't make a string of that size.
    #[napi(
        catch_unwind,
        ts_return_type = "{ take: () => string, flush: (operations: Buffer, length: number) => void }"
    )]
    pub fn functions<'env>(&self, env: &'env Env) -> Result<Object<'env>> {
        let (for_take, for_flush) = (Rc::clone(&self.0), Rc::clone(&self.0));
        let take = move |call: FunctionCallContext<'_>| for_take.take(call.env).map(|it| it.raw());
        let flush = move |call: FunctionCallContext<'_>| {
            for_flush.flush(call.get(0)?, call.get(1)?);
            Ok(())
        };
        let mut functions = Object::new(env)?;
        functions.set("take", env.create_function_from_closure::<(), _, _>("take", take)?)?;
        functions.set(
            "flush",
            env.create_function_from_closure::<(BufferSlice<'_>, u32), _, _>("flush", flush)?,
        )?;
        Ok(functions)
    }

    /// This thread has looked at all its sockets, as `RecordKind.ASK_TURN` asked for. True: it is to do so again.
    #[napi(catch_unwind)]
    pub fn turned(&self) -> bool {
        let environment = self.environment.id;
        let Ended { round, waiting, again } = self.environment.turns.end();
        if let Some(runtime) = self.shared.runtime() {
            for worker in (0..runtime.workers()).filter(|worker| waiting & (1 << worker) != 0) {
                runtime.mailbox(worker).post_command(Command::Turned { environment, round });
            }
        }
        again
    }

    /// Takes the buffers that the records of the last `take` refer to, in order.
    ///
    /// # Errors
    /// When V8 has no memory for them.
    #[napi(catch_unwind)]
    pub fn take_buffers<'env>(&self, env: &'env Env) -> Result<Vec<BufferSlice<'env>>> {
        let buffers = std::mem::take(&mut self.batch.borrow_mut().buffers);
        let make = |bytes: Vec<u8>| {
            if bytes.len() <= COPY_LIMIT {
                BufferSlice::copy_from(env, bytes)
            } else {
                BufferSlice::from_data(env, bytes)
            }
        };
        buffers.into_iter().map(make).collect()
    }

    /// Takes bytes of a message of the batch that is being written; gives the number by which that names them
    /// (`Layout.ATTACHED`), once.
    #[napi(catch_unwind)]
    pub fn attach(&self, bytes: Uint8ArraySlice<'_>) -> u32 {
        self.operations().attach(&bytes)
    }

    /// Counters, as JSON: `workers`, `sessions` (open ones, of all servers of this thread),
    /// `rooms` (with members), `inboxBytes` (records that wait for this thread), `heldBytes` (what has
    /// been read and is no record yet), `backlogs` (clients that something waits for), `handles`
    /// (connections that this thread has not let go of), `readTurns` (how often JavaScript has read sockets by
    /// itself), `readGains` (how often it has begun to), `readsOf` (workers whose sockets it reads now). And of what went wrong: `stale` (operations
    /// that were dropped because their connection had gone; of the workers, those of all threads of the
    /// process), `unreadable` (operations that made no sense), `roomsLeft` (rooms that a connection was
    /// still in when it was let go of).
    #[napi(catch_unwind)]
    pub fn stats(&self) -> String {
        let sessions: usize =
            self.servers.borrow().values().map(|server| server.sessions.len()).sum();
        let operations = self.operations.borrow();
        let faults = operations.faults();
        let runtime = self.shared.runtime();
        let readers = runtime
            .iter()
            .flat_map(|runtime| (0..runtime.workers()).map(|worker| runtime.reader(worker)));
        let (mut turns, mut gains, mut reads) = (0_u64, 0_u64, 0);
        for reader in readers {
            gains += u64::from(reader.gains());
            turns += u64::from(reader.counts().turns);
            reads += u32::from(reader.is_javascript());
        }
        serde_json::json!({
            "workers": self.workers(),
            "sessions": sessions,
            "rooms": operations.rooms(),
            "inboxBytes": self.environment.inbox.budget.queued(),
            "heldBytes": self.environment.inbox.budget.held(),
            "backlogs": self.environment.backlogs.len(),
            "handles": operations.handles(),
            "readTurns": turns,
            "readGains": gains,
            "readsOf": reads,
            "stale": faults.stale + stale_commands(),
            "unreadable": faults.unreadable,
            "roomsLeft": faults.rooms_left,
        })
        .to_string()
    }
}

impl Plane {
    /// See [`DataPlane::functions`].
    fn take<'env>(&self, env: &'env Env) -> Result<JsString<'env>> {
        let batch = self.take_batch();
        let text = text_of(env, &batch.text);
        *self.batch.borrow_mut() = batch;
        text
    }

    /// Takes what there is, for a call of this thread's event loop: that spares JavaScript a call.
    #[cfg(unix)]
    fn take_for_call(&self, env: Env, names: &EventNames) -> Result<Call> {
        let batch = self.take_batch();
        let call = call_with(env, &batch, names);
        *self.batch.borrow_mut() = batch;
        call
    }

    /// Takes what there is, and does what that needs.
    fn take_batch(&self) -> RecordBatch {
        let recycled = std::mem::take(&mut *self.batch.borrow_mut());
        let Taken { batch, waiting, lanes, delay } = self.environment.inbox.take(recycled);
        if delay >= BLOCKED || waiting != 0 {
            self.tell_delay(delay, waiting != 0);
        }
        if delay > 0 {
            let now = clock::now();
            for gate in self.servers.borrow().values().filter_map(|server| server.gate.as_ref()) {
                gate.note_delay(delay, now);
            }
        }
        self.environment.lifecycle.drain(|event| self.operations().note(event));
        if waiting | lanes != 0
            && let Some(runtime) = self.shared.runtime()
        {
            for worker in (0..runtime.workers()).filter(|worker| waiting & (1 << worker) != 0) {
                runtime.mailbox(worker).post_command(Command::Resume);
            }
            #[cfg(unix)]
            if let Some(reading) = &*self.reading.borrow() {
                reading.handle_records(&runtime, lanes);
            }
        }
        batch
    }

    /// Tells JavaScript that what it has taken had waited for long, or that somebody `was_stopped` by it: now and then.
    #[cold]
    fn tell_delay(&self, delay: u64, was_stopped: bool) {
        let now = clock::now();
        let is_stall = delay >= BLOCKED;
        if !is_stall && now < self.delay_told.get() + TELLING_INTERVAL {
            return;
        }
        self.delay_told.set(now);
        let milliseconds = u32::try_from(if is_stall { delay } else { 0 }).unwrap_or(u32::MAX);
        self.environment.inbox.push_urgent(0, |record| {
            record.kind(RecordKind::Delayed).number(milliseconds).number(u32::from(was_stopped));
        });
    }

    /// See [`DataPlane::functions`].
    fn flush(&self, operations: BufferSlice<'_>, length: u32) {
        let runtime = self.shared.runtime();
        let batch = operations.get(..length as usize).unwrap_or(&operations);
        let woken = self.operations().apply(batch, runtime.as_deref());
        self.workers_to_wake.set(self.workers_to_wake.get() & !woken);
        #[cfg(unix)]
        if let Some(reading) = &*self.reading.borrow() {
            reading.handle_written();
        }
    }

    /// What is kept on this thread.
    pub(super) fn operations(&self) -> RefMut<'_, Operations> {
        self.operations.borrow_mut()
    }
}

impl DataPlane {
    /// What has JavaScript handle the records that wait, where no JavaScript is running.
    #[cfg(unix)]
    fn drain(
        &self,
        env: Env,
        wake: &Function<'_, (), ()>,
        receive: &Function<'_, (), ()>,
        names: Object<'_>,
    ) -> Option<Rc<dyn Fn()>> {
        let callback = Callback::new(env, [wake, receive])?;
        let names = EventNames::new(env, &names).ok()?;
        let plane = Rc::downgrade(&self.0);
        Some(Rc::new(move || {
            let Some(plane) = RcWeak::upgrade(&plane) else { return };
            callback.call(|env| plane.take_for_call(*env, &names));
        }))
    }

    /// From now on this thread may read sockets; gives what is to end with the environment.
    #[cfg(unix)]
    fn begin_reading(&self, env: Env, drain: Option<&Rc<dyn Fn()>>) -> RcWeak<Reading> {
        let before = self.reading.take();
        if let Some(before) = before {
            before.end();
        }
        let Some(drain) = drain.filter(|_| self.preference != Preference::Workers) else {
            return RcWeak::new();
        };
        let (shared, environment) = (Arc::clone(&self.shared), Arc::clone(&self.environment));
        let reading = Reading::new(env, shared, environment, Rc::clone(drain));
        let ending = Rc::downgrade(&reading);
        *self.reading.borrow_mut() = Some(reading);
        ending
    }

    /// Has the event loop call `drain` when the waker that this gives is called. None: it can't be had here.
    #[cfg(target_os = "linux")]
    fn watch_event(&self, env: Env, drain: Rc<dyn Fn()>) -> Option<Waker> {
        let event = Arc::new(Event::new().ok()?);
        let set = Arc::clone(&event);
        let on_ready = move || {
            set.clear();
            drain();
        };
        let watch = DescriptorWatch::new(env, event.descriptor().ok()?, on_ready)?;
        watch.start().then(|| {
            *self.event.borrow_mut() = Some(watch);
            Waker::Event(event)
        })
    }

    /// Starts the workers if there are none.
    fn start(&self) -> std::result::Result<(), BorderError> {
        let mut shared = self.shared.runtime.lock().unwrap_or_else(PoisonError::into_inner);
        if self.shared.ended.load(Ordering::Relaxed) {
            return Err(BorderError::Ended);
        }
        if shared.is_none() {
            let runtime = Runtime::acquire(self.wanted_workers, self.preference)
                .map_err(BorderError::Start)?;
            self.environment.lifecycle.drain(|_| ()); // of connections that have ended with their threads
            self.operations().restart_with(runtime.workers(), Arc::downgrade(&runtime));
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
}

/// Records, with one byte a character where possible: such strings are made and parsed faster.
fn text_of<'env>(env: &'env Env, records: &str) -> Result<JsString<'env>> {
    if records.is_ascii() {
        env.create_string_latin1(records.as_bytes())
    } else {
        env.create_string(records)
    }
}

/// What has JavaScript handle the records of `batch`.
#[cfg(unix)]
fn call_with(env: Env, batch: &RecordBatch, names: &EventNames) -> Result<Call> {
    let Some(LonePacket { kind, handle, id, payload }) = batch.lone_packet() else {
        return Ok(Call { second: false, arguments: smallvec![text_of(&env, &batch.text)?.raw()] });
    };
    let string = |text: &str| env.create_string_latin1(text.as_bytes()).map(|it| it.raw());
    let mut arguments = smallvec![
        env.create_uint32(kind)?.raw(),
        env.create_uint32(handle)?.raw(),
        env.create_int32(id)?.raw(),
    ];
    match payload {
        Payload::Strings(first, second) => {
            let place = if kind == RecordKind::Event as u32 { names.place(first)? } else { None };
            arguments.push(match place {
                Some(place) => env.create_uint32(place)?.raw(),
                None => string(first)?,
            });
            if let Some(second) = second {
                arguments.push(string(second)?);
            }
        }
        Payload::Json(json) => {
            arguments.push(text_of(&env, json)?.raw());
            arguments.push(true.into_unknown(&env)?.raw());
        }
    }
    Ok(Call { second: true, arguments })
}

/// Who is at the other end of a connection, as JavaScript says; it may not know.
fn read_peer(client: Option<&str>) -> Peer {
    Peer { told: None, client: client.and_then(read_address) }
}

/// An address as Node.js writes it: one of a link may name that behind a `%`.
fn read_address(text: &str) -> Option<IpAddr> {
    text.split('%').next().and_then(|address| address.parse().ok())
}

/// A dialect as it crosses the border, in bits of [`dialect`].
fn read_dialect(bits: u32) -> Dialect {
    let protocol = if bits & dialect::PROTOCOL_3 == 0 { Protocol::V4 } else { Protocol::V3 };
    Dialect { protocol, base64: bits & dialect::BASE64 != 0 }
}
