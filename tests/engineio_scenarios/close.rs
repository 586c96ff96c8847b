//! § Closing.

use ferrosocket::engineio::{Action, CloseReason, PostStart, Route};

use crate::harness::Bench;

#[test]
fn close_by_the_client_a_close_packet_ends_a_polling_session() {
    let mut bench = Bench::polling();
    bench.get(1);
    assert_eq!(
        bench.post(2, "4a\u{1e}1\u{1e}4b"),
        ["app: a", "#1: 200 6", "#2: 200 ok", "closed: transport close"]
    );
}

#[test]
fn close_of_a_websocket_sends_a_close_frame() {
    for discard in [false, true] {
        let mut bench = Bench::websocket();
        assert_eq!(bench.close(discard), ["main closes", "closed: forced close"]);
        assert_eq!(bench.session.route(), Route::Closed);
    }
}

#[test]
fn close_a_waiting_poll_carries_the_close_packet() {
    for discard in [false, true] {
        let mut bench = Bench::polling();
        bench.get(1);
        assert_eq!(bench.close(discard), ["#1: 200 1", "closed: forced close"]);
    }
}

#[test]
fn close_the_packet_waits_for_the_next_poll() {
    let mut bench = Bench::polling();
    assert_eq!(bench.close(false), [""; 0]);
    assert!(!bench.session.is_open() && !bench.session.is_closed());
    assert_eq!(bench.session.route(), Route::Closed);
    assert_eq!(bench.get(1), ["#1: 200 6␞1", "closed: forced close"]);
}

#[test]
fn close_the_packet_waits_for_thirty_seconds() {
    let mut bench = Bench::polling();
    bench.wait(20_000);
    bench.post(1, "3");
    bench.close(false);
    assert_eq!(bench.wait(29_999), [""; 0]);
    assert_eq!(bench.wait(1), ["closed: forced close"]);
}

#[test]
fn close_what_was_sent_before_leaves_first() {
    let mut bench = Bench::polling();
    bench.send(&["hello"]);
    assert_eq!(bench.close(false), [""; 0]);
    assert_eq!(bench.send(&["late"]), [""; 0]);
    assert_eq!(bench.get(1), ["#1: 200 4hello"]);
    assert_eq!(bench.get(2), ["#2: 200 6␞1", "closed: forced close"]);
}

#[test]
fn close_right_behind_a_message_takes_a_poll_of_its_own() {
    let mut bench = Bench::polling();
    bench.get(1);
    bench.session.buffer(crate::harness::message(b"hello", false));
    assert_eq!(bench.close(false), ["#1: 200 4hello"]);
    assert_eq!(bench.get(2), ["#2: 200 6␞1", "closed: forced close"]);
}

#[test]
fn close_a_discarded_transport_waits_for_nothing() {
    let mut bench = Bench::polling();
    bench.send(&["lost"]);
    assert_eq!(bench.close(true), ["closed: forced close"]);

    let mut bench = Bench::polling();
    bench.close(false);
    assert_eq!(bench.close(false), [""; 0]);
    assert_eq!(bench.close(true), ["closed: forced close"]);
}

#[test]
fn close_cuts_a_post_in_flight_off() {
    let mut bench = Bench::polling();
    bench.get(1);
    bench.post_start(2);
    assert_eq!(bench.close(false), ["#2 dropped", "#1: 200 1", "closed: forced close"]);

    let aborted = "closed: transport error (data request connection closed prematurely)";
    let mut bench = Bench::polling();
    bench.post_start(1);
    assert_eq!(bench.close(false), ["#1 dropped", aborted]);

    let mut bench = Bench::polling();
    bench.post_start(1);
    bench.send(&["x"]);
    assert_eq!(bench.close(false), [""; 0]);
    assert_eq!(bench.get(2), ["#2: 200 4x", "#1 dropped", aborted]);
}

#[test]
fn close_packets_for_a_closing_session_are_ignored() {
    let mut bench = Bench::polling();
    bench.close(false);
    assert_eq!(bench.post(1, "4a\u{1e}2\u{1e}3\u{1e}9"), ["#1: 200 ok"]);
    assert!(!bench.session.is_closed());
    assert_eq!(bench.post(2, "1"), ["#2: 200 ok", "closed: transport close"]);
}

#[test]
fn close_a_closing_session_still_has_a_heartbeat_to_miss() {
    let mut bench = Bench::polling();
    bench.send(&["never fetched"]);
    bench.wait(10_000);
    bench.close(false);
    assert_eq!(bench.wait(34_999), [""; 0]);
    assert_eq!(bench.wait(1), ["closed: ping timeout"]);
}

#[test]
fn close_rules_hold_for_a_closing_session_too() {
    let mut bench = Bench::polling();
    bench.close(false);
    bench.post_start(1);
    let (start, lines) = bench.post_start(2);
    assert_eq!(start, PostStart::Refused);
    let reason = "closed: transport error (data request overlap from client)";
    assert_eq!(lines, ["#2: 400", "#1 dropped", reason]);
}

#[test]
fn close_nothing_comes_out_of_a_closed_session() {
    for mut bench in [Bench::websocket(), Bench::polling()] {
        bench.close(true);
        assert!(bench.session.is_closed());
        assert_eq!(bench.session.poll_timeout(), None);
        assert!(!bench.session.writable());
        assert_eq!(bench.get(1), [""; 0]);
        assert_eq!(bench.post_start(2), (PostStart::Refused, vec![]));
        assert_eq!(bench.post_body(2, "4a"), [""; 0]);
        assert_eq!(bench.text("4a"), [""; 0]);
        assert_eq!(bench.text("2"), [""; 0]);
        assert_eq!(bench.text("9"), [""; 0]);
        assert_eq!(bench.send(&["a"]), [""; 0]);
        assert_eq!(bench.close(false), [""; 0]);
        assert_eq!(bench.link_closed(ferrosocket::engineio::Link::Main), [""; 0]);
        bench.session.handle_timeout(bench.now + 1_000_000);
        assert_eq!(bench.actions(), [""; 0]);
    }
}

#[test]
fn close_is_the_last_action() {
    let mut bench = Bench::polling();
    bench.session.handle_get(bench.now, ferrosocket::engineio::RequestId(1));
    bench.session.close(bench.now, false);
    let actions = bench.raw_actions();
    assert_eq!(actions.last(), Some(&Action::Closed(CloseReason::ForcedClose)));
    assert_eq!(actions.len(), 2);
}

/// Ours: upstream lets any amount wait.
#[test]
fn close_for_an_overflow_drops_what_waits() {
    let mut bench = Bench::polling();
    bench.send(&["a", "b"]);
    assert!(bench.session.buffered() > 0);
    bench.session.overflow();
    assert_eq!(bench.actions(), ["closed: buffer overflow"]);
    assert_eq!(bench.session.buffered(), 0);

    let mut bench = Bench::websocket();
    bench.session.overflow(); // the driver drops the link: a close frame would not get through
    bench.session.overflow();
    assert_eq!(bench.actions(), ["closed: buffer overflow"]);
}
