"use strict";

// `npm run fuzz -- TARGET [seconds]`: feeds one decoder with bytes made up by libFuzzer, 60 s long.
// `npm run fuzz -- stateful [seconds]`: many clients over real sockets against a running server (fuzz/stateful/run.js).
// `npm run fuzz` lists the targets. What fails is kept in fuzz/artifacts/, what was learnt in fuzz/corpus/.

const fs = require("node:fs");
const path = require("node:path");
const { ensureAddon } = require("./lib/addon");
const { ensureDependencies } = require("./lib/deps");
const { fromRoot } = require("./lib/paths");
const { capture, run } = require("./lib/run");
const { checkToolchain } = require("./lib/toolchain");
const { SetupError, note, runMain } = require("./lib/ui");

const FUZZ = fromRoot("fuzz");

/** What `cargo fuzz` passes for coverage, of which nothing needs a nightly compiler. */
const COVERAGE = [
  "-Cpasses=sancov-module",
  "-Cllvm-args=-sanitizer-coverage-level=4",
  "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
  "-Cllvm-args=-sanitizer-coverage-pc-table",
  "-Cllvm-args=-sanitizer-coverage-trace-compares",
  "--cfg=fuzzing",
];

const SECONDS = 60;
/** Bytes of an input: all limits of the targets are below. */
const LONGEST = 2048;
/** A single input that takes so many seconds, or so many megabytes, is a failure. */
const SLOWEST = 10;
const LARGEST = 1024;

/** The names of the targets, each a file. */
const decoders = () =>
  fs.readdirSync(path.join(FUZZ, "fuzz_targets")).map((file) => path.parse(file).name);

const STATEFUL = "stateful";

const targets = () => [...decoders(), STATEFUL];

/** Compiles one program of the crate and returns where it is. */
async function build(name, host) {
  const target = process.env.CARGO_TARGET_DIR ?? path.join(FUZZ, "target");
  const code = await run(
    "cargo",
    // With --target, the flags are not for build scripts.
    ["build", "--quiet", "--release", "--locked", "--target", host, "--bin", name],
    { cwd: FUZZ, env: { CARGO_TARGET_DIR: target, RUSTFLAGS: COVERAGE.join(" ") } },
  );
  if (code !== 0) throw new SetupError(`The target ${name} does not compile.`, "See above.");
  return path.join(target, host, "release", name);
}

runMain(async () => {
  const [name, seconds = SECONDS] = process.argv.slice(2);
  if (!targets().includes(name)) {
    throw new SetupError(
      name === undefined ? "Which target?" : `There is no target "${name}".`,
      targets()
        .map((target) => `npm run fuzz -- ${target} [seconds]`)
        .join("\n"),
    );
  }
  checkToolchain();
  if (name === STATEFUL) {
    await ensureDependencies();
    await ensureAddon();
    return run(process.execPath, [
      fromRoot("fuzz", "stateful", "run.js"),
      ...process.argv.slice(3),
    ]);
  }
  const host = /^host: (.*)$/m.exec(capture("rustc", ["-vV"]) ?? "")?.[1];
  if (host === undefined) throw new SetupError("rustc does not tell its host.", "Is it installed?");

  const [corpus, artifacts] = ["corpus", "artifacts"].map((kind) => {
    const directory = path.join(FUZZ, kind, name);
    fs.mkdirSync(directory, { recursive: true });
    return directory;
  });
  const program = await build(name, host);
  note(`${name}: ${seconds} s; failures go to ${path.relative(fromRoot(), artifacts)}/`);
  const settings = [
    corpus,
    `-artifact_prefix=${artifacts}${path.sep}`,
    `-max_total_time=${seconds}`,
    `-max_len=${LONGEST}`,
    `-timeout=${SLOWEST}`,
    `-rss_limit_mb=${LARGEST}`,
    "-print_final_stats=1",
  ];
  return run(program, settings, { env: { FUZZ_SEEDS: corpus } });
});
