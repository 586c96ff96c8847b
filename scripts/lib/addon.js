"use strict";

// The native addon: what it is called on this platform, whether it is up to date, how it is built.

const { createHash } = require("node:crypto");
const fs = require("node:fs");
const path = require("node:path");
const { fromRoot } = require("./paths");
const { runTool, tool } = require("./run");
const { checkToolchain } = require("./toolchain");
const { SetupError, heading, note } = require("./ui");

/** Remembers what the addon was built from. In node_modules, so it is nothing to commit or to publish. */
const STAMP = fromRoot("node_modules/.cache/ferrosocket/build.json");

/** Everything the addon is made of. */
const INPUTS = ["Cargo.toml", "Cargo.lock", "build.rs", "src"];

/** Which C library this Node.js runs on, in napi's words; empty where there is only one. */
function abi() {
  if (process.platform === "win32") return "msvc";
  if (process.platform !== "linux") return "";
  process.report.excludeNetwork = true; // Otherwise the report looks up the name of every connection.
  return process.report.getReport().header.glibcVersionRuntime ? "gnu" : "musl";
}

/** The name that native/index.js asks for, such as `ferrosocket.linux-x64-gnu.node`. */
function addonName() {
  return `ferrosocket.${[process.platform, process.arch, abi()].filter(Boolean).join("-")}.node`;
}

/** Where the addon belongs. */
const addonPath = () => fromRoot("native", addonName());

/** All files below a path, in a fixed order. */
function filesBelow(entry) {
  if (!fs.statSync(entry).isDirectory()) return [entry];
  return fs
    .readdirSync(entry)
    .sort()
    .flatMap((name) => filesBelow(path.join(entry, name)));
}

/** One hash over the names and contents of all inputs: unlike times, it survives a git checkout. */
function hashInputs() {
  const hash = createHash("sha256");
  for (const file of INPUTS.flatMap((entry) => filesBelow(fromRoot(entry)))) {
    const content = fs.readFileSync(file);
    hash.update(`${path.relative(fromRoot(), file)}\0${content.length}\0`).update(content);
  }
  return hash.digest("hex");
}

/** The addon file as it is now: a build by other means than ours shows as a difference. */
function fingerprint() {
  const stat = fs.statSync(addonPath(), { throwIfNoEntry: false });
  return stat ? `${stat.size} ${stat.mtimeMs}` : null;
}

/** Whether the addon was built from the sources as they are now, in whatever profile. */
function addonIsCurrent() {
  try {
    const stamp = JSON.parse(fs.readFileSync(STAMP, "utf8"));
    return stamp.fingerprint === fingerprint() && stamp.inputs === hashInputs();
  } catch {
    return false; // no stamp: nothing was built here yet
  }
}

/**
 * Builds the addon and generates native/index.js and native/index.d.ts; build.rs writes native/border.js.
 * @param {"release" | "quick"} profile a profile of Cargo.toml
 */
async function buildAddon(profile) {
  checkToolchain();
  heading(`Building the native addon (cargo, profile ${profile})`);
  if (profile === "release") {
    note("The first time takes a few minutes: everything is optimised as one piece.");
  }
  const inputs = hashInputs(); // Before the build: an edit during it must count as newer.
  const flags = [
    "build",
    "--platform",
    "--output-dir",
    "native",
    "--js",
    "index.js",
    "--dts",
    "index.d.ts",
  ];
  const choice = profile === "release" ? ["--release"] : ["--profile", profile];
  if ((await runTool(tool("@napi-rs/cli", "napi"), [...flags, ...choice])) !== 0) {
    throw new SetupError("The addon did not build.", "The compiler's message is above.");
  }
  fs.mkdirSync(path.dirname(STAMP), { recursive: true });
  fs.writeFileSync(STAMP, JSON.stringify({ fingerprint: fingerprint(), inputs, profile }));
}

/** Builds the addon (release) unless it is up to date. */
async function ensureAddon() {
  if (!addonIsCurrent()) await buildAddon("release");
}

module.exports = { addonIsCurrent, addonPath, buildAddon, ensureAddon };
