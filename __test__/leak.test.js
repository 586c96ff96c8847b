"use strict";

/**
 * Ten thousand connects and disconnects leave nothing behind: file descriptors and heap come back to the base.
 *
 * Two thousand go before the base is taken, so that caches and compiled code are in it. Half are WebSockets that vanish in
 * three ways, half are polling sessions that end themselves.
 */

const assert = require("node:assert/strict");
const http = require("node:http");
const { test } = require("node:test");
const { selected, ours } = require("./support/implementations");
const { OPCODE, RawWebSocket } = require("./support/raw-websocket");
const { start } = require("./support/raw-http");
const { spawn } = require("./support/child");

const WARM_UP = 2_000;
const ROUNDS = 10_000;
const AT_ONCE = 20;
/** A leak of 100 bytes per connection would show as 1 MB. */
const HEAP_TOLERANCE = 1_000_000;
const FD_TOLERANCE = 3;

/** A WebSocket session: join, one event, and one of three ends. */
async function webSocketSession(port, n) {
  const raw = await RawWebSocket.open(port, "/socket.io/?EIO=4&transport=websocket");
  await raw.next();
  await raw.join();
  raw.text('420["x"]');
  await raw.next();
  if (n % 3 === 0) raw.destroy();
  else {
    if (n % 3 === 1) raw.send(OPCODE.close, Buffer.from([3, 232]));
    else raw.text('42["connect"]');
    await raw.rest();
    raw.destroy();
  }
}

/** A polling session: handshake, join, and the close packet. */
async function pollingSession(port, agent) {
  const ask = (method, target, body) => start(port, method, target, { agent, body }).response;
  const url = "/socket.io/?EIO=4&transport=polling";
  const { sid } = JSON.parse((await ask("GET", url)).body.slice(1));
  await ask("POST", `${url}&sid=${sid}`, "40");
  await ask("GET", `${url}&sid=${sid}`);
  // Upstream keeps a timer for 30 s for a session that ends while no GET waits.
  const parked = ask("GET", `${url}&sid=${sid}`);
  await ask("POST", `${url}&sid=${sid}`, "1");
  await parked;
}

async function churn(port, count) {
  const agent = new http.Agent({ keepAlive: true, maxSockets: AT_ONCE * 2 });
  let next = 0;
  const lane = async () => {
    while (next < count) {
      const n = next++;
      if (n % 2 === 0) await webSocketSession(port, n / 2);
      else await pollingSession(port, agent);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
  agent.destroy();
}

/** Measures again and again until the server has noticed every end. */
async function measure(server) {
  for (;;) {
    server.send("measure");
    const figures = await server.message();
    if (figures.clients === 0 && figures.sockets === 0) return figures;
  }
}

for (const implementation of selected([ours])) {
  test(
    `${implementation.name}: ${ROUNDS} connects and disconnects leave nothing behind`,
    { timeout: 600_000 },
    async (t) => {
      const server = spawn("leak-server", implementation, { execArgv: ["--expose-gc"] });
      t.after(server.kill);
      const { port } = await server.message();
      await churn(port, WARM_UP);
      const base = await measure(server);
      await churn(port, ROUNDS);
      let after = await measure(server);
      // Descriptors of connections just closed may still be on their way out.
      for (let i = 0; i < 200 && after.fds > base.fds + FD_TOLERANCE; i++)
        after = await measure(server);
      const grown = `${base.heap} → ${after.heap} bytes`;
      t.diagnostic(
        `heap ${grown}, external ${base.external} → ${after.external}, fds ${base.fds} → ${after.fds}`,
      );
      assert.equal(after.rooms, 0);
      assert.ok(after.fds <= base.fds + FD_TOLERANCE, `descriptors ${base.fds} → ${after.fds}`);
      assert.ok(after.heap <= base.heap + HEAP_TOLERANCE, `heap ${grown}`);
      assert.ok(
        after.external <= base.external + HEAP_TOLERANCE,
        `external ${base.external} → ${after.external}`,
      );
      server.send("close");
      const { code, stderr } = await server.exit();
      assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
    },
  );
}
