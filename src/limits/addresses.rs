//! What is known of each address from which something has come.
//!
//! Of an address that has no client and whose buckets are full, nothing is known: it is forgotten as room is needed. Who comes
//! from very many addresses makes others forgotten that have no client, those first that owe least; what is kept stays bounded.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

use super::bucket::Bucket;
use super::counts::Counts;

/// Parts of the table, each with a lock of its own.
const SHARDS: usize = 16;
/// Addresses that a part knows before it forgets those without clients for others that come.
const MAX_KNOWN: usize = 4096;
/// When one is added, so many are looked at whether they can be forgotten…
const SWEEP: usize = 2;
/// …and so many when there is no room.
const SEARCH: usize = 16;
/// Bits of an IPv6 address that name a network; a customer has one at least, and all addresses of it.
pub const DEFAULT_PREFIX: u8 = 64;

/// What is known of an address.
#[derive(Debug, Default)]
pub struct Address {
    /// Its clients, and what else is counted.
    pub counts: Counts,
    /// Sessions that it may open.
    pub connects: Bucket,
    /// Events that its clients may send.
    pub events: Bucket,
    /// Bytes that they may send.
    pub bytes: Bucket,
}

impl Address {
    fn is_full(&self, now: u64) -> bool {
        [&self.connects, &self.events, &self.bytes].iter().all(|bucket| bucket.is_full(now))
    }
}

/// The addresses that are known.
#[derive(Debug)]
pub struct Addresses {
    shards: [Mutex<Shard>; SHARDS],
    /// What belongs to an IPv6 address as a whole.
    mask: u128,
}

#[derive(Debug, Default)]
struct Shard {
    places: HashMap<IpAddr, usize>,
    known: Vec<(IpAddr, Arc<Address>)>,
    /// Where the next look begins at what can be forgotten.
    hand: usize,
}

impl Addresses {
    /// None is known. Of IPv6, those that have the first `prefix` bits in common are one.
    pub fn new(prefix: u8) -> Self {
        let mask = u128::MAX.checked_shl(128 - u32::from(prefix.min(128))).unwrap_or(0);
        Self { shards: Default::default(), mask }
    }

    /// The address that counts for this one.
    pub fn canonical(&self, address: IpAddr) -> IpAddr {
        match address.to_canonical() {
            IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & self.mask).into(),
            address @ IpAddr::V4(_) => address,
        }
    }

    /// What is known of an address. It is kept for as long as somebody has it.
    pub fn get(&self, address: IpAddr, now: u64) -> Arc<Address> {
        let address = self.canonical(address);
        let shard = &self.shards[shard_of(address)];
        shard.lock().unwrap_or_else(PoisonError::into_inner).get(address, now)
    }

    /// How many are known.
    pub fn len(&self) -> usize {
        let length =
            |shard: &Mutex<Shard>| shard.lock().unwrap_or_else(PoisonError::into_inner).known.len();
        self.shards.iter().map(length).sum()
    }

    /// Whether none is known.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

fn shard_of(address: IpAddr) -> usize {
    let bits = match address {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits(),
    };
    // Folded, as any of them may be what differs.
    let folded = (bits >> 64) ^ bits;
    let folded = (folded >> 32) ^ folded;
    let folded = (folded >> 16) ^ folded;
    let folded = (folded >> 8) ^ folded;
    usize::try_from(((folded >> 4) ^ folded) % SHARDS as u128).unwrap_or(0)
}

impl Shard {
    fn get(&mut self, address: IpAddr, now: u64) -> Arc<Address> {
        if let Some(&place) = self.places.get(&address) {
            return Arc::clone(&self.known[place].1);
        }
        for _ in 0..SWEEP {
            self.sweep(now);
        }
        // One more than comes, so that what a search has not found is caught up with.
        for _ in 0..2 {
            if self.known.len() >= MAX_KNOWN {
                self.forget_one(now);
            }
        }
        let added = Arc::<Address>::default();
        self.places.insert(address, self.known.len());
        self.known.push((address, Arc::clone(&added)));
        added
    }

