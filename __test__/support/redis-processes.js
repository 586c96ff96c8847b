"use strict";

/** Redis servers that listen on ports, alone or together. */

const { spawn } = require("node:child_process");
const fs = require("node:fs");
const net = require("node:net");
const os = require("node:os");
const path = require("node:path");
const { createClient } = require("redis");
const { ensureRedis } = require("../../scripts/lib/redis");
const { turns, until, within } = require("./waiting");

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

/**
 * Starts a Redis that listens on `port`, as its arguments say; resolves with a function that kills it. With the name of another
 * signal, that sends it.
 */
async function start(t, port, args, config = "") {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "redis-"));
  const file = path.join(folder, "redis.conf");
  fs.writeFileSync(file, `${config}\nbind 127.0.0.1\nsave ""\ndir ${folder}\n`);
  const child = spawn(await ensureRedis(), [file, ...args], { stdio: "ignore" });
  const end = new Promise((resolve) => child.once("exit", resolve));
  const kill = async (signal = "SIGKILL") => {
    child.kill(signal);
    if (signal === "SIGKILL") await within(end, "a Redis to end");
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

/** Asks again and again until an answer is as it should be. */
async function untilAnswer(what, port, args, isRight) {
  const asking = async () => {
    for (;;) {
      const answer = await command(port, ...args).catch(() => undefined);
      if (answer !== undefined && isRight(answer)) return answer;
      await turns(10);
    }
  };
  return within(asking(), what);
}

/**
 * A Redis Cluster of three primaries, each with so many replicas. `config`: what else all of them are told; `tls`: what they are told
 * of TLS, which they speak then on other ports, too.
 */
class RedisCluster {
  /** The nodes by port: how to kill each. @type {Map<number, (signal?: string) => Promise<void>>} */
  nodes = new Map();

  /** The ports with TLS. @type {number[]} */
  tlsPorts = [];

  static async open(t, { replicas = 0, config: more = "", tls } = {}) {
    const cluster = new RedisCluster();
    const ports = [];
    for (let n = 0; n < 3 * (1 + replicas); n++) {
      const [port, bus] = [await freePort(), await freePort()];
      ports.push(port);
      // who is silent for so long is taken for dead
      const config = [
        `port ${port}\ncluster-enabled yes\ncluster-port ${bus}\ncluster-node-timeout 1000`,
        `repl-diskless-sync-delay 0\n${more}`,
      ];
      if (tls !== undefined) {
        cluster.tlsPorts.push(await freePort());
        config.push(`tls-port ${cluster.tlsPorts.at(-1)}\ntls-cluster yes\n${tls}`);
      }
      cluster.nodes.set(port, await start(t, port, [], config.join("\n")));
      if (n > 0) {
        const known = String(await command(ports[0], "CLUSTER", "NODES"));
        const [, busOfFirst] = /@(\d+)[^\n]*myself/.exec(known);
        await command(port, "CLUSTER", "MEET", "127.0.0.1", String(ports[0]), busOfFirst);
      }
    }
    const primaries = ports.slice(0, 3);
    for (const [n, port] of primaries.entries()) {
      const [first, last] = [Math.floor((16_384 / 3) * n), Math.floor((16_384 / 3) * (n + 1)) - 1];
      await command(port, "CLUSTER", "ADDSLOTSRANGE", String(first), String(last));
    }
    const isWhole = (info) =>
      info.includes("cluster_state:ok") && info.includes(`cluster_known_nodes:${ports.length}`);
    for (const port of ports)
      await untilAnswer("a whole Redis Cluster", port, ["CLUSTER", "INFO"], isWhole);
    for (const [n, port] of ports.slice(3).entries()) {
      const id = await command(primaries[n % 3], "CLUSTER", "MYID");
      await command(port, "CLUSTER", "REPLICATE", id);
    }
    for (const port of ports.slice(3))
      await untilAnswer("a replica", port, ["INFO", "replication"], (info) =>
        info.includes("master_link_status:up"),
      );
    for (const port of ports)
      await untilAnswer("all to know all replicas", port, ["CLUSTER", "SLOTS"], (ranges) =>
        ranges.every((range) => range.length === 3 + replicas),
      );
    return cluster;
  }

  get ports() {
    return [...this.nodes.keys()];
  }

  get url() {
    return this.ports.map((port) => `redis://127.0.0.1:${port}`);
  }

  /** The primary of the slot of a key or channel, as one of those that are left knows it. */
  async primaryOf(key) {
    const [port] = this.ports;
    const slot = await command(port, "CLUSTER", "KEYSLOT", key);
    const ranges = await command(port, "CLUSTER", "SLOTS");
    const [, , [, primary]] = ranges.find(([first, last]) => first <= slot && slot <= last);
    return primary;
  }

  /** Ends a primary from one moment to the next; resolves when it is. */
  async kill(port) {
    await this.nodes.get(port)();
    this.nodes.delete(port);
  }

  /** Has a node hang: it listens, and says nothing. */
  async hang(port) {
    await this.nodes.get(port)("SIGSTOP");
  }

  /** Waits until those that are left have somebody for each slot. */
  async failedOver(...dead) {
    for (const port of this.ports)
      await untilAnswer("another primary", port, ["CLUSTER", "SLOTS"], (ranges) =>
        ranges.every(([, , [, primary]]) => !dead.includes(primary)),
      );
  }
}

module.exports = { command, freePort, RedisCluster, start, untilAnswer };
