//! Connections of the worker whose bytes go through a pair of sockets to Node.js, and back.

use std::io;
use std::net::TcpStream;
use std::rc::Rc;
use std::sync::Arc;

use super::{Connection, Worker};
use crate::border::RecordKind;
use crate::id::Handle;
use crate::net::command::IncomingRelay;
use crate::net::context::Wire as _;
use crate::net::descriptor::{Addresses, pair, prepare};
use crate::net::http_profile::Profile;
use crate::net::listener::Listener;
use crate::net::relay::deputy::Deputy;
use crate::net::relay::{Relay, Side};
use crate::net::server::{Environment, Server};
use crate::net::stream::Stream;
use crate::net::tcp::Tcp;

impl Worker {
    /// Relays a connection that a worker has accepted.
    pub(super) fn accept_relay(&self, incoming: IncomingRelay) {
        let IncomingRelay { listener, stream, told, read, before, deputy } = incoming;
        if let Err(stream) = self.relay(&listener, stream, told, &read, deputy)
            && before.is_none()
        {
            self.hand_over(&listener, stream, told);
        }
        if let Some(token) = before {
            listener.environment.inbox.push(self.context.index, |record| {
                record.kind(RecordKind::WireClosed).number(token);
            });
        }
    }

    /// Relays a connection that has come to `listener`. `told`: its addresses, where those of the socket are a proxy's. `read`: what has been read from it already,
    /// and is to come first. `deputy`: see [`IncomingRelay`].
    ///
    /// # Errors
    /// The connection, if nothing has become of it for want of descriptors, or because it has broken.
    pub(super) fn relay(
        &self,
        listener: &Listener,
        stream: Stream,
        told: Option<Addresses>,
        read: &[u8],
        deputy: Option<(Arc<Server>, Arc<Profile>)>,
    ) -> Result<(), Stream> {
        let (context, environment) = (&self.context, &listener.environment);
        let Ok(Some(own)) = prepare(stream.socket()) else { return Err(stream) };
        let token = environment.next_token();
        let Ok((relay, end)) = self.open_relay(environment, token, read, deputy) else {
            return Err(stream);
        };
        let details = stream.details();
        let opened = self.connections.add(&context.run_queue, |place| {
            relay.set_peer(Tcp::open(context, stream, place)?);
            Ok((Connection::Relay(Rc::clone(&relay), Side::Peer), ()))
        });
        if opened.is_err() {
            relay.finish(context);
            return Ok(()); // the queue of the system is full, and the connection is closed
        }
        environment.keep_stream(token, end);
        environment.inbox.push(context.index, |record| {
            record.kind(RecordKind::Relayed).number(token).number(listener.number);
            record.addresses(told.unwrap_or(own));
            if let Some(details) = details {
                record.string(&details.to_string());
            }
        });
        Ok(())
    }

    /// Makes a relay that has no peer yet, and the end for Node.js.
    fn open_relay(
        &self,
        environment: &Arc<Environment>,
        token: u32,
        read: &[u8],
        deputy: Option<(Arc<Server>, Arc<Profile>)>,
    ) -> io::Result<(Rc<Relay>, TcpStream)> {
        let context = &self.context;
        context.wakeups.add(environment);
        let (own, other) = pair()?;
        let relay = self.connections.add(&context.run_queue, |place| {
            let node = Tcp::open(context, own, place)?;
            let relay = match deputy {
                None => Relay::open(Arc::clone(environment), token, node, read, None),
                Some((server, profile)) => context.http_table.add(|slot| {
                    let wire = Handle::new(context.index, slot);
                    let deputy = Deputy::new(server, profile, wire);
                    environment.keep_ledger(token, Arc::clone(&deputy.ledger));
                    let relay =
                        Relay::open(Arc::clone(environment), token, node, read, Some(deputy));
                    (Rc::<Relay>::clone(&relay), relay)
                }),
            };
            Ok((Connection::Relay(Rc::clone(&relay), Side::Node), relay))
        })?;
        Ok((relay, other))
    }

    /// Ends a relay so that its peer sees a reset.
    pub(super) fn reset_relay(&self, environment: u32, token: u32) {
        for relay in
            self.relays(|relay| relay.token() == token && relay.environment_id() == environment)
        {
            relay.reset(&self.context);
        }
    }

    /// Ends the relays of the environments that `doomed` names by their id.
    pub(super) fn drop_relays(&self, doomed: impl Fn(u32) -> bool) {
        for relay in self.relays(|relay| doomed(relay.environment_id())) {
            relay.finish(&self.context);
        }
    }

    /// It looks through all connections: this is not asked often.
    fn relays(&self, wanted: impl Fn(&Relay) -> bool) -> Vec<Rc<Relay>> {
        let relay = |connection| match connection {
            Connection::Relay(relay, Side::Node) if wanted(&relay) => Some(relay),
            Connection::Relay(..)
            | Connection::WebSocket(_)
            | Connection::Http(_)
            | Connection::Listening(_)
            | Connection::Newcomer(_) => None,
        };
        self.connections.all().into_iter().filter_map(relay).collect()
    }
}
