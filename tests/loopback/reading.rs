//! JavaScript's thread reads the sockets of a worker: here the test plays it, and its event loop.

use std::cell::Cell;

use ferrosocket::border::RecordKind;
use ferrosocket::engineio::Config;
use ferrosocket::net::clock::now_micros;
use ferrosocket::net::command::{Command, Outgoing};
#[cfg(unix)]
use ferrosocket::net::descriptor;
use ferrosocket::net::reader::{Preference, Reader};
use ferrosocket::net::reader_policy::{Change, Hands, JavaScriptSide, Turn};

use crate::client::{FIN, PING, PONG, Raw, TEXT, frame};
use crate::host::{Host, alone_as, alone_with};

/// Sends event `n`.
fn speak(client: &mut Raw, n: u32) {
    client.send(0x80 | TEXT, format!("42[{n}]"));
}

/// Expects event `n` next.
fn hear(host: &Host, n: u32) {
    let record = host.next(RecordKind::Event);
    assert_eq!(record.fields[3][0], n);
}

/// JavaScript asks for the sockets of the host's worker, and gets them when it is told of the next event.
fn get_sockets(host: &Host, client: &mut Raw, n: u32) {
    let reader = host.runtime.reader(host.worker);
    assert!(reader.ask());
    speak(client, n);
    hear(host, n);
    assert!(reader.is_javascript(), "with the news come the sockets");
}

/// Reads until there are records, as the event loop does it while the selector can be read; none of the workers wakes
/// JavaScript for them. False: the worker has taken the sockets, as the thread of the test did not come for long.
fn read(host: &Host) -> bool {
    let worker = host.worker;
    let mine = Cell::new(true);
    Host::until(|| {
        let read = || host.runtime.read(worker, now_micros());
        let (turn, news) = host.environment.inbox.while_awake(read);
        mine.set(turn != Turn::NotMine);
        host.runtime.reader(worker).count_turn();
        news || !mine.get()
    });
    host.wake_itself();
    mine.get()
}

#[test]
fn what_comes_is_read_by_javascript_and_answered_at_once() {
    alone_with(Preference::JavaScript, |make| {
        let host = make();
        let (mut client, handle) = Raw::open(&host);
        get_sockets(&host, &mut client, 0);
        let (wakes, mut mine) = (host.wakes(), 0);
        for n in 1..200 {
            speak(&mut client, n);
            mine += u32::from(read(&host));
            hear(&host, n);
            host.runtime.reader(host.worker).ask();
            // Its worker sleeps, unless it is just looking whether JavaScript still comes.
            host.send(handle, &format!("2[{n}]"));
            assert_eq!(client.text(), format!("42[{n}]"));
        }
        assert!(mine > 0);
        assert!(mine < 199 || host.wakes() == wakes, "nobody has woken JavaScript");
        let batch = (0..100).map(|n| n.to_string()).collect::<Vec<_>>();
        for text in &batch {
            host.send(handle, text);
        }
        for text in &batch {
            assert_eq!(client.text(), format!("4{text}"));
        }
    });
}

#[test]
fn the_worker_reads_when_javascript_does_not_come() {
    alone_with(Preference::JavaScript, |make| {
        let host = make();
        let (mut client, _) = Raw::open(&host);
        for round in 0..5 {
            get_sockets(&host, &mut client, round);
            speak(&mut client, 100 + round);
            hear(&host, 100 + round);
            let reader = host.runtime.reader(host.worker);
            assert!(!reader.is_javascript());
            assert_eq!(host.runtime.read(host.worker, now_micros()), Turn::NotMine);
        }
    });
}

#[test]
fn deadlines_are_the_workers_while_javascript_reads() {
    let config = Config { ping_interval: 100, ..Config::default() };
    alone_as(Preference::JavaScript, &config, |make| {
        let host = make();
        let (mut client, _) = Raw::open(&host);
        get_sockets(&host, &mut client, 0);
        // JavaScript does nothing, and there is nothing to be read.
        assert_eq!(client.text(), "2");
        assert!(host.runtime.reader(host.worker).is_javascript());
    });
}

