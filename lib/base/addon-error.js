"use strict";

// Why the addon can't be loaded, and what mends that. The loader (native/index.js) tries a file and a package; it throws one
// error with a chain of causes, one for each try, of which it keeps the messages only.

const fs = require("node:fs");
const path = require("node:path");
const { CODES } = require("./errors");
const { version } = require("../../package.json");

const ROOT = path.join(__dirname, "..", "..");

/** What the packages with the binaries are called, up to the platform. */
const SCOPE = "@ferrosocket";
const PREFIX = "binding-";

/** The platforms that have one. */
const PLATFORMS = [
  "linux-x64-gnu",
  "linux-x64-musl",
  "linux-arm64-gnu",
  "linux-arm64-musl",
  "darwin-x64",
  "darwin-arm64",
  "win32-x64-msvc",
];

const AGAIN =
  "remove node_modules and install again, on the system where it runs: rm -rf node_modules && npm ci";

/** @type {Advice} */
const BUNDLED = {
  problem: "the program is bundled, and the binary is not in the bundle",
  fix: "keep the package out of the bundle (esbuild: --external:socket.io --external:ferrosocket; webpack: externals), and install it where the bundle runs",
};

/**
 * Where and on what this runs, as far as it decides what to do.
 *
 * @typedef {object} Place
 * @property {string} platform such as "linux-x64-gnu"
 * @property {string} runtime such as "Node.js 20.20.2"
 * @property {string} libc such as "glibc 2.36"; empty where there is only one
 * @property {boolean} deno
 * @property {boolean} bundled whether this code is not in a package any more
 * @property {boolean} clone whether this is a checkout, which has to be built
 * @property {string[]} others platforms whose binaries are installed
 */

/**
 * What is wrong, and what to do about it.
 *
 * @typedef {{ problem: string, fix: string }} Advice
 */

/**
 * @typedef {Error & Advice & { code: string }} AddonError
 */

/**
 * The error that programs get.
 *
 * @param {any} cause what the loader threw; undefined: it gave something that is no addon
 * @param {string} [meanwhile] what can be done until then
 * @returns {AddonError}
 */
function addonError(cause, meanwhile) {
  const place = look();
  const tries = cause === undefined ? [] : triesOf(cause);
  return makeError(advise(tries, place), place, tries, meanwhile);
}

/**
 * The error of an addon that loads, and was built from other sources than this JavaScript.
 *
 * @param {string | undefined} contract what it says of itself; undefined: it is from before there was that
 * @param {string} [meanwhile]
 * @returns {AddonError}
 */
function contractError(contract, meanwhile) {
  const place = look();
  const [theirs] = contract?.split(" ") ?? [];
  const problem =
    theirs === undefined || theirs === version
      ? "its binary was built from other sources than its JavaScript"
      : `its binary is of version ${theirs}, and its JavaScript of ${version}`;
  return makeError({ problem, fix: place.clone ? build() : AGAIN }, place, [], meanwhile);
}

/** @returns {string} what mends a clone */
const build = () => `run npm run build in ${ROOT}`;

/**
 * @param {Advice} advice
 * @param {Place} place
 * @param {string[]} tries what the loader said
 * @param {string} [meanwhile]
 * @returns {AddonError}
 */
function makeError({ problem, fix }, place, tries, meanwhile) {
  const where = describePlace(place);
  const lines = [
    `ferrosocket ${version} can't load its native addon on ${where}: ${problem}.`,
    `  To mend it: ${fix}.`,
  ];
  if (meanwhile) lines.push(`  Until then: ${meanwhile}.`);
  if (tries.length > 0) lines.push("  The loader said:", ...tries.map((said) => `    ${said}`));
  // The chain is no cause of this one: a program that ends by it would print all of that, too.
  return Object.assign(new Error(lines.join("\n")), { code: CODES.ADDON, problem, fix });
}

/**
 * @param {any} error
 * @returns {string[]} the first line of what each try said, in their order, but for those of WebAssembly, which we have none of
 */
function triesOf(error) {
  const tries = [];
  for (let at = error.cause ?? error; at; at = at.cause) tries.unshift(String(at.message));
  return tries.map((said) => said.split("\n")[0]).filter((said) => !said.includes("wasi"));
}

/**
 * Finds the case.
 *
 * @param {string[]} tries what the loader said; none: it gave something that is no addon
 * @param {Place} place
 * @returns {Advice}
 */
function advise(tries, place) {
  if (tries.length === 0)
    return { ...BUNDLED, problem: "a bundler has put something else in its place" };
  // What was found tells more than what was not.
  const said = tries.find((text) => !/^(Cannot find (module|package)|Unsupported )/.test(text));
  return said === undefined ? adviseMissing(place) : adviseRefused(said, place);
}

/**
 * A binary is there, or may be, and can't be loaded.
 *
 * @param {string} said
 * @param {Place} place
 * @returns {Advice}
 */
