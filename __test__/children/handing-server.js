"use strict";

/**
 * A server that takes the clients of another process over and hands them to the next one, as it is told: argv: the library, the
 * path, its name, the port that the first one listens on, and options in JSON.
 */

const http = require("node:http");

const [, , library, path, name, port, options = "{}"] = process.argv;
const { Server } = require(library);
const { veto, mute, refused, slow, middleware, ...given } = JSON.parse(options);

const httpServer = http.createServer((_request, response) => response.end(name));
const io = new Server(httpServer, {
  takeOver: path,
  allowEIO3: true,
  pingInterval: 500, // so that heartbeats go on while all is handed over
  pingTimeout: 60_000,
  ...given,
});

// Node.js reads polling requests
if (middleware)
  io.engine.use((request, _response, next) => {
    request.seen = name;
    next();
  });
// It is refused by a middleware of the engine, in the way that those of Express do.
if (refused !== undefined)
  io.engine.use((request, response, next) => {
    if (request.headers["user-agent"] === refused) response.end("no");
    else next();
  });

/** Clients to which nothing has been told yet by this process. */
let met = 0;

function serve(socket) {
  met++;
  socket.data.met = [...(socket.data.met ?? []), name];
  const { room } = socket.handshake.query;
  if (!socket.recovered) socket.join(room);
  socket.emit("served", name, socket.recovered, socket.data.met, [...socket.rooms]);
  socket.on("echo", (value, reply) => reply(value, name));
  socket.on("slow", (value, reply) => setTimeout(reply, 30, value));
  socket.on("never", () => {});
  socket.on("say", (n, bytes) => io.of(socket.nsp.name).to(room).emit("said", n, bytes, name));
  socket.on("whisper", (text) => socket.volatile.emit("whispered", text));
  socket.on("out", () => socket.disconnect(true));
  socket.on("where", (reply) =>
    reply({
      id: socket.id,
      rooms: [...socket.rooms].sort(),
      data: socket.data,
      address: socket.handshake.address,
      auth: socket.handshake.auth,
      issued: socket.handshake.issued,
      url: socket.handshake.url,
      agent: socket.request.headers["user-agent"],
      recovered: socket.recovered,
      seen: socket.request.seen,
      name,
    }),
  );
  socket.on("keep", (data, reply) => {
    Object.assign(socket.data, data, { at: new Date(5), map: new Map([["a", 1n]]) });
    reply();
  });
  socket.on("ask", (reply) => {
    socket.timeout(60_000).emit("question", (error) => process.send({ asked: error?.code }));
    reply();
  });
  socket.on("askAll", (reply) => {
    const question = io.timeout(60_000);
    question.emit("question", (error, responses) =>
      process.send({ asked: error?.code, responses }),
    );
    reply({ asking: true });
  });
  socket.on("disconnect", (reason) => process.send({ left: reason, id: socket.id }));
}

for (const nsp of [io, io.of("/other"), io.of(/^\/d-\d+$/)]) {
  nsp.use((socket, next) => {
    const { name: who } = socket.handshake.auth;
    if (veto !== undefined && who === veto) next(new Error("vetoed"));
    else if (mute !== undefined && who === mute)
      process.send({ asked: who }); // and never answered
    else if (slow) setTimeout(next, 20);
    else next();
  });
  nsp.on("connection", serve);
}

/** Resolved when the program is told to finish what it does, where it waits for that. */
let finish;
const finishes = new Promise((resolve) => (finish = resolve));

process.send({ created: true });
io.takenOver.then((taken) => process.send({ taken }));
httpServer.listen(Number(port), "127.0.0.1", () =>
  process.send({ listening: httpServer.address().port }),
);

process.on("message", async ({ does, with: options = {} }) => {
  if (does === "handOver") {
    const { fails, waits } = options;
    if (fails !== undefined) options.finish = () => Promise.reject(new Error(fails));
    if (waits) {
      options.settle = Infinity;
      options.finish = () => {
        process.send({ finishing: true });
        return finishes;
      };
    }
    const done = io.handOver(path, options);
    process.send({ offered: true });
    try {
      process.send({ handed: await done });
      process.disconnect(); // nothing else may keep the process
    } catch (error) {
      process.send({ failed: error.code ?? error.name, message: error.message });
    }
  } else if (does === "finish") finish();
  else if (does === "count")
    httpServer.getConnections((_error, connections) =>
      process.send({ count: io.engine.clientsCount, connections, met }),
    );
  else if (does === "close") {
    await io.close();
    process.disconnect();
  }
});