/// JavaScript would not come, and not begin to watch: nobody would read before the worker looks after it.
#[test]
fn without_news_for_javascript_the_worker_keeps_them() {
    alone_with(Preference::JavaScript, |make| {
        let host = make();
        let (mut client, _) = Raw::open(&host);
        let reader = host.runtime.reader(host.worker);
        assert!(reader.ask());
        // Each is answered by the worker, and the turn of the first is over when the second is answered.
        for _ in 0..2 {
            client.send(FIN | PING, "");
            assert_eq!(client.frame().opcode, PONG);
        }
        assert!(reader.is_asked() && reader.gains() == 0);
        speak(&mut client, 1);
        hear(&host, 1);
        assert!(reader.is_javascript());
    });
}

#[test]
fn what_it_gives_back_is_read_by_the_worker() {
    alone_with(Preference::JavaScript, |make| {
        let host = make();
        let (mut client, _) = Raw::open(&host);
        for round in 0..50 {
            get_sockets(&host, &mut client, round);
            let reader = host.runtime.reader(host.worker);
            assert!(reader.give_back());
            host.runtime.wake(host.worker);
            speak(&mut client, 100 + round);
            hear(&host, 100 + round);
        }
    });
}

/// An event of 256 KiB.
fn large(n: u32) -> String {
    format!("42[{n},\"{}\"]", "x".repeat(256 << 10))
}

#[test]
fn all_bytes_are_counted_whoever_reads() {
    alone_with(Preference::JavaScript, |make| {
        let host = make();
        let (mut client, _) = Raw::open(&host);
        let reader = host.runtime.reader(host.worker);
        get_sockets(&host, &mut client, 0);
        let before = reader.bytes();
        let mut sent = 0;
        for n in 1..20 {
            let event = if n % 2 == 0 { large(n) } else { format!("42[{n}]") };
            client.send(FIN | TEXT, &event);
            sent += frame(FIN | TEXT, event.as_bytes()).len();
            if n % 4 < 2 {
                read(&host); // else the worker does, when it sees that nobody comes
            }
            hear(&host, n);
            if reader.ask() {
                speak(&mut client, 0);
                sent += frame(FIN | TEXT, b"42[0]").len();
                hear(&host, 0);
            }
        }
        assert_eq!(reader.bytes().wrapping_sub(before), u32::try_from(sent).unwrap());
    });
}

/// JavaScript's side, with the clock of the test. Its handlers take no time.
struct Side<'a> {
    host: &'a Host,
    state: JavaScriptSide,
    now: u64,
    woken: bool,
}

impl Side<'_> {
    fn ask(&mut self, ask: impl FnOnce(&mut JavaScriptSide, &Reader, u64) -> Change) {
        let reader = self.host.runtime.reader(self.host.worker);
        let change = ask(&mut self.state, reader, self.now);
        self.state.carry_out(change, reader, &mut EventLoop(self.host, &mut self.woken));
    }

    /// Takes event `n`, which its worker has read.
    fn hear(&mut self, n: u32) {
        hear(self.host, n);
        self.ask(|state, reader, now| state.handle_records(reader, now, 0));
    }

    /// Reads once what is ready; whether there are records then.
    fn turn(&mut self) -> bool {
        let host = self.host;
        let read = || host.runtime.read(host.worker, now_micros());
        let (turn, news) = host.environment.inbox.while_awake(read);
        host.wake_itself(); // nobody else has
        let turn =
            if matches!(turn, Turn::Done { .. }) { Turn::Done { useful: news } } else { turn };
        self.ask(|state, reader, now| state.handle_ready(reader, now, 0, turn));
        if matches!(turn, Turn::Done { .. }) {
            self.ask(|state, reader, now| state.handle_done(reader, now, 0));
        }
        news
    }
}

struct EventLoop<'a>(&'a Host, &'a mut bool);

