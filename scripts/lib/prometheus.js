"use strict";

// Prometheus, for the test in which it reads our metrics: the one that is named, else one on the PATH, else Debian's, which is
// unpacked below target/ and not installed: its package would start a server on this machine.

const fs = require("node:fs");
const path = require("node:path");
const { aptDownload, hasApt } = require("./apt");
const { fromRoot } = require("./paths");
const { capture } = require("./run");
const { SetupError, heading } = require("./ui");

const FOLDER = fromRoot("target", "prometheus");
const NAMES = ["prometheus", "promtool"];

/** Looks for its programs; gives the folder that they are in, "" for the PATH, or null. */
function findPrometheus() {
  const folders = [process.env.PROMETHEUS_BIN, "", path.join(FOLDER, "usr", "bin")];
  const has = (folder) =>
    NAMES.every((name) => capture(path.join(folder, name), ["--version"]) !== null);
  return folders.find((folder) => folder !== undefined && has(folder)) ?? null;
}

/**
 * Finds Prometheus, or fetches Debian's.
 * @returns {Promise<{ prometheus: string, promtool: string }>} the names or the paths of its programs
 */
async function ensurePrometheus() {
  let folder = findPrometheus();
  if (folder === null) {
    const byHand =
      "Install it (Debian: apt-get install prometheus), or set PROMETHEUS_BIN to the folder of its programs.";
    if (!hasApt()) throw new SetupError("The test of the metrics needs Prometheus.", byHand);
    heading("Fetching Prometheus for the test of the metrics (apt-get)");
    fs.mkdirSync(FOLDER, { recursive: true });
    if (await aptDownload("prometheus", FOLDER)) folder = findPrometheus();
    if (folder === null) throw new SetupError("apt-get could not fetch Prometheus.", byHand);
  }
  const [prometheus, promtool] = NAMES.map((name) => path.join(folder, name));
  return { prometheus, promtool };
}

module.exports = { ensurePrometheus };
