//! The loop: connects, sends, counts.

use std::io;
use std::time::{Duration, Instant};

use mio::{Events, Poll};

use crate::client::{self, Client, Route};
use crate::config::{Config, Mode};
use crate::groups::Groups;
use crate::message::Message;
use crate::pacer::{Pacer, TIMER};
use crate::process::{self, Cpu};
use crate::redis::{Publisher, REDIS};
use crate::report::Report;
use crate::session::{Entry, Event};

/// One read takes at most this much: enough that a broadcast's backlog is few calls.
const SCRATCH: usize = 256 * 1024;
/// How long the loop waits at most when nothing is due.
const IDLE_WAIT: Duration = Duration::from_millis(50);
/// How often it looks at the server's memory, which goes up and down with the collections of its garbage.
const MEMORY_INTERVAL: Duration = Duration::from_millis(200);

/// Where a run is.
///
/// ```text
/// Ramping ──all connected (a storm: at once)──► Warming ──`warm`──► Measuring ──`secs`──► report
///                                                idle: Warming ──► Collecting ──ack──► Measuring
/// ```
#[derive(Clone, Copy, Debug)]
enum Phase {
    Ramping,
    Warming { since: Instant },
    Measuring { since: Instant, count: u64, server: Cpu, client: Cpu },
    Collecting,
    Over,
}

struct Load<'a> {
    config: &'a Config,
    began: Instant,
    last_event: Instant,
    resident_before: f64,
    poll: Poll,
    clients: Vec<Client>,
    scratch: Vec<u8>,
    /// What each client sends: one for all, or one each.
    messages: Vec<Message>,
    phase: Phase,
    ramp: Duration,
    /// Connects under way.
    connecting: usize,
    ready: usize,
    count: u64,
    lost: u64,
    /// Deliveries of volatile events that should come.
    due: u64,
    /// The server's memory as it was now and then, in KiB.
    resident: Vec<f64>,
    latencies: Vec<u32>,
    groups: Groups,
    /// What brings remote broadcasts.
    publisher: Option<Publisher>,
    /// The commands for it, one for each room; the last one is for a room of nobody.
    commands: Vec<Vec<u8>>,
    /// When paced events are due.
    pacer: Option<Pacer>,
    /// Whose the next one is.
    next_sender: usize,
    /// How late they went out, in microseconds: what the generator itself adds to the latencies.
    lateness: Vec<u32>,
    report: Option<Report>,
}

/// Runs the load; the error is for people.
pub(crate) fn run(config: &Config) -> Result<Report, String> {
    let mut load = Load::new(config)?;
    let mut events = Events::with_capacity(4096);
    loop {
        load.connect_more()?;
        let spins = load.last_event.elapsed() < config.spin;
        let wait = if spins { Duration::ZERO } else { IDLE_WAIT };
        match load.poll.poll(&mut events, Some(wait)) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            outcome => outcome.map_err(|error| format!("poll: {error}"))?,
        }
        if !events.is_empty() {
            load.last_event = Instant::now();
        }
        for event in events.iter().filter(|event| event.token() != TIMER) {
            if event.token() == REDIS {
                load.handle_redis(event)?;
            } else {
                load.handle(event)?;
            }
        }
        if load.began.elapsed() > config.limit + config.warm + config.measured {
            let (ready, all) = (load.ready, config.connections);
            return Err(format!("gave up after {:?}: {ready} of {all} connected", config.limit));
        }
        load.go_on()?;
        if matches!(load.phase, Phase::Over)
            && let Some(report) = load.report.take()
        {
            return Ok(report);
        }
    }
}

