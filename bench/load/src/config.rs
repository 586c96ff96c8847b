//! What the command line asks for.

use std::time::Duration;

/// What the connections do once they are in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Events that come back as events.
    Echo,
    /// Events that are acknowledged.
    Ack,
    /// Events of one connection that the server sends to all.
    Broadcast,
    /// Nothing.
    Idle,
    /// They leave, and others come.
    Storm,
}

impl Mode {
    /// The name on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Echo => "echo",
            Self::Ack => "ack",
            Self::Broadcast => "broadcast",
            Self::Idle => "idle",
            Self::Storm => "storm",
        }
    }
}

/// One run.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) mode: Mode,
    /// The port of the server on 127.0.0.1.
    pub(crate) port: u16,
    /// The process of the server.
    pub(crate) pid: u32,
    /// Connections; in a storm, those under way at once.
    pub(crate) connections: usize,
    /// Events in flight per connection.
    pub(crate) depth: usize,
    /// Broadcasts in flight.
    pub(crate) window: usize,
    /// Bytes of the text in each event.
    pub(crate) size: usize,
    /// Events a second over all connections; 0 for as many as come back.
    pub(crate) rate: f64,
    /// What goes by before measuring.
    pub(crate) warm: Duration,
    /// How long is measured.
    pub(crate) measured: Duration,
    /// Connects under way at once before the start.
    pub(crate) ramp: usize,
    /// After how long to give up.
    pub(crate) limit: Duration,
}

impl Config {
    /// Reads `MODE PORT PID [key=value…]`; the error says what is wrong with it.
    pub(crate) fn from_args(mut args: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut next = |what: &str| {
            args.next().ok_or(format!("{what} is missing: load MODE PORT PID [key=value…]"))
        };
        let mode = match next("MODE")?.as_str() {
            "echo" => Mode::Echo,
            "ack" => Mode::Ack,
            "broadcast" => Mode::Broadcast,
            "idle" => Mode::Idle,
            "storm" => Mode::Storm,
            other => return Err(format!("no such mode: {other}")),
        };
        let mut config = Self {
            mode,
            port: parse("PORT", &next("PORT")?)?,
            pid: parse("PID", &next("PID")?)?,
            connections: 100,
            depth: 1,
            window: 1,
            size: 32,
            rate: 0.0,
            warm: Duration::from_secs(1),
            measured: Duration::from_secs(5),
            ramp: 128,
            limit: Duration::from_secs(120),
        };
        for arg in args {
            let (key, value) = arg.split_once('=').ok_or(format!("not key=value: {arg}"))?;
            match key {
                "conns" => config.connections = at_least_one(key, value)?,
                "depth" => config.depth = at_least_one(key, value)?,
                "window" => config.window = at_least_one(key, value)?,
                "size" => config.size = parse(key, value)?,
                "rate" => config.rate = positive(key, value)?,
                "warm" => config.warm = Duration::from_secs_f64(positive(key, value)?),
                "secs" => config.measured = Duration::from_secs_f64(positive(key, value)?),
                "ramp" => config.ramp = at_least_one(key, value)?,
                "limit" => config.limit = Duration::from_secs_f64(positive(key, value)?),
                _ => return Err(format!("no such key: {key}")),
            }
        }
        Ok(config)
    }

    /// Whether events are sent at a rate instead of as replies to what comes back.
    pub(crate) fn is_paced(&self) -> bool {
        self.rate > 0.0 && matches!(self.mode, Mode::Echo | Mode::Ack)
    }

    /// The packet that each event is: an Engine.IO message holding a Socket.IO EVENT; empty for the
    /// modes without events.
    pub(crate) fn packet(&self) -> String {
        let text = "x".repeat(self.size);
        match self.mode {
            Mode::Echo => format!(r#"42["echo","{text}"]"#),
            Mode::Ack => format!(r#"421["ack","{text}"]"#),
            Mode::Broadcast => format!(r#"42["go","{text}"]"#),
            Mode::Idle | Mode::Storm => String::new(),
        }
    }
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
        assert_eq!(config("echo 1 1 pace=1").unwrap_err(), "no such key: pace");
        assert!(config("echo 1").unwrap_err().starts_with("PID is missing"));
    }
}
