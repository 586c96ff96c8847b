"use strict";

/** What the tests of a blocked event loop share: a server that blocks, and clients that sit it out. */

const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const { spawn } = require("./child");
const { within } = require("./waiting");

/** Pings that a client gets during the block: 8 × 300 ms, longer than any silence that is allowed (300 + 1,500 ms). */
const PINGS = 8;

/**
 * Starts a server that blocks when a client emits "block", until `release()`.
 *
 * @param {any} t the test, with which it ends
 * @param {{ path: string }} implementation
 * @param {object} [settings] options of the server; `middlewares`: how many its engine has
 */
async function startBlocking(t, implementation, settings = {}) {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), "blocked-"));
  t.after(() => fs.rmSync(directory, { recursive: true }));
  const file = path.join(directory, "release");
  const server = spawn("blocked-front", implementation, { args: [file, JSON.stringify(settings)] });
  t.after(server.kill);
  const { port } = await server.message();
  return { ...server, port, release: () => fs.writeFileSync(file, "") };
}

/**
 * What becomes of a client while the server's JavaScript stands still: it is pinged on and on, or it leaves.
 *
 * @returns {Promise<{ reason: string | null, sent: number }>} `sent`: events that it has sent, with the numbers from 0 on
 */
function sitOut(client, burst = 0) {
  let sent = 0;
  for (; sent < burst; sent++) client.emit("n", sent);
  let pings = 0;
  return within(
    new Promise((resolve) => {
      client.once("disconnect", (reason) => resolve({ reason, sent }));
      client.io.on("ping", () => {
        if (pings++ < PINGS) client.emit("n", sent++);
        if (pings === PINGS) resolve({ reason: null, sent });
      });
    }),
    "pings, or the end",
  );
}

/** What of a client has come to the server, and why that has lost clients. */
function ask(client) {
  const answer = new Promise((resolve) => client.emit("got", (...args) => resolve(args)));
  return within(answer, "what came");
}

module.exports = { ask, PINGS, sitOut, startBlocking };
