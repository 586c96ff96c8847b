//! A server's options as they cross the border.

use std::sync::Arc;

use napi::Either;
use napi::bindgen_prelude::Buffer;
use napi_derive::napi;

use crate::engineio::{Config, OutMessage};
use crate::http::forwarded::{Network, Proxies, TrustProxy};
use crate::limits::addresses::DEFAULT_PREFIX;
use crate::limits::bucket::Rate;
use crate::limits::counts::Most;
use crate::limits::gate::{self, Gate, Gauge};
use crate::limits::overload::{Bounds, Overload};
use crate::limits::traffic::{Action, NamespaceRules, Rule, Traffic};
use crate::net::backlog::BufferLimits;
use crate::net::deflate::Compression;
use crate::net::server::Environment;
use crate::websocket::extension::{MAX_WINDOW_BITS, MIN_WINDOW_BITS, Settings, WindowBits};

/// What the data plane has to know of a server. Times are milliseconds, sizes bytes; JavaScript
/// fills in upstream's defaults.
#[napi(object)]
#[expect(clippy::struct_excessive_bools, reason = "options that are switched one by one")]
pub struct ServerConfig {
    /// Time between two pings of the server.
    pub ping_interval: f64,
    /// Time that the client has to answer one.
    pub ping_timeout: f64,
    /// Time that an upgrade may take.
    pub upgrade_timeout: f64,
    /// Time that a client has to join a namespace.
    pub connect_timeout: f64,
    /// Largest message or request body.
    pub max_http_buffer_size: f64,
    /// Time that the body of a POST may take.
    pub http_request_body_timeout: f64,
    /// Pieces that the body of a POST, or a frame of a WebSocket, may come in.
    pub max_buffered_chunks: f64,
    /// Whether HTTP long-polling is offered.
    pub polling: bool,
    /// Whether WebSocket is offered.
    pub websocket: bool,
    /// Whether WebTransport is offered.
    pub webtransport: bool,
    /// Whether a polling session may become a WebSocket one.
    pub allow_upgrades: bool,
    /// How WebSocket messages are compressed; absent when they are not.
    pub per_message_deflate: Option<DeflateConfig>,
    /// Whether messages go up as they come, undecoded: JavaScript has a parser of its own.
    pub raw_messages: Option<bool>,
    /// Whether there is no Socket.IO: messages go up as they come, and nobody has to join a namespace.
    pub plain: Option<bool>,
    /// Bytes that may wait for one client; absent: no limit.
    pub max_buffered_bytes: Option<f64>,
    /// Whether volatile packets wait up to that many bytes, and nobody is disconnected for more.
    pub drop_volatile: Option<bool>,
    /// Whose word about where requests come from is taken; absent: nobody's.
    pub trust_proxy: Option<ProxyTrust>,
    /// A message that every client gets right after the handshake.
    pub initial_packet: Option<Either<String, Buffer>>,
    /// How much may come; absent: there are no limits.
    pub limits: Option<LimitsConfig>,
    /// When nobody else is let in; absent: that is not looked at.
    pub admission: Option<AdmissionConfig>,
    /// A message that every client of protocol 3 gets there: its CONNECT of the namespace "/".
    pub greeting: Option<Either<String, Buffer>>,
}

/// Which proxies are trusted to say where a request comes from. JavaScript has looked at it.
#[napi(object)]
#[derive(Debug)]
pub struct ProxyTrust {
    /// The header in which they say it, in lower case.
    pub header: String,
    /// So many, counted from here; absent: those in `networks`.
    pub hops: Option<u32>,
    /// Addresses, and networks as in `10.0.0.0/8`.
    pub networks: Vec<String>,
    /// Whether those that come by a Unix socket are trusted, too.
    pub unix: bool,
}

/// What is too much to let others in. What is absent is not looked at.
#[napi(object)]
#[derive(Clone, Copy, Debug)]
pub struct AdmissionConfig {
    /// Milliseconds for which what clients have sent may wait for JavaScript.
    pub inbox_age: Option<f64>,
    /// Bytes of it that may wait.
    pub inbox_bytes: Option<f64>,
    /// Bytes of memory that the process may have.
    pub memory: Option<f64>,
}

impl AdmissionConfig {
    fn overload(self) -> Overload {
        let Self { inbox_age, inbox_bytes, memory } = self;
        Overload::new(Bounds {
            inbox_age: inbox_age.map(millis),
            inbox_bytes: inbox_bytes.map(millis),
            memory: memory.map(millis),
        })
    }
}

