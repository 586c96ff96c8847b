//! HTTP/1.1, as far as the polling transport needs it on a connection that a worker has, and a
//! WebSocket to be opened.
//!
//! | file | tells |
//! |---|---|
//! | [`request`] | whether bytes are one of the plain requests that workers answer by themselves |
//! | [`upgrade`] | whether bytes are a plain request that opens a WebSocket |
//! | [`response`] | the answers, byte for byte as Node.js writes them |
//! | [`encoding`] | how an answer is compressed |
//! | [`date`] | the header `Date` |
//!
//! This is no HTTP server: whatever is not plain is *foreign*, and the bytes go to Node.js, whose
//! parser and server decide. So nothing here has to be lenient, and nothing here refuses.

pub mod date;
pub mod encoding;
pub mod request;
pub mod response;
pub mod upgrade;
