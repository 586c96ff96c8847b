//! Socket.IO, sans-IO.
