"use strict";

/** Where Redis may be, and how one gets in: passwords, TLS, a Redis Cluster, Sentinels. */

const assert = require("node:assert/strict");
const { spawn } = require("node:child_process");
const fs = require("node:fs");
const net = require("node:net");
const os = require("node:os");
const path = require("node:path");
const { test } = require("node:test");
const { createClient } = require("redis");
const { Server } = require("../..");
const { createAdapter } = require("../../redis");
const { ensureRedis } = require("../../scripts/lib/redis");
const { eventually, until, within } = require("../support/waiting");
const { ready } = require("./stage");

const fixture = (name) => path.join(__dirname, "..", "fixtures", name);

/** A port that is free now. */
async function freePort() {
  const server = net.createServer().listen(0, "127.0.0.1");
  await until(server, "listening");
  const { port } = server.address();
  server.close();
  await until(server, "close");
  return port;
}

/** Whether something listens there. */
function listens(port) {
  return new Promise((resolve) => {
    const socket = net.connect(port, "127.0.0.1", () => resolve(true));
    socket.once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}

/** Starts a Redis that listens on `port`, as its arguments say. */
async function start(t, port, args, config = "") {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "redis-"));
  const file = path.join(folder, "redis.conf");
  fs.writeFileSync(file, `${config}\nbind 127.0.0.1\nsave ""\ndir ${folder}\n`);
  const child = spawn(await ensureRedis(), [file, ...args], { stdio: "ignore" });
  const end = until(child, "exit", 60_000);
  const kill = async () => {
    child.kill("SIGKILL");
    await end;
  };
  t.after(async () => {
    await kill();
    fs.rmSync(folder, { recursive: true });
  });
  const up = async () => {
    while (!(await listens(port)));
  };
  await within(up(), "Redis to listen");
  return kill;
}

let pairs = 0;

/** Two servers, which are in no cluster with others, and don't listen to clients. */
function pair(t, options) {
  const key = `pair ${++pairs}`;
  const servers = [1, 2].map(() => {
    const adapter = createAdapter({ key, requestsTimeout: 5_000, maxBackoff: 50, ...options });
    return new Server({ adapter });
  });
  t.after(() => Promise.allSettled(servers.map((io) => io.close())));
  return servers;
}

const linkOf = (io) => io.of("/").adapter.redis;

/** Two servers must hear each other: requests, answers, and what is binary. */
async function talk(a, b) {
  await within(Promise.all([ready(linkOf(a)), ready(linkOf(b))]), "both to be ready");
  const meet = async () => {
    while ((await a.of("/").adapter.serverCount()) !== 2);
  };
  await within(meet(), "both to meet");
  b.removeAllListeners("asked");
  b.on("asked", (what, answer) => answer(["answer to", what]));
  const ask = async () => a.serverSideEmitWithAck("asked", "question").catch(() => []);
  let answers = [];
  const asking = async () => {
    while (answers.length !== 1) answers = await ask();
  };
  await within(asking(), "an answer");
  assert.deepEqual(answers, [["answer to", "question"]]);
}

/** Two servers must not get in; nothing that they say has the password in it. */
async function isRefused(io, secret) {
  const messages = [];
  linkOf(io).on("state", (_, message) => messages.push(message));
  await eventually(() => messages.length >= 2, "it to try again");
  assert.notEqual(linkOf(io).state, "ready");
  for (const message of messages) assert.ok(!message.includes(secret), message);
}

test("passwords, in the URL and as options", async (t) => {
  const port = await freePort();
  await start(
    t,
    port,
    [],
    `port ${port}\nrequirepass "pass word"\nuser app on >secret ~* &* +@all`,
  );
  const url = `redis://127.0.0.1:${port}`;
  await talk(...pair(t, { url: `redis://:pass%20word@127.0.0.1:${port}` }));
  await talk(...pair(t, { url, username: "app", password: "secret" }));
  await talk(...pair(t, { url: `redis://app:secret@127.0.0.1:${port}/3`, sharded: true }));
  for (const io of pair(t, { url: `redis://app:topsecret@127.0.0.1:${port}` }))
    await isRefused(io, "topsecret");
});

test("TLS", async (t) => {
  const port = await freePort();
  const config = [
    `port 0\ntls-port ${port}\ntls-auth-clients optional\ntls-key-file ${fixture("key.pem")}`,
    `tls-cert-file ${fixture("signed-cert.pem")}\ntls-ca-cert-file ${fixture("other-cert.pem")}`,
  ];
  await start(t, port, [], config.join("\n"));
  const url = `rediss://localhost:${port}`;
  const ca = fs.readFileSync(fixture("other-cert.pem"));
  await talk(...pair(t, { url, tls: { ca } }));
  const [cert, key] = ["signed-cert.pem", "key.pem"].map((name) => fs.readFileSync(fixture(name)));
  await talk(...pair(t, { url, tls: { ca: [ca], cert, key } }));
  await talk(...pair(t, { url, tls: { rejectUnauthorized: false } }));
  await isRefused(pair(t, { url })[0], "no secret");
});

/** Sends a command to a Redis on a port. */
async function command(port, ...args) {
  const client = createClient({ url: `redis://127.0.0.1:${port}` });
  client.on("error", () => {});
  await client.connect();
  try {
    return await client.sendCommand(args);
  } finally {
    client.destroy();
  }
}

test("a Redis Cluster", async (t) => {
  const ports = [];
  for (let n = 0; n < 3; n++) {
    const [port, bus] = [await freePort(), await freePort()];
    ports.push(port);
    await start(t, port, [], `port ${port}\ncluster-enabled yes\ncluster-port ${bus}`);
    const [first, last] = [Math.floor((16_384 / 3) * n), Math.floor((16_384 / 3) * (n + 1)) - 1];
    await command(port, "CLUSTER", "ADDSLOTSRANGE", String(first), String(last));
    if (n > 0)
      await command(port, "CLUSTER", "MEET", "127.0.0.1", String(ports[0]), await busOf(ports[0]));
  }
  await within(Promise.all(ports.map(whole)), "the Redis Cluster", 60_000);
  const url = ports.map((port) => `redis://127.0.0.1:${port}`);
  await talk(...pair(t, { url, cluster: true }));
  await talk(...pair(t, { url, cluster: true, sharded: true }));
});

/** Waits until a node of a Redis Cluster of three knows that it is whole. */
async function whole(port) {
  while (!String(await command(port, "CLUSTER", "INFO")).includes("cluster_state:ok"));
  while (!String(await command(port, "CLUSTER", "INFO")).includes("cluster_known_nodes:3"));
}

/** The port by which the nodes of a Redis Cluster know one of them. */
async function busOf(port) {
  return /@(\d+)/.exec(String(await command(port, "CLUSTER", "NODES")))[1];
}

test("Sentinels tell where Redis is", async (t) => {
  const [port, sentinel] = [await freePort(), await freePort()];
  await start(t, port, [], `port ${port}`);
  const config = `port ${sentinel}\nsentinel monitor main 127.0.0.1 ${port} 1`;
  await start(t, sentinel, ["--sentinel"], config);
  await talk(...pair(t, { url: `redis://127.0.0.1:${sentinel}`, sentinel: "main" }));
  const [io] = pair(t, { url: `redis://127.0.0.1:${sentinel}`, sentinel: "unheard of" });
  await isRefused(io, "no secret");
});