impl Hands for EventLoop<'_> {
    fn watch(&mut self) -> bool {
        true
    }

    fn leave(&mut self) {}

    fn wake(&mut self) {
        self.0.runtime.wake(self.0.worker);
        *self.1 = true;
    }
}

#[test]
fn large_messages_are_left_to_the_worker_until_small_ones_come() {
    alone_with(Preference::Load, |make| {
        let host = make();
        let (mut client, _) = Raw::open(&host);
        let reader = host.runtime.reader(host.worker);
        let state = JavaScriptSide::new(reader);
        let mut side = Side { host: &host, state, now: 1, woken: false };
        let (mut n, mut in_a_row) = (0, 0);
        while !side.woken {
            n += 1;
            if reader.ask() {
                // Not its yet, or taken by the worker, as this thread got no time: that lowers the average.
                in_a_row = 0;
                speak(&mut client, n);
            } else {
                client.send(FIN | TEXT, large(n));
                let mut news = false;
                // The worker takes them when this thread gets no time.
                while reader.is_javascript() && !news {
                    news = side.turn();
                }
                in_a_row += u32::from(news);
            }
            side.hear(n);
            assert!(in_a_row < 10, "ten large messages, and JavaScript reads still");
        }
        assert!(!reader.is_javascript());
        // Many windows of the policy, each with more news than it has to see.
        for _ in 0..4 {
            side.now += 100_000_000;
            for _ in 0..10 {
                n += 1;
                client.send(FIN | TEXT, large(n));
                side.hear(n);
                assert!(!reader.is_asked() && !reader.is_javascript());
            }
        }
        for _ in 0..4 {
            side.now += 100_000_000;
            for _ in 0..10 {
                n += 1;
                speak(&mut client, n);
                side.hear(n);
            }
        }
        assert!(reader.is_asked() || reader.gains() > 1, "JavaScript asks again");
    });
}

#[test]
fn a_second_thread_of_javascript_ends_it() {
    alone_with(Preference::JavaScript, |make| {
        let host = make();
        let (mut client, _) = Raw::open(&host);
        get_sockets(&host, &mut client, 0);
        let other = make();
        let reader = host.runtime.reader(host.worker);
        assert!(!reader.is_javascript() && !reader.ask());
        speak(&mut client, 1);
        hear(&host, 1);
        drop(other);
        assert!(!reader.ask(), "for good");
    });
}

#[test]
fn an_end_that_javascript_reads_is_told_and_the_next_client_is_served() {
    alone_with(Preference::JavaScript, |make| {
        let host = make();
        let (mut client, handle) = Raw::open(&host);
        get_sockets(&host, &mut client, 0);
        drop(client);
        read(&host);
        assert_eq!(host.closed(handle).0, "transport close");
        host.release(handle);
        let (mut client, _) = Raw::open(&host);
        speak(&mut client, 1);
        read(&host);
        hear(&host, 1);
    });
}

/// As when the worker reads: what a program has sent is not overtaken by an end that comes meanwhile.
#[test]
fn what_javascript_asks_for_is_done_before_the_sockets_are_read() {
    alone_with(Preference::JavaScript, |make| {
        let host = make();
        for round in 0..10 {
            let (mut client, handle) = Raw::open(&host);
            get_sockets(&host, &mut client, round);
            let messages = vec![Outgoing::Text("2[1]".into())];
            let command = Command::Send { slot: handle.slot(), flags: 0, messages };
            // The worker has not been woken for it yet.
            host.runtime.mailbox(host.worker).leave_command(command);
            client.half_close();
            host.runtime.read(host.worker, now_micros());
            host.runtime.reader(host.worker).give_back();
            host.runtime.wake(host.worker);
            assert_eq!(client.text(), "42[1]");
            host.closed(handle);
            host.release(handle);
        }
    });
}

#[test]
fn the_threads_end_while_javascript_has_the_sockets() {
    for _ in 0..10 {
        alone_with(Preference::JavaScript, |make| {
            let host = make();
            let (mut client, _) = Raw::open(&host);
            get_sockets(&host, &mut client, 0);
            host.stop();
            client.expect_end();
        });
    }
}

