//! One thread of the data plane.

mod ending;
mod http;
mod websocket;

use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

use rustc_hash::FxHashMap;
use tokio::runtime::{Builder, LocalOptions};
use tokio::task::yield_now;

use super::alarm::Alarm;
use super::client::Client;
use super::clients::Clients;
use super::clock;
use super::command::{Blame, BridgeKey, Command, Outgoing, RequestEvent};
use super::context::{Victim, Wire as _, WorkerContext};
use super::descriptor::Addresses;
use super::mailbox::Mailbox;
use super::operation_batch::{Operation, OperationBatch};
use super::panic_guard::Nobody;
use super::request_name::RequestName;
use super::server::{Requests, Server, SessionEntry};
use super::shared_frames::SharedFrames;
use super::sleep_lock::{RunInline, SleepLock};
use super::websocket_wire::WebSocketWire;
use crate::engineio::{Link, Session, Transport};
use crate::id::Slot;

/// One thread of the data plane: owns its connections from accept to close.
pub struct Worker {
    context: WorkerContext,
    clients: Clients,
    bridges: RefCell<FxHashMap<BridgeKey, Rc<WebSocketWire>>>,
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker").field("index", &self.context.index).finish_non_exhaustive()
    }
}

/// How often the main loop of a worker may panic before the worker ends: what panics so often will go on
/// to, and each time costs all connections.
const MAX_PANICS: u32 = 16;

/// A worker as other threads know it: it works for them while its thread sleeps.
pub type SharedWorker = SleepLock<Rc<Worker>>;

/// Runs a worker on this thread until it is told to stop. `started` hears whether it could start.
///
/// `mailboxes`: those of all workers.
pub(super) fn run(
    index: usize,
    mailboxes: Arc<[Arc<Mailbox>]>,
    started: impl FnOnce(io::Result<Arc<SharedWorker>>),
) {
    let worker = Rc::new(Worker {
        context: WorkerContext::new(index, mailboxes),
        clients: Clients::default(),
        bridges: RefCell::default(),
    });
    #[expect(unsafe_code, reason = "a worker is made of `Rc`s")]
    // SAFETY: the worker, and what its tasks share with it, is touched by this thread only while
    // the executor polls tasks, and the executor releases the lock before it waits and acquires it
    // after. What of tokio can be reached from it (sockets, wakers) may be used by any thread, and
    // nothing else of it is tied to one.
    let lock = Arc::new(unsafe { SleepLock::new(Rc::clone(&worker)) });
    let (asleep, awake) = (Arc::clone(&lock), Arc::clone(&lock));
    let executor = Builder::new_current_thread()
        .enable_all()
        .on_thread_park(move || asleep.release())
        .on_thread_unpark(move || awake.acquire())
        .build_local(LocalOptions::default());
    let executor = match executor {
        Ok(executor) => executor,
        Err(error) => return started(Err(error)),
    };
    started(Ok(Arc::clone(&lock)));
    let announcer = Rc::clone(&worker);
    executor.block_on(async move {
        tokio::task::spawn_local(poll_fn(move |cx| {
            announcer.context.wakeups.watch(cx);
            announcer.announce_records();
            Poll::<()>::Pending
        }));
    });
    for _ in 0..MAX_PANICS {
        let run = || executor.block_on(Rc::clone(&worker).main_loop());
        if catch_unwind(AssertUnwindSafe(run)).is_ok() {
            return lock.retire();
        }
        worker.tell(format_args!("has panicked: its clients are closed, and it goes on"));
        executor.block_on(async { worker.begin_anew() });
    }
    // It would go on like that for ever. No new session comes here from now on.
    worker.tell(format_args!("has panicked {MAX_PANICS} times and ends"));
    executor.block_on(async { worker.context.mailbox.close(index) });
    lock.retire();
}

/// The one that an operation is for.
struct Blamed<'a> {
    worker: &'a Worker,
    blame: Blame,
}

