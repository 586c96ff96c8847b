//! What commands go by: a connection to a Redis, or those to the nodes of a Redis Cluster.

use std::sync::Arc;

use redis::{Cmd, RedisResult, Value};

use super::node::Node;
use super::nodes::Nodes;
use super::subscriptions::Ask;

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

    /// Subscribes channels, or the opposite; gives what has come of each.
    pub(super) async fn subscribe(&mut self, asks: &[Ask]) -> Vec<RedisResult<Value>> {
        match self {
            Self::One(node) => node.run(asks.iter().map(Ask::command)).await,
            Self::Cluster(nodes) => nodes.subscribe(asks).await,
        }
    }
}
