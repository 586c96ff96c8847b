"use strict";

// A Redis server for the cases of a cluster, as a child process that keeps nothing.

const { spawn } = require("node:child_process");
const { once } = require("node:events");
const net = require("node:net");

const { ensureRedis } = require("../../scripts/lib/redis");

/** After how many milliseconds a server that is not ready has failed. */
const START_LIMIT = 20_000;

/** A port that nobody has. */
async function freePort() {
  const server = net.createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

/**
 * Starts one. It drops no subscriber for being slow: how far a server is behind is what is measured.
 *
 * @returns {Promise<{ port: number, pid: number, stop: () => Promise<void> }>}
 */
async function start() {
  const port = await freePort();
  const options = { port, bind: "127.0.0.1", save: "", appendonly: "no" };
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, `${value}`]);
  args.push("--client-output-buffer-limit", "pubsub", "0", "0", "0");
  const child = spawn(await ensureRedis(), args, { stdio: ["ignore", "pipe", "inherit"] });
  const ended = once(child, "close");
  const stop = async () => {
    child.kill("SIGKILL");
    await ended;
  };
  let timer;
  try {
    await new Promise((resolve, reject) => {
      let out = "";
      timer = setTimeout(() => reject(new Error("it does not listen")), START_LIMIT);
      child.once("error", reject);
      child.once("close", () => reject(new Error(`it ended: ${out}`)));
      child.stdout.on("data", (chunk) => {
        if (/ready to accept connections/i.test((out += chunk))) resolve();
      });
    });
    return { port, pid: child.pid, stop };
  } catch (error) {
    if (child.pid) await stop();
    throw new Error(`Redis did not start: ${error.message}`, { cause: error });
  } finally {
    clearTimeout(timer);
  }
}

module.exports = { start };
