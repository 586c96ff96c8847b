//! The border to Node.js.