/// How much may come. What is absent is not limited.
#[napi(object)]
#[derive(Debug)]
pub struct LimitsConfig {
    /// Sessions that an address may open.
    pub connects_per_address: Option<RateConfig>,
    /// Sessions that all may open.
    pub connects: Option<RateConfig>,
    /// Clients.
    pub max_clients: Option<f64>,
    /// Clients of an address.
    pub max_clients_per_address: Option<f64>,
    /// Clients that have joined no namespace yet.
    pub max_unauthenticated: Option<f64>,
    /// Those of an address.
    pub max_unauthenticated_per_address: Option<f64>,
    /// Handshakes about which JavaScript has not decided yet.
    pub max_pending_handshakes: Option<f64>,
    /// Those of an address.
    pub max_pending_handshakes_per_address: Option<f64>,
    /// Bits of an IPv6 address that count.
    pub ipv6_prefix: u32,
    /// Events that clients may send.
    pub events: Option<TrafficConfig>,
    /// Bytes that they may send.
    pub bytes: Option<TrafficConfig>,
    /// What counts for some namespaces besides.
    pub namespaces: Vec<NamespaceLimitsConfig>,
}

/// How much may come of those that are there.
#[napi(object)]
#[derive(Debug)]
pub struct TrafficConfig {
    /// From a client.
    pub per_client: Option<RateConfig>,
    /// From all clients of an address.
    pub per_address: Option<RateConfig>,
    /// What is done about more: the name of an [`Action`].
    pub action: String,
}

/// What may come for a namespace.
#[napi(object)]
#[derive(Debug)]
pub struct NamespaceLimitsConfig {
    /// Its name.
    pub name: String,
    /// Events.
    pub events: Option<TrafficConfig>,
    /// Bytes of them.
    pub bytes: Option<TrafficConfig>,
}

impl TrafficConfig {
    fn rule(config: Option<&Self>) -> Rule {
        let Some(Self { per_client, per_address, action }) = config else { return Rule::default() };
        Rule {
            per_client: per_client.map(RateConfig::rate),
            per_address: per_address.map(RateConfig::rate),
            action: Action::ALL.into_iter().find(|it| it.name() == action).unwrap_or_default(),
        }
    }
}

impl NamespaceLimitsConfig {
    fn rules(&self) -> NamespaceRules {
        NamespaceRules {
            name: self.name.as_str().into(),
            events: TrafficConfig::rule(self.events.as_ref()),
            bytes: TrafficConfig::rule(self.bytes.as_ref()),
        }
    }
}

/// So many each second.
#[napi(object)]
#[derive(Clone, Copy, Debug)]
pub struct RateConfig {
    /// So many.
    pub rate: f64,
    /// And so many at once.
    pub burst: f64,
}

impl RateConfig {
    fn rate(self) -> Rate {
        Rate::new(self.rate, self.burst)
    }
}

impl LimitsConfig {
    fn settings(&self) -> gate::Settings {
        let count = |limit: Option<f64>| {
            limit.map(|limit| u32::try_from(millis(limit)).unwrap_or(u32::MAX))
        };
        let most =
            |in_all, per_address| Most { in_all: count(in_all), per_address: count(per_address) };
        gate::Settings {
            connects_per_address: self.connects_per_address.map(RateConfig::rate),
            connects: self.connects.map(RateConfig::rate),
            clients: most(self.max_clients, self.max_clients_per_address),
            unauthenticated: most(self.max_unauthenticated, self.max_unauthenticated_per_address),
            handshakes: most(self.max_pending_handshakes, self.max_pending_handshakes_per_address),
            prefix: u8::try_from(self.ipv6_prefix).unwrap_or(DEFAULT_PREFIX),
            traffic: Traffic {
                events: TrafficConfig::rule(self.events.as_ref()),
                bytes: TrafficConfig::rule(self.bytes.as_ref()),
                namespaces: self.namespaces.iter().map(NamespaceLimitsConfig::rules).collect(),
            },
        }
    }
}

/// How WebSocket messages are compressed, in the words of `ws`.
#[napi(object)]
#[derive(Debug)]
pub struct DeflateConfig {
    /// Whether the server starts each message with an empty window; `false` refuses clients that
    /// ask for it, absent leaves it to them.
    pub server_no_context_takeover: Option<bool>,
    /// Whether clients have to.
    pub client_no_context_takeover: bool,
    /// The window of the server, 8 to 15 bits; 0 refuses clients that ask for one, absent leaves
    /// it to them.
    pub server_max_window_bits: Option<u32>,
    /// The window of the client, 8 to 15 bits; 0: none is agreed on, absent leaves it to them.
    pub client_max_window_bits: Option<u32>,
    /// Messages of fewer bytes are sent as they are.
    pub threshold: f64,
    /// 0 (none) to 9 (best).
    pub level: u32,
}

/// The answer to the offers of a client.
#[napi(object)]
#[derive(Debug)]
pub struct DeflateAnswer {
    /// What was agreed on, for the kind of the wire ([`super::data_plane::DataPlane::take_over`]);
    /// `Returned.NO_AGREEMENT`: the request is refused.
    pub agreement: u32,
    /// The value of `Sec-WebSocket-Extensions` in the response; of a refusal, the body.
    pub value: String,
}

