"use strict";

/** A Redis server of our own. */

const { spawn } = require("node:child_process");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const { ensureRedis } = require("../../scripts/lib/redis");
const { within } = require("./waiting");

/**
 * Starts one, which keeps nothing. It listens on a Unix socket: no port can be taken, and nobody else gets in.
 *
 * @returns {Promise<{ path: string, stop: () => Promise<void> }>} `path` of the socket
 */
async function startRedis() {
  const program = await ensureRedis();
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "redis-"));
  const socket = path.join(folder, "socket");
  const options = { port: 0, unixsocket: socket, save: "", appendonly: "no", dir: folder };
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "inherit"] });
  const kill = () => child.kill();
  process.once("exit", kill); // whatever ends the tests
  const end = new Promise((resolve) => child.once("close", resolve));
  let output = "";
  const ready = new Promise((resolve, reject) => {
    child.stdout.on("data", (chunk) => {
      output += chunk;
      if (output.includes("ready to accept connections") || fs.existsSync(socket)) resolve();
    });
    child.once("error", reject);
    end.then(() => reject(new Error(`redis-server ended: ${output}`)));
  });
  const stop = async () => {
    process.removeListener("exit", kill);
    kill();
    await within(end, "the end of redis-server");
    fs.rmSync(folder, { recursive: true, force: true });
  };
  try {
    await within(ready, "redis-server to accept connections");
  } catch (error) {
    await stop();
    throw error;
  }
  return { path: socket, stop };
}

module.exports = { startRedis };
