//! § HTTP long-polling: the requests, and § Packet encoding of payloads.

use std::cell::RefCell;
use std::ops::ControlFlow;

use ferrosocket::engineio::{
    Action, Body, Config, Data, OutMessage, PostFault, PostHalt, PostStart, Protocol, RequestId,
    Route, Transport,
};

use crate::harness::{Bench, message};

#[test]
fn polling_a_poll_waits_until_there_is_something_to_send() {
    let mut bench = Bench::polling();
    assert!(!bench.session.writable());
    assert_eq!(bench.session.route(), Route::Buffer);
    assert_eq!(bench.get(1), [""; 0]);
    assert!(bench.session.writable());
    assert_eq!(bench.send(&["hello"]), ["#1: 200 4hello"]);
    assert!(!bench.session.writable());
}

#[test]
fn polling_what_finds_no_poll_waits_for_the_next_one() {
    let mut bench = Bench::polling();
    assert_eq!(bench.send(&["a", "€"]), [""; 0]);
    assert_eq!(bench.send_binary(&[1, 2, 3, 4]), [""; 0]);
    assert_eq!(bench.send(&[""]), [""; 0]);
    assert_eq!(bench.session.buffered(), 8);
    assert_eq!(bench.get(1), ["#1: 200 4a␞4€␞bAQIDBA==␞4"]);
    assert_eq!(bench.session.buffered(), 0);
    assert_eq!(bench.get(2), [""; 0]);
}

#[test]
fn polling_what_is_sent_in_one_tick_shares_an_answer() {
    let mut bench = Bench::polling();
    bench.get(1);
    assert_eq!(bench.send(&["a", "b"]), ["#1: 200 4a␞4b"]);
}

#[test]
fn polling_an_answer_may_be_compressed_when_one_of_its_packets_may() {
    for (first, second, expected) in [(false, false, false), (false, true, true)] {
        let mut bench = Bench::polling();
        for compress in [first, second] {
            bench.session.buffer(OutMessage { compress, ..message(b"x", false) });
        }
        bench.session.handle_get(bench.now, RequestId(1));
        let body = Body::Payload { text: b"4x\x1e4x".to_vec(), compress: expected };
        let answer = Action::Respond { request: RequestId(1), status: 200, body };
        assert_eq!(bench.raw_actions(), [answer, Action::Drain]);
    }
}

#[test]
fn polling_packets_of_the_program_wait_in_order_with_messages() {
    for compress in [false, true] {
        let mut bench = Bench::polling();
        bench.session.buffer_packet("3one".to_owned(), compress);
        bench.session.buffer(OutMessage { compress: false, ..message(b"two", false) });
        bench.session.buffer_packet("6".to_owned(), false);
        assert_eq!(bench.session.buffered(), 8);
        bench.session.handle_get(bench.now, RequestId(1));
        let body = Body::Payload { text: b"3one\x1e4two\x1e6".to_vec(), compress };
        let answer = Action::Respond { request: RequestId(1), status: 200, body };
        assert_eq!(bench.raw_actions(), [answer, Action::Drain]);
        assert!(bench.session.is_open());
    }
}

#[test]
fn polling_a_post_carries_packets_and_is_answered_with_ok() {
    let mut bench = Bench::polling();
    assert_eq!(
        bench.post(1, "4hello\u{1e}4\u{1e}bAQIDBA==\u{1e}b\u{1e}6\u{1e}4€"),
        ["app: hello", "app: ", "app: <01020304>", "app: <>", "app: €", "#1: 200 ok"]
    );
}

#[test]
fn polling_a_poll_and_a_post_go_side_by_side() {
    let mut bench = Bench::polling();
    bench.get(1);
    assert_eq!(bench.post(2, "4a"), ["app: a", "#2: 200 ok"]);
    assert_eq!(bench.send(&["b"]), ["#1: 200 4b"]);
}

