"use strict";

// How long things took here the last time, so that the next run can say how long it will take.

const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const { fromRoot } = require("./paths");

/** Beside what cargo made: it goes when the builds go, after which the times would be others anyway. */
const FILE = fromRoot("target", "times.json");

/** @returns {Record<string, number>} seconds by the name of a stage, or the path of a test file */
function knownTimes() {
  try {
    return JSON.parse(fs.readFileSync(FILE, "utf8"));
  } catch {
    return {}; // nothing has run here yet
  }
}

/**
 * Keeps what took so long. The last run is what the next one will most likely be like.
 * @param {Record<string, number>} times seconds
 */
function keepTimes(times) {
  fs.mkdirSync(path.dirname(FILE), { recursive: true });
  fs.writeFileSync(FILE, JSON.stringify({ ...knownTimes(), ...times }, null, 2));
}

/**
 * How long test files take together, when each has a process of its own.
 * @param {string[]} files
 * @param {Record<string, number>} known seconds by file
 * @param {number} usual seconds of a file that is not known
 */
function timeOfFiles(files, known, usual) {
  const times = files.map((file) => known[file] ?? usual);
  // Node.js runs one file less at a time than there are cores.
  const lanes = Math.max(1, os.availableParallelism() - 1);
  return Math.max(0, ...times, times.reduce((sum, time) => sum + time, 0) / lanes);
}

/** @param {number} seconds @returns {string} "about 4 min" */
function roughly(seconds) {
  return seconds < 90
    ? `about ${Math.max(5, Math.ceil(seconds / 5) * 5)} s`
    : `about ${Math.round(seconds / 60)} min`;
}

module.exports = { keepTimes, knownTimes, roughly, timeOfFiles };
