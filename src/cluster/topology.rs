//! Which node of a Redis Cluster has which slots, as one of them tells it.
#![expect(clippy::wildcard_enum_match_arm, reason = "Redis may say anything")]

use redis::{RedisResult, Value};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use crate::redis::slots::SLOTS;

/// Where a node is: a host and a port.
pub(super) type Address = (Box<str>, u16);

/// Nodes that have the same slots: the primary, then its replicas.
type Shard = SmallVec<[Address; 2]>;

/// All nodes that have slots.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Topology {
    /// Which shard has each slot, or [`NOBODY`]: it is looked for each time that something is sent, and slots that have been moved about
    /// for years are in thousands of ranges.
    owners: Vec<u16>,
    shards: Vec<Shard>,
}

/// More than there can be shards.
const NOBODY: u16 = SLOTS;

struct Range {
    first: u16,
    last: u16,
    nodes: Shard,
}

impl Topology {
    /// Of an answer to `CLUSTER SLOTS`. `host`: who has answered, for those of whom only the port is told. None: it has no slots.
    pub(super) fn new(answer: Value, host: &str) -> Option<Self> {
        let Value::Array(ranges) = answer else { return None };
        let mut owners = vec![NOBODY; SLOTS.into()];
        let mut shards: Vec<Shard> = Vec::new();
        let mut numbers: FxHashMap<Shard, u16> = FxHashMap::default();
        for Range { first, last, nodes } in ranges.into_iter().filter_map(|it| read(it, host)) {
            let slots = owners.iter_mut().skip(first.into());
            let slots = slots.take(usize::from(last).saturating_sub(first.into()) + 1);
            let mut free = slots.filter(|owner| **owner == NOBODY).peekable();
            if first > last || free.peek().is_none() {
                continue;
            }
            // Each has a slot, so there are not more.
            let number = *numbers.entry(nodes).or_insert_with_key(|nodes| {
                shards.push(nodes.clone());
                u16::try_from(shards.len() - 1).unwrap_or(NOBODY)
            });
            free.for_each(|owner| *owner = number);
        }
        (!shards.is_empty()).then_some(Self { owners, shards })
    }

    /// The nodes that have a slot, the primary first.
    pub(super) fn nodes(&self, slot: u16) -> &[Address] {
        let owner = self.owners.get(usize::from(slot));
        owner.and_then(|&shard| self.shards.get(usize::from(shard))).map_or(&[], |it| it)
    }

    /// The primaries, each once.
    pub(super) fn primaries(&self) -> Vec<&Address> {
        once(self.shards.iter().filter_map(|nodes| nodes.first()))
    }

    /// All nodes, each once.
    pub(super) fn all(&self) -> Vec<&Address> {
        once(self.shards.iter().flatten())
    }
}

/// What a node says of its cluster.
#[derive(Clone, Debug)]
pub(super) struct View {
    /// Who has what.
    pub(super) topology: Topology,
    /// Whether it is one with most of the others, as far as it tells. One that is cut off goes on with what it knew.
    pub(super) is_whole: bool,
}

impl View {
    /// Of its answers to `CLUSTER SLOTS` and [`is_cut_off`]'s. `host`: who has answered. None: it has no slots.
    pub(super) fn new(slots: Value, info: &RedisResult<Value>, host: &str) -> Option<Self> {
        let topology = Topology::new(slots, host)?;
        Some(Self { topology, is_whole: !is_cut_off(info) })
    }
}

/// Whether an answer to `CLUSTER INFO` says that its node does not reach most of the others, or is in no cluster; or that slots are
/// nobody's, which all say then. Who may not ask does not know.
pub(super) fn is_cut_off(info: &RedisResult<Value>) -> bool {
    let text = match info {
        Ok(Value::BulkString(bytes)) => std::str::from_utf8(bytes).unwrap_or_default(),
        Ok(Value::VerbatimString { text, .. } | Value::SimpleString(text)) => text,
        // Another Redis has the address that a node had.
        Err(error) => {
            return error.detail().is_some_and(|it| it.contains("cluster support disabled"));
        }
        _ => return false,
    };
    text.lines().any(|line| line.trim_end() == "cluster_state:fail")
}

