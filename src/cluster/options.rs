//! What a program says of a link, and how a connection is made of that.

use std::sync::Arc;
use std::time::Duration;

use redis::sentinel::{SentinelClientBuilder, SentinelServerType};
use redis::{
    ClientTlsConfig, ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _, ProtocolVersion,
    RedisConnectionInfo, RedisResult, TlsCertificates, TlsMode,
};
use thiserror::Error;

use super::deliveries::Inbound;
use super::dial::{TlsOptions, dial, tls_config, within};
use super::dialer::{Dialer, Reach};
use super::node::{Event, Node};
use super::nodes::{Nodes, Told};
use super::session::Session;
use super::topology::Address;

/// What a program says of a link.
#[derive(Clone, Default)]
pub struct LinkOptions {
    /// Where Redis is; or its Sentinels, or some nodes of a Redis Cluster.
    pub urls: Vec<String>,
    /// Whether that is a Redis Cluster.
    pub cluster: bool,
    /// The name of the master, of which the Sentinels are asked.
    pub sentinel: Option<String>,
    /// Who asks, over what the URLs say.
    pub username: Option<String>,
    /// With which password.
    pub password: Option<String>,
    /// In which database.
    pub database: Option<u32>,
    /// Who is trusted, as PEM.
    pub ca: Option<String>,
    /// Our certificate and its key, as PEM, if Redis asks for one.
    pub identity: Option<(String, String)>,
    /// Whether whoever answers is taken for Redis.
    pub trusts_anybody: bool,
    /// Bytes that may wait to leave.
    pub max_buffered: usize,
    /// The first wait before a lost connection is tried again, in ms.
    pub min_backoff: u64,
    /// The longest.
    pub max_backoff: u64,
    /// How long it may take to connect, in ms.
    pub connect_timeout: u64,
}

impl std::fmt::Debug for LinkOptions {
    /// There are secrets among them.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LinkOptions").field("cluster", &self.cluster).finish_non_exhaustive()
    }
}

/// Why there can be no link.
#[derive(Debug, Error)]
pub enum LinkFault {
    /// There is nowhere to connect to.
    #[error("url is empty: give that of a Redis, such as \"redis://localhost:6379\"")]
    NoUrl,
    /// A URL can't be used. It may have a password, so it is not shown.
    #[error(
        "url is none of a Redis ({0}): give one such as \"redis://user:password@localhost:6379\""
    )]
    Url(String),
    /// The options can't be right.
    #[error("the options of the link to Redis can't be used: {0}")]
    Options(String),
    /// The system gives no thread.
    #[error("can't start the thread of the link to Redis: {0}")]
    Start(#[from] std::io::Error),
}

/// How a link connects.
#[derive(Clone, Debug)]
pub(super) struct Connector {
    options: LinkOptions,
    servers: Vec<ConnectionInfo>,
    tls: TlsOptions,
    /// How the nodes of a Redis Cluster are reached.
    pub(super) reach: Reach,
    /// Which of them is next.
    next: usize,
}

impl Connector {
    /// Looks at the options.
    ///
    /// # Errors
    /// What can't be right.
    pub(super) fn new(options: &LinkOptions) -> Result<Self, LinkFault> {
        let mut servers = Vec::new();
        for url in &options.urls {
            let info = url.as_str().into_connection_info();
            let info = info.map_err(|error| LinkFault::Url(error.category().into()))?;
            // What is said beside the URLs is for the servers, and not for their Sentinels.
            let redis = if options.sentinel.is_some() {
                info.redis_settings().clone()
            } else {
                settings(info.redis_settings().clone(), options)
            };
            let address = trusting(info.addr().clone(), options.trusts_anybody);
            let info = info.set_redis_settings(redis).set_addr(address);
            servers.push(info);
        }
        if servers.is_empty() {
            return Err(LinkFault::NoUrl);
        }
        if options.cluster && options.sentinel.is_some() {
            return Err(LinkFault::Options("both cluster and sentinel are given; give one".into()));
        }
        if options.cluster && servers.iter().any(|server| seed(server.addr()).is_none()) {
            return Err(LinkFault::Options(
                "the nodes of a Redis Cluster have no Unix sockets; give their hosts and ports"
                    .into(),
            ));
        }
        let tls = TlsOptions { ca: options.ca.clone(), identity: options.identity.clone() };
        if let ConnectionAddr::TcpTls { insecure, .. } = servers[0].addr() {
            let config = tls_config(&tls, *insecure);
            config.map_err(|error| LinkFault::Options(error.to_string()))?;
        }
        let mut insecure = None;
        if let ConnectionAddr::TcpTls { insecure: anybody, .. } = servers[0].addr() {
            insecure = Some(*anybody);
        }
        let reach = Reach::by_tcp(tls.clone(), insecure);
        Ok(Self { options: options.clone(), servers, tls, reach, next: 0 })
    }

