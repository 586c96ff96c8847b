//! Listening sockets of Node.js from which workers accept.

use std::sync::Arc;

use napi::bindgen_prelude::Function;
use napi::{Env, Result};
use napi_derive::napi;

use super::DataPlane;
use super::http::HttpProfile;
use crate::binding::error::BorderError;
use crate::binding::libuv::{self, TurnEnd};
use crate::http::forwarded::Network;
use crate::net::admission::Admission;
use crate::net::command::Command;
use crate::net::descriptor::{duplicate, duplicate_listener};
use crate::net::listener::{Introduced, Listener};
use crate::net::record::LONGEST_MESSAGE;

/// What may be taken of the connections that a worker accepts for an HTTP server.
#[napi(object)]
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "ways that are closed one by one")]
pub struct AdmissionRules {
    /// The number of the server that they are for.
    pub server: u32,
    /// What is fixed for connections.
    pub profile: HttpProfile,
    /// Whether connections for a WebSocket may be taken…
    pub websocket: bool,
    /// …polling connections…
    pub polling: bool,
    /// …and those whose request opens a session.
    pub opens_polling: bool,
    /// Whether polling connections are relayed to Node.js instead.
    pub relays: bool,
    /// Whether offers to compress WebSocket messages are answered.
    pub deflate: bool,
    /// Whether nobody is to be accepted who does not speak TLS.
    pub secure: bool,
    /// The headers for origins of which [`DataPlane::note_origin`] has not told, with a NUL in place of the origin;
    /// absent: JavaScript has to be asked.
    pub other_origins: Option<String>,
}

#[napi]
impl DataPlane {
    /// Whether [`DataPlane::watch_turns`] and [`DataPlane::leave_loop`] can be had.
    #[napi(catch_unwind)]
    pub fn reaches_loop(&self) -> bool {
        self.has_libuv && libuv::is_there()
    }

    /// Has `callback` called at the end of each turn of the event loop, before it waits, until it is called
    /// again; without `callback`, no more. It must not throw. False: that can't be had here.
    ///
    /// # Errors
    /// When the environment is ending.
    #[napi(catch_unwind)]
    pub fn watch_turns(&self, env: &Env, callback: Option<Function<'_, (), ()>>) -> Result<bool> {
        let before = self.turn_end.take();
        drop(before);
        let Some(callback) = callback else { return Ok(true) };
        if !self.has_libuv {
            return Ok(false);
        }
        let turn_end = TurnEnd::new(env, callback.create_ref()?)?;
        let is_watched = turn_end.is_some();
        *self.turn_end.borrow_mut() = turn_end;
        Ok(is_watched)
    }

    /// Has the event loop not look at a listening socket; false when it does not look at it yet.
    #[napi(catch_unwind)]
    pub fn leave_loop(&self, env: &Env, fd: i32) -> bool {
        libuv::leave(env, fd)
    }

    /// Undoes [`DataPlane::leave_loop`].
    #[napi(catch_unwind)]
    pub fn join_loop(&self, env: &Env, fd: i32) -> bool {
        libuv::join(env, fd)
    }

    /// Gives a worker a duplicate of the listening socket `fd`, that of the HTTP server which JavaScript knows
    /// by `number`. Nobody is accepted before [`DataPlane::admit`].
    ///
    /// `introduced`: the networks from which connections begin with the header of the PROXY protocol; empty: all do; absent:
    /// none does.
    ///
    /// # Errors
    /// When the descriptor can't be duplicated, or no server is open.
    #[napi(catch_unwind)]
    pub fn listen(&self, fd: i32, number: u32, introduced: Option<Vec<String>>) -> Result<()> {
        let runtime = self.shared.runtime().ok_or(BorderError::Ended)?;
        let socket = duplicate_listener(fd).map_err(BorderError::TakeOver)?;
        let environment = Arc::clone(&self.environment);
        let introduced = introduced.map(|networks| {
            let from = (!networks.is_empty())
                .then(|| networks.iter().filter_map(|it| Network::parse(it)).collect());
            Introduced { from, within: Introduced::WITHIN }
        });
        let listener = Arc::new(Listener::new(number, environment, socket, introduced));
        let worker = runtime.pick();
        runtime.mailbox(worker).post_command(Command::Listen(Arc::clone(&listener)));
        let lent = self.listeners.borrow_mut().insert(number, (worker, listener));
        debug_assert!(lent.is_none(), "a server listens on one socket at a time");
        Ok(())
    }

