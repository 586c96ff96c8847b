"use strict";

// What the figures were measured on.

const fs = require("node:fs");
const os = require("node:os");

/** The open files that this process, and so its children, may have. */
function openFilesLimit() {
  const limits = fs.readFileSync("/proc/self/limits", "utf8");
  const soft = /^Max open files\s+(\S+)/m.exec(limits)?.[1];
  return soft === "unlimited" ? Infinity : Number(soft ?? 1024);
}

/** The machine and the programs, one fact a line. */
function describe(peers) {
  const cpus = os.cpus();
  return [
    `CPU: ${cpus[0]?.model.trim() ?? os.arch()}, ${os.availableParallelism()} cores`,
    `memory: ${Math.round(os.totalmem() / 2 ** 30)} GiB`,
    `kernel: ${os.type()} ${os.release()}`,
    `Node.js ${process.versions.node}, V8 ${process.versions.v8}`,
    ...peers.map((peer) => peer.versions()),
  ];
}

module.exports = { describe, openFilesLimit };
