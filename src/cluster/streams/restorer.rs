//! Finds what clients have missed that come back.
//!
//! ```text
//!   asked ── GET: who was it? ── noted from here on ── XRANGE: what was before ── is all there? ── SET: is it ours? ──► JavaScript
//! ```
//!
//! Whoever asks while this is under way waits for the next time, so that a stream is not read once for each of many that come
//! together. A client that has got more than this node has read waits until the node has come as far. The session stays where it is up
//! to the last step, and that may be done twice: so a connection that is lost in the middle loses no session.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use redis::{Cmd, RedisResult, Value, cmd};
use rustc_hash::FxHashMap;
use tokio::time::{sleep, timeout};

use super::own::Seen;
use super::reader::{ask, extent, messages_of};
use super::replies;
use super::restoration::{Claim, Restoration, is_claimed};
use super::stream::{Lost, Stream, Streams};
use crate::cluster::deliveries::names;
use crate::cluster::faults::{is_away, is_lost};
use crate::cluster::news::{Counters, Found, News};
use crate::cluster::route::Route;
use crate::cluster::session::Session;
use crate::cluster::topology::Address;
use crate::redis::broadcasts::Incoming;
use crate::redis::entries::EntryId;
use crate::redis::slots::slot_of;

/// Sessions that are asked for at once.
const TOGETHER: usize = 128;
/// How long a node of a Redis Cluster may take that is asked for sessions. If it hangs, all who are looked after together wait so long, and
/// from then on only those whose sessions it has.
const SLOW: Duration = Duration::from_secs(1);
/// How long those wait whose session can't be asked for.
const AGAIN: Duration = Duration::from_millis(100);

/// Those who are looked after together. They are asked for again if the connection is lost meanwhile.
struct Pass<'a> {
    streams: &'a Streams,
    stream: &'a Stream,
    all: Vec<Restoration>,
    /// Whether some of them have to wait.
    is_waiting: bool,
}

/// What is known of a session.
enum Answer {
    /// How long it stays where it is, in ms, and what it is.
    There(u64, Vec<u8>),
    Nothing,
    /// Who has it can't be asked now.
    Away,
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        let all = self.take_out(|_| true);
        let mut state = self.stream.state();
        for restoration in all {
            if state.awaited.contains(&restoration.request) {
                state.returning.push(restoration);
            }
        }
    }
}

/// Looks after those who come back, until the connection is lost.
pub(super) async fn restore(streams: &Streams, stream: &Stream, mut session: Session) -> Lost {
    loop {
        // One of what is to be published may be the session: it is asked for behind that.
        let passed = |it: &Restoration| streams.outbox.has_passed(it.behind, &it.key);
        let all = {
            let mut state = stream.state();
            let returning = std::mem::take(&mut state.returning).into_iter();
            let (now, later) = returning.partition(|it| state.settled && passed(it));
            state.returning = later;
            now
        };
        let all: Vec<Restoration> = all;
        if all.is_empty() {
            tokio::select! {
                () = stream.asked.notified() => {}
                () = streams.outbox.left.notified() => {}
            }
            continue;
        }
        let pass = Pass { streams, stream, all, is_waiting: false };
        match pass.run(&mut session).await {
            Ok(false) => {}
            Ok(true) => sleep(AGAIN).await,
            Err(error) => return format!("can't find what clients have missed: {error}"),
        }
    }
}

