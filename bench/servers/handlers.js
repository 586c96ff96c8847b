"use strict";

// What the load generator expects of a server, for any implementation with the API of Socket.IO.
//
// `BENCH_APP` names what the application does besides: `request` looks at the request of each client,
// `recovery` sends each new client an event first, by which its session can be recovered, `blocked` stands still when told
// to and counts events, which come in order or not, `work` has something to do for each event of that name.

const app = process.env.BENCH_APP;

/** The options of the server that the case asks for. */
const options = JSON.parse(process.env.BENCH_OPTIONS ?? "{}");

/** Frees all that nobody holds: Node.js offers that with --expose-gc, Bun in its own way. */
function collectGarbage() {
  if (globalThis.Bun) globalThis.Bun.gc(true);
  else globalThis.gc?.();
}

/** Events that have come, and how many of them not behind the one before. */
const counted = { events: 0, disorder: 0 };

/** JavaScript stands still, as in a program that computes. */
function canBlock(socket) {
  let last = -1;
  socket.on("block", (ms) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms));
  socket.on("n", (n) => {
    counted.events++;
    if (n !== last + 1) counted.disorder++;
    last = n;
  });
  socket.on("count", (callback) => callback(counted));
}

/** What an event costs a program that does something. */
const WORK = 0.02; // ms

function works(socket) {
  socket.on("work", () => {
    for (const end = performance.now() + WORK; performance.now() < end;);
  });
}

/** Answers one client. */
function onConnection(io, socket) {
  if (app === "request") socket.data.agent = socket.request.headers["user-agent"];
  if (app === "blocked") canBlock(socket);
  if (app === "work") works(socket);
  const { room } = socket.handshake.auth;
  if (room) socket.join(room);
  if (room || (app === "recovery" && !socket.recovered)) socket.emit("welcome");

  socket.on("echo", (text) => {
    socket.emit("echo", text);
  });
  socket.on("bytes", (bytes) => {
    socket.emit("bytes", bytes);
  });
  socket.on("ack", (text, callback) => {
    callback(text);
  });
  socket.on("upload", (bytes, callback) => {
    callback(bytes.length);
  });
  socket.on("all", (text) => {
    io.emit("b", text);
  });
  socket.on("room", (room, text) => {
    io.to(room).emit("b", text);
  });
  socket.on("others", (room, text) => {
    socket.to(room).emit("b", text);
  });
  socket.on("pair", (one, two, text) => {
    io.to(one).to(two).emit("b", text);
  });
  socket.on("volatile", (text) => {
    io.volatile.emit("b", text);
  });
  // So that the memory of idle clients is what they need.
  socket.on("gc", (callback) => {
    collectGarbage();
    callback();
  });
}

/** Puts the handlers on a server. */
function handle(io) {
  io.on("connection", (socket) => onConnection(io, socket));
  io.of(/^\/n\d+$/).on("connection", (socket) => onConnection(io, socket));
}

/** Tells the benchmark that the server is there. */
function announce(port) {
  console.log(`listening ${port}`);
}

module.exports = { announce, handle, options };
