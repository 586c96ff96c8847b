//! The names of requests: one space for those that JavaScript forwards and those that come by a
//! connection of a worker.

use crate::engineio::RequestId;
use crate::id::Handle;

/// Set in the id of a request that came by a [`super::http_wire::HttpWire`].
const NATIVE: u64 = 1 << 63;
/// Bits of a wire's handle.
const WIRE_BITS: u32 = 31;

/// Where the answer to a request goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestName {
    /// To JavaScript, which has it under this token.
    Forwarded(u32),
    /// To a connection of a worker.
    Native {
        /// The connection: its worker and its slot there.
        wire: Handle,
        /// Which request of that connection. The worker counts them over all connections, so a connection that
        /// gets the slot of another has none of its numbers.
        generation: u32,
    },
}

impl From<RequestName> for RequestId {
    fn from(name: RequestName) -> Self {
        match name {
            RequestName::Forwarded(token) => Self(u64::from(token)),
            RequestName::Native { wire, generation } => {
                Self(NATIVE | u64::from(generation) << WIRE_BITS | u64::from(wire.raw()))
            }
        }
    }
}

impl From<RequestId> for RequestName {
    fn from(id: RequestId) -> Self {
        let low = |value: u64| u32::try_from(value & u64::from(u32::MAX)).expect("it is masked");
        if id.0 & NATIVE == 0 {
            return Self::Forwarded(low(id.0));
        }
        let wire = Handle::from_raw(low(id.0 & ((1 << WIRE_BITS) - 1)));
        Self::Native { wire, generation: low(id.0 >> WIRE_BITS) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_an_id_and_back() {
        for name in [
            RequestName::Forwarded(0),
            RequestName::Forwarded(u32::MAX),
            RequestName::Native { wire: Handle::new(15, Handle::MAX_SLOTS - 1), generation: 0 },
            RequestName::Native { wire: Handle::new(1, 2), generation: u32::MAX },
        ] {
            assert_eq!(RequestName::from(RequestId::from(name)), name);
        }
    }
}
