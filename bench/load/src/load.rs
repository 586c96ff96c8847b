//! The loop: connects, sends, counts.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use mio::{Events, Poll, Token};

use crate::config::{Config, Mode};
use crate::connection::{Connection, Event, State};
use crate::frame;
use crate::process::{self, Cpu};
use crate::report::Report;

/// One read takes at most this much: enough that a broadcast's backlog is few calls.
const SCRATCH: usize = 256 * 1024;
/// How long the loop waits at most when nothing is due.
const IDLE_WAIT: Duration = Duration::from_millis(50);
/// How long it waits between paced events: short against the latencies that are measured.
const PACED_WAIT: Duration = Duration::from_micros(200);

/// Where a run is.
///
/// ```text
/// Ramping ──all connected (a storm: at once)──► Warming ──`warm`──► Measuring ──`secs`──► report
/// ```
#[derive(Clone, Copy, Debug)]
enum Phase {
    Ramping,
    Warming { since: Instant },
    Measuring { since: Instant, count: u64, server: Cpu, client: Cpu },
}

/// A broadcast that is under way.
#[derive(Debug)]
struct Broadcast {
    sent: Instant,
    /// The connections that do not have it yet.
    missing: usize,
}

struct Load<'a> {
    config: &'a Config,
    poll: Poll,
    connections: Vec<Connection>,
    scratch: Vec<u8>,
    /// The frame of each event.
    message: Vec<u8>,
    phase: Phase,
    /// Connects under way.
    connecting: usize,
    ready: usize,
    count: u64,
    latencies: Vec<u32>,
    broadcasts: VecDeque<Broadcast>,
    /// How many broadcasts are over.
    broadcasts_done: u64,
    /// When the next paced event is due, and whose it is.
    next_paced: Instant,
    next_sender: usize,
}

/// Runs the load; the error is for people.
pub(crate) fn run(config: &Config) -> Result<Report, String> {
    let began = Instant::now();
    let resident_before = process::resident_kib(config.pid)?;
    let mut load = Load::new(config)?;
    let mut events = Events::with_capacity(4096);
    let mut ramp = Duration::ZERO;
    loop {
        load.connect_more()?;
        let paced = config.is_paced() && !matches!(load.phase, Phase::Ramping);
        let wait = if paced { PACED_WAIT } else { IDLE_WAIT };
        match load.poll.poll(&mut events, Some(wait)) {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            outcome => outcome.map_err(|error| format!("poll: {error}"))?,
        }
        for event in &events {
            load.handle(event)?;
        }
        if began.elapsed() > config.limit {
            let (ready, all) = (load.ready, config.connections);
            return Err(format!("gave up after {:?}: {ready} of {all} connected", config.limit));
        }
        match load.phase {
            Phase::Ramping => {
                if config.mode == Mode::Storm || load.ready == config.connections {
                    ramp = began.elapsed();
                    load.start()?;
                }
            }
            Phase::Warming { since } => {
                if since.elapsed() >= config.warm {
                    load.phase = Phase::Measuring {
                        since: Instant::now(),
                        count: load.count,
                        server: Cpu::of(config.pid)?,
                        client: Cpu::of(std::process::id())?,
                    };
                }
            }
            Phase::Measuring { since, count, server, client } => {
                let measured = since.elapsed();
                if measured >= config.measured {
                    load.latencies.sort_unstable();
                    return Ok(Report {
                        mode: config.mode,
                        connections: config.connections,
                        ramp,
                        measured,
                        count: load.count - count,
                        server: Cpu::of(config.pid)?.since(server),
                        client: Cpu::of(std::process::id())?.since(client),
                        resident: (resident_before, process::resident_kib(config.pid)?),
                        latencies: load.latencies,
                    });
                }
            }
        }
        if !matches!(load.phase, Phase::Ramping) {
            load.send_due()?;
        }
    }
}

impl<'a> Load<'a> {
    fn new(config: &'a Config) -> Result<Self, String> {
        let mut message = Vec::new();
        frame::push(&mut message, frame::TEXT, config.packet().as_bytes());
        Ok(Self {
            config,
            poll: Poll::new().map_err(|error| format!("epoll: {error}"))?,
            connections: Vec::with_capacity(config.connections),
            scratch: vec![0; SCRATCH],
            message,
            phase: Phase::Ramping,
            connecting: 0,
            ready: 0,
            count: 0,
            latencies: Vec::with_capacity(1 << 20),
            broadcasts: VecDeque::new(),
            broadcasts_done: 0,
            next_paced: Instant::now(),
            next_sender: 0,
        })
    }

    fn connect_more(&mut self) -> Result<(), String> {
        let at_once = match self.config.mode {
            Mode::Storm => self.config.connections,
            _ => self.config.ramp,
        };
        while self.connections.len() < self.config.connections && self.connecting < at_once {
            let connection = self.open(self.connections.len())?;
            self.connections.push(connection);
        }
        Ok(())
    }

