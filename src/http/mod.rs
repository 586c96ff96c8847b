//! HTTP/1.1, as far as it takes to poll on a connection that a worker has, and to open a WebSocket.
//!
//! | file | tells |
//! |---|---|
//! | [`request`] | whether bytes are a plain request: by polling, or for a WebSocket |
//! | [`response`] | the answers, byte for byte as Node.js writes them |
//! | [`encoding`] | how an answer is compressed |
//! | [`date`] | the header `Date` |
//! | [`forwarded`] | where a request comes from that proxies have passed on |
//! | [`proxy_protocol`] | the same, told by a proxy that passes on bytes |
//!
//! This is no HTTP server: whatever is not plain is *foreign*, and its bytes go to Node.js, whose parser
//! and server decide. So nothing here has to be lenient, and nothing here refuses.

pub mod date;
pub mod encoding;
pub mod forwarded;
pub mod proxy_protocol;
pub mod request;
pub mod response;
