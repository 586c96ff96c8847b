//! A lean Socket.IO load generator (protocol 5): one thread, one epoll loop, so that the server is what
//! is measured. Linux only, for `/proc`.
//!
//! ```text
//! load MODE PORT PID [key=value…]
//!   echo       each client keeps `depth` events ["echo", text] in flight; the server sends them back
//!   ack        the same with ["ack", text] and an ack id; the server acknowledges with the text
//!   upload     the same with ["upload", bytes] and an ack id; the server acknowledges with how many they are
//!   broadcast  senders keep `window` broadcasts in flight: ["all", text], or by `to` within `rooms`
//!   remote     the event ["b", text] comes to rooms by `redis`, its port, as from another node of a cluster: `window` in
//!              flight in each of the first `senders` rooms, or at a `rate`; before each, `foreign` more for rooms of
//!              nobody. What is counted are broadcasts, and the time is that until all of the room have it
//!   board      all send ["volatile", text] in turn at a `rate`, to all: how many of those `due` are delivered?
//!   volatile   one client sends ["volatile", text] at a `rate`, to all, of whom `slow` do not read
//!   idle       connect, join "/", ask for a garbage collection, ["gc"], then hold
//!   storm      keep `conns` connects under way; close each once it has joined "/"
//!   reconnect  the same, and each asks for the session of the one before
//! keys: via=websocket|polling|upgrade conns=100 ramp=128 namespaces=0 deflate=0
//!       depth=1 size=32 binary=0 rate=0 pace=even|random|ticks
//!       to=all|room|others|pair rooms=1 window=1 senders=rooms foreign=0 redis=PORT slow=0 spin=0 warm=1 secs=5 limit=60
//! ```
//!
//! `spin` microseconds the generator looks for more before it falls asleep: who wakes it pays for that, and of two
//! servers the faster one more often, since it has more often read all that there is.
//!
//! `rate` paces echo, ack, remote, volatile and board: that many events a second over all clients, with the time counted
//! from when each was due, so that a server that stalls does not look quick. `late_us` is how late the generator
//! itself was with one in a hundred of them: latencies of that size tell about the machine, not the server. PID is the server's process:
//! its CPU time and memory over the measured seconds are part of the one JSON line that is printed.
//! It ends with 1 and a message on stderr when a client failed or nothing was measured.

mod client;
mod config;
mod frame;
mod groups;
mod http;
mod load;
mod message;
mod pacer;
mod polling;
mod process;
mod redis;
mod report;
mod session;
mod stream;
mod websocket;

use std::process::ExitCode;

fn main() -> ExitCode {
    let outcome =
        config::Config::from_args(std::env::args().skip(1)).and_then(|config| load::run(&config));
    match outcome {
        Ok(report) => {
            println!("{report}");
            ExitCode::SUCCESS
        }
        Err(message) => {
            eprintln!("load: {message}");
            ExitCode::FAILURE
        }
    }
}
