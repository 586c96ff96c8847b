//! Engine.IO, sans-IO.
