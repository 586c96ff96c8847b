//! Which channels are wanted, which there are, and what is to be asked of Redis.
//!
//! ```text
//!            add               sent              confirmed
//!   (none) ──────► wanted ────────────► asked ─────────────► there
//!                    ▲      ◄── the connection is lost, ──┘    │ remove, and some seconds later still not wanted
//!                    │          or Redis has ended it           │
//!                    └──────────────── add ─────────────── left
//! ```
//!
//! While there is no connection, only what is wanted is kept: rooms may come and go for hours.
//!
//! It opens no socket and reads no clock: what is to be sent is given out, and the time is an argument.

use std::collections::VecDeque;
use std::hash::Hash;

use redis::{Cmd, cmd};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use super::lanes::Item;
use super::route::Route;
use crate::redis::frames::Kind;
use crate::redis::slots::slot_of;

/// How long a channel is kept that nobody wants, in ms: rooms come and go.
const KEEP: u64 = 5_000;

impl Kind {
    const ALL: [Self; 3] = [Self::Plain, Self::Pattern, Self::Sharded];

    /// The command for it.
    pub fn command(self, wanted: bool) -> &'static str {
        match (self, wanted) {
            (Self::Plain, true) => "SUBSCRIBE",
            (Self::Plain, false) => "UNSUBSCRIBE",
            (Self::Pattern, true) => "PSUBSCRIBE",
            (Self::Pattern, false) => "PUNSUBSCRIBE",
            (Self::Sharded, true) => "SSUBSCRIBE",
            (Self::Sharded, false) => "SUNSUBSCRIBE",
        }
    }
}

/// Names a channel.
pub type Channel = (Kind, Box<[u8]>);

/// Something to be asked of Redis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Which channel.
    pub channel: Channel,
    /// Whether it is to be there.
    pub wanted: bool,
}

impl Item for Ask {
    type Key = Route;

    /// Who can do it.
    fn key(&self) -> Route {
        match self.channel.0 {
            Kind::Plain | Kind::Pattern => Route::Home,
            Kind::Sharded => Route::Shard(slot_of(&self.channel.1)),
        }
    }

    fn weight(&self) -> usize {
        self.channel.1.len()
    }

    fn subject(&self) -> Option<impl Eq + Hash> {
        Some(&self.channel)
    }

    fn must_precede(&self, later: &Self) -> bool {
        self.channel == later.channel
    }
}

impl Ask {
    /// As Redis is asked.
    pub(super) fn command(&self) -> Cmd {
        let (kind, name) = &self.channel;
        let mut command = cmd(kind.command(self.wanted));
        command.arg(&**name);
        command
    }
}

#[derive(Debug, Default)]
struct Entry {
    /// The namespaces that want it.
    clusters: SmallVec<[u32; 1]>,
    confirmed: bool,
    /// Whether all is there only when this is.
    missing: bool,
    /// Whether it has been there before.
    was_there: bool,
}

/// The channels of a link.
#[derive(Debug, Default)]
pub struct Subscriptions {
    /// For each [`Kind`].
    channels: [FxHashMap<Box<[u8]>, Entry>; 3],
    /// Channels that may have become unwanted, and since when; the oldest first.
    left: VecDeque<(u64, Channel)>,
    /// What is to be asked next.
    asks: Vec<Ask>,
    /// How many have not been confirmed of those that were wanted when the connection was made, or that Redis has ended since. Rooms come
    /// and go all the time: if those counted, there might never be a moment when all is there.
    missing: usize,
    /// Which of a namespace's first channels have not, ever.
    beginning: FxHashMap<u32, Vec<Channel>>,
    /// Whether there is no connection: nothing is asked before the next one, and then all.
    away: bool,
}

impl Subscriptions {
    /// A namespace comes with these channels; whether all of them have been there before.
    pub fn open(&mut self, cluster: u32, channels: impl Iterator<Item = Channel>) -> bool {
        let mut missing = Vec::new();
        for channel in channels {
            let was_there = self.add(channel.clone(), cluster);
            self.miss(&channel);
            if !was_there {
                missing.push(channel);
            }
        }
        let has_begun = missing.is_empty();
        if !has_begun {
            self.beginning.insert(cluster, missing);
        }
        has_begun
    }

    /// A namespace goes; what only it wanted is to be unsubscribed at once.
    pub fn shut(&mut self, cluster: u32) {
        self.beginning.remove(&cluster);
        let mut unwanted = Vec::new();
        for kind in Kind::ALL {
            for (name, entry) in self.of(kind) {
                entry.clusters.retain(|&mut other| other != cluster);
                if entry.clusters.is_empty() {
                    unwanted.push((kind, name.clone()));
                }
            }
        }
        for channel in unwanted {
            self.forget(&channel);
        }
    }

    /// A namespace wants a channel; whether it has been there before.
    pub fn add(&mut self, channel: Channel, cluster: u32) -> bool {
        let mut is_new = false;
        let entry = self.of(channel.0).entry(channel.1.clone()).or_insert_with(|| {
            is_new = true;
            Entry::default()
        });
        if !entry.clusters.contains(&cluster) {
            entry.clusters.push(cluster);
        }
        let was_there = entry.was_there;
        if is_new && !self.away {
            self.asks.push(Ask { channel, wanted: true });
        }
        was_there
    }