impl Pass<'_> {
    /// Gives whether some have to wait.
    async fn run(mut self, session: &mut Session) -> RedisResult<bool> {
        self.find(session).await?;
        if self.all.is_empty() {
            return Ok(self.is_waiting);
        }
        let key = &self.stream.options.key;
        let last = extent(session, key).await?.last;
        self.keep(|it| it.after() <= last);
        let furthest = self.all.iter().map(Restoration::after).max().unwrap_or_default();
        while self.stream.state().place.unwrap_or_default() < furthest {
            self.stream.moved.notified().await;
        }
        let to = self.begin();
        self.keep(|it| it.number.is_some());
        self.read(session, to).await?;
        // Behind the reading: what is there now was there then.
        let extent = extent(session, key).await?;
        self.keep(|it| extent.has_all_after(it.after()));
        self.claim(session).await?;
        let is_waiting = self.is_waiting;
        self.answer();
        Ok(is_waiting)
    }

    /// Who has the sessions of these is away: they are looked after again.
    fn wait(&mut self, requests: &[u32]) {
        let away = self.take_out(|it| requests.contains(&it.request));
        self.is_waiting |= !away.is_empty();
        self.stream.state().returning.extend(away);
    }

    /// Has JavaScript let them in. It hears of it behind all that it was given to fan out before what passes was noted for them: so
    /// that has been fanned out, and is missed.
    fn answer(mut self) {
        for restoration in std::mem::take(&mut self.all) {
            let Restoration { request, cluster, session, number, .. } = restoration;
            let found = session.zip(number).map(|(stored, returning)| Found {
                cluster: cluster.number,
                returning,
                session: stored.bytes,
                left: stored.left,
                after: stored.after.to_string(),
            });
            self.stream.state().awaited.remove(&request);
            self.streams.shared.news.push(News::Restored { request, found });
        }
    }

    /// Those of whom that can't be said begin anew, and those go for whom nobody waits any more.
    fn keep(&mut self, can: impl Fn(&Restoration) -> bool) {
        let stream = self.stream;
        let is_awaited = |it: &Restoration| stream.state().awaited.contains(&it.request);
        self.refuse(|it| !can(it) || !is_awaited(it));
    }

    /// These begin anew.
    fn refuse(&mut self, which: impl Fn(&Restoration) -> bool) {
        for restoration in self.take_out(which) {
            self.stream.state().awaited.remove(&restoration.request);
            self.streams.shared.news.push(restoration.fail());
        }
    }

    /// Gives those of whom that can be said; what passes is not noted for them any more.
    fn take_out(&mut self, which: impl Fn(&Restoration) -> bool) -> Vec<Restoration> {
        let all = std::mem::take(&mut self.all).into_iter();
        let (mut out, left): (Vec<_>, Vec<_>) = all.partition(which);
        self.all = left;
        let mut population = self.streams.directory.lock();
        for restoration in &mut out {
            let returning = population.returning(restoration.cluster.number);
            if let (Some(returning), Some(number)) = (returning, restoration.number.take()) {
                returning.forget(number);
            }
        }
        out
    }

    /// Asks for what is not known yet of the sessions.
    async fn find(&mut self, session: &mut Session) -> RedisResult<()> {
        let counters = &self.streams.shared.counters;
        let mut waiting = Vec::new();
        for restorations in self.all.chunks_mut(TOGETHER) {
            let missing = || restorations.iter().filter(|it| it.session.is_none());
            let commands = missing().map(|it| (it, it.find())).collect();
            let answers = self.streams.sessions(session, commands).await?;
            let missing = restorations.iter_mut().filter(|it| it.session.is_none());
            for (restoration, answer) in missing.zip(answers) {
                let (left, text) = match answer {
                    Answer::There(left, text) if !is_claimed(&text) => (left, text),
                    Answer::There(..) | Answer::Nothing => continue,
                    Answer::Away => {
                        waiting.push(restoration.request);
                        continue;
                    }
                };
                restoration.session = restoration.stored(left, text);
                if restoration.session.is_none() {
                    Counters::add(&counters.malformed, 1);
                }
            }
        }
        self.wait(&waiting);
        self.keep(|it| it.session.is_some());
        Ok(())
    }

    /// Of all nodes that a client comes to with one session, one gets it.
    async fn claim(&mut self, session: &mut Session) -> RedisResult<()> {
        let (mut newer, mut waiting) = (Vec::new(), Vec::new());
        let counters = &self.streams.shared.counters;
        for restorations in self.all.chunks_mut(TOGETHER) {
            let commands = restorations.iter().map(|it| (it, it.claim())).collect();
            let answers = self.streams.sessions(session, commands).await?;
            for (restoration, answer) in restorations.iter_mut().zip(answers) {
                let claim = match answer {
                    Answer::There(left, text) => restoration.claimed(left, text),
                    Answer::Nothing => Claim::Lost,
                    Answer::Away => {
                        waiting.push(restoration.request);
                        continue;
                    }
                };
                if matches!(claim, Claim::Malformed) {
                    Counters::add(&counters.malformed, 1);
                }
                match claim {
                    Claim::Ours => {}
                    Claim::Newer(stored) => {
                        restoration.session = Some(stored);
                        newer.push(restoration.request);
                    }
                    Claim::Lost | Claim::Malformed => restoration.session = None,
                }
            }
        }
        self.wait(&waiting);
        // Who has a session is told, also if nobody waits for that: it is to be put back then.
        self.refuse(|it| it.session.is_none());
        if !newer.is_empty() {
            let again = self.take_out(|it| newer.contains(&it.request));
            self.stream.state().returning.extend(again);
            self.stream.asked.notify_one();
        }
        Ok(())
    }

    /// From now on what passes is noted for them. Gives up to where it has passed before.
    fn begin(&mut self) -> EntryId {
        let mut population = self.streams.directory.lock();
        for restoration in &mut self.all {
            let returning = population.returning(restoration.cluster.number);
            if let (Some(returning), Some(stored)) = (returning, &restoration.session) {
                restoration.number = returning.begin(names(&stored.rooms), stored.after.pair());
            }
        }
        self.stream.state().place.unwrap_or_default()
    }

    /// Reads again what they have missed before that.
    async fn read(&self, session: &mut Session, to: EntryId) -> RedisResult<()> {
        let options = &self.stream.options;
        let Some(mut after) = self.all.iter().map(Restoration::after).min() else { return Ok(()) };
        let mut seen = Seen::default();
        while after < to {
            let page = replies::range(&options.key, after, to, options.read_count);
            let entries = replies::entries(ask(session, page).await?);
            if entries.is_empty() {
                break;
            }
            let mut population = self.streams.directory.lock();
            for entry in entries {
                let entry = match entry {
                    Ok(entry) => entry,
                    Err(Some(place)) => {
                        after = place;
                        continue;
                    }
                    Err(None) => continue,
                };
                after = entry.id;
                if seen.again(&entry.uid, entry.number) {
                    continue;
                }
                let data = Bytes::from(entry.data);
                // Of one namespace, all have the same cluster, and the messages are made once.
                let of = |it: &Restoration| it.cluster.node.namespace.as_bytes() == entry.namespace;
                let Some(cluster) = self.all.iter().find(|it| of(it)).map(|it| &it.cluster) else {
                    continue;
                };
                let Ok(Incoming::Broadcast(broadcast)) = cluster.node.read_entry(entry.kind, &data)
                else {
                    continue;
                };
                let Some(kept) = cluster.kept(entry.id, broadcast.volatile) else { continue };
                let (rooms, except) = (names(&broadcast.rooms), names(&broadcast.except));
                let mut messages = None;
                let Some(returning) = population.returning(cluster.number) else { continue };
                for restoration in &self.all {
                    let Some(number) = restoration.number else { continue };
                    if of(restoration) && returning.concerns(number, &rooms, &except, kept.place) {
                        let messages = messages
                            .get_or_insert_with(|| messages_of(&broadcast, &data, Some(entry.id)));
                        returning.add(number, messages, kept.most);
                    }
                }
            }
        }
        Ok(())
    }
}

