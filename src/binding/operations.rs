//! The batch down: what one tick of JavaScript asks for, as bytes.
//!
//! [`OperationKind`] tells the format. An operation that can't be read is skipped and counted, and does
//! not affect the others; neither does one for a connection that has gone, which shows by the generation
//! of its handle (`socketio/handles.rs`). A broadcast becomes snapshots of the members of its rooms, one per worker,
//! at its place in the order of operations. The rooms are in the [`Directory`], which is locked from the
//! beginning of a batch until it has been handed over. Those in a log of connection state recovery have numbers of
//! their own.

mod reader;

use std::cell::RefCell;
use std::ops::Range;
use std::sync::{Arc, Weak};

use bytes::Bytes;
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use self::reader::{Attached, Reader, TextOperand, Unreadable};
use super::logs::{Logs, Messages};
use super::publishers::Publishers;
use crate::border::OperationKind;
use crate::id::{Handle, Slot};
use crate::net::command::{Command, Outgoing};
use crate::net::directory::{Directory, Population};
use crate::net::lifecycle::LifecycleEvent;
use crate::net::metrics::{AUDIENCE_BOUNDS, Histogram, Values};
use crate::net::operation_batch::{Operation, OperationBatch};
use crate::net::runtime::Runtime;
use crate::net::transfer::Channel;
use crate::socketio::recovery_log::packets::StoredPacket;
use crate::socketio::{Group, Target};

/// A text in parts up to this size is written into the batch; a larger one gets memory of its own.
const COPY_LIMIT: usize = 8 << 10;

/// Applies batches: keeps the rooms and the logs, and sorts operations by worker.
#[derive(Debug)]
pub struct Operations {
    /// Who is where.
    directory: Arc<Directory>,
    /// Those who tell other nodes.
    pub(super) publishers: Publishers,
    /// What could not be carried out, since the beginning.
    faults: Faults,
    /// The logs of connection state recovery.
    pub(super) logs: Logs,
    /// The hand-overs that are under way.
    pub(super) channels: FxHashMap<u32, Arc<Channel>>,
    /// One batch per worker, filled while a batch is read.
    batches: Vec<OperationBatch>,
    targets: Vec<Target>,
    excepted: Vec<Target>,
    /// What belongs to the batch that is being written.
    attached: Attached,
    /// Whether messages may have to be compressed.
    compresses: bool,
    /// How many clients a broadcast was for, about: those that it excepts are among them.
    audiences: Histogram,
}

impl Drop for Operations {
    fn drop(&mut self) {
        for channel in self.channels.values() {
            channel.end("its JavaScript thread has ended");
        }
    }
}

impl Default for Operations {
    fn default() -> Self {
        Self {
            directory: Arc::default(),
            publishers: Publishers::default(),
            faults: Faults::default(),
            logs: Logs::default(),
            channels: FxHashMap::default(),
            batches: Vec::new(),
            targets: Vec::new(),
            excepted: Vec::new(),
            attached: Attached::default(),
            compresses: false,
            audiences: Histogram::new(AUDIENCE_BOUNDS),
        }
    }
}

/// Counts of what was not carried out, or had to be put right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// Operations and targets that were skipped because their handle named no connection.
    pub stale: u64,
    /// Operations that could not be read.
    pub unreadable: u64,
    /// Rooms that connections were still in when they were released.
    pub rooms_left: u64,
}

/// Why an operation is not carried out.
#[derive(Debug)]
enum LeftOut {
    /// It can't be read.
    Unreadable,
    /// It is for a connection that has gone.
    Stale,
}

impl From<Unreadable> for LeftOut {
    fn from(_: Unreadable) -> Self {
        Self::Unreadable
    }
}

type Result<T = ()> = std::result::Result<T, LeftOut>;

impl Operations {
    /// From now on operations are sorted to `workers` new workers. They have no connections, so
    /// rooms begin anew; what the logs hold stays.
    pub fn restart(&mut self, workers: usize) {
        self.restart_with(workers, Weak::new());
    }