impl Victim for Blamed<'_> {
    fn handle_panic(&self, context: &WorkerContext) {
        let worker = self.worker;
        match &self.blame {
            Blame::Nobody => {}
            Blame::Client(slot) => {
                if let Some(client) = worker.clients.look_up(*slot) {
                    client.abort(context);
                }
            }
            Blame::HttpWire(wire) => {
                if let Some(wire) = context.http_table.get(*wire) {
                    wire.handle_panic(context);
                }
            }
            Blame::Stream(key) => {
                let wire = worker.bridges.borrow().get(key).map(Rc::clone);
                if let Some(wire) = wire {
                    wire.handle_panic(context);
                }
            }
            Blame::Newcomer(newcomer) => newcomer.refuse(context.index),
        }
    }
}

#[expect(unsafe_code, reason = "a worker is made of `Rc`s")]
// SAFETY: what can be reached from a worker depends on no thread: what of tokio is there (sockets,
// wakers) may be used by any, and the rest is plain memory. What is done for a batch ends with it: it
// is put into the lists, queues and sockets of the worker alone, and into the inbox, which is shared.
unsafe impl RunInline for Rc<Worker> {
    /// Operations, and the buffer that lends to them.
    type Work<'a> = (&'a mut OperationBatch, &'a [u8]);

    /// Does what `batch` asks for on the calling thread, while the worker's sleeps. False when
    /// there is something that was asked for before: then the batch has to wait behind it.
    fn run_inline(&self, (batch, buffer): Self::Work<'_>) -> bool {
        if !self.context.mailbox.is_empty() {
            return false;
        }
        self.context.while_asleep(|| {
            batch.drain(buffer, |operation| self.perform(operation));
            // A panic must not reach the caller, which may have been called by JavaScript.
            self.context.guard(&Nobody, || self.flush());
        });
        self.announce_records();
        true
    }
}

impl Worker {
    async fn main_loop(self: Rc<Self>) {
        let mut batch = OperationBatch::default();
        let mut alarm = Alarm::default();
        loop {
            let mut stop = false;
            self.context.mailbox.take(&mut batch);
            batch.drain(&[], |operation| {
                stop |= matches!(operation, Operation::Command(Command::Stop));
                self.perform(operation);
            });
            self.flush();
            if stop {
                return self.drop_clients(|_| true);
            }
            fault!("main loop", u32::MAX, self.context.index as u64);
            self.fire_timers();
            self.flush();
            self.announce_records();
            if self.context.mailbox.is_empty() {
                self.wait(&mut alarm).await;
            } else {
                // JavaScript may fill the mailbox as fast as we empty it, and the sockets must be read
                // all the same.
                yield_now().await;
            }
        }
    }

    /// Lets JavaScript hear of what has come in.
    fn announce_records(&self) {
        self.context.guard(&Nobody, || self.context.wakeups.announce(self.context.index));
    }

    /// Waits for operations or the next deadline.
    async fn wait(&self, alarm: &mut Alarm) {
        let mut notified = pin!(self.context.mailbox.notify.notified());
        let trim_at = self.context.idle_trim.poll_timeout(clock::now);
        let deadline = self.context.fall_asleep().into_iter().chain(trim_at).min();
        let mut asleep = false;
        poll_fn(|cx| {
            // Both ends are fine: something to do, or a deadline.
            if notified.as_mut().poll(cx).is_ready() || asleep {
                return Poll::Ready(());
            }
            if let Some(deadline) = deadline {
                alarm.set(deadline, cx);
            }
            asleep = true;
            Poll::Pending
        })
        .await;
        self.context.wake_up();
        if trim_at.is_some_and(|at| clock::now() >= at) {
            self.context.idle_trim.handle_timeout();
        }
    }

    /// Ends all clients after a panic that belongs to none of them: the lists may be in any state. The slots
    /// stay until JavaScript gives them back.
    fn begin_anew(&self) {
        for client in self.clients.all() {
            self.context.guard(&Nobody, || client.abort(&self.context));
        }
        let bridges: Vec<_> = self.bridges.borrow().values().map(Rc::clone).collect();
        for wire in bridges {
            self.context.guard(&Nobody, || wire.finish(&self.context));
        }
        self.context.guard(&Nobody, || self.context.drop_wires(|_| true));
        self.context.clear_lists();
        self.context.wake_up();
        self.announce_records();
    }

