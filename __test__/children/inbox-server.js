"use strict";

/**
 * A server whose JavaScript stands still when told to, until the workers read nothing more; it counts what comes then, and
 * looks all the time at how much waits for it.
 *
 * Arguments: the door ("workers": they read all; "deflate": as well, compressed; "forwarded": Node.js reads the requests;
 * "tls"; "tls-deflate"), and how many events are to come.
 */

const fs = require("node:fs");
const http = require("node:http");
const https = require("node:https");
const path = require("node:path");
const { Server } = require(process.argv[2]);
const { ours } = require("../support/implementations");

const [, , implementation, door, expected] = process.argv;
const isOurs = implementation === ours.path;
const fixture = (name) => fs.readFileSync(path.join(__dirname, "..", "fixtures", name));
const flag = new Int32Array(new SharedArrayBuffer(4));
/** Looks at what waits that see no change, one behind the other, before the workers are taken to have stopped. */
const LOOKS = 150;

const server = door.startsWith("tls")
  ? https.createServer({ key: fixture("key.pem"), cert: fixture("cert.pem") })
  : http.createServer();
const io = new Server(server, {
  pingTimeout: 600_000,
  perMessageDeflate: door.endsWith("deflate"),
});
if (door === "forwarded") {
  server.on("connection", () => {});
  io.engine.use((req, res, next) => next());
}

const seen = { count: 0, disordered: 0, lost: 0, peak: 0, atTimer: -1 };

/** How many bytes wait for this thread, whichever way they came. */
function waiting() {
  if (!isOurs) return 0;
  const { native } = require("../../lib/border").getBorder();
  const { inboxBytes, heldBytes } = JSON.parse(native.stats());
  seen.peak = Math.max(seen.peak, inboxBytes + heldBytes);
  return inboxBytes + heldBytes;
}

io.on("connection", (socket) => {
  let next = 0;
  socket.on("n", (n) => {
    waiting();
    if (n !== next++) seen.disordered++;
    if (door !== "workers") Atomics.wait(flag, 0, 0, 3); // the clients are faster than this
    if (++seen.count === Number(expected)) process.send(seen);
  });
  socket.on("disconnect", () => seen.lost++);
  socket.on("block", () => {
    process.send("blocked");
    for (let looks = 0, before = -1; looks < LOOKS;) {
      Atomics.wait(flag, 0, 0, 5);
      const bytes = waiting();
      looks = bytes === before && (bytes > 0 || door !== "workers") ? looks + 1 : 0;
      before = bytes;
    }
    setTimeout(() => (seen.atTimer = seen.count), 0);
  });
});
process.on("message", async () => {
  await io.close();
  process.disconnect();
});
server.listen(0, "127.0.0.1", () => process.send({ port: server.address().port }));