fn once<'a>(addresses: impl Iterator<Item = &'a Address>) -> Vec<&'a Address> {
    let mut all: Vec<_> = addresses.collect();
    all.sort_unstable();
    all.dedup();
    all
}

fn read(range: Value, host: &str) -> Option<Range> {
    let Value::Array(parts) = range else { return None };
    let mut parts = parts.into_iter();
    let mut slot = || match parts.next() {
        Some(Value::Int(slot)) => u16::try_from(slot).ok(),
        _ => None,
    };
    let (first, last) = (slot()?, slot()?);
    let nodes: SmallVec<_> = parts.filter_map(|node| address(node, host)).collect();
    (!nodes.is_empty()).then_some(Range { first, last, nodes })
}

/// None: where it is, who has answered does not know.
fn address(node: Value, asked: &str) -> Option<Address> {
    let Value::Array(parts) = node else { return None };
    let mut parts = parts.into_iter();
    let host = match parts.next()? {
        Value::BulkString(host) => String::from_utf8(host).ok()?,
        Value::SimpleString(host) => host,
        Value::Nil => String::new(),
        _ => return None,
    };
    let Some(Value::Int(port)) = parts.next() else { return None };
    let host = match &*host {
        "?" => return None,
        "" => asked,
        host => host,
    };
    Some((host.into(), u16::try_from(port).ok().filter(|&port| port > 0)?))
}

/// What the error of a command says that another node has to be asked: `3999 127.0.0.1:6381`. `asked`: who has said it, whose host is
/// meant where there is none. None: who has said it does not know where that is.
pub(super) fn redirected((text, _slot): (&str, u16), asked: &str) -> Option<Address> {
    let (host, port) = text.rsplit_once(':')?;
    let host = match host {
        "?" => return None,
        "" => asked,
        host => host,
    };
    Some((host.into(), port.parse().ok().filter(|&port| port > 0)?))
}

#[cfg(test)]
mod tests {
    use redis::ErrorKind;

    use super::*;

