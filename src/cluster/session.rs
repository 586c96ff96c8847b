//! A connection to Redis, or those to the nodes of a Redis Cluster.

use std::sync::Arc;

use futures_util::future::join_all;
use redis::aio::{AsyncPushSender, ConnectionLike as _, MultiplexedConnection};
use redis::cluster_async::ClusterConnection;
use redis::{
    AsyncConnectionConfig, Cmd, ErrorKind, Pipeline, RedisConnectionInfo, RedisError, RedisResult,
    Value,
};
use tokio::task::JoinHandle;

use super::deliveries::Inbound;
use super::dial::ByteStream;
use super::sieve::{Pulse, Sieve};

/// What commands go by, as long as it lasts.
#[derive(Clone)]
pub(super) enum Session {
    /// To one Redis.
    One(MultiplexedConnection, Arc<Driver>),
    /// To all nodes that have what is asked for. What is lost is connected again there.
    Cluster(ClusterConnection),
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Session")
    }
}

/// What reads and writes a connection; it ends with this.
#[derive(Debug)]
pub(super) struct Driver {
    task: JoinHandle<()>,
    pulse: Arc<Pulse>,
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Session {
    /// Speaks with the Redis at the other end of `stream`; see [`Connector::connect`](super::options::Connector::connect).
    pub(super) async fn open(
        settings: &RedisConnectionInfo,
        stream: Box<dyn ByteStream>,
        inbound: &Arc<Inbound>,
        push: impl AsyncPushSender,
    ) -> RedisResult<Self> {
        let pulse = Arc::new(Pulse::new());
        let sieve = Sieve::new(stream, Arc::clone(inbound), Arc::clone(&pulse));
        // Whether an answer is late is told by the pulse: it may stand behind what JavaScript does not take.
        let config = AsyncConnectionConfig::new().set_response_timeout(None).set_push_sender(push);
        let (connection, driver) =
            MultiplexedConnection::new_with_config(settings, sieve, config).await?;
        let task = tokio::spawn(driver);
        Ok(Self::One(connection, Arc::new(Driver { task, pulse })))
    }

    /// Whether Redis is heard; of a Redis Cluster the crate knows that by itself.
    pub(super) fn pulse(&self) -> Option<Arc<Pulse>> {
        match self {
            Self::One(_, driver) => Some(Arc::clone(&driver.pulse)),
            Self::Cluster(_) => None,
        }
    }

    /// Sends commands, in order; gives what has come of each.
    pub(super) async fn run(&mut self, commands: Vec<Cmd>) -> Vec<RedisResult<Value>> {
        let count = commands.len();
        match self {
            Self::One(connection, _) => {
                let mut pipeline = Pipeline::with_capacity(count);
                for command in commands {
                    pipeline.add_command(command);
                }
                match connection.req_packed_commands(&pipeline, 0, count).await {
                    Ok(values) => values.into_iter().map(checked).collect(),
                    Err(error) => vec![Err(error); count],
                }
            }
            Self::Cluster(connection) => {
                // Those for one node keep their order: each is queued when it is first polled.
                let sent = commands.into_iter().map(|command| {
                    let mut connection = connection.clone();
                    async move { connection.req_packed_command(&command).await.and_then(checked) }
                });
                join_all(sent).await
            }
        }
    }
}

fn checked(value: Value) -> RedisResult<Value> {
    value.extract_error()
}

/// Whether the connection is of no use any more.
pub(super) fn is_lost(error: &RedisError) -> bool {
    error.is_unrecoverable_error() || error.is_timeout() || error.kind() == ErrorKind::Io
}
