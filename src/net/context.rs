//! What all clients and wires of a worker share: buffers, deadlines, and the lists of what is to be done.
//!
//! The lists hold wires by what the worker does with them ([`Wire`]), and clients by their name, so that
//! this file knows neither.

use std::cell::{Cell, RefCell, RefMut};
use std::collections::VecDeque;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use mio::Registry;

use super::clock;
use super::command::{Answer, BridgeKey, CloseHttp, Command, RequestEvent};
use super::deflate::Compressors;
use super::http_table::HttpTable;
use super::idle_trim::IdleTrim;
use super::mailbox::Mailbox;
use super::metrics::WorkerMetrics;
use super::places::Places;
use super::readiness::RunQueue;
use super::request_name::RequestName;
use super::session_ids::SessionIds;
use super::timers::Timers;
use super::transfer::Channel;
use super::unread::UnreadFrames;
use super::wakeups::Wakeups;
use crate::engineio::RequestId;
use crate::http::date;
use crate::id::Slot;

/// One read takes at most this much: a message of 64 KiB, with its header and the text that announces it. All
/// connections of the worker read into the same buffer.
const READ_BUFFER: usize = (64 << 10) + (4 << 10);
/// One read of a connection with TLS takes at most this much: two records.
const SEALED_BUFFER: usize = 32 << 10;
/// Bytes of the write buffers that are kept for the next connections that need one…
const SPARE_BUFFERS: usize = 2 << 20;
/// …if they have not grown beyond this.
const SPARE_CAPACITY: usize = 32 << 10;

/// Empty write buffers.
#[derive(Default)]
struct SpareBuffers {
    buffers: Vec<Vec<u8>>,
    /// Bytes that they can hold.
    bytes: usize,
}

impl SpareBuffers {
    fn take(&mut self) -> Vec<u8> {
        let buffer = self.buffers.pop().unwrap_or_default();
        self.bytes -= buffer.capacity();
        buffer
    }

    fn give(&mut self, buffer: Vec<u8>) {
        let bytes = buffer.capacity();
        if bytes <= SPARE_CAPACITY && self.bytes + bytes <= SPARE_BUFFERS {
            self.bytes += bytes;
            self.buffers.push(buffer);
        }
    }
}

/// A client that is given up unless JavaScript finds something of it.
#[derive(Clone, Copy, Debug)]
pub struct Doubt {
    /// The client.
    pub client: Slot,
    /// Its environment.
    pub environment: u32,
    /// What is waited for ([`super::turns::Asked`]).
    pub round: u64,
    /// Since when.
    pub since: u64,
    /// Whether something that was written for it had not left by then: the ping may be there.
    pub unsent: bool,
}

/// What is ended when the code that runs for it panics.
pub trait Victim {
    /// Ends it at once, and has JavaScript hear of it. What is done already is not done again.
    fn handle_panic(&self, context: &WorkerContext);
}

/// A wire, as the lists see it.
pub trait Wire: Victim {
    /// Writes what is queued, as far as the peer takes it.
    fn flush(&self, context: &WorkerContext);
    /// JavaScript has taken something from the inbox: goes on, if that was enough. If not, it has to
    /// hear of the next time too, and this gives false. `own`: how many bytes of its client wait there.
    fn resume(&self, context: &WorkerContext, own: &dyn Fn() -> usize) -> bool;
    /// Drops the stream.
    fn finish(&self, context: &WorkerContext);
    /// Its peer has had the time for the closing handshake: [`WorkerContext::watch_closing`].
    fn handle_overdue(self: Rc<Self>, context: &WorkerContext) {
        self.finish(context);
    }
    /// Whether it is dropped.
    fn is_gone(&self) -> bool;
    /// Id of the environment that it belongs to.
    fn environment_id(&self) -> u32;
    /// JavaScript's name for it.
    fn token(&self) -> u32;
    /// The client that it carries, if that is one for long.
    fn client(&self) -> Option<Slot>;
}

