//! § WebSocket: each packet is a frame.

use ferrosocket::engineio::Link;

use crate::harness::Bench;

#[test]
fn websocket_each_frame_is_a_packet() {
    let mut bench = Bench::websocket();
    assert_eq!(bench.text("4hello"), ["app: hello"]);
    assert_eq!(bench.text("4"), ["app: "]);
    assert_eq!(bench.text("4éabc"), ["app: éabc"]);
    assert_eq!(bench.binary(Link::Main, &[1, 2, 3, 4]), ["app: <01020304>"]);
    assert_eq!(bench.binary(Link::Main, &[]), ["app: <>"]);
    assert_eq!(bench.text("bAQID"), ["app: <010203>"]);
}

#[test]
fn websocket_there_is_no_payload_in_a_frame() {
    let mut bench = Bench::websocket();
    assert_eq!(bench.text("4a\u{1e}4b"), ["app: a\u{1e}4b"]);
}

#[test]
fn websocket_packets_without_a_meaning_here_are_ignored() {
    let mut bench = Bench::websocket();
    for text in ["0", "0{}", "5", "6", "6x"] {
        assert_eq!(bench.text(text), [""; 0], "{text}");
    }
    assert!(bench.session.is_open());
}

#[test]
fn websocket_an_invalid_packet_closes_the_session() {
    for text in ["", "9", "éabcd", "B", "{}"] {
        let mut bench = Bench::websocket();
        assert_eq!(bench.text(text), ["main closes", "closed: parse error"], "{text}");
    }
}

#[test]
fn websocket_a_close_packet_closes_the_session() {
    let mut bench = Bench::websocket();
    assert_eq!(bench.text("1"), ["main closes", "closed: transport close"]);
    assert_eq!(bench.text("4late"), [""; 0]);
}

#[test]
fn websocket_its_end_is_the_end_of_the_session() {
    let mut bench = Bench::websocket();
    assert_eq!(bench.link_closed(Link::Main), ["closed: transport close"]);
    let mut bench = Bench::websocket();
    let message = "Invalid WebSocket frame: MASK must be set";
    assert_eq!(
        bench.link_error(Link::Main, message),
        [format!("closed: transport error ({message})")]
    );
    assert_eq!(bench.link_closed(Link::Main), [""; 0]);
}

#[test]
fn websocket_what_is_buffered_leaves_at_once() {
    let mut bench = Bench::websocket();
    assert!(bench.session.writable());
    assert_eq!(bench.send(&["a"]), ["main: 4a"]);
    assert_eq!(bench.send_binary(&[9]), ["main: <09>"]);
    assert_eq!(bench.session.buffered(), 0);
}