    fn open(&mut self, index: usize) -> Result<Connection, String> {
        self.connecting += 1;
        Connection::open(self.poll.registry(), Token(index), self.config.port)
            .map_err(|error| format!("connection {index}: {error} (see ulimit -n)"))
    }

    /// Deals with what a stream is ready for. A failure of any connection fails the run: figures of a
    /// server that loses some would not compare.
    fn handle(&mut self, event: &mio::event::Event) -> Result<(), String> {
        let index = event.token().0;
        if self.connections[index].state() == State::Dead {
            return Ok(());
        }
        self.advance(index, event).map_err(|error| format!("connection {index}: {error}"))
    }

    fn advance(&mut self, index: usize, event: &mio::event::Event) -> std::io::Result<()> {
        let connection = &mut self.connections[index];
        if event.is_writable() {
            connection.handle_writable(self.poll.registry())?;
        }
        if !event.is_readable() {
            return Ok(());
        }
        connection.handle_readable(&mut self.scratch)?;
        while let Some(event) = self.connections[index].next_event()? {
            match event {
                Event::Joined => {
                    self.connecting -= 1;
                    self.ready += 1;
                    if self.config.mode == Mode::Storm {
                        return self.replace(index);
                    }
                }
                Event::Message => self.handle_message(index),
            }
        }
        self.connections[index].flush(self.poll.registry())
    }

    /// Counts a message, and sends the next one of its connection.
    fn handle_message(&mut self, index: usize) {
        self.count += 1;
        let now = Instant::now();
        let connection = &mut self.connections[index];
        match self.config.mode {
            Mode::Echo | Mode::Ack => {
                if let Some(sent) = connection.sent.pop_front() {
                    if !self.config.is_paced() {
                        connection.sent.push_back(now);
                        connection.queue(&self.message);
                    }
                    self.record(sent, now);
                }
            }
            Mode::Broadcast => {
                // Each connection gets the broadcasts in order: its n-th message is the n-th of them.
                let nth = connection.received - 1 - self.broadcasts_done;
                if let Some(broadcast) = self.broadcasts.get_mut(nth as usize) {
                    broadcast.missing -= 1;
                }
                while self.broadcasts.front().is_some_and(|broadcast| broadcast.missing == 0) {
                    self.broadcasts_done += 1;
                    if let Some(broadcast) = self.broadcasts.pop_front() {
                        self.record(broadcast.sent, now);
                    }
                }
            }
            Mode::Idle | Mode::Storm => {}
        }
    }

    /// Counts a connect of a storm, and puts a new one in its place.
    fn replace(&mut self, index: usize) -> std::io::Result<()> {
        self.count += 1;
        let now = Instant::now();
        self.record(self.connections[index].began, now);
        self.connections[index].kill(self.poll.registry());
        self.connections[index] = self.open(index).map_err(std::io::Error::other)?;
        Ok(())
    }

    fn record(&mut self, sent: Instant, now: Instant) {
        if let Phase::Measuring { .. } = self.phase {
            self.latencies.push(now.saturating_duration_since(sent).as_micros() as u32);
        }
    }

    /// Everybody is there: the first events.
    fn start(&mut self) -> Result<(), String> {
        let now = Instant::now();
        self.phase = Phase::Warming { since: now };
        self.next_paced = now;
        if matches!(self.config.mode, Mode::Echo | Mode::Ack) && !self.config.is_paced() {
            for index in 0..self.connections.len() {
                for _ in 0..self.config.depth {
                    self.connections[index].sent.push_back(now);
                    self.connections[index].queue(&self.message);
                }
                self.flush(index)?;
            }
        }
        Ok(())
    }

    /// Sends what is due without an answer: paced events, broadcasts.
    fn send_due(&mut self) -> Result<(), String> {
        if self.config.is_paced() {
            let now = Instant::now();
            let gap = Duration::from_secs_f64(1.0 / self.config.rate);
            while self.next_paced <= now {
                let index = self.next_sender;
                self.next_sender = (index + 1) % self.connections.len();
                self.connections[index].sent.push_back(self.next_paced);
                self.connections[index].queue(&self.message);
                self.flush(index)?;
                self.next_paced += gap;
            }
        }
        if self.config.mode == Mode::Broadcast {
            while self.broadcasts.len() < self.config.window {
                let sent = Instant::now();
                self.broadcasts.push_back(Broadcast { sent, missing: self.ready });
                self.connections[0].queue(&self.message);
            }
            self.flush(0)?;
        }
        Ok(())
    }

    fn flush(&mut self, index: usize) -> Result<(), String> {
        self.connections[index]
            .flush(self.poll.registry())
            .map_err(|error| format!("connection {index}: {error}"))
    }
}
