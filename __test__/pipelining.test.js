"use strict";

/**
 * Clients that pipeline at random and go at random, many at a time on one server: each gets its own answers in order, and when they
 * have gone nothing of them is left. On npm's server and on ours, by each way in which requests come to who reads them.
 *
 *     ROUNDS=150 SEED=7 node --test __test__/pipelining.test.js
 */

const assert = require("node:assert/strict");
const fs = require("node:fs");
const http = require("node:http");
const https = require("node:https");
const path = require("node:path");
const { test } = require("node:test");
const { Random } = require("../fuzz/stateful/random");
const { shortenCloseTimeout } = require("./parity/harness");
const { doorsOf } = require("./support/doors");
const { oracle, ours, selected } = require("./support/implementations");
const { PipeliningClient } = require("./support/pipelines");
const { deferred, eventually, turns, until, within } = require("./support/waiting");

const ROUNDS = Number(process.env.ROUNDS ?? 6);
const SEED = Number(process.env.SEED ?? Date.now() % 1_000_000);
const CLIENTS = 10;
/** ms: a slow machine must not bring a ping among the answers. */
const NEVER = 1_000_000;

const FIXTURES = path.join(__dirname, "fixtures");
const OWN = {
  key: fs.readFileSync(path.join(FIXTURES, "key.pem")),
  cert: fs.readFileSync(path.join(FIXTURES, "cert.pem")),
};

const withMiddleware = ({ io }) => io.engine.use((_req, _res, next) => next());

/** The ways by which a request comes to who reads it. */
const WAYS = {
  plain: {},
  "with a middleware": { prepare: withMiddleware },
  "answered by Node.js": { options: { allowRequest: (_req, allow) => allow(null, true) } },
  'with a listener for "connection"': {
    prepare: ({ httpServer }) => httpServer.on("connection", () => {}),
  },
  "over TLS of Node.js": { secure: true },
  "over TLS of a worker": { secure: true, options: { tls: "native" }, only: ours },
  "over TLS of a worker, with a middleware": {
    secure: true,
    options: { tls: "native" },
    prepare: withMiddleware,
    only: ours,
  },
};

/** The program's own requests: it answers at once, or later, or when the body has come; those of "/nobody" never. */
function onrequest(req, res) {
  // an upgrade request behind it takes those of Node.js away
  if (req.socket.listenerCount("error") < 2) req.socket.on("error", () => {});
  if (req.url === "/nobody") return;
  let length = 0;
  req.on("data", (chunk) => (length += chunk.length));
  req.on("end", () => {
    const answer = () => res.end(`${req.method} ${req.url} ${length}`);
    if (req.url.endsWith("3")) setImmediate(answer);
    else answer();
  });
}

async function serve(implementation, { secure = false, options, prepare }) {
  const { Server } = implementation.load();
  const httpServer = secure ? https.createServer(OWN, onrequest) : http.createServer(onrequest);
  const settings = { pingInterval: NEVER, destroyUpgradeTimeout: 1, ...options };
  const io = new Server(httpServer, settings);
  if (implementation === oracle) shortenCloseTimeout(io.engine);
  prepare?.({ io, httpServer });
  const sockets = new Map();
  io.on("connection", (socket) => {
    sockets.set(socket.conn.id, socket);
    socket.on("echo", (tag) => socket.emit("echo", tag));
    socket.on("disconnect", () => sockets.delete(socket.conn.id));
  });
  httpServer.listen(0, "127.0.0.1");
  await until(httpServer, "listening");
  await turns(2); // a worker accepts
  const { port } = httpServer.address();
  const target = { port, secure, sockets, hearsAll: implementation === ours };
  return { io, httpServer, target };
}

/** How many connections a server counts. */
function countOf(server) {
  const { promise, resolve } = deferred("the count of connections");
  server.getConnections((_error, count) => resolve(count));
  return promise;
}

/** What Node.js holds for connections. */
const handles = () =>
  process.getActiveResourcesInfo().filter((name) => /^(TCP|Pipe|TLS)/.test(name)).length;

for (const implementation of selected())
  for (const [name, way] of Object.entries(WAYS)) {
    if (way.only !== undefined && way.only !== implementation) continue;
    test(`${implementation.name}, ${name}: clients that pipeline and go leave nothing (seed ${SEED})`, async (t) => {
      const before = handles();
      const { io, httpServer, target } = await serve(implementation, way);
      t.after(() => {
        httpServer.closeAllConnections();
        io.close();
      });
      const random = new Random(SEED);
      for (let round = 0; round < ROUNDS; round++) {
        const clients = Array.from(
          { length: CLIENTS },
          (_, number) => new PipeliningClient(target, new Random(random.fork()), `${number}`),
        );
        const plays = clients.map((client) =>
          client.play().catch((error) => {
            error.message += `\n\nround ${round}, client ${client.name}, which has said ${JSON.stringify(client.said, null, 1)}`;
            throw error;
          }),
        );
        await Promise.all(plays);
        let count = -1;
        const isQuiet = () => {
          httpServer.getConnections((_error, now) => (count = now));
          return count === 0;
        };
        await eventually(isQuiet, `the end of all connections of round ${round}`).catch((error) => {
          error.message += `: ${count} are left; the border has ${doorsOf(io.engine)}`;
          throw error;
        });
      }
      const closed = until(httpServer, "close");
      await within(io.close(), "the end of the server");
      await closed;
      assert.equal(await countOf(httpServer), 0);
      await eventually(() => doorsOf(io.engine) === "", "that the border has nothing").catch(
        (error) => {
          error.message += `: it has ${doorsOf(io.engine)}`;
          throw error;
        },
      );
      await eventually(() => handles() <= before, "the end of all handles");
    });
  }
