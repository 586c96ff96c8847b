"use strict";

/**
 * Test runners replace timers, on the global object, on `process`, and in the module `node:timers`: connections must go on
 * all the same, and what programs have timed must stay theirs to turn.
 */

const assert = require("node:assert/strict");
const fs = require("node:fs");
const http = require("node:http");
const path = require("node:path");
const { test } = require("node:test");
const timers = require("node:timers");

const { loadCopy } = require("./support/copy");
const { ours, selected } = require("./support/implementations");
const { PollingSession, fetch } = require("./support/raw-http");
const { RawWebSocket } = require("./support/raw-websocket");
const { until, within } = require("./support/waiting");

const TARGET = "/socket.io/?EIO=4&transport=websocket";

/** Replaces functions of an object by some that do nothing; gives what undoes it. */
function fake(object, names) {
  const before = names.map((name) => object[name]);
  for (const name of names) object[name] = () => ({ ref() {}, unref() {}, hasRef: () => false });
  return () => names.forEach((name, i) => (object[name] = before[i]));
}

for (const implementation of selected()) {
  // upstream calls process.nextTick() as it is at the moment
  const ticks = implementation === ours ? ["nextTick"] : [];
  test(`${implementation.name}: faked timers stop no connection`, async (t) => {
    const { exports, global } = loadCopy(implementation);
    const names = ["setImmediate", "setInterval", "clearImmediate", "clearInterval"];
    const undo = [fake(global, names), fake(global.process, ticks), fake(timers, names)];
    t.after(() => undo.forEach((restore) => restore()));
    const httpServer = http.createServer();
    const io = new exports.Server(httpServer);
    httpServer.listen(0, "127.0.0.1");
    await until(httpServer, "listening");
    const { port } = httpServer.address();
    io.on("connection", (socket) => socket.on("x", (reply) => reply("y")));

    const talk = async () => {
      const raw = await RawWebSocket.open(port, TARGET);
      await raw.next();
      assert.match(await raw.join(), /^40/);
      raw.text('420["x"]');
      assert.equal(await raw.next(), '430["y"]');
      return raw;
    };
    const raws = [await talk()];
    // by a connection that is kept, which a worker may get
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    t.after(() => agent.destroy());
    const { body } = await fetch(port, "GET", "/socket.io/?EIO=4&transport=polling", { agent });
    const { sid } = JSON.parse(body.slice(1));
    const target = `/socket.io/?EIO=4&transport=polling&sid=${sid}`;
    assert.equal((await fetch(port, "POST", target, { agent, body: "40" })).body, "ok");
    assert.match((await fetch(port, "GET", target, { agent })).body, /^40/);
    await PollingSession.open(port);

    for (const restore of undo.splice(0)) restore();
    raws.push(await talk());
    for (const raw of raws) raw.destroy();
    await within(io.close(), "close");
  });

  test(`${implementation.name}: what timeout() counts is the program's to turn`, async (t) => {
    const { exports, global } = loadCopy(implementation);
    const httpServer = http.createServer();
    const io = new exports.Server(httpServer);
    httpServer.listen(0, "127.0.0.1");
    await until(httpServer, "listening");
    const connection = until(io, "connection");
    const raw = await RawWebSocket.open(httpServer.address().port, TARGET);
    await raw.next();
    await raw.join();
    const [socket] = await connection;
    const due = [];
    const { setTimeout } = global;
    global.setTimeout = (callback) => due.push(callback);
    t.after(() => (global.setTimeout = setTimeout));
    const alone = new Promise((resolve) => socket.timeout(60_000).emit("x", resolve));
    const all = new Promise((resolve) => io.timeout(60_000).emit("x", resolve));
    assert.equal(due.length, 2);
    for (const callback of due) callback();
    for (const error of [await alone, await all])
      assert.equal(error.message, "operation has timed out");
    raw.destroy();
    await within(io.close(), "close");
  });
}

/** The files that count what programs set, by the clock that programs see. */
const TIMED = new Set([
  "acks.js",
  "client.js",
  "engine.js",
  "hand-over.js",
  "operator.js",
  "take-over.js",
  "webtransport.js",
  ...["adapter.js", "link.js", "requests.js"].map((name) => path.join("redis", name)),
]);

test("no file uses timers of the global object, but for what programs time", () => {
  for (const folder of ["lib", "v2"]) {
    const directory = path.join(__dirname, "..", folder);
    for (const file of fs.readdirSync(directory, { recursive: true })) {
      if (!file.endsWith(".js") || path.basename(file) === "loop.js") continue;
      const code = fs
        .readFileSync(path.join(directory, file), "utf8")
        .replaceAll(/\/\*[^]*?\*\/|\/\/.*|"[^"\n]*"(?!\))|`[^`]*`/g, "");
      assert.doesNotMatch(code, /process\.nextTick|queueMicrotask|globalThis|node:timers/, file);
      for (const [, before, name] of code.matchAll(
        /(.?)\b((?:set|clear)(?:Immediate|Interval|Timeout))\((?!\))/g,
      )) {
        const taken = new RegExp(
          `const \\{[^}]*\\b${name}\\b[^}]*\\} = require\\("[./a-z]*/loop"\\)`,
        );
        if (before === "." || taken.test(code)) continue;
        assert.ok(
          name.endsWith("Timeout") && (TIMED.has(path.basename(file)) || TIMED.has(file)),
          `${file} uses ${name}()`,
        );
      }
    }
  }
});
