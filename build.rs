//! Tells the linker how a Node.js addon is laid out on this platform, and JavaScript the numbers of
//! the border.

use std::{fs, io};

#[path = "src/border/mod.rs"]
#[expect(dead_code, unreachable_pub, reason = "what it is for is the library")]
mod border;

/// What JavaScript knows the numbers of the border by. It is committed, like the other files there.
const TWIN: &str = "native/border.js";

fn main() -> io::Result<()> {
    if std::env::var_os("CARGO_FEATURE_NODE").is_none() {
        return Ok(());
    }
    println!("cargo:rerun-if-changed=src/border");
    println!("cargo:rerun-if-changed={TWIN}");
    write_twin()?;
    napi_build::setup();
    // Node.js unloads an addon when the last thread that loaded it ends. The allocator's and the
    // runtime's clean-up at the end of a thread would then run code that is gone: stay loaded.
    if std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "linux" || os == "freebsd") {
        println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
    Ok(())
}

/// Writes the twin if it says something else: what has not changed keeps its time.
fn write_twin() -> io::Result<()> {
    let text = border::javascript();
    if fs::read_to_string(TWIN).is_ok_and(|before| before == text) {
        return Ok(());
    }
    fs::write(TWIN, text)
}
