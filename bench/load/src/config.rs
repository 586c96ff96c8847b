//! What the command line asks for.

use std::time::Duration;

use crate::message::{Message, prose};
use crate::redis;
use crate::session::{Entry, STAMP_DIGITS};

/// What the clients do once they are in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Events that come back as events.
    Echo,
    /// Events that are acknowledged.
    Ack,
    /// Pieces of a file, which are acknowledged by their size.
    Upload,
    /// Events of a few that the server sends to many.
    Broadcast,
    /// The same, but they come from another node of a cluster, by Redis.
    Remote,
    /// Broadcasts at a rate, volatile, while some do not read.
    Volatile,
    /// The same by all in turn: a board of cursors.
    Board,
    /// Nothing.
    Idle,
    /// They leave, and others come.
    Storm,
    /// They lose the connection, and get their session back.
    Reconnect,
}

/// The names on the command line.
const MODES: [(&str, Mode); 10] = [
    ("echo", Mode::Echo),
    ("ack", Mode::Ack),
    ("upload", Mode::Upload),
    ("broadcast", Mode::Broadcast),
    ("remote", Mode::Remote),
    ("volatile", Mode::Volatile),
    ("board", Mode::Board),
    ("idle", Mode::Idle),
    ("storm", Mode::Storm),
    ("reconnect", Mode::Reconnect),
];

/// How clients connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Via {
    WebSocket,
    Polling,
    /// Polling first, then WebSocket.
    Upgrade,
}

const VIAS: [(&str, Via); 3] =
    [("websocket", Via::WebSocket), ("polling", Via::Polling), ("upgrade", Via::Upgrade)];

/// Who gets the broadcasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum To {
    /// Everybody: `io.emit`.
    All,
    /// A room: `io.to(room).emit`.
    Room,
    /// A room but for the sender: `socket.to(room).emit`.
    Others,
    /// Two rooms: `io.to(one).to(two).emit`.
    Pair,
}

const TOS: [(&str, To); 4] =
    [("all", To::All), ("room", To::Room), ("others", To::Others), ("pair", To::Pair)];

/// When paced events are due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// At random, each by itself: as from clients that don't know of each other.
    Random,
    /// One after the other, with the same time between them.
    Even,
    /// The same, but the generator looks once a millisecond only, or when something comes in: in small bursts.
    Ticks,
}

const PACES: [(&str, Pace); 3] =
    [("random", Pace::Random), ("even", Pace::Even), ("ticks", Pace::Ticks)];

/// One run.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) mode: Mode,
    /// The port of the server on 127.0.0.1.
    pub(crate) port: u16,
    /// The process of the server.
    pub(crate) pid: u32,
    pub(crate) via: Via,
    pub(crate) to: To,
    /// Clients; in a storm, those under way at once.
    pub(crate) connections: usize,
    /// The rooms that they are spread over.
    pub(crate) rooms: usize,
    /// The clients that stop reading once they are in; the last ones.
    pub(crate) slow: usize,
    /// Events in flight per client.
    pub(crate) depth: usize,
    /// Broadcasts in flight per sender.
    pub(crate) window: usize,
    /// The rooms that get remote broadcasts: the first ones. 0 for all.
    pub(crate) senders: usize,
    /// Remote broadcasts for rooms of nobody, before each of the others.
    pub(crate) foreign: usize,
    /// The port of Redis on 127.0.0.1.
    pub(crate) redis: u16,
    /// Bytes of the text, or of the attachment, in each event.
    pub(crate) size: usize,
    /// Whether it is an attachment.
    pub(crate) binary: bool,
    /// Whether permessage-deflate is offered.
    pub(crate) deflate: bool,
    /// Whether each client has a namespace of its own.
    pub(crate) namespaces: bool,
    /// Events a second over all clients; 0 for as many as come back.
    pub(crate) rate: f64,
    pub(crate) pace: Pace,
    /// What goes by before measuring.
    pub(crate) warm: Duration,
    /// How long is measured.
    pub(crate) measured: Duration,
    /// For how long after an event to look for the next one before falling asleep.
    pub(crate) spin: Duration,
    /// Connects under way at once before the start.
    pub(crate) ramp: usize,
    /// After how long to give up, besides what is let pass and measured.
    pub(crate) limit: Duration,
}

