"use strict";

// The `install` step of npm, for those who depend on this package by path, tarball or git address: when there is no
// binary for the platform, it is built with plain cargo. Needs no devDependencies, as those are not there then.

const { spawnSync } = require("node:child_process");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const { addonPath } = require("./lib/addon");
const { ROOT, fromRoot } = require("./lib/paths");
const { checkToolchain } = require("./lib/toolchain");
const { SetupError, heading, note, runMain } = require("./lib/ui");

/** Whether npm is installing this package's own dependencies (`npm ci` in a checkout): `npm run build` builds there. */
function isOwnProject() {
  const project = process.env.npm_config_local_prefix;
  return project !== undefined && path.resolve(project) === ROOT;
}

/** Where cargo works: the usual place in a checkout, else one that goes away, as nobody would clean it up. */
function workFolder() {
  if (fs.existsSync(fromRoot(".git"))) return { args: [], clean: () => {} };
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "ferrosocket-"));
  return {
    args: ["--target-dir", folder],
    clean: () => fs.rmSync(folder, { recursive: true, force: true }),
  };
}

/**
 * Builds the library.
 * @param {string[]} args further arguments for cargo
 * @returns {string} its path, from cargo's own account of what it made
 */
function cargoBuild(args) {
  const { status, stdout } = spawnSync(
    "cargo",
    [
      "build",
      "--release",
      "--lib",
      "--locked",
      "--message-format",
      "json-render-diagnostics",
      ...args,
    ],
    { cwd: ROOT, encoding: "utf8", maxBuffer: Infinity, stdio: ["ignore", "pipe", "inherit"] },
  );
  if (status !== 0) {
    throw new SetupError("The addon did not build.", "The compiler's message is above.");
  }
  return stdout
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line))
    .filter(
      ({ reason, target }) => reason === "compiler-artifact" && target.kind.includes("cdylib"),
    )
    .flatMap(({ filenames }) => filenames)
    .find((file) => /\.(so|dylib|dll)$/.test(file));
}

runMain(() => {
  const target = addonPath();
  if (isOwnProject() || fs.existsSync(target)) return;
  checkToolchain();
  heading(`No ${path.basename(target)} here: building it with cargo`);
  note("This takes a few minutes. See what happens: npm install --foreground-scripts");
  const { args, clean } = workFolder();
  try {
    // A copy beside the target and a rename: a process that starts meanwhile never loads half a library.
    const part = `${target}.${process.pid}`;
    fs.copyFileSync(cargoBuild(args), part);
    fs.renameSync(part, target);
  } finally {
    clean();
  }
});