/// A wire that gets answers: one by which polling requests come.
///
/// `HttpWire` is the only one, and this file must not know it: the wire asks a client, and the client
/// answers by the context, at once, while the bytes of the request are still at hand.
pub trait AnsweredWire: Wire {
    /// The answer to its request of this generation. One to an earlier request is ignored.
    fn handle_answer(self: Rc<Self>, context: &WorkerContext, generation: u32, answer: Answer);
    /// An entry that it has in the list of deadlines is due.
    fn handle_timeout(self: Rc<Self>, context: &WorkerContext, entry: u64, now: u64);
    /// JavaScript closes the connections of an HTTP server.
    fn handle_close(self: Rc<Self>, context: &WorkerContext, close: CloseHttp);
    /// Ends, as if the peer had ended the stream.
    fn end(self: Rc<Self>, context: &WorkerContext);
    /// Reads no more, or again, if it is of that server of that environment.
    fn hold(&self, context: &WorkerContext, environment: u32, server: u32, is_held: bool);
    /// Goes to another process, if it is of that server. One whose request is not answered ends behind the answer.
    fn hand_over(self: Rc<Self>, context: &WorkerContext, server: u32, channel: &Channel);
}

/// What all clients and wires of a worker share.
pub struct WorkerContext {
    /// Which of the workers it is.
    pub index: usize,
    /// What JavaScript has for the worker, and what wakes the worker.
    pub mailbox: Arc<Mailbox>,
    /// Where the sockets of its connections are known.
    pub registry: Registry,
    /// The connections whose turn it is.
    pub run_queue: RunQueue,
    /// When JavaScript hears of what has come in.
    pub wakeups: Wakeups,
    /// The ids of the sessions that the worker opens.
    pub session_ids: SessionIds,
    /// Those of all workers.
    mailboxes: Arc<[Arc<Mailbox>]>,
    /// The connections by which polling requests come.
    pub http_table: HttpTable<dyn AnsweredWire>,
    /// The last header `Date`, and its second.
    date: Cell<(u64, [u8; date::LEN])>,
    timers: RefCell<Timers>,
    /// The deadline that the worker sleeps for; 0 while it is awake.
    sleeping_until: Cell<u64>,
    /// Whether JavaScript's thread, which reads, comes again for those whose turn it is.
    rest_is_left: Cell<bool>,
    /// When the worker has to look at connections that it has accepted, and knows nothing of yet.
    pub accepting_until: Cell<Option<u64>>,
    /// Wires that wait for the end of the closing handshake, the oldest first.
    closing: RefCell<VecDeque<(u64, Rc<dyn Wire>)>>,
    read_buffer: RefCell<Box<[u8]>>,
    /// What has come of clients that are not read for now.
    pub unread: UnreadFrames,
    /// Where clients come from, as far as their sockets do not tell, and what counts them.
    pub places: Places,
    /// Made when the first connection with TLS is read.
    sealed_buffer: RefCell<Vec<u8>>,
    /// Bytes that have been read by sockets and that nobody has asked for yet: [`Self::take_read`].
    read: Cell<u32>,
    spare_buffers: RefCell<SpareBuffers>,
    dirty: RefCell<Vec<Rc<dyn Wire>>>,
    unflushed: RefCell<Vec<Slot>>,
    failed: RefCell<Vec<Slot>>,
    stalled: RefCell<Vec<Rc<dyn Wire>>>,
    doubts: RefCell<Vec<Doubt>>,
    gone_bridges: RefCell<Vec<BridgeKey>>,
    /// The sessions that are over, and what they leave behind.
    pub idle_trim: IdleTrim,
    /// What its wires share to compress.
    pub compressors: Compressors,
    /// What it counts of itself.
    pub metrics: Arc<WorkerMetrics>,
}

impl fmt::Debug for WorkerContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerContext").field("index", &self.index).finish_non_exhaustive()
    }
}

