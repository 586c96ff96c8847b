//! Revision 3 where it differs from 4: who pings, payloads with lengths, binary packets with a type.

use ferrosocket::engineio::{Config, Dialect, Link, OutMessage, Protocol, Transport};

use crate::harness::{Bench, message};

const OPEN: &str = r#"0{"sid":"lv_VI97HAXpY6yYWAAAC","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#;

fn websocket() -> Bench {
    let mut bench = Bench::open_as(Config::default(), Protocol::V3, Transport::WebSocket);
    bench.actions();
    bench
}

fn polling() -> Bench {
    polling_with(Dialect::from(Protocol::V3))
}

fn polling_with(dialect: Dialect) -> Bench {
    let mut bench = Bench::open_as(Config::default(), dialect, Transport::Polling);
    bench.get(0);
    bench
}

fn jsonp(protocol: Protocol) -> Bench {
    let mut bench = Bench::open_as(Config::default(), protocol, Transport::Polling);
    bench.session.set_jsonp("0");
    bench.get(0);
    bench
}

#[test]
fn handshake_a_greeting_comes_with_it() {
    let config = || Config { greeting: Some(message(b"0", false)), ..Config::default() };
    let mut bench = Bench::open_as(config(), Protocol::V3, Transport::Polling);
    assert!(bench.session.is_greeted());
    assert_eq!(bench.get(0), [format!("#0: 200 {}:{OPEN}2:40", OPEN.len())]);
    let mut bench = Bench::open_as(config(), Protocol::V3, Transport::WebSocket);
    assert_eq!(bench.actions()[1..], ["main: 40"]);
    // Later clients ask for it.
    let mut bench = Bench::open_as(config(), Protocol::V4, Transport::WebSocket);
    assert!(!bench.session.is_greeted());
    assert_eq!(bench.actions().len(), 1);
}

