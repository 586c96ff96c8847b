//! Who may open a session.
//!
//! ```text
//!   a handshake ──► admit() ──┬─ a Ticket, which counts until it is dropped: with the session
//!                             └─ Refused, and nothing has been counted
//! ```
//!
//! Where JavaScript decides about a handshake, it may take its time. So it asks twice: [`Gate::pass`] before anything else is
//! done for the request, [`Gate::reserve`] when its session is about to be opened. Between the two it has a [`Pending`].
//!
//! ```text
//!   pass() ──► Pending ──► reserve() ──► Ticket, unauthenticated ──► authenticate() ──► Ticket ──► dropped
//! ```

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::addresses::{Address, Addresses};
use super::bucket::{Bucket, Rate};
use super::counts::{Counts, Kind, Most};
use super::overload::{CALM, Load, Measure, Overload};
use super::traffic::{Action, Limit, Traffic};

/// What may be set; nothing of it is, at first.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Sessions that an address may open.
    pub connects_per_address: Option<Rate>,
    /// Sessions that all may open.
    pub connects: Option<Rate>,
    /// Clients.
    pub clients: Most,
    /// Those of them that have joined no namespace yet.
    pub unauthenticated: Most,
    /// Handshakes about which JavaScript has not decided yet.
    pub handshakes: Most,
    /// Bits of an IPv6 address that count.
    pub prefix: u8,
    /// What clients may send.
    pub traffic: Traffic,
}

/// Why a session is not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Its address opens too many at once.
    AddressRate,
    /// All together do.
    Rate,
    /// Its address has too many.
    AddressClients,
    /// The server has all that it may have.
    Clients,
    /// Too many of its address have joined no namespace yet.
    AddressUnauthenticated,
    /// Too many have not.
    Unauthenticated,
    /// Too many handshakes of its address are not decided about.
    AddressHandshakes,
    /// Too many are not.
    Handshakes,
    /// What clients have sent waits for too long.
    InboxAge,
    /// Too much of it waits.
    InboxBytes,
    /// The process has too much memory.
    Memory,
}

impl Reason {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::AddressRate,
        Self::Rate,
        Self::AddressClients,
        Self::Clients,
        Self::AddressUnauthenticated,
        Self::Unauthenticated,
        Self::AddressHandshakes,
        Self::Handshakes,
        Self::InboxAge,
        Self::InboxBytes,
        Self::Memory,
    ];

    /// Its name, for who looks at what was counted.
    pub fn name(self) -> &'static str {
        match self {
            Self::AddressRate => "connects_per_address",
            Self::Rate => "connects",
            Self::AddressClients => "max_clients_per_address",
            Self::Clients => "max_clients",
            Self::AddressUnauthenticated => "max_unauthenticated_per_address",
            Self::Unauthenticated => "max_unauthenticated",
            Self::AddressHandshakes => "max_pending_handshakes_per_address",
            Self::Handshakes => "max_pending_handshakes",
            Self::InboxAge => "inbox_age",
            Self::InboxBytes => "inbox_bytes",
            Self::Memory => "memory",
        }
    }

    /// Whether it is the doing of who has come; else the server has no room, for whomever.
    pub fn is_of_client(self) -> bool {
        match self {
            Self::AddressRate
            | Self::Rate
            | Self::AddressClients
            | Self::AddressUnauthenticated
            | Self::AddressHandshakes => true,
            Self::Clients
            | Self::Unauthenticated
            | Self::Handshakes
            | Self::InboxAge
            | Self::InboxBytes
            | Self::Memory => false,
        }
    }
}

/// A session that is not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Why.
    pub reason: Reason,
    /// Milliseconds after which another try may be let in; not before.
    pub retry_after: u64,
}

/// Who goes away, nobody can tell: another try is worth it after a second.
const RETRY_CLIENTS: u64 = 1000;

/// Tells how much there is to do.
pub trait Gauge: fmt::Debug + Send + Sync {
    /// Measures it; memory only if it is asked for.
    fn load(&self, with_memory: bool) -> Load;
}

/// Lets in who may open a session of one server.
#[derive(Debug)]
pub struct Gate {
    settings: Settings,
    addresses: Addresses,
    /// Whether there is too much to do, and what tells it; none: that is not looked at.
    overload: Option<(Overload, Arc<dyn Gauge>)>,
    connects: Bucket,
    counts: Counts,
    refused: [AtomicU64; Reason::ALL.len()],
    /// How often something was done about who sends too much.
    acted: [[AtomicU64; Action::ALL.len()]; Limit::ALL.len()],
    /// When it is told next that some have been refused; [`TOLD`]: it has been.
    tell_at: AtomicU64,
}

