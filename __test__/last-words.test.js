"use strict";

/** What is sent just before the process ends arrives. */

const assert = require("node:assert/strict");
const { test } = require("node:test");
const { setImmediate } = require("node:timers/promises");

const { Server } = require("..");
const { spawn } = require("./support/child");
const { oracle, ours, selected } = require("./support/implementations");
const { RawWebSocket } = require("./support/raw-websocket");
const { until } = require("./support/waiting");

const CLIENTS = 8;

async function join(t, port) {
  const raw = await RawWebSocket.open(port, "/socket.io/?EIO=4&transport=websocket");
  t.after(() => raw.destroy());
  await raw.next(); // the handshake
  raw.text("40");
  assert.match(await raw.next(), /^40/);
  return raw;
}

/** The event "last" among all that comes. */
async function lastWords(raw) {
  const all = await raw.rest();
  return all.filter((packet) => packet.startsWith?.('42["last","words"')).length;
}

for (const how of [
  "process.exit()",
  "an error",
  "a broadcast",
  "many packets",
  "what adapters call",
  "in an exit listener",
  "in a later exit listener",
]) {
  // npm's has sent one packet of a tick by then, and the others wait for it
  for (const implementation of selected(how === "many packets" ? [ours] : [oracle, ours])) {
    test(`${implementation.name}: ${how}`, async (t) => {
      const child = spawn("last-words", implementation, { args: [how] });
      t.after(() => child.kill());
      const port = await child.message();
      const clients = [];
      for (let n = 0; n < CLIENTS; n++) clients.push(await join(t, port));
      const [first] = clients;
      // one piece: what comes behind the first packet is still to be handed to its handler when that ends the process
      first.socket.cork();
      first.text('42["end"]');
      first.text('42["other"]');
      first.socket.uncork();
      const toAll = !["process.exit()", "an error", "many packets"].includes(how);
      const got = await Promise.all(clients.map(lastWords));
      assert.deepEqual(
        got,
        clients.map((client) => Number(toAll || client === first)),
      );
      await child.exit();
    });
  }
}

test("a process that is only said to end goes on as before", async (t) => {
  const listening = process.listenerCount("exit");
  const io = new Server(0);
  t.after(() => io.close());
  const connected = until(io, "connection");
  const raw = await join(t, io.httpServer.address().port);
  const [socket] = await connected;
  assert.equal(process.listenerCount("exit"), listening + 1);
  const border = io.engine.border();
  const { operations } = border;
  border.onexit(); // and not the event, by which the test runner would end
  socket.emit("a");
  assert.equal(operations.length, 0);
  await new Promise((resolve) => process.nextTick(resolve));
  socket.emit("b");
  assert.ok(operations.length > 0);
  assert.equal(await raw.next(), '42["a"]');
  assert.equal(await raw.next(), '42["b"]');
  raw.destroy();
  await io.close();
  while (process.listenerCount("exit") > listening) await setImmediate();
});
