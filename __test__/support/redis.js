"use strict";

/** A Redis server of our own. */

const { spawn } = require("node:child_process");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const { ensureRedis } = require("../../scripts/lib/redis");
const { within } = require("./waiting");

/** Runs `redis-server` in a folder; resolves when it listens on `socket`, with a function that ends it. */
async function run(program, folder, socket) {
  const options = { port: 0, unixsocket: socket, save: "", appendonly: "no", dir: folder };
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "inherit"] });
  const kill = () => child.kill("SIGKILL"); // it keeps nothing
  process.once("exit", kill); // whatever ends the tests
  const end = new Promise((resolve) => child.once("close", resolve));
  let output = "";
  const ready = new Promise((resolve, reject) => {
    child.stdout.on("data", (chunk) => {
      output += chunk;
      if (/ready to accept connections/i.test(output)) resolve(); // its letters differ by version
    });
    child.once("error", reject);
    end.then(() => reject(new Error(`redis-server ended: ${output}`)));
  });
  const stop = async () => {
    process.removeListener("exit", kill);
    kill();
    await within(end, "the end of redis-server");
    fs.rmSync(socket, { force: true });
  };
  try {
    await within(ready, "redis-server to accept connections");
  } catch (error) {
    await stop();
    throw error;
  }
  return stop;
}

/**
 * Starts one, which keeps nothing. It listens on a Unix socket: no port can be taken, and nobody else gets in.
 *
 * @returns {Promise<{ path: string, fail: () => Promise<void>, comeBack: () => Promise<void>, stop: () => Promise<void> }>}
 *   `path` of the socket; `fail()` ends it from one moment to the next, `comeBack()` starts it again, empty
 */
async function startRedis() {
  const program = await ensureRedis();
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "redis-"));
  const socket = path.join(folder, "socket");
  const remove = () => fs.rmSync(folder, { recursive: true, force: true });
  let end = await run(program, folder, socket).catch((error) => {
    remove();
    throw error;
  });
  return {
    path: socket,
    async fail() {
      await end();
      end = async () => {};
    },
    async comeBack() {
      end = await run(program, folder, socket);
    },
    async stop() {
      await end();
      remove();
    },
  };
}

module.exports = { startRedis };
