//! Who does what for the streams of a link, as long as a connection lasts.

use std::sync::Arc;
use std::time::Duration;

use redis::{Value, cmd};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::stream::{Hooks, Lost, Stream, Streams};
use super::{reader, restorer};
use crate::cluster::options::Connector;
use crate::cluster::session::Session;

/// How often what is too old is trimmed.
const TRIM: Duration = Duration::from_secs(10);

/// Does all that is to be done, until the connection is lost.
pub(in crate::cluster) async fn serve(
    streams: Arc<Streams>,
    connector: Connector,
    session: Session,
    hooks: Hooks,
) -> Lost {
    let mut tasks: JoinSet<Lost> = JoinSet::new();
    let mut served: Vec<Box<str>> = Vec::new();
    loop {
        for stream in streams.list() {
            if served.contains(&stream.options.key) {
                continue;
            }
            served.push(stream.options.key.clone());
            tasks.spawn({
                let (streams, stream) = (Arc::clone(&streams), Arc::clone(&stream));
                let (connector, hooks) = (connector.clone(), hooks.clone());
                async move { reader::read(&streams, &stream, connector, hooks).await }
            });
            tasks.spawn({
                let (streams, stream) = (Arc::clone(&streams), Arc::clone(&stream));
                let (session, hooks) = (session.clone(), hooks.clone());
                async move { streams.write(&stream, session, &hooks).await }
            });
            tasks.spawn({
                let (streams, stream) = (Arc::clone(&streams), Arc::clone(&stream));
                let session = session.clone();
                async move { restorer::restore(&streams, &stream, session).await }
            });
            if let Some(age) = stream.options.max_age {
                tasks.spawn(trim(stream, session.clone(), age));
            }
        }
        tokio::select! {
            Some(ended) = tasks.join_next() => return match ended {
                Ok(lost) => lost,
                Err(error) => error.to_string(),
            },
            () = streams.opened.notified() => {}
        }
    }
}

/// Trims what is too old, by the clock of Redis, again and again.
async fn trim(stream: Arc<Stream>, mut session: Session, age: u64) -> Lost {
    loop {
        let time = session.run(vec![cmd("TIME")]).await.pop();
        if let Some(Ok(Value::Array(parts))) = &time
            && let Some(Value::BulkString(seconds)) = parts.first()
            && let Some(seconds) =
                std::str::from_utf8(seconds).ok().and_then(|it| it.parse::<u64>().ok())
        {
            let mut command = cmd("XTRIM");
            let oldest = seconds.saturating_mul(1_000).saturating_sub(age);
            command.arg(&*stream.options.key).arg("MINID").arg("~").arg(oldest);
            // What Redis refuses it will refuse again; a connection that is lost others notice.
            let _refused = session.run(vec![command]).await;
        }
        sleep(TRIM).await;
    }
}
