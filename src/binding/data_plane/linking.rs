//! Links to Redis, and the namespaces that other nodes have, too.

use std::fmt;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};

use napi::bindgen_prelude::{Buffer, BufferSlice, Either, Function};
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi::{Env, Result, Status};
use napi_derive::napi;
use serde_json::json;

use super::DataPlane;
use super::links::OpenLink;
use crate::binding::error::BorderError;
use crate::binding::recovery::part;
use crate::cluster::link::Link;
use crate::cluster::news::{Found, News, State};
use crate::cluster::options::LinkOptions;
use crate::cluster::orders::{Cluster, Member, Order, StreamOptions};
use crate::redis::Malformed;
use crate::redis::broadcasts::{Mode, Node};

/// What a program says of a link to Redis. Times are milliseconds, sizes bytes.
#[napi(object)]
pub struct LinkConfig {
    /// Where Redis is; or its Sentinels, or some nodes of a Redis Cluster.
    pub urls: Vec<String>,
    /// Whether that is a Redis Cluster.
    pub cluster: Option<bool>,
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
    /// Our certificate, as PEM, if Redis asks for one.
    pub cert: Option<String>,
    /// Its key, as PEM.
    pub key: Option<String>,
    /// False: whoever answers is taken for Redis.
    pub reject_unauthorized: Option<bool>,
    /// What may wait to leave; beyond, it is dropped.
    pub max_buffered_bytes: Option<f64>,
    /// The first wait before a lost connection is tried again.
    pub min_backoff: Option<f64>,
    /// The longest.
    pub max_backoff: Option<f64>,
    /// How long it may take to connect.
    pub connect_timeout: Option<f64>,
}

impl fmt::Debug for LinkConfig {
    /// There are secrets among them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LinkConfig").finish_non_exhaustive()
    }
}

/// A namespace that other nodes have, too.
#[napi(object)]
#[derive(Debug)]
pub struct ClusterConfig {
    /// The name of the namespace.
    pub nsp: String,
    /// What this node is called there.
    pub uid: String,
    /// What the names of channels begin with.
    pub key: String,
    /// "classic" or "sharded".
    pub mode: String,
    /// The channel that requests come by, in a classic cluster.
    pub request_channel: Option<String>,
    /// Patterns of channels that are to be subscribed.
    pub patterns: Vec<String>,
    /// Channels that are.
    pub channels: Vec<String>,
    /// The stream by which it is told of, if it is.
    pub stream: Option<StreamConfig>,
}

/// A stream of Redis, by which a namespace is told of.
#[napi(object)]
#[derive(Debug)]
pub struct StreamConfig {
    /// Its key.
    pub name: String,
    /// How many entries are kept, about.
    pub max_len: f64,
    /// For how long, in ms, if that is bounded.
    pub max_age: Option<f64>,
    /// How many are read at once.
    pub read_count: u32,
    /// What the keys of sessions begin with.
    pub session_prefix: String,
    /// How many bytes those who come back may have missed together; none: nobody comes back.
    pub kept: Option<f64>,
}

/// What a link has for JavaScript.
#[napi(object)]
#[expect(missing_debug_implementations, reason = "what is of V8 has none")]
pub struct LinkNews<'env> {
    /// A JSON array of records: `["state", state, message?]`, `["subscribed", cluster]`, `["message", cluster, channel, kind]`
    /// and a buffer (kind 0: it counts for the operation that hands broadcasts to the link; 1: it does not), `["count", request,
    /// count]` (−1: it can't be asked), `["entry", cluster, id, type, uid, token, kind]` and a buffer, `["restored", request, number, left,
    /// after, cluster]` and a buffer (number 0: it is empty, and the client begins anew).
    pub text: String,
    /// The buffers, in the order of their records.
    pub buffers: Vec<BufferSlice<'env>>,
}

/// Wakes the JavaScript thread. It keeps no process alive.
type Waker = ThreadsafeFunction<(), (), (), Status, false, true, 0>;

/// The defaults of options.
mod defaults {
    pub(super) const MAX_BUFFERED: f64 = 16_777_216.0;
    pub(super) const MIN_BACKOFF: f64 = 50.0;
    pub(super) const MAX_BACKOFF: f64 = 5_000.0;
    pub(super) const CONNECT_TIMEOUT: f64 = 5_000.0;
}

