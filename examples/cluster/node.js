"use strict";

// One node of the cluster: a chat whose rooms are those of all nodes. Nothing is kept here: who is in a room is asked of all.
//
// `run.js` starts it with REDIS_URL, and is told its port and, each second, what it has counted.

const { createServer } = require("node:http");
const { Server } = require("ferrosocket");
const { createAdapter } = require("ferrosocket/redis");

const NAME = process.env.NODE_NAME ?? "node";
const STREAMS = Boolean(process.env.STREAMS);
const LIMITS = { name: 24, text: 500 };
const ROOMS = ["lobby", "music"];
const FLOOD = 100; // broadcasts in a tenth of a second

const httpServer = createServer();
const io = new Server(httpServer, {
  adapter: createAdapter(process.env.REDIS_URL, { streams: STREAMS }),
  // who is lost gets what it has missed, on whichever node it comes back to
  ...(STREAMS && { connectionStateRecovery: {} }),
  cors: { origin: true }, // the page comes from another port
});

/** @returns {string} a text that a client has sent, cut; "" for all else */
const textOf = (value, limit) => (typeof value === "string" ? value.trim().slice(0, limit) : "");

io.on("connection", (socket) => {
  const enter = (room) => {
    for (const other of ROOMS) if (other !== room) socket.leave(other);
    socket.join(room);
    socket.data.room = room;
  };
  socket.data.name = textOf(socket.handshake.auth.name, LIMITS.name) || "somebody";
  if (!socket.recovered) enter(ROOMS[0]);

  socket.on("enter", (room, done) => {
    if (!ROOMS.includes(room) || typeof done !== "function") return;
    enter(room);
    done();
  });

  socket.on("say", (value) => {
    const text = textOf(value, LIMITS.text);
    if (text === "") return;
    const { name, room } = socket.data;
    io.to(room).emit("said", { name, text, room, node: NAME });
  });

  // Asks all nodes; one that has died meanwhile is waited for in vain.
  socket.on("who", async (done) => {
    if (typeof done !== "function") return;
    const people = await io
      .in(socket.data.room)
      .fetchSockets()
      .catch(() => []);
    done(people.map(({ data }) => data.name).sort());
  });
});

let flooding;
process.on("message", ({ flood }) => {
  clearInterval(flooding);
  if (!flood) return;
  let number = 0;
  flooding = setInterval(() => {
    for (let i = 0; i < FLOOD; i++) io.emit("flood", ++number);
  }, 100);
});
process.once("disconnect", () => process.exit());

httpServer.listen(Number(process.env.PORT ?? 0), "localhost", () => {
  process.send({ port: httpServer.address().port });
  setInterval(() => {
    const { redis } = io.of("/").adapter;
    process.send({ counts: { clients: io.engine.clientsCount, ...redis.stats() } });
  }, 1_000);
});