impl DeflateConfig {
    fn compression(&self) -> Compression {
        Compression {
            settings: Settings {
                server_no_context_takeover: self.server_no_context_takeover,
                client_no_context_takeover: self.client_no_context_takeover,
                server_max_window_bits: window_bits(self.server_max_window_bits),
                client_max_window_bits: window_bits(self.client_max_window_bits),
            },
            threshold: usize::try_from(millis(self.threshold)).unwrap_or(usize::MAX),
            level: u8::try_from(self.level.min(9)).expect("nine fits"),
        }
    }
}

fn window_bits(option: Option<u32>) -> WindowBits {
    match option {
        None => WindowBits::Any,
        Some(0) => WindowBits::Refused,
        Some(bits) => {
            let bits = u8::try_from(bits).unwrap_or(MAX_WINDOW_BITS);
            WindowBits::Exactly(bits.clamp(MIN_WINDOW_BITS, MAX_WINDOW_BITS))
        }
    }
}

impl std::fmt::Debug for ServerConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerConfig")
            .field("ping_interval", &self.ping_interval)
            .field("ping_timeout", &self.ping_timeout)
            .finish_non_exhaustive()
    }
}

impl ServerConfig {
    /// The options of the Engine.IO sessions.
    pub fn engine(&self) -> Config {
        Config {
            ping_interval: millis(self.ping_interval),
            ping_timeout: millis(self.ping_timeout),
            upgrade_timeout: millis(self.upgrade_timeout),
            max_payload: usize::try_from(millis(self.max_http_buffer_size)).unwrap_or(usize::MAX),
            body_timeout: millis(self.http_request_body_timeout),
            max_chunks: u32::try_from(millis(self.max_buffered_chunks)).unwrap_or(u32::MAX),
            polling: self.polling,
            websocket: self.websocket,
            webtransport: self.webtransport,
            allow_upgrades: self.allow_upgrades,
            initial_packet: self.initial_packet.as_ref().map(message),
            greeting: self.greeting.as_ref().map(message),
        }
    }

    /// How WebSocket messages are compressed, if they are.
    pub fn compression(&self) -> Option<Compression> {
        self.per_message_deflate.as_ref().map(DeflateConfig::compression)
    }

    /// Which proxies are trusted.
    pub fn trust_proxy(&self) -> Option<TrustProxy> {
        let ProxyTrust { header, hops, networks, unix } = self.trust_proxy.as_ref()?;
        let proxies = match hops {
            Some(hops) => Proxies::Hops(*hops),
            // What is no network is trusted by nobody.
            None => Proxies::In {
                networks: networks.iter().filter_map(|text| Network::parse(text)).collect(),
                unix: *unix,
            },
        };
        Some(TrustProxy { proxies, header: header.as_str().into() })
    }

    /// How much may wait for a client.
    pub fn buffers(&self) -> BufferLimits {
        let limit = match self.max_buffered_bytes {
            Some(bytes) => usize::try_from(millis(bytes)).unwrap_or(usize::MAX),
            None => return BufferLimits::default(),
        };
        if self.drop_volatile == Some(true) {
            BufferLimits { volatile: limit, ..BufferLimits::default() }
        } else {
            BufferLimits { session: limit, ..BufferLimits::default() }
        }
    }

    /// Who may open a session; none: everybody.
    pub fn gate(&self, environment: &Arc<Environment>) -> Option<Arc<Gate>> {
        let gauge = || Arc::clone(environment) as Arc<dyn Gauge>;
        let overload = self.admission.map(|admission| (admission.overload(), gauge()));
        let settings = self.limits.as_ref().map(LimitsConfig::settings);
        (settings.is_some() || overload.is_some()).then(|| {
            let none = || gate::Settings { prefix: DEFAULT_PREFIX, ..<_>::default() };
            Arc::new(Gate::new(settings.unwrap_or_else(none), overload))
        })
    }

    /// Milliseconds that a client has to join a namespace.
    pub fn connect_timeout(&self) -> u64 {
        millis(self.connect_timeout)
    }
}

/// A message as the options have it.
fn message(given: &Either<String, Buffer>) -> OutMessage {
    let (data, binary) = match given {
        Either::A(text) => (text.clone().into_bytes(), false),
        Either::B(buffer) => (buffer.to_vec(), true),
    };
    OutMessage { data: data.into(), binary, compress: true }
}

/// A number of JavaScript as a whole number: negative and NaN are 0, infinite is a year and more.
pub(super) fn millis(value: f64) -> u64 {
    const LONGEST: f64 = 1e12;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to the range of u64"
    )]
    let millis = value.clamp(0.0, LONGEST) as u64;
    millis
}
