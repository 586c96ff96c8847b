//! How the nodes of a Redis Cluster are connected to, wherever they are.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use redis::{ConnectionAddr, RedisConnectionInfo, RedisResult};

use super::deliveries::Inbound;
use super::dial::{ByteStream, TlsOptions, dial, within};
use super::node::{Event, Node};
use super::topology::Address;

/// How the bytes of a node come and go.
#[derive(Clone)]
pub(super) struct Reach(Arc<Dial>);

type Dial = dyn Fn(Address) -> BoxFuture<'static, RedisResult<Box<dyn ByteStream>>> + Send + Sync;

impl fmt::Debug for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reach").finish_non_exhaustive()
    }
}

impl Reach {
    pub(super) fn new(
        dial: impl Fn(Address) -> BoxFuture<'static, RedisResult<Box<dyn ByteStream>>>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        Self(Arc::new(dial))
    }

    /// By TCP. `insecure`: without it, without TLS; else whether whoever answers is taken for Redis.
    pub(super) fn by_tcp(tls: TlsOptions, insecure: Option<bool>) -> Self {
        Self::new(move |(host, port)| {
            let (host, tls) = (host.to_string(), tls.clone());
            let address = match insecure {
                None => ConnectionAddr::Tcp(host, port),
                Some(insecure) => ConnectionAddr::TcpTls { host, port, insecure, tls_params: None },
            };
            Box::pin(async move { dial(&address, &tls).await })
        })
    }
}

/// What one needs to connect to any node of a Redis Cluster.
#[derive(Clone, Debug)]
pub(super) struct Dialer {
    /// Who asks.
    pub(super) settings: RedisConnectionInfo,
    pub(super) reach: Reach,
    /// How long it may take.
    pub(super) most: Duration,
}

impl Dialer {
    /// Connects to one. See [`Node::open`].
    ///
    /// # Errors
    /// Nobody is there, or it is not the right one.
    pub(super) async fn open(
        &self,
        address: &Address,
        inbound: &Arc<Inbound>,
        told: impl Fn(Event) + Send + Sync + 'static,
    ) -> RedisResult<Node> {
        within(self.most, async {
            let stream = (self.reach.0)(address.clone()).await?;
            Node::open(&self.settings, stream, inbound, told).await
        })
        .await
    }
}
