//! How much those may send that are there: events and bytes, of a client and of all clients of an address.
//!
//! ```text
//!   a message has come ──► judge() ─┬─ Pass      it is taken: charge(), and then pause() says whether to stop reading behind it
//!                                   ├─ Drop      nothing hears of it, and it costs nothing
//!                                   └─ End       its client is disconnected
//! ```
//!
//! An event is any packet of Socket.IO that JavaScript would have to look at: a CONNECT or an answer is as much work. Bytes are those
//! of messages, decompressed, attachments included: what JavaScript would get.
//!
//! A message is taken while there is one token of each kind, and then costs all that it is: a long one can be taken by a bucket that
//! is smaller, which is in debt behind it. So in any span no more bytes come than the burst, the rate times that span, and one message
//! of each client that shares the bucket; and no more events than the burst and the rate, of a client.

use super::addresses::Address;
use super::bucket::{Bucket, Rate};

/// What is done about a client that sends too much.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Action {
    /// It is not read until it may send again, so that TCP pushes back on it: nothing is lost.
    #[default]
    Pause,
    /// Its events are dropped; one that is to be answered is answered with an error.
    Drop,
    /// It is disconnected.
    Disconnect,
}

impl Action {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Pause, Self::Drop, Self::Disconnect];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Drop => "drop",
            Self::Disconnect => "disconnect",
        }
    }
}

/// How much may come of one kind; what has no rate is not limited.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rule {
    /// From a client.
    pub per_client: Option<Rate>,
    /// From all clients of an address.
    pub per_address: Option<Rate>,
    /// What is done about more.
    pub action: Action,
}

impl Rule {
    fn is_set(self) -> bool {
        self.per_client.is_some() || self.per_address.is_some()
    }
}

/// What counts for a namespace besides; there are no rates of addresses.
#[derive(Clone, Debug)]
pub struct NamespaceRules {
    /// Its name.
    pub name: Box<str>,
    /// Events to it.
    pub events: Rule,
    /// Bytes of them.
    pub bytes: Rule,
}

/// How much may come of those that are there.
#[derive(Clone, Debug, Default)]
pub struct Traffic {
    /// Events.
    pub events: Rule,
    /// Bytes.
    pub bytes: Rule,
    /// What counts for some namespaces besides.
    pub namespaces: Box<[NamespaceRules]>,
}

/// A limit that somebody has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Events of a client.
    Events,
    /// Events of an address.
    AddressEvents,
    /// Bytes of a client.
    Bytes,
    /// Bytes of an address.
    AddressBytes,
    /// Events of a client to a namespace.
    NamespaceEvents,
    /// Bytes of a client to a namespace.
    NamespaceBytes,
}

impl Limit {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Events,
        Self::AddressEvents,
        Self::Bytes,
        Self::AddressBytes,
        Self::NamespaceEvents,
        Self::NamespaceBytes,
    ];

    /// Its name, for who looks at what was counted.
    pub fn name(self) -> &'static str {
        match self {
            Self::Events => "events_per_client",
            Self::AddressEvents => "events_per_address",
            Self::Bytes => "bytes_per_client",
            Self::AddressBytes => "bytes_per_address",
            Self::NamespaceEvents => "namespace_events",
            Self::NamespaceBytes => "namespace_bytes",
        }
    }

    /// What its client is told.
    pub fn message(self) -> &'static str {
        match self {
            Self::Events | Self::AddressEvents | Self::NamespaceEvents => "too many events",
            Self::Bytes | Self::AddressBytes | Self::NamespaceBytes => "too many bytes",
        }
    }
}

/// Somebody has sent more than he may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Over {
    /// Which limit that is.
    pub limit: Limit,
    /// Milliseconds until something may come again, at least one.
    pub wait: u64,
}

/// What becomes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// It is taken.
    Pass,
    /// It is dropped, if it is an event.
    Drop(Over),
    /// Its client is disconnected.
    End(Over),
}

/// The buckets of one client.
#[derive(Debug, Default)]
pub struct Meter {
    own: Buckets,
    /// In the order of [`Traffic::namespaces`].
    namespaces: Box<[Buckets]>,
}

#[derive(Debug, Default)]
struct Buckets {
    events: Bucket,
    bytes: Bucket,
}

impl Meter {
    /// That of a client that has sent nothing.
    pub fn new(traffic: &Traffic) -> Self {
        let namespaces = traffic.namespaces.iter().map(|_| Buckets::default()).collect();
        Self { own: Buckets::default(), namespaces }
    }
}

/// One bucket, and how it fills.
struct Gauged<'a> {
    limit: Limit,
    action: Action,
    rate: Rate,
    bucket: &'a Bucket,
    is_of_events: bool,
}

