//! Tells the linker how a Node.js addon is laid out on this platform.
fn main() {
    if std::env::var_os("CARGO_FEATURE_NODE").is_some() {
        napi_build::setup();
    }
}
