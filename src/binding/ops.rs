//! The batch down: what one tick of JavaScript asks for, as bytes.
//!
//! Little-endian, packed. `text` and `bytes` are preceded by their length (`u32`).
//!
//! | op | | operands |
//! |---|---|---|
//! | 1 | send | handle `u32`, flags `u8`, text |
//! | 2 | send with attachments | handle, flags, messages |
//! | 3 | broadcast | flags, count `u32`, target `u32`…, count, excepted target…, messages |
//! | 4 | join | handle, room `u32` |
//! | 5 | leave | handle, room |
//! | 6 | joined a namespace | handle |
//! | 7 | close | handle, discard `u8` |
//! | 8 | release | handle |
//! | 9 | watch | handle, mask `u8` |
//! | 10 | send raw | handle, flags, binary `u8`, bytes |
//! | 11 | mark | handle |
//! | 12 | multicast | flags, messages, count, handle… |
//! | 13 | send packet | handle, flags, text: the packet's digit and its data |
//! | 14 | broadcast and keep | log `u32`, time `u64`, count, room…, count, excepted room…, as 3 |
//! | 15 | send what was missed | handle, log, session `u64`, packet `u64` |
//!
//! `messages` are one message, a count, and so many more messages. The length before a message has
//! its top bit set when the message is binary.
//!
//! A text of which some arguments are long strings comes in parts: all bits of its length are set,
//! and then stand the bytes that it will take (about), the number of strings, JSON, and for each
//! string its form (`u8`: 0 ASCII, 1 UTF-16), the string as it is, and the JSON behind it. The
//! strings become JSON here: `JSON.stringify` would take 20 times as long for them.
//!
//! A target is a room, or a handle with the top bit set. Rooms live here, on the JavaScript
//! thread: a broadcast is turned into snapshots of the members, one per worker, at its place in
//! the order of operations. The rooms that a log of connection state recovery knows have numbers of
//! their own.

mod reader;

use std::sync::Arc;

use bytes::Bytes;
use smallvec::SmallVec;

use self::reader::{Reader, Text};
use super::error::BorderError;
use super::logs::{Logs, Messages};
use crate::id::Handle;
use crate::net::command::{Command, Outgoing};
use crate::net::mailbox::Batch;
use crate::net::runtime::Runtime;
use crate::socketio::recovery::packets::StoredPacket;
use crate::socketio::{Group, Rooms, Target};

/// A text up to this size is copied once more, among others; a larger one is memory of its own.
const COPY_LIMIT: usize = 8 << 10;

/// Applies batches: keeps the rooms and the logs, and sorts operations by worker.
#[derive(Debug, Default)]
pub struct Operations {
    rooms: Rooms,
    /// The logs of connection state recovery.
    pub(super) logs: Logs,
    /// One batch per worker, filled while a batch is read.
    batches: Vec<Batch>,
    targets: Vec<Target>,
    excepted: Vec<Target>,
}

impl Operations {
    /// From now on operations are sorted to `workers` new workers. They have no connections, so
    /// rooms begin anew; what the logs hold stays.
    pub fn restart(&mut self, workers: usize) {
        self.rooms = Rooms::new(workers);
        self.batches = (0..workers).map(|_| Batch::default()).collect();
    }

    /// Number of rooms with members.
    pub fn rooms(&self) -> usize {
        self.rooms.len()
    }

    /// Reads a whole batch and hands its operations to the workers; without workers, only the logs
    /// take note of it. Gives the workers that have been woken, one bit each.
    ///
    /// # Errors
    /// When the batch does not follow the format; what came before the fault is carried out.
    pub fn apply(&mut self, batch: &[u8], runtime: Option<&Runtime>) -> Result<u32, BorderError> {
        let mut reader = Reader::new(batch);
        let mut result = Ok(0);
        while !reader.is_empty() {
            let at = reader.at;
            let op = reader.u8().unwrap_or(0);
            if self.operation(op, &mut reader).is_none() {
                result = Err(BorderError::MalformedBatch { op, at });
                break;
            }
        }
        for (worker, batch) in self.batches.iter_mut().enumerate() {
            let Some(runtime) = runtime else {
                *batch = Batch::default();
                continue;
            };
            if !batch.is_empty()
                && runtime.hand_over(worker, batch)
                && let Ok(woken) = &mut result
            {
                *woken |= 1 << worker;
            }
        }
        result
    }