impl WorkerContext {
    /// The context of worker `index`, one of those that have these mailboxes; `registry` and `metrics` are its own.
    pub fn new(
        index: usize,
        mailboxes: Arc<[Arc<Mailbox>]>,
        registry: Registry,
        metrics: Arc<WorkerMetrics>,
    ) -> Self {
        Self {
            index,
            registry,
            run_queue: RunQueue::default(),
            wakeups: Wakeups::default(),
            mailbox: Arc::clone(&mailboxes[index]),
            session_ids: SessionIds::default(),
            mailboxes,
            http_table: HttpTable::default(),
            date: Cell::new((0, date::format(0))),
            timers: RefCell::default(),
            sleeping_until: Cell::new(0),
            rest_is_left: Cell::new(false),
            accepting_until: Cell::new(None),
            closing: RefCell::default(),
            read_buffer: RefCell::new(vec![0; READ_BUFFER].into_boxed_slice()),
            unread: UnreadFrames::default(),
            places: Places::default(),
            sealed_buffer: RefCell::default(),
            read: Cell::new(0),
            spare_buffers: RefCell::default(),
            dirty: RefCell::default(),
            unflushed: RefCell::default(),
            failed: RefCell::default(),
            stalled: RefCell::default(),
            doubts: RefCell::default(),
            gone_bridges: RefCell::default(),
            idle_trim: IdleTrim::default(),
            compressors: Compressors::new(Arc::clone(&metrics)),
            metrics,
        }
    }

    /// Asks a worker, maybe this one, for something.
    pub fn post(&self, worker: usize, command: Command) {
        if let Some(mailbox) = self.mailboxes.get(worker) {
            mailbox.post_command(command);
        }
    }

    /// How many workers there are.
    pub fn workers(&self) -> usize {
        self.mailboxes.len()
    }

    /// Whether a worker has not ended.
    pub fn is_open(&self, worker: usize) -> bool {
        self.mailboxes.get(worker).is_some_and(|mailbox| !mailbox.is_closed())
    }

    /// Brings the answer to a request to the connection that it came by.
    pub fn answer(&self, request: RequestId, answer: Answer) {
        let RequestName::Native { wire, generation } = request.into() else { return };
        let index = wire.slot().index;
        if wire.worker() != self.index {
            self.post(wire.worker(), Command::Answer { wire: index, generation, answer });
        } else if let Some(wire) = self.http_table.get(index) {
            self.guard(&*wire, || Rc::clone(&wire).handle_answer(self, generation, answer));
        }
    }

    /// Answers a request whose session was there when it set out, and has gone.
    pub fn refuse_late(&self, request: RequestId, event: &RequestEvent) {
        if matches!(event, RequestEvent::Get | RequestEvent::PostStart) {
            self.answer(request, Answer::Refused);
        }
    }

    /// The header `Date` of now.
    pub fn date(&self) -> [u8; date::LEN] {
        let now = clock::unix_seconds();
        let (second, text) = self.date.get();
        if second == now {
            return text;
        }
        let text = date::format(now);
        self.date.set((now, text));
        text
    }

    // --- deadlines -----------------------------------------------------------------------------

    /// Keeps a deadline for the client in `slot`; gives it back as it is kept.
    pub fn schedule(&self, deadline: u64, slot: u32) -> u64 {
        let deadline = self.timers.borrow_mut().schedule(deadline, slot);
        self.wake_for(deadline);
        deadline
    }

    /// Keeps a deadline for the HTTP wire in `slot`; gives it back as it is kept.
    pub fn schedule_http(&self, deadline: u64, slot: u32) -> u64 {
        let deadline = self.http_table.schedule(deadline, slot);
        self.wake_for(deadline);
        deadline
    }

    /// Takes a client's deadline that is due.
    pub fn pop_due(&self, now: u64) -> Option<(u64, u32)> {
        self.timers.borrow_mut().pop_due(now)
    }

    /// Drops `wire` at `deadline` when its peer takes too long with the closing handshake. All
    /// wires have the same time for it: later calls have later deadlines.
    pub fn watch_closing(&self, deadline: u64, wire: Rc<dyn Wire>) {
        let mut closing = self.closing.borrow_mut();
        while closing.front().is_some_and(|(_, wire)| wire.is_gone()) {
            closing.pop_front();
        }
        closing.push_back((deadline, wire));
        self.wake_for(deadline);
    }

    /// Takes a wire that is to be dropped.
    pub fn pop_overdue(&self, now: u64) -> Option<Rc<dyn Wire>> {
        let mut closing = self.closing.borrow_mut();
        let (deadline, wire) = closing.front()?;
        if *deadline > now && !wire.is_gone() {
            return None;
        }
        closing.pop_front().map(|(_, wire)| wire)
    }

