//! Sessions of which nothing is taken for now: each of what may hold something back, with each of what may happen to it meanwhile. Whatever that
//! is, no request stays without an end, nothing is taken twice or out of order, and nothing is kept for longer than the session waits.

use std::ops::ControlFlow;
use std::sync::Arc;

use ferrosocket::engineio::{
    CarriedPost, CarriedSession, Config, Data, Link, Packet, PacketType, PostFault, PostHalt,
    PostStart, Protocol, RequestId, Session, Transport,
};
use ferrosocket::handover::{FrameReader, HandedSession, Message};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::harness::Bench;

/// A client of which so many messages may be taken; then it waits for `WAIT`.
struct Limited {
    bench: Bench,
    left: usize,
    taken: Vec<String>,
}

const WAIT: u64 = 10_000;
/// Far from all deadlines.
const PATIENT: fn() -> Config =
    || Config { ping_interval: 100_000, ping_timeout: 100_000, ..Config::default() };

impl Limited {
    fn new(bench: Bench, left: usize) -> Self {
        Self { bench, left, taken: Vec::new() }
    }

    fn polling(left: usize) -> Self {
        let mut bench = Bench::open_with(PATIENT(), Transport::Polling);
        bench.get(0);
        Self::new(bench, left)
    }

    /// Feeds the session by `feed`, whose sink counts what is taken.
    fn feed(
        &mut self,
        feed: impl FnOnce(&mut Session, &mut dyn FnMut(Data<'_>) -> ControlFlow<PostHalt>),
    ) -> Vec<String> {
        let until = self.bench.now + WAIT;
        let (left, taken) = (&mut self.left, &mut self.taken);
        feed(&mut self.bench.session, &mut |data| {
            taken.push(text_of(&data));
            *left = left.saturating_sub(1);
            if *left == 0 {
                ControlFlow::Break(PostHalt::Pause(until))
            } else {
                ControlFlow::Continue(())
            }
        });
        self.bench.actions()
    }

    fn post(&mut self, request: u64, body: &str) -> Vec<String> {
        let now = self.bench.now;
        let (start, mut lines) = self.bench.post_start(request);
        if start == PostStart::Accepted {
            lines.extend(self.feed(|session, sink| {
                session.handle_post_body(
                    now,
                    RequestId(request),
                    body.as_bytes(),
                    false,
                    |_| {},
                    sink,
                );
            }));
        }
        lines
    }

    /// A message by the WebSocket, which is not read while the session waits.
    fn frame(&mut self, text: &str) {
        assert!(!self.bench.session.waits());
        let packet = Packet { kind: PacketType::Message, data: Some(Data::Text(text)) };
        if let Some(data) = self.bench.session.handle_packet(self.bench.now, Link::Main, packet) {
            self.taken.push(text_of(&data));
            self.left = self.left.saturating_sub(1);
            if self.left == 0 {
                self.bench.session.pause(self.bench.now + WAIT);
            }
        }
    }

    /// Its time has come, with so many more messages.
    fn go_on(&mut self, left: usize) -> Vec<String> {
        self.left = left;
        if self.bench.session.is_paused() {
            self.bench.now = self.bench.now.max(self.bench.session.paused_until());
            assert!(self.bench.session.end_pause(self.bench.now));
        }
        let now = self.bench.now;
        self.feed(|session, sink| session.take_kept(now, |_| {}, sink))
    }

    fn release(&mut self) -> Vec<String> {
        self.bench.session.release();
        let now = self.bench.now;
        self.feed(|session, sink| session.take_kept(now, |_| {}, sink))
    }
}

fn text_of(data: &Data<'_>) -> String {
    match data {
        Data::Text(text) => (*text).to_owned(),
        Data::Binary(bytes) => format!("{bytes:?}"),
    }
}

const BODY: &str = "4a\u{1e}4b\u{1e}4c";

/// What may hold something back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    /// A POST of which one message has been taken.
    Begun,
    /// One of which none has.
    NotBegun,
    /// Nothing; the client is only paused.
    Nothing,
    /// The first, while a WebSocket probes: then it is answered.
    Probing,
    /// What is left of the first, behind an upgrade.
    Upgraded,
    /// The same, behind which there is another POST.
    Several,
    /// A WebSocket.
    WebSocket,
    /// A POST of a session that is held, not paused.
    Held,
    /// What another process has answered.
    Carried,
}

const OWNERS: [Owner; 9] = [
    Owner::Begun,
    Owner::NotBegun,
    Owner::Nothing,
    Owner::Probing,
    Owner::Upgraded,
    Owner::Several,
    Owner::WebSocket,
    Owner::Held,
    Owner::Carried,
];

impl Owner {
    fn make(self) -> Limited {
        let mut it = match self {
            Self::WebSocket => {
                let mut bench = Bench::open_with(PATIENT(), Transport::WebSocket);
                bench.actions();
                Limited::new(bench, 1)
            }
            Self::Held | Self::Carried => Limited::polling(9),
            Self::Begun
            | Self::NotBegun
            | Self::Nothing
            | Self::Probing
            | Self::Upgraded
            | Self::Several => Limited::polling(1),
        };
        let answers = match self {
            Self::Begun => it.post(1, BODY),
            Self::NotBegun => {
                assert_eq!(it.post(1, "4_"), ["#1: 200 ok"]);
                it.taken.clear();
                it.post(1, BODY)
            }
            Self::Nothing => {
                assert_eq!(it.post(2, "4a"), ["#2: 200 ok"]);
                vec![]
            }
            Self::Probing | Self::Upgraded | Self::Several => {
                let answers = it.post(1, BODY);
                assert!(it.bench.session.handle_probe_opened(it.bench.now));
                let lines = it.bench.probe("2probe");
                assert_eq!(lines, ["probe: 3probe", "upgrading", "#1: 200 ok"]);
                if self == Self::Several {
                    assert_eq!(it.post(2, "4d"), ["#2: 200 ok"]);
                }
                if self != Self::Probing {
                    assert_eq!(it.bench.probe("5"), ["upgraded"]);
                }
                answers
            }
            Self::WebSocket => {
                it.frame("a");
                vec![]
            }
            Self::Held => {
                it.bench.session.hold();
                it.post(1, BODY)
            }
            Self::Carried => {
                it.bench.session.hold();
                it.bench.session.keep_answered(BODY.as_bytes(), false);
                vec![]
            }
        };
        assert!(answers.is_empty(), "{self:?}: {answers:?}");
        assert!(it.bench.session.waits());
        let keeps = !matches!(self, Self::Nothing | Self::WebSocket);
        assert_eq!((it.bench.session.has_kept(), it.bench.session.kept() > 0), (keeps, keeps));
        it
    }

