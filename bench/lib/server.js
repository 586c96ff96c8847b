"use strict";

// A server under measurement, as a child process.

const { spawn } = require("node:child_process");
const { once } = require("node:events");

/** How much of what a server writes to stderr is kept, for when it fails. */
const KEPT_STDERR = 4000;
/** After how many milliseconds a server that does not listen has failed. */
const START_LIMIT = 20_000;

/**
 * Starts a peer's server and waits until it listens.
 *
 * @param {import("../peers.js").Peer} peer
 * @param {import("../cases.js").Case} oneCase what the server is to be and do
 * @param {number} [redis] the port of Redis, when it is to be the node of a cluster
 * @returns {Promise<{ port: number, pid: number, stderr: () => string, stop: () => Promise<void> }>}
 */
async function start(peer, { options = {}, app = "" }, redis) {
  const [program, ...args] = peer.command;
  const child = spawn(program, args, {
    env: {
      ...process.env,
      NODE_ENV: "production",
      BENCH_OPTIONS: JSON.stringify(options),
      BENCH_APP: app,
      ...(redis && {
        BENCH_REDIS: `${redis}`,
        BENCH_ADAPTER: peer.adapter,
        BENCH_ADAPTER_OPTIONS: JSON.stringify(peer.adapterOptions ?? {}),
      }),
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let err = "";
  child.stderr.on("data", (chunk) => (err = (err + chunk).slice(-KEPT_STDERR)));
  const stderr = () => err.trim();
  const ended = once(child, "close");

  const stop = async () => {
    // By its own handle, and for good: there is nothing to save.
    child.kill("SIGKILL");
    await ended;
  };

  let timer;
  try {
    const port = await new Promise((resolve, reject) => {
      let out = "";
      timer = setTimeout(() => reject(new Error("it does not listen")), START_LIMIT);
      child.on("error", reject);
      child.on("close", (code, signal) => {
        reject(new Error(`it ended with ${signal ?? code}\n${stderr()}`));
      });
      child.stdout.on("data", (chunk) => {
        const match = /^listening (\d+)$/m.exec((out += chunk));
        if (match) resolve(Number(match[1]));
      });
    });
    return { port, pid: child.pid, stderr, stop };
  } catch (error) {
    if (child.pid) await stop();
    throw new Error(`the server of ${peer.name} did not start: ${error.message}`, { cause: error });
  } finally {
    clearTimeout(timer);
  }
}

module.exports = { start };