impl Config {
    /// Reads `MODE PORT PID [key=value…]`; the error says what is wrong with it.
    pub(crate) fn from_args(mut args: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut next = |what: &str| {
            args.next().ok_or(format!("{what} is missing: load MODE PORT PID [key=value…]"))
        };
        let mut config = Self {
            mode: one_of(&MODES, "mode", &next("MODE")?)?,
            port: parse("PORT", &next("PORT")?)?,
            pid: parse("PID", &next("PID")?)?,
            via: Via::WebSocket,
            to: To::All,
            connections: 100,
            rooms: 1,
            slow: 0,
            depth: 1,
            window: 1,
            senders: 0,
            foreign: 0,
            redis: 0,
            size: 32,
            binary: false,
            deflate: false,
            namespaces: false,
            rate: 0.0,
            pace: Pace::Even,
            warm: Duration::from_secs(1),
            measured: Duration::from_secs(5),
            spin: Duration::ZERO,
            ramp: 128,
            limit: Duration::from_secs(60),
        };
        for arg in args {
            let (key, value) = arg.split_once('=').ok_or(format!("not key=value: {arg}"))?;
            config.set(key, value)?;
        }
        config.check()?;
        Ok(config)
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        match key {
            "via" => self.via = one_of(&VIAS, key, value)?,
            "to" => self.to = one_of(&TOS, key, value)?,
            "conns" => self.connections = at_least_one(key, value)?,
            "rooms" => self.rooms = at_least_one(key, value)?,
            "slow" => self.slow = parse(key, value)?,
            "depth" => self.depth = at_least_one(key, value)?,
            "window" => self.window = at_least_one(key, value)?,
            "senders" => self.senders = at_least_one(key, value)?,
            "foreign" => self.foreign = parse(key, value)?,
            "redis" => self.redis = parse(key, value)?,
            "size" => self.size = parse(key, value)?,
            "binary" => self.binary = parse::<u8>(key, value)? != 0,
            "deflate" => self.deflate = parse::<u8>(key, value)? != 0,
            "namespaces" => self.namespaces = parse::<u8>(key, value)? != 0,
            "rate" => self.rate = positive(key, value)?,
            "pace" => self.pace = one_of(&PACES, key, value)?,
            "warm" => self.warm = Duration::from_secs_f64(positive(key, value)?),
            "secs" => self.measured = Duration::from_secs_f64(positive(key, value)?),
            "spin" => self.spin = Duration::from_micros(parse(key, value)?),
            "ramp" => self.ramp = at_least_one(key, value)?,
            "limit" => self.limit = Duration::from_secs_f64(positive(key, value)?),
            _ => return Err(format!("no such key: {key}")),
        }
        Ok(())
    }

    /// Whether the keys go together.
    fn check(&self) -> Result<(), String> {
        let wrong = |what: &str| Err(what.to_owned());
        match self {
            Self { mode: Mode::Volatile, rate: 0.0, .. } => wrong("volatile needs a rate"),
            Self { mode: Mode::Board, rate: 0.0, .. } => wrong("board needs a rate"),
            Self { mode: Mode::Remote, redis: 0, .. } => wrong("remote needs redis, a port"),
            Self { mode: Mode::Remote, to, .. } if *to != To::Room => wrong("remote needs to=room"),
            _ if self.senders > self.rooms => wrong("there are more senders than rooms"),
            _ if self.slow >= self.connections => wrong("slow must leave somebody who reads"),
            Self { to: To::Pair, rooms, .. } if rooms % 2 != 0 => wrong("pair needs even rooms"),
            _ if self.binary && self.via != Via::WebSocket => wrong("binary is for websocket only"),
            _ if self.groups() > self.connections => wrong("there are more rooms than clients"),
            _ => Ok(()),
        }
    }

