"use strict";

/** The official adapters for several servers, with which broadcasts, acknowledgements and requests between servers cross. */

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { startRedis } = require("../support/redis");
const { installApp, runProgram } = require("./support/app");

/** Two servers with the adapter that `makeAdapter()` gives, and a client of each: what crosses. */
const TWO_SERVERS = `
const http = require("node:http");
const { once } = require("node:events");
const { Server, implementation } = require("socket.io");
const { io: connect } = require("socket.io-client");

async function serve() {
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
  const [one, two] = [await serve(), await serve()];
  while ((await one.io.serverCount?.()) < 2 || (await one.io.fetchSockets()).length < 2);
  const heard = new Promise((resolve) => two.client.once("news", resolve));
  one.io.to("room").emit("news", { bytes: Buffer.from("ü") });
  const { bytes } = await heard;
  const answers = await one.io.timeout(20000).emitWithAck("question", 1);
  const asked = new Promise((resolve) => two.io.once("ask", resolve));
  one.io.serverSideEmit("ask", "x");
  const gone = new Promise((resolve) => two.client.once("disconnect", resolve));
  const result = [implementation, Buffer.from(bytes).toString(), answers, await asked];
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

const CROSSED = ["ferrosocket", "ü", [2, 2], "x", "io server disconnect"];

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
  test(name, { timeout: 300_000 }, async (t) => {
    const redis = await startRedis();
    t.after(() => redis.stop());
    const app = await installApp(t, "npm", { dependencies: { [name]: "latest", redis: "^5.0.0" } });
    const program =
      makeAdapter.replace("process.argv[2]", JSON.stringify(redis.path)) + TWO_SERVERS;
    const output = await runProgram(app, "app.js", program);
    assert.deepEqual(JSON.parse(output.trim().split("\n").at(-1)), CROSSED);
  });
}