#[test]
fn polling_two_polls_at_once_close_the_session() {
    let mut bench = Bench::polling();
    bench.get(1);
    assert_eq!(
        bench.get(2),
        ["#2: 400", "#1: 200 1", "closed: transport error (overlap from client)"]
    );
}

#[test]
fn polling_two_posts_at_once_close_the_session() {
    let mut bench = Bench::polling();
    bench.get(1);
    assert_eq!(bench.post_start(2), (PostStart::Accepted, vec![]));
    let (start, lines) = bench.post_start(3);
    assert_eq!(start, PostStart::Refused);
    assert_eq!(
        lines,
        [
            "#3: 400",
            "#2 dropped",
            "#1: 200 1",
            "closed: transport error (data request overlap from client)"
        ]
    );
    assert_eq!(bench.post_body(2, "4late"), [""; 0]);
}

#[test]
fn polling_a_poll_that_the_client_gives_up_closes_the_session() {
    let mut bench = Bench::polling();
    bench.get(1);
    assert_eq!(
        bench.abort(1),
        ["#1 dropped", "closed: transport error (poll connection closed prematurely)"]
    );
}

#[test]
fn polling_a_post_that_the_client_gives_up_closes_the_session() {
    let mut bench = Bench::polling();
    bench.get(1);
    bench.post_start(2);
    assert_eq!(
        bench.abort(2),
        [
            "#2 dropped",
            "#1: 200 1",
            "closed: transport error (data request connection closed prematurely)"
        ]
    );
}

#[test]
fn polling_a_request_that_was_answered_may_end_as_it_likes() {
    let mut bench = Bench::polling();
    assert_eq!(bench.abort(0), [""; 0]);
    bench.post(1, "4a");
    assert_eq!(bench.abort(1), [""; 0]);
    assert!(bench.session.is_open());
}

#[test]
fn polling_an_invalid_packet_closes_the_session_and_ends_the_payload() {
    for bad in ["4a\u{1e}9\u{1e}4b", "4a\u{1e}", "4a\u{1e}\u{1e}4b"] {
        let mut bench = Bench::polling();
        bench.get(1);
        assert_eq!(
            bench.post(2, bad),
            ["app: a", "#1: 200 1", "#2: 200 ok", "closed: parse error"]
        );
    }
    let mut bench = Bench::polling();
    assert_eq!(bench.post(1, ""), ["#1: 200 ok", "closed: parse error"]);
}

#[test]
fn polling_bytes_that_are_no_utf8_become_replacement_characters() {
    let mut bench = Bench::polling();
    assert_eq!(bench.post(1, [0x34, 0xff, 0xe2, 0x82, 0x41]), ["app: ��A", "#1: 200 ok"]);
}

#[test]
fn polling_a_body_above_the_limit_is_refused_and_closes_the_session() {
    let mut bench = Bench::polling();
    let body = vec![b'4'; 1_000_001];
    assert_eq!(bench.post(1, &body[1..]).len(), 2);
    let closed = "closed: transport error (payload too large)";
    assert_eq!(bench.post(2, &body), ["#2: 413", closed]);
}

#[test]
fn polling_a_body_that_cannot_be_taken_closes_the_session() {
    for (fault, status, message) in [
        (PostFault::InvalidContent, 400, "invalid content"),
        (PostFault::TooLarge, 413, "payload too large"),
        (PostFault::TooManyChunks, 413, "too many chunks"),
        (PostFault::TimedOut, 408, "http request timeout"),
    ] {
        let mut bench = Bench::polling();
        bench.get(1);
        bench.post_start(2);
        bench.session.handle_post_fault(bench.now, RequestId(2), fault);
        let closed = format!("closed: transport error ({message})");
        assert_eq!(bench.actions(), [format!("#2: {status}"), "#1: 200 1".into(), closed]);
    }
}

#[test]
fn polling_who_sends_too_much_hears_of_it_by_both_requests() {
    let mut bench = Bench::polling();
    bench.get(1);
    bench.post_start(2);
    bench.session.handle_post_fault(bench.now, RequestId(2), PostFault::Limited("too many"));
    let closed = "closed: transport error (too many)";
    assert_eq!(bench.actions(), ["#2: 429", "#1: 429", closed]);
}