    /// A namespace wants a channel no more.
    pub fn remove(&mut self, channel: &Channel, cluster: u32, now: u64) {
        let Some(entry) = self.of(channel.0).get_mut(&channel.1) else { return };
        entry.clusters.retain(|&mut other| other != cluster);
        if !entry.clusters.is_empty() {
            return;
        }
        if self.away {
            self.forget(channel);
        } else {
            self.left.push_back((now, channel.clone()));
        }
    }

    /// When [`expire`](Self::expire) has something to do.
    pub fn next_expiry(&self) -> Option<u64> {
        self.left.front().map(|(since, _)| since + KEEP)
    }

    /// Unsubscribes what nobody has wanted for a while.
    pub fn expire(&mut self, now: u64) {
        while self.next_expiry().is_some_and(|time| time <= now) {
            let Some((_, channel)) = self.left.pop_front() else { return };
            if self.of(channel.0).get(&channel.1).is_some_and(|it| it.clusters.is_empty()) {
                self.forget(&channel);
            }
        }
    }

    fn forget(&mut self, channel: &Channel) {
        let Some(entry) = self.of(channel.0).remove(&channel.1) else { return };
        self.missing -= usize::from(entry.missing);
        if !self.away {
            self.asks.push(Ask { channel: channel.clone(), wanted: false });
        }
    }

    /// There is no connection (any more).
    pub fn lost(&mut self) {
        self.away = true;
        self.asks.clear();
        self.left.clear();
        self.missing = 0;
        for channels in &mut self.channels {
            channels.retain(|_, entry| {
                (entry.confirmed, entry.missing) = (false, true);
                !entry.clusters.is_empty()
            });
            self.missing += channels.len();
        }
    }

    /// There is a connection: all is to be asked.
    pub fn connected(&mut self) {
        self.lost();
        self.away = false;
        for kind in Kind::ALL {
            for name in self.channels[kind as usize].keys() {
                self.asks.push(Ask { channel: (kind, name.clone()), wanted: true });
            }
        }
    }

    /// Redis has ended what it had confirmed, or never will confirm it: it is to be asked again.
    pub fn ended(&mut self, channel: &Channel) {
        let Some(entry) = self.channels[channel.0 as usize].get_mut(&channel.1) else { return };
        entry.confirmed = false;
        self.miss(channel);
        if !self.away {
            self.asks.push(Ask { channel: channel.clone(), wanted: true });
        }
    }

    /// All is not there before that is.
    fn miss(&mut self, channel: &Channel) {
        let Some(entry) = self.channels[channel.0 as usize].get_mut(&channel.1) else { return };
        if !entry.confirmed && !std::mem::replace(&mut entry.missing, true) {
            self.missing += 1;
        }
    }

    /// What is to be asked now.
    pub fn take_asks(&mut self) -> Vec<Ask> {
        std::mem::take(&mut self.asks)
    }

    /// Redis has confirmed a subscription; gives the namespaces whose first channels are all there now.
    pub fn confirm(&mut self, channel: &Channel) -> SmallVec<[u32; 1]> {
        let mut ready = SmallVec::new();
        let Some(entry) = self.channels[channel.0 as usize].get_mut(&channel.1) else {
            return ready;
        };
        if std::mem::replace(&mut entry.confirmed, true) {
            return ready;
        }
        self.missing -= usize::from(std::mem::take(&mut entry.missing));
        if std::mem::replace(&mut entry.was_there, true) {
            return ready;
        }
        for &cluster in &entry.clusters {
            let Some(missing) = self.beginning.get_mut(&cluster) else { continue };
            missing.retain(|it| it != channel);
            if missing.is_empty() {
                self.beginning.remove(&cluster);
                ready.push(cluster);
            }
        }
        ready
    }

    /// Whether all is there that was wanted when the connection was made.
    pub fn is_complete(&self) -> bool {
        self.missing == 0
    }

    /// The namespaces that want a channel.
    pub fn clusters(&self, kind: Kind, name: &[u8]) -> &[u32] {
        self.channels[kind as usize].get(name).map_or(&[], |entry| &entry.clusters)
    }

