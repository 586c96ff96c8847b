"use strict";

/** The files of `examples/production/`, which the documents show: the server, sticky sessions behind proxies, and that the files fit together. */

const assert = require("node:assert/strict");
const { spawn } = require("node:child_process");
const { once } = require("node:events");
const fs = require("node:fs");
const http = require("node:http");
const path = require("node:path");
const { test } = require("node:test");
const { io: connect } = require("socket.io-client");
const { startProxy, STICKY } = require("./support/proxies");
const { until, within } = require("./support/waiting");
const { ours } = require("./support/implementations");

const FOLDER = path.join(__dirname, "..", "examples", "production");
const read = (name) => fs.readFileSync(path.join(FOLDER, name), "utf8");

/** Has `require("socket.io")` of an example give this package, as it does where that is installed by that name. */
const ALIAS = path.join(__dirname, "children", "alias.js");

/** Starts the server of the example, on a port that the system chooses. */
async function start(t) {
  const child = spawn(process.execPath, ["--require", ALIAS, path.join(FOLDER, "server.js")], {
    env: { ...process.env, PORT: "0", ALIAS_OF_SOCKET_IO: ours.path },
    stdio: ["ignore", "pipe", "inherit"],
  });
  t.after(() => child.kill("SIGKILL"));
  const [line] = await until(child.stdout.setEncoding("utf8"), "data");
  const [, port] = /^listening on .* port: (\d+) \}\n$/.exec(line);
  return { child, port: Number(port), url: `http://127.0.0.1:${port}` };
}

/** A client, by polling first, that keeps cookies, and has connections of its own. */
function dial(t, port, options = {}) {
  const client = connect(`http://127.0.0.1:${port}`, {
    forceNew: true,
    reconnection: false,
    withCredentials: true,
    ...options,
  });
  t.after(() => client.disconnect());
  return client;
}

test("the server: it is healthy, counts, and ends in order", { timeout: 60_000 }, async (t) => {
  const { child, port, url } = await start(t);
  const get = async (name) => (await fetch(url + name)).text();
  assert.equal(await get("/healthz"), "ready\n");
  const client = dial(t, port, { transports: ["websocket"] });
  await until(client, "connect");
  assert.equal(await client.emitWithAck("echo", "hello"), "hello");
  const metrics = await get("/metrics");
  assert.match(metrics, /^socketio_sessions\{transport="websocket",protocol="4",door="\w+"\} 1$/m);
  assert.match(metrics, /^socketio_sockets\{namespace="\/"\} 1$/m);

  const gone = until(client, "disconnect");
  child.kill("SIGTERM");
  assert.equal((await gone)[0], "transport close");
  assert.deepEqual(await within(once(child, "exit"), "the end of the server"), [0, null]);
});

for (const name of STICKY) {
  test(`${name}: all requests of a session reach one server`, { timeout: 120_000 }, async (t) => {
    const servers = [await start(t), await start(t)];
    const proxy = await startProxy(name, ...servers.map(({ port }) => port));
    t.after(proxy.stop);
    // the proxies tell clients apart by a cookie, or by their addresses: all of 127.0.0.0/8 are ours
    const clients = Array.from({ length: 16 }, (_, n) => {
      const agent = new http.Agent({
        localAddress: process.platform === "linux" ? `127.0.1.${n + 1}` : undefined,
      });
      t.after(() => agent.destroy());
      return dial(t, proxy.port, { agent });
    });
    const upgraded = clients.map((client) => until(client.io.engine, "upgrade"));
    await Promise.all(clients.map((client) => until(client, "connect")));
    for (const client of clients)
      assert.equal(await client.emitWithAck("echo", client.id), client.id);
    await Promise.all(upgraded);
    for (const { url } of servers) {
      const metrics = await (await fetch(`${url}/metrics`)).text();
      assert.match(
        metrics,
        /^socketio_sockets\{namespace="\/"\} [1-9]/m,
        "a server had none of them",
      );
    }
  });
}

test("the files fit together", () => {
  const server = read("server.js");
  const [, port] = /PORT \?\? (\d+)/.exec(server);
  const docker = read("Dockerfile");
  assert.match(docker, new RegExp(`^EXPOSE ${port}$`, "m"));
  assert.match(docker, /^CMD \["node", "server.js"\]$/m);
  assert.equal(read(".dockerignore").trim(), "node_modules");
  const kubernetes = read("kubernetes.yaml");
  assert.deepEqual(
    new Set(
      Array.from(
        kubernetes.matchAll(/(?:containerPort|targetPort|[^tP]port): (\d{4})/g),
        ([, one]) => one,
      ),
    ),
    new Set([port]),
  );
  for (const [, probe] of kubernetes.matchAll(/httpGet: \{ path: (\S+),/g))
    assert.ok(server.includes(`request.url === "${probe}"`), probe);
  for (const proxy of ["nginx.conf", "haproxy.cfg"])
    assert.ok(read(proxy).includes(`127.0.0.1:${port}`));
  const { dependencies } = JSON.parse(read("package.json"));
  const { name, version } = require("../package.json");
  assert.equal(dependencies["socket.io"], `npm:${name}@^${version}`);
});