    /// The earliest of all deadlines. The worker sleeps until then; who adds an earlier one
    /// wakes it.
    pub fn fall_asleep(&self) -> Option<u64> {
        let deadline = self.next_deadline();
        self.sleeping_until.set(deadline.unwrap_or(u64::MAX));
        deadline
    }

    /// Whether a deadline is due.
    pub fn is_due(&self, now: u64) -> bool {
        self.next_deadline().is_some_and(|deadline| deadline <= now)
    }

    fn next_deadline(&self) -> Option<u64> {
        let closing = self.closing.borrow().front().map(|(deadline, _)| *deadline);
        let requests = self.http_table.next_deadline();
        let deadline = self.timers.borrow().next_deadline();
        let accepting = self.accepting_until.get();
        deadline.into_iter().chain(closing).chain(requests).chain(accepting).min()
    }

    /// The worker is awake and will look at the deadlines by itself.
    pub fn wake_up(&self) {
        self.sleeping_until.set(0);
        self.take_rest();
    }

    /// JavaScript's thread comes again for the connections whose turn it is now. What it is called by is what its
    /// event loop watches, so the worker finds it, too, if it does not come.
    pub fn leave_rest(&self) {
        self.rest_is_left.set(true);
        self.mailbox.parker.call_reader();
    }

    /// Whoever asks drives them.
    pub fn take_rest(&self) {
        self.rest_is_left.set(false);
    }

    /// Runs `work` while the worker sleeps, and wakes it only if the work adds a deadline before
    /// the one that it sleeps for, or a connection whose turn it is and for which nobody else comes.
    pub fn while_asleep(&self, work: impl FnOnce()) {
        let sleeping_until = self.sleeping_until.replace(0);
        work();
        self.fall_asleep();
        let waits = !self.run_queue.is_empty() && !self.rest_is_left.get();
        if waits || self.sleeping_until.get() < sleeping_until {
            self.mailbox.parker.unpark();
        }
    }

    fn wake_for(&self, deadline: u64) {
        if deadline < self.sleeping_until.get() {
            self.mailbox.parker.unpark();
        }
    }

    // --- reading -------------------------------------------------------------------------------

    /// Notes that so many bytes have been read.
    pub fn count_read(&self, bytes: usize) {
        self.read.set(self.read.get().wrapping_add(u32::try_from(bytes).unwrap_or(u32::MAX)));
    }

    /// How many have been read since it was last asked.
    pub fn take_read(&self) -> u32 {
        self.read.take()
    }

    // --- buffers -------------------------------------------------------------------------------