#[napi]
impl DataPlane {
    /// Opens a link to Redis, which begins to connect; gives its number. `wake` is called when there is something to take.
    ///
    /// # Errors
    /// When the options can't be right, or there is no thread for it.
    #[napi(catch_unwind)]
    pub fn open_link(
        &self,
        env: Env,
        config: LinkConfig,
        #[napi(ts_arg_type = "() => void")] wake: Function<'_, (), ()>,
    ) -> Result<u32> {
        let waker: Waker = wake.build_threadsafe_function().weak::<true>().build()?;
        let waker = Arc::new(Mutex::new(Some(waker)));
        let for_link = Arc::clone(&waker);
        let call = move || {
            let waker = for_link.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(waker) = waker.as_ref() {
                // It fails when the environment is ending: then nobody takes anything.
                let _ending = waker.call((), ThreadsafeFunctionCallMode::NonBlocking);
            }
        };
        let directory = Arc::clone(self.operations().directory());
        let link = Link::open(&config.options(), directory, Box::new(call));
        let link = link.map_err(BorderError::Link)?;
        let number = self.links.last_link.get() + 1;
        self.links.last_link.set(number);
        // Hooks run last in, first out: this one runs before Node.js closes the waker.
        let hook = env.add_env_cleanup_hook(Rc::downgrade(&self.links), move |links| {
            waker.lock().unwrap_or_else(PoisonError::into_inner).take();
            let open = links.upgrade().and_then(|links| links.open.borrow_mut().remove(&number));
            drop(open); // its thread ends here
        })?;
        self.links.open.borrow_mut().insert(number, OpenLink { link, hook });
        Ok(number)
    }

    /// Takes what a link has. When that says that it is closed, nothing is left of it.
    ///
    /// # Errors
    /// When V8 has no memory for it.
    #[napi(catch_unwind)]
    pub fn take_link<'env>(&self, env: &'env Env, link: u32) -> Result<LinkNews<'env>> {
        let (mut records, mut buffers) = (Vec::new(), Vec::new());
        let mut closed = false;
        if let Some(open) = self.links.open.borrow().get(&link) {
            for news in open.link.take() {
                records.push(match news {
                    News::State(state, message) => {
                        closed |= state == State::Closed;
                        json!(["state", state.name(), message])
                    }
                    News::Subscribed(cluster) => json!(["subscribed", cluster]),
                    News::Message { cluster, channel, ordered, payload } => {
                        buffers.push(BufferSlice::copy_from(env, &payload)?);
                        let channel = String::from_utf8_lossy(&channel);
                        json!(["message", cluster, channel, u8::from(!ordered)])
                    }
                    News::Entry { cluster, id, kind, uid, token, ordered, payload } => {
                        buffers.push(BufferSlice::copy_from(env, &payload)?);
                        let uid = String::from_utf8_lossy(&uid);
                        json!(["entry", cluster, id, kind, uid, token, u8::from(!ordered)])
                    }
                    News::Restored { request, found } => {
                        let session = found.as_ref().map(|it| it.session.clone());
                        let session = session.unwrap_or_default();
                        buffers.push(BufferSlice::copy_from(env, &session)?);
                        match found {
                            Some(Found { cluster, returning, left, after, .. }) => {
                                json!(["restored", request, returning, left, after, cluster])
                            }
                            None => json!(["restored", request, 0, 0, "", 0]),
                        }
                    }
                    News::Count { request, count } => {
                        json!(["count", request, count.unwrap_or(-1)])
                    }
                });
            }
        }
        if closed
            && let Some(OpenLink { link: ended, hook }) = self.links.open.borrow_mut().remove(&link)
        {
            drop(ended);
            env.remove_env_cleanup_hook(hook)?;
        }
        Ok(LinkNews { text: serde_json::Value::Array(records).to_string(), buffers })
    }

    /// The state and the counters of a link, as JSON.
    #[napi(catch_unwind)]
    pub fn link_stats(&self, link: u32) -> String {
        let open = self.links.open.borrow();
        let Some(OpenLink { link, .. }) = open.get(&link) else {
            return json!({ "state": State::Closed.name() }).to_string();
        };
        let (state, counters) = link.shared().counters.list();
        let mut all = serde_json::Map::new();
        all.insert("state".into(), state.name().into());
        all.extend(counters.map(|(name, count)| (name.into(), count.into())));
        serde_json::Value::Object(all).to_string()
    }

    /// Closes a link when what waits has left, a second later at most; then it says so.
    #[napi(catch_unwind)]
    pub fn close_link(&self, link: u32) {
        if let Some(open) = self.links.open.borrow().get(&link) {
            open.link.ask(Order::Close);
        }
    }

    /// Has a namespace heard and told of by a link; gives its number.
    ///
    /// # Errors
    /// When the link is not open.
    #[napi(catch_unwind)]
    pub fn open_cluster(&self, link: u32, config: ClusterConfig) -> Result<u32> {
        let open = self.links.open.borrow();
        let open = open.get(&link).ok_or(BorderError::UnknownLink(link))?;
        let number = self.links.last_cluster.get() + 1;
        self.links.last_cluster.set(number);
        self.links.clusters.borrow_mut().insert(number, link);
        let ClusterConfig { nsp, uid, key, mode, request_channel, patterns, channels, stream } =
            config;
        let prefix = format!("{key}#{nsp}#");
        let mode = if mode == "sharded" { Mode::Sharded } else { Mode::Classic };
        let node = Arc::new(Node { mode, namespace: nsp, uid });
        let bytes = |names: Vec<String>| names.into_iter().map(String::into_bytes).collect();
        let cluster = Cluster {
            number,
            node: Arc::clone(&node),
            prefix,
            requests: request_channel.unwrap_or_default().into_bytes(),
            patterns: bytes(patterns),
            channels: bytes(channels),
            stream: stream.map(StreamConfig::member),
        };
        let stream = cluster.stream.as_ref().map(|member| member.options.key.clone());
        let mut operations = self.operations();
        operations.directory().lock().open_namespace(number);
        operations.publishers.open(number, Arc::clone(open.link.shared()), node, stream);
        open.link.ask(Order::Open(Arc::new(cluster)));
        Ok(number)
    }

    /// Nothing of a namespace is heard or told any more.
    #[napi(catch_unwind)]
    pub fn close_cluster(&self, cluster: u32) {
        let mut operations = self.operations();
        operations.directory().lock().close_namespace(cluster);
        operations.publishers.shut(cluster);
        let Some(link) = self.links.clusters.borrow_mut().remove(&cluster) else { return };
        if let Some(open) = self.links.open.borrow().get(&link) {
            open.link.ask(Order::Shut(cluster));
        }
    }

    /// Asks who it is that wants to come back, and what it has missed since that entry: a record answers it. An offset that names no
    /// entry can't be gone on from: then the client begins anew.
    #[napi(catch_unwind)]
    pub fn restore_from_stream(
        &self,
        cluster: u32,
        request: u32,
        pid: String,
        offset: Option<String>,
    ) {
        let Some(&link) = self.links.clusters.borrow().get(&cluster) else { return };
        if let Some(open) = self.links.open.borrow().get(&link) {
            match offset.map(|text| text.parse()).transpose() {
                Ok(offset) => open.link.ask(Order::Restore { cluster, request, pid, offset }),
                Err(Malformed) => {
                    open.link.shared().news.push(News::Restored { request, found: None });
                }
            }
        }
    }

    /// Nobody waits for the answer to such a question any more. It may come all the same.
    #[napi(catch_unwind)]
    pub fn forgo_restoration(&self, cluster: u32, request: u32) {
        let Some(&link) = self.links.clusters.borrow().get(&cluster) else { return };
        if let Some(open) = self.links.open.borrow().get(&link) {
            open.link.ask(Order::Forgo(request));
        }
    }

    /// What a client has missed that comes back, each packet as its messages; it is let in. Nothing: it can't be.
    /// `handled`: as of the operation that lets it in without showing this.
    #[napi(catch_unwind)]
    pub fn take_returning(
        &self,
        cluster: u32,
        number: u32,
        handled: u32,
    ) -> Option<Vec<Vec<Either<String, Buffer>>>> {
        let operations = self.operations();
        let mut population = operations.directory().lock();
        let missed = population.returning(cluster)?.let_in(number, handled)?;
        drop(population);
        Some(missed.iter().map(|messages| messages.iter().map(part).collect()).collect())
    }

    /// A client that was to come back does not.
    #[napi(catch_unwind)]
    pub fn forget_returning(&self, cluster: u32, number: u32) {
        let operations = self.operations();
        if let Some(returning) = operations.directory().lock().returning(cluster) {
            returning.forget(number);
        }
    }

    /// How far the stream of a namespace has been read, as the id of an entry.
    #[napi(catch_unwind)]
    pub fn stream_place(&self, cluster: u32) -> Option<String> {
        let (time, number) = self.operations().directory().lock().reached(cluster)?;
        Some(format!("{time}-{number}"))
    }

    /// Asks how many nodes have subscribed to a channel: a record answers it.
    #[napi(catch_unwind)]
    pub fn count_subscribers(&self, link: u32, request: u32, channel: String, sharded: bool) {
        if let Some(open) = self.links.open.borrow().get(&link) {
            open.link.ask(Order::Count { request, channel, sharded });
        }
    }
}

