//! § Heartbeat.

use ferrosocket::engineio::Link;

use crate::harness::Bench;

#[test]
fn heartbeat_the_server_pings_once_an_interval_and_the_client_answers() {
    let mut bench = Bench::websocket();
    for _ in 0..3 {
        assert_eq!(bench.wait(24_999), [""; 0]);
        assert_eq!(bench.wait(1), ["main: 2"]);
        assert_eq!(bench.wait(19_999), [""; 0]);
        assert_eq!(bench.text("3"), ["heartbeat"]);
    }
}

#[test]
fn heartbeat_no_pong_in_time_closes_the_session() {
    let mut bench = Bench::websocket();
    assert_eq!(bench.wait(25_000), ["main: 2"]);
    assert_eq!(bench.wait(19_999), [""; 0]);
    assert_eq!(bench.wait(1), ["main closes", "closed: ping timeout"]);
    assert_eq!(bench.session.poll_timeout(), None);
}

#[test]
fn heartbeat_the_ping_is_a_packet_of_the_poll() {
    let mut bench = Bench::polling();
    assert_eq!(bench.get(1), [""; 0]);
    assert_eq!(bench.wait(25_000), ["#1: 200 2"]);
    assert_eq!(bench.post(2, "3"), ["heartbeat", "#2: 200 ok"]);
    assert_eq!(bench.wait(25_000), [""; 0]);
    assert_eq!(bench.send(&["a"]), [""; 0]);
    assert_eq!(bench.get(3), ["#3: 200 2␞4a"]);
    assert_eq!(bench.get(4), [""; 0]);
    assert_eq!(bench.wait(20_000), ["#4: 200 1", "closed: ping timeout"]);
}

#[test]
fn heartbeat_another_packet_prolongs_the_wait_once_for_each_ping() {
    let mut bench = Bench::websocket();
    for _ in 0..2 {
        assert_eq!(bench.wait(25_000), ["main: 2"]);
        assert_eq!(bench.wait(15_000), [""; 0]);
        assert_eq!(bench.text("4slow"), ["app: slow"]);
        assert_eq!(bench.wait(15_000), [""; 0]); // 30 s behind the ping: lives by the refresh
        assert_eq!(bench.text("3"), ["heartbeat"]);
    }
    assert_eq!(bench.wait(25_000), ["main: 2"]);
    assert_eq!(bench.wait(10_000), [""; 0]);
    assert_eq!(bench.text("6"), [""; 0]); // any packet will do
    assert_eq!(bench.wait(15_000), [""; 0]);
    assert_eq!(bench.text("4trickle"), ["app: trickle"]);
    assert_eq!(bench.wait(4_999), [""; 0]);
    assert_eq!(bench.wait(1), ["main closes", "closed: ping timeout"]);
}

#[test]
fn heartbeat_a_packet_before_the_ping_prolongs_nothing() {
    let mut bench = Bench::websocket();
    assert_eq!(bench.wait(24_999), [""; 0]);
    assert_eq!(bench.text("4a"), ["app: a"]);
    assert_eq!(bench.wait(1), ["main: 2"]);
    assert_eq!(bench.wait(20_000), ["main closes", "closed: ping timeout"]);
}

#[test]
fn heartbeat_a_pong_nobody_asked_for_puts_the_next_ping_off() {
    let mut bench = Bench::websocket();
    bench.wait(20_000);
    assert_eq!(bench.text("3"), ["heartbeat"]);
    assert_eq!(bench.wait(24_999), [""; 0]);
    assert_eq!(bench.wait(1), ["main: 2"]);
}

#[test]
fn heartbeat_a_ping_of_the_client_is_an_error() {
    for ping in ["2", "2probe"] {
        let mut bench = Bench::websocket();
        assert_eq!(
            bench.text(ping),
            ["main closes", "closed: transport error (invalid heartbeat direction)"]
        );
    }
    let mut bench = Bench::polling();
    bench.get(1);
    assert_eq!(
        bench.post(2, "2\u{1e}4x"),
        ["#1: 200 1", "#2: 200 ok", "closed: transport error (invalid heartbeat direction)"]
    );
}

#[test]
fn heartbeat_our_own_back_pressure_is_no_fault_of_the_client() {
    let mut bench = Bench::websocket();
    bench.wait(25_000);
    bench.wait(15_000);
    bench.session.put_off(bench.now);
    bench.wait(15_000);
    bench.session.put_off(bench.now);
    assert_eq!(bench.wait(19_999), [""; 0]);
    assert_eq!(bench.text("3"), ["heartbeat"]);
    bench.session.put_off(bench.now); // nothing is due: nothing changes
    assert_eq!(bench.wait(25_000), ["main: 2"]);
}

