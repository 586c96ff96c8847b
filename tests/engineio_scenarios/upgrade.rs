//! § Upgrade.

use ferrosocket::engineio::{Link, Transport};

use crate::harness::Bench;

#[test]
fn upgrade_a_probe_is_answered_and_takes_the_session_over() {
    let mut bench = Bench::polling();
    assert!(bench.session.handle_probe_opened(bench.now));
    assert!(bench.session.is_upgrading());
    assert_eq!(bench.probe("2probe"), ["probe: 3probe", "upgrading"]);
    assert_eq!(bench.session.transport(), Transport::Polling);
    assert_eq!(bench.probe("5"), ["upgraded"]);
    assert!(!bench.session.is_upgrading());
    assert!(bench.session.has_upgraded());
    assert_eq!(bench.session.transport(), Transport::WebSocket);
    assert_eq!(bench.text("4x"), ["app: x"]);
}

#[test]
fn upgrade_a_waiting_poll_is_ended_with_a_noop() {
    let mut bench = Bench::probing();
    bench.get(1);
    assert_eq!(bench.wait(99), [""; 0]);
    assert_eq!(bench.wait(1), ["#1: 200 6"]);
    bench.get(2);
    assert_eq!(bench.wait(100), ["#2: 200 6"]);
    assert_eq!(bench.wait(150), [""; 0]);
    bench.get(3);
    assert_eq!(bench.wait(50), ["#3: 200 6"]);
}

#[test]
fn upgrade_no_noop_before_the_probe_packet() {
    let mut bench = Bench::polling();
    bench.get(1);
    assert!(bench.session.handle_probe_opened(bench.now));
    assert_eq!(bench.wait(5_000), [""; 0]);
}

#[test]
fn upgrade_messages_go_on_by_polling_until_the_upgrade_packet() {
    let mut bench = Bench::probing();
    bench.get(1);
    assert_eq!(bench.send(&["a"]), ["#1: 200 4a"]);
    assert_eq!(bench.post(2, "4b"), ["app: b", "#2: 200 ok"]);
}

#[test]
fn upgrade_what_was_buffered_leaves_by_the_websocket() {
    let mut bench = Bench::probing();
    bench.send(&["a", "b"]);
    bench.send_binary(&[7]);
    assert_eq!(bench.probe("5"), ["upgraded", "main: 4a", "main: 4b", "main: <07>"]);
    assert_eq!(bench.session.buffered(), 0);
}

#[test]
fn upgrade_the_packet_is_good_without_a_probe_before_it() {
    let mut bench = Bench::polling();
    bench.get(1);
    assert!(bench.session.handle_probe_opened(bench.now));
    assert_eq!(bench.probe("5"), ["#1: 200 1", "upgraded"]);
}

#[test]
fn upgrade_a_post_in_flight_is_cut_off() {
    let mut bench = Bench::probing();
    bench.post_start(1);
    assert_eq!(bench.probe("5"), ["#1 dropped", "upgraded"]);
    assert_eq!(bench.post_body(1, "4late"), [""; 0]);
    assert_eq!(bench.abort(1), [""; 0]);
    assert!(bench.session.is_open());
}

#[test]
fn upgrade_frames_right_behind_the_packet_belong_to_the_session() {
    let mut bench = Bench::probing();
    bench.probe("5");
    // A driver may still call the wire the probe: there is no other one it could mean.
    assert_eq!(bench.probe("4a"), ["app: a"]);
    assert_eq!(bench.binary(Link::Probe, &[1]), ["app: <01>"]);
    assert_eq!(bench.link_closed(Link::Probe), ["closed: transport close"]);
}

#[test]
fn upgrade_anything_else_from_the_probe_ends_the_probe_only() {
    for text in ["2", "2nope", "3probe", "4x", "6", "1", "9", ""] {
        let mut bench = Bench::polling();
        bench.get(1);
        assert!(bench.session.handle_probe_opened(bench.now));
        assert_eq!(bench.probe(text), ["probe closes"], "{text}");
        assert!(!bench.session.is_upgrading());
        assert_eq!(bench.probe("5"), [""; 0], "a probe that was sent away has no more say");
        assert_eq!(bench.wait(5_000), [""; 0]);
        assert_eq!(bench.send(&["still"]), ["#1: 200 4still"]);
    }
    let mut bench = Bench::probing();
    assert_eq!(bench.binary(Link::Probe, &[1]), ["probe closes"]);
}

#[test]
fn upgrade_a_probe_that_dies_leaves_polling_alone() {
    let mut bench = Bench::probing();
    assert_eq!(bench.link_closed(Link::Probe), [""; 0]);
    assert!(!bench.session.is_upgrading());
    let mut bench = Bench::probing();
    assert_eq!(bench.link_error(Link::Probe, "Invalid WebSocket frame: MASK must be set"), [""; 0]);
    bench.get(1);
    assert_eq!(bench.send(&["still"]), ["#1: 200 4still"]);
    assert!(bench.session.handle_probe_opened(bench.now), "another one may try");
}

#[test]
fn upgrade_a_probe_must_come_to_an_end_in_time() {
    let mut bench = Bench::polling();
    assert!(bench.session.handle_probe_opened(bench.now));
    assert_eq!(bench.wait(9_999), [""; 0]); // not one packet
    assert_eq!(bench.wait(1), ["probe closes"]);

    let mut bench = Bench::probing();
    bench.wait(9_999);
    assert_eq!(bench.probe("2probe"), ["probe: 3probe", "upgrading"]); // gains no time
    assert_eq!(bench.wait(1), ["probe closes"]);
    assert!(bench.session.is_open());
}

#[test]
fn upgrade_one_probe_at_a_time_and_one_upgrade_at_all() {
    let mut bench = Bench::probing();
    assert!(!bench.session.handle_probe_opened(bench.now));
    bench.probe("5");
    assert!(!bench.session.handle_probe_opened(bench.now));
    assert!(!Bench::websocket().session.handle_probe_opened(0));
}

#[test]
fn upgrade_the_end_of_the_session_is_the_end_of_the_probe() {
    let mut bench = Bench::probing();
    bench.get(1);
    assert_eq!(
        bench.post(2, "1"),
        ["#1: 200 6", "probe closes", "#2: 200 ok", "closed: transport close"]
    );
    assert!(!bench.session.handle_probe_opened(bench.now));
}

#[test]
fn upgrade_completes_in_a_session_that_is_closing() {
    let mut bench = Bench::probing();
    assert_eq!(bench.close(false), [""; 0]);
    assert_eq!(bench.probe("5"), ["upgraded", "main closes", "closed: forced close"]);

    let mut bench = Bench::probing();
    bench.send(&["m"]);
    assert_eq!(bench.close(false), [""; 0]);
    assert_eq!(bench.probe("5"), ["upgraded", "main: 4m", "main closes", "closed: forced close"]);
}

#[test]
fn upgrade_a_client_that_lets_go_of_polling_keeps_the_probe_until_it_is_done() {
    let mut bench = Bench::probing();
    bench.get(1);
    assert_eq!(bench.close(true), ["#1: 200 1", "probe detached", "closed: forced close"]);
    assert_eq!(bench.probe("5"), [""; 0]);

    // Its poll has been answered, or it has none any more.
    let mut bench = Bench::probing();
    assert_eq!(bench.close(true), ["probe detached", "closed: forced close"]);

    // Before the answer to its probe there is nothing that it could have let go of.
    let mut bench = Bench::polling();
    assert!(bench.session.handle_probe_opened(bench.now));
    assert_eq!(bench.close(true), ["probe closes", "closed: forced close"]);
}
