//! A link to a Redis Cluster, whatever happens to that: nodes that die, hang, vanish, are cut off, take the place of others, move, know too
//! little or say what can't be, while rooms come and go. The cluster is in memory, and the clock is turned.
//!
//! At any time, each channel is subscribed once at most, and nothing is taken twice. Some time after all is well again, each that is
//! wanted is, and no other; all that comes is taken, in order; and there is nothing left of what has been.

mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;
use tokio::task::yield_now;
use tokio::time::sleep;

use self::world::{Happening, Health, PARTS, Refusal, SharedWorld, World, happening, lock, reach};
use super::backoff::{Backoff, LAST};
use super::clock;
use super::link::{Desk, run};
use super::news::{News, NewsQueue, State};
use super::options::{Connector, LinkOptions};
use super::orders::{Cluster, Order, Payload, Publication, Shared};
use super::topology::Address;
use crate::net::directory::Directory;
use crate::redis::broadcasts::{Mode, Node};

const ROOMS: usize = 8;
/// After which all is to be well, when nothing happens any more: a node that hangs is given up, tried again, and what waits is sent.
const SETTLED: Duration = Duration::from_secs(60);
/// What is seen in this time is what a link does for nothing.
const QUIET: Duration = Duration::from_secs(30);

fn room(index: usize) -> String {
    format!("room {index}")
}

#[derive(Clone, Debug)]
enum Step {
    Want(usize),
    Leave(usize),
    /// Another namespace comes, or goes.
    Open,
    Shut,
    Publish(usize),
    /// It is asked how many have a channel.
    Count,
    Wait(u64),
    Yield(usize),
    Happens(Happening),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..ROOMS).prop_map(Step::Want),
        4 => (0..ROOMS).prop_map(Step::Leave),
        1 => Just(Step::Open),
        1 => Just(Step::Shut),
        8 => (0..ROOMS).prop_map(Step::Publish),
        1 => Just(Step::Count),
        4 => (0..200_u64).prop_map(Step::Wait),
        3 => (0..9_000_u64).prop_map(Step::Wait),
        1 => (0..20_000_u64).prop_map(Step::Wait),
        6 => (0..30_usize).prop_map(Step::Yield),
        22 => happening().prop_map(Step::Happens),
    ]
}

/// A link, and what it is to have done.
struct Stage {
    mode: Mode,
    world: SharedWorld,
    shared: Arc<Shared>,
    /// The namespaces, and what they want.
    wanted: BTreeMap<u32, BTreeSet<String>>,
    opened: u32,
    published: BTreeMap<String, u64>,
    /// How often it was asked how many have a channel.
    counts: usize,
}

impl Stage {
    fn ask(&self, order: Order) {
        let _refused = self.shared.push(order);
        self.shared.notify();
    }

    fn open(&mut self) {
        self.opened += 1;
        let number = self.opened;
        let own = format!("space {number}");
        self.ask(Order::Open(Arc::new(Cluster {
            number,
            node: Arc::new(Node { mode: self.mode, namespace: "/".into(), uid: "me".into() }),
            prefix: "space".into(),
            requests: Vec::new(),
            patterns: Vec::new(),
            channels: vec![own.clone().into_bytes()],
            stream: None,
        })));
        self.wanted.insert(number, BTreeSet::from([own]));
    }

    fn subscribe(&mut self, index: usize, wanted: bool) {
        let Some((&cluster, channels)) = self.wanted.iter_mut().next() else { return };
        let channel = room(index);
        if wanted {
            channels.insert(channel.clone());
        } else {
            channels.remove(&channel);
        }
        self.ask(Order::Subscribe { cluster, channel: channel.into(), wanted });
    }

    fn publish(&mut self, index: usize) {
        let channel = room(index);
        let number = self.published.entry(channel.clone()).or_default();
        let payload = Payload::Made(Bytes::from(number.to_string()));
        *number += 1;
        self.ask(Order::Publish(Publication { mode: self.mode, channel: channel.into(), payload }));
    }

    fn count(&mut self) {
        let (request, channel) = (1, room(0));
        self.counts += 1;
        self.ask(Order::Count { request, channel, sharded: self.mode == Mode::Sharded });
    }

    async fn step(&mut self, step: &Step) {
        match *step {
            Step::Want(index) => self.subscribe(index, true),
            Step::Leave(index) => self.subscribe(index, false),
            Step::Open if self.wanted.len() < 3 => self.open(),
            Step::Shut if self.wanted.len() > 1 => {
                let (number, _) = self.wanted.pop_last().unwrap();
                self.ask(Order::Shut(number));
            }
            Step::Publish(index) => self.publish(index),
            Step::Count => self.count(),
            Step::Wait(time) => sleep(Duration::from_millis(time)).await,
            Step::Yield(count) => {
                for _ in 0..count {
                    yield_now().await;
                }
            }
            Step::Open | Step::Shut => {}
            Step::Happens(ref it) => lock(&self.world).happens(it),
        }
        self.check_always();
    }