    /// Whether request 1 has no answer yet.
    fn owes(self) -> bool {
        matches!(self, Self::Begun | Self::NotBegun | Self::Held)
    }

    /// What is left to be taken.
    fn rest(self) -> &'static [&'static str] {
        match self {
            Self::Begun | Self::Probing | Self::Upgraded => &["b", "c"],
            Self::Several => &["b", "c", "d"],
            Self::NotBegun | Self::Held | Self::Carried => &["a", "b", "c"],
            Self::Nothing | Self::WebSocket => &[],
        }
    }

    fn has_websocket(self) -> bool {
        matches!(self, Self::Upgraded | Self::Several | Self::WebSocket)
    }
}

/// What another process understands of a session and its POSTs.
fn said(
    session: CarriedSession,
    posts: Vec<CarriedPost>,
) -> Option<(CarriedSession, Vec<CarriedPost>)> {
    let session = HandedSession {
        session,
        join_left: None,
        address: None,
        unread: Vec::new(),
        unwritten: Vec::new(),
        packet: None,
        posts,
        blob: Vec::new(),
    };
    let mut bytes = Vec::new();
    let descriptors = session.has_socket().into();
    Message::Session(Box::new(session)).write(&mut bytes, descriptors)?;
    let mut reader = FrameReader::default();
    reader.push(&bytes);
    let frame = reader.next_frame().ok()??;
    let Ok(Message::Session(session)) = Message::read(&frame) else { return None };
    Some((session.session, session.posts))
}

/// How request 1 has ended in these lines.
fn ends(lines: &[String]) -> Vec<&str> {
    lines.iter().filter_map(|line| line.strip_prefix("#1")).collect()
}

fn assert_over(it: &Limited, owner: Owner) {
    let session = &it.bench.session;
    assert!(!session.waits() && !session.has_kept() && session.kept() == 0, "{owner:?}");
    assert_eq!(session.paused_until(), 0, "{owner:?}");
}

#[test]
fn when_the_pause_is_over_all_of_it_is_taken_and_answered() {
    for owner in OWNERS {
        let mut it = owner.make();
        let before = it.taken.len();
        let mut lines = it.release();
        // one by one
        for _ in 0..4 {
            lines.extend(it.go_on(1));
        }
        lines.extend(it.go_on(9));
        assert_eq!(it.taken[before..], *owner.rest(), "{owner:?}");
        let expected: &[_] = if owner.owes() { &[": 200 ok"] } else { &[] };
        assert_eq!(ends(&lines), expected, "{owner:?}");
        assert_over(&it, owner);
        assert!(it.bench.session.is_open());
        if !owner.has_websocket() {
            assert_eq!(it.post(5, "4z"), ["#5: 200 ok"], "{owner:?}");
        }
    }
}

