//! When JavaScript reads the sockets of a worker ([`super::reader`]). All of it is decided by the load, and
//! none of it matters for what is right: whoever reads, the same is done.
//!
//! - JavaScript asks for them when it is woken again and again and still has time to spare
//!   ([`JavaScriptSide::handle_records`]).
//! - It gives them back when it has no time left: two threads are faster then ([`JavaScriptSide::handle_done`]).
//! - It gives them back, too, and does not ask, while many bytes come for each time that it has something to do: what is
//!   spared is a wake-up for each of these times, and the worker reads, checks and decodes the bytes beside it.
//! - It lends them, when it finds the worker at work: that one reads in this turn, and hands them over when it is done. Only
//!   when that is so again and again, they are given back.
//! - The worker takes them when JavaScript does not come although something is ready, and when nothing has
//!   come for a while: nobody looks after an idle server ([`Watchdog`]).
//!
//! Each time that they prove to be too much for JavaScript it waits for twice as long before it asks again.

use super::reader::{Counts, Preference, Reader};

/// How often the worker looks whether JavaScript comes, in milliseconds: so long may a handler take before the worker
/// reads beside it. Each look wakes the worker's thread, and at a few thousand messages a second that shows.
pub const TICK: u64 = 16;
/// How much later it looks again, when something is ready and JavaScript has not come: it may be on its way.
const SECOND_LOOK: u64 = 1;
/// So many ticks without a record for JavaScript, and the worker takes the sockets.
const IDLE_TICKS: u32 = 8;

/// JavaScript's load is looked at so often, in microseconds.
const WINDOW: u64 = 32_000;
/// It asks when it has been woken at least so often in a window: else there is nothing to be gained…
const MIN_WAKES: u32 = 8;
/// …and has used no more of its time than this, in percent.
const ASK_BELOW: u64 = 60;
/// It gives back when it has used more of its time than this…
const GIVE_ABOVE: u64 = 90;
/// …in so many windows, one behind the other.
const GIVE_AFTER: u32 = 3;
/// It lends them when it has found the worker at work for so long, in microseconds: that one may as well read…
const CONTENDED: u64 = 200;
/// …so often at once…
const LENDINGS: u64 = 4;
/// …and once more for each time of so many microseconds; else it gives them back.
const LENDING: u64 = 64_000;
/// It gives back when more than so many bytes come for each turn that has records for it, on the average…
const MOST_A_TURN: u32 = 128 << 10;
/// …and does not ask when more than so many come for each time that it is woken. (Fewer than above: who has them does
/// not matter for what lies in between, so it stays as it is. A message of 64 KiB is below both.)
const MOST_A_WAKE: u32 = 80 << 10;
/// It gives back when so many more have come: a large message among small ones is none of these cases.
const MOST_OWED: u32 = 1 << 20;
/// A connection that is accepted counts as so many bytes: it takes longer to let somebody in than a wake-up takes.
pub const ACCEPTED: usize = 256 << 10;
/// How long it waits, in microseconds, before it asks again, when they have proved to be too much for it: at first…
const HOLD_OFF: u64 = 64_000;
/// …and at most.
const MAX_HOLD_OFF: u64 = 8_192_000;
/// Who has had them for so many times as long begins anew with the shortest time.
const LONG: u64 = 16;
/// When nothing has come for so long, in microseconds, it was not too much.
const IDLE: u64 = 1_000 * TICK * IDLE_TICKS as u64;

/// On the worker's thread, while JavaScript reads: whether it still does.
#[derive(Debug)]
pub struct Watchdog {
    preference: Preference,
    seen: Counts,
    quiet_ticks: u32,
    suspicious: bool,
    due: u64,
}

/// Why the worker takes the sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Something is ready, and JavaScript does not come.
    Blocked,
    /// Nothing comes for JavaScript.
    Idle,
}

impl Watchdog {
    /// JavaScript begins to read.
    pub fn new(reader: &Reader, now: u64) -> Self {
        let (preference, seen) = (reader.preference(), reader.counts());
        Self { preference, seen, quiet_ticks: 0, suspicious: false, due: now + TICK }
    }

    /// When to look.
    pub fn due(&self) -> u64 {
        self.due
    }