impl<'a> Load<'a> {
    fn new(config: &'a Config) -> Result<Self, String> {
        let messages = match config.mode {
            Mode::Broadcast => config.groups(),
            Mode::Echo | Mode::Ack | Mode::Upload if config.namespaces => config.connections,
            Mode::Echo | Mode::Ack | Mode::Upload => 1,
            _ => 0,
        };
        let poll = Poll::new().map_err(|error| format!("epoll: {error}"))?;
        let pacer = || Pacer::new(poll.registry(), config.pace, config.rate);
        let pacer = config.is_paced().then(pacer).transpose();
        let remote = config.mode == Mode::Remote;
        let publisher = remote.then(|| Publisher::open(poll.registry(), config.redis)).transpose();
        let rooms = 0..if remote { config.groups() } else { 0 };
        let commands = rooms.map(|room| config.remote(room)).chain([config.foreign()]);
        let now = Instant::now();
        Ok(Self {
            config,
            began: now,
            last_event: now,
            resident_before: process::resident_kib(config.pid)?,
            pacer: pacer.map_err(|error| format!("timer: {error}"))?,
            publisher: publisher.map_err(|error| format!("redis: {error}"))?,
            commands: commands.collect(),
            poll,
            clients: Vec::with_capacity(config.connections),
            scratch: vec![0; SCRATCH],
            messages: (0..messages).map(|index| config.message(index)).collect(),
            phase: Phase::Ramping,
            ramp: Duration::ZERO,
            connecting: 0,
            ready: 0,
            count: 0,
            lost: 0,
            due: 0,
            resident: Vec::new(),
            latencies: Vec::with_capacity(1 << 20),
            groups: Groups::new(config),
            next_sender: 0,
            lateness: Vec::new(),
            report: None,
        })
    }

    fn connect_more(&mut self) -> Result<(), String> {
        let all = self.config.connections;
        let at_once = if self.config.is_storm() { all } else { self.config.ramp };
        while self.clients.len() < all && self.connecting < at_once {
            let index = self.clients.len();
            let client = self.open(index, self.config.entry(index));
            self.clients.push(client.map_err(|error| failed(index, &error))?);
        }
        Ok(())
    }

    fn open(&mut self, index: usize, entry: Entry) -> io::Result<Client> {
        self.connecting += 1;
        let Config { port, via, deflate, .. } = *self.config;
        let route = Route { port, via, deflate };
        Client::open(self.poll.registry(), index, route, entry)
    }

    /// Moves to the next phase when it is time, and sends what is due.
    fn go_on(&mut self) -> Result<(), String> {
        match self.phase {
            Phase::Ramping => {
                if self.config.is_storm() || self.ready == self.config.connections {
                    self.ramp = self.began.elapsed();
                    self.start()?;
                }
            }
            Phase::Warming { since } => {
                if since.elapsed() >= self.config.warm {
                    if self.config.mode == Mode::Idle {
                        self.collect()?;
                    } else {
                        self.measure()?;
                    }
                }
            }
            Phase::Measuring { since, count, server, client } => {
                let measured = since.elapsed();
                if measured >= MEMORY_INTERVAL * self.resident.len() as u32 {
                    self.resident.push(process::resident_kib(self.config.pid)?);
                }
                if measured >= self.config.measured {
                    let server = Cpu::of(self.config.pid)?.since(server);
                    let client = Cpu::of(std::process::id())?.since(client);
                    self.finish(measured, self.count - count, server, client)?;
                }
            }
            Phase::Collecting | Phase::Over => {}
        }
        if matches!(self.phase, Phase::Warming { .. } | Phase::Measuring { .. }) {
            self.send_due()?;
        }
        Ok(())
    }

    /// Everybody is there: the first events.
    fn start(&mut self) -> Result<(), String> {
        let now = Instant::now();
        self.phase = Phase::Warming { since: now };
        if let Some(pacer) = &mut self.pacer {
            pacer.start(now);
        }
        if self.config.is_answered() && !self.config.is_paced() {
            for index in 0..self.clients.len() {
                for _ in 0..self.config.depth {
                    self.send(index, now);
                }
                self.flush(index)?;
            }
        }
        Ok(())
    }

    /// Asks the server to collect its garbage: of idle clients, only what they need is of interest.
    fn collect(&mut self) -> Result<(), String> {
        self.phase = Phase::Collecting;
        self.clients[0].queue(&Message::event(&self.config.namespace(0), Some(0), &["gc"]));
        self.flush(0)
    }

