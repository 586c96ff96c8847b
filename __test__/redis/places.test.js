"use strict";

/** Where Redis may be, and how one gets in: passwords, TLS, a Redis Cluster, Sentinels. */

const assert = require("node:assert/strict");
const fs = require("node:fs");
const path = require("node:path");
const { test } = require("node:test");
const { Server } = require("../..");
const { createAdapter } = require("../../redis");
const { freePort, RedisCluster, start } = require("../support/redis-processes");
const { eventually, until, within } = require("../support/waiting");
const { ready } = require("./stage");

const fixture = (name) => path.join(__dirname, "..", "fixtures", name);

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
  const received = () => linkOf(b).stats().received;
  const before = received();
  a.emit("event");
  await eventually(() => received() > before, "a broadcast");
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

/** What docs/cluster.md says that a user of Redis needs. */
const RULES = {
  all: "+hello +ping +select",
  classic: "+publish +subscribe +unsubscribe +psubscribe +punsubscribe +pubsub|numsub",
  sharded: "+spublish +ssubscribe +sunsubscribe +pubsub|shardnumsub",
  streams: "+xadd +xread +xrange +xinfo|stream +xtrim +time +get +set +pttl",
  cluster: "+cluster|slots +cluster|info +asking",
};

test("a user who may do no more than what is needed", async (t) => {
  const { all, classic, sharded, streams } = RULES;
  const keys = "~socket.io* ~sio:session:*";
  const users = [
    `user classic on >secret resetchannels &classic* &classic#/#* -@all ${all} ${classic}`,
    `user patternless on >secret resetchannels &patternless* -@all ${all} ${classic}`,
    `user dynamic on >secret resetchannels &dynamic* -@all ${all} ${classic}`,
    `user sharded on >secret resetchannels &sharded* -@all ${all} ${sharded}`,
    `user streams on >secret resetchannels &streams* ${keys} -@all ${all} ${classic} ${streams}`,
  ];
  const port = await freePort();
  await start(t, port, [], [`port ${port}`, ...users].join("\n"));
  const as = (username) => ({
    url: `redis://127.0.0.1:${port}`,
    username,
    password: "secret",
    key: username,
  });
  await talk(...pair(t, as("classic")));
  const [refused] = pair(t, as("patternless"));
  const [state, message] = await until(linkOf(refused), "state");
  assert.notEqual(state, "ready");
  assert.match(message, /permission/);
  await talk(...pair(t, { ...as("dynamic"), subscriptionMode: "dynamic" }));
  await talk(...pair(t, { ...as("sharded"), sharded: true }));
  const [a, b] = pair(t, { ...as("streams"), streams: { maxAge: 60_000 } });
  await talk(a, b);
  for (const io of [a, b]) assert.equal(linkOf(io).stats().refused, 0);
  const docs = fs.readFileSync(path.join(__dirname, "../../docs/cluster.md"), "utf8");
  for (const rules of Object.values(RULES))
    assert.ok(docs.includes(rules.replaceAll("|", "\\|")), rules);
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
  await talk(...pair(t, { url, tls: { ca }, streams: true }));
  await isRefused(pair(t, { url })[0], "no secret");
});

test("a Redis Cluster", async (t) => {
  const { url } = await RedisCluster.open(t);
  await talk(...pair(t, { url, cluster: true }));
  await talk(...pair(t, { url, cluster: true, sharded: true }));
  await talk(...pair(t, { url, cluster: true, streams: true }));
  await talk(...pair(t, { url, cluster: true, sharded: true, streams: true }));
});

test("a Redis Cluster, with TLS, and a user who may do no more than what is needed", async (t) => {
  const { all, classic, sharded, streams, cluster } = RULES;
  const keys = "~socket.io* ~sio:session:*";
  const channels = (name) => `resetchannels &${name}* &${name}#/#* -@all ${all} ${cluster}`;
  const users = [
    `user classic on >secret ${channels("classic")} ${classic}`,
    `user sharded on >secret ${channels("sharded")} ${sharded}`,
    `user streams on >secret ${channels("streams")} ${keys} ${classic} ${streams}`,
  ];
  const tls = [
    `tls-auth-clients no\ntls-key-file ${fixture("key.pem")}`,
    `tls-cert-file ${fixture("signed-cert.pem")}\ntls-ca-cert-file ${fixture("other-cert.pem")}`,
  ];
  const config = users.join("\n");
  const { tlsPorts } = await RedisCluster.open(t, { config, tls: tls.join("\n") });
  const ca = fs.readFileSync(fixture("other-cert.pem"));
  for (const mode of [{}, { sharded: true }, { streams: true }]) {
    const [name = "classic"] = Object.keys(mode);
    const url = tlsPorts.map((port) => `rediss://${name}:secret@localhost:${port}`);
    const [a, b] = pair(t, { url, cluster: true, tls: { ca }, key: name, ...mode });
    await talk(a, b);
    for (const io of [a, b]) assert.equal(linkOf(io).stats().refused, 0);
  }
  await isRefused(
    pair(t, { url: `rediss://localhost:${tlsPorts[0]}`, cluster: true })[0],
    "no secret",
  );
});

test("Sentinels tell where Redis is", async (t) => {
  const [port, sentinel] = [await freePort(), await freePort()];
  await start(t, port, [], `port ${port}`);
  const config = `port ${sentinel}\nsentinel monitor main 127.0.0.1 ${port} 1`;
  await start(t, sentinel, ["--sentinel"], config);
  await talk(...pair(t, { url: `redis://127.0.0.1:${sentinel}`, sentinel: "main" }));
  await talk(...pair(t, { url: `redis://127.0.0.1:${sentinel}`, sentinel: "main", streams: true }));
  const [io] = pair(t, { url: `redis://127.0.0.1:${sentinel}`, sentinel: "unheard of" });
  await isRefused(io, "no secret");
});
