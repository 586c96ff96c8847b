//! How the nodes of a Redis Cluster are connected to, wherever they are.

use std::sync::Arc;
use std::time::Duration;

use redis::{ConnectionAddr, RedisConnectionInfo, RedisResult};

use super::deliveries::Inbound;
use super::dial::{TlsOptions, dial, within};
use super::node::{Event, Node};
use super::topology::Address;

/// What one needs to connect to any node of a Redis Cluster.
#[derive(Clone, Debug)]
pub(super) struct Dialer {
    /// Who asks.
    pub(super) settings: RedisConnectionInfo,
    pub(super) tls: TlsOptions,
    /// None: without TLS. Else: whether whoever answers is taken for Redis.
    pub(super) insecure: Option<bool>,
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
        let (host, port) = (address.0.to_string(), address.1);
        let address = match self.insecure {
            None => ConnectionAddr::Tcp(host, port),
            Some(insecure) => ConnectionAddr::TcpTls { host, port, insecure, tls_params: None },
        };
        within(self.most, async {
            let stream = dial(&address, &self.tls).await?;
            Node::open(&self.settings, stream, inbound, told).await
        })
        .await
    }
}
