//! Clients go from one JavaScript thread to another as they go from one process to another: by a Unix socket.
#![cfg(target_os = "linux")]

use std::io::{IoSlice, Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use ferrosocket::border::{HandoverEvent, RecordKind, session_flag};
use ferrosocket::engineio::Config;
use ferrosocket::handover::{FrameReader, Message};
use ferrosocket::id::Handle;
use ferrosocket::net::command::{Command, Outgoing, RequestEvent};
use ferrosocket::net::transfer::thread::{offer, take};
use ferrosocket::net::transfer::{Asked, Channel, Freeze, FreezeTicket};

use crate::client::{BINARY, CLOSE, Client, FIN, Raw, TEXT, frame};
use crate::host::{Host, Record, handle_of};
use crate::http_wire::{HttpWire, profile};
use crate::polling;
use crate::turns::open_compressed;

/// A name for a Unix socket that nobody else has.
fn path() -> PathBuf {
    static LAST: AtomicU32 = AtomicU32::new(0);
    let number = LAST.fetch_add(1, Ordering::Relaxed);
    std::env::temp_dir().join(format!("ferrosocket-{}-{number}", std::process::id()))
}

fn news(host: &Host, event: HandoverEvent) -> Record {
    host.find(&format!("{event:?}"), |record| {
        record.kind() == RecordKind::Handover && record.number(2) == event as u64
    })
}

/// Whether such news have come.
fn has_news(host: &Host, event: HandoverEvent) -> bool {
    host.has_record(|record| {
        record.kind() == RecordKind::Handover && record.number(2) == event as u64
    })
}

/// Two JavaScript threads that have met.
struct Meeting {
    old: Host,
    new: Host,
    giver: Arc<Channel>,
    taker: Arc<Channel>,
}

impl Meeting {
    fn of(old: Host, new: Host) -> Self {
        let path = path();
        let giver = offer(&path, 1, Arc::clone(&old.environment)).unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let environment = Arc::clone(&new.environment);
        let runtime = Arc::downgrade(&new.runtime);
        let asked = take(&path, 2, environment, runtime, b"hello".to_vec()).unwrap();
        let Asked::Offered(taker) = asked else { panic!("{asked:?}") };
        let peer = news(&old, HandoverEvent::Peer);
        assert_eq!((peer.number(1), peer.text(5)), (1, ""));
        assert_eq!(peer.buffers, [b"hello".to_vec()]);
        assert!(!path.exists(), "the next process offers under this name");
        giver.greet(b"welcome".to_vec(), Vec::new());
        let peer = news(&new, HandoverEvent::Peer);
        assert_eq!((peer.number(4), peer.text(5)), (0, ""));
        assert_eq!(peer.buffers, [b"welcome".to_vec()]);
        taker.set_adopter(Arc::clone(&new.server));
        taker.send(&Message::Ready { against: String::new() }, Vec::new());
        assert_eq!(news(&old, HandoverEvent::Ready).text(3), "");
        let meeting = Self { old, new, giver, taker };
        meeting.freeze();
        meeting
    }

    fn freeze(&self) {
        let old = &self.old;
        for worker in 0..old.runtime.workers() {
            let ticket = Some(FreezeTicket::new(&self.giver, worker));
            let (environment, server) = (old.environment.id, old.server.id);
            old.command_to(worker, Command::Freeze(Freeze { environment, server, ticket }));
        }
        for _ in 0..old.runtime.workers() {
            news(old, HandoverEvent::Frozen);
        }
    }

    /// Hands a session over; gives why it has ended here.
    fn hand_over(&self, handle: Handle) -> String {
        let (slot, channel) = (handle.slot(), Arc::clone(&self.giver));
        self.old.command(handle, Command::HandOver { slot, channel, blob: b"state".to_vec() });
        self.old.closed(handle).0
    }

    /// Takes a session over; it is not read yet.
    fn adopted(&self) -> (Handle, Record) {
        let opened = self.new.next(RecordKind::Opened);
        assert_ne!(opened.number(4) & u64::from(session_flag::ADOPTED), 0);
        assert_eq!(opened.buffers, [b"state".to_vec()]);
        (handle_of(&opened), opened)
    }

    /// Says that this was all; gives how many sessions both know of.
    fn finish(&self) -> (u64, u64) {
        let tickets = self.giver.finish(self.old.runtime.workers(), b"end".to_vec());
        for (worker, ticket) in tickets.into_iter().enumerate() {
            let server = self.old.server.id;
            self.old.command_to(worker, Command::FinishHandOver { server, ticket });
        }
        let end = news(&self.new, HandoverEvent::End);
        assert_eq!((end.text(4), &end.buffers[..]), ("", &[b"end".to_vec()][..]));
        self.taker.take();
        let sent = news(&self.old, HandoverEvent::Sent);
        (end.number(3), sent.number(3))
    }

    fn read_on(&self, handle: Handle) {
        self.new.command(handle, Command::ReadOn { slot: handle.slot() });
    }
}

impl Drop for Meeting {
    fn drop(&mut self) {
        self.giver.end("over");
        self.taker.end("over");
    }
}

fn meet() -> (Host, Host) {
    let old = Host::new();
    let new = Host::beside(&old);
    (old, new)
}

#[test]
fn a_websocket_goes_on_in_the_other_process() {
    let (old, new) = meet();
    let (mut client, handle) = Client::open(&old);
    client.send("42[\"before\"]");
    assert_eq!(old.next(RecordKind::Event).fields[3][0], "before");
    let meeting = Meeting::of(old, new);
    client.send("42[\"meanwhile\"]");
    meeting.old.send(handle, "2[\"last words\"]");
    assert_eq!(meeting.hand_over(handle), "handed over");
    let (adopted, opened) = meeting.adopted();
    assert_eq!(opened.number(4) & u64::from(session_flag::WEBSOCKET), 1);
    assert_eq!(client.text(), "42[\"last words\"]");
    meeting.new.send(adopted, "2[\"first words\"]");
    assert_eq!(client.text(), "42[\"first words\"]");
    assert_eq!(meeting.finish(), (1, 1));
    meeting.read_on(adopted);
    assert_eq!(meeting.new.next(RecordKind::Event).fields[3][0], "meanwhile");
    client.send("42[\"after\"]");
    assert_eq!(meeting.new.next(RecordKind::Event).fields[3][0], "after");
    drop(client);
    assert_eq!(meeting.new.closed(adopted).0, "transport close");
}

/// Half a frame in the middle of a fragmented message, and an attachment that is missing.
#[test]
fn what_has_come_in_part_is_completed_in_the_other_process() {
    let (old, new) = meet();
    let (mut client, handle) = Raw::open(&old);
    let placeholders = r#"{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}"#;
    let packet = format!(r#"52-["a",{placeholders}]"#);
    client.send(FIN | TEXT, format!("4{packet}"));
    client.send(FIN | BINARY, "one");
    client.send(BINARY, "tw");
    let half = frame(FIN, b"o and more");
    client.write(&half[..9]);
    // Of the frame, the header is not kept.
    let (decoded, buffered) = (packet.len() + "one".len(), "two a".len());
    Host::until(|| old.environment.inbox.budget.held() >= decoded + buffered);
    let meeting = Meeting::of(old, new);
    assert_eq!(meeting.hand_over(handle), "handed over");
    let (adopted, _) = meeting.adopted();
    client.write(&half[9..]);
    assert_eq!(meeting.finish(), (1, 1));
    meeting.read_on(adopted);
    let event = meeting.new.next(RecordKind::Event);
    assert_eq!(event.buffers, [b"one".to_vec(), b"two and more".to_vec()]);
}

#[test]
fn a_polling_session_goes_on_in_the_other_process() {
    let (old, new) = meet();
    let (handle, sid) = polling::open(&old);
    let parked = old.poll(handle, RequestEvent::Get);
    let meeting = Meeting::of(old, new);
    // A POST comes while nothing is read: it is answered here, and read there.
    let post = meeting.old.poll(handle, RequestEvent::PostStart);
    let body = meeting.old.held(b"42[\"posted\"]");
    meeting.old.poll_as(handle, post, RequestEvent::PostBody { body, binary: false });
    assert_eq!(meeting.hand_over(handle), "handed over");
    assert_eq!(polling::answer(&meeting.old, parked), "6");
    assert_eq!(polling::status(&meeting.old, post).0, 200);
    let (adopted, opened) = meeting.adopted();
    assert_eq!(opened.text(3), sid.as_str());
    assert_eq!(meeting.finish(), (1, 1));
    let next = meeting.new.poll(adopted, RequestEvent::PostStart);
    let body = meeting.new.held(b"42[\"behind\"]");
    meeting.new.poll_as(adopted, next, RequestEvent::PostBody { body, binary: false });
    let get = meeting.new.poll(adopted, RequestEvent::Get);
    let message = Outgoing::Text("2[\"sent\"]".into());
    let (slot, messages) = (adopted.slot(), vec![message]);
    meeting.new.command(adopted, Command::Send { slot, flags: 0, messages });
    assert_eq!(polling::answer(&meeting.new, get), "42[\"sent\"]");
    assert!(!meeting.new.has(RecordKind::Event, adopted));
    meeting.read_on(adopted);
    assert_eq!(meeting.new.next(RecordKind::Event).fields[3][0], "posted");
    assert_eq!(meeting.new.next(RecordKind::Event).fields[3][0], "behind");
    assert_eq!(polling::status(&meeting.new, next).0, 200);
}

/// Its poll is answered, and half of the next request goes along.
#[test]
fn the_connections_of_polling_sessions_follow() {
    for worker in 0..2 {
        let (old, new) = meet();
        let (handle, sid) = polling::open(&old);
        let mut polls = HttpWire::open(&old, worker, profile());
        polls.get(&sid);
        let mut posts = HttpWire::open(&old, worker, profile());
        let body = "42[\"a\"]";
        let path = format!("/socket.io/?EIO=4&transport=polling&sid={}", sid.as_str());
        let head =
            format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", body.len());
        posts.write(&head);
        posts.write("42");
        let entry = Arc::clone(&old.server.sessions.get(&sid).unwrap().requests);
        Host::until(|| entry.is_parked() && old.environment.inbox.budget.held() >= head.len() + 2);
        let meeting = Meeting::of(old, new);
        assert_eq!(meeting.hand_over(handle), "handed over");
        assert_eq!(polls.answer(), (200, "6".to_owned()));
        let (_, opened) = meeting.adopted();
        assert_eq!(opened.text(3), sid.as_str());
        assert_eq!(meeting.finish(), (1, 1));
        let mut unread = [(); 2].map(|()| {
            let connection = news(&meeting.new, HandoverEvent::Connection);
            let token = u32::try_from(connection.number(3)).unwrap();
            assert!(meeting.new.environment.take_stream(token).is_some());
            assert_eq!(connection.buffers[1], b"");
            connection.buffers[0].clone()
        });
        unread.sort_unstable();
        assert_eq!(unread, [Vec::new(), [head.as_bytes(), b"42"].concat()]);
    }
}

#[test]
fn what_can_not_be_carried_is_closed_in_the_ordinary_way() {
    let old = Host::with_compression();
    let new = Host::beside(&old);
    let (mut client, handle) = open_compressed(&old);
    let meeting = Meeting::of(old, new);
    assert_eq!(meeting.hand_over(handle), "forced close");
    assert_eq!(client.frame().opcode, CLOSE);
    client.send(FIN | CLOSE, "");
    client.expect_end(); // what answers is read
    assert_eq!(meeting.finish(), (0, 0));
}

/// It is closed as fast as any, though nothing of it is read.
#[test]
fn one_that_is_closed_while_it_is_not_read_comes_to_its_end() {
    let (old, new) = meet();
    let (mut client, handle) = Raw::open(&old);
    let meeting = Meeting::of(old, new);
    client.send(FIN | TEXT, "42[\"unheard\"]");
    meeting.old.command(handle, Command::Close { slot: handle.slot(), discard: true });
    assert_eq!(meeting.old.closed(handle).0, "forced close");
    assert_eq!(client.frame().opcode, CLOSE);
    client.send(FIN | CLOSE, "");
    client.expect_end();
    assert!(!meeting.old.has(RecordKind::Event, handle));
}

/// Here it begins in the middle of a frame, of which the other process has read the beginning.
#[test]
fn one_that_is_closed_in_the_other_process_before_it_is_read_comes_to_its_end() {
    for half in [&[][..], &frame(FIN | TEXT, b"42[\"half\"]")[..5]] {
        let (old, new) = meet();
        let (mut client, handle) = Raw::open(&old);
        client.write(half);
        Host::until(|| old.environment.inbox.budget.held() >= usize::from(!half.is_empty()));
        let meeting = Meeting::of(old, new);
        assert_eq!(meeting.hand_over(handle), "handed over");
        let (adopted, _) = meeting.adopted();
        let slot = adopted.slot();
        meeting.new.command(adopted, Command::Close { slot, discard: true });
        assert_eq!(meeting.new.closed(adopted).0, "forced close");
        assert_eq!(client.frame().opcode, CLOSE);
        if half.is_empty() {
            client.send(FIN | CLOSE, "");
        }
        client.expect_end();
    }
}

#[test]
fn a_client_that_is_not_frozen_is_not_handed_over() {
    let (old, new) = meet();
    let meeting = Meeting::of(old, new);
    let (_client, handle) = Client::open(&meeting.old); // it has come later
    assert_eq!(meeting.hand_over(handle), "forced close");
    assert_eq!(meeting.finish(), (0, 0));
}

/// JavaScript may let somebody in whose request it has read before.
#[test]
fn who_comes_while_nobody_is_read_goes_along() {
    let (old, new) = meet();
    let meeting = Meeting::of(old, new);
    meeting.old.server.is_frozen.store(true, Ordering::SeqCst);
    let (mut client, handle) = Client::open(&meeting.old);
    client.send("42[\"a\"]");
    assert_eq!(meeting.hand_over(handle), "handed over");
    let (adopted, _) = meeting.adopted();
    assert_eq!(meeting.finish(), (1, 1));
    assert!(!meeting.old.has(RecordKind::Event, handle));
    meeting.read_on(adopted);
    assert_eq!(meeting.new.next(RecordKind::Event).fields[3][0], "a");
}

#[test]
fn who_is_not_handed_over_is_read_on() {
    let (old, new) = meet();
    let (mut client, handle) = Client::open(&old);
    let meeting = Meeting::of(old, new);
    client.send("42[\"a\"]");
    let old = &meeting.old;
    for worker in 0..old.runtime.workers() {
        let (environment, server) = (old.environment.id, old.server.id);
        old.command_to(worker, Command::Freeze(Freeze { environment, server, ticket: None }));
    }
    assert_eq!(old.next_of(RecordKind::Event, handle.raw()).fields[3][0], "a");
}

/// Its client has been told how often it is pinged.
#[test]
fn a_session_keeps_the_times_of_its_heartbeat() {
    let old = Host::with(Config { ping_interval: 100, ..Config::default() });
    let new = Host::beside(&old);
    let (mut client, handle) = Client::open(&old);
    assert_eq!(client.text(), "2");
    client.send("3");
    let meeting = Meeting::of(old, new);
    assert_eq!(meeting.hand_over(handle), "handed over");
    let (adopted, _) = meeting.adopted();
    meeting.read_on(adopted);
    assert_eq!(client.text(), "2");
    client.send("3");
    assert_eq!(client.text(), "2");
    assert_eq!(meeting.new.server.engine.ping_interval, Config::default().ping_interval);
}

/// It gets the lock and what listens, and nobody: the old process serves until it has said that it does.
#[test]
fn another_version_gets_the_port_alone() {
    for version in [1, 99] {
        let host = Host::new();
        let hello = Message::Hello { version, blob: b"unknown".to_vec() };
        let (mut stranger, channel) = Stranger::say_first(&host, &hello);
        let peer = news(&host, HandoverEvent::Peer);
        assert!(peer.text(5).contains(&format!("version {version} ")), "{peer:?}");
        assert_eq!(peer.buffers, [b""]);
        channel.greet(b"hello".to_vec(), Vec::new());
        stranger.say(&Message::Ready { against: "it is old".into() });
        let ready = news(&host, HandoverEvent::Ready);
        assert_eq!(ready.text(3), "the other process refuses: it is old");
        channel.part("it is old".into());
        let against = "it is old".into();
        assert_eq!(stranger.hear_end(), Message::End { sessions: 0, against, blob: Vec::new() });
        if version == 1 {
            drop(stranger);
            news(&host, HandoverEvent::Failed);
        } else {
            stranger.say(&Message::Taken { sessions: 0 });
            assert_eq!(news(&host, HandoverEvent::Sent).number(3), 0);
        }
    }
}

/// What it says of sessions may mean something else.
#[test]
fn no_session_of_another_version_is_taken() {
    let host = Host::new();
    let path = path();
    let listener = UnixListener::bind(&path).unwrap();
    let (environment, runtime) = (Arc::clone(&host.environment), Arc::downgrade(&host.runtime));
    let asked = take(&path, 1, environment, runtime, b"hello".to_vec()).unwrap();
    assert!(matches!(asked, Asked::Offered(_)));
    let (socket, _) = listener.accept().unwrap();
    let mut bytes = Vec::new();
    Message::Welcome { version: 99, blob: b"unknown".to_vec() }.write(&mut bytes, 1).unwrap();
    send_with(&socket, &bytes, &std::fs::File::open("/dev/null").unwrap().into());
    let peer = news(&host, HandoverEvent::Peer);
    assert!(peer.text(5).contains("version 99 "), "{peer:?}");
    assert_eq!(peer.buffers, [b""]);
    let mut bytes = Vec::new();
    Message::State { blob: b"unknown".to_vec() }.write(&mut bytes, 0).unwrap();
    (&socket).write_all(&bytes).unwrap();
    // The other one has all that this one can't take: it is to serve, and hears why.
    assert_eq!(news(&host, HandoverEvent::Failed).text(3), "a message of a hand-over is damaged");
    assert!(!has_news(&host, HandoverEvent::State) && !has_news(&host, HandoverEvent::End));
    let mut said = Vec::new();
    (&socket).read_to_end(&mut said).unwrap();
    assert!(String::from_utf8_lossy(&said).ends_with("a message of a hand-over is damaged"));
    std::fs::remove_file(path).unwrap();
}

fn send_with(socket: &UnixStream, bytes: &[u8], descriptor: &OwnedFd) {
    use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};

    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    let descriptors = [descriptor.as_fd()];
    assert!(ancillary.push(SendAncillaryMessage::ScmRights(&descriptors)));
    let bytes = [IoSlice::new(bytes)];
    sendmsg(socket, &bytes, &mut ancillary, SendFlags::empty()).unwrap();
}

/// The process asks for the clients that are offered there.
fn ask(process: &Host, path: &Path, number: u32) -> Asked {
    let runtime = Arc::downgrade(&process.runtime);
    take(path, number, Arc::clone(&process.environment), runtime, Vec::new()).unwrap()
}

/// Whoever asks in between is told to come again: there is no moment in which nobody has them.
#[test]
fn who_has_just_got_the_clients_is_about_to_offer_them() {
    let (old, new) = meet();
    let path = path();
    let giver = offer(&path, 1, Arc::clone(&old.environment)).unwrap();
    let ask = |number| ask(&new, &path, number);
    let Asked::Offered(taker) = ask(2) else { panic!("nobody offers") };
    news(&old, HandoverEvent::Peer);
    giver.greet(Vec::new(), Vec::new());
    news(&new, HandoverEvent::Peer);
    drop(giver.finish(1, Vec::new()));
    news(&new, HandoverEvent::End);
    taker.take();
    news(&old, HandoverEvent::Sent);
    giver.end("they have gone");
    assert!(matches!(ask(3), Asked::UnderWay));
    let again = offer(&path, 4, Arc::clone(&new.environment)).unwrap();
    assert!(matches!(ask(5), Asked::Offered(_)));
    news(&new, HandoverEvent::Peer);
    again.end("over");
    Host::until(|| matches!(ask(6), Asked::Nobody));
    // nor is it when its server is closed
    taker.end("closed");
    assert!(matches!(ask(7), Asked::Nobody));
}

/// One that comes meanwhile is told to come again, and finds whoever offers then.
#[test]
fn who_comes_while_clients_are_handed_over_hears_so() {
    let (old, new) = meet();
    let path = path();
    let giver = offer(&path, 1, Arc::clone(&old.environment)).unwrap();
    let ask = |number| ask(&new, &path, number);
    let taker = ask(2);
    assert!(matches!(taker, Asked::Offered(_)));
    news(&old, HandoverEvent::Peer);
    Host::until(|| !path.exists());
    for number in 3..8 {
        // also more than its queue takes
        assert!(matches!(ask(number), Asked::UnderWay), "{number}");
    }
    let again = offer(&path, 9, Arc::clone(&new.environment)).unwrap();
    giver.end("over");
    let (mut aside, mut name) = (path.clone(), path.clone().into_os_string());
    name.push(".busy");
    aside.set_file_name(name);
    Host::until(|| !aside.exists());
    assert!(path.exists());
    again.end("over");
    Host::until(|| !path.exists());
    assert!(matches!(ask(10), Asked::Nobody));
    // what a process has left that was killed is nobody either, and goes with the next offer
    drop(UnixListener::bind(&aside).unwrap());
    assert!(matches!(ask(11), Asked::Nobody));
    let last = offer(&path, 12, Arc::clone(&new.environment)).unwrap();
    assert!(!aside.exists());
    // a file that is not ours stays
    std::fs::write(&aside, b"mine").unwrap();
    assert!(matches!(ask(13), Asked::Offered(_)));
    Host::until(|| !path.exists());
    last.end("over");
    assert_eq!(std::fs::read(&aside).unwrap(), b"mine");
    std::fs::remove_file(aside).unwrap();
}

#[test]
fn who_says_something_else_or_nothing_takes_the_offer_from_nobody() {
    let host = Host::new();
    let path = path();
    let channel = offer(&path, 1, Arc::clone(&host.environment)).unwrap();
    let said: [&[u8]; 4] =
        [b"GET / HTTP/1.1\r\n\r\n", &[0, 0, 0, 0, b'R', 0], &[255; 64], &[9; 10_000]];
    for bytes in said {
        let mut peer = UnixStream::connect(&path).unwrap();
        let _cut_off = peer.write_all(bytes);
        let mut rest = Vec::new();
        let _reset = peer.read_to_end(&mut rest);
        assert_eq!(rest, b"", "it is sent away");
    }
    // Half of a greeting, and more than are listened to.
    let mut hello = Vec::new();
    Message::hello(Vec::new()).write(&mut hello, 0).unwrap();
    let comers = (0..20).map(|count| {
        let mut peer = UnixStream::connect(&path).unwrap();
        peer.write_all(&hello[..count]).unwrap();
        peer
    });
    let silent: Vec<_> = comers.collect();
    // They may still be in its queue.
    let taker = loop {
        let (environment, runtime) = (Arc::clone(&host.environment), Arc::downgrade(&host.runtime));
        match take(&path, 2, environment, runtime, b"hello".to_vec()).unwrap() {
            Asked::Offered(taker) => break taker,
            Asked::UnderWay => std::thread::yield_now(),
            Asked::Nobody => panic!("nobody offers"),
        }
    };
    assert_eq!(news(&host, HandoverEvent::Peer).buffers, [b"hello".to_vec()]);
    assert!(channel.is_open() && taker.is_open());
    drop(silent);
}

#[test]
fn who_says_something_else_behind_its_greeting_ends_the_hand_over() {
    for kind in *b"RS" {
        let host = Host::new();
        let (mut stranger, channel) = Stranger::say_first(&host, &Message::hello(Vec::new()));
        news(&host, HandoverEvent::Peer);
        stranger.0.write_all(&[1, 0, 0, 0, kind, 0, 9]).unwrap();
        news(&host, HandoverEvent::Failed);
        assert!(!channel.is_open());
        channel.end("it has failed");
    }
}

/// It may say all that it has to say at once.
#[test]
fn what_comes_with_a_greeting_is_heard() {
    let host = Host::new();
    let path = path();
    let channel = offer(&path, 1, Arc::clone(&host.environment)).unwrap();
    let mut bytes = Vec::new();
    Message::hello(Vec::new()).write(&mut bytes, 0).unwrap();
    Message::Ready { against: String::new() }.write(&mut bytes, 0).unwrap();
    let mut peer = UnixStream::connect(&path).unwrap();
    peer.write_all(&bytes).unwrap();
    news(&host, HandoverEvent::Peer);
    news(&host, HandoverEvent::Ready);
    channel.end("it is over");
}

/// As another one does that wants to offer there, to see whether somebody does.
#[test]
fn who_goes_without_a_word_takes_the_offer_from_nobody() {
    let host = Host::new();
    let path = path();
    let channel = offer(&path, 1, Arc::clone(&host.environment)).unwrap();
    for _ in 0..3 {
        assert!(offer(&path, 2, Arc::clone(&host.environment)).is_err());
        let mut peer = UnixStream::connect(&path).unwrap();
        peer.shutdown(std::net::Shutdown::Write).unwrap();
        assert_eq!(peer.read(&mut [0; 8]).unwrap_or_default(), 0, "it is sent away");
    }
    assert!(path.exists());
    let (environment, runtime) = (Arc::clone(&host.environment), Arc::downgrade(&host.runtime));
    let asked = take(&path, 3, environment, runtime, b"hello".to_vec()).unwrap();
    let Asked::Offered(taker) = asked else { panic!("{asked:?}") };
    assert_eq!(news(&host, HandoverEvent::Peer).buffers, [b"hello".to_vec()]);
    assert!(channel.is_open() && taker.is_open());
}

#[test]
fn a_file_that_is_not_ours_stays() {
    let host = Host::new();
    let path = path();
    std::fs::write(&path, b"mine").unwrap();
    assert!(offer(&path, 1, Arc::clone(&host.environment)).is_err());
    assert_eq!(std::fs::read(&path).unwrap(), b"mine");
    std::fs::remove_file(&path).unwrap();
    // What a process has left that has ended is replaced; a living one keeps its name.
    drop(UnixListener::bind(&path).unwrap());
    let channel = offer(&path, 1, Arc::clone(&host.environment)).unwrap();
    assert!(offer(&path, 2, Arc::clone(&host.environment)).is_err());
    channel.end("over");
    Host::until(|| !path.exists());
    let runtime = Arc::downgrade(&host.runtime);
    let environment = Arc::clone(&host.environment);
    let asked = take(&path, 3, environment, runtime, Vec::new()).unwrap();
    assert!(matches!(asked, Asked::Nobody), "{asked:?}");
}

/// What a new process says and hears, by hand.
struct Stranger(UnixStream);

impl Stranger {
    fn connect(host: &Host) -> (Self, Arc<Channel>) {
        let (mut stranger, channel) = Self::say_first(host, &Message::hello(Vec::new()));
        news(host, HandoverEvent::Peer);
        channel.greet(Vec::new(), Vec::new());
        stranger.say(&Message::Ready { against: String::new() });
        news(host, HandoverEvent::Ready);
        (stranger, channel)
    }

    fn say_first(host: &Host, message: &Message) -> (Self, Arc<Channel>) {
        let path = path();
        let channel = offer(&path, 1, Arc::clone(&host.environment)).unwrap();
        let mut stranger = Self(UnixStream::connect(&path).unwrap());
        stranger.say(message);
        (stranger, channel)
    }

    fn say(&mut self, message: &Message) {
        let mut bytes = Vec::new();
        message.write(&mut bytes, 0).unwrap();
        self.0.write_all(&bytes).unwrap();
    }

    /// Waits until all has been said, and gives how that was.
    fn hear_end(&mut self) -> Message {
        let mut reader = FrameReader::default();
        let mut bytes = [0; 512];
        loop {
            let count = self.0.read(&mut bytes).unwrap();
            assert!(count > 0, "the end of the socket, and not of what is said");
            reader.push(&bytes[..count]);
            while let Some(frame) = reader.next_frame().unwrap() {
                if frame.kind == b'E' {
                    return Message::read(&frame).unwrap();
                }
            }
        }
    }
}

/// The lock is nobody's then, so the old process has it again.
#[test]
fn who_goes_before_he_serves_leaves_all_to_the_old_process() {
    for refuses in [false, true] {
        for ends in [false, true] {
            let host = Host::new();
            let (mut stranger, channel) = Stranger::connect(&host);
            if ends {
                drop(channel.finish(1, Vec::new()));
                stranger.hear_end();
            }
            if refuses {
                stranger.say(&Message::Refused { why: "no".into() });
            }
            drop(stranger);
            let failed = news(&host, HandoverEvent::Failed);
            let why = if refuses { "refuses: no" } else { "has gone" };
            assert!(failed.text(3).contains(why), "{failed:?}");
            assert!(!has_news(&host, HandoverEvent::Sent));
        }
    }
}

/// The new process serves, and nobody hears it say so: the old one finds that it does not have the lock.
#[test]
fn who_does_not_get_the_lock_back_does_not_serve() {
    let (old, new) = meet();
    let meeting = Meeting::of(old, new);
    let Meeting { old, new, giver, taker } = &meeting;
    drop(giver.finish(1, Vec::new()));
    news(new, HandoverEvent::End);
    // Its socket breaks: what it says is none of a hand-over.
    assert!(taker.send(&Message::hello(Vec::new()), Vec::new()));
    assert_eq!(news(old, HandoverEvent::Sent).number(3), 0);
    assert!(!has_news(old, HandoverEvent::Failed));
}

/// The old process goes on, and the new one is told so; or it goes, and the new one serves with what has come.
#[test]
fn who_is_left_serves_with_what_has_come() {
    let (old, new) = meet();
    let (mut client, handle) = Raw::open(&old);
    let meeting = Meeting::of(old, new);
    assert_eq!(meeting.hand_over(handle), "handed over");
    let (adopted, _) = meeting.adopted();
    meeting.giver.end("it stays");
    let failed = news(&meeting.new, HandoverEvent::Failed);
    assert_eq!(failed.text(3), "the other process refuses: it stays");
    meeting.new.command(adopted, Command::Close { slot: adopted.slot(), discard: true });
    assert_eq!(client.frame().opcode, CLOSE);
}

/// The new process ends in the middle: what it has not read ends with it, and what was not handed over stays.
#[test]
fn the_other_process_goes() {
    let (old, new) = meet();
    let (mut client, handle) = Raw::open(&old);
    let meeting = Meeting::of(old, new);
    meeting.taker.end("it is closed");
    let failed = news(&meeting.old, HandoverEvent::Failed);
    assert_eq!(failed.text(3), "the other process refuses: it is closed");
    assert_eq!(meeting.hand_over(handle), "transport close");
    client.expect_end();
}

/// What a worker owes is told, whatever becomes of it: nobody waits for one that has panicked.
#[cfg(feature = "faults")]
#[test]
fn a_worker_that_panics_keeps_nobody_waiting() {
    use ferrosocket::net::faults;

    for place in ["freeze", "finish hand-over"] {
        let (old, new) = meet();
        for worker in 0..old.runtime.workers() {
            faults::arm((place, old.environment.id, worker as u64));
        }
        let (mut client, handle) = Client::open(&old);
        let meeting = Meeting::of(old, new);
        let expected = if place == "freeze" { ("forced close", 0) } else { ("handed over", 1) };
        let reason = meeting.hand_over(handle);
        if expected.1 > 0 {
            let (adopted, _) = meeting.adopted();
            assert_eq!(meeting.finish(), (1, 1));
            meeting.read_on(adopted);
            client.send("42[\"a\"]");
            assert_eq!(meeting.new.next_of(RecordKind::Event, adopted.raw()).fields[3][0], "a");
        } else {
            assert_eq!(meeting.finish(), (0, 0));
        }
        assert_eq!(reason, expected.0);
        for worker in 0..meeting.old.runtime.workers() {
            assert!(!faults::is_armed((place, meeting.old.environment.id, worker as u64)));
        }
    }
}

/// The thread of a hand-over panics: who has the lock serves.
#[cfg(feature = "faults")]
#[test]
fn one_serves_though_a_thread_has_panicked() {
    use ferrosocket::net::faults;

    // Before anything is decided, the old process serves.
    let (old, new) = meet();
    let meeting = Meeting::of(old, new);
    let Meeting { old, new, taker, .. } = &meeting;
    faults::arm(("hear", old.environment.id, 1));
    taker.send(&Message::Ready { against: String::new() }, Vec::new());
    assert!(news(old, HandoverEvent::Failed).text(3).contains("panicked"));
    news(new, HandoverEvent::Failed);
    // The new one serves, and the old one does not hear it say so.
    let (old, new) = meet();
    let meeting = Meeting::of(old, new);
    let Meeting { old, new, giver, taker } = &meeting;
    drop(giver.finish(1, Vec::new()));
    news(new, HandoverEvent::End);
    faults::arm(("hear", old.environment.id, 1));
    taker.take();
    news(old, HandoverEvent::Sent);
    assert!(!has_news(old, HandoverEvent::Failed));
    // The new one does not get that far.
    let (old, new) = meet();
    let meeting = Meeting::of(old, new);
    let Meeting { old, new, giver, .. } = &meeting;
    faults::arm(("hear", new.environment.id, 2));
    drop(giver.finish(1, Vec::new()));
    assert!(news(new, HandoverEvent::Failed).text(3).contains("panicked"));
    news(old, HandoverEvent::Failed);
    assert!(!has_news(old, HandoverEvent::Sent));
}
