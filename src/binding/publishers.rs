//! Who tells other nodes what happens in namespaces: the links to Redis, by the numbers of the namespaces there.

use std::sync::Arc;

use bytes::Bytes;
use rustc_hash::FxHashMap;

use super::logs::Messages;
use crate::cluster::orders::{Order, Payload, Publication, Shared};
use crate::redis::broadcasts::Node;

/// All of a thread.
#[derive(Debug, Default)]
pub struct Publishers {
    clusters: FxHashMap<u32, Publisher>,
    /// The last of those that have been asked for something and not been woken.
    asked: Vec<Arc<Shared>>,
}

#[derive(Debug)]
struct Publisher {
    link: Arc<Shared>,
    node: Arc<Node>,
}

impl Publishers {
    /// What happens in a namespace is told by this link.
    pub fn open(&mut self, cluster: u32, link: Arc<Shared>, node: Arc<Node>) {
        self.clusters.insert(cluster, Publisher { link, node });
    }

    /// It is told no more.
    pub fn shut(&mut self, cluster: u32) {
        self.clusters.remove(&cluster);
    }

    /// Has a channel subscribed, or not any more.
    pub fn subscribe(&mut self, cluster: u32, channel: &str, wanted: bool) {
        let channel = channel.into();
        self.ask(cluster, |_| Order::Subscribe { cluster, channel, wanted });
    }

    /// Publishes something as it is.
    pub fn publish(&mut self, cluster: u32, channel: &str, message: Bytes) {
        self.ask(cluster, |node| {
            let payload = Payload::Made(message);
            Order::Publish(Publication { mode: node.mode, channel: channel.into(), payload })
        });
    }

    /// Tells of a broadcast.
    pub fn broadcast(
        &mut self,
        cluster: u32,
        channel: &str,
        messages: Messages,
        options: Box<[u8]>,
    ) {
        self.ask(cluster, |node| {
            let payload = Payload::Broadcast { node: Arc::clone(node), messages, options };
            Order::Publish(Publication { mode: node.mode, channel: channel.into(), payload })
        });
    }

    fn ask(&mut self, cluster: u32, order: impl FnOnce(&Arc<Node>) -> Order) {
        let Some(Publisher { link, node }) = self.clusters.get(&cluster) else { return };
        link.push(order(node));
        if !self.asked.last().is_some_and(|last| Arc::ptr_eq(last, link)) {
            self.asked.push(Arc::clone(link));
        }
    }

    /// Wakes those who have been asked for something: once for a batch.
    pub fn notify(&mut self) {
        for link in self.asked.drain(..) {
            link.notify();
        }
    }
}
