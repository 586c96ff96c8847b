//! The requests of HTTP long-polling, and what is known of a session.
#![expect(clippy::needless_pass_by_value, reason = "arguments from JavaScript come by value")]

use napi::Result;
use napi::bindgen_prelude::Buffer;
use napi_derive::napi;

use super::{DataPlane, read_dialect, read_peer};
use crate::binding::error::BorderError;
use crate::binding::options::millis;
use crate::border::{BodyFault, returned};
use crate::engineio::PostFault;
use crate::id::{Handle, Sid};
use crate::net::budget::{HeldBytes, OWN_LANE};
use crate::net::command::{Command, RequestEvent};
use crate::net::record::flags_of;
use crate::net::request_name::RequestName;

#[napi]
impl DataPlane {
    /// What is known of a session: bits of `SessionFlag`, or `Returned.NO_SESSION`.
    #[napi(catch_unwind)]
    pub fn lookup(&self, server: u32, sid: String) -> i32 {
        let servers = self.servers.borrow();
        let entry = servers.get(&server).and_then(|server| server.sessions.get(sid.as_str()));
        entry.map_or(returned::NO_SESSION, |entry| {
            flags_of(entry.transport, entry.protocol).cast_signed()
        })
    }

    /// Bytes that wait for a client because it does not read: what the kernel or a poll has not
    /// taken. What this thread has not handed down yet is not among them.
    #[napi(catch_unwind)]
    pub fn buffered(&self, handle: u32, generation: u32) -> f64 {
        let handle = Handle::from_raw(handle).of_generation(generation);
        let bytes = self.environment.backlogs.get(handle);
        #[expect(clippy::cast_precision_loss, reason = "no memory holds 2^53 bytes")]
        let bytes = bytes as f64;
        bytes
    }

    /// A handshake over polling: opens the session `sid`; the request `token` is its first poll.
    /// `dialect`: bits of `Dialect`. `jsonp`: the parameter `j`, if any. `client`: the address of
    /// the client, if that is known.
    ///
    /// # Errors
    /// When the server is not open.
    #[napi(catch_unwind)]
    pub fn open_polling(
        &self,
        server: u32,
        token: u32,
        sid: String,
        dialect: u32,
        jsonp: Option<String>,
        client: Option<String>,
    ) -> Result<()> {
        let server = self.server(server)?;
        let runtime = self.shared.runtime().ok_or(BorderError::Ended)?;
        let sid = Sid::new(&sid);
        let mailbox = runtime.mailbox(runtime.pick());
        let dialect = read_dialect(dialect);
        let (peer, ticket) = (read_peer(client.as_deref()), self.ticket.take());
        let open = Command::OpenPolling { server, token, sid, dialect, jsonp, peer, ticket };
        mailbox.post_command(open);
        Ok(())
    }

    /// A GET of an open session. False: there is no such session any more.
    #[napi(catch_unwind)]
    pub fn poll_get(&self, server: u32, token: u32, sid: String) -> bool {
        self.poll(server, token, &sid, RequestEvent::Get)
    }

    /// A POST of an open session has begun. False: there is no such session any more.
    #[napi(catch_unwind)]
    pub fn poll_post(&self, server: u32, token: u32, sid: String) -> bool {
        self.poll(server, token, &sid, RequestEvent::PostStart)
    }

    /// The whole body of a POST; `binary` when its content type is `application/octet-stream`.
    #[napi(catch_unwind)]
    pub fn poll_body(
        &self,
        server: u32,
        token: u32,
        sid: String,
        body: Buffer,
        binary: bool,
    ) -> bool {
        let body = HeldBytes::new(&self.environment.inbox.budget, OWN_LANE, body.to_vec());
        self.poll(server, token, &sid, RequestEvent::PostBody { body, binary })
    }

    /// Notes how many bytes of requests' bodies this thread holds, which it has not handed over by
    /// [`DataPlane::poll_body`]. False: there is no room, and none of these requests is to be read
    /// until there is again.
    #[napi(catch_unwind)]
    pub fn count_bodies(&self, bytes: f64) -> bool {
        self.bodies.set(usize::try_from(millis(bytes)).unwrap_or(usize::MAX));
        let budget = &self.environment.inbox.budget;
        let has_room = budget.has_room(OWN_LANE);
        let stop = self.stop.take();
        self.stop.set(if has_room { None } else { stop.or_else(|| Some(budget.stop())) });
        has_room
    }

    /// The body of a POST can't be taken: `fault` is a `BodyFault`.
    #[napi(catch_unwind)]
    pub fn poll_fault(
        &self,
        server: u32,
        token: u32,
        sid: String,
        #[napi(ts_arg_type = "import('./border').AnyBodyFault")] fault: u8,
    ) -> bool {
        let fault = match BodyFault::read(fault) {
            Some(BodyFault::InvalidContent) => PostFault::InvalidContent,
            Some(BodyFault::TooLarge) => PostFault::TooLarge,
            Some(BodyFault::TooManyChunks) => PostFault::TooManyChunks,
            // Any other number is an error of ours; the request must have an answer all the same.
            Some(BodyFault::TimedOut) | None => PostFault::TimedOut,
        };
        self.poll(server, token, &sid, RequestEvent::PostFault(fault))
    }

    /// The client closed a request before it was answered.
    #[napi(catch_unwind)]
    pub fn request_closed(&self, server: u32, token: u32, sid: String) -> bool {
        self.poll(server, token, &sid, RequestEvent::Closed)
    }
}

impl DataPlane {
    fn poll(&self, server: u32, token: u32, sid: &str, event: RequestEvent) -> bool {
        let Some(handle) = self.session(server, sid) else { return false };
        let Some(runtime) = self.shared.runtime() else { return false };
        let command = Command::Request {
            slot: handle.slot(),
            request: RequestName::Forwarded(token).into(),
            event,
        };
        runtime.mailbox(handle.worker()).post_command(command);
        true
    }
}