impl Streams {
    /// Does something with sessions, and asks how long they stay. What Redis refuses is nothing, and is counted.
    async fn sessions(
        &self,
        session: &mut Session,
        commands: Vec<(&Restoration, Cmd)>,
    ) -> RedisResult<Vec<Answer>> {
        let is_cluster = matches!(session, Session::Cluster(_));
        let mut found: Vec<_> = commands.iter().map(|_| Answer::Away).collect();
        let mut groups: FxHashMap<Address, (Vec<usize>, Vec<Cmd>)> = FxHashMap::default();
        for (index, (restoration, command)) in commands.into_iter().enumerate() {
            let mut time = cmd("PTTL");
            time.arg(&*restoration.key);
            let place = session.place(Route::Primary(slot_of(restoration.key.as_bytes())));
            let (indices, commands) = groups.entry(place).or_default();
            indices.push(index);
            commands.extend([time, command]);
        }
        let asked = groups.into_values().map(|(indices, commands)| {
            let mut session = session.clone();
            async move {
                let asked = session.run(commands);
                // Whether it hangs, its connection tells, if that is the only one.
                let answers = if is_cluster {
                    timeout(SLOW, asked).await.unwrap_or_default()
                } else {
                    asked.await
                };
                (indices, answers)
            }
        });
        for (indices, answers) in join_all(asked).await {
            let mut answers = answers.into_iter();
            for index in indices {
                let (Some(left), Some(text)) = (answers.next(), answers.next()) else { break };
                found[index] = self.answer_of(left, text, is_cluster)?;
            }
        }
        Ok(found)
    }

    fn answer_of(
        &self,
        left: RedisResult<Value>,
        text: RedisResult<Value>,
        is_cluster: bool,
    ) -> RedisResult<Answer> {
        Ok(match (left, text) {
            (Ok(Value::Int(left)), Ok(Value::BulkString(text))) => {
                Answer::There(left.max(0).unsigned_abs(), text)
            }
            // Another node is not the stream's.
            (Err(error), _) | (_, Err(error))
                if is_away(&error) || is_lost(&error) && is_cluster =>
            {
                Answer::Away
            }
            (Err(error), _) | (_, Err(error)) if is_lost(&error) => return Err(error),
            (Err(_refused), _) | (_, Err(_refused)) => {
                Counters::add(&self.shared.counters.refused, 1);
                Answer::Nothing
            }
            _ => Answer::Nothing,
        })
    }
}