    /// The same, with those who are to have what other nodes broadcast.
    pub fn restart_with(&mut self, workers: usize, runtime: Weak<Runtime>) {
        self.directory.lock().restart(workers, runtime);
        self.batches = (0..workers).map(|_| OperationBatch::default()).collect();
    }

    /// From now on messages may have to be compressed: large ones are left to the workers.
    pub fn expect_compression(&mut self) {
        self.compresses = true;
    }

    /// Number of rooms with members.
    pub fn rooms(&self) -> usize {
        self.directory.lock().rooms.len()
    }

    /// Number of connections that there are or that have not been released.
    pub fn handles(&self) -> usize {
        self.directory.lock().handles.len()
    }

    /// Who is where.
    pub fn directory(&self) -> &Arc<Directory> {
        &self.directory
    }

    /// How many clients got the broadcasts so far.
    pub fn audiences(&self) -> Values {
        self.audiences.values()
    }

    /// What could not be carried out so far.
    pub fn faults(&self) -> Faults {
        self.faults
    }

    /// A connection has come or gone, as its worker says.
    pub fn note(&mut self, event: LifecycleEvent) {
        let mut population = self.directory.lock();
        match event {
            LifecycleEvent::Opened(handle) => population.handles.open(handle),
            LifecycleEvent::Closed(handle) => population.handles.close(handle),
        }
    }

    /// Reads a whole batch and hands its operations to the workers; without workers, only the logs
    /// take note of it. Gives the workers that have been woken, one bit each. An operation that does
    /// not follow the format, or is for a connection that has gone, is left out: [`Self::faults`].
    pub fn apply(&mut self, batch: &[u8], runtime: Option<&Runtime>) -> u32 {
        let directory = Arc::clone(&self.directory);
        let mut population = directory.lock();
        self.read_into(&mut population, batch);
        let woken = self.hand_over(batch, runtime);
        drop(population);
        self.publishers.notify();
        woken
    }

    /// Takes bytes of a message of the next batch, which names them by the number that this gives. They are copied once
    /// then, where those in a batch are copied twice.
    pub fn attach(&mut self, bytes: &[u8]) -> u32 {
        self.attached.push(RefCell::new(Some(Bytes::copy_from_slice(bytes))));
        u32::try_from(self.attached.len() - 1).unwrap_or(u32::MAX)
    }

    /// Reads a whole batch; what it asks of the workers stays here, up to [`drain`](Self::drain).
    pub fn read(&mut self, batch: &[u8]) {
        let directory = Arc::clone(&self.directory);
        self.read_into(&mut directory.lock(), batch);
    }

    fn read_into(&mut self, population: &mut Population, batch: &[u8]) {
        let mut attached = std::mem::take(&mut self.attached);
        self.read_with(population, batch, &attached);
        attached.clear();
        self.attached = attached;
    }

    fn read_with(&mut self, population: &mut Population, batch: &[u8], attached: &Attached) {
        let mut frames = Reader::new(batch, attached);
        while !frames.is_empty() {
            let start = frames.at();
            let Ok(frame) = frames.bytes() else {
                self.faults.unreadable += 1; // where the next one begins is not known either
                break;
            };
            let place = start..frames.at();
            match self.operation(population, &mut Reader::new(frame, attached), place) {
                Ok(()) => {}
                Err(LeftOut::Unreadable) => self.faults.unreadable += 1,
                Err(LeftOut::Stale) => self.faults.stale += 1,
            }
        }
    }