#[test]
fn polling_the_application_may_stop_in_the_middle_of_a_payload() {
    let mut bench = Bench::polling();
    bench.post_start(1);
    let mut seen = 0;
    bench.session.handle_post_body(
        bench.now,
        RequestId(1),
        b"4a\x1e4b\x1e4c",
        false,
        |_| {},
        |_| {
            seen += 1;
            if seen == 2 { ControlFlow::Break(PostHalt::Done) } else { ControlFlow::Continue(()) }
        },
    );
    assert_eq!(seen, 2);
    assert_eq!(bench.actions(), ["#1: 200 ok"]);
}

#[test]
fn what_stands_behind_a_message_may_wait_and_the_post_is_answered_behind_it() {
    let v3 = || Bench::open_as(Config::default(), Protocol::V3, Transport::Polling);
    for (mut bench, body, binary) in [
        (Bench::polling(), &b"4a\x1e4b\x1e3\x1e4c"[..], false),
        (v3(), b"2:4a2:4b1:22:4c", false),
        (v3(), b"\x00\x02\xff4a\x00\x02\xff4b\x00\x01\xff2\x00\x02\xff4c", true),
    ] {
        bench.post_start(1);
        let seen = RefCell::new(Vec::new());
        let (now, request) = (bench.now, RequestId(1));
        let pause = |data: Data<'_>| {
            seen.borrow_mut().push(format!("{data:?}"));
            ControlFlow::Break(PostHalt::Pause(now + 1))
        };
        bench.session.handle_post_body(now, request, body, binary, |_| {}, pause);
        assert!(bench.actions().is_empty(), "it is not answered");
        let mut rounds = 0;
        while bench.session.has_kept() {
            rounds += 1;
            assert!(bench.session.end_pause(now + 1));
            bench.session.take_kept(now, |_| {}, pause);
        }
        let expected = [r#"Text("a")"#, r#"Text("b")"#, r#"Text("c")"#];
        assert_eq!((&seen.borrow()[..], rounds), (&expected.map(str::to_owned)[..], 2));
        let answers: Vec<_> = bench.actions();
        assert!(answers.contains(&"#1: 200 ok".to_owned()), "{answers:?}");
        // Another one may come then, and not earlier.
        assert_eq!(bench.post_start(2).0, PostStart::Accepted);
    }
}

