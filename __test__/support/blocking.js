"use strict";

/** What the tests of a blocked event loop share: a server that blocks, and clients of the real library that sit it out. */

const fs = require("node:fs");
const http = require("node:http");
const os = require("node:os");
const path = require("node:path");
const { io: connect } = require("socket.io-client");
const { spawn } = require("./child");
const { ours } = require("./implementations");
const { within } = require("./waiting");

/**
 * Pings that a client gets during a block. Each but the first is sent because the pong to the one before has been read
 * meanwhile, so a client that gets them is neither left without a sign of life nor given up, however long the block takes.
 */
const PINGS = 8;
/** Events that each client gets when the block is over, if a client has asked for the block. */
const QUEUED = 100;
/** ms. A machine that is busy with other things delays pings and pongs, and must not cost a client. */
const HEARTBEAT = { pingInterval: 300, pingTimeout: 600_000 };
/** Upstream's clients are to leave, and soon. */
const SHORT_HEARTBEAT = { pingInterval: 300, pingTimeout: 4_000 };
/** For as many clients as there are, on a slow machine. */
const PATIENCE = 240_000; // ms

/**
 * Starts a server that blocks when a client emits "block", until `release()`.
 *
 * @param {any} t the test, with which it ends
 * @param {{ path: string }} implementation
 * @param {object} [settings] options of the server; `middlewares`: how many its engine has
 * @param {string} [child] the script
 */
async function startBlocking(t, implementation, settings = {}, child = "blocked-server") {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), "blocked-"));
  t.after(() => fs.rmSync(directory, { recursive: true }));
  const file = path.join(directory, "release");
  const heartbeat = implementation === ours ? HEARTBEAT : SHORT_HEARTBEAT;
  const args = [file, JSON.stringify({ ...heartbeat, ...settings })];
  const server = spawn(child, implementation, { args });
  t.after(server.kill);
  const { port } = await server.message();
  return {
    ...server,
    port,
    release: () => fs.writeFileSync(file, ""),
    /** Closes the server, and gives how its process has ended. */
    async close() {
      server.send("close");
      const { code, stderr } = await server.exit();
      return { code, stderr };
    },
  };
}

/** How a server ends that has nothing left. */
const WELL = { code: 0, stderr: "" };

/**
 * A client of the library, which does not come back when it is lost.
 *
 * @param {any} t the test, with which it ends
 * @param {number} port
 * @param {"polling" | "websocket"} transport
 * @param {boolean} [keeps] whether it has connections of its own, which are kept, as a browser has; else it is as Node.js
 *   has it
 */
function dial(t, port, transport, keeps = true) {
  const options = { forceNew: true, reconnection: false, transports: [transport] };
  if (keeps) {
    options.agent = new http.Agent({ keepAlive: true, maxSockets: 2 });
    t.after(() => options.agent.destroy());
  }
  const client = connect(`http://127.0.0.1:${port}`, { ...options, timeout: PATIENCE });
  t.after(() => client.disconnect());
  return client;
}

/**
 * What becomes of a client while the server's JavaScript stands still: it is pinged on and on, or it leaves. To be called as
 * soon as the client is there.
 *
 * @returns {Promise<{ reason: string | null, sent: number }>} `sent`: events that it has sent, with the numbers from 0 on
 */
function sitOut(client, burst = 0) {
  let sent = 0;
  for (; sent < burst; sent++) client.emit("n", sent);
  let pings = 0;
  return within(
    new Promise((resolve) => {
      client.io.once("close", (reason) => resolve({ reason, sent }));
      client.io.on("ping", () => {
        if (pings++ < PINGS) client.emit("n", sent++);
        if (pings === PINGS) resolve({ reason: null, sent });
      });
    }),
    "pings, or the end",
    PATIENCE,
  );
}

/** What of a client has come to the server, and why that has lost clients. */
function ask(client) {
  const answer = new Promise((resolve) => client.emit("got", (...args) => resolve(args)));
  return within(answer, "what came", PATIENCE);
}

module.exports = { ask, dial, HEARTBEAT, PATIENCE, PINGS, QUEUED, sitOut, startBlocking, WELL };