/// Milliseconds between two tellings.
const TELLING_INTERVAL: u64 = 1000;
const TOLD: u64 = u64::MAX;

impl Gate {
    /// A gate by which nobody has come.
    pub fn new(settings: Settings, overload: Option<(Overload, Arc<dyn Gauge>)>) -> Self {
        let addresses = Addresses::new(settings.prefix);
        Self {
            settings,
            addresses,
            overload,
            connects: Bucket::default(),
            counts: Counts::default(),
            refused: Default::default(),
            acted: Default::default(),
            tell_at: AtomicU64::default(),
        }
    }

    /// A session is to be opened, for a client that has come from there; without an address, only what counts for all counts.
    ///
    /// # Errors
    /// When it must not be.
    pub fn admit(self: &Arc<Self>, address: Option<IpAddr>, now: u64) -> Result<Ticket, Refused> {
        self.note(self.try_admit(address, now))
    }

    /// The same, for who has it refused elsewhere if it must not be.
    ///
    /// # Errors
    /// When it must not be; that is not counted.
    pub fn try_admit(
        self: &Arc<Self>,
        address: Option<IpAddr>,
        now: u64,
    ) -> Result<Ticket, Refused> {
        self.check_load(now)?;
        let address = self.address(address, now);
        // Looked at first: who is refused for its rate must not have the last place even for a moment.
        self.check_rates(address.as_deref(), now)?;
        let ticket = self.try_reserve(address)?;
        self.take_rates(ticket.address(), now)?;
        Ok(ticket)
    }

    /// A handshake has come by which a session may be opened later. It counts for the rates, and as long as what is given is kept, for
    /// those that are not decided about; none, if these are not limited.
    ///
    /// # Errors
    /// When it must not be let in.
    pub fn pass(
        self: &Arc<Self>,
        address: Option<IpAddr>,
        now: u64,
    ) -> Result<Option<Pending>, Refused> {
        self.note(self.try_pass(address, now))
    }

    fn try_pass(
        self: &Arc<Self>,
        address: Option<IpAddr>,
        now: u64,
    ) -> Result<Option<Pending>, Refused> {
        let address = self.address(address, now);
        self.check(address.as_deref(), now)?;
        let is_limited = self.settings.handshakes.is_set();
        let pending = is_limited
            .then(|| self.count_in(Kind::Handshakes, address.clone()).map(Pending))
            .transpose()?;
        self.take_rates(address.as_deref(), now)?;
        Ok(pending)
    }

    /// The session of a handshake that has [passed](Self::pass) is about to be opened.
    ///
    /// # Errors
    /// When others have come before it.
    pub fn reserve(self: &Arc<Self>, address: Option<IpAddr>, now: u64) -> Result<Ticket, Refused> {
        let address = self.address(address, now);
        self.note(self.try_reserve(address))
    }

    /// A client comes from another process, which has let it in: it counts, whatever the limits are.
    pub fn take_in(self: &Arc<Self>, address: Option<IpAddr>, now: u64) -> Ticket {
        let address = self.address(address, now);
        let unauthenticated = self
            .settings
            .unauthenticated
            .is_set()
            .then(|| self.count_anyway(Kind::Unauthenticated, address.clone()));
        Ticket { place: self.count_anyway(Kind::Clients, address), unauthenticated }
    }

    /// Whether a handshake that came now would be refused; nothing is counted but that.
    ///
    /// # Errors
    /// When it would be.
    pub fn look(&self, address: Option<IpAddr>, now: u64) -> Result<(), Refused> {
        let address = self.address(address, now);
        self.note(self.check(address.as_deref(), now))
    }

    /// Some have been refused: whether that is to be told. It is not while it has been, and nobody has [heard](Self::hear).
    pub fn is_to_tell(&self, now: u64) -> bool {
        let due = |at: u64| (at <= now).then_some(TOLD);
        self.tell_at.fetch_update(Ordering::Relaxed, Ordering::Relaxed, due).is_ok()
    }

    /// It has been heard; it is told again after a second, not before.
    pub fn hear(&self, now: u64) {
        self.tell_at.store(now.saturating_add(TELLING_INTERVAL), Ordering::Relaxed);
    }