    fn of(&mut self, kind: Kind) -> &mut FxHashMap<Box<[u8]>, Entry> {
        &mut self.channels[kind as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn channel(name: &str) -> Channel {
        (Kind::Sharded, name.as_bytes().into())
    }

    fn asks(subscriptions: &mut Subscriptions) -> Vec<String> {
        let asks = subscriptions.take_asks().into_iter();
        let mut asks: Vec<_> = asks
            .map(|ask| {
                let sign = if ask.wanted { '+' } else { '-' };
                format!("{sign}{}", String::from_utf8_lossy(&ask.channel.1))
            })
            .collect();
        asks.sort();
        asks
    }

    #[test]
    fn a_namespace_begins_when_its_channels_are_there() {
        let mut all = Subscriptions::default();
        all.open(1, [channel("a"), channel("b")].into_iter());
        assert_eq!(asks(&mut all), ["+a", "+b"]);
        assert!(all.confirm(&channel("a")).is_empty() && !all.is_complete());
        assert!(all.confirm(&channel("a")).is_empty());
        assert_eq!(all.confirm(&channel("b"))[..], [1]);
        assert!(all.is_complete());
        assert_eq!(all.clusters(Kind::Sharded, b"a"), [1]);
        all.lost();
        assert!(!all.is_complete() && asks(&mut all).is_empty());
        all.connected();
        assert!(!all.is_complete());
        assert_eq!(asks(&mut all), ["+a", "+b"]);
        assert!(all.confirm(&channel("a")).is_empty() && all.confirm(&channel("b")).is_empty());
        assert!(all.is_complete());
        all.shut(1);
        assert_eq!(asks(&mut all), ["-a", "-b"]);
        assert!(all.is_complete() && all.clusters(Kind::Sharded, b"a").is_empty());
    }

    #[test]
    fn a_namespace_does_not_begin_by_the_channels_of_rooms() {
        let mut all = Subscriptions::default();
        assert!(!all.open(1, [channel("a"), channel("b")].into_iter()));
        all.add(channel("room"), 1);
        all.add(channel("other room"), 1);
        for name in ["room", "a", "other room"] {
            assert!(all.confirm(&channel(name)).is_empty());
        }
        assert_eq!(all.confirm(&channel("b"))[..], [1]);
        assert!(all.open(2, [channel("a"), channel("room")].into_iter()), "all is there");
        assert!(!all.open(3, [channel("a"), channel("c")].into_iter()));
        assert_eq!(all.confirm(&channel("c"))[..], [3]);
    }

    #[test]
    fn a_room_that_comes_and_goes_is_kept_for_a_while() {
        let mut all = Subscriptions::default();
        all.open(1, std::iter::empty());
        all.add(channel("r"), 1);
        assert_eq!(asks(&mut all), ["+r"]);
        all.confirm(&channel("r"));
        all.remove(&channel("r"), 1, 1000);
        all.expire(1000 + KEEP - 1);
        assert!(all.add(channel("r"), 1), "it is still there");
        all.expire(1000 + KEEP);
        assert!(asks(&mut all).is_empty());
        all.remove(&channel("r"), 1, 2000);
        assert_eq!(all.next_expiry(), Some(2000 + KEEP));
        all.expire(2000 + KEEP);
        assert_eq!(asks(&mut all), ["-r"]);
        assert_eq!(all.next_expiry(), None);
    }

    #[test]
    fn all_is_there_although_rooms_come_and_go() {
        let mut all = Subscriptions::default();
        all.lost();
        all.open(1, [channel("a")].into_iter());
        all.add(channel("before"), 1);
        all.connected();
        all.confirm(&channel("a"));
        assert!(!all.is_complete());
        for n in 0..10 {
            all.add(channel(&n.to_string()), 1);
        }
        all.confirm(&channel("before"));
        assert!(all.is_complete());
        // What has been there has not to be missed twice.
        all.confirm(&channel("0"));
        all.ended(&channel("0"));
        all.remove(&channel("0"), 1, 0);
        assert!(!all.is_complete());
        all.expire(KEEP);
        assert!(all.is_complete());
    }

    #[test]
    fn what_was_left_is_not_asked_on_a_new_connection() {
        let mut all = Subscriptions::default();
        all.add(channel("r"), 1);
        all.remove(&channel("r"), 1, 0);
        all.lost();
        all.connected();
        assert!(asks(&mut all).is_empty() && all.is_complete());
        all.expire(KEEP);
        assert!(asks(&mut all).is_empty());
    }

    #[test]
    fn what_redis_has_ended_is_asked_again() {
        let mut all = Subscriptions::default();
        all.open(1, [channel("a")].into_iter());
        all.confirm(&channel("a"));
        asks(&mut all);
        for _ in 0..2 {
            all.ended(&channel("a"));
            assert!(!all.is_complete());
            assert_eq!(asks(&mut all), ["+a"]);
        }
        assert!(all.confirm(&channel("a")).is_empty() && all.is_complete());
        all.ended(&channel("b"));
        assert!(asks(&mut all).is_empty() && all.is_complete());
        all.shut(1);
        all.ended(&channel("a"));
        assert_eq!(asks(&mut all), ["-a"]);
        assert!(all.is_complete());
    }

    #[test]
    fn what_comes_and_goes_without_a_connection_leaves_nothing() {
        let mut all = Subscriptions::default();
        all.lost();
        all.open(1, [channel("a")].into_iter());
        for n in 0..1000 {
            all.add(channel(&n.to_string()), 1);
            all.remove(&channel(&n.to_string()), 1, n);
        }
        all.add(channel("b"), 1);
        assert!(all.left.is_empty() && all.asks.is_empty());
        assert_eq!(all.channels[Kind::Sharded as usize].len(), 2);
        all.connected();
        assert_eq!(asks(&mut all), ["+a", "+b"]);
        assert_eq!(all.confirm(&channel("a"))[..], [1]);
        assert!(all.confirm(&channel("b")).is_empty() && all.is_complete());
    }
}