    fn text(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    fn node(host: Value, port: i64) -> Value {
        Value::Array(vec![host, Value::Int(port), text("id"), Value::Array(vec![])])
    }

    fn range(first: i64, last: i64, nodes: Vec<Value>) -> Value {
        let slots = [Value::Int(first), Value::Int(last)];
        Value::Array(slots.into_iter().chain(nodes).collect())
    }

    fn at(host: &str, port: u16) -> Address {
        (host.into(), port)
    }

    #[test]
    fn the_nodes_of_a_slot_are_found() {
        let answer = Value::Array(vec![
            range(0, 99, vec![node(text("a"), 1), node(text("b"), 2)]),
            range(100, 16_383, vec![node(Value::Nil, 3), node(text(""), 4)]),
            range(5_000, 5_001, vec![node(text("a"), 1)]),
        ]);
        let topology = Topology::new(answer, "me").unwrap();
        assert_eq!(topology.nodes(0), [at("a", 1), at("b", 2)]);
        assert_eq!(topology.nodes(99), topology.nodes(0));
        assert_eq!(topology.nodes(16_383), [at("me", 3), at("me", 4)]);
        assert_eq!(topology.primaries(), [&at("a", 1), &at("me", 3)]);
        assert_eq!(topology.all().len(), 4);
        assert_eq!(Topology::default().nodes(0), []);
    }

    #[test]
    fn a_slot_is_that_of_the_first_range_that_has_it() {
        let nodes = |port| vec![node(text("a"), port)];
        let answer = Value::Array(vec![
            range(9, 3, nodes(1)),
            range(0, 9, nodes(2)),
            range(0, 99, nodes(3)),
            range(5, 8, nodes(4)),
            range(100, 65_535, nodes(5)),
            range(16_384, 20_000, nodes(6)),
            range(200, 200, nodes(2)),
        ]);
        let topology = Topology::new(answer, "me").unwrap();
        let ports = |slot| topology.nodes(slot).iter().map(|it| it.1).collect::<Vec<_>>();
        for (slot, port) in [(0, 2), (9, 2), (10, 3), (99, 3), (100, 5), (200, 5), (16_383, 5)] {
            assert_eq!(ports(slot), [port], "{slot}");
        }
        assert!(ports(16_384).is_empty() && ports(u16::MAX).is_empty());
        assert_eq!(topology.all(), [&at("a", 2), &at("a", 3), &at("a", 5)]);
    }

    #[test]
    fn each_slot_may_be_of_another_shard() {
        let one =
            |slot: u16| range(slot.into(), slot.into(), vec![node(text("a"), i64::from(slot) + 1)]);
        let topology = Topology::new(Value::Array((0..SLOTS).map(one).collect()), "me").unwrap();
        assert!((0..SLOTS).all(|slot| topology.nodes(slot) == [at("a", slot + 1)]));
        assert_eq!(topology.primaries().len(), usize::from(SLOTS));
    }

    #[test]
    fn what_is_no_node_is_left_out() {
        let bad = [
            node(text("?"), 1),
            node(text("a"), 0),
            node(text("a"), 1 << 16),
            node(Value::Int(1), 1),
            Value::Array(vec![text("a")]),
            Value::Array(vec![]),
            Value::Nil,
        ];
        for answer in [
            Value::Nil,
            Value::Array(vec![]),
            Value::Array(vec![Value::Nil, range(0, 9, bad.to_vec())]),
            Value::Array(vec![range(-1, 9, vec![node(text("a"), 1)])]),
            Value::Array(vec![Value::Array(vec![Value::Int(1)])]),
        ] {
            assert_eq!(Topology::new(answer, "me"), None);
        }
        let answer = Value::Array(vec![range(0, 9, vec![bad[0].clone(), node(text("b"), 2)])]);
        assert_eq!(Topology::new(answer, "me").unwrap().nodes(5), [at("b", 2)]);
    }

    #[test]
    fn who_is_cut_off_says_so() {
        let info =
            |state: &str| format!("cluster_state:{state}\r\ncluster_slots_assigned:16384\r\n");
        assert!(is_cut_off(&Ok(text(&info("fail")))));
        let format = redis::VerbatimFormat::Text;
        assert!(is_cut_off(&Ok(Value::VerbatimString { format, text: info("fail") })));
        assert!(!is_cut_off(&Ok(text(&info("ok")))));
        assert!(!is_cut_off(&Ok(Value::Nil)));
        let error = |text: &str| Err((ErrorKind::Client, "ERR", text.to_owned()).into());
        assert!(is_cut_off(&error("This instance has cluster support disabled")));
        assert!(!is_cut_off(&error("not you")));
        let slots = || Value::Array(vec![range(0, 9, vec![node(text("a"), 1)])]);
        let refused = Err((ErrorKind::Client, "not you").into());
        assert!(View::new(slots(), &refused, "me").unwrap().is_whole);
        assert!(!View::new(slots(), &Ok(text(&info("fail"))), "me").unwrap().is_whole);
        assert!(View::new(Value::Nil, &Ok(text(&info("ok"))), "me").is_none());
    }

    #[test]
    fn who_is_to_be_asked_instead_is_told() {
        assert_eq!(redirected(("a:1", 3), "me"), Some(at("a", 1)));
        assert_eq!(redirected((":1", 3), "me"), Some(at("me", 1)));
        assert_eq!(redirected(("::1:1", 3), "me"), Some(at("::1", 1)));
        assert_eq!(redirected(("?:1", 3), "me"), None);
        assert_eq!(redirected(("a:0", 3), "me"), None);
        assert_eq!(redirected(("a", 3), "me"), None);
        assert_eq!(redirected(("a:b", 3), "me"), None);
    }
}
