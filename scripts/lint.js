"use strict";

// `npm run lint`: all checks that run nothing of the product. All of them run, whatever fails.
// `npm run lint -- prettier` runs only the checks whose name contains the word.

const { ensureAddon } = require("./lib/addon");
const { ensureDependencies } = require("./lib/deps");
const { capture, run, runTool, tool } = require("./lib/run");
const { fromRoot } = require("./lib/paths");
const { runStages } = require("./lib/stages");
const { checkToolchain } = require("./lib/toolchain");
const { note, runMain } = require("./lib/ui");

const clippy = (...features) =>
  run("cargo", ["clippy", ...features, "--all-targets", "--", "-D", "warnings"]);

/** A check by a program that a devDependency brings. */
const check = (packageName, bin, ...args) => runTool(tool(packageName, bin), args);

runMain(async () => {
  const only = process.argv[2] ?? "";
  checkToolchain();
  await ensureDependencies();

  let noDeny = capture("cargo", ["deny", "--version"]) === null;
  if (noDeny && process.env.CI) {
    note("cargo-deny is compiled for the check of licences and sources; it takes some minutes");
    noDeny = (await run("cargo", ["install", "--locked", "--quiet", "cargo-deny"])) !== 0;
  }
  const stages = [
    { name: "rustfmt", run: () => run("cargo", ["fmt", "--check"]) },
    {
      name: "rustfmt, Rust client of the tests",
      run: () =>
        run("cargo", ["fmt", "--check", "--manifest-path", "__test__/clients/rust/Cargo.toml"]),
    },
    {
      name: "rustfmt, fuzz targets",
      run: () => run("cargo", ["fmt", "--check", "--manifest-path", "fuzz/Cargo.toml"]),
    },
    {
      // its lock is one of its own, and `cargo fuzz` builds it with flags of its own: nothing else would see it break
      name: "fuzz targets: lock and build",
      run: () =>
        run("cargo", ["check", "--locked", "--bins", "--manifest-path", "fuzz/Cargo.toml"]),
    },
    { name: "clippy, protocol floors", run: () => clippy("--no-default-features") },
    // "standalone": with the benchmarks of the addon's floor
    { name: "clippy, addon", run: () => clippy("--features", "standalone,faults") },
    {
      name: "rustdoc",
      run: () => run("cargo", ["doc", "--no-deps"], { env: { RUSTDOCFLAGS: "-D warnings" } }),
    },
    {
      name: "cargo deny",
      // Compiling cargo-deny takes longer than all other checks together: it is asked for, not taken.
      skip:
        noDeny &&
        "cargo-deny is not installed; npm run lint:deny installs it (some minutes) and runs this check",
      run: () => run("cargo", ["deny", "check", "bans", "licenses", "sources"]),
    },
    { name: "oxlint", run: () => check("oxlint", "oxlint", "--deny-warnings") },
    { name: "prettier", run: () => check("prettier", "prettier", "--check", ".") },
    { name: "tsc --checkJs", run: () => check("typescript", "tsc", "--project", "tsconfig.json") },
    {
      name: "table of the API",
      // It looks at servers and sockets that it makes, and a server loads the addon.
      run: async () => {
        await ensureAddon();
        return run(process.execPath, [fromRoot("scripts", "api-table.js"), "--check"]);
      },
    },
    {
      name: "names and links in the texts",
      run: () => run(process.execPath, [fromRoot("scripts", "check-docs.js")]),
    },
    {
      // a link that leads nowhere fails it
      name: "site of the documents",
      run: () => run(process.execPath, [fromRoot("scripts", "docs.js")]),
    },
    { name: "publint", run: () => check("publint", "publint", "--strict") },
    {
      name: "are the types wrong",
      run: () => check("@arethetypeswrong/cli", "attw", "--pack", "."),
    },
  ];
  const chosen = stages.filter(({ name }) => name.toLowerCase().includes(only.toLowerCase()));
  return runStages("Checks", chosen, { keepGoing: true });
});
