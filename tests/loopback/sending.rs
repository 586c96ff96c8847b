//! What goes out: order, broadcasts, jams.

use std::sync::{Arc, mpsc};

use ferrosocket::border::RecordKind;
use ferrosocket::border::send_flag::VOLATILE;
use ferrosocket::engineio::Config;
use ferrosocket::id::Slot;
use ferrosocket::net::command::{Command, Outgoing};
use ferrosocket::net::operation_batch::OperationBatch;
use ferrosocket::socketio::Group;
use smallvec::SmallVec;

use crate::client::{BINARY, CLOSE, Raw, TEXT};
use crate::host::Host;

/// More than the buffers of the operating system take from a peer that reads nothing.
pub(crate) const JAM: usize = 32;

/// One of the messages of a jam: 1 MB, each of another letter.
pub(crate) fn jam(n: usize) -> String {
    char::from(b'A' + u8::try_from(n).unwrap()).to_string().repeat(1 << 20)
}

/// Returns once the worker has done everything that it was given before: another client of it has
/// been answered twice. (Its first answer may leave just before the last write of the others.)
fn wait_for_worker(host: &Host) {
    let (mut other, handle) = Raw::open(host);
    for round in ["first", "second"] {
        host.send(handle, round);
        assert_eq!(&other.text()[1..], round);
    }
}

fn broadcast(members: Vec<Slot>, except: &[Slot], messages: Vec<Outgoing>) -> Command {
    let group = Group { members: Arc::new(members), except: except.iter().copied().collect() };
    Command::Broadcast { group, flags: 0, messages: messages.into() }
}

#[test]
fn a_batch_goes_out_in_order_and_ends_with_its_close() {
    let host = Host::new();
    let (mut client, handle) = Raw::open(&host);
    let slot = handle.slot();
    let mut batch = OperationBatch::default();
    batch.send_text(slot, 0, b"a");
    batch.command(broadcast(vec![slot], &[], vec![Outgoing::Text("b".into())]));
    batch.send_text(slot, 0, b"c");
    let messages = vec![Outgoing::Text("d".into()), Outgoing::Binary(vec![1].into())];
    batch.command(Command::Send { slot, flags: 0, messages });
    let large = vec![Outgoing::Binary(vec![2; 5000].into())];
    batch.command(broadcast(vec![slot], &[], large));
    batch.send_text(slot, 0, b"e");
    batch.command(Command::Close { slot, discard: false });
    batch.send_text(slot, 0, b"too late");
    host.post(handle, &mut batch);
    for text in ["4a", "4b", "4c", "4d"] {
        assert_eq!(client.text(), text);
    }
    assert_eq!((client.frame().opcode, client.frame().payload.len()), (BINARY, 5000));
    assert_eq!(client.text(), "4e");
    assert_eq!(client.frame().opcode, CLOSE);
    assert_eq!(host.closed(handle), ("forced close".into(), None));
}

#[test]
fn a_broadcast_reaches_everyone_but_the_excepted() {
    let host = Host::new();
    let mut clients: Vec<_> = (0..40).map(|_| Raw::open(&host)).collect();
    let members: Vec<Slot> = clients.iter().map(|(_, handle)| handle.slot()).collect();
    let except = [members[3], members[17]];
    let small = Outgoing::Text("2[\"small\"]".into());
    let large = Outgoing::Text("x".repeat(3000).into());
    for _ in 0..40 {
        // More pieces than one `writev` takes.
        let messages = vec![small.clone(), large.clone()];
        host.command_to(host.worker, broadcast(members.clone(), &except, messages));
    }
    // A slot that nobody has (any more) is no harm, nor one that somebody else has now.
    let gone = [Slot { index: 9999, ..members[0] }, Slot { generation: 0, ..members[0] }];
    let marker = vec![Outgoing::Text("marker".into())];
    host.command_to(host.worker, broadcast([members, gone.to_vec()].concat(), &[], marker));
    for (client, handle) in &mut clients {
        let rounds = if except.contains(&handle.slot()) { 0 } else { 40 };
        for _ in 0..rounds {
            assert_eq!(client.text(), "42[\"small\"]");
            assert_eq!(client.frame().payload.len(), 3001);
        }
        assert_eq!(client.text(), "4marker");
    }
}

#[test]
fn a_slow_reader_gets_everything_in_order_and_a_drain_is_told() {
    let host = Host::new();
    let (mut client, handle) = Raw::open(&host);
    let shared = Outgoing::Binary(vec![7; 100_000].into());
    for n in 0..JAM {
        host.send(handle, &jam(n));
        host.command(handle, broadcast(vec![handle.slot()], &[], vec![shared.clone()]));
    }
    host.fence(handle);
    wait_for_worker(&host);
    for n in 0..JAM {
        assert!(client.text()[1..] == jam(n), "message {n}");
        let frame = client.frame();
        assert_eq!((frame.opcode, frame.payload.len()), (BINARY, 100_000));
    }
    host.next_of(RecordKind::Drain, handle.raw());
}

