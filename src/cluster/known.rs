//! What is known of the nodes of a Redis Cluster, the connections to them, and what is subscribed where. It does nothing by itself.

use std::sync::{Arc, Weak};

use rustc_hash::{FxHashMap, FxHashSet};
use tokio::sync::OnceCell;

use super::backoff::random;
use super::node::{Node, Task};
use super::topology::{Address, Topology};
use crate::redis::slots::slot_of;

/// What is known.
pub(super) struct State {
    pub(super) topology: Topology,
    /// How often that has changed.
    pub(super) version: u64,
    pub(super) home: Address,
    /// Whether something is subscribed there: then it can't be another.
    pub(super) is_heard: bool,
    /// Whether that is no part of the cluster any more.
    pub(super) is_homeless: bool,
    pub(super) commands: Connections,
    pub(super) listeners: Connections,
    /// The channels that are subscribed, or are being, and where.
    pub(super) places: FxHashMap<Box<[u8]>, Address>,
    /// Nodes that can't be reached, and what tries whether they can.
    pub(super) down: FxHashMap<Address, Task>,
    /// Whether nobody is to be connected to any more.
    pub(super) is_over: bool,
}

/// Each is made when it is needed first.
pub(super) type Connections = FxHashMap<Address, Arc<OnceCell<Node>>>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Commands,
    Listener,
}

impl State {
    pub(super) fn new(topology: Topology, seed: Address) -> Self {
        let mut state = Self {
            topology,
            version: 0,
            home: seed.clone(), // until it is known who else there is
            is_heard: false,
            is_homeless: false,
            commands: Connections::default(),
            listeners: Connections::default(),
            places: FxHashMap::default(),
            down: FxHashMap::default(),
            is_over: false,
        };
        state.home = state.any_primary(None).unwrap_or(seed);
        state
    }

    /// If that is home, another one is from now on, if there is another.
    pub(super) fn leave_home(&mut self, address: &Address) {
        if *address == self.home
            && let Some(other) = self.any_primary(Some(address))
        {
            self.home = other;
        }
    }

    /// Any that can be reached but that one, if there is another: so that not all links have one home.
    pub(super) fn any_primary(&self, but: Option<&Address>) -> Option<Address> {
        let mut primaries = self.topology.primaries();
        primaries.retain(|&it| Some(it) != but && !self.down.contains_key(it));
        let at = random() as usize % primaries.len().max(1);
        primaries.get(at).map(|&primary| primary.clone())
    }

    /// It is known who there is. Gives the connections to those who are no more: some go on listening.
    #[must_use]
    pub(super) fn learn(&mut self, topology: Topology) -> Vec<Arc<OnceCell<Node>>> {
        let has = |topology: &Topology, home: &Address| topology.all().contains(&home);
        // Who has been asked first may go by a name that others do not know.
        if has(&self.topology, &self.home) && !has(&topology, &self.home) {
            self.is_homeless = true;
        }
        self.version += u64::from(self.topology != topology);
        self.topology = topology;
        if self.is_homeless
            && !self.is_heard
            && let Some(home) = self.any_primary(None)
        {
            (self.home, self.is_homeless) = (home, false);
        }
        let all: FxHashSet<_> = self.topology.all().into_iter().collect();
        let is_used = |address: &Address| all.contains(address) || *address == self.home;
        self.down.retain(|address, _| is_used(address));
        let unused = self.commands.extract_if(|address, _| !is_used(address));
        let mut unused: Vec<_> = unused.map(|(_, cell)| cell).collect();
        let heard: FxHashSet<_> = self.places.values().collect();
        let is_used = |address: &Address| all.contains(address) || heard.contains(address);
        unused.extend(self.listeners.extract_if(|it, _| !is_used(it)).map(|(_, cell)| cell));
        unused
    }

    /// The nodes that there are connections to.
    pub(super) fn spoken_with(&self) -> Vec<Address> {
        let all: FxHashSet<_> = self.commands.keys().chain(self.listeners.keys()).collect();
        all.into_iter().cloned().collect()
    }

    /// Whether a node is one of those that have the slots of all channels that are subscribed there.
    pub(super) fn has_all_of(&self, address: &Address) -> bool {
        let mut there = self.places.iter().filter(|(_, place)| *place == address);
        there.all(|(channel, _)| self.topology.nodes(slot_of(channel)).contains(address))
    }

    /// Whether a connection is the one to a node.
    pub(super) fn has(
        &mut self,
        address: &Address,
        purpose: Purpose,
        cell: &Weak<OnceCell<Node>>,
    ) -> bool {
        let now = self.connections(purpose).get(address);
        now.is_some_and(|now| std::ptr::eq(Arc::as_ptr(now), cell.as_ptr()))
    }

    pub(super) fn connections(&mut self, purpose: Purpose) -> &mut Connections {
        match purpose {
            Purpose::Commands => &mut self.commands,
            Purpose::Listener => &mut self.listeners,
        }
    }
}
