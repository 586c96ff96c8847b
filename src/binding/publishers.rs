//! Who tells other nodes what happens in namespaces: the links to Redis, by the numbers of the namespaces there.

use std::sync::Arc;

use bytes::Bytes;
use rustc_hash::FxHashMap;

use super::logs::Messages;
use crate::cluster::news::News;
use crate::cluster::orders::{Addition, Order, Payload, Publication, Shared};
use crate::redis::broadcasts::Node;

/// The type of an entry that tells of a broadcast.
const BROADCAST: u8 = 3;

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
    /// The key of the stream by which it is told.
    stream: Option<Box<str>>,
}

impl Publishers {
    /// What happens in a namespace is told by this link.
    pub fn open(
        &mut self,
        cluster: u32,
        link: Arc<Shared>,
        node: Arc<Node>,
        stream: Option<Box<str>>,
    ) {
        self.clusters.insert(cluster, Publisher { link, node, stream });
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
        self.ask(cluster, |Publisher { node, .. }| {
            let payload = Payload::Made(message);
            Order::Publish(Publication { mode: node.mode, channel: channel.into(), payload })
        });
    }

    /// Keeps a session for so many ms.
    pub fn keep(&mut self, cluster: u32, key: &str, time: u64, value: Bytes) {
        self.ask(cluster, |Publisher { node, .. }| {
            let payload = Payload::Session { value, time };
            Order::Publish(Publication { mode: node.mode, channel: key.into(), payload })
        });
    }

    /// Tells of a broadcast. Whether it comes back by a stream, and is to be sent then.
    pub fn broadcast(
        &mut self,
        cluster: u32,
        channel: &str,
        messages: Messages,
        options: Box<[u8]>,
    ) -> bool {
        let mut streamed = false;
        let pushed = self.ask(cluster, |Publisher { node, stream, .. }| {
            let payload = Payload::Broadcast { node: Arc::clone(node), messages, options };
            let Some(stream) = stream else {
                let channel = channel.into();
                return Order::Publish(Publication { mode: node.mode, channel, payload });
            };
            streamed = true;
            let (stream, node) = (stream.clone(), Arc::clone(node));
            Order::Add(Addition { stream, cluster, node, kind: BROADCAST, token: 0, payload })
        });
        streamed && pushed
    }

    /// Writes an entry to the stream of a namespace. JavaScript, which knows it by `token`, is told when it comes back; or at once,
    /// when there is no room for it.
    pub fn add(&mut self, cluster: u32, token: u32, kind: u8, data: Bytes) {
        let pushed = self.ask(cluster, |Publisher { node, stream, .. }| {
            let stream = stream.clone().unwrap_or_default();
            let (node, payload) = (Arc::clone(node), Payload::Made(data));
            Order::Add(Addition { stream, cluster, node, kind, token, payload })
        });
        if !pushed && let Some(Publisher { link, .. }) = self.clusters.get(&cluster) {
            let (id, uid, payload) = (String::new(), Vec::new(), Bytes::new());
            link.news.push(News::Entry { cluster, id, kind, uid, token, ordered: false, payload });
        }
    }

    /// Whether there was room for it.
    fn ask(&mut self, cluster: u32, order: impl FnOnce(&Publisher) -> Order) -> bool {
        let Some(publisher) = self.clusters.get(&cluster) else { return false };
        let link = &publisher.link;
        let pushed = link.push(order(publisher)).is_ok();
        if !self.asked.last().is_some_and(|last| Arc::ptr_eq(last, link)) {
            self.asked.push(Arc::clone(link));
        }
        pushed
    }

    /// Wakes those who have been asked for something: once for a batch.
    pub fn notify(&mut self) {
        for link in self.asked.drain(..) {
            link.notify();
        }
    }
}