#[test]
fn when_its_peer_goes_the_request_is_dropped_and_the_session_ends() {
    for owner in OWNERS {
        let mut it = owner.make();
        let before = it.taken.len();
        let lines = if owner.has_websocket() {
            it.bench.link_closed(Link::Main)
        } else {
            it.bench.abort(1)
        };
        if owner.owes() {
            assert_eq!(ends(&lines), [" dropped"], "{owner:?}");
        }
        if owner.owes() || owner.has_websocket() {
            assert!(it.bench.session.is_closed(), "{owner:?}: {lines:?}");
            assert_over(&it, owner);
            assert_eq!(it.bench.session.poll_timeout(), None);
        } else {
            // It is not known that it has gone: the heartbeat finds out. (Its driver puts that off while something lies unread.)
            assert!(it.bench.session.is_open(), "{owner:?}");
            it.bench.wait(200_000);
            assert!(it.bench.session.is_closed(), "{owner:?}");
            assert_over(&it, owner);
        }
        assert_eq!(it.taken.len(), before, "{owner:?}");
    }
}

#[test]
fn when_the_program_closes_the_request_is_answered_and_nothing_more_is_taken() {
    for owner in OWNERS {
        for (discard, sends, polls) in [
            (false, false, false),
            (false, true, false),
            (false, false, true),
            (true, true, false),
            (true, false, true),
        ] {
            let mut it = owner.make();
            let before = it.taken.len();
            let mut lines = vec![];
            if polls && !owner.has_websocket() {
                lines.extend(it.bench.get(3));
            }
            if sends {
                lines.extend(it.bench.send(&["bye"]));
            }
            lines.extend(it.bench.close(discard));
            let expected: &[_] = if owner.owes() { &[": 200 ok"] } else { &[] };
            assert_eq!(ends(&lines), expected, "{owner:?}");
            assert_over(&it, owner);
            it.bench.session.hold();
            it.bench.session.pause(it.bench.now + WAIT);
            assert_over(&it, owner);
            // it is not kept for want of a poll
            lines.extend(it.bench.wait(300_000));
            assert!(it.bench.session.is_closed(), "{owner:?}: {lines:?}");
            assert_eq!(it.taken.len(), before, "{owner:?}");
            assert!(lines.iter().any(|line| line.starts_with("closed: ")), "{lines:?}");
        }
    }
}

#[test]
fn when_a_probe_completes_the_request_is_answered_and_what_is_left_comes_first() {
    for owner in OWNERS {
        if owner.has_websocket() {
            continue;
        }
        let mut it = owner.make();
        let before = it.taken.len();
        if owner != Owner::Probing {
            assert!(it.bench.session.handle_probe_opened(it.bench.now));
        }
        let lines = it.bench.probe("5");
        let expected: &[_] = if owner.owes() { &[": 200 ok"] } else { &[] };
        assert_eq!(ends(&lines), expected, "{owner:?}");
        assert!(it.bench.session.waits(), "{owner:?}: nothing else may come before");
        assert_eq!(it.taken.len(), before, "{owner:?}");
        it.release();
        it.go_on(2);
        it.go_on(2);
        it.go_on(9);
        assert_eq!(it.taken[before..], *owner.rest(), "{owner:?}");
        assert_over(&it, owner);
    }
}

#[test]
fn a_probe_has_its_time_when_the_client_could_not_go_on() {
    let mut it = Owner::Probing.make();
    for _ in 0..5 {
        // Its driver does so while something of the client lies unread.
        it.bench.session.put_off(it.bench.now);
        let lines = it.bench.wait(9_000);
        assert!(lines.is_empty(), "{lines:?}");
    }
    it.bench.session.put_off(it.bench.now);
    assert!(it.go_on(9).is_empty());
    assert_eq!(it.bench.probe("5"), ["upgraded"]);
    let mut it = Owner::Probing.make();
    assert_eq!(it.bench.wait(10_000), ["probe closes"]);
}

#[test]
fn a_client_that_probes_is_answered_only_while_few_are_kept() {
    let mut it = Owner::Probing.make();
    assert!(!it.bench.session.owes_answer());
    for request in 2..=4 {
        assert_eq!(it.post(request, "4_"), [format!("#{request}: 200 ok")]);
    }
    assert!(it.post(5, "4d").is_empty());
    assert!(it.bench.session.owes_answer());
    assert_eq!(it.go_on(9), ["#5: 200 ok"]);
    assert_eq!(it.taken, ["a", "b", "c", "_", "_", "_", "d"]);
}