    /// How many have been refused for this.
    pub fn refused(&self, reason: Reason) -> u64 {
        self.refused[reason as usize].load(Ordering::Relaxed)
    }

    /// How many have been refused.
    pub fn refused_in_all(&self) -> u64 {
        Reason::ALL.into_iter().map(|reason| self.refused(reason)).sum()
    }

    /// Clients that are there, or about to be.
    pub fn clients(&self) -> u32 {
        self.counts.get(Kind::Clients)
    }

    /// Those of them that have joined no namespace yet, if they are counted.
    pub fn unauthenticated(&self) -> u32 {
        self.counts.get(Kind::Unauthenticated)
    }

    /// Handshakes that are not decided about, if they are counted.
    pub fn handshakes(&self) -> u32 {
        self.counts.get(Kind::Handshakes)
    }

    /// Addresses of which something is known.
    pub fn known_addresses(&self) -> usize {
        self.addresses.len()
    }

    /// What clients may send; none: whatever they like.
    pub fn traffic(&self) -> Option<&Traffic> {
        Some(&self.settings.traffic).filter(|traffic| traffic.is_set())
    }

    /// Something is done about a client that sends too much.
    pub fn note_action(&self, limit: Limit, action: Action) {
        self.acted[limit as usize][action as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// How often that has been.
    pub fn acted(&self, limit: Limit, action: Action) -> u64 {
        self.acted[limit as usize][action as usize].load(Ordering::Relaxed)
    }

    fn note<T>(&self, result: Result<T, Refused>) -> Result<T, Refused> {
        if let Err(Refused { reason, .. }) = &result {
            self.refused[*reason as usize].fetch_add(1, Ordering::Relaxed);
        }
        result
    }

    fn address(&self, address: Option<IpAddr>, now: u64) -> Option<Arc<Address>> {
        address.map(|address| self.addresses.get(address, now))
    }

    fn check(&self, address: Option<&Address>, now: u64) -> Result<(), Refused> {
        self.check_load(now)?;
        self.check_rates(address, now).and_then(|()| self.check_counts(address))
    }

    fn check_load(&self, now: u64) -> Result<(), Refused> {
        let Some((overload, gauge)) = &self.overload else { return Ok(()) };
        let reason = match overload.measure(gauge.load(overload.counts_memory()), now) {
            None => return Ok(()),
            Some(Measure::InboxAge) => Reason::InboxAge,
            Some(Measure::InboxBytes) => Reason::InboxBytes,
            Some(Measure::Memory) => Reason::Memory,
        };
        Err(Refused { reason, retry_after: CALM })
    }

    /// What clients have sent has waited for so many milliseconds, and has been taken now.
    pub fn note_delay(&self, inbox_age: u64, now: u64) {
        if let Some((overload, _)) = &self.overload {
            overload.note_age(inbox_age, now);
        }
    }

    /// What there is too much of, if anything is.
    pub fn overloaded(&self, now: u64) -> Option<Reason> {
        self.check_load(now).err().map(|refused| refused.reason)
    }

    fn check_counts(&self, address: Option<&Address>) -> Result<(), Refused> {
        for kind in [Kind::Clients, Kind::Unauthenticated, Kind::Handshakes] {
            let Most { in_all, per_address } = self.most(kind);
            let (all, of_address) = reasons(kind);
            if address.is_some_and(|address| address.counts.are_at(kind, per_address)) {
                return Err(Refused { reason: of_address, retry_after: RETRY_CLIENTS });
            }
            if self.counts.are_at(kind, in_all) {
                return Err(Refused { reason: all, retry_after: RETRY_CLIENTS });
            }
        }
        Ok(())
    }

    fn check_rates(&self, address: Option<&Address>, now: u64) -> Result<(), Refused> {
        self.check_address_rate(address, now)?;
        let wait = self.settings.connects.map_or(0, |rate| self.connects.wait(rate, now));
        if wait > 0 { Err(Refused { reason: Reason::Rate, retry_after: wait }) } else { Ok(()) }
    }

    fn check_address_rate(&self, address: Option<&Address>, now: u64) -> Result<(), Refused> {
        let wait = match (address, self.settings.connects_per_address) {
            (Some(address), Some(rate)) => address.connects.wait(rate, now),
            (_, _) => 0,
        };
        if wait > 0 {
            return Err(Refused { reason: Reason::AddressRate, retry_after: wait });
        }
        Ok(())
    }

    /// The address first: who is refused for that takes nothing from the others.
    fn take_rates(&self, address: Option<&Address>, now: u64) -> Result<(), Refused> {
        self.check_address_rate(address, now)?;
        if let Some(rate) = self.settings.connects {
            let taken = self.connects.take(rate, now, 1);
            taken.map_err(|retry_after| Refused { reason: Reason::Rate, retry_after })?;
        }
        if let (Some(address), Some(rate)) = (address, self.settings.connects_per_address) {
            let taken = address.connects.take(rate, now, 1);
            taken.map_err(|retry_after| Refused { reason: Reason::AddressRate, retry_after })?;
        }
        Ok(())
    }

    fn try_reserve(self: &Arc<Self>, address: Option<Arc<Address>>) -> Result<Ticket, Refused> {
        let unauthenticated = address.clone();
        let place = self.count_in(Kind::Clients, address)?;
        let is_limited = self.settings.unauthenticated.is_set();
        let unauthenticated = is_limited
            .then(|| self.count_in(Kind::Unauthenticated, unauthenticated))
            .transpose()?;
        Ok(Ticket { place, unauthenticated })
    }

    fn most(&self, kind: Kind) -> Most {
        match kind {
            Kind::Clients => self.settings.clients,
            Kind::Unauthenticated => self.settings.unauthenticated,
            Kind::Handshakes => self.settings.handshakes,
        }
    }

    /// Counts one more, of its address first: who is too much for that takes nothing from the others.
    fn count_in(
        self: &Arc<Self>,
        kind: Kind,
        address: Option<Arc<Address>>,
    ) -> Result<Counted, Refused> {
        let Most { in_all, per_address } = self.most(kind);
        let (all, of_address) = reasons(kind);
        if let Some(address) = &address
            && !address.counts.add(kind, per_address)
        {
            return Err(Refused { reason: of_address, retry_after: RETRY_CLIENTS });
        }
        if !self.counts.add(kind, in_all) {
            if let Some(address) = &address {
                address.counts.subtract(kind);
            }
            return Err(Refused { reason: all, retry_after: RETRY_CLIENTS });
        }
        Ok(Counted { kind, gate: Arc::clone(self), address })
    }

    /// Counts one more, whatever the limits are.
    fn count_anyway(self: &Arc<Self>, kind: Kind, address: Option<Arc<Address>>) -> Counted {
        if let Some(address) = &address {
            address.counts.add(kind, None);
        }
        self.counts.add(kind, None);
        Counted { kind, gate: Arc::clone(self), address }
    }
}

/// Why nobody is let in when there are so many in all, and of an address.
fn reasons(kind: Kind) -> (Reason, Reason) {
    match kind {
        Kind::Clients => (Reason::Clients, Reason::AddressClients),
        Kind::Unauthenticated => (Reason::Unauthenticated, Reason::AddressUnauthenticated),
        Kind::Handshakes => (Reason::Handshakes, Reason::AddressHandshakes),
    }
}

/// One that counts, in all and of its address, for as long as this is kept.
#[derive(Debug)]
struct Counted {
    kind: Kind,
    gate: Arc<Gate>,
    address: Option<Arc<Address>>,
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.gate.counts.subtract(self.kind);
        if let Some(address) = &self.address {
            address.counts.subtract(self.kind);
        }
    }
}

/// A handshake that is not decided about, for as long as this is kept.
#[derive(Debug)]
pub struct Pending(#[expect(dead_code, reason = "it counts by being kept")] Counted);

/// A place for a client, for as long as this is kept.
#[derive(Debug)]
pub struct Ticket {
    place: Counted,
    /// None: it has joined a namespace, or that is not counted.
    unauthenticated: Option<Counted>,
}

impl Ticket {
    /// The gate that it came by.
    pub fn gate(&self) -> &Arc<Gate> {
        &self.place.gate
    }

    /// What is known of its address.
    pub fn address(&self) -> Option<&Address> {
        self.place.address.as_deref()
    }

    /// The same, to be kept.
    pub fn shared_address(&self) -> Option<Arc<Address>> {
        self.place.address.clone()
    }

    /// The client has joined a namespace, or there is none to be joined.
    pub fn authenticate(&mut self) {
        self.unauthenticated = None;
    }
}
