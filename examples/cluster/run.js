"use strict";

// `npm run example:cluster`: a Redis if there is none, three nodes, and a page that shows them.

const { fork, spawn } = require("node:child_process");
const fs = require("node:fs");
const http = require("node:http");
const net = require("node:net");
const os = require("node:os");
const path = require("node:path");
const readline = require("node:readline");

const NODES = 3;
const PORT = Number(process.env.PORT ?? 3000);
const REDIS_PORT = 6379;
const PAGE = path.join(__dirname, "public");
const CLIENT = path.join(
  path.dirname(require.resolve("socket.io-client/package.json")),
  "dist/socket.io.min.js",
);
const TYPES = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css" };

/** What ends with this process. @type {(() => void)[]} */
const endings = [];

/** @returns {Promise<boolean>} whether something listens there */
function isThere(port) {
  return new Promise((resolve) => {
    const socket = net.connect(port, "127.0.0.1", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}

/** @returns {Promise<string>} the URL of the Redis that is named or runs here, else of one that is started */
async function findRedis() {
  if (process.env.REDIS_URL) return process.env.REDIS_URL;
  if (await isThere(REDIS_PORT)) return `redis://127.0.0.1:${REDIS_PORT}`;
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "ferrosocket-cluster-"));
  const socket = path.join(folder, "redis.socket");
  const options = ["--port", "0", "--unixsocket", socket, "--save", "", "--dir", folder];
  const redis = spawn(process.env.REDIS_SERVER || "redis-server", options, {
    stdio: ["ignore", "pipe", "inherit"],
  });
  endings.push(() => {
    redis.kill("SIGKILL"); // it keeps nothing
    fs.rmSync(folder, { recursive: true, force: true });
  });
  await new Promise((resolve, reject) => {
    redis.once("error", () =>
      reject(
        new Error("there is no redis-server: install it (Debian: apt-get install redis-server)"),
      ),
    );
    redis.stdout.on("data", (chunk) => {
      if (String(chunk).includes("ready to accept connections")) resolve();
    });
  });
  console.log("Redis has been started, for these nodes alone.");
  return `unix://${socket}`;
}

/** One node, which can be killed and comes back on its port. */
class Node {
  #url;
  #changed;
  #process;
  #flooding = false;
  port = 0;
  isUp = false;
  /** What it has counted, and what was new of that in the last second. */
  counts = {};
  news = {};

  /**
   * @param {number} number from 1 on
   * @param {string} url of Redis
   * @param {() => void} changed
   */
  constructor(number, url, changed) {
    this.number = number;
    this.#url = url;
    this.#changed = changed;
  }

  /** Resolves when it listens. */
  start() {
    const env = { NODE_NAME: `node ${this.number}`, PORT: String(this.port), REDIS_URL: this.#url };
    const child = fork(path.join(__dirname, "node.js"), { env: { ...process.env, ...env } });
    this.#process = child;
    child.once("exit", () => {
      this.isUp = false;
      this.counts = this.news = {};
      this.#changed();
    });
    return new Promise((resolve) => {
      child.on("message", ({ port, counts }) => {
        if (port) {
          this.port = port;
          this.isUp = true;
          resolve();
        } else this.#count(counts);
        this.#changed();
      });
    });
  }

  #count(counts) {
    const news = Object.entries(counts).map(([name, count]) => [
      name,
      count - (this.counts[name] ?? count),
    ]);
    this.news = Object.fromEntries(news);
    this.counts = counts;
  }

  /** Kills it, as a machine dies; or starts it again. */
  async toggle() {
    if (this.isUp) this.#process.kill("SIGKILL");
    else await this.start();
    console.log(`node ${this.number} ${this.isUp ? `is back on port ${this.port}` : "is killed"}`);
  }

  /** Has it broadcast a thousand events a second, or no more. */
  flood() {
    this.#flooding = !this.#flooding;
    if (this.isUp) this.#process.send({ flood: this.#flooding });
  }

  show() {
    const { number, port, isUp, counts, news } = this;
    return { number, port, isUp, counts, news };
  }
}

/** Serves the page, tells it of the nodes, and does what its buttons ask for. */
function servePage(nodes, watchers) {
  const server = http.createServer((request, response) => {
    const { pathname } = new URL(request.url, "http://localhost");
    if (pathname === "/nodes") {
      response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
      watchers.add(response);
      response.once("close", () => watchers.delete(response));
      tell([response], nodes);
      return;
    }
    const asked = /^\/nodes\/(\d)\/(toggle|flood)$/.exec(pathname);
    // another site's page may not press these buttons
    const isOurs = request.headers["sec-fetch-site"] === "same-origin";
    if (asked && request.method === "POST" && isOurs) {
      void nodes[Number(asked[1]) - 1]?.[asked[2]]();
      response.writeHead(204).end();
      return;
    }
    const name = pathname === "/" ? "index.html" : path.basename(pathname);
    const file = name === "client.js" ? CLIENT : path.join(PAGE, name);
    fs.readFile(file, (error, bytes) => {
      const type = TYPES[path.extname(file)] ?? "application/octet-stream";
      response.writeHead(error ? 404 : 200, { "content-type": type }).end(error ? "" : bytes);
    });
  });
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(PORT, "localhost", () => resolve(server.address().port));
  });
}

function tell(watchers, nodes) {
  const text = `data: ${JSON.stringify(nodes.map((node) => node.show()))}\n\n`;
  for (const watcher of watchers) watcher.write(text);
}

function end() {
  for (const ending of endings) ending();
  process.exit();
}

async function main() {
  const url = await findRedis();
  const watchers = new Set();
  const nodes = [];
  for (let number = 1; number <= NODES; number++)
    nodes.push(new Node(number, url, () => tell(watchers, nodes)));
  await Promise.all(nodes.map((node) => node.start()));
  const port = await servePage(nodes, watchers);
  for (const node of nodes) console.log(`node ${node.number}: http://localhost:${node.port}`);
  console.log(`\nThe page: http://localhost:${port}`);
  console.log(`1, 2 or 3 kills that node, or starts it again; q ends all.`);
  process.send?.({ port, nodes: nodes.map((node) => node.port) }); // for the test of this example

  readline.emitKeypressEvents(process.stdin);
  if (process.stdin.isTTY) process.stdin.setRawMode(true);
  process.stdin.on("keypress", (key, { name, ctrl }) => {
    if (name === "q" || (ctrl && name === "c")) end();
    void nodes[Number(key) - 1]?.toggle();
  });
}

for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, end);
process.once("disconnect", end);
main().catch((error) => {
  console.error(error.message);
  for (const ending of endings) ending();
  process.exit(1);
});
