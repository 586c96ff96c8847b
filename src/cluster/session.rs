//! What commands go by: a connection to a Redis, or those to the nodes of a Redis Cluster.

use std::sync::Arc;

use redis::{Cmd, RedisResult, Value};

use super::node::Node;
use super::nodes::Nodes;
use super::route::Route;
use super::subscriptions::Ask;
use super::topology::Address;

/// What commands go by, as long as it lasts.
#[derive(Clone, Debug)]
pub(super) enum Session {
    /// To one Redis.
    One(Node),
    /// To the nodes of a Redis Cluster, as they are needed.
    Cluster(Arc<Nodes>),
}

impl Session {
    /// Sends commands; gives what has come of each. Those for one key, or none, are sent in order.
    pub(super) async fn run(&mut self, commands: Vec<Cmd>) -> Vec<RedisResult<Value>> {
        match self {
            Self::One(node) => node.run(commands).await,
            Self::Cluster(nodes) => nodes.run(commands).await,
        }
    }

    /// It is over, whoever still waits for something.
    pub(super) fn end(&self) {
        match self {
            Self::One(node) => node.end(),
            Self::Cluster(nodes) => nodes.end(),
        }
    }

    /// Where something is to be asked now.
    pub(super) fn place(&self, route: Route) -> Address {
        match self {
            Self::One(_) => Address::default(), // there is no other
            Self::Cluster(nodes) => nodes.place(route),
        }
    }

    /// How often places have changed.
    pub(super) fn version(&self) -> u64 {
        match self {
            Self::One(_) => 0,
            Self::Cluster(nodes) => nodes.version(),
        }
    }

    /// Where a channel is to be subscribed, or the opposite.
    pub(super) fn place_of(&self, ask: &Ask) -> Address {
        match self {
            Self::One(_) => Address::default(),
            Self::Cluster(nodes) => nodes.place_of(ask),
        }
    }

    /// Sends commands to one node, in order; gives what has come of each.
    pub(super) async fn run_at(
        &mut self,
        place: &Address,
        commands: Vec<Cmd>,
    ) -> Vec<RedisResult<Value>> {
        match self {
            Self::One(node) => node.run(commands).await,
            Self::Cluster(nodes) => nodes.run_at(place, commands).await,
        }
    }

    /// Subscribes channels at one node, or the opposite; gives what has come of each.
    pub(super) async fn subscribe_at(
        &mut self,
        place: &Address,
        asks: &[Ask],
    ) -> Vec<RedisResult<Value>> {
        match self {
            Self::One(node) => node.run(asks.iter().map(Ask::command)).await,
            Self::Cluster(nodes) => nodes.subscribe_at(place, asks).await,
        }
    }
}
