//! Who answers the requests of a relayed connection: JavaScript, or the worker while JavaScript is blocked. Exactly one of them.
//!
//! ```text
//!   a request:  Unread ── begin() ──► Begun ── enter() ──► Entered ── claim() ──► Claimed ── settle() ──┐
//!                 │                     │                     │                                        ▼
//!                 └──── answer(Reader) ─┴── answer(Session) ──┴──────────────────────────────────► settled
//! ```
//!
//! The requests have numbers, as they come: both sides count them. All is under one lock. JavaScript *begins* with a request
//! when Node.js hands it out, *enters* it when the program has let it through and its session is to hear of it, and *claims*
//! it right before the first byte of an answer: each time it is told when the worker has answered meanwhile, and then the
//! program's answer goes nowhere. Until a request is entered, the worker may answer it itself (before JavaScript has begun with
//! it, only if it lies unread in the socket: Node.js answers some by itself; and no more when requests may *bypass* our
//! listener, as a program has taken that away; afterwards, only if JavaScript is known to be blocked: it may think for as long as it likes); from then on only by what its
//! session answers; and in either case only if all before it are settled, whose answers have gone or wait in the sockets.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::id::Handle;

/// The requests of one connection.
#[derive(Debug)]
pub struct Ledger {
    /// The worker that relays the connection, and the place of that among those of its worker which get answers.
    pub wire: Handle,
    state: Mutex<State>,
}

/// Whose answer a worker gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Author {
    /// Its own: the session does not know of the request.
    Deputy {
        /// Whether Node.js has not read all of it: else it has it, whether JavaScript has begun with it or not.
        unread: bool,
        /// Whether JavaScript is known to be blocked: else the program may be thinking about a request that it has begun with.
        blocked: bool,
    },
    /// That of the session, which JavaScript has been given, too.
    Session,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Begun,
    Entered,
    Claimed,
}

#[derive(Debug, Default)]
struct State {
    /// How many JavaScript has begun with.
    begun: u32,
    /// How many are settled.
    settled: u32,
    /// How far those have come that JavaScript has begun with, and that are not settled; in their order.
    open: Vec<(u32, Phase)>,
    /// Whether requests may pass with which JavaScript does not begin.
    bypassed: bool,
}

impl State {
    /// Notes how far JavaScript has come with a request. True: the worker has answered it.
    fn advance(&mut self, number: u32, phase: Phase) -> bool {
        if let Some((_, known)) = self.open.iter_mut().find(|(it, _)| *it == number) {
            *known = phase;
        }
        self.settled > number
    }

    fn settle(&mut self) {
        let number = self.settled;
        self.settled += 1;
        self.open.retain(|(it, _)| *it != number);
    }

    fn may_answer(&self, number: u32, author: Author) -> bool {
        let phase = self.open.iter().find(|(it, _)| *it == number).map(|(_, phase)| *phase);
        let may = match author {
            Author::Deputy { unread, blocked } => match phase {
                None => unread && !self.bypassed,
                Some(Phase::Begun) => blocked,
                Some(Phase::Entered | Phase::Claimed) => false,
            },
            Author::Session => phase == Some(Phase::Entered),
        };
        may && self.settled == number
    }
}

impl Ledger {
    /// The ledger of a connection by which nothing has come.
    pub fn new(wire: Handle) -> Self {
        Self { wire, state: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // --- JavaScript ----------------------------------------------------------------------------

    /// From now on Node.js may give requests to others: JavaScript does not begin with them, and the worker answers none.
    pub fn bypass(&self) {
        self.lock().bypassed = true;
    }

    /// Begins with the next request. True: the worker has answered it.
    pub fn begin(&self) -> bool {
        let mut state = self.lock();
        let number = state.begun;
        state.begun += 1;
        if state.settled > number {
            return true;
        }
        state.open.push((number, Phase::Begun));
        false
    }

    /// The session is to hear of a request. True: the worker has answered it, so it must not.
    pub fn enter(&self, number: u32) -> bool {
        self.lock().advance(number, Phase::Entered)
    }

    /// The first byte of an answer is to leave. True: the worker has answered, so it must not.
    pub fn claim(&self, number: u32) -> bool {
        self.lock().advance(number, Phase::Claimed)
    }

    /// The answer to a request is in the socket. One that has not been claimed has not begun yet.
    pub fn settle(&self, number: u32) {
        let mut state = self.lock();
        if state.settled == number && state.open.contains(&(number, Phase::Claimed)) {
            state.settle();
        }
    }

    // --- the worker ----------------------------------------------------------------------------

    /// Whether it may answer a request now.
    pub fn may_answer(&self, number: u32, author: Author) -> bool {
        self.lock().may_answer(number, author)
    }

    /// It answers a request. False: it is not to.
    pub fn answer(&self, number: u32, author: Author) -> bool {
        let mut state = self.lock();
        let may = state.may_answer(number, author);
        if may {
            state.settle();
        }
        may
    }

    /// Whether so many requests have come, and all of them are settled.
    pub fn is_settled(&self, count: u32) -> bool {
        self.lock().settled == count
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Copy, Debug)]
    enum Step {
        /// The peer sends a request.
        Come,
        /// JavaScript reads the next request, if one has come.
        Begin,
        /// It enters one that it has begun with.
        Enter(usize),
        /// It answers one that it has, in whatever order.
        Answer(usize),
        /// The worker tries to answer one of the last by itself; the flag: JavaScript is blocked.
        Deputise(u32, bool),
        /// Node.js reads the next request, and JavaScript has not begun with it.
        Read,
        /// A session answers one that it has heard of, and JavaScript has not brought that out yet.
        Respond(usize),
        /// JavaScript takes the answer to one that it has for written, before it is.
        SettleEarly(usize),
        /// Our listener is taken away.
        Bypass,
        /// Node.js reads the head of the next request, and somebody else answers it; its body may lie unread.
        AnswerElsewhere,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            Just(Step::Come),
            Just(Step::Begin),
            (0usize..4).prop_map(Step::Enter),
            (0usize..4).prop_map(Step::Answer),
            (0u32..3, any::<bool>()).prop_map(|(back, blocked)| Step::Deputise(back, blocked)),
            (0usize..4).prop_map(Step::Respond),
            (0usize..4).prop_map(Step::SettleEarly),
            Just(Step::Read),
            Just(Step::Bypass),
            Just(Step::AnswerElsewhere),
        ]
    }

