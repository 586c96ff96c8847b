//! Who is at the other end of a connection, as far as its socket does not tell.

use std::net::{IpAddr, SocketAddr};

use super::descriptor::Addresses;

/// Where a connection comes from that has been accepted.
#[derive(Clone, Copy, Debug)]
pub struct Source {
    /// Who is at the other end of its socket.
    pub socket: SocketAddr,
    /// The addresses of the connection, where that is a proxy which has told them.
    pub told: Option<Addresses>,
}

impl Source {
    /// The other end of the connection.
    pub fn peer(&self) -> SocketAddr {
        self.told.map_or(self.socket, |told| told.peer)
    }
}

/// Who is at the other end of a connection.
#[derive(Clone, Copy, Debug, Default)]
pub struct Peer {
    /// The addresses of the connection, where those of the socket are a proxy's.
    pub told: Option<Addresses>,
    /// That of the client, as far as whom we trust has told; none: that of the connection.
    pub client: Option<IpAddr>,
}

impl Peer {
    /// Whether nobody has told more than the socket.
    pub fn is_of_socket(&self) -> bool {
        self.told.is_none() && self.client.is_none()
    }

    /// The addresses of the connection. `own`: those of its socket.
    pub fn addresses(&self, own: Option<Addresses>) -> Option<Addresses> {
        self.told.or(own)
    }

    /// The address of the client. `own`: those of the socket.
    pub fn client(&self, own: Option<Addresses>) -> Option<IpAddr> {
        self.client.or_else(|| self.addresses(own).map(|addresses| addresses.peer.ip()))
    }
}
