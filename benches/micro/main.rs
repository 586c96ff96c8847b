//! Micro-benchmarks: one operation of a floor at a time, without sockets, threads or Node.js.
//!
//! ```text
//! npm run bench:micro                                 time, and instructions where there is valgrind
//! cargo bench --features standalone [-- WORD]         time; WORD: cases whose name contains it
//! cargo bench --no-default-features [-- WORD]         only the protocol floors: built much faster
//! cargo test --no-default-features --bench micro      each case once, to see that it works
//! ```
//! A figure is that of one operation, as the case names it. How instructions are counted is told in
//! [`harness`].

#[cfg(feature = "standalone")]
mod border;
mod engineio;
mod harness;
#[cfg(feature = "net")]
mod queues;
mod recovery;
mod rooms;
mod samples;
mod socketio;
mod websocket;

use harness::{Mode, Suite};

fn main() {
    let mut suite = Suite::default();
    websocket::cases(&mut suite);
    engineio::cases(&mut suite);
    socketio::cases(&mut suite);
    rooms::cases(&mut suite);
    recovery::cases(&mut suite);
    #[cfg(feature = "net")]
    queues::cases(&mut suite);
    #[cfg(feature = "standalone")]
    border::cases(&mut suite);

    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    let word = arguments.iter().find(|argument| !argument.starts_with('-'));
    // `cargo bench` says `--bench`, `cargo test` does not.
    let mode = match (has("--count"), has("--bench")) {
        (true, _) => Mode::Count,
        (false, true) => Mode::Time,
        (false, false) => Mode::Once,
    };
    suite.run(mode, word.map_or("", String::as_str), has("--json"));
}
