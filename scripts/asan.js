"use strict";

// `npm run test:asan`: runs the Rust tests, those over loopback too, under AddressSanitizer and LeakSanitizer.
// Linux or macOS. No nightly Rust is needed: RUSTC_BOOTSTRAP lets this compiler take the flag. What it builds lies apart.

const { fromRoot } = require("./lib/paths");
const { capture, run } = require("./lib/run");
const { checkToolchain } = require("./lib/toolchain");
const { SetupError, runMain } = require("./lib/ui");

/** The target of the compiler itself: the flag is for it, and not for build scripts. */
function hostTarget() {
  const target = /^host: (.*)$/m.exec(capture("rustc", ["-vV"]) ?? "")?.[1];
  if (target === undefined || target.includes("windows")) {
    throw new SetupError("There is no AddressSanitizer for this target.", "Try it on Linux.");
  }
  return target;
}

runMain(() => {
  checkToolchain();
  const args = ["test", "--tests", "--no-default-features", "--features", "net,redis,faults"];
  args.push("--target", hostTarget(), "--target-dir", fromRoot("target", "asan"));
  // loom switches stacks by itself, of which the sanitizer knows nothing
  args.push("--", "--skip", "model::");
  return run("cargo", [...args, ...process.argv.slice(2)], {
    env: { RUSTC_BOOTSTRAP: "1", RUSTFLAGS: "-Zsanitizer=address" },
  });
});
