"use strict";

/**
 * One node of a cluster: `node.js IMPLEMENTATION ADAPTER URL`, forked by `cluster.js`, which tells it what to do.
 *
 * It sends its port, then answers `{ id, nsp, socket?, chain }`: the chain of calls, such as
 * `[["to", "room"], ["emit", "event", 1]]`, is made on the namespace, or on the socket of that id.
 */

const { createServer } = require("node:http");
const { ours } = require("../support/implementations");
const { ADAPTERS } = require("./adapters");

const [, , implementation, name, url, options] = process.argv;

/** A value as the other process can have it: of operators, sockets and servers that are returned, nothing. */
function shown(value) {
  if (typeof value !== "object" || value === null || Buffer.isBuffer(value)) return value;
  if (value instanceof Set) return [...value].sort();
  if (Array.isArray(value)) return value.map(shown);
  if (value.handshake && value.rooms) {
    const { id, rooms, data } = value; // a socket, of this node or of another
    return { id, rooms: [...rooms].sort(), data };
  }
  return Object.getPrototypeOf(value) === Object.prototype ? value : undefined;
}

/** What `call` comes to: `{ value }`, or `{ error }` with the answers that came in spite of it. */
async function outcome(call) {
  try {
    return { value: shown(await call()) };
  } catch (error) {
    return { error: error.message, responses: shown(error.responses ?? []) };
  }
}

async function main() {
  const { Server } = require(implementation);
  const traits = ADAPTERS[name];
  const isOurs = implementation === ours.path && traits.ours !== undefined;
  const adapter = await (isOurs ? traits.ours(url) : traits.connect(url));
  const httpServer = createServer();
  const { sticky, ...more } = JSON.parse(options);
  const io = new Server(httpServer, { adapter, ...more });

  for (const nsp of [io.of("/"), io.of("/other")]) {
    nsp.on("connection", (socket) => {
      socket.data.name = socket.handshake.auth.name;
      socket.data.recovered = socket.recovered;
      if (!socket.recovered) socket.join(socket.handshake.auth.rooms ?? []);
      socket.on("echo", (...args) => args.pop()(...args));
    });
    nsp.on("told", (...args) => process.send({ told: [nsp.name, ...args] }));
    nsp.on("asked", (...args) => args.pop()([args, socketNames(nsp)]));
    nsp.on("asked in vain", () => {});
  }

  process.on("message", async (message) => {
    if (message.source || !message.chain) return; // of the adapter
    const { id, nsp, socket, chain } = message;
    const answer = await outcome(() => {
      let target = socket ? io.of(nsp).sockets.get(socket) : io.of(nsp);
      for (const [method, ...args] of chain)
        target = typeof target[method] === "function" ? target[method](...args) : target[method];
      return target;
    });
    process.send({ id, ...answer });
  });
  process.once("disconnect", () => process.exit()); // the test is over

  if (sticky) {
    require("@socket.io/sticky").setupWorker(io);
    process.send({ port: Number(process.env.STICKY_PORT) });
    return;
  }
  httpServer.listen({ port: 0, host: "127.0.0.1", exclusive: true }, () =>
    process.send({ port: httpServer.address().port }),
  );
}

/** The names of the clients that are on this node. */
const socketNames = (nsp) => [...nsp.sockets.values()].map(({ data }) => data.name).sort();

// When Redis is gone, what adapters published fails, and some leave that to nobody.
process.on("unhandledRejection", () => {});

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