    /// Begins the measured time.
    fn measure(&mut self) -> Result<(), String> {
        self.phase = Phase::Measuring {
            since: Instant::now(),
            count: self.count,
            server: Cpu::of(self.config.pid)?,
            client: Cpu::of(std::process::id())?,
        };
        Ok(())
    }

    /// The measured time is over.
    fn finish(
        &mut self,
        measured: Duration,
        count: u64,
        server: Cpu,
        client: Cpu,
    ) -> Result<(), String> {
        self.latencies.sort_unstable();
        self.lateness.sort_unstable();
        self.report = Some(Report {
            mode: self.config.mode_name(),
            connections: self.config.connections,
            ramp: self.ramp,
            measured,
            count,
            server,
            client,
            resident: (self.resident_before, process::resident_kib(self.config.pid)?),
            resident_mean: self.resident.iter().sum::<f64>() / self.resident.len() as f64,
            latencies: std::mem::take(&mut self.latencies),
            lateness: std::mem::take(&mut self.lateness),
            lost: self.lost,
            due: self.due,
        });
        self.phase = Phase::Over;
        Ok(())
    }

    /// Deals with what a stream is ready for. A failure of any client fails the run: figures of a
    /// server that loses some would not compare.
    fn handle(&mut self, ready: &mio::event::Event) -> Result<(), String> {
        let index = client::index_of(ready.token());
        self.advance(index, ready).map_err(|error| failed(index, &error))
    }

    /// The same of the connection to Redis.
    fn handle_redis(&mut self, ready: &mio::event::Event) -> Result<(), String> {
        let Some(publisher) = &mut self.publisher else { return Ok(()) };
        let handled = publisher.handle_ready(self.poll.registry(), ready, &mut self.scratch);
        handled.map_err(|error| format!("redis: {error}"))
    }

    fn advance(&mut self, index: usize, ready: &mio::event::Event) -> io::Result<()> {
        let in_use = index < self.config.connections - self.config.slow;
        if !in_use && !matches!(self.phase, Phase::Ramping) {
            return Ok(());
        }
        self.clients[index].handle_ready(self.poll.registry(), ready, &mut self.scratch)?;
        while let Some(event) = self.clients[index].next_event(self.poll.registry())? {
            match event {
                Event::Joined => {
                    self.connecting -= 1;
                    self.ready += 1;
                    if self.config.is_storm() && self.leave(index)? {
                        return Ok(());
                    }
                }
                Event::Message(stamp) => self.handle_message(index, stamp)?,
                Event::Left => return self.replace(index),
                Event::Probed => {}
            }
        }
        self.clients[index].flush(self.poll.registry())
    }

    /// Counts a message, and sends the next one of its client.
    fn handle_message(&mut self, index: usize, stamp: Option<u64>) -> io::Result<()> {
        if self.config.mode != Mode::Remote {
            self.count += 1;
        }
        let now = Instant::now();
        match self.config.mode {
            Mode::Echo | Mode::Ack | Mode::Upload => {
                if let Some(sent) = self.clients[index].sent.pop_front() {
                    if !self.config.is_paced() {
                        self.send(index, now);
                    }
                    self.record(sent, now);
                }
            }
            Mode::Broadcast | Mode::Remote => {
                let nth = self.clients[index].received - 1;
                if let Some(sent) = self.groups.handle_delivery(index, nth) {
                    if self.config.mode == Mode::Remote {
                        self.count += 1 + self.config.foreign as u64;
                    }
                    self.record(sent, now);
                }
            }
            Mode::Volatile | Mode::Board => {
                if let Some(micros) = stamp {
                    self.record(self.began + Duration::from_micros(micros), now);
                }
            }
            Mode::Idle => {
                if matches!(self.phase, Phase::Collecting) {
                    self.measure().map_err(io::Error::other)?;
                }
            }
            Mode::Storm | Mode::Reconnect => {}
        }
        Ok(())
    }