    fn channels(&self) -> BTreeSet<String> {
        self.wanted.values().flatten().cloned().collect()
    }

    fn count_of(&self, name: &str) -> u64 {
        let (_, counters) = self.shared.counters.list();
        counters.iter().find(|(of, _)| *of == name).unwrap().1
    }

    fn check_always(&self) {
        let world = lock(&self.world);
        let mut seen = BTreeSet::new();
        for channel in world.held().flat_map(|it| &it.channels) {
            assert!(seen.insert(channel), "{channel} at {:?}", world.subscribed(channel));
        }
        for (channel, taken) in &world.taken {
            assert!(taken.is_sorted_by(|a, b| a < b), "{channel}: {taken:?}");
            let mut late = world.late.get(channel).into_iter().flatten();
            assert!(!late.any(|it| taken.contains(it)), "{channel}: {taken:?} {:?}", world.late);
        }
    }

    /// Nothing happens any more.
    async fn settle(&mut self) {
        lock(&self.world).heal();
        lock(&self.world).conform();
        sleep(SETTLED).await;
        self.check_always();
        let told = self.shared.news.take().into_iter();
        let counted = told.filter(|news| matches!(news, News::Count { .. })).count();
        assert_eq!(counted, std::mem::take(&mut self.counts));
        let (state, _) = self.shared.counters.list();
        assert_eq!(state, State::Ready);
        {
            let world = lock(&self.world);
            let wanted = self.channels();
            for channel in &wanted {
                let at = world.subscribed(channel);
                assert_eq!(at.len(), 1, "{channel} is subscribed at {at:?}");
                let owner = world.map.owner(channel);
                let is_right = self.mode == Mode::Classic || owner.contains(&at[0]);
                assert!(is_right, "{channel} is subscribed at {at:?}, and {owner:?} have it");
            }
            let all: BTreeSet<_> = world.held().flat_map(|it| it.channels.clone()).collect();
            assert_eq!(all, wanted);
            assert_eq!(self.count_of("buffered"), 0);
        }
        // All goes on.
        for index in 0..ROOMS {
            self.publish(index);
        }
        sleep(Duration::from_secs(1)).await;
        self.check_always();
        {
            let mut world = lock(&self.world);
            for (channel, &count) in &self.published {
                let last = world.taken.get(channel).and_then(|it| it.last().copied());
                assert_eq!(last, Some(count - 1), "{channel}: {:?}", world.taken);
            }
            let [published, dropped, refused] =
                ["published", "dropped", "refused"].map(|name| self.count_of(name));
            assert_eq!(published + dropped + refused, self.published.values().sum::<u64>());
            let taken = world.taken.values().map(|it| it.len() as u64).sum::<u64>();
            assert!(published <= taken, "{published} were published, {taken} were taken");
            (world.dials, world.commands) = (0, Vec::new());
        }
        // Nothing is done for nothing.
        sleep(QUIET).await;
        let world = lock(&self.world);
        assert_eq!((world.dials, &*world.commands), (0, &[] as &[String]));
        let mut held = BTreeMap::<&Address, Vec<_>>::new();
        for (number, connection) in &world.connections {
            let at = held.entry(&connection.name).or_default();
            at.push((number, &connection.channels, &connection.is_gone));
        }
        // For commands, and for what is subscribed.
        assert!(held.values().all(|all| all.len() <= 2), "{held:?}");
    }
}

fn with_link(mode: Mode, act: impl AsyncFnOnce(&mut Stage)) {
    LAST.set(1);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        clock::begin();
        let world = Arc::new(Mutex::new(World::new(mode)));
        let news = NewsQueue::new(Box::new(|| {}));
        let shared = Arc::new(Shared::new(news, 1 << 20));
        let desk = Desk::new(Arc::new(Directory::default()), Arc::clone(&shared), true);
        let options = LinkOptions {
            urls: vec!["redis://seed".to_owned()],
            cluster: true,
            connect_timeout: 5_000,
            ..LinkOptions::default()
        };
        let mut connector = Connector::new(&options).unwrap();
        connector.reach = reach(&world);
        let link = tokio::spawn(run(desk, connector, Backoff::new(50, 5_000)));
        let mut stage = Stage {
            mode,
            world,
            shared,
            wanted: BTreeMap::new(),
            opened: 0,
            published: BTreeMap::new(),
            counts: 0,
        };
        stage.open();
        act(&mut stage).await;
        stage.settle().await;
        stage.ask(Order::Close);
        link.await.unwrap();
        let world = lock(&stage.world);
        assert_eq!(world.held().count(), 0, "connections are left");
    });
}

fn play(mode: Mode, steps: &[Step]) {
    with_link(mode, async |stage| {
        for step in steps {
            stage.step(step).await;
        }
    });
}