#[test]
fn what_is_no_message_is_shown_in_its_place_with_both_protocols() {
    for (mut bench, body) in [
        (Bench::polling(), &b"4a\x1e3\x1e4b\x1e6x"[..]),
        (Bench::open_as(Config::default(), Protocol::V3, Transport::Polling), b"2:4a1:22:4b2:6x"),
    ] {
        bench.post_start(1);
        let seen = RefCell::new(Vec::new());
        bench.session.handle_post_body(
            bench.now,
            RequestId(1),
            body,
            false,
            |packet| seen.borrow_mut().push(packet.to_string()),
            |data| {
                seen.borrow_mut().push(format!("{data:?}"));
                ControlFlow::Continue(())
            },
        );
        let beat = if body.contains(&0x1e) { "3" } else { "2" };
        assert_eq!(seen.into_inner(), [r#"Text("a")"#, beat, r#"Text("b")"#, "6x"]);
    }
}

#[test]
fn polling_requests_have_no_place_on_a_websocket() {
    let mut bench = Bench::websocket();
    assert_eq!(bench.get(1), ["#1: 400"]);
    assert_eq!(bench.post_start(2), (PostStart::Refused, vec!["#2: 400".into()]));
    assert!(bench.session.is_open());
}

// --- requests that JavaScript has to look at, and has not begun with ---

const INTERVAL: u64 = 25_000;
const TIMEOUT: u64 = 20_000;

impl Bench {
    fn unread_get(&mut self, request: u64) -> Vec<String> {
        self.session.handle_unread_get(self.now, RequestId(request));
        self.actions()
    }
}

#[test]
fn polling_an_unread_poll_is_answered_by_a_ping_and_by_nothing_else() {
    let mut bench = Bench::polling();
    assert_eq!(bench.unread_get(1), [""; 0]);
    assert_eq!(bench.send(&["a"]), [""; 0]);
    assert_eq!(bench.wait(INTERVAL), ["#1: 200 2"]);
    assert_eq!(bench.unread_get(2), [""; 0]);
    assert_eq!(bench.get(2), ["#2: 200 4a"]); // JavaScript has begun with it
    bench.session.handle_ping_unsent();
    assert_eq!(bench.actions(), [""; 0]);
    assert_eq!(bench.get(3), ["#3: 200 2"]);
}

#[test]
fn polling_a_ping_that_waits_leaves_by_an_unread_poll_and_its_time_begins_then() {
    let mut bench = Bench::polling();
    assert_eq!(bench.send(&["a"]), [""; 0]);
    assert_eq!(bench.wait(INTERVAL + TIMEOUT - 1), [""; 0]);
    assert_eq!(bench.unread_get(1), ["#1: 200 2"]);
    assert_eq!(bench.session.buffered(), 1);
    assert_eq!(bench.wait(TIMEOUT - 1), [""; 0]);
    assert_eq!(bench.unread_get(2), [""; 0]); // no ping is left
    assert_eq!(bench.get(2), ["#2: 200 4a"]);
    assert_eq!(bench.wait(1), ["closed: ping timeout"]);
}

#[test]
fn polling_an_unread_poll_that_has_gone_is_not_answered() {
    let mut bench = Bench::polling();
    bench.unread_get(1);
    bench.session.handle_unread_gone(RequestId(7)); // another one
    bench.session.handle_unread_gone(RequestId(1));
    assert_eq!(bench.wait(INTERVAL), [""; 0]);
    assert_eq!(bench.get(2), ["#2: 200 2"]);
}

#[test]
fn polling_one_ping_at_a_time_waits_for_a_poll() {
    let mut bench = Bench::polling();
    assert_eq!(bench.wait(INTERVAL), [""; 0]);
    for _ in 0..3 {
        bench.now += TIMEOUT;
        assert!(!bench.session.ping_again(bench.now));
        assert!(!bench.session.ping_on());
        assert_eq!(bench.actions(), [""; 0]);
    }
    assert_eq!(bench.get(1), ["#1: 200 2"]);
    bench.get(2);
    assert!(bench.session.ping_on());
    assert_eq!(bench.actions(), ["#2: 200 2"]);
    assert_eq!(bench.wait(TIMEOUT), ["closed: ping timeout"]); // which changes nothing about what is due
}

#[test]
fn polling_who_has_sent_what_lies_unread_is_pinged_on() {
    let mut bench = Bench::polling();
    for request in 1..4 {
        bench.unread_get(request);
        assert_eq!(bench.wait(INTERVAL - 1), [""; 0]);
        assert_eq!(bench.wait(1), [format!("#{request}: 200 2")]);
        bench.session.handle_unread_post(bench.now);
    }
    // Its pong, when JavaScript has read it.
    assert_eq!(bench.post(9, "3"), ["heartbeat", "#9: 200 ok"]);
    bench.get(10);
    assert_eq!(bench.wait(INTERVAL), ["#10: 200 2"]);
}

#[test]
fn polling_unread_requests_change_nothing_for_a_session_that_is_closing() {
    let mut bench = Bench::polling();
    bench.close(false);
    assert_eq!(bench.unread_get(1), [""; 0]);
    bench.session.handle_unread_post(bench.now);
    bench.session.handle_ping_unsent();
    assert_eq!(bench.actions(), [""; 0]);
    assert_eq!(bench.get(2), ["#2: 200 6␞1", "closed: forced close"]);
}