    /// Gives a worker a duplicate of the connection `fd`, which Node.js has accepted from a socket of [`DataPlane::listen`]. False:
    /// there is no such socket any more, or no descriptor.
    #[napi(catch_unwind)]
    pub fn receive(&self, number: u32, fd: i32) -> bool {
        let listeners = self.listeners.borrow();
        let Some((worker, listener)) = listeners.get(&number) else { return false };
        let (Some(runtime), Ok(stream)) = (self.shared.runtime(), duplicate(fd)) else {
            return false;
        };
        let received = Box::new((Arc::clone(listener), stream));
        runtime.mailbox(*worker).post_command(Command::Receive(received));
        true
    }

    /// Says what may be taken of the connections that come from now on; without `rules`: no connection is
    /// accepted. When this returns, nobody is taken by what was said before, if he is accepted after that.
    ///
    /// # Errors
    /// When the server is not open, or has not been told how to speak TLS since [`DataPlane::listen`] and is to: then
    /// what was said before holds.
    #[napi(catch_unwind)]
    pub fn admit(&self, number: u32, rules: Option<AdmissionRules>) -> Result<()> {
        let is_secure = rules.as_ref().is_some_and(|rules| rules.secure);
        let admission = rules.map(|rules| self.admission(rules)).transpose()?;
        let listeners = self.listeners.borrow();
        let Some((worker, listener)) = listeners.get(&number) else { return Ok(()) };
        let is_open = admission.is_some();
        if is_secure && listener.tls().is_none() {
            return Err(BorderError::NotSecured.into());
        }
        listener.admit(admission);
        if is_open && let Some(runtime) = self.shared.runtime() {
            // Somebody may have waited.
            runtime.mailbox(*worker).post_command(Command::Listen(Arc::clone(listener)));
        }
        Ok(())
    }

    /// Gives up the duplicate of [`DataPlane::listen`]: when this returns, nobody is accepted by it any more.
    #[napi(catch_unwind)]
    pub fn unlisten(&self, number: u32) {
        let Some((worker, listener)) = self.listeners.borrow_mut().remove(&number) else { return };
        listener.close();
        if let Some(runtime) = self.shared.runtime() {
            runtime.mailbox(worker).post_command(Command::Unlisten(listener));
        }
    }

    /// Ends a relay so that its peer sees a reset.
    #[napi(catch_unwind)]
    pub fn reset_relay(&self, token: u32) {
        let Some(runtime) = self.shared.runtime() else { return };
        let environment = self.environment.id;
        for worker in 0..runtime.workers() {
            runtime.mailbox(worker).post_command(Command::ResetRelay { environment, token });
        }
    }

    /// Closes a connection that was handed over, and that nobody wants.
    #[napi(catch_unwind)]
    pub fn drop_stream(&self, token: u32) {
        drop(self.take_stream(token));
        self.environment.drop_ledger(token); // should it have been relayed
    }
}

impl DataPlane {
    fn admission(&self, rules: AdmissionRules) -> Result<Arc<Admission>> {
        let server = self.server(rules.server)?;
        server.cross_origin.note_others(rules.other_origins.as_deref());
        Ok(Arc::new(Admission {
            profile: rules.profile.read(server.engine.max_payload.min(LONGEST_MESSAGE)),
            server,
            websocket: rules.websocket,
            polling: rules.polling,
            opens_polling: rules.opens_polling,
            relays: rules.relays,
            deflate: rules.deflate,
            last_profile: <_>::default(),
        }))
    }
}