    /// Looks: at JavaScript's turns, and at whether a socket `is_ready`. Gives a reason to take the sockets.
    pub fn look(
        &mut self,
        now: u64,
        counts: Counts,
        is_ready: impl FnOnce() -> bool,
    ) -> Option<Reason> {
        let comes = counts.turns != self.seen.turns;
        if counts.useful != self.seen.useful {
            self.quiet_ticks = 0;
        } else if !self.suspicious {
            self.quiet_ticks += 1;
        }
        self.seen = counts;
        if comes || !is_ready() {
            self.suspicious = false;
        } else if self.suspicious {
            return Some(Reason::Blocked);
        } else {
            self.suspicious = true;
            self.due = now + SECOND_LOOK;
            return None;
        }
        self.due = now + TICK;
        let idle = self.quiet_ticks >= IDLE_TICKS && self.preference == Preference::Load;
        idle.then_some(Reason::Idle)
    }
}

/// On JavaScript's thread: what it has to do with the sockets of one worker. Times are in microseconds.
#[derive(Debug, Default)]
pub struct JavaScriptSide {
    /// Whether its event loop watches the selector.
    watching: bool,
    /// Whether it has the sockets, as far as this knows.
    has_them: bool,
    /// Whether it never will have them again.
    ended: bool,
    /// Since when it has them.
    since: u64,
    /// When it read something last.
    useful_at: u64,
    /// When the window began…
    began: u64,
    /// …how long JavaScript had worked until then, in all…
    busy_before: u64,
    /// …and how often it has been woken.
    wakes: u32,
    full_windows: u32,
    /// Since when it has found the worker at work, and when it did last.
    contended: Option<(u64, u64)>,
    /// When its lendings are forgotten.
    lent_until: u64,
    /// How many bytes have been read, as far as this knows…
    bytes: u32,
    /// …and those of them that are too many.
    owed: u32,
    hold_off: u64,
    not_before: u64,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing.
    None,
    /// The event loop is to watch the selector.
    Watch,
    /// The event loop is to leave the selector alone.
    Leave,
    /// The same, and the worker is to be woken: it has the sockets now.
    LeaveAndWake,
}

/// What carries out a [`Change`], for the sockets of one worker.
pub trait Hands {
    /// Has the event loop watch the selector. False: it can't.
    fn watch(&mut self) -> bool;
    /// Has it leave the selector alone.
    fn leave(&mut self);
    /// Wakes the worker.
    fn wake(&mut self);
}

/// What has become of a turn of JavaScript.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// The sockets are not JavaScript's any more.
    NotMine,
    /// The worker is awake, or has something to do before the sockets are read.
    Contended,
    /// All that was ready has been read; `useful`: and there are records.
    Done {
        /// Whether JavaScript has to hear of something.
        useful: bool,
    },
}

impl JavaScriptSide {
    /// The worker has the sockets.
    pub fn new(reader: &Reader) -> Self {
        Self { hold_off: HOLD_OFF, bytes: reader.bytes(), ..Self::default() }
    }

    /// Records have been taken, which the worker may have read; `busy`: how long JavaScript has ever worked for
    /// records.
    pub fn handle_records(&mut self, reader: &Reader, now: u64, busy: u64) -> Change {
        if reader.is_javascript() {
            self.gain(now, busy);
            if self.watching {
                return Change::None;
            }
            self.watching = true;
            return Change::Watch;
        }
        self.lose(now, busy);
        self.weigh(reader, MOST_A_WAKE);
        if self.wants(reader.preference(), now, busy) {
            reader.ask();
        }
        self.leave()
    }

    /// The event loop says that something is ready; `turn` reads it, if the sockets are still JavaScript's.
    pub fn handle_ready(&mut self, reader: &Reader, now: u64, busy: u64, turn: Turn) -> Change {
        match turn {
            Turn::NotMine => {
                self.lose(now, busy);
                return self.leave();
            }
            Turn::Contended => {
                reader.count_turn();
                let again =
                    self.contended.filter(|(_, last)| now.saturating_sub(*last) < CONTENDED);
                let since = again.map_or(now, |(since, _)| since);
                self.contended = Some((since, now));
                if now.saturating_sub(since) < CONTENDED {
                    return Change::None;
                }
                return self.lend_or_give_back(reader, now, busy);
            }
            Turn::Done { useful } => {
                self.gain(now, busy);
                self.contended = None;
                reader.count_turn();
                self.weigh(reader, if useful { MOST_A_TURN } else { 0 });
                if useful {
                    self.useful_at = now;
                    reader.count_useful();
                }
            }
        }
        Change::None
    }