    /// Says on the standard error what those who run the program have to know.
    #[expect(clippy::print_stderr, reason = "beside the message of the panic")]
    fn tell(&self, what: fmt::Arguments<'_>) {
        eprintln!("ferrosocket: worker {} {what}", self.context.index);
    }

    // --- operations ----------------------------------------------------------------------------

    /// Does what is asked for. A panic ends the one that it is for.
    fn perform(self: &Rc<Self>, operation: Operation<'_>) {
        let victim = Blamed { worker: self, blame: operation.blame() };
        self.context.guard(&victim, || match operation {
            Operation::SendText { slot, flags, text } => {
                self.clients.each([slot], |client| client.send_text(&self.context, flags, text));
            }
            Operation::Command(command) => self.command(command),
        });
    }

    /// Gives `messages` to each of `slots`. All of them run under one guard, which remembers where they
    /// are: a guard for each would cost what a short packet costs.
    fn broadcast(&self, slots: impl Iterator<Item = Slot>, flags: u8, messages: &[Outgoing]) {
        let frames = SharedFrames::new(messages);
        let current = Cell::new(None);
        let mut slots = slots.inspect(|slot| current.set(Some(*slot)));
        loop {
            let done = catch_unwind(AssertUnwindSafe(|| {
                self.clients.each(slots.by_ref(), |client| {
                    client.send_shared(&self.context, flags, &frames);
                });
            }));
            if done.is_ok() {
                return;
            }
            if let Some(client) = current.take().and_then(|slot| self.clients.look_up(slot)) {
                self.context.guard(&Nobody, || client.abort(&self.context));
            }
        }
    }

    fn command(self: &Rc<Self>, command: Command) {
        match command {
            Command::Send { slot, flags, messages } => {
                if let Some(client) = self.clients.look_up(slot) {
                    client.send(&self.context, flags, &messages);
                }
            }
            Command::SendPacket { slot, flags, packet } => {
                if let Some(client) = self.clients.look_up(slot) {
                    client.send_packet(&self.context, flags, packet);
                }
            }
            Command::Broadcast { group, flags, messages } => {
                self.broadcast(group.iter(), flags, &messages);
            }
            Command::Close { slot, discard } => {
                if let Some(client) = self.clients.look_up(slot) {
                    client.close(&self.context, discard);
                }
            }
            Command::Release { slot } => {
                if self.clients.release(slot) {
                    self.context.idle_trim.handle_release();
                }
            }
            Command::Joined { slot } => {
                if let Some(client) = self.clients.look_up(slot) {
                    client.set_joined();
                }
            }
            Command::Watch { slot, mask } => {
                if let Some(client) = self.clients.look_up(slot) {
                    client.set_watched(mask);
                }
            }
            Command::Mark { slot } => {
                if let Some(client) = self.clients.look_up(slot) {
                    client.mark(&self.context);
                }
            }
            Command::IncomingWebSocket(incoming) => self.accept_websocket(*incoming),
            Command::OpenPolling { server, token, sid, dialect, jsonp } => {
                let engine = Arc::clone(&server.engine);
                let mut session =
                    Session::open(engine, sid, dialect, Transport::Polling, clock::now());
                if let Some(parameter) = jsonp {
                    session.set_jsonp(&parameter);
                }
                let client = self.open(server, session, None, token, None);
                let (context, request) = (&self.context, RequestName::Forwarded(token).into());
                self.clients.handle_request(context, client.handle, request, RequestEvent::Get);
            }
            Command::IncomingHttp(incoming) => self.accept_http(*incoming),
            Command::Answer { wire, generation, answer } => {
                if let Some(wire) = self.context.http_table.get(wire) {
                    wire.handle_answer(&self.context, generation, answer);
                }
            }
            Command::CloseHttp(close) => self.close_http(close),
            Command::EndWires(end) => self.end_wires(&end),
            Command::Request { slot, request, event } => {
                self.clients.handle_own_request(&self.context, slot, request, event);
            }
            Command::Bridge { key, event } => self.handle_bridge(key, event),
            Command::Resume => self.resume(),
            Command::DropEnvironment(id) => self.drop_clients(|environment| environment == id),
            Command::Stop => {}
        }
    }

