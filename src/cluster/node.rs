//! A connection to one Redis.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use redis::aio::{ConnectionLike as _, MultiplexedConnection};
use redis::{
    AsyncConnectionConfig, Cmd, Pipeline, PushInfo, PushKind, RedisConnectionInfo, RedisResult,
    Value, cmd,
};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::deliveries::Inbound;
use super::dial::ByteStream;
use super::sieve::{Pulse, Sieve, silence};

/// How often it is asked whether Redis is still there. One that hangs is found out after [`ANSWER`] and this, at most.
const PING: Duration = Duration::from_secs(3);
/// How long an answer may take. What is asked takes Redis no time, but its one thread may be at something else for some seconds; and
/// no cluster or Sentinel has named another one before.
const ANSWER: Duration = Duration::from_secs(10);

/// A connection, as long as it is held.
#[derive(Clone, Debug)]
pub(super) struct Node {
    connection: MultiplexedConnection,
    task: Arc<Task>,
}

/// What has happened to a connection.
#[derive(Debug)]
pub(super) enum Event {
    /// It is of no use any more, and why.
    Lost {
        /// Why.
        reason: String,
        /// Whether Redis has said nothing for long, as one does whose machine is gone.
        is_silent: bool,
    },
    /// Redis has ended the subscription of a sharded channel, be it asked or not.
    Unsubscribed(Box<[u8]>),
}

/// Something that is done, and ends with this.
#[derive(Debug)]
pub(super) struct Task(JoinHandle<()>);

impl Task {
    pub(super) fn spawn(task: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(tokio::spawn(task))
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Node {
    /// Speaks with the Redis at the other end of `stream`. Messages are taken out for `inbound`. `told`: what happens to it.
    ///
    /// # Errors
    /// It is no Redis, or refuses us.
    pub(super) async fn open(
        settings: &RedisConnectionInfo,
        stream: Box<dyn ByteStream>,
        inbound: &Arc<Inbound>,
        told: impl Fn(Event) + Send + Sync + 'static,
    ) -> RedisResult<Self> {
        let pulse = Arc::new(Pulse::new());
        let sieve = Sieve::new(stream, Arc::clone(inbound), Arc::clone(&pulse));
        let told = Arc::new(told);
        let of_push = Arc::clone(&told);
        let push = move |info: PushInfo| {
            if info.kind == PushKind::SUnsubscribe
                && let Some(Value::BulkString(channel)) = info.data.into_iter().next()
            {
                of_push(Event::Unsubscribed(channel.into()));
            }
            Ok::<_, ()>(())
        };
        // Whether an answer is late is told by the pulse: it may stand behind what JavaScript does not take.
        let config = AsyncConnectionConfig::new().set_response_timeout(None).set_push_sender(push);
        let (connection, driver) =
            MultiplexedConnection::new_with_config(settings, sieve, config).await?;
        let pinged = connection.clone();
        // Nobody would learn of one that has panicked.
        let driver = AssertUnwindSafe(driver).catch_unwind();
        let task = Task::spawn(async move {
            let (reason, is_silent) = tokio::select! {
                biased;
                _ = driver => ("the connection is lost".to_owned(), false),
                ended = ping(pinged, pulse) => ended,
            };
            told(Event::Lost { reason, is_silent });
        });
        Ok(Self { connection, task: Arc::new(task) })
    }

    /// It is closed, whoever holds it. Of that, nobody is told.
    pub(super) fn end(&self) {
        self.task.0.abort();
    }

    /// Sends commands, in order; gives what has come of each.
    pub(super) async fn run(
        &mut self,
        commands: impl IntoIterator<Item = Cmd>,
    ) -> Vec<RedisResult<Value>> {
        let mut pipeline = Pipeline::new();
        for command in commands {
            pipeline.add_command(command);
        }
        let count = pipeline.cmd_iter().count();
        match self.connection.req_packed_commands(&pipeline, 0, count).await {
            Ok(values) => values.into_iter().map(Value::extract_error).collect(),
            Err(error) => vec![Err(error); count],
        }
    }
}

/// Asks whether Redis is there, again and again; ends when it is not. Gives why, and whether it has said nothing.
async fn ping(mut connection: MultiplexedConnection, pulse: Arc<Pulse>) -> (String, bool) {
    loop {
        sleep(PING).await;
        let command = cmd("PING");
        let (error, is_silent) = tokio::select! {
            biased;
            answer = connection.req_packed_command(&command) => {
                match answer.and_then(Value::extract_error) {
                    Ok(_) => continue,
                    Err(error) => (error.to_string(), false),
                }
            }
            () = silence(&pulse, ANSWER) => ("it says nothing".to_owned(), true),
        };
        return (format!("Redis does not answer: {error}"), is_silent);
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use redis::{IntoConnectionInfo as _, ProtocolVersion};
    use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
    use tokio::sync::mpsc;
    use tokio::time::Instant;

    use super::*;
    use crate::cluster::news::NewsQueue;
    use crate::cluster::orders::Shared;
    use crate::net::directory::Directory;

    /// Answers twice, and can't be read any more then.
    struct Broken(u8);

    impl AsyncRead for Broken {
        fn poll_read(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            out: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            assert!(self.0 < 2, "this is meant to fail");
            out.put_slice(if self.0 == 0 { b"%1\r\n+proto\r\n:3\r\n" } else { b"+OK\r\n+OK\r\n" });
            self.0 += 1;
            Poll::Ready(Ok(()))
        }
    }

    impl AsyncWrite for Broken {
        fn poll_write(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            Poll::Ready(Ok(bytes.len()))
        }
        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[tokio::test]
    async fn one_that_panics_is_lost() {
        let shared = Arc::new(Shared::new(NewsQueue::new(Box::new(|| {})), 0));
        let inbound = Arc::new(Inbound::new(Arc::new(Directory::default()), shared));
        let settings = "redis://redis".into_connection_info().unwrap();
        let settings = settings.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
        let (sender, mut told) = mpsc::unbounded_channel();
        let tell = move |event| sender.send(event).unwrap();
        let node = Node::open(&settings, Box::new(Broken(0)), &inbound, tell).await.unwrap();
        assert!(matches!(told.recv().await, Some(Event::Lost { is_silent: false, .. })));
        drop(node);
    }

    #[tokio::test(start_paused = true)]
    async fn redis_is_lost_when_it_says_nothing_although_it_is_listened_to() {
        let pulse = Pulse::new();
        let begin = Instant::now();
        silence(&pulse, ANSWER).await;
        assert_eq!(begin.elapsed().as_secs(), ANSWER.as_secs());

        // JavaScript takes nothing for a long time: what has not been read may have been the answer.
        let begin = Instant::now();
        pulse.hold(true);
        let long = ANSWER * 20;
        tokio::join!(silence(&pulse, ANSWER), async {
            sleep(long).await;
            pulse.hold(false);
        });
        assert_eq!(begin.elapsed().as_secs(), (long + ANSWER).as_secs());

        // Something comes now and then.
        let begin = Instant::now();
        tokio::join!(silence(&pulse, ANSWER), async {
            for _ in 0..20 {
                sleep(ANSWER / 2).await;
                pulse.beat();
            }
        });
        assert_eq!(begin.elapsed().as_secs(), (ANSWER * 11).as_secs());
    }
}
