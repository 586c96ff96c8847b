//! What is done for a worker while it sleeps, on the thread that asks for it.

use std::cell::Cell;

use ferrosocket::net::command::{Command, Outgoing};
use ferrosocket::net::operation_batch::OperationBatch;

use crate::client::Raw;
use crate::host::Host;
use crate::sending::{JAM, jam};

/// Gives batches until the worker was not woken for one: it sleeps. Gives how many that took.
pub(crate) fn until_it_sleeps(send: impl Fn(u32) -> bool) -> u32 {
    let count = Cell::new(0);
    Host::until(|| {
        count.set(count.get() + 1);
        !send(count.get())
    });
    count.get()
}

#[test]
fn a_sleeping_worker_is_not_woken_for_a_packet() {
    let host = Host::new();
    let (mut client, handle) = Raw::open(&host);
    let sent = until_it_sleeps(|n| host.send(handle, &n.to_string()));
    for n in 1..=sent {
        assert_eq!(client.text(), format!("4{n}"));
    }
}

#[test]
fn the_order_holds_between_what_runs_inline_and_what_does_not() {
    let host = Host::new();
    let (mut client, handle) = Raw::open(&host);
    let slot = handle.slot();
    let heavy = "x".repeat(20_000);
    for round in 0..50 {
        let sent = until_it_sleeps(|n| host.send(handle, &format!("{round} {n}")));
        let mut batch = OperationBatch::default();
        batch.send_text(slot, 0, heavy.as_bytes());
        assert!(host.post(handle, &mut batch), "a worker is woken for what does not run inline");
        host.send(handle, "behind");
        for n in 1..=sent {
            assert_eq!(client.text(), format!("4{round} {n}"));
        }
        assert_eq!(client.text().len(), heavy.len() + 1);
        assert_eq!(client.text(), "4behind");
    }
}

#[test]
fn what_a_peer_does_not_take_at_once_leaves_later() {
    let host = Host::new();
    let (mut client, handle) = Raw::open(&host);
    let slot = handle.slot();
    for n in 0..JAM {
        let messages = vec![Outgoing::Text(jam(n).into())];
        host.command(handle, Command::Send { slot, flags: 0, messages });
    }
    // The worker sleeps, as the peer takes no more; so does what is sent now.
    let sent = until_it_sleeps(|n| host.send(handle, &n.to_string()));
    for n in 0..JAM {
        assert!(client.text()[1..] == jam(n));
    }
    for n in 1..=sent {
        assert_eq!(client.text(), format!("4{n}"));
    }
}

#[test]
fn who_has_gone_is_sent_nothing() {
    let host = Host::new();
    let (client, handle) = Raw::open(&host);
    drop(client);
    host.closed(handle);
    // To whom is not there any more, nothing is sent, whoever does it.
    until_it_sleeps(|n| host.send(handle, &n.to_string()));
    host.release(handle);
    until_it_sleeps(|n| host.send(handle, &n.to_string()));
}