    /// The buffer that everything is read into; borrowed for one read and what it leads to.
    pub fn read_buffer(&self) -> RefMut<'_, Box<[u8]>> {
        self.read_buffer.borrow_mut()
    }

    /// The buffer that encrypted bytes are read into, for what has to be decrypted at once.
    pub fn sealed_buffer(&self) -> RefMut<'_, Vec<u8>> {
        let mut buffer = self.sealed_buffer.borrow_mut();
        buffer.resize(SEALED_BUFFER, 0);
        buffer
    }

    /// An empty write buffer.
    pub fn spare_buffer(&self) -> Vec<u8> {
        self.spare_buffers.borrow_mut().take()
    }

    /// Gives a write buffer back.
    pub fn give_spare_buffer(&self, buffer: Vec<u8>) {
        self.spare_buffers.borrow_mut().give(buffer);
    }

    // --- lists ---------------------------------------------------------------------------------

    /// Notes that something waits to be written.
    pub fn add_dirty(&self, wire: Rc<dyn Wire>) {
        self.dirty.borrow_mut().push(wire);
    }

    /// Writes everything that waits to be written.
    pub fn flush_dirty(&self) {
        loop {
            // Taken out one by one: writing can end a session, which marks other wires.
            let wire = self.dirty.borrow_mut().pop();
            let Some(wire) = wire else { return };
            self.guard(&*wire, || wire.flush(self));
        }
    }

    /// Notes that a client is to look what waits for its peer: messages for the next poll, or bytes that the
    /// peer has not taken.
    pub fn add_unflushed(&self, client: Slot) {
        self.unflushed.borrow_mut().push(client);
        // The worker does it at the end of its turn, or of a turn that this begins.
        self.wake_for(0);
    }

    /// Takes a client that is to look what waits for its peer.
    pub fn pop_unflushed(&self) -> Option<Slot> {
        self.unflushed.borrow_mut().pop()
    }

    /// Notes that a client has to go, because its wire has panicked.
    pub fn add_failed(&self, client: Slot) {
        self.failed.borrow_mut().push(client);
        self.wake_for(0);
    }

    /// Takes a client that has to go.
    pub fn pop_failed(&self) -> Option<Slot> {
        self.failed.borrow_mut().pop()
    }

    /// Whether there are clients on either list.
    pub fn has_clients_due(&self) -> bool {
        !self.unflushed.borrow().is_empty() || !self.failed.borrow().is_empty()
    }

    /// Notes that a wire waits for JavaScript to take something from the inbox.
    pub fn add_stalled(&self, wire: Rc<dyn Wire>) {
        self.stalled.borrow_mut().push(wire);
    }

    /// JavaScript has taken something from an inbox: has `resume` let those go on for which it was enough.
    /// The others stay before those that have to wait from now on: who has waited longest reads first.
    pub fn resume(&self, resume: impl Fn(&dyn Wire) -> bool) {
        let stalled = std::mem::take(&mut *self.stalled.borrow_mut());
        let mut left = Vec::new();
        for wire in stalled {
            // One that panics has ended, and has nothing to wait for.
            let mut waits = false;
            self.guard(&*wire, || waits = !wire.is_gone() && !resume(&*wire));
            if waits {
                left.push(wire);
            }
        }
        let mut stalled = self.stalled.borrow_mut();
        left.append(&mut stalled);
        *stalled = left;
    }

    /// Notes that a client waits for JavaScript to look for what it has sent.
    pub fn add_doubt(&self, doubt: Doubt) {
        self.doubts.borrow_mut().push(doubt);
    }

    /// Since when a client waits for that.
    pub fn doubted_since(&self, client: Slot) -> Option<u64> {
        self.doubts.borrow().iter().find(|doubt| doubt.client == client).map(|doubt| doubt.since)
    }

    /// Takes the clients that have waited for this round of JavaScript, or an earlier one.
    pub fn take_doubts(&self, environment: u32, round: u64) -> Vec<Doubt> {
        let is_over = |it: &mut Doubt| it.environment == environment && it.round <= round;
        self.doubts.borrow_mut().extract_if(.., is_over).collect()
    }

    /// Notes that a bridged stream is over.
    pub fn add_gone_bridge(&self, key: BridgeKey) {
        self.gone_bridges.borrow_mut().push(key);
    }

    /// Forgets all that its lists name: nothing of that is there any more.
    pub fn clear_lists(&self) {
        self.dirty.borrow_mut().clear();
        self.unflushed.borrow_mut().clear();
        self.failed.borrow_mut().clear();
        self.stalled.borrow_mut().clear();
        self.closing.borrow_mut().clear();
        self.doubts.borrow_mut().clear();
    }

    /// Takes the name of a bridged stream that is over.
    pub fn pop_gone_bridge(&self) -> Option<BridgeKey> {
        self.gone_bridges.borrow_mut().pop()
    }

    /// The wires that wait for the end of the closing handshake.
    pub fn closing(&self) -> Vec<Rc<dyn Wire>> {
        self.closing.borrow().iter().map(|(_, wire)| Rc::clone(wire)).collect()
    }

    /// Drops the closing wires of the environments that `doomed` names.
    pub fn drop_wires(&self, doomed: impl Fn(u32) -> bool) {
        for wire in self.closing().iter().filter(|wire| doomed(wire.environment_id())) {
            self.guard(&**wire, || wire.finish(self));
        }
        for wire in self.http_table.all() {
            if doomed(wire.environment_id()) {
                self.guard(&*wire, || wire.finish(self));
            }
        }
        // Nobody drains that inbox any more, so no room is to be waited for.
        self.stalled.borrow_mut().retain(|wire| !doomed(wire.environment_id()));
        self.doubts.borrow_mut().retain(|doubt| !doomed(doubt.environment));
    }
}