#[test]
fn handshake_the_open_packet_is_the_same() {
    let mut bench = Bench::open_as(Config::default(), Protocol::V3, Transport::Polling);
    assert_eq!(bench.get(0), [format!("#0: 200 {}:{OPEN}", OPEN.len())]);
    let mut bench = Bench::open_as(Config::default(), Protocol::V3, Transport::WebSocket);
    assert_eq!(bench.actions(), [format!("main: {OPEN}").replace(r#""websocket""#, "")]);
}

#[test]
fn handshake_an_initial_packet_follows() {
    let initial_packet: OutMessage = message(b"hi", false);
    let config = Config { initial_packet: Some(initial_packet), ..Config::default() };
    let mut bench = Bench::open_as(config, Protocol::V3, Transport::Polling);
    assert_eq!(bench.get(0), [format!("#0: 200 {}:{OPEN}3:4hi", OPEN.len())]);
}

#[test]
fn heartbeat_the_client_pings_and_the_server_answers() {
    let mut bench = websocket();
    for _ in 0..3 {
        assert_eq!(bench.wait(44_999), [""; 0]);
        assert_eq!(bench.text("2"), ["main: 3", "heartbeat"]);
    }
    assert_eq!(bench.binary(Link::Main, &[2]), ["main: 3", "heartbeat"]);
    assert_eq!(bench.text("2probe"), ["main: 3", "heartbeat"]);
}

#[test]
fn heartbeat_a_client_that_does_not_ping_is_gone_whatever_else_it_sends() {
    let mut bench = websocket();
    assert_eq!(bench.wait(44_000), [""; 0]);
    assert_eq!(bench.text("4a"), ["app: a"]);
    assert_eq!(bench.wait(999), [""; 0]);
    assert_eq!(bench.wait(1), ["main closes", "closed: ping timeout"]);
    assert_eq!(bench.session.poll_timeout(), None);
}

#[test]
fn heartbeat_our_own_back_pressure_is_no_fault_of_the_client() {
    let mut bench = websocket();
    bench.wait(44_000);
    bench.session.put_off(bench.now);
    assert_eq!(bench.wait(44_999), [""; 0]);
    assert_eq!(bench.wait(1), ["main closes", "closed: ping timeout"]);
}

#[test]
fn heartbeat_by_polling() {
    let mut bench = polling();
    assert_eq!(bench.post(1, "1:2"), ["heartbeat", "#1: 200 ok"]);
    assert_eq!(bench.get(2), ["#2: 200 1:3"]);
    assert_eq!(bench.get(3), [""; 0]);
    assert_eq!(bench.post(4, "1:22:4a"), ["app: a", "#3: 200 1:3", "heartbeat", "#4: 200 ok"]);
    assert_eq!(bench.wait(44_999), [""; 0]);
    assert_eq!(bench.wait(1), ["closed: ping timeout"]);
}

#[test]
fn heartbeat_a_pong_of_the_client_is_an_error() {
    assert_eq!(
        websocket().text("3"),
        ["main closes", "closed: transport error (invalid heartbeat direction)"]
    );
}

#[test]
fn heartbeat_a_client_that_upgrades_and_falls_silent_is_not_kept() {
    let mut bench = polling();
    bench.wait(40_000);
    assert!(bench.session.handle_probe_opened(bench.now));
    assert_eq!(bench.probe("2probe"), ["probe: 3probe", "upgrading"]);
    assert_eq!(bench.probe("5"), ["upgraded"]);
    assert_eq!(bench.wait(44_999), [""; 0]);
    assert_eq!(bench.wait(1), ["main closes", "closed: ping timeout"]);
}

#[test]
fn upgrade_a_waiting_poll_gets_a_noop() {
    let mut bench = polling();
    bench.get(1);
    assert!(bench.session.handle_probe_opened(bench.now));
    assert_eq!(bench.probe("2probe"), ["probe: 3probe", "upgrading"]);
    assert_eq!(bench.wait(100), ["#1: 200 1:6"]);
    assert_eq!(bench.send(&["a"]), [""; 0]);
    assert_eq!(bench.probe("5"), ["upgraded", "main: 4a"]);
}

#[test]
fn payload_lengths_are_utf_16_code_units() {
    let mut bench = polling();
    assert_eq!(bench.post(1, "3:4é€3:4😀"), ["app: é€", "app: 😀", "#1: 200 ok"]);
    assert_eq!(bench.send(&["é€", "😀"]), [""; 0]);
    assert_eq!(bench.get(2), ["#2: 200 3:4é€3:4😀"]);
}

#[test]
fn payload_with_bytes_is_binary() {
    let mut bench = polling();
    assert_eq!(bench.send(&["é"]), [""; 0]);
    assert_eq!(bench.send_binary(&[1, 2]), [""; 0]);
    assert_eq!(bench.get(1), ["#1: 200 <0003ff34c3a90103ff040102>"]);
    assert_eq!(bench.send(&["a"]), [""; 0]);
    assert_eq!(bench.get(2), ["#2: 200 2:4a"]);
    assert_eq!(
        bench.post_binary(3, b"\x00\x03\xff4\xc3\xa9\x01\x03\xff\x04\x01\x02"),
        ["app: é", "app: <0102>", "#3: 200 ok"]
    );
    assert_eq!(bench.post(4, "6:b4AQID"), ["app: <010203>", "#4: 200 ok"]);
}

#[test]
fn payload_is_text_for_a_client_that_asked_for_base64() {
    let mut bench = polling_with(Dialect { protocol: Protocol::V3, base64: true });
    bench.get(1);
    assert_eq!(bench.send_binary(&[1, 2, 3]), ["#1: 200 6:b4AQID"]);
}

#[test]
fn payload_with_a_fault_closes_the_session() {
    for body in ["", "1", "2:4", "1:7", "4a", "4a\u{1e}4b", ":4"] {
        let mut bench = polling();
        assert_eq!(bench.post(1, body), ["#1: 200 ok", "closed: parse error"], "{body:?}");
    }
    let mut bench = polling();
    assert_eq!(bench.post(1, "2:4a1:74:4abc"), ["app: a", "#1: 200 ok", "closed: parse error"]);
    let mut bench = polling();
    assert_eq!(bench.post_binary(1, "2:4a"), ["#1: 200 ok", "closed: parse error"]);
}

#[test]
fn websocket_a_binary_frame_begins_with_its_type() {
    let mut bench = websocket();
    assert_eq!(bench.binary(Link::Main, &[4, 1, 2]), ["app: <0102>"]);
    assert_eq!(bench.text("b4AQID"), ["app: <010203>"]);
    for frame in [&[][..], &[7], b"4"] {
        assert_eq!(
            websocket().binary(Link::Main, frame),
            ["main closes", "closed: parse error"],
            "{frame:?}"
        );
    }
}

#[test]
fn close_takes_a_close_packet() {
    let mut bench = polling();
    bench.get(1);
    assert_eq!(bench.close(false), ["#1: 200 1:1", "closed: forced close"]);
    let mut bench = polling();
    assert_eq!(bench.close(false), [""; 0]);
    assert_eq!(bench.get(1), ["#1: 200 1:61:1", "closed: forced close"]);
    let mut bench = polling();
    bench.get(1);
    assert_eq!(bench.post(2, "1:1"), ["#1: 200 1:6", "#2: 200 ok", "closed: transport close"]);
}

#[test]
fn jsonp_answers_with_scripts_and_reads_forms() {
    let mut bench = jsonp(Protocol::V3);
    assert_eq!(bench.send(&["\"\n\u{2028}"]), [""; 0]);
    assert_eq!(bench.get(1), ["#1: 200 ___eio[0](\"4:4\\\"\\n\\u2028\");"]);
    bench.get(2);
    assert_eq!(bench.send_binary(&[1, 2, 3]), ["#2: 200 ___eio[0](\"6:b4AQID\");"]);
    assert_eq!(bench.post(3, "d=3%3A4%5Cn%2B"), ["app: \n+", "#3: 200 ok"]);
    assert_eq!(bench.post(4, "d=3:4\\\\n"), ["app: \\n", "#4: 200 ok"]);
    assert_eq!(bench.post(5, "t=1"), ["#5: 200 ok"]);
    assert_eq!(bench.post_binary(6, "d=2:4a"), ["app: a", "#6: 200 ok"]);
    assert_eq!(bench.post(7, "d="), ["#7: 200 ok", "closed: parse error"]);
}

#[test]
fn jsonp_carries_revision_4_as_well() {
    let mut bench = jsonp(Protocol::V4);
    assert_eq!(bench.send(&["a", "b"]), [""; 0]);
    assert_eq!(bench.get(1), ["#1: 200 ___eio[0](\"4a\\u001e4b\");"]);
    assert_eq!(bench.post(2, "d=4a%1E4b"), ["app: a", "app: b", "#2: 200 ok"]);
}

#[test]
fn jsonp_puts_nothing_but_digits_into_its_script() {
    let mut bench = Bench::open_as(Config::default(), Protocol::V3, Transport::Polling);
    bench.session.set_jsonp("1]);alert(2)//");
    assert!(bench.get(0)[0].starts_with("#0: 200 ___eio[12](\""));
}
