//! A connection that a worker takes without JavaScript: what it is told.

use std::sync::Arc;

use super::admission::{Admitted, Verdict};
use super::command::{
    Command, HttpHandover, IncomingHttp, IncomingRelay, IncomingStream, IncomingWebSocket, News,
    Opening,
};
use super::descriptor::Addresses;
use super::listener::Listener;
use super::peer::Peer;
use super::server::Server;
use super::stream::Stream;
use crate::engineio::{Dialect, Protocol};
use crate::limits::gate::Ticket;

/// A connection that is about to be taken, and what a worker is to be told.
#[derive(Debug)]
pub struct Taking {
    /// The worker of its session; none: any.
    pub worker: Option<usize>,
    /// JavaScript's name for the connection.
    pub token: u32,
    server: Arc<Server>,
    recalls: u32,
    listener: Arc<Listener>,
    admitted: Admitted,
    peer: Peer,
    news: Option<News>,
    ticket: Option<Ticket>,
}

impl Taking {
    /// Gives the connection a name. `ticket`: the place of a new session among the clients. `tls`: what was agreed on, if that is
    /// spoken by it. `told`: its addresses, where those of its socket are a proxy's. None: by now, no connection that came to `listener`
    /// may be taken by these rules.
    pub fn new(
        verdict: Verdict,
        ticket: Option<Ticket>,
        listener: &Arc<Listener>,
        tls: Option<String>,
        told: Option<Addresses>,
    ) -> Option<Self> {
        let Verdict { admission, admitted, worker, description, client, .. } = verdict;
        let peer = Peer { told, client };
        let server = Arc::clone(&admission.server);
        let recalls = server.recalls();
        // Looked at after that: JavaScript forbids to take connections before it calls them back. So if it has
        // called back earlier, this one is not taken; if later, that counts for it.
        listener.admits(&admission).then(|| {
            let token = listener.environment.next_token();
            let news = Some(News { listener: listener.number, tls, told, description });
            let listener = Arc::clone(listener);
            Self { worker, token, server, recalls, listener, admitted, peer, news, ticket }
        })
    }

    /// What JavaScript is to hear of it first, if it is not left to the worker that gets it.
    pub fn take_news(&mut self) -> Option<News> {
        self.news.take()
    }

    /// What gives a worker the connection, of which the request has been read, and what stands `behind` it.
    pub fn into_command(self, stream: Stream, behind: Vec<u8>) -> Command {
        let Self { token, server, recalls, listener, admitted, peer, news, ticket, .. } = self;
        match admitted {
            Admitted::WebSocket { purpose, response, deflate, .. } => {
                Command::IncomingWebSocket(Box::new(IncomingWebSocket {
                    server,
                    token,
                    purpose,
                    dialect: Dialect::from(Protocol::V4),
                    stream: IncomingStream::Tcp(stream),
                    head: behind,
                    response,
                    deflate,
                    peer,
                    news,
                    ticket,
                }))
            }
            Admitted::Polling { profile, opening } => {
                let number = listener.number;
                let front = Some(listener);
                let handover =
                    HttpHandover { server, token, listener: number, front, profile, recalls };
                let opening = opening.map(|(opening, _)| Opening { ticket, ..opening });
                Command::IncomingHttp(Box::new(IncomingHttp {
                    handover,
                    stream,
                    opening,
                    peer,
                    news,
                }))
            }
            Admitted::Relay(profile) => {
                let deputy = Some((server, profile));
                let relay = IncomingRelay {
                    listener,
                    stream,
                    told: peer.told,
                    read: Vec::new(),
                    before: None,
                    deputy,
                };
                Command::Relay(Box::new(relay))
            }
        }
    }
}
