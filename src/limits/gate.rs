//! Who may open a session.
//!
//! ```text
//!   a handshake ──► admit() ──┬─ a Ticket, which counts until it is dropped: with the session
//!                             └─ Refused, and nothing has been counted
//! ```
//!
//! Where JavaScript decides about a handshake, it may take its time. So it asks twice: [`Gate::pass`] before anything else is
//! done for the request, [`Gate::reserve`] when its session is about to be opened.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::addresses::{Address, Addresses};
use super::bucket::{Bucket, Rate};
use super::overload::{CALM, Load, Measure, Overload};
use super::traffic::{Action, Limit, Traffic};

/// What may be set; nothing of it is, at first.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Sessions that an address may open.
    pub connects_per_address: Option<Rate>,
    /// Sessions that all may open.
    pub connects: Option<Rate>,
    /// Clients, at most.
    pub max_clients: Option<u32>,
    /// Clients of one address, at most.
    pub max_clients_per_address: Option<u32>,
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
    /// What clients have sent waits for too long.
    InboxAge,
    /// Too much of it waits.
    InboxBytes,
    /// The process has too much memory.
    Memory,
}

impl Reason {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::AddressRate,
        Self::Rate,
        Self::AddressClients,
        Self::Clients,
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
            Self::InboxAge => "inbox_age",
            Self::InboxBytes => "inbox_bytes",
            Self::Memory => "memory",
        }
    }

    /// Whether it is the doing of who has come; else the server has no room, for whomever.
    pub fn is_of_client(self) -> bool {
        match self {
            Self::AddressRate | Self::Rate | Self::AddressClients => true,
            Self::Clients | Self::InboxAge | Self::InboxBytes | Self::Memory => false,
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
    clients: AtomicU32,
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
            clients: AtomicU32::default(),
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

    /// A handshake has come by which a session may be opened later. It counts for the rates.
    ///
    /// # Errors
    /// When it must not be let in.
    pub fn pass(&self, address: Option<IpAddr>, now: u64) -> Result<(), Refused> {
        let address = self.address(address, now);
        let address = address.as_deref();
        let checked = self.check(address, now).and_then(|()| self.take_rates(address, now));
        self.note(checked)
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
        if let Some(address) = &address {
            address.clients.fetch_add(1, Ordering::Relaxed);
        }
        self.clients.fetch_add(1, Ordering::Relaxed);
        Ticket { gate: Arc::clone(self), address }
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
        self.clients.load(Ordering::Relaxed)
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
        let is_at = |limit: Option<u32>, count: &AtomicU32| {
            limit.is_some_and(|limit| count.load(Ordering::Relaxed) >= limit)
        };
        let Settings { max_clients, max_clients_per_address, .. } = self.settings;
        if address.is_some_and(|address| is_at(max_clients_per_address, &address.clients)) {
            return Err(Refused { reason: Reason::AddressClients, retry_after: RETRY_CLIENTS });
        }
        if is_at(max_clients, &self.clients) {
            return Err(Refused { reason: Reason::Clients, retry_after: RETRY_CLIENTS });
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
        let Settings { max_clients, max_clients_per_address, .. } = self.settings;
        if let Some(address) = &address
            && !count_in(&address.clients, max_clients_per_address)
        {
            return Err(Refused { reason: Reason::AddressClients, retry_after: RETRY_CLIENTS });
        }
        if !count_in(&self.clients, max_clients) {
            if let Some(address) = &address {
                address.clients.fetch_sub(1, Ordering::Relaxed);
            }
            return Err(Refused { reason: Reason::Clients, retry_after: RETRY_CLIENTS });
        }
        Ok(Ticket { gate: Arc::clone(self), address })
    }
}

/// Counts one more, unless there are so many already.
fn count_in(count: &AtomicU32, limit: Option<u32>) -> bool {
    let limit = limit.unwrap_or(u32::MAX);
    let more = |count: u32| (count < limit).then(|| count + 1);
    count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
}

/// A place for a client, for as long as this is kept.
#[derive(Debug)]
pub struct Ticket {
    gate: Arc<Gate>,
    address: Option<Arc<Address>>,
}

impl Ticket {
    /// The gate that it came by.
    pub fn gate(&self) -> &Arc<Gate> {
        &self.gate
    }

    /// What is known of its address.
    pub fn address(&self) -> Option<&Address> {
        self.address.as_deref()
    }

    /// The same, to be kept.
    pub fn shared_address(&self) -> Option<Arc<Address>> {
        self.address.clone()
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.gate.clients.fetch_sub(1, Ordering::Relaxed);
        if let Some(address) = &self.address {
            address.clients.fetch_sub(1, Ordering::Relaxed);
        }
    }
}
