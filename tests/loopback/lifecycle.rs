//! Handles, environments and the runtime: what is taken is given back.

use std::sync::Arc;

use ferrosocket::border::RecordKind;
use ferrosocket::engineio::Protocol;
use ferrosocket::net::clients::stale_commands;
use ferrosocket::net::command::{
    BridgeEvent, Command, IncomingStream, Outgoing, Purpose, RequestEvent, UpgradeResponse,
};
use ferrosocket::net::lifecycle::LifecycleEvent;
use ferrosocket::socketio::Group;
use smallvec::SmallVec;

use crate::client::{CLOSE, Client, FIN, Raw, TEXT};
use crate::host::{Host, alone};
use crate::sending::{JAM, jam};

// Slots are the worker's, whoever its clients belong to: who counts on one must be alone.

#[test]
fn a_slot_is_used_again_only_after_its_release() {
    alone(|make| {
        let host = make();
        let (client, first) = Client::open(&host);
        drop(client);
        host.closed(first);
        let (_second_client, second) = Client::open(&host);
        assert_ne!(first, second);
        host.release(first);
        let (_third_client, third) = Client::open(&host);
        assert_eq!(first.raw(), third.raw());
        assert_ne!(first, third);
    });
}

#[test]
fn a_release_that_comes_early_or_twice_is_none() {
    alone(|make| {
        let host = make();
        let (mut client, first) = Raw::open(&host);
        host.release(first);
        host.send(first, "early");
        assert_eq!(client.text(), "4early");
        drop(client);
        host.closed(first);
        host.release(first);
        let (mut next, second) = Raw::open(&host);
        assert_eq!(first.raw(), second.raw());
        host.release(first);
        host.release(second);
        host.send(second, "here");
        assert_eq!(next.text(), "4here");
        let (_third_client, third) = Client::open(&host);
        assert_ne!(third.raw(), second.raw());
    });
}

#[test]
fn what_is_for_the_one_before_does_not_reach_the_next() {
    alone(|make| {
        let host = make();
        let (client, first) = Raw::open(&host);
        drop(client);
        host.closed(first);
        host.release(first);
        let (mut next, second) = Raw::open(&host);
        assert_eq!(first.raw(), second.raw());
        let stale = stale_commands();
        let slot = first.slot();
        let messages = || vec![Outgoing::Text("secret".into())];
        host.send(first, "secret");
        host.command(first, Command::Send { slot, flags: 0, messages: messages() });
        host.command(first, Command::SendPacket { slot, flags: 0, packet: "4secret".into() });
        let group = Group { members: Arc::new(vec![slot]), except: SmallVec::new() };
        host.command(first, Command::Broadcast { group, flags: 0, messages: messages().into() });
        host.close(first);
        host.observe(first, 0xff);
        host.fence(first);
        host.command(first, Command::Joined { slot });
        host.release(first);
        host.poll(first, RequestEvent::Closed);
        let probe = Client::connect(&host, host.worker, Purpose::Upgrade(slot)).end();
        assert_eq!(probe, None, "its upgrade is none of the next one's");
        host.send(second, "own");
        assert_eq!(next.text(), "4own");
        assert_eq!(stale_commands() - stale, 11);
        for kind in [RecordKind::Closed, RecordKind::Drain, RecordKind::Control] {
            assert!(!host.has(kind, second));
        }
    });
}

#[test]
fn who_comes_and_goes_is_told_beside_the_records() {
    let host = Host::new();
    let (client, handle) = Client::open(&host);
    drop(client);
    host.closed(handle);
    let mut events = Vec::new();
    host.environment.lifecycle.drain(|event| events.push(event));
    assert_eq!(events, [LifecycleEvent::Opened(handle), LifecycleEvent::Closed(handle)]);
}