#[test]
fn heartbeat_a_blocked_reader_is_no_fault_of_the_client_once_for_each_beat() {
    let mut bench = Bench::websocket();
    bench.wait(25_000);
    assert!(!bench.session.is_overdue(bench.now));
    bench.session.prolong_ping_timeout(bench.now + 10_000);
    bench.session.prolong_ping_timeout(bench.now + 15_000); // it has been prolonged
    assert_eq!(bench.wait(29_999), [""; 0]);
    assert!(!bench.session.is_overdue(bench.now) && bench.session.is_overdue(bench.now + 1));
    assert_eq!(bench.text("3"), ["heartbeat"]);
    bench.session.prolong_ping_timeout(bench.now); // nothing is due: nothing changes
    assert_eq!(bench.wait(25_000), ["main: 2"]);
    bench.session.prolong_ping_timeout(bench.now + 10_000);
    assert_eq!(bench.wait(30_000), ["main closes", "closed: ping timeout"]);
    assert!(!bench.session.is_overdue(bench.now));
}

#[test]
fn heartbeat_the_wait_for_a_pong_begins_when_the_ping_leaves() {
    let mut bench = Bench::polling();
    bench.get(1);
    assert_eq!(bench.wait(25_000), ["#1: 200 2"]);
    bench.wait(15_000);
    assert_eq!(bench.get(2), [""; 0]); // there is no ping in this one, so it changes nothing
    assert_eq!(bench.wait(4_999), [""; 0]);
    assert_eq!(bench.post(3, "3"), ["heartbeat", "#3: 200 ok"]);
    assert_eq!(bench.wait(25_000), ["#2: 200 2"]);
    assert_eq!(bench.post(4, "3"), ["heartbeat", "#4: 200 ok"]);

    bench.wait(25_000); // nobody asks for it
    bench.wait(19_999);
    assert_eq!(bench.get(5), ["#5: 200 2"]);
    assert_eq!(bench.wait(19_999), [""; 0]);
    assert_eq!(bench.wait(1), ["closed: ping timeout"]);
}

#[test]
fn heartbeat_the_wait_for_a_pong_begins_when_a_repeated_ping_leaves_too() {
    let mut bench = Bench::polling();
    bench.get(1);
    assert_eq!(bench.wait(25_000), ["#1: 200 2"]);
    // The client can't send its pong, and asks for nothing.
    bench.now += 20_000;
    assert!(bench.session.ping_again(bench.now));
    bench.now += 20_000;
    assert!(!bench.session.ping_again(bench.now)); // one is enough
    bench.now += 19_999;
    assert_eq!(bench.get(2), ["#2: 200 2"]);
    assert_eq!(bench.wait(19_999), [""; 0]);
    assert_eq!(bench.post(3, "3"), ["heartbeat", "#3: 200 ok"]);
}

#[test]
fn heartbeat_goes_on_over_the_upgrade() {
    // The ping leaves by polling, its pong comes by the WebSocket.
    let mut bench = Bench::polling();
    bench.get(1);
    bench.wait(24_000);
    assert!(bench.session.handle_probe_opened(bench.now));
    assert_eq!(bench.wait(1_000), ["#1: 200 2"]);
    bench.probe("2probe");
    bench.wait(5_000);
    assert_eq!(bench.probe("5"), ["upgraded"]);
    assert_eq!(bench.wait(19_999), [""; 0]); // the wait began again
    assert_eq!(bench.text("3"), ["heartbeat"]);
    assert_eq!(bench.wait(25_000), ["main: 2"]);
}

#[test]
fn heartbeat_a_client_that_upgrades_and_falls_silent_is_not_kept() {
    let mut bench = Bench::polling();
    bench.get(1);
    assert_eq!(bench.wait(25_000), ["#1: 200 2"]);
    assert!(bench.session.handle_probe_opened(bench.now));
    assert_eq!(bench.probe("5"), ["upgraded"]);
    assert_eq!(bench.wait(20_000), ["main closes", "closed: ping timeout"]);
}

#[test]
fn heartbeat_a_ping_that_found_no_poll_leaves_by_the_new_transport() {
    let mut bench = Bench::probing();
    bench.wait(5_000);
    bench.session.handle_link_closed(bench.now, Link::Probe);
    assert_eq!(bench.wait(20_000), [""; 0]);
    assert!(bench.session.handle_probe_opened(bench.now));
    assert_eq!(bench.probe("5"), ["upgraded", "main: 2"]);
}

#[test]
fn heartbeat_a_client_that_cannot_be_heard_is_pinged_on_however_often_its_wait_begins_again() {
    let mut bench = Bench::websocket();
    assert_eq!(bench.wait(25_000), ["main: 2"]);
    let mut pings = 0;
    for _ in 0..600 {
        bench.now += 100;
        pings += u32::from(bench.session.ping_again(bench.now));
        bench.session.put_off(bench.now);
        bench.session.handle_timeout(bench.now);
    }
    // In a minute, as often as a client must hear of one in 45 seconds.
    assert_eq!(pings, 3);
    assert_eq!(bench.actions(), ["main: 2"; 3]);
}
