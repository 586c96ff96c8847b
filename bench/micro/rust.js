"use strict";

// The Rust cases (benches/micro/): builds the program, has it measure the time, and counts instructions with valgrind.

const { spawnSync } = require("node:child_process");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");

const ROOT = path.join(__dirname, "..", "..");
/** What the program calls for everything that counts; see benches/micro/harness.rs. */
const COUNTED = "micro::harness::counted_operations";

/** Runs a program and gives what it prints. Throws when it fails. */
function output(program, args, options) {
  const { error, status, stdout, stderr } = spawnSync(program, args, {
    encoding: "utf8",
    maxBuffer: 64 << 20,
    stdio: ["ignore", "pipe", "inherit"],
    cwd: ROOT,
    ...options,
  });
  if (error?.code === "ENOENT") throw new Error(`${program} is missing`);
  if (error) throw error;
  if (status !== 0) throw new Error(`${program} ended with ${status}\n${stderr ?? ""}`);
  return stdout;
}

/** The JSON values of `text`, one a line. */
function lines(text) {
  return text
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line));
}

/** Builds the program, as it ships, and gives its path. The first time takes minutes. */
function build() {
  const what = ["--bench", "micro", "--features", "standalone"];
  const how = ["--locked", "--no-run", "--message-format", "json-render-diagnostics"];
  const messages = lines(output("cargo", ["bench", ...what, ...how]));
  const made = messages.find(({ target, executable }) => executable && target?.name === "micro");
  return made.executable;
}

/**
 * @param {string} program
 * @param {string} word only cases whose name contains it
 * @returns {Map<string, number>} nanoseconds of an operation, by the name of the case
 */
function times(program, word) {
  const measured = lines(output(program, ["--bench", "--json", word]));
  return new Map(measured.map(({ name, ns }) => [name, ns]));
}

/** Whether instructions can be counted here. */
function canCount() {
  return spawnSync("valgrind", ["--version"], { stdio: "ignore" }).status === 0;
}

/**
 * @param {string} program
 * @param {string} word only cases whose name contains it
 * @returns {Map<string, number>} instructions of an operation, by the name of the case
 */
function counts(program, word) {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), "bench-micro-"));
  try {
    const dump = path.join(directory, "dump");
    const counted = lines(
      output(
        "valgrind",
        [
          "--tool=callgrind",
          "--collect-atstart=no",
          `--toggle-collect=${COUNTED}`,
          `--dump-after=${COUNTED}`,
          `--callgrind-out-file=${dump}`,
          program,
          "--count",
          word,
        ],
        { stdio: ["ignore", "pipe", "pipe"] },
      ),
    );
    return new Map(
      counted.map(({ name, operations }, index) => [
        name,
        total(`${dump}.${index + 1}`) / operations,
      ]),
    );
  } finally {
    fs.rmSync(directory, { recursive: true });
  }
}

/** The instructions of one dump. */
function total(file) {
  return Number(/^(?:totals|summary): (\d+)/m.exec(fs.readFileSync(file, "utf8"))[1]);
}

module.exports = { build, canCount, counts, times };