/// The old client's connection lives on (it has yet to read what was queued); nothing of it may
/// come up under the handle that another client has now.
#[test]
fn an_old_connection_says_nothing_under_its_handle() {
    alone(|make| {
        let host = make();
        let (mut old, first) = Raw::open(&host);
        host.observe(first, 0xff);
        for n in 0..JAM {
            host.send(first, &jam(n));
        }
        old.send(FIN | CLOSE, "");
        host.closed(first);
        host.release(first);
        let (mut new, second) = Client::open(&host);
        assert_eq!(first.raw(), second.raw());
        for n in 0..JAM {
            assert!(old.text()[1..] == jam(n), "message {n}");
        }
        assert_eq!(old.frame().opcode, CLOSE);
        let token = old.token;
        drop(old);
        host.next_of(RecordKind::WireClosed, token);
        for kind in [RecordKind::Closed, RecordKind::Event, RecordKind::Drain, RecordKind::Control]
        {
            assert!(!host.has(kind, second));
        }
        new.send(r#"42["new"]"#);
        assert_eq!(host.next_of(RecordKind::Event, second.raw()).fields[3][0], "new");
    });
}

#[test]
fn late_commands_for_a_released_handle_do_nothing() {
    let host = Host::new();
    let (client, handle) = Client::open(&host);
    drop(client);
    host.closed(handle);
    host.release(handle);
    host.send(handle, "2[]");
    host.close(handle);
    host.observe(handle, 3);
    host.command(handle, Command::Joined { slot: handle.slot() });
    host.poll(handle, RequestEvent::Get);
    Client::open(&host);
}

#[test]
fn the_end_of_an_environment_closes_its_connections_only() {
    let host = Host::new();
    let other = Host::beside(&host);
    let (mut client, _) = Raw::open(&host);
    let (mut kept, kept_handle) = Client::open(&other);
    crate::polling::open(&host);
    let bridged = host.token();
    host.command_to(
        host.worker,
        Command::IncomingWebSocket(Box::new(ferrosocket::net::command::IncomingWebSocket {
            server: Arc::clone(&host.server),
            token: bridged,
            purpose: Purpose::Session(host.sid()),
            dialect: Protocol::V4.into(),
            stream: IncomingStream::Bridge,
            head: Vec::new(),
            response: UpgradeResponse::Whole(Vec::new()),
            deflate: None,
            peer: ferrosocket::net::peer::Peer::default(),
            news: None,
            ticket: None,
        })),
    );
    host.next(RecordKind::Opened);
    for worker in 0..host.runtime.workers() {
        host.command_to(worker, Command::DropEnvironment(host.environment.id));
    }
    client.expect_end();
    host.next_of(RecordKind::WireClosed, client.token);
    host.next_of(RecordKind::WireClosed, bridged);
    assert!(host.server.sessions.is_empty());
    host.bridge(bridged, BridgeEvent::End { broken: false });
    other.send(kept_handle, "2[]");
    assert_eq!(kept.text(), "42[]");
}

/// The worker threads of this process.
#[cfg(target_os = "linux")]
fn threads() -> usize {
    std::fs::read_dir("/proc/self/task")
        .unwrap()
        .filter(|task| {
            let name = task.as_ref().unwrap().path().join("comm");
            std::fs::read_to_string(name).is_ok_and(|name| name.starts_with("ferrosocket"))
        })
        .count()
}

/// Waits until no worker thread is left. The kernel wakes who joins a thread a moment before it
/// takes the thread off its list.
#[cfg(target_os = "linux")]
fn until_threads_are_gone() {
    Host::until(|| threads() == 0);
}

/// The open descriptors of this process.
#[cfg(target_os = "linux")]
fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

#[cfg(target_os = "linux")]
#[test]
fn a_stopped_runtime_leaves_nothing_behind() {
    alone(|make| {
        until_threads_are_gone();
        let before = descriptors();
        // With the end of the environment, as in production, and without.
        for end in [true, false] {
            let host = make();
            assert_eq!(threads(), host.runtime.workers());
            let mut clients: Vec<_> = (0..20).map(|_| Raw::open(&host)).collect();
            for (client, handle) in &mut clients {
                client.send(FIN | TEXT, "40");
                host.next_of(RecordKind::Connect, handle.raw());
            }
            if end {
                drop(host);
            } else {
                host.stop();
            }
            until_threads_are_gone();
            for (client, _) in &mut clients {
                client.expect_end();
            }
            drop(clients);
            assert_eq!(descriptors(), before);
        }
    });
}

#[test]
fn a_panic_ends_one_connection_and_nothing_else() {
    let host = Host::new();
    let (mut doomed, handle) = Client::open(&host);
    let (mut other, other_handle) = Client::open(&host);
    assert_eq!(handle.worker(), other_handle.worker());

    host.panic_at_next_record();
    // So long that it is announced at once, and not when the worker has looked at all sockets.
    doomed.send(format!(r#"42["{}"]"#, "x".repeat(10_000)));
    host.next(RecordKind::Event);
    let closed = host.next(RecordKind::Closed);
    assert_eq!(closed.number(1), u64::from(handle.raw()));
    assert_eq!(closed.text(2), "transport error");

    other.send(r#"42["still here"]"#);
    assert_eq!(host.next(RecordKind::Event).number(1), u64::from(other_handle.raw()));
    host.send(other_handle, "2[1]");
    assert_eq!(other.text(), "42[1]");
}