    /// The handlers of what was read are done, and what they have sent is written.
    pub fn handle_done(&mut self, reader: &Reader, now: u64, busy: u64) -> Change {
        match self.close_window(now, busy) {
            None => {}
            Some(share) if share < GIVE_ABOVE => self.full_windows = 0,
            Some(_) => self.full_windows += 1,
        }
        let too_much = self.full_windows >= GIVE_AFTER || self.owed == MOST_OWED;
        if too_much && reader.preference() == Preference::Load {
            return self.give_back(reader, now, busy);
        }
        Change::None
    }

    /// JavaScript's environment ends, or can't watch.
    pub fn end(&mut self, reader: &Reader) -> Change {
        self.ended = true;
        self.give_back(reader, 0, 0)
    }

    /// Has `hands` do what is to be done. If the event loop can't watch, JavaScript never has the sockets again.
    pub fn carry_out(&mut self, change: Change, reader: &Reader, hands: &mut impl Hands) {
        match change {
            Change::None => {}
            Change::Watch => {
                if !hands.watch() {
                    let change = self.end(reader);
                    self.carry_out(change, reader, hands);
                }
            }
            Change::Leave => hands.leave(),
            Change::LeaveAndWake => {
                hands.leave();
                hands.wake();
            }
        }
    }

    fn give_back(&mut self, reader: &Reader, now: u64, busy: u64) -> Change {
        self.lose(now, busy);
        let left = self.leave();
        if reader.give_back() { Change::LeaveAndWake } else { left }
    }

    fn lend_or_give_back(&mut self, reader: &Reader, now: u64, busy: u64) -> Change {
        let lent_until = self.lent_until.max(now) + LENDING;
        if lent_until - now > LENDINGS * LENDING {
            return self.give_back(reader, now, busy);
        }
        self.lent_until = lent_until;
        self.has_them = false;
        let left = self.leave();
        if reader.lend() { Change::LeaveAndWake } else { left }
    }

    fn leave(&mut self) -> Change {
        if std::mem::take(&mut self.watching) { Change::Leave } else { Change::None }
    }

    /// Whether JavaScript would rather read by itself.
    fn wants(&mut self, preference: Preference, now: u64, busy: u64) -> bool {
        match preference {
            _ if self.ended => return false,
            Preference::Workers => return false,
            Preference::JavaScript => return true,
            Preference::Load => {}
        }
        self.wakes += 1;
        let Some(share) = self.close_window(now, busy) else { return false };
        let wakes = std::mem::take(&mut self.wakes);
        wakes >= MIN_WAKES && share <= ASK_BELOW && self.owed == 0 && now >= self.not_before
    }

    /// Counts the bytes that have come since the last time, of which so many are not too many.
    fn weigh(&mut self, reader: &Reader, free: u32) {
        let before = std::mem::replace(&mut self.bytes, reader.bytes());
        let came = self.bytes.wrapping_sub(before);
        self.owed = self.owed.saturating_add(came).saturating_sub(free).min(MOST_OWED);
    }

    fn gain(&mut self, now: u64, busy: u64) {
        if !std::mem::replace(&mut self.has_them, true) {
            if now >= self.lent_until {
                self.since = now;
            }
            self.useful_at = now;
            self.begin(now, busy);
        }
    }

    fn lose(&mut self, now: u64, busy: u64) {
        if !std::mem::take(&mut self.has_them) {
            return;
        }
        self.begin(now, busy);
        if now.saturating_sub(self.useful_at) >= IDLE {
            return; // Nothing came: that it was too much is not shown.
        }
        // Who has had them for long begins anew.
        let long = now.saturating_sub(self.since) > LONG * self.hold_off;
        self.hold_off = if long { HOLD_OFF } else { (2 * self.hold_off).min(MAX_HOLD_OFF) };
        self.not_before = now + self.hold_off;
    }

    fn begin(&mut self, now: u64, busy: u64) {
        self.began = now;
        self.busy_before = busy;
        self.wakes = 0;
        self.full_windows = 0;
        self.contended = None;
    }

    /// How much of the window was used, in percent, when it is over; then the next one begins.
    fn close_window(&mut self, now: u64, busy: u64) -> Option<u64> {
        let length = now.saturating_sub(self.began);
        if length < WINDOW {
            return None;
        }
        self.began = now;
        let before = std::mem::replace(&mut self.busy_before, busy);
        Some(100 * busy.saturating_sub(before) / length)
    }
}