/// A program that hears of a drain looks how much waits, and would wait for another one.
#[test]
fn nothing_waits_any_more_when_a_drain_is_told() {
    let host = Host::new();
    let (mut client, handle) = Raw::open(&host);
    for n in 0..JAM {
        host.send(handle, &jam(n));
    }
    host.fence(handle);
    Host::until(|| host.environment.backlogs.get(handle) > 0);
    let (tell, told) = mpsc::channel();
    let environment = Arc::downgrade(&host.environment);
    host.at_wake(move || {
        let waiting = environment.upgrade().map(|environment| environment.backlogs.get(handle));
        tell.send(waiting).unwrap();
    });
    for n in 0..JAM {
        assert!(client.text()[1..] == jam(n), "message {n}");
    }
    host.next_of(RecordKind::Drain, handle.raw());
    assert_eq!(told.try_iter().last(), Some(Some(0)));
}

#[test]
fn volatile_packets_are_dropped_while_the_peer_does_not_take_what_came_before() {
    let host = Host::new();
    let (mut client, handle) = Raw::open(&host);
    let volatile = |text: &str| {
        let mut batch = OperationBatch::default();
        batch.send_text(handle.slot(), VOLATILE, text.as_bytes());
        let group = Group { members: Arc::new(vec![handle.slot()]), except: SmallVec::new() };
        let messages = [Outgoing::Text(text.to_owned().into())].into();
        batch.command(Command::Broadcast { group, flags: VOLATILE, messages });
        host.post(handle, &mut batch);
    };
    for n in 0..JAM {
        host.send(handle, &jam(n));
    }
    volatile("dropped");
    host.send(handle, "kept");
    host.fence(handle);
    wait_for_worker(&host);
    for n in 0..JAM {
        assert!(client.text()[1..] == jam(n), "message {n}");
    }
    assert_eq!(client.text(), "4kept");
    host.next_of(RecordKind::Drain, handle.raw());
    // What is only queued, in the same batch, does not count.
    volatile("arrives");
    assert_eq!(client.text(), "4arrives");
    assert_eq!(client.text(), "4arrives");
}

#[test]
fn what_is_queued_at_the_end_still_leaves() {
    let host = Host::new();
    let (mut client, handle) = Raw::open(&host);
    for n in 0..JAM {
        host.send(handle, &jam(n));
    }
    host.fence(handle);
    client.send(crate::client::FIN | CLOSE, 1000u16.to_be_bytes());
    assert_eq!(host.closed(handle), ("transport close".into(), None));
    for n in 0..JAM {
        let frame = client.frame();
        assert_eq!(frame.opcode, TEXT);
        assert!(frame.payload[1..] == *jam(n).as_bytes(), "message {n}");
    }
    assert_eq!(client.frame().payload, 1000u16.to_be_bytes());
    client.expect_end();
    client.half_close();
    // No drain record comes for the handle between its end and this.
    host.next_of(RecordKind::WireClosed, client.token);
}

/// A worker must not do batches only: the other things that it does have their turn.
#[test]
fn a_mailbox_that_is_never_empty_does_not_keep_the_worker_from_reading() {
    let host = Host::with(Config { ping_interval: 100, ..Config::default() });
    let (mut client, _) = Raw::open(&host);
    let messages: Arc<[Outgoing]> = [Outgoing::Text("nobody".into())].into();
    let nobody = |index| Slot { index, generation: 0 };
    let members = Arc::new((1 << 20..(1 << 20) + 50_000).map(nobody).collect::<Vec<_>>());
    let stop = Arc::new(());
    let flood = {
        let (runtime, worker) = (Arc::clone(&host.runtime), host.worker);
        let stop = Arc::downgrade(&stop);
        std::thread::spawn(move || {
            while stop.strong_count() > 0 {
                // Each waiting broadcast holds the messages: two at least are on their way.
                if Arc::strong_count(&messages) > 3 {
                    std::thread::yield_now();
                    continue;
                }
                let group = Group { members: Arc::clone(&members), except: SmallVec::new() };
                let messages = Arc::clone(&messages);
                runtime.mailbox(worker).post_command(Command::Broadcast {
                    group,
                    flags: 0,
                    messages,
                });
            }
        })
    };
    for n in 0..3 {
        assert_eq!(client.text(), "2", "the deadlines are kept");
        client.send(crate::client::FIN | TEXT, format!("42[{n}]"));
        assert_eq!(host.next(RecordKind::Event).fields[3][0], n);
        client.send(crate::client::FIN | TEXT, "3");
    }
    drop(stop);
    flood.join().unwrap();
}