/// The connection is lost since its node is cut off; who asks for something then has to wait for another node.
#[test]
fn who_waits_for_an_answer_does_not_keep_what_was_subscribed() {
    with_link(Mode::Classic, async |stage| {
        sleep(Duration::from_secs(1)).await;
        let home = lock(&stage.world).subscribed("space 1")[0];
        let at = lock(&stage.world).nodes.iter().position(|node| node.port == home).unwrap();
        stage.step(&Step::Happens(Happening::Health(at ^ 1, Health::Hangs))).await;
        stage.step(&Step::Happens(Happening::CutOff(at))).await;
        for _ in 0..100 {
            stage.step(&Step::Count).await;
            stage.step(&Step::Wait(97)).await;
        }
        assert_ne!(lock(&stage.world).subscribed("space 1"), [home]);
    });
}

#[test]
fn to_leave_what_was_not_subscribed_yet_nobody_is_connected_to() {
    with_link(Mode::Sharded, async |stage| {
        sleep(Duration::from_secs(1)).await;
        lock(&stage.world).dials = 0;
        for _ in 0..9 {
            stage.open();
            let (number, _) = stage.wanted.pop_last().unwrap();
            stage.ask(Order::Shut(number));
        }
        sleep(Duration::from_secs(1)).await;
        assert_eq!(lock(&stage.world).dials, 0);
    });
}

#[test]
fn what_redis_does_not_let_go_is_heard_once() {
    with_link(Mode::Sharded, async |stage| {
        stage.step(&Step::Want(0)).await;
        stage.step(&Step::Wait(1_000)).await;
        let at = lock(&stage.world).subscribed(&room(0))[0];
        lock(&stage.world).keeps = true;
        stage.step(&Step::Leave(0)).await;
        stage.step(&Step::Wait(10_000)).await;
        // Its replica takes over, and the link learns of it.
        let at = lock(&stage.world).nodes.iter().position(|node| node.port == at).unwrap();
        for happening in [Happening::FailOver(at / 2), Happening::Refuse(at, 1, Refusal::TryAgain)]
        {
            stage.step(&Step::Happens(happening)).await;
        }
        stage.step(&Step::Publish(0)).await;
        stage.step(&Step::Wait(1_000)).await;
        stage.step(&Step::Want(0)).await;
        stage.step(&Step::Wait(1_000)).await;
        assert_eq!(lock(&stage.world).subscribed(&room(0)).len(), 1);
    });
}

#[test]
fn what_is_wanted_again_before_it_has_gone_is_heard_once() {
    use Step::{Happens, Leave, Open, Publish, Shut, Wait, Want};
    with_link(Mode::Sharded, async |stage| {
        for step in [Open, Want(0), Wait(1_000)] {
            stage.step(&step).await;
        }
        let at = lock(&stage.world).subscribed(&room(0))[0];
        let at = lock(&stage.world).nodes.iter().position(|node| node.port == at).unwrap();
        let refuse = |count| Happens(Happening::Refuse(at, count, Refusal::TryAgain));
        // When a namespace goes, so does at once what nobody wants.
        for step in [Leave(0), refuse(1), Shut, Want(0)] {
            stage.step(&step).await;
        }
        for step in [Happens(Happening::FailOver(at / 2)), refuse(1), Publish(0), Wait(1_000)] {
            stage.step(&step).await;
        }
    });
}

#[test]
fn what_is_to_go_goes_although_its_node_takes_no_connections() {
    with_link(Mode::Sharded, async |stage| {
        for step in [Step::Want(0), Step::Wait(1_000)] {
            stage.step(&step).await;
        }
        let at = lock(&stage.world).subscribed(&room(0))[0];
        let at = lock(&stage.world).nodes.iter().position(|node| node.port == at).unwrap();
        lock(&stage.world).nodes[at].is_full = true;
        for step in [Step::Publish(0), Step::Leave(0), Step::Wait(9_000)] {
            stage.step(&step).await;
        }
        assert!(lock(&stage.world).subscribed(&room(0)).is_empty());
    });
}

#[test]
fn who_has_no_slots_any_more_is_not_listened_to() {
    with_link(Mode::Sharded, async |stage| {
        for step in (0..ROOMS).map(Step::Want).chain([Step::Wait(1_000)]) {
            stage.step(&step).await;
        }
        for part in 0..PARTS {
            stage.step(&Step::Happens(Happening::Move(part, 0))).await;
        }
        for step in (0..ROOMS).map(Step::Publish).chain([Step::Wait(10_000)]) {
            stage.step(&step).await;
        }
        let world = lock(&stage.world);
        let owners = world.map.owner("");
        for connection in world.held() {
            assert!(owners.contains(&connection.port), "{}", connection.port);
        }
    });
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: ProptestConfig::default().cases / 4,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_sharded_link_is_right_again_whatever_has_happened(
        steps in prop::collection::vec(step(), 0..120)
    ) {
        play(Mode::Sharded, &steps);
    }

    #[test]
    fn a_classic_link_is_right_again_whatever_has_happened(
        steps in prop::collection::vec(step(), 0..120)
    ) {
        play(Mode::Classic, &steps);
    }
}