#[test]
fn a_client_that_probes_is_answered_as_long_as_no_more_is_kept_than_one_post_may_bring() {
    let config = Config { max_payload: 80, ..PATIENT() };
    let mut bench = Bench::open_with(config, Transport::Polling);
    bench.get(0);
    let mut it = Limited::new(bench, 1);
    assert!(it.bench.session.handle_probe_opened(it.bench.now));
    it.bench.probe("2probe");
    let body = |n: usize| ["a", "b"].map(|it| format!("4{it}{n}{}", "_".repeat(15))).join("\u{1e}");
    assert_eq!(it.post(1, &body(1)), ["#1: 200 ok"]);
    assert_eq!(it.post(2, &body(2)), ["#2: 200 ok"]);
    assert!(it.post(3, &body(3)).is_empty());
    // It has a poll again, and may let go of it.
    assert!(it.bench.get(4).is_empty());
    assert!(it.bench.session.carry(it.bench.now, Protocol::V4.into()).is_none(), "it probes");
    let lines = it.go_on(3);
    assert!(lines.is_empty(), "{lines:?}");
    assert_eq!(it.go_on(9), ["#3: 200 ok"]);
    let order: Vec<_> = it.taken.iter().map(|text| &text[..2]).collect();
    assert_eq!(order, ["a1", "b1", "a2", "b2", "a3", "b3"]);
}

#[test]
fn another_process_gets_what_is_left_and_the_request_is_answered() {
    for owner in OWNERS {
        if owner == Owner::Probing {
            continue; // it can't be carried
        }
        let mut it = owner.make();
        let protocol = it.bench.session.protocol();
        let (session, posts) = it.bench.session.carry(it.bench.now, protocol.into()).unwrap();
        let lines = it.bench.actions();
        let expected: &[_] = if owner.owes() { &[": 200 ok"] } else { &[] };
        assert_eq!(ends(&lines), expected, "{owner:?}");
        assert_over(&it, owner);
        let (session, posts) = said(session, posts).unwrap();
        let session = Session::adopt(Arc::new(PATIENT()), session, 5_000);
        let mut there = Limited::new(Bench { session, now: 5_000 }, 2);
        there.bench.session.hold();
        assert_eq!(posts.is_empty(), owner.rest().is_empty());
        for (body, binary) in posts {
            there.bench.session.keep_answered(&body, binary);
        }
        assert!(there.taken.is_empty());
        there.release();
        there.go_on(2);
        there.go_on(9);
        assert_eq!(there.taken, owner.rest(), "{owner:?}");
        assert_over(&there, owner);
    }
}

#[test]
fn what_is_left_of_a_form_is_one() {
    let mut it = Limited::polling(1);
    it.bench.session.set_jsonp("0");
    assert!(it.post(1, "d=4a%1E4%5Cn%5C%5Cn%1E4c").is_empty());
    let (session, posts) = it.bench.session.carry(it.bench.now, Protocol::V4.into()).unwrap();
    let [(body, binary)] = &posts[..] else { panic!("one") };
    let session = Session::adopt(Arc::new(PATIENT()), session, 5_000);
    let mut there = Limited::new(Bench { session, now: 5_000 }, 9);
    there.bench.session.hold();
    there.bench.session.keep_answered(body, *binary);
    there.release();
    assert_eq!(there.taken, ["\n\\n", "c"]);
    // A form without a payload says nothing, and one whose payload is empty is none.
    let mut it = Limited::polling(9);
    it.bench.session.set_jsonp("0");
    it.bench.session.hold();
    assert_eq!(it.post(1, "e=1"), ["#1: 200 ok"]);
    assert!(it.post(2, "d=").is_empty());
    assert_eq!(it.release(), ["#2: 200 ok", "closed: parse error"]);
}

#[test]
fn who_posts_while_a_post_is_kept_breaks_the_rules() {
    let mut it = Owner::Begun.make();
    let lines = it.post(2, "4z");
    assert_eq!(
        lines,
        ["#2: 400", "#1: 200 ok", "closed: transport error (data request overlap from client)"]
    );
    assert_over(&it, Owner::Begun);
}

#[test]
fn who_sends_too_much_in_what_was_kept_hears_of_it() {
    let mut it = Owner::Begun.make();
    let now = it.bench.now + WAIT;
    assert!(it.bench.session.end_pause(now));
    let fault = PostHalt::Fault(PostFault::Limited("too many events"));
    it.bench.session.take_kept(now, |_| {}, |_| ControlFlow::Break(fault));
    let lines = it.bench.actions();
    assert_eq!(lines, ["#1: 429", "closed: transport error (too many events)"]);
    assert_over(&it, Owner::Begun);
}

