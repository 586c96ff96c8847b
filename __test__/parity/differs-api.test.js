"use strict";

/** What is on purpose not as upstream for programs: what each of the two does. docs/differences.md says why. */

const assert = require("node:assert/strict");
const { once } = require("node:events");
const fs = require("node:fs");
const http = require("node:http");
const { Server: WebSocketServer } = require("ws");
const { catchUncaught, scenario } = require("./harness");
const { eventually, gather, until } = require("../support/waiting");
const { pollingPair, refusals, webSocketPair } = require("./raw-pairs");

scenario("differs: conn.writeBuffer counts from the first look on", async (stage) => {
  const { socket } = await pollingPair(stage);
  socket.emit("a");
  assert.equal(socket.conn.writeBuffer.length, stage.either(1, 0));
});

scenario("differs: when the kernel gets what emit() sends", async (stage) => {
  const { raw, socket } = await webSocketPair(stage);
  socket.emit("a");
  const { fd } = raw.socket._handle;
  const look = () => fs.readSync(fd, Buffer.alloc(99));
  if (stage.either(false, true)) assert.throws(look, { code: "EAGAIN" });
  else assert.ok(look() > 0);
});

scenario(
  "differs: what a packetCreate listener makes of a packet",
  { modes: ["websocket"] },
  async (stage) => {
    const { raw, socket } = await webSocketPair(stage);
    socket.conn.once("packetCreate", (packet) => {
      packet.data = '2["changed"]';
    });
    socket.emit("as it was");
    assert.equal(await raw.next(), stage.either('42["changed"]', '42["as it was"]'));
  },
);

scenario("differs: an answer to an ack that has thrown", { trace: false }, async (stage) => {
  const { raw, socket } = await webSocketPair(stage);
  let calls = 0;
  const thrown = catchUncaught(stage);
  socket.emit("ask", () => {
    calls++;
    if (calls === 1) throw new Error("from the ack");
  });
  const [, id] = /^42(\d+)/.exec(await raw.next());
  raw.text(`43${id}[]`);
  await eventually(() => thrown.length === 1, "the error");
  raw.text(`43${id}[]`);
  raw.text('42["behind"]');
  await until(socket, "behind");
  assert.equal(calls, stage.either(2, 1));
});

scenario("differs: files of dist/", { server: false }, async (stage) => {
  const name = stage.either("socket.io", "ferrosocket");
  for (const file of ["dist/socket", "dist/socket.js", "lib/socket", "lib/namespace"]) {
    const load = () => require(`${name}/${file}`);
    if (stage.either(true, false)) assert.throws(load, { code: "ERR_PACKAGE_PATH_NOT_EXPORTED" });
    else
      assert.match(String(file.startsWith("lib/") ? load() : Object.values(load())[0]), /^class /);
  }
});

scenario("differs: wsEngine", { server: false }, async (stage) => {
  let made = false;
  const wsEngine = class extends WebSocketServer {
    constructor(...args) {
      super(...args);
      made = true;
    }
  };
  stage.server = true;
  stage.options = { wsEngine };
  await stage.open();
  await webSocketPair(stage);
  assert.equal(made, stage.either(true, false));
});

scenario(
  "differs: what a drain listener throws keeps nothing back",
  { modes: ["websocket"] },
  async (stage) => {
    const [first, second] = [await stage.pair(), await stage.pair()];
    first.socket.conn.once("drain", () => {
      throw new Error("from drain");
    });
    const whole = stage.either(undefined, () => gather(first.client, "a", 1))?.(); // of upstream comes half of it
    assert.throws(() => stage.io.emit("a", Buffer.from([1])), { message: "from drain" });
    second.socket.emit("b");
    const names = [];
    second.client.onAny((name) => names.push(name));
    await until(second.client, "b");
    assert.deepEqual(names, stage.either(["b"], ["a", "b"]));
    await whole;
  },
);

scenario(
  "differs: a child namespace of which a new_namespace listener throws",
  { modes: ["websocket"], options: { cleanupEmptyChildNamespaces: true } },
  async (stage) => {
    const { io } = stage;
    const parent = io.of(/^\/child-/);
    io.on("new_namespace", ({ name }) => {
      if (name === "/child-bad") throw new Error("from new_namespace");
    });
    const client = stage.client("/child-bad");
    await until(client.io, "close");
    assert.equal(parent.children.size, stage.either(1, 0));
    assert.equal(io._nsps.has("/child-bad"), stage.either(true, false));
    const { socket } = await stage.pair("/child-good");
    assert.equal(parent.children.has(socket.nsp), true);
  },
);

scenario("differs: connection_error tells why a middleware failed", async (stage) => {
  const error = new Error("no");
  stage.io.engine.use((_req, _res, next) => next(error));
  const seen = refusals(stage.io);
  const { status, body } = await stage.http("GET", "/socket.io/?EIO=4&transport=polling");
  stage.trace("client", status, body);
  const context = { name: "MIDDLEWARE_FAILURE" };
  assert.deepEqual(seen[0].context, stage.either(context, { ...context, error }));
});

scenario(
  "differs: emitWithAck() of a broadcast without timeout() waits",
  { modes: ["websocket"], trace: false },
  async (stage) => {
    const { io } = stage;
    for (const [name, of] of [
      ["/", io.to("room")],
      ["/", io.except("nobody")],
      ["/other", io.of("/other").local],
    ]) {
      const { client, socket } = await stage.pair(name);
      socket.join("room");
      const asked = once(client, "ask");
      const answer = of.emitWithAck("ask");
      answer.catch(() => {}); // before it is looked at
      const [ack] = await asked;
      if (stage.either(true, false)) {
        await assert.rejects(answer, { message: "operation has timed out" });
      } else {
        const ready = once(socket, "ready");
        client.emit("ready"); // much later than upstream gives up
        await ready;
        ack("yes");
        assert.deepEqual(await answer, ["yes"]);
      }
      client.disconnect();
      await once(socket, "disconnect");
    }
  },
);

scenario("differs: a Blob can't be sent", { trace: false }, async (stage) => {
  const { raw, socket } = await webSocketPair(stage);
  const blob = new Blob(["abc"]);
  const tries = [
    [() => socket.emit("a", blob), "[1]"],
    [() => stage.io.emit("a", Buffer.alloc(1), [{ photo: blob }]), "[2][0].photo"],
    [() => stage.io.to(socket.id).emit("a", "x".repeat(2000), { blob }), "[2].blob"],
    [() => socket.timeout(50).emitWithAck("a", blob), "[1]"],
  ];
  if (stage.either(true, false)) {
    tries[0][0]();
    assert.match(String(await raw.next()), /^451-/);
    assert.equal(String(await raw.next()), "4[object Blob]"); // neither its bytes nor an attachment
    return;
  }
  for (const [send, path] of tries)
    await assert.rejects(async () => send(), {
      name: "TypeError",
      code: "SIO_ERR_UNREADABLE_ARGUMENT",
      message: `a Blob can't be sent (it is at ${path}): give its bytes, await blob.arrayBuffer()`,
    });
  socket.emit("a", await blob.arrayBuffer());
  assert.match(await raw.next(), /^451-/);
  assert.equal(String(await raw.next()), "abc");
});

scenario("differs: options that nobody can use", { server: false, trace: false }, async (stage) => {
  for (const options of [{ pingInterval: 5n }, { allowRequest: "x" }, { maxHttpBufferSize: 0 }]) {
    const make = () => new stage.lib.Server(http.createServer(), options);
    if (stage.either(true, false)) make();
    else assert.throws(make, { code: "SIO_ERR_INVALID_OPTION" });
  }
});