    fn open(
        self: &Rc<Self>,
        server: Arc<Server>,
        session: Session,
        main: Option<&Rc<WebSocketWire>>,
        token: u32,
        addresses: Option<Addresses>,
    ) -> Rc<Client> {
        fault!("open", server.environment.id, token);
        self.context.wakeups.add(&server.environment);
        self.clients.add(self.context.index, |handle| {
            let (transport, protocol) = (session.transport(), session.protocol());
            let requests = Arc::new(Requests::default());
            let for_client = Arc::clone(&requests);
            let known = SessionEntry { handle, transport, protocol, requests };
            server.sessions.insert(session.sid().clone(), known);
            if let Some(wire) = main {
                wire.bind(handle.slot(), Link::Main);
            }
            let main_wire = main.map(Rc::clone);
            Client::open(handle, server, for_client, session, main_wire, token, addresses)
        })
    }

    /// JavaScript has taken something: what was not read for want of room is, as far as there is some.
    fn resume(&self) {
        self.context.resume(|wire| {
            let client = wire.client().and_then(|client| self.clients.find(client));
            let own = || client.as_ref().map_or(0, |client| client.waiting_bytes());
            let goes_on = wire.resume(&self.context, &own);
            if goes_on && let Some(client) = &client {
                client.handle_resumed(clock::now());
            }
            goes_on
        });
    }

    /// Drops everything that belongs to the environments that `doomed` names by their id.
    fn drop_clients(&self, doomed: impl Fn(u32) -> bool) {
        for client in self.clients.take(&doomed) {
            self.context.guard(&*client, || {
                fault!("drop", client.server.environment.id, client.handle.raw());
                client.abort(&self.context);
            });
        }
        let bridges: Vec<Rc<WebSocketWire>> = {
            let bridges = self.bridges.borrow();
            bridges.iter().filter(|((env, _), _)| doomed(*env)).map(|(_, w)| Rc::clone(w)).collect()
        };
        for wire in bridges {
            self.context.guard(&*wire, || wire.finish(&self.context));
        }
        self.context.drop_wires(&doomed);
        self.announce_records();
        self.context.wakeups.forget(doomed);
    }

    // --- deadlines and writes ------------------------------------------------------------------

    fn fire_timers(&self) {
        let now = clock::now();
        while let Some((deadline, slot)) = self.context.pop_due(now) {
            if let Some(client) = self.clients.at(slot)
                && client.scheduled.get() == deadline
            {
                client.scheduled.set(u64::MAX);
                self.context.guard(&*client, || client.handle_timeout(&self.context, now));
            }
        }
        while let Some(wire) = self.context.pop_overdue(now) {
            self.context.guard(&*wire, || wire.finish(&self.context));
        }
        self.fire_http_timers(now);
    }

    /// Sends what has been queued, and forgets what is over.
    fn flush(&self) {
        // Writing may show that a client does not read, and what is done about it may write.
        loop {
            while let Some(client) = self.context.pop_failed() {
                if let Some(client) = self.clients.find(client) {
                    self.context.guard(&Nobody, || client.abort(&self.context));
                }
            }
            while let Some(client) = self.context.pop_unflushed() {
                if let Some(client) = self.clients.find(client) {
                    self.context.guard(&*client, || client.flush_session(&self.context));
                }
            }
            self.context.flush_dirty();
            if !self.context.has_clients_due() {
                break;
            }
        }
        while let Some(key) = self.context.pop_gone_bridge() {
            self.bridges.borrow_mut().remove(&key);
        }
    }
}
