//! A connection to Redis, or those to the nodes of a Redis Cluster.

use futures_util::future::join_all;
use redis::aio::{ConnectionLike as _, MultiplexedConnection};
use redis::cluster_async::ClusterConnection;
use redis::{Cmd, ErrorKind, Pipeline, RedisError, RedisResult, Value};

/// What commands go by, as long as it lasts.
#[derive(Clone)]
pub(super) enum Session {
    /// To one Redis.
    One(MultiplexedConnection),
    /// To all nodes that have what is asked for. What is lost is connected again there.
    Cluster(ClusterConnection),
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Session")
    }
}

impl Session {
    /// Sends commands, in order; gives what has come of each.
    pub(super) async fn run(&mut self, commands: Vec<Cmd>) -> Vec<RedisResult<Value>> {
        let count = commands.len();
        match self {
            Self::One(connection) => {
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