    proptest! {
        #[test]
        fn each_request_has_one_answer_and_they_come_in_order(
            steps in proptest::collection::vec(step(), 0..120),
        ) {
            let ledger = Ledger::new(Handle::new(0, 0));
            let (mut came, mut read, mut begun) = (0u32, 0u32, 0u32);
            // Those that JavaScript has, and those of which sessions have heard.
            let mut open: Vec<u32> = Vec::new();
            let mut entered: Vec<u32> = Vec::new();
            // Answers that Node.js keeps back until it is their turn.
            let mut done: Vec<u32> = Vec::new();
            let mut wire: Vec<u32> = Vec::new();
            let (mut bypassed, mut lost) = (false, false);
            for step in steps {
                match step {
                    Step::Come => came += 1,
                    Step::Read if read < came => read += 1,
                    Step::Begin if begun < came && !lost => {
                        read = read.max(begun + 1);
                        if ledger.begin() {
                            prop_assert!(wire.contains(&begun));
                        } else {
                            open.push(begun);
                        }
                        begun += 1;
                    }
                    Step::Enter(at) if at < open.len() => {
                        let number = open[at];
                        if ledger.enter(number) {
                            prop_assert!(wire.contains(&number));
                            open.remove(at);
                        } else if !entered.contains(&number) {
                            entered.push(number);
                        }
                    }
                    Step::Answer(at) if at < open.len() => {
                        let number = open.remove(at);
                        if ledger.claim(number) {
                            prop_assert!(wire.contains(&number));
                        } else {
                            done.push(number);
                        }
                        // Node.js writes those whose turn it is.
                        while let Some(at) = done.iter().position(|&n| n as usize == wire.len()) {
                            let number = done.remove(at);
                            wire.push(number);
                            ledger.settle(number);
                        }
                    }
                    Step::Deputise(back, blocked) if came > back => {
                        let number = came - 1 - back;
                        // Of a request that somebody else has answered by its head, the body may lie unread.
                        let author = Author::Deputy { unread: number >= read || lost, blocked };
                        let may = ledger.may_answer(number, author);
                        prop_assert_eq!(may, ledger.answer(number, author));
                        if may {
                            let is_its = if number < begun { blocked } else { number >= read };
                            prop_assert!(is_its);
                            // What a session has heard of is its own to answer: else its answer would be lost.
                            prop_assert!(!entered.contains(&number));
                            wire.push(number);
                        }
                    }
                    Step::Bypass => {
                        ledger.bypass();
                        bypassed = true;
                    }
                    Step::AnswerElsewhere if bypassed && !lost && begun < came => {
                        if wire.len() == begun as usize {
                            wire.push(begun);
                            lost = true;
                        }
                    }
                    Step::Respond(at) if at < entered.len() => {
                        if ledger.answer(entered[at], Author::Session) {
                            wire.push(entered[at]);
                        }
                    }
                    Step::SettleEarly(at) if at < open.len() => ledger.settle(open[at]),
                    Step::Read
                    | Step::Begin
                    | Step::Enter(_)
                    | Step::Answer(_)
                    | Step::Deputise(..)
                    | Step::Respond(_)
                    | Step::AnswerElsewhere
                    | Step::SettleEarly(_) => {}
                }
                prop_assert!(wire.iter().enumerate().all(|(at, &number)| at == number as usize));
            }
        }
    }
}
