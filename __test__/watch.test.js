"use strict";

/** `node --watch`: a program that is changed is started anew, and the one before it ends at once, with clients and all. */

const assert = require("node:assert/strict");
const { spawn } = require("node:child_process");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const readline = require("node:readline");
const { test } = require("node:test");
const { io: connect } = require("socket.io-client");
const { selected } = require("./support/implementations");
const { until, within } = require("./support/waiting");

const program = (implementation, version) => `
const { Server } = require(${JSON.stringify(implementation.path)});
const io = new Server(0);
io.on("connection", (socket) => socket.emit("version", ${version}));
console.log("port", io.httpServer.address().port);
`;

/** The port in the next line that names one. @param {AsyncIterator<string>} lines */
async function nextPort(lines) {
  for (;;) {
    const { value = "", done } = await lines.next();
    assert.ok(!done, "the program has ended");
    const [, port] = /^port (\d+)$/.exec(value) ?? [];
    if (port !== undefined) return Number(port);
  }
}

for (const implementation of selected()) {
  test(`${implementation.name}: node --watch starts a changed program anew`, async (t) => {
    const folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), "ferrosocket-watch-")));
    t.after(() => fs.rmSync(folder, { recursive: true, force: true }));
    const file = path.join(folder, "server.js");
    fs.writeFileSync(file, program(implementation, 1));
    const child = spawn(process.execPath, ["--watch", file], {
      cwd: folder,
      env: { ...process.env, NODE_TEST_CONTEXT: undefined, NODE_OPTIONS: "" },
      stdio: ["ignore", "pipe", "inherit"],
    });
    const ended = until(child, "close", 120_000);
    t.after(() => child.kill("SIGTERM"));
    const lines = readline.createInterface({ input: child.stdout })[Symbol.asyncIterator]();

    for (const version of [1, 2, 3]) {
      const port = await within(nextPort(lines), `program ${version}`, 60_000);
      const options = { forceNew: true, reconnection: false };
      const clients = [["websocket"], ["polling"]].map((transports) =>
        connect(`http://127.0.0.1:${port}`, { ...options, transports }),
      );
      t.after(() => clients.forEach((client) => client.disconnect()));
      const versions = await Promise.all(clients.map((client) => until(client, "version")));
      assert.deepEqual(versions, [[version], [version]]);
      if (version === 3) break;
      const gone = clients.map((client) => until(client, "disconnect", 60_000));
      fs.writeFileSync(file, program(implementation, version + 1));
      await Promise.all(gone);
    }
    child.kill("SIGTERM");
    await ended;
  });
}