    fn operation(&mut self, op: u8, reader: &mut Reader<'_>) -> Option<()> {
        match op {
            1 => {
                self.send_text(reader)?;
            }
            2 => {
                let handle = reader.handle()?;
                let flags = reader.u8()?;
                let messages = reader.messages()?;
                self.command(handle, Command::Send { slot: handle.slot(), flags, messages })?;
            }
            3 => {
                self.broadcast(reader)?;
            }
            4 => {
                let handle = reader.handle()?;
                self.rooms.join(reader.u32()?, handle);
            }
            5 => {
                let handle = reader.handle()?;
                self.rooms.leave(reader.u32()?, handle);
            }
            6 => {
                let handle = reader.handle()?;
                self.command(handle, Command::Joined { slot: handle.slot() })?;
            }
            7 => {
                let handle = reader.handle()?;
                let discard = reader.u8()? != 0;
                self.command(handle, Command::Close { slot: handle.slot(), discard })?;
            }
            8 => {
                let handle = reader.handle()?;
                self.command(handle, Command::Release { slot: handle.slot() })?;
            }
            9 => {
                let handle = reader.handle()?;
                let mask = reader.u8()?;
                self.command(handle, Command::Watch { slot: handle.slot(), mask })?;
            }
            10 => {
                let handle = reader.handle()?;
                let flags = reader.u8()?;
                let binary = reader.u8()? != 0;
                let data = reader.bytes()?;
                if binary {
                    let messages = vec![Outgoing::Binary(Bytes::copy_from_slice(data))];
                    self.command(handle, Command::Send { slot: handle.slot(), flags, messages })?;
                } else {
                    self.batch(handle)?.send_text(handle.slot(), flags, data);
                }
            }
            11 => {
                let handle = reader.handle()?;
                self.command(handle, Command::Mark { slot: handle.slot() })?;
            }
            12 => {
                let flags = reader.u8()?;
                let messages = reader.shared_messages()?;
                self.multicast(flags, &messages, reader)?;
            }
            13 => {
                let handle = reader.handle()?;
                let flags = reader.u8()?;
                let packet = String::from_utf8_lossy(reader.bytes()?).into_owned();
                self.command(handle, Command::SendPacket { slot: handle.slot(), flags, packet })?;
            }
            14 => {
                let log = reader.u32()?;
                let time = reader.u64()?;
                let rooms = reader.rooms()?;
                let except = reader.rooms()?;
                let messages = self.broadcast(reader)?;
                let size = messages.iter().map(Outgoing::len).sum();
                self.logs.store(log, StoredPacket { time, rooms, except, messages, size });
            }
            15 => {
                let handle = reader.handle()?;
                let slot = handle.slot();
                let missed = self.logs.missed(reader.u32()?, reader.u64()?, reader.u64()?);
                let command = match missed {
                    Some(messages) => Command::Send { slot, flags: 0, messages },
                    // Gone since the session was found. The client comes back, and begins anew.
                    None => Command::Close { slot, discard: false },
                };
                self.command(handle, command)?;
            }
            _ => return None,
        }
        Some(())
    }

    /// Sends a packet without attachments to one client.
    fn send_text(&mut self, reader: &mut Reader<'_>) -> Option<()> {
        let handle = reader.handle()?;
        let flags = reader.u8()?;
        let slot = handle.slot();
        match reader.text()? {
            Text::Whole(text) => self.batch(handle)?.send_text(slot, flags, text),
            Text::Parted(size) if size <= COPY_LIMIT => {
                let batch = self.batch(handle)?;
                batch.send_text_with(slot, flags, |out| reader.parts(out))?;
            }
            Text::Parted(size) => {
                let messages = vec![reader.join(size)?];
                self.command(handle, Command::Send { slot, flags, messages })?;
            }
        }
        Some(())
    }

    /// Sends a packet to whom it names; gives its messages.
    fn broadcast(&mut self, reader: &mut Reader<'_>) -> Option<Messages> {
        let flags = reader.u8()?;
        reader.targets(&mut self.targets)?;
        reader.targets(&mut self.excepted)?;
        let messages = reader.shared_messages()?;
        let targets = self.rooms.targets(&self.targets, &self.excepted);
        for (worker, group) in targets.groups {
            let messages = Arc::clone(&messages);
            let command = Command::Broadcast { group, flags, messages };
            self.batches.get_mut(worker)?.command(command);
        }
        Some(messages)
    }

    /// A broadcast whose targets JavaScript has named one by one: each entry is one copy, even if
    /// it comes twice.
    fn multicast(&mut self, flags: u8, messages: &Messages, reader: &mut Reader<'_>) -> Option<()> {
        let mut members = vec![Vec::new(); self.batches.len()];
        for _ in 0..reader.u32()? {
            let handle = reader.handle()?;
            members.get_mut(handle.worker())?.push(handle.slot());
        }
        for (batch, members) in self.batches.iter_mut().zip(members) {
            if members.is_empty() {
                continue;
            }
            let group = Group { members: Arc::new(members), except: SmallVec::new() };
            let messages = Arc::clone(messages);
            batch.command(Command::Broadcast { group, flags, messages });
        }
        Some(())
    }

    fn batch(&mut self, handle: Handle) -> Option<&mut Batch> {
        self.batches.get_mut(handle.worker())
    }

    fn command(&mut self, handle: Handle, command: Command) -> Option<()> {
        self.batch(handle)?.command(command);
        Some(())
    }
}
