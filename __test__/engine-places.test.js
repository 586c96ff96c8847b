"use strict";

/** Engine.IO by itself where a program may have it: in a thread of its own, and in one that is blocked. */

const assert = require("node:assert/strict");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const { test } = require("node:test");
const { Socket: Client } = require("engine.io-client");
const { spawn } = require("./support/child");
const { eventually, gather, until } = require("./support/waiting");

const ENGINE = { path: path.join(__dirname, "..", "engine.io.js") };
const UPGRADED = ["polling", "websocket"];
/** In a worker_thread, Node.js accepts connections: a client whose requests come by new ones has to wait. */
const TRANSPORTS = {
  main: [["websocket"], ["polling"], UPGRADED],
  thread: [["websocket"], UPGRADED],
};
const PINGS = 4;
const PATIENCE = 240_000; // ms

for (const place of Object.keys(TRANSPORTS))
  test(
    `a blocked event loop loses no client and no message: ${place}`,
    { timeout: PATIENCE },
    async (t) => {
      const directory = fs.mkdtempSync(path.join(os.tmpdir(), "engine-places-"));
      t.after(() => fs.rmSync(directory, { recursive: true }));
      const release = path.join(directory, "release");
      const server = spawn("engine-places", ENGINE, { args: [release, place] });
      t.after(server.kill);
      const { port } = await server.message();
      const clients = [];
      for (const transports of TRANSPORTS[place]) {
        const client = new Client(`http://127.0.0.1:${port}`, { transports });
        t.after(() => client.close());
        await until(client, "open");
        if (transports.length > 1) await until(client, "upgrade");
        clients.push(client);
        const echoed = until(client, "message");
        client.send("hi");
        assert.deepEqual(await echoed, ["hi"]);
      }
      const [first] = clients;
      first.send("block");
      await eventually(() => fs.existsSync(`${release}.blocked`) || place === "main", "the block");
      if (place === "main") assert.equal(await server.message(), "blocked");
      // each ping but the first comes because a worker has read the pong before it
      const pinged = clients.map((client) => gather(client, "ping", PINGS));
      const echoes = clients.map((client) => gather(client, "message", 3));
      for (const client of clients) for (const text of ["a", "b", "c"]) client.send(text);
      await Promise.all(pinged);
      if (place === "main") {
        // who comes meanwhile
        for (const transports of [["websocket"], ["polling"]]) {
          const client = new Client(`http://127.0.0.1:${port}`, { transports });
          t.after(() => client.close());
          await until(client, "open");
          echoes.push(gather(client, "message", 3));
          for (const text of ["a", "b", "c"]) client.send(text);
          clients.push(client);
        }
      }
      fs.writeFileSync(release, "");
      for (const echo of echoes) assert.deepEqual(await echo, [["a"], ["b"], ["c"]]);
      const told = until(first, "message");
      first.send("lost");
      assert.deepEqual(await told, ["[]"]);
      for (const client of clients) client.close();
      server.send("close");
      assert.equal((await server.exit()).code, 0);
    },
  );