/// What may happen, in any order.
#[derive(Clone, Copy, Debug)]
enum Step {
    Post(usize),
    Get,
    Abort,
    Frame,
    Probe,
    Complete,
    LoseLink,
    Hold,
    Release,
    GoOn(usize),
    Wait(u64),
    Close(bool),
    Send,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (1_usize..6).prop_map(Step::Post),
        3 => Just(Step::Get),
        1 => Just(Step::Abort),
        4 => Just(Step::Frame),
        2 => Just(Step::Probe),
        2 => Just(Step::Complete),
        1 => Just(Step::LoseLink),
        1 => Just(Step::Hold),
        2 => Just(Step::Release),
        6 => (1_usize..4).prop_map(Step::GoOn),
        2 => (1_u64..40_000).prop_map(Step::Wait),
        1 => prop::bool::ANY.prop_map(Step::Close),
        1 => Just(Step::Send),
    ];
    vec(step, 1..60)
}

proptest! {
    #[test]
    fn whatever_happens_each_request_ends_and_each_message_is_taken_once_in_order(
        steps in steps(), left in 1_usize..5,
    ) {
        let mut it = Limited::polling(left);
        let (mut number, mut sent) = (100, 0_usize);
        let mut lines = Vec::new();
        let mut begun = Vec::new();
        let mut accepted = true; // whether all that was sent while the session was open has been accepted
        for step in steps {
            let is_polling = it.bench.session.transport() == Transport::Polling;
            number += 1;
            match step {
                Step::Post(count) if is_polling && !it.bench.session.is_closed() => {
                    let body: Vec<_> = (sent..sent + count).map(|n| format!("4{n}")).collect();
                    begun.push(number);
                    let answers = it.post(number, &body.join("\u{1e}"));
                    let refused = answers.contains(&format!("#{number}: 400"));
                    accepted &= !refused;
                    sent += count;
                    lines.extend(answers);
                }
                Step::Get if is_polling && !it.bench.session.is_closed() => {
                    begun.push(number);
                    lines.extend(it.bench.get(number));
                }
                Step::Abort => {
                    if let Some(request) = begun.last() {
                        lines.extend(it.bench.abort(*request));
                    }
                }
                Step::Frame if !is_polling && !it.bench.session.waits() => {
                    let open = it.bench.session.is_open();
                    it.frame(&sent.to_string());
                    sent += usize::from(open);
                }
                Step::Probe => {
                    let _may_probe = it.bench.session.handle_probe_opened(it.bench.now);
                }
                Step::Complete if it.bench.session.is_upgrading() && !it.bench.session.is_held() => {
                    lines.extend(it.bench.probe("5"));
                }
                Step::LoseLink => {
                    let link = if is_polling { Link::Probe } else { Link::Main };
                    lines.extend(it.bench.link_closed(link));
                }
                Step::Hold => it.bench.session.hold(),
                Step::Release => lines.extend(it.release()),
                Step::GoOn(count) => lines.extend(it.go_on(count)),
                Step::Wait(milliseconds) => lines.extend(it.bench.wait(milliseconds)),
                Step::Close(discard) => lines.extend(it.bench.close(discard)),
                Step::Send => lines.extend(it.bench.send(&["x"])),
                Step::Post(_) | Step::Get | Step::Frame | Step::Complete => {}
            }
            let session = &it.bench.session;
            prop_assert!(session.is_open() || !session.waits());
            prop_assert!(session.waits() || !session.has_kept(), "{step:?} leaves something behind");
        }
        lines.extend(it.release());
        while it.bench.session.waits() {
            lines.extend(it.go_on(100));
        }
        let is_open = it.bench.session.is_open();
        let taken: Vec<usize> = it.taken.iter().map(|text| text.parse().unwrap()).collect();
        prop_assert!(taken.is_sorted_by(|a, b| a < b), "{taken:?}");
        if is_open && accepted {
            prop_assert_eq!(taken, (0..sent).collect::<Vec<_>>(), "nothing is lost");
        }
        lines.extend(it.bench.close(true));
        for request in begun {
            let prefix = [format!("#{request}: "), format!("#{request} ")];
            let ends = lines.iter().filter(|line| prefix.iter().any(|it| line.starts_with(it)));
            prop_assert_eq!(ends.count(), 1, "request {}: {:?}", request, &lines);
        }
    }
}