    /// Connects; another server is tried each time. Messages are taken out for `inbound`.
    ///
    /// # Errors
    /// Nobody is there, or it is not the right one.
    pub(super) async fn connect(
        &mut self,
        inbound: &Arc<Inbound>,
        told: Told,
    ) -> RedisResult<Session> {
        let at = self.next % self.servers.len();
        self.next = self.next.wrapping_add(1);
        let most = Duration::from_millis(self.options.connect_timeout);
        if self.options.cluster {
            let dialer = self.dialer(most);
            let seeds: Vec<_> = self.servers.iter().filter_map(|it| seed(it.addr())).collect();
            return Nodes::connect(dialer, &seeds, inbound, told).await.map(Session::Cluster);
        }
        within(most, async {
            let info = match &self.options.sentinel {
                None => self.servers[at].clone(),
                Some(name) => {
                    // Sentinels are asked one by one.
                    let client = self.sentinels(name)?.async_get_client().await?;
                    client.get_connection_info().clone()
                }
            };
            let stream = dial(info.addr(), &self.tls).await?;
            let told = move |event| {
                if let Event::Lost { reason, .. } = event {
                    (told.lost)(reason);
                }
            };
            Node::open(info.redis_settings(), stream, inbound, told).await.map(Session::One)
        })
        .await
    }

    fn dialer(&self, most: Duration) -> Dialer {
        let settings = self.servers[0].redis_settings().clone();
        Dialer { settings, reach: self.reach.clone(), most }
    }

    fn sentinels(&self, name: &str) -> RedisResult<redis::sentinel::SentinelClient> {
        let addresses: Vec<_> = self.servers.iter().map(|info| info.addr().clone()).collect();
        let first = &self.servers[0];
        let (secure, asks) = (is_secure(first.addr()), first.redis_settings());
        let mut builder = SentinelClientBuilder::new(addresses, name, SentinelServerType::Master)?
            .set_client_to_redis_protocol(ProtocolVersion::RESP3);
        if let Some(user) = asks.username() {
            builder = builder.set_client_to_sentinel_username(user);
        }
        if let Some(password) = asks.password() {
            builder = builder.set_client_to_sentinel_password(password);
        }
        let LinkOptions { username, password, database, .. } = &self.options;
        if let Some(user) = username {
            builder = builder.set_client_to_redis_username(user);
        }
        if let Some(password) = password {
            builder = builder.set_client_to_redis_password(password);
        }
        if let Some(database) = database {
            builder = builder.set_client_to_redis_db(i64::from(*database));
        }
        if secure {
            builder = builder
                .set_client_to_redis_tls_mode(self.tls_mode())
                .set_client_to_sentinel_tls_mode(self.tls_mode())
                .set_client_to_redis_certificates(self.certificates())
                .set_client_to_sentinel_certificates(self.certificates());
        }
        builder.build()
    }

    fn tls_mode(&self) -> TlsMode {
        if self.options.trusts_anybody { TlsMode::Insecure } else { TlsMode::Secure }
    }

    fn certificates(&self) -> TlsCertificates {
        let identity = self.options.identity.as_ref();
        TlsCertificates {
            client_tls: identity.map(|(cert, key)| ClientTlsConfig {
                client_cert: cert.clone().into_bytes(),
                client_key: key.clone().into_bytes(),
            }),
            root_cert: self.options.ca.clone().map(String::into_bytes),
        }
    }
}

fn settings(mut redis: RedisConnectionInfo, options: &LinkOptions) -> RedisConnectionInfo {
    // Pushes are told apart from answers in this version only: one connection does for both.
    redis = redis.set_protocol(ProtocolVersion::RESP3);
    if let Some(user) = &options.username {
        redis = redis.set_username(user);
    }
    if let Some(password) = &options.password {
        redis = redis.set_password(password);
    }
    if let Some(database) = options.database {
        redis = redis.set_db(i64::from(database));
    }
    redis
}

/// Where a node of a Redis Cluster is that is asked for the others.
fn seed(address: &ConnectionAddr) -> Option<Address> {
    let (ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. }) = address
    else {
        return None;
    };
    Some((host.as_str().into(), *port))
}

fn is_secure(address: &ConnectionAddr) -> bool {
    matches!(address, ConnectionAddr::TcpTls { .. })
}

fn trusting(mut address: ConnectionAddr, anybody: bool) -> ConnectionAddr {
    if let ConnectionAddr::TcpTls { insecure, .. } = &mut address {
        *insecure |= anybody;
    }
    address
}