impl Gauged<'_> {
    fn over(&self, now: u64) -> Option<Over> {
        let wait = self.bucket.wait(self.rate, now);
        (wait > 0).then_some(Over { limit: self.limit, wait })
    }
}

impl Traffic {
    /// Whether anything is limited.
    pub fn is_set(&self) -> bool {
        self.events.is_set() || self.bytes.is_set() || !self.namespaces.is_empty()
    }

    /// What is done about more than a limit allows; none: it is not set.
    pub fn action(&self, limit: Limit) -> Option<Action> {
        let set = |rule: Rule, rate: Option<Rate>| rate.map(|_| rule.action);
        match limit {
            Limit::Events => set(self.events, self.events.per_client),
            Limit::AddressEvents => set(self.events, self.events.per_address),
            Limit::Bytes => set(self.bytes, self.bytes.per_client),
            Limit::AddressBytes => set(self.bytes, self.bytes.per_address),
            Limit::NamespaceEvents => {
                self.namespaces.iter().find_map(|it| set(it.events, it.events.per_client))
            }
            Limit::NamespaceBytes => {
                self.namespaces.iter().find_map(|it| set(it.bytes, it.bytes.per_client))
            }
        }
    }

    /// Whether anything counts for some namespace besides.
    pub fn limits_namespaces(&self) -> bool {
        !self.namespaces.is_empty()
    }

    /// What counts for a namespace besides, by its number.
    pub fn namespace(&self, name: &str) -> Option<usize> {
        self.namespaces.iter().position(|rules| *rules.name == *name)
    }

    /// What becomes of a message that is to be taken now; of who is paused, nothing comes. `namespace`: its rules are asked, too.
    pub fn judge(
        &self,
        meter: &Meter,
        address: Option<&Address>,
        namespace: Option<usize>,
        now: u64,
    ) -> Judgement {
        let mut judgement = Judgement::Pass;
        for gauged in self.gauged(meter, address, namespace) {
            match (gauged.action, judgement) {
                (Action::Pause, _) | (Action::Drop, Judgement::Drop(_)) => {}
                (Action::Drop, _) => {
                    if let Some(over) = gauged.over(now) {
                        judgement = Judgement::Drop(over);
                    }
                }
                (Action::Disconnect, _) => {
                    if let Some(over) = gauged.over(now) {
                        return Judgement::End(over);
                    }
                }
            }
        }
        judgement
    }

    /// A message has been taken: so many events, and so many bytes.
    pub fn charge(
        &self,
        meter: &Meter,
        address: Option<&Address>,
        namespace: Option<usize>,
        now: u64,
        (events, bytes): (u64, u64),
    ) {
        for Gauged { rate, bucket, is_of_events, .. } in self.gauged(meter, address, namespace) {
            bucket.charge(rate, now, if is_of_events { events } else { bytes });
        }
    }

    /// For how long the client is not to be read behind what has been taken. `all`: also where more is dropped, as there was too much
    /// already, and what came could not be.
    pub fn pause(
        &self,
        meter: &Meter,
        address: Option<&Address>,
        namespace: Option<usize>,
        now: u64,
        all: bool,
    ) -> Option<Over> {
        self.gauged(meter, address, namespace)
            .filter(|gauged| match gauged.action {
                Action::Pause => true,
                Action::Drop => all,
                Action::Disconnect => false,
            })
            .filter_map(|gauged| gauged.over(now))
            .max_by_key(|over| over.wait)
    }

    fn gauged<'a>(
        &'a self,
        meter: &'a Meter,
        address: Option<&'a Address>,
        namespace: Option<usize>,
    ) -> impl Iterator<Item = Gauged<'a>> {
        let of_namespace = namespace.and_then(|number| {
            let (rules, buckets) = (self.namespaces.get(number)?, meter.namespaces.get(number)?);
            Some([
                (Limit::NamespaceEvents, rules.events, rules.events.per_client, &buckets.events),
                (Limit::NamespaceBytes, rules.bytes, rules.bytes.per_client, &buckets.bytes),
            ])
        });
        let of_address = address.map(|address| {
            [
                (Limit::AddressEvents, self.events, self.events.per_address, &address.events),
                (Limit::AddressBytes, self.bytes, self.bytes.per_address, &address.bytes),
            ]
        });
        let own = [
            (Limit::Events, self.events, self.events.per_client, &meter.own.events),
            (Limit::Bytes, self.bytes, self.bytes.per_client, &meter.own.bytes),
        ];
        own.into_iter()
            .chain(of_address.into_iter().flatten())
            .chain(of_namespace.into_iter().flatten())
            .filter_map(|(limit, rule, rate, bucket)| {
                let is_of_events =
                    matches!(limit, Limit::Events | Limit::AddressEvents | Limit::NamespaceEvents);
                Some(Gauged { limit, action: rule.action, rate: rate?, bucket, is_of_events })
            })
    }
}