    /// Looks at one, and forgets it if nothing is known by it.
    fn sweep(&mut self, now: u64) {
        if let Some(place) = self.next_place()
            && self.is_idle(place)
            && self.known[place].1.is_full(now)
        {
            self.forget(place);
        }
    }

    /// Forgets one that has no client; none, if those that it looks at have some.
    fn forget_one(&mut self, now: u64) {
        let mut best: Option<usize> = None;
        for _ in 0..SEARCH {
            let Some(place) = self.next_place() else { return };
            if !self.is_idle(place) {
                continue;
            }
            if self.known[place].1.is_full(now) {
                return self.forget(place);
            }
            best = best.or(Some(place));
        }
        if let Some(place) = best {
            self.forget(place);
        }
    }

    fn next_place(&mut self) -> Option<usize> {
        let length = self.known.len();
        (length > 0).then(|| {
            self.hand = (self.hand + 1) % length;
            self.hand
        })
    }

    /// Whether nobody has it. (Who gets it does so under the lock of the shard.)
    fn is_idle(&self, place: usize) -> bool {
        Arc::strong_count(&self.known[place].1) == 1
    }

    fn forget(&mut self, place: usize) {
        let (address, _) = self.known.swap_remove(place);
        self.places.remove(&address);
        if let Some((moved, _)) = self.known.get(place) {
            self.places.insert(*moved, place);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::limits::bucket::Rate;
    use crate::limits::counts::Kind;

    const RATE: fn() -> Rate = || Rate::new(1.0, 10.0);

    fn v4(n: u32) -> IpAddr {
        Ipv4Addr::from_bits(n).into()
    }

    #[test]
    fn a_network_of_ipv6_is_one_and_mapped_addresses_are_ipv4() {
        let addresses = Addresses::new(64);
        let parse = |text: &str| text.parse::<IpAddr>().unwrap();
        let one = addresses.get(parse("2001:db8::1"), 0);
        assert!(Arc::ptr_eq(&one, &addresses.get(parse("2001:db8::ffff:2"), 0)));
        assert!(!Arc::ptr_eq(&one, &addresses.get(parse("2001:db8:0:1::1"), 0)));
        let mapped = addresses.get(parse("::ffff:10.0.0.1"), 0);
        assert!(Arc::ptr_eq(&mapped, &addresses.get(parse("10.0.0.1"), 0)));
        let exact = Addresses::new(128);
        let one = exact.get(parse("2001:db8::1"), 0);
        assert!(!Arc::ptr_eq(&one, &exact.get(parse("2001:db8::2"), 0)));
        let all = Addresses::new(0);
        let one = all.get(parse("2001:db8::1"), 0);
        assert!(Arc::ptr_eq(&one, &all.get(parse("fe80::1"), 0)));
    }

    #[test]
    fn very_many_addresses_take_bounded_room_and_those_with_clients_stay() {
        let addresses = Addresses::new(64);
        let kept: Vec<_> = (0..1000).map(|n| addresses.get(v4(n), 0)).collect();
        for address in &kept {
            address.counts.add(Kind::Clients, None);
        }
        for n in 1000..300_000_u32 {
            addresses.get(v4(n), 0).connects.charge(RATE(), 0, 5);
        }
        assert!(addresses.len() <= SHARDS * MAX_KNOWN + kept.len(), "{}", addresses.len());
        for (n, address) in (0..).zip(&kept) {
            assert!(Arc::ptr_eq(address, &addresses.get(v4(n), 0)), "{n}");
        }
    }

    #[test]
    fn what_is_full_again_makes_room() {
        let addresses = Addresses::new(64);
        for n in 0..10_000_u32 {
            addresses.get(v4(n), 0).connects.charge(RATE(), 0, 1);
        }
        // A minute later; each that comes drops more than one of those.
        for n in 20_000..30_000_u32 {
            addresses.get(v4(n), 60_000).connects.charge(RATE(), 60_000, 1);
        }
        assert!(addresses.len() <= 10_100, "{}", addresses.len());
    }
}