    /// Gives what has been read of `batch` to `each`, in order, with the worker that it is for.
    pub fn drain(&mut self, batch: &[u8], mut each: impl FnMut(usize, Operation<'_>)) {
        for (worker, sorted) in self.batches.iter_mut().enumerate() {
            sorted.drain(batch, |operation| each(worker, operation));
        }
    }

    fn hand_over(&mut self, batch: &[u8], runtime: Option<&Runtime>) -> u32 {
        let mut woken = 0;
        for (worker, sorted) in self.batches.iter_mut().enumerate() {
            let Some(runtime) = runtime else {
                sorted.clear();
                continue;
            };
            if self.compresses && sorted.is_large() {
                sorted.leave_to_worker();
            }
            if !sorted.is_empty() && runtime.hand_over(worker, sorted, batch) {
                woken |= 1 << worker;
            }
        }
        woken
    }

    /// Carries out one operation, which stands at `place` of the batch.
    #[expect(clippy::too_many_lines, reason = "an arm for each kind")]
    fn operation(
        &mut self,
        population: &mut Population,
        reader: &mut Reader<'_>,
        place: Range<usize>,
    ) -> Result {
        match OperationKind::read(reader.u8()?).ok_or(Unreadable)? {
            OperationKind::Send => {
                let handle = known(population, reader)?;
                self.send_text(handle, reader, place)
            }
            OperationKind::SendMessages => {
                let handle = known(population, reader)?;
                let flags = reader.u8()?;
                let messages = reader.messages()?;
                self.command(handle, Command::Send { slot: handle.slot(), flags, messages })
            }
            OperationKind::Broadcast => self.broadcast(population, reader).map(drop),
            OperationKind::Join => {
                let handle = known(population, reader)?;
                if population.rooms.join(reader.room()?, handle) {
                    population.handles.note_joined(handle);
                }
                Ok(())
            }
            OperationKind::Leave => {
                let handle = known(population, reader)?;
                if population.rooms.leave(reader.room()?, handle) {
                    population.handles.note_left(handle);
                }
                Ok(())
            }
            OperationKind::Joined => {
                let handle = known(population, reader)?;
                self.command(handle, Command::Joined { slot: handle.slot() })
            }
            OperationKind::Close => {
                let handle = known(population, reader)?;
                let discard = reader.u8()? != 0;
                self.command(handle, Command::Close { slot: handle.slot(), discard })
            }
            OperationKind::Release => {
                let handle = known(population, reader)?;
                self.release(population, handle)
            }
            OperationKind::Observe => {
                let handle = known(population, reader)?;
                let mask = reader.u8()?;
                self.command(handle, Command::Observe { slot: handle.slot(), mask })
            }
            OperationKind::SendRaw => {
                let handle = known(population, reader)?;
                self.send_raw(handle, reader)
            }
            OperationKind::Fence => {
                let handle = known(population, reader)?;
                self.command(handle, Command::Fence { slot: handle.slot() })
            }
            OperationKind::Multicast => self.multicast(population, reader),
            OperationKind::SendPacket => {
                let handle = known(population, reader)?;
                let flags = reader.u8()?;
                let packet = String::from_utf8_lossy(reader.bytes()?).into_owned();
                self.command(handle, Command::SendPacket { slot: handle.slot(), flags, packet })
            }
            OperationKind::Keep => {
                let log = reader.u32()?;
                let time = reader.u64()?;
                let rooms = reader.kept_rooms()?;
                let except = reader.kept_rooms()?;
                let messages = self.broadcast(population, reader)?;
                let size = messages.iter().map(Outgoing::len).sum();
                self.logs.store(log, StoredPacket { time, rooms, except, messages, size });
                Ok(())
            }
            OperationKind::Replay => {
                let handle = known(population, reader)?;
                let slot = handle.slot();
                let missed = self.logs.missed(reader.u32()?, reader.u64()?, reader.u64()?);
                let command = match missed {
                    Some(messages) => Command::Send { slot, flags: 0, messages },
                    // Gone since the session was found. The client comes back, and begins anew.
                    None => Command::Close { slot, discard: false },
                };
                self.command(handle, command)
            }
            OperationKind::NameRoom => {
                let (cluster, name) = (reader.u32()?, reader.name()?);
                population.name(cluster, name, Target::Room(reader.room()?));
                Ok(())
            }
            OperationKind::NameSocket => {
                let (cluster, name) = (reader.u32()?, reader.name()?);
                population.name(cluster, name, Target::Socket(known(population, reader)?));
                Ok(())
            }
            OperationKind::Unname => {
                population.unname(reader.u32()?, reader.name()?);
                Ok(())
            }
            OperationKind::NameEveryone => {
                population.name_everyone(reader.u32()?, reader.room()?);
                Ok(())
            }
            OperationKind::Direct => {
                population.direct(reader.u32()?, reader.u32()?);
                Ok(())
            }
            OperationKind::Indirect => {
                population.indirect(reader.u32()?);
                Ok(())
            }
            OperationKind::Subscribe => {
                self.publishers.subscribe(reader.u32()?, reader.str()?, true);
                Ok(())
            }
            OperationKind::Unsubscribe => {
                self.publishers.subscribe(reader.u32()?, reader.str()?, false);
                Ok(())
            }
            OperationKind::Publish => {
                let (cluster, channel) = (reader.u32()?, reader.str()?);
                self.publishers.publish(cluster, channel, reader.payload()?);
                Ok(())
            }
            OperationKind::HandOver => {
                let handle = known(population, reader)?;
                let number = reader.u32()?;
                let blob = reader.bytes()?.to_vec();
                let channel = self.channels.get(&number).ok_or(Unreadable)?;
                let (slot, channel) = (handle.slot(), Arc::clone(channel));
                self.command(handle, Command::HandOver { slot, channel, blob })
            }
            OperationKind::ReadOn => {
                let handle = known(population, reader)?;
                self.command(handle, Command::ReadOn { slot: handle.slot() })
            }
            OperationKind::BroadcastCluster => {
                let (cluster, channel) = (reader.u32()?, reader.str()?);
                let options = reader.bytes()?.into();
                let (flags, messages) = self.read_broadcast(population, reader)?;
                let told = Arc::clone(&messages);
                if !self.publishers.broadcast(cluster, channel, told, options) {
                    self.fan_out(population, flags, &messages)?;
                }
                Ok(())
            }
            OperationKind::AddEntry => {
                let (cluster, token, kind) = (reader.u32()?, reader.u32()?, reader.u8()?);
                self.publishers.add(cluster, token, kind, reader.payload()?);
                Ok(())
            }
            OperationKind::KeepSession => {
                let (cluster, key, time) = (reader.u32()?, reader.str()?, reader.u64()?);
                self.publishers.keep(cluster, key, time, reader.payload()?);
                Ok(())
            }
            OperationKind::LetIn => {
                let handle = known(population, reader)?;
                let slot = handle.slot();
                let (cluster, number, handled) = (reader.u32()?, reader.u32()?, reader.u32()?);
                let missed =
                    population.returning(cluster).and_then(|it| it.let_in(number, handled));
                let command = match missed {
                    Some(missed) => {
                        let messages = missed.iter().flat_map(|messages| messages.iter().cloned());
                        Command::Send { slot, flags: 0, messages: messages.collect() }
                    }
                    // More than is kept. The client comes back, and begins anew.
                    None => Command::Close { slot, discard: false },
                };
                self.command(handle, command)
            }
        }
    }

    /// JavaScript has no more use for a closed connection.
    fn release(&mut self, population: &mut Population, handle: Handle) -> Result {
        let rooms = population.handles.release(handle).ok_or(LeftOut::Stale)?;
        if rooms > 0 {
            // It should have left them: this is an error of ours.
            self.faults.rooms_left += population.rooms.leave_all(handle) as u64;
        }
        self.command(handle, Command::Release { slot: handle.slot() })
    }

    /// Sends a packet without attachments to one client.
    fn send_text(
        &mut self,
        handle: Handle,
        reader: &mut Reader<'_>,
        place: Range<usize>,
    ) -> Result {
        let flags = reader.u8()?;
        let slot = handle.slot();
        match reader.text()? {
            TextOperand::Whole(_) => self.batch(handle)?.lend(place),
            TextOperand::Parted(size) if size <= COPY_LIMIT => {
                let batch = self.batch(handle)?;
                batch.send_text_with(slot, flags, |out| reader.parts(out))?;
            }
            TextOperand::Parted(size) => {
                let messages = vec![reader.join(size)?];
                self.command(handle, Command::Send { slot, flags, messages })?;
            }
        }
        Ok(())
    }

    /// Sends an Engine.IO message as it is to one client.
    fn send_raw(&mut self, handle: Handle, reader: &mut Reader<'_>) -> Result {
        let flags = reader.u8()?;
        let binary = reader.u8()? != 0;
        let data = reader.bytes()?;
        let slot = handle.slot();
        if binary {
            let messages = vec![Outgoing::Binary(Bytes::copy_from_slice(data))];
            return self.command(handle, Command::Send { slot, flags, messages });
        }
        self.batch(handle)?.send_text(slot, flags, data);
        Ok(())
    }

    /// Sends a packet to its targets; gives its messages.
    fn broadcast(
        &mut self,
        population: &mut Population,
        reader: &mut Reader<'_>,
    ) -> Result<Messages> {
        let (flags, messages) = self.read_broadcast(population, reader)?;
        self.fan_out(population, flags, &messages)?;
        Ok(messages)
    }

    /// Reads a packet and its targets; gives its flags and messages.
    fn read_broadcast(
        &mut self,
        population: &Population,
        reader: &mut Reader<'_>,
    ) -> Result<(u8, Messages)> {
        let flags = reader.u8()?;
        reader.targets(&mut self.targets)?;
        reader.targets(&mut self.excepted)?;
        let messages = reader.shared_messages()?;
        self.forget_stale_targets(population);
        Ok((flags, messages))
    }

    /// Sends it to the targets that have been read.
    fn fan_out(&mut self, population: &Population, flags: u8, messages: &Messages) -> Result {
        let targets = population.rooms.targets(&self.targets, &self.excepted);
        self.audiences.observe(targets.len() as u64);
        for (worker, group) in targets.groups {
            let messages = Arc::clone(messages);
            let command = Command::Broadcast { group, flags, messages };
            self.batches.get_mut(worker).ok_or(Unreadable)?.command(command);
        }
        Ok(())
    }

    /// A broadcast whose targets JavaScript has named one by one. A target that is named twice gets two
    /// copies.
    fn multicast(&mut self, population: &Population, reader: &mut Reader<'_>) -> Result {
        let flags = reader.u8()?;
        let messages = reader.shared_messages()?;
        let mut members: Vec<Vec<Slot>> = vec![Vec::new(); self.batches.len()];
        for _ in 0..reader.u32()? {
            let handle = reader.handle()?;
            if population.handles.is_known(handle) {
                members.get_mut(handle.worker()).ok_or(Unreadable)?.push(handle.slot());
            } else {
                self.faults.stale += 1;
            }
        }
        self.audiences.observe(members.iter().map(|members| members.len() as u64).sum());
        for (batch, members) in self.batches.iter_mut().zip(members) {
            if members.is_empty() {
                continue;
            }
            let group = Group { members: Arc::new(members), except: SmallVec::new() };
            let messages = Arc::clone(&messages);
            batch.command(Command::Broadcast { group, flags, messages });
        }
        Ok(())
    }

    /// Leaves out targets that are connections which have gone.
    fn forget_stale_targets(&mut self, population: &Population) {
        let Self { targets, excepted, faults, .. } = self;
        for list in [targets, excepted] {
            list.retain(|target| {
                let Target::Socket(handle) = *target else { return true };
                let known = population.handles.is_known(handle);
                faults.stale += u64::from(!known);
                known
            });
        }
    }

    fn batch(&mut self, handle: Handle) -> Result<&mut OperationBatch> {
        self.batches.get_mut(handle.worker()).ok_or(LeftOut::Unreadable)
    }

    fn command(&mut self, handle: Handle, command: Command) -> Result {
        self.batch(handle)?.command(command);
        Ok(())
    }
}

/// Reads for whom an operation is.
fn known(population: &Population, reader: &mut Reader<'_>) -> Result<Handle> {
    let handle = reader.handle()?;
    if population.handles.is_known(handle) { Ok(handle) } else { Err(LeftOut::Stale) }
}
