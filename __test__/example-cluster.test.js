"use strict";

/** `npm run example:cluster`: three nodes and their page. */

const assert = require("node:assert/strict");
const { fork } = require("node:child_process");
const path = require("node:path");
const { test } = require("node:test");
const { io: connect } = require("socket.io-client");
const { ensureRedis } = require("../scripts/lib/redis");
const { startRedis } = require("./support/redis");
const { eventually, until, within } = require("./support/waiting");

const RUN = path.join(__dirname, "..", "examples", "cluster", "run.js");

/** What the page is told, until `isSo`. */
async function told(url, isSo) {
  const response = await fetch(`${url}nodes`);
  let text = "";
  for await (const chunk of response.body) {
    text += Buffer.from(chunk);
    const events = text.split("\n\n");
    text = events.pop();
    for (const event of events) {
      const nodes = JSON.parse(event.slice("data: ".length));
      if (isSo(nodes)) return nodes;
    }
  }
  throw new Error("the page is told nothing more");
}

test("the example starts nodes, and they are one server", async (t) => {
  const redis = await startRedis();
  t.after(() => redis.stop());
  const child = fork(RUN, {
    env: {
      ...process.env,
      PORT: "0",
      REDIS_URL: `unix://${redis.path}`,
      REDIS_SERVER: await ensureRedis(),
    },
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  const ended = until(child, "exit", 60_000);
  t.after(() => child.connected && child.disconnect());
  const [{ port, nodes }] = await until(child, "message", 60_000);
  const url = `http://localhost:${port}/`;
  for (const file of ["", "page.js", "style.css", "client.js"])
    assert.equal((await fetch(url + file)).status, 200);

  const clients = nodes.map((node, index) =>
    connect(`http://localhost:${node}`, { forceNew: true, auth: { name: `client ${index}` } }),
  );
  t.after(() => clients.forEach((client) => client.disconnect()));
  await Promise.all(clients.map((client) => until(client, "connect")));
  const said = clients.map(() => []);
  clients.forEach((client, index) => client.on("said", ({ text }) => said[index].push(text)));
  await clients[1].timeout(10_000).emitWithAck("enter", "music");
  const names = await clients[0].timeout(20_000).emitWithAck("who");
  assert.deepEqual(names, ["client 0", "client 2"]);
  clients[0].emit("say", "in the lobby");
  await eventually(() => said[2].length === 1 && said[0].length === 1, "what is said");
  assert.deepEqual(said, [["in the lobby"], [], ["in the lobby"]]);

  const press = (what, headers = { "sec-fetch-site": "same-origin" }) =>
    fetch(`${url}nodes/3/${what}`, { method: "POST", headers });
  assert.equal((await press("toggle", { "sec-fetch-site": "cross-site" })).status, 404);
  const lost = until(clients[2], "disconnect");
  assert.equal((await press("toggle")).status, 204);
  await lost;
  const back = until(clients[2], "connect", 60_000);
  await within(
    told(url, (list) => !list[2].isUp),
    "the page to hear of it",
  );
  await press("toggle");
  await back;
  await within(
    told(url, (list) => list.every(({ isUp, counts }) => isUp && counts.clients > 0)),
    "the page to hear of all",
  );
  child.disconnect();
  await ended;
});
