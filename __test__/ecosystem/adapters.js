"use strict";

/** The official adapters for several servers, with which broadcasts, acknowledgements and requests between servers cross. */

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { startRedis } = require("../support/redis");
const { installApp, runProgram } = require("./support/app");

/** What is installed as what, and who serves. */
const PAIRS = [
  ["ferrosocket", "socket.io", {}],
  ["npm's", "socket.io-original", { "socket.io-original": "npm:socket.io@4.8.4" }],
];

/** Two servers, of LIBRARIES, with the adapter that `makeAdapter()` gives, and a client of each: what crosses. */
const TWO_SERVERS = `
const http = require("node:http");
const { once } = require("node:events");
const { io: connect } = require("socket.io-client");

async function serve({ Server }) {
  const httpServer = http.createServer();
  const { adapter, end } = await makeAdapter();
  const io = new Server(httpServer, { adapter });
  io.on("connection", (socket) => socket.join("room"));
  httpServer.listen(0, "127.0.0.1");
  await once(httpServer, "listening");
  const client = connect("http://127.0.0.1:" + httpServer.address().port);
  client.on("question", (n, reply) => reply(n + 1));
  await new Promise((resolve) => client.once("connect", resolve));
  return { io, client, end };
}

(async () => {
  const libraries = LIBRARIES.map((name) => require(name));
  const [one, two] = [await serve(libraries[0]), await serve(libraries[1])];
  while ((await one.io.serverCount?.()) < 2 || (await one.io.fetchSockets()).length < 2);
  const heard = new Promise((resolve) => two.client.once("news", resolve));
  one.io.to("room").emit("news", { bytes: Buffer.from("ü") });
  const { bytes } = await heard;
  const answers = await one.io.timeout(20000).emitWithAck("question", 1);
  const asked = new Promise((resolve) => two.io.once("ask", resolve));
  one.io.serverSideEmit("ask", "x");
  const gone = new Promise((resolve) => two.client.once("disconnect", resolve));
  const result = [libraries.map((one) => one.implementation ?? "npm's"), Buffer.from(bytes).toString(), answers, await asked];
  one.io.in(two.client.id).disconnectSockets();
  result.push(await gone);
  console.log(JSON.stringify(result));
  for (const { io, client, end } of [one, two]) {
    client.disconnect();
    await io.close();
    await end();
  }
})();
`;

const crossed = (second) => [["ferrosocket", second], "ü", [2, 2], "x", "io server disconnect"];

/** How each adapter is made, with a Redis at the path that is in REDIS. */
const REDIS = {
  "@socket.io/redis-adapter": `
const { createAdapter } = require("@socket.io/redis-adapter");
const { createClient } = require("redis");
async function makeAdapter() {
  const publisher = createClient({ socket: { path: process.argv[2] } });
  const subscriber = publisher.duplicate();
  await Promise.all([publisher.connect(), subscriber.connect()]);
  const end = () => Promise.all([publisher.close(), subscriber.close()]);
  return { adapter: createAdapter(publisher, subscriber), end };
}`,
  "@socket.io/redis-streams-adapter": `
const { createAdapter } = require("@socket.io/redis-streams-adapter");
const { createClient } = require("redis");
async function makeAdapter() {
  const client = createClient({ socket: { path: process.argv[2] } });
  await client.connect();
  return { adapter: createAdapter(client), end: async () => client.destroy() };
}`,
};

for (const [name, makeAdapter] of Object.entries(REDIS)) {
  for (const [second, library, more] of PAIRS) {
    test(`${name}: with a server of ${second}`, { timeout: 300_000 }, async (t) => {
      const redis = await startRedis();
      t.after(() => redis.stop());
      const dependencies = { [name]: "latest", redis: "^5.0.0", ...more };
      const app = await installApp(t, "npm", { dependencies, overrides: false });
      const program = [
        `const LIBRARIES = ["socket.io", ${JSON.stringify(library)}];`,
        makeAdapter.replace("process.argv[2]", JSON.stringify(redis.path)),
        TWO_SERVERS,
      ];
      const output = await runProgram(app, "app.js", program.join("\n"));
      assert.deepEqual(JSON.parse(output.trim().split("\n").at(-1)), crossed(second));
    });
  }
}
