//! § Handshake.

use ferrosocket::engineio::{Config, Protocol, Route, Transport};

use crate::harness::{Bench, message};

const POLLING: &str = "0{\"sid\":\"lv_VI97HAXpY6yYWAAAC\",\"upgrades\":[\"websocket\"],\
                       \"pingInterval\":25000,\"pingTimeout\":20000,\"maxPayload\":1000000}";
const WEBSOCKET: &str = "0{\"sid\":\"lv_VI97HAXpY6yYWAAAC\",\"upgrades\":[],\
                         \"pingInterval\":25000,\"pingTimeout\":20000,\"maxPayload\":1000000}";

#[test]
fn handshake_the_first_poll_is_answered_with_the_open_packet() {
    let mut bench = Bench::open(Transport::Polling);
    assert_eq!(bench.actions(), [""; 0]);
    assert_eq!(bench.get(1), [format!("#1: 200 {POLLING}")]);
    assert_eq!(bench.session.transport().as_str(), "polling");
    assert_eq!(bench.session.sid().as_str(), "lv_VI97HAXpY6yYWAAAC");
}

#[test]
fn handshake_the_first_frame_is_the_open_packet() {
    let mut bench = Bench::open(Transport::WebSocket);
    assert_eq!(bench.actions(), [format!("main: {WEBSOCKET}")]);
    assert_eq!(bench.session.transport().as_str(), "websocket");
    assert_eq!(bench.session.protocol(), Protocol::V4);
    assert_eq!(bench.session.route(), Route::WebSocket);
}

#[test]
fn handshake_the_initial_packet_comes_right_behind_it() {
    let config = || Config { initial_packet: Some(message(b"hi", false)), ..Config::default() };
    let mut bench = Bench::open_with(config(), Transport::Polling);
    assert_eq!(bench.get(1), [format!("#1: 200 {POLLING}␞4hi")]);
    let mut bench = Bench::open_with(config(), Transport::WebSocket);
    assert_eq!(bench.actions(), [format!("main: {WEBSOCKET}"), "main: 4hi".into()]);
}