    /// Counts a connect of a storm, and ends it; `true` when another one has taken its place.
    fn leave(&mut self, index: usize) -> io::Result<bool> {
        let resumes = self.config.mode == Mode::Reconnect;
        if !resumes || self.clients[index].is_recovered() {
            self.count += 1;
            self.record(self.clients[index].began, Instant::now());
        } else if self.clients[index].is_resuming() {
            self.lost += 1;
        }
        // The end of an upgrade is still to be said.
        self.clients[index].flush(self.poll.registry())?;
        let gone = self.clients[index].leave();
        if gone {
            self.replace(index)?;
        }
        Ok(gone)
    }

    /// Puts a new client in the place of one that is gone.
    fn replace(&mut self, index: usize) -> io::Result<()> {
        let mut entry = self.config.entry(index);
        if self.config.mode == Mode::Reconnect {
            entry.resume = self.clients[index].resume();
        }
        self.clients[index].close(self.poll.registry());
        self.clients[index] = self.open(index, entry)?;
        Ok(())
    }

    fn record(&mut self, sent: Instant, now: Instant) {
        if let Phase::Measuring { .. } = self.phase {
            self.latencies.push(since(sent, now));
        }
    }

    /// Sends what is due without an answer: paced events, broadcasts.
    fn send_due(&mut self) -> Result<(), String> {
        let now = Instant::now();
        while let Some(due) = self.pacer.as_mut().and_then(|pacer| pacer.take_due(now)) {
            self.send_paced(due)?;
            if let Phase::Measuring { .. } = self.phase {
                self.lateness.push(since(due, Instant::now()));
            }
        }
        if let Some(pacer) = &mut self.pacer {
            pacer.arm(Instant::now()).map_err(|error| format!("timer: {error}"))?;
        }
        while let Some((sender, count)) = self.groups.next_due(Instant::now()) {
            if self.config.mode == Mode::Remote {
                self.publish(sender, count)?;
                continue;
            }
            for _ in 0..count {
                self.clients[sender].queue(&self.messages[sender]);
            }
            self.flush(sender)?;
        }
        Ok(())
    }

    /// Publishes broadcasts for a room, each behind those that concern nobody.
    fn publish(&mut self, room: usize, count: usize) -> Result<(), String> {
        let Some(publisher) = &mut self.publisher else { return Ok(()) };
        let elsewhere = self.commands.len() - 1;
        for _ in 0..count {
            for _ in 0..self.config.foreign {
                publisher.queue(&self.commands[elsewhere]);
            }
            publisher.queue(&self.commands[room]);
        }
        publisher.flush(self.poll.registry()).map_err(|error| format!("redis: {error}"))
    }

    /// Sends an event that was due at a time.
    fn send_paced(&mut self, due: Instant) -> Result<(), String> {
        if matches!(self.config.mode, Mode::Volatile | Mode::Board) {
            let sender = if self.config.mode == Mode::Board { self.next_sender } else { 0 };
            self.next_sender = (sender + 1) % self.clients.len();
            if let Phase::Measuring { .. } = self.phase {
                self.due += (self.clients.len() - self.config.slow) as u64;
            }
            let micros = due.duration_since(self.began).as_micros();
            self.clients[sender].queue(&self.config.stamped(micros as u64));
            return self.flush(sender);
        }
        if self.config.mode == Mode::Remote {
            let room = self.groups.begin(self.next_sender, due);
            self.next_sender += 1;
            return self.publish(room, 1);
        }
        let index = self.next_sender;
        self.next_sender = (index + 1) % self.clients.len();
        self.send(index, due);
        self.flush(index)
    }

    /// Queues the message of a client, for [`Self::flush`].
    fn send(&mut self, index: usize, sent: Instant) {
        let message = if self.config.namespaces { index } else { 0 };
        let client = &mut self.clients[index];
        client.sent.push_back(sent);
        client.queue(&self.messages[message]);
    }

    fn flush(&mut self, index: usize) -> Result<(), String> {
        self.clients[index].flush(self.poll.registry()).map_err(|error| failed(index, &error))
    }
}

/// Microseconds from one time to another.
fn since(earlier: Instant, later: Instant) -> u32 {
    later.saturating_duration_since(earlier).as_micros() as u32
}

fn failed(index: usize, error: &io::Error) -> String {
    format!("client {index}: {error}")
}