/// The same as [`get_sockets`], but the worker may take them again at once.
fn get_sockets_if_asked(host: &Host, client: &mut Raw, n: u32) {
    if host.runtime.reader(host.worker).ask() {
        speak(client, n);
        hear(host, n);
    }
}

#[test]
fn of_more_clients_than_it_reads_at_once_none_is_forgotten() {
    alone_with(Preference::JavaScript, |make| {
        let host = make();
        let (mut first, _) = Raw::open(&host);
        let mut clients: Vec<_> = (0..300).map(|_| Raw::open(&host).0).collect();
        for round in 0..3 {
            get_sockets_if_asked(&host, &mut first, round);
            for (client, n) in clients.iter_mut().zip(1000..) {
                speak(client, n);
            }
            read(&host);
            let mut heard: Vec<_> = clients
                .iter()
                .map(|_| host.next(RecordKind::Event).fields[3][0].as_u64().unwrap())
                .collect();
            heard.sort_unstable();
            assert!(heard.into_iter().eq(1000..1300));
        }
    });
}

/// It does not read on for long: the event loop has other things to do. For what is left, it is called again.
#[cfg(unix)]
#[test]
fn what_it_leaves_in_one_turn_it_reads_in_the_next() {
    alone_with(Preference::JavaScript, |make| {
        let host = make();
        let (mut first, _) = Raw::open(&host);
        let mut clients: Vec<_> = (0..300).map(|_| Raw::open(&host).0).collect();
        get_sockets(&host, &mut first, 0);
        for (client, n) in clients.iter_mut().zip(1000..) {
            speak(client, n);
        }
        let reader = host.runtime.reader(host.worker);
        let selector = host.runtime.selector_descriptor(host.worker).unwrap();
        // As the event loop does; unless the worker takes them, as this thread gets no time.
        while descriptor::is_ready(&selector) && reader.is_javascript() {
            host.runtime.read(host.worker, now_micros());
            reader.count_turn();
        }
        for _ in &clients {
            host.next(RecordKind::Event);
        }
    });
}

#[cfg(feature = "faults")]
#[test]
fn a_worker_in_which_javascript_panics_again_and_again_ends() {
    use ferrosocket::net::faults;

    alone_with(Preference::JavaScript, |make| {
        let host = make();
        let mailbox = host.runtime.mailbox(host.worker);
        for _ in 0..16 {
            assert!(!mailbox.is_closed());
            let (mut client, handle) = Raw::open(&host);
            let fault = ("javascript reads", u32::MAX, host.worker as u64);
            faults::arm(fault);
            let mut n = 0;
            while faults::is_armed(fault) {
                get_sockets_if_asked(&host, &mut client, n);
                n += 1;
                host.runtime.read(host.worker, now_micros());
            }
            assert_eq!(host.closed(handle).1.as_deref(), Some("internal error"));
            host.release(handle);
        }
        Host::until(|| mailbox.is_closed());
        assert!(!host.runtime.reader(host.worker).is_javascript());
    });
}

#[cfg(feature = "faults")]
#[test]
fn a_panic_that_belongs_to_nobody_ends_all_and_the_worker_goes_on() {
    use ferrosocket::net::faults;

    alone_with(Preference::JavaScript, |make| {
        let host = make();
        let (mut client, handle) = Raw::open(&host);
        get_sockets(&host, &mut client, 0);
        let fault = ("javascript reads", u32::MAX, host.worker as u64);
        faults::arm(fault);
        speak(&mut client, 1);
        for n in 2.. {
            if read(&host) {
                break;
            }
            get_sockets(&host, &mut client, n);
        }
        assert!(!faults::is_armed(fault));
        assert_eq!(host.closed(handle).1.as_deref(), Some("internal error"));
        host.release(handle);
        let (mut client, handle) = Raw::open(&host);
        host.send(handle, "2[1]");
        assert_eq!(client.text(), "42[1]");
    });
}