    /// The name of the mode.
    pub(crate) fn mode_name(&self) -> &'static str {
        MODES.iter().find(|(_, mode)| *mode == self.mode).map_or("", |(name, _)| name)
    }

    /// Whether events are sent at a rate instead of as replies to what comes back.
    pub(crate) fn is_paced(&self) -> bool {
        self.rate > 0.0
            && matches!(
                self.mode,
                Mode::Echo | Mode::Ack | Mode::Remote | Mode::Volatile | Mode::Board
            )
    }

    /// Whether clients send the next event when one has come back.
    pub(crate) fn is_answered(&self) -> bool {
        matches!(self.mode, Mode::Echo | Mode::Ack | Mode::Upload)
    }

    /// Whether what comes in are broadcasts, each for a group of clients.
    pub(crate) fn has_groups(&self) -> bool {
        matches!(self.mode, Mode::Broadcast | Mode::Remote)
    }

    /// Whether clients come and go all the time.
    pub(crate) fn is_storm(&self) -> bool {
        matches!(self.mode, Mode::Storm | Mode::Reconnect)
    }

    /// How many senders of broadcasts there are, each with receivers of its own.
    pub(crate) fn groups(&self) -> usize {
        match self.to {
            To::All => 1,
            To::Room | To::Others => self.rooms,
            To::Pair => self.rooms / 2,
        }
    }

    /// The namespace of a client, as packets name it.
    pub(crate) fn namespace(&self, index: usize) -> String {
        if self.namespaces { format!("/n{index},") } else { String::new() }
    }

    /// How a client goes in.
    pub(crate) fn entry(&self, index: usize) -> Entry {
        let in_room = self.has_groups() && self.to != To::All;
        Entry {
            namespace: self.namespace(index),
            room: in_room.then(|| room(index % self.rooms)),
            recovers: self.mode == Mode::Reconnect,
            resume: None,
            stamped: matches!(self.mode, Mode::Volatile | Mode::Board),
        }
    }

    /// The event that a client sends again and again; in a broadcast, clients that are senders.
    pub(crate) fn message(&self, index: usize) -> Message {
        let namespace = &self.namespace(index);
        let text = &if self.deflate { prose(self.size) } else { "x".repeat(self.size) };
        match (self.mode, self.to) {
            (Mode::Upload, _) => Message::upload(namespace, 1, self.size),
            (Mode::Ack, _) => Message::event(namespace, Some(1), &["ack", text]),
            (Mode::Broadcast, To::All) => Message::event(namespace, None, &["all", text]),
            (Mode::Broadcast, To::Room) => {
                Message::event(namespace, None, &["room", &room(index), text])
            }
            (Mode::Broadcast, To::Others) => {
                Message::event(namespace, None, &["others", &room(index), text])
            }
            (Mode::Broadcast, To::Pair) => {
                let (one, two) = (room(index), room(index + self.groups()));
                Message::event(namespace, None, &["pair", &one, &two, text])
            }
            _ if self.binary => Message::bytes(namespace, "bytes", text.as_bytes()),
            _ => Message::event(namespace, None, &["echo", text]),
        }
    }

    /// The command by which Redis publishes a broadcast for a room.
    pub(crate) fn remote(&self, index: usize) -> Vec<u8> {
        redis::broadcast(&room(index), &"x".repeat(self.size))
    }

    /// The same for a room of nobody.
    pub(crate) fn foreign(&self) -> Vec<u8> {
        redis::broadcast("elsewhere", &"x".repeat(self.size))
    }

    /// The volatile event that is sent at a time, in microseconds.
    pub(crate) fn stamped(&self, time: u64) -> Message {
        let text = "x".repeat(self.size);
        let text = format!("{time:0STAMP_DIGITS$}{text}");
        Message::event("", None, &["volatile", &text[..self.size.max(STAMP_DIGITS)]])
    }
}

fn room(number: usize) -> String {
    format!("r{number}")
}

fn one_of<T: Copy>(all: &[(&str, T)], what: &str, name: &str) -> Result<T, String> {
    let found = all.iter().find(|(known, _)| *known == name);
    found.map(|(_, value)| *value).ok_or(format!("no such {what}: {name}"))
}

fn parse<T: std::str::FromStr>(key: &str, value: &str) -> Result<T, String> {
    value.parse().map_err(|_| format!("not a number for {key}: {value}"))
}

fn at_least_one(key: &str, value: &str) -> Result<usize, String> {
    match parse(key, value)? {
        0 => Err(format!("{key} must be at least 1")),
        n => Ok(n),
    }
}

fn positive(key: &str, value: &str) -> Result<f64, String> {
    match parse(key, value)? {
        n if (0.0..1e9).contains(&n) => Ok(n),
        _ => Err(format!("{key} is out of range: {value}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(args: &str) -> Result<Config, String> {
        Config::from_args(args.split(' ').map(String::from))
    }

    #[test]
    fn reads_keys() {
        let config = config("ack 3000 7 conns=5 secs=0.5 rate=10").unwrap();
        assert_eq!((config.mode, config.port, config.pid), (Mode::Ack, 3000, 7));
        assert_eq!((config.connections, config.depth), (5, 1));
        assert_eq!(config.measured, Duration::from_millis(500));
        assert!(config.is_paced());
    }

    #[test]
    fn says_what_is_wrong() {
        assert_eq!(config("dance 1 1").unwrap_err(), "no such mode: dance");
        assert_eq!(config("echo x 1").unwrap_err(), "not a number for PORT: x");
        assert_eq!(config("echo 1 1 conns=0").unwrap_err(), "conns must be at least 1");
        assert_eq!(config("echo 1 1 secs=-1").unwrap_err(), "secs is out of range: -1");
        assert_eq!(config("echo 1 1 speed=1").unwrap_err(), "no such key: speed");
        assert!(config("echo 1").unwrap_err().starts_with("PID is missing"));
        assert_eq!(config("echo 1 1 via=pigeon").unwrap_err(), "no such via: pigeon");
        assert_eq!(config("remote 1 1 to=room").unwrap_err(), "remote needs redis, a port");
        assert_eq!(config("volatile 1 1").unwrap_err(), "volatile needs a rate");
    }

    #[test]
    fn spreads_clients_over_rooms() {
        let config = config("broadcast 1 1 conns=12 rooms=4 to=pair").unwrap();
        assert_eq!(config.groups(), 2);
        assert_eq!(config.entry(7).room.unwrap(), "r3");
        let message = Message::event("", None, &["pair", "r1", "r3", &"x".repeat(32)]);
        assert_eq!(config.message(1).payload, message.payload);
    }

    #[test]
    fn stamps() {
        let config = config("volatile 1 1 rate=1 size=20").unwrap();
        assert_eq!(config.stamped(42).payload, br#"42["volatile","0000000000000042xxxx"]"#);
    }
}
