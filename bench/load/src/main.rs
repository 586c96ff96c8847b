//! A lean Socket.IO load generator (protocol 5, WebSocket only): one thread, one epoll loop, so that the
//! server is what is measured. Linux only, for `/proc`.
//!
//! ```text
//! load MODE PORT PID [key=value…]
//!   echo       each connection keeps `depth` events ["echo", text] in flight; the server sends them back
//!   ack        the same with ["ack", text] and an ack id; the server acknowledges with the text
//!   broadcast  one connection sends ["go", text]; the server does io.emit("b", text); `window` in flight
//!   idle       connect, join "/", hold
//!   storm      keep `conns` connects under way; close each once it has joined "/"
//! keys: conns=100 depth=1 window=1 size=32 rate=0 warm=1 secs=5 ramp=128 limit=120
//! ```
//!
//! `rate` paces echo and ack: that many events a second over all connections, with the time counted from
//! when each was due, so that a server that stalls does not look quick. PID is the server's process: its
//! CPU time and memory over the measured seconds are part of the one JSON line that is printed.
//! It ends with 1 and a message on stderr when a connection failed or nothing was measured.

mod config;
mod connection;
mod frame;
mod load;
mod process;
mod report;

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
