"use strict";

// `npm run example:restart`: a chat with 200 clients that talk all the time, and another process for its server every few seconds.

const { fork } = require("node:child_process");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const { io: connect } = require("socket.io-client");

const CLIENTS = Number(process.env.CLIENTS ?? 200);
const EVERY = Number(process.env.EVERY ?? 5000); // ms between two restarts
const RESTARTS = Number(process.env.RESTARTS ?? Infinity);
const TALK = Number(process.env.TALK ?? 100); // ms between two messages of a client

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "restart-example-"));
const HANDOVER = path.join(folder, "socket");
let version = 0;
let PORT = process.env.PORT ?? "3000";

/** Starts the next process, and waits until it has the clients. */
function start() {
  version++;
  const env = { ...process.env, HANDOVER, PORT, VERSION: String(version) };
  const child = fork(path.join(__dirname, "server.js"), { env });
  child.on("error", end);
  return new Promise((resolve) => {
    child.once("message", ({ port }) => {
      PORT = String(port);
      resolve(child);
    });
  });
}

let server;
const endings = [];
const seen = { heard: 0, faults: 0, disconnects: 0, waits: [] };

/** A client that says numbers to a room of its own, and looks what comes back. */
function talk(room) {
  const client = connect(`http://127.0.0.1:${PORT}`, {
    auth: { room: `room ${room}` },
    transports: room % 2 ? ["websocket"] : ["polling"],
  });
  const sent = [];
  let next = 0;
  client.on("disconnect", () => seen.disconnects++);
  client.on("said", (number) => {
    if (number !== next++) seen.faults++;
    seen.heard++;
    seen.waits.push(performance.now() - sent[number]);
  });
  const timer = setInterval(() => {
    if (!client.connected) return;
    client.emit("say", sent.push(performance.now()) - 1);
  }, TALK);
  endings.push(() => {
    clearInterval(timer);
    client.disconnect();
  });
  return new Promise((resolve) => client.once("served", resolve));
}

function end() {
  for (const ending of endings) ending();
  server?.kill();
  fs.rmSync(folder, { recursive: true, force: true });
  process.exit();
}

async function run() {
  process.on("SIGINT", end);
  process.on("SIGTERM", end);
  server = await start();
  console.log(`open http://127.0.0.1:${PORT}; ${CLIENTS} clients talk meanwhile`);
  await Promise.all(Array.from({ length: CLIENTS }, (_, room) => talk(room)));
  for (let i = 0; i < RESTARTS; i++) {
    await new Promise((resolve) => setTimeout(resolve, EVERY));
    seen.waits = [];
    server = await start();
    await new Promise((resolve) => setTimeout(resolve, EVERY / 5));
    const { heard, faults, disconnects, waits } = seen;
    waits.sort((a, b) => a - b);
    const wait = (share) => Math.round(waits[Math.ceil(share * waits.length) - 1]);
    console.log(
      `  ${heard} heard, ${faults} missed or doubled, ${disconnects} disconnects; around the restart an answer took ` +
        `${wait(0.5)} ms (median), ${wait(0.99)} ms (of 99 in 100), ${wait(1)} ms at most`,
    );
  }
  process.exitCode = seen.faults + seen.disconnects === 0 ? 0 : 1;
  end();
}

run();