impl StreamConfig {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "what JavaScript says is bounded there"
    )]
    fn member(self) -> Member {
        let Self { name, max_len, max_age, read_count, session_prefix, kept } = self;
        let options = StreamOptions {
            key: name.into(),
            max_len: max_len as u64,
            max_age: max_age.map(|age| age as u64),
            read_count: read_count.max(1),
        };
        Member { options, session_prefix, kept: kept.map(|most| most as usize) }
    }
}

impl LinkConfig {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "what JavaScript says is bounded here"
    )]
    fn options(self) -> LinkOptions {
        let number = |given: Option<f64>, default: f64| given.unwrap_or(default).max(0.0) as u64;
        LinkOptions {
            urls: self.urls,
            cluster: self.cluster.unwrap_or(false),
            sentinel: self.sentinel,
            username: self.username,
            password: self.password,
            database: self.database,
            ca: self.ca,
            identity: self.cert.zip(self.key),
            trusts_anybody: self.reject_unauthorized == Some(false),
            max_buffered: usize::try_from(number(self.max_buffered_bytes, defaults::MAX_BUFFERED))
                .unwrap_or(usize::MAX),
            min_backoff: number(self.min_backoff, defaults::MIN_BACKOFF),
            max_backoff: number(self.max_backoff, defaults::MAX_BACKOFF),
            connect_timeout: number(self.connect_timeout, defaults::CONNECT_TIMEOUT),
        }
    }
}