function adviseRefused(said, { deno, platform }) {
  if (deno && /\bffi\b/.test(said))
    return {
      problem: "Deno does not let it load native code",
      fix: "start the program with deno run --allow-ffi",
    };
  if (/addons? is disabled/.test(said))
    return {
      problem: "the permission model of Node.js, or --no-addons, forbids addons",
      fix: "start the program with node --permission --allow-addons, and without --no-addons",
    };
  if (/Access to this API has been restricted/.test(said))
    return {
      problem: "the permission model of Node.js forbids reading its file",
      fix: `start the program with --allow-fs-read=${path.join(ROOT, "..", "*")}`,
    };
  if (/[Dd]ynamic(ally)? require/.test(said)) return BUNDLED;
  const [, wanted] = /\bGLIBC_([\d.]+)['’]? not found/.exec(said) ?? [];
  if (wanted !== undefined)
    return {
      problem: `its binary needs glibc ${wanted} or newer`,
      fix: "use a newer system, or build it there from a clone, with Rust: npm run build",
    };
  if (/[Oo]peration not permitted/.test(said))
    return {
      problem: "the system does not let it map the file as code",
      fix: "put node_modules on a file system that is not mounted with noexec",
    };
  if (/ELF|too short|mach-o|Win32|architecture|truncated/i.test(said))
    return { problem: `its binary is damaged, or is none for ${platform}`, fix: AGAIN };
  if (/musl|shared library|shared object file|symbol/.test(said))
    return {
      problem: `its binary was made for another C library than that of ${platform}`,
      fix: AGAIN,
    };
  return { problem: "its binary can't be loaded", fix: AGAIN };
}

/**
 * No binary was found.
 *
 * @param {Place} place
 * @returns {Advice}
 */
function adviseMissing({ bundled, clone, others, platform }) {
  if (bundled) return BUNDLED;
  if (clone) return { problem: "this clone has not been built", fix: build() };
  if (!PLATFORMS.includes(platform))
    return {
      problem: `there is no binary for ${platform}, but for ${PLATFORMS.join(", ")}`,
      fix: "build it from a clone, with Rust: npm run build",
    };
  if (others.length > 0)
    return {
      problem: `what is installed is the binary for ${others.join(", ")}, and this is ${platform}`,
      fix: `${AGAIN} (in a Dockerfile: npm ci there, and node_modules in .dockerignore)`,
    };
  return {
    problem: `the package ${SCOPE}/${PREFIX}${platform} is not installed`,
    fix: "install again with optional dependencies (npm i --include=optional; no --omit=optional, no --no-optional); if package-lock.json was written on another system, remove it and node_modules first",
  };
}

/** @returns {string} on what this runs, as in "linux-x64-gnu, glibc 2.36, Node.js 20.20.2" */
function describePlace({ platform, libc, runtime } = look()) {
  return [platform, libc, runtime].filter(Boolean).join(", ");
}

/** @returns {Place} */
function look() {
  const { bun, deno, node } = process.versions;
  const libc = libcVersion();
  const abi =
    process.platform === "win32" ? "msvc" : libc && libc.split(" ")[0].replace("glibc", "gnu");
  return {
    platform: [process.platform, process.arch, abi].filter(Boolean).join("-"),
    runtime: deno ? `Deno ${deno}` : bun ? `Bun ${bun}` : `Node.js ${node}`,
    libc,
    deno: deno !== undefined,
    bundled: !isOurs(ROOT),
    clone: fs.existsSync(path.join(ROOT, "Cargo.toml")),
    others: installedBinaries(),
  };
}

/** @returns {string} such as "glibc 2.36"; empty where there is only one */
function libcVersion() {
  if (process.platform !== "linux") return "";
  try {
    const { report } = /** @type {any} */ (process);
    report.excludeNetwork = true; // else it looks up the names of all peers
    const { glibcVersionRuntime } = report.getReport().header;
    return glibcVersionRuntime ? `glibc ${glibcVersionRuntime}` : "musl";
  } catch {
    return "glibc";
  }
}

/** @param {string} folder */
function isOurs(folder) {
  try {
    return (
      JSON.parse(fs.readFileSync(path.join(folder, "package.json"), "utf8")).name === "ferrosocket"
    );
  } catch {
    return false;
  }
}

/** @returns {string[]} the platforms whose packages lie where Node.js looks for them */
function installedBinaries() {
  const found = new Set();
  for (const folder of require.resolve.paths(SCOPE) ?? []) {
    try {
      for (const name of fs.readdirSync(path.join(folder, SCOPE)))
        if (name.startsWith(PREFIX)) found.add(name.slice(PREFIX.length));
    } catch {
      // there is none
    }
  }
  return [...found];
}

module.exports = { addonError, advise, contractError, describePlace, PLATFORMS };
