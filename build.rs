//! Tells the linker how a Node.js addon is laid out on this platform.

fn main() {
    if std::env::var_os("CARGO_FEATURE_NODE").is_none() {
        return;
    }
    napi_build::setup();
    // Node.js unloads an addon when the last thread that loaded it ends. The allocator's and the
    // runtime's clean-up at the end of a thread would then run code that is gone: stay loaded.
    if std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "linux" || os == "freebsd") {
        println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
}
