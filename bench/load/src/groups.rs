//! Which broadcasts are under way, and who does not have them yet.

use std::collections::VecDeque;
use std::time::Instant;

use crate::config::{Config, To};

/// A broadcast that is under way.
#[derive(Debug)]
struct Broadcast {
    sent: Instant,
    /// The clients that do not have it yet.
    missing: usize,
}

/// The broadcasts of one sender.
#[derive(Debug, Default)]
struct Group {
    /// How many clients get each.
    receivers: usize,
    under_way: VecDeque<Broadcast>,
    /// How many are over.
    done: u64,
}

/// All senders. The client `i` belongs to the group `i % n`, and the first `n` are the senders.
#[derive(Debug)]
pub(crate) struct Groups {
    all: Vec<Group>,
    /// Those that send are the first ones.
    senders: usize,
    /// Broadcasts in flight per sender.
    window: usize,
    /// Whether they are sent when their time comes, whatever is in flight.
    is_paced: bool,
    /// Those who have fewer.
    due: Vec<usize>,
}

impl Groups {
    /// The groups of a run; without broadcasts there are none.
    pub(crate) fn new(config: &Config) -> Self {
        let count = if config.has_groups() { config.groups() } else { 0 };
        let senders = if config.senders == 0 { count } else { config.senders };
        let groups = (0..count).map(|index| {
            let members = (config.connections - index).div_ceil(count);
            let receivers = members - usize::from(config.to == To::Others);
            Group { receivers, ..Group::default() }
        });
        // What is paced is due when its time comes: [`Self::begin`].
        let due = if config.is_paced() { Vec::new() } else { (0..senders).collect() };
        let is_paced = config.is_paced();
        Self { all: groups.collect(), senders, window: config.window, is_paced, due }
    }

    /// The next sender that has something to send, and how many broadcasts; they are under way from now.
    pub(crate) fn next_due(&mut self, now: Instant) -> Option<(usize, usize)> {
        let sender = self.due.pop()?;
        let group = &mut self.all[sender];
        let count = self.window - group.under_way.len();
        let broadcast = || Broadcast { sent: now, missing: group.receivers };
        group.under_way.extend(std::iter::repeat_with(broadcast).take(count));
        Some((sender, count))
    }

    /// A broadcast that was due at a time: whose turn it is, if the turns are counted from 0.
    pub(crate) fn begin(&mut self, turn: usize, due: Instant) -> usize {
        let sender = turn % self.senders;
        let group = &mut self.all[sender];
        group.under_way.push_back(Broadcast { sent: due, missing: group.receivers });
        sender
    }

    /// A client got its `nth` message (from 0): they are the broadcasts of its group, in order.
    ///
    /// When that was the last client that missed a broadcast: the time when it was sent. It is then the
    /// oldest one, since every client has got those before it.
    pub(crate) fn handle_delivery(&mut self, client: usize, nth: u64) -> Option<Instant> {
        let sender = client % self.all.len();
        let group = &mut self.all[sender];
        let index = usize::try_from(nth.checked_sub(group.done)?).ok()?;
        let broadcast = group.under_way.get_mut(index)?;
        broadcast.missing -= 1;
        if broadcast.missing > 0 {
            return None;
        }
        if group.under_way.len() == self.window && !self.is_paced {
            self.due.push(sender);
        }
        group.done += 1;
        group.under_way.pop_front().map(|over| over.sent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups(args: &str) -> Groups {
        let args = format!("broadcast 1 1 {args}");
        Groups::new(&Config::from_args(args.split(' ').map(String::from)).unwrap())
    }

    #[test]
    fn a_broadcast_is_over_when_all_have_it() {
        let mut groups = groups("conns=2 window=2");
        let now = Instant::now();
        assert_eq!(groups.next_due(now), Some((0, 2)));
        assert_eq!(groups.next_due(now), None);
        assert_eq!(groups.handle_delivery(1, 0), None);
        assert_eq!(groups.handle_delivery(1, 1), None);
        assert_eq!(groups.handle_delivery(0, 0), Some(now));
        assert_eq!(groups.next_due(now), Some((0, 1)));
        assert_eq!(groups.handle_delivery(0, 1), Some(now));
    }

    #[test]
    fn what_is_paced_is_sent_when_it_is_due() {
        let args = "remote 1 1 to=room redis=1 rate=5 conns=2 rooms=2 senders=1";
        let mut groups =
            Groups::new(&Config::from_args(args.split(' ').map(String::from)).unwrap());
        let now = Instant::now();
        assert_eq!(groups.next_due(now), None);
        assert_eq!((groups.begin(0, now), groups.begin(1, now)), (0, 0), "one room of two");
        assert_eq!(groups.handle_delivery(0, 0), Some(now));
        assert_eq!(groups.handle_delivery(0, 1), Some(now));
        assert_eq!(groups.next_due(now), None);
    }

    #[test]
    fn others_are_without_the_sender() {
        let mut groups = groups("conns=5 rooms=2 to=others");
        let now = Instant::now();
        assert_eq!(groups.next_due(now), Some((1, 1)));
        assert_eq!(groups.handle_delivery(3, 0), Some(now), "1 and 3 are in the second room");
    }
}
