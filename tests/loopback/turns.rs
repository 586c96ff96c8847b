//! What the turns of a worker promise to each of its clients, whatever the others do.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};

use ferrosocket::border::RecordKind;
use ferrosocket::engineio::Config;
use ferrosocket::id::Handle;
use ferrosocket::net::clock;
use ferrosocket::net::command::{Command, Purpose};
use ferrosocket::net::reader::Preference;
use ferrosocket::websocket::extension::Agreement;

use crate::client::{Client, FIN, PONG, Raw, TEXT, frame};
use crate::host::{Host, PATIENCE, alone, alone_with};

const PING_INTERVAL: u64 = 100;
/// Long enough for what a test does before it stops the worker.
const PING_TIMEOUT: u64 = 1500;
/// More sockets than the system tells of at once.
const MANY: usize = 300;

/// A worker that has been stopped in the middle of a turn, until this is dropped.
struct Stopped {
    _go_on: Sender<()>,
}

/// Stops the worker while it reads `client`. JavaScript has taken all records before.
fn stop(host: &Host, client: &mut Raw) -> Stopped {
    let ((tell, told), (go_on, wait)) = (mpsc::channel(), mpsc::channel::<()>());
    host.at_wake(move || {
        // It fails at the next time, when nobody listens or holds the worker up any more.
        let _gone = tell.send(());
        let _gone = wait.recv();
    });
    // So much is told at once; there is more to be read behind it.
    let message = format!(r#"42["{}"]"#, "x".repeat(5000));
    client.write(&frame(FIN | TEXT, message.as_bytes()).repeat(2));
    wait_for(&told);
    Stopped { _go_on: go_on }
}

fn wait_for(told: &Receiver<()>) {
    told.recv_timeout(PATIENCE).expect("the worker reads");
}

/// Stops the worker while the answer of one of its clients to a ping comes, until it would be late. The `others`
/// have sent something before.
fn keeps_who_has_answered(host: &mut Host, others: &mut [Raw]) {
    let server = Arc::get_mut(&mut host.server).expect("it has no client yet");
    server.engine = Arc::new(Config {
        ping_interval: PING_INTERVAL,
        ping_timeout: PING_TIMEOUT,
        ..Config::default()
    });
    let (mut quiet, handle) = Raw::open(host);
    let (mut busy, _) = Raw::open(host);
    // Its heartbeats, which another worker keeps, count the time.
    let purpose = Purpose::Session(host.sid());
    let mut pulse = Client::connect(host, (host.worker + 1) % host.runtime.workers(), purpose);
    host.opened();
    assert!(pulse.text().starts_with("0{"));
    assert_eq!(quiet.text(), "2");
    let asked = clock::now();

    let stopped = stop(host, &mut busy);
    for other in others {
        other.send(FIN | PONG, "");
    }
    quiet.send(FIN | TEXT, "3");
    while clock::now() <= asked + PING_TIMEOUT + PING_INTERVAL {
        assert_eq!(pulse.text(), "2");
        pulse.send("3");
    }
    drop(stopped);
    assert_eq!(quiet.text(), "2");
    quiet.send(FIN | TEXT, r#"42["alive"]"#);
    host.next_of(RecordKind::Event, handle.raw());
}

#[test]
fn who_has_answered_in_time_is_kept_however_long_a_turn_takes() {
    alone(|make| keeps_who_has_answered(&mut make(), &mut []));
}

#[test]
fn who_has_answered_in_time_is_kept_however_many_come_before() {
    alone(|make| {
        let mut host = make();
        let mut calm = Host::beside(&host);
        calm.worker = host.worker;
        let mut others: Vec<_> = (0..MANY).map(|_| Raw::open(&calm).0).collect();
        keeps_who_has_answered(&mut host, &mut others);
    });
}

/// A connection whose messages may be compressed: of its bytes, little is read at once.
pub(crate) fn open_compressed(host: &Host) -> (Raw, Handle) {
    let agreement = Agreement {
        server_no_context_takeover: false,
        client_no_context_takeover: false,
        server_window_bits: 15,
        client_window_bits: 15,
    };
    let purpose = Purpose::Session(host.sid());
    let mut raw = Raw::connect_with(host, host.worker, purpose, b"", |command| {
        if let Command::IncomingWebSocket(incoming) = command {
            incoming.deflate = Some(agreement);
        }
    });
    let handle = host.opened();
    assert_eq!(raw.frame().payload[0], b'0');
    (raw, handle)
}

/// `before` happens before one of two clients has much to read.
fn hears_of_others(host: &Host, before: impl FnOnce()) {
    const COUNT: usize = 160;
    // All that is sent is to be there at once.
    let listener = host.listener();
    socket2::SockRef::from(&listener).set_recv_buffer_size(1 << 20).unwrap();
    let (mut quiet, quiet_handle) = Raw::open(host);
    let (mut busy, _) = open_compressed(host);
    socket2::SockRef::from(&busy.stream).set_send_buffer_size(1 << 20).unwrap();
    before();
    let stopped = stop(host, &mut busy);
    let message = format!(r#"42["{}"]"#, "x".repeat(1000));
    busy.write(&frame(FIN | TEXT, message.as_bytes()).repeat(COUNT));
    quiet.send(FIN | TEXT, r#"42["here"]"#);
    drop(stopped);
    let mut before = 0;
    while host.next(RecordKind::Event).number(1) != u64::from(quiet_handle.raw()) {
        before += 1;
    }
    assert!(before < COUNT * 3 / 4, "{before} messages came before");
}

#[test]
fn one_that_always_has_something_does_not_keep_the_worker_from_hearing_of_others() {
    hears_of_others(&Host::with_compression(), || {});
}

/// The sockets become JavaScript's in that turn, and it does not come to read them.
#[test]
fn nor_does_it_while_javascript_has_the_sockets() {
    alone_with(Preference::JavaScript, |make| {
        let mut host = make();
        host.compress();
        let reader = host.runtime.reader(host.worker);
        hears_of_others(&host, || assert!(reader.ask()));
        assert!(reader.gains() > 0);
    });
}
