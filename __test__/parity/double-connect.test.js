"use strict";

/** A client that asks for a namespace again before it is in: what sockets are made, and that all of them end with it. */

const assert = require("node:assert/strict");
const { OPCODE, frame } = require("../support/raw-websocket");
const { PollingSession } = require("../support/raw-http");
const { deferred, eventually, turns, until } = require("../support/waiting");
const { catchUncaught, scenario } = require("./harness");
const { WEBSOCKET } = require("./raw-pairs");

const TIMES = 5;
const V3 = { allowEIO3: true };
const RECOVERY = { connectionStateRecovery: {} };

/** Notes the life of every socket of a namespace. */
function watch(nsp) {
  const lives = { connected: [], ended: [] };
  nsp.on("connection", (socket) => {
    lives.connected.push(socket);
    socket.on("disconnect", (reason) => lives.ended.push(reason));
    socket.join("room");
  });
  return lives;
}

/** That nothing is left of anybody. */
function nothingLeft({ io }, names = ["/"]) {
  for (const name of names) {
    const { sockets, adapter, _preConnectSockets: pending } = io.of(name);
    assert.deepEqual(
      [sockets.size, pending.size, adapter.rooms.size, adapter.sids.size],
      [0, 0, 0, 0],
    );
  }
  assert.equal(io.engine.clientsCount, 0);
}

/** A WebSocket that has sent the same packets several times in one write. */
async function flooding(stage, packets, target = WEBSOCKET) {
  const raw = await stage.webSocket(target);
  await raw.next();
  const frames = packets.map((packet) => frame(OPCODE.text, packet));
  raw.socket.write(Buffer.concat(frames));
  return raw;
}

for (const [name, options, namespace] of [
  ["in the main namespace", {}, "/"],
  ["in another one", {}, "/other"],
  ["in a dynamic one", {}, "/dynamic-1"],
  ["with recovery", RECOVERY, "/"],
]) {
  scenario(`several CONNECTs in one write, ${name}`, { options }, async (stage) => {
    const { io, trace } = stage;
    if (namespace === "/dynamic-1") io.of(/^\/dynamic-/);
    const lives = watch(io.of(namespace));
    const connect = namespace === "/" ? "40" : `40${namespace},`;
    const raw = await flooding(stage, Array(TIMES).fill(connect));
    await eventually(() => lives.connected.length === TIMES, "all of them");
    const [{ client }] = lives.connected;
    assert.equal(io.of(namespace).sockets.size, TIMES);
    assert.equal(client.sockets.size, TIMES);
    assert.equal(client.nsps.get(namespace), lives.connected.at(-1));
    raw.destroy();
    await eventually(() => lives.ended.length === TIMES, "all ends");
    await turns(2);
    trace("reasons", ...lives.ended);
    assert.equal(client.sockets.size, 0);
    nothingLeft(stage, [namespace]);
  });
}

scenario("several CONNECTs in one body", async (stage) => {
  const lives = watch(stage.io);
  const session = await PollingSession.open(stage.port);
  await session.post(Array(TIMES).fill("40").join("\x1e"));
  await eventually(() => lives.connected.length === TIMES, "all of them");
  const parked = session.get();
  await session.post("1");
  await eventually(() => lives.ended.length === TIMES, "all ends");
  await parked;
  stage.trace("reasons", ...lives.ended);
  nothingLeft(stage);
});

scenario("a CONNECT to a namespace that the client is in", async (stage) => {
  const lives = watch(stage.io);
  const raw = await stage.webSocket();
  await raw.next();
  await raw.join();
  raw.text("40");
  await eventually(() => lives.ended.length === 1, "its end");
  stage.trace("reasons", ...lives.ended);
  assert.equal(lives.connected.length, 1);
  nothingLeft(stage);
});

scenario("which of several sockets gets the packets", async (stage) => {
  const { io, trace } = stage;
  const lives = watch(io);
  const raw = await flooding(stage, ["40", "40"]);
  await eventually(() => lives.connected.length === 2, "both");
  const [first, last] = lives.connected;
  for (const socket of [first, last])
    socket.on("who", () => socket.emit("me", socket === first ? "first" : "last"));
  assert.match(await raw.next(), /^40/);
  assert.match(await raw.next(), /^40/);
  raw.text('42["who"]');
  assert.equal(await raw.next(), '42["me","last"]');
  // the one that it does not speak to can be sent to, and goes: then nobody is left for its packets
  first.emit("a");
  assert.equal(await raw.next(), '42["a"]');
  first.disconnect();
  assert.equal(await raw.next(), "41");
  assert.deepEqual([first.client.nsps.size, first.client.sockets.size], [0, 1]);
  raw.text('42["who"]');
  const [reason] = await until(last, "disconnect");
  trace("reason", reason);
  nothingLeft(stage);
});

scenario("the one that gets the packets leaves", async (stage) => {
  const lives = watch(stage.io);
  const raw = await flooding(stage, ["40", "40"]);
  await eventually(() => lives.connected.length === 2, "both");
  raw.text("41");
  await eventually(() => lives.ended.length === 1, "its end");
  assert.equal(lives.connected[0].connected, true);
  // and may come back
  raw.text("40");
  await eventually(() => lives.connected.length === 3, "another one");
  raw.destroy();
  await eventually(() => lives.ended.length === 3, "all ends");
  stage.trace("reasons", ...lives.ended);
  nothingLeft(stage);
});

scenario("disconnect(true) of one of several sockets", async (stage) => {
  const lives = watch(stage.io);
  await flooding(stage, ["40", "40", "40"]);
  await eventually(() => lives.connected.length === 3, "all of them");
  lives.connected[0].disconnect(true);
  await eventually(() => stage.io.engine.clientsCount === 0, "the end of the connection");
  stage.trace("reasons", ...lives.ended);
  nothingLeft(stage);
});

scenario("clients that go while middlewares think", async (stage) => {
  const { io } = stage;
  const lives = watch(io);
  const answers = [];
  io.use((socket, next) => {
    socket.join("early");
    answers.push(next);
  });
  const raw = await flooding(stage, ["40", "40", "40"]);
  await eventually(() => answers.length === 3, "all questions");
  answers[0]();
  await eventually(() => lives.connected.length === 1, "the first one");
  raw.destroy();
  await eventually(() => io.engine.clientsCount === 0, "the end");
  answers[1]();
  answers[2](new Error("no"));
  await turns(3);
  assert.equal(lives.connected.length, 1);
  stage.trace("reasons", ...lives.ended);
  nothingLeft(stage);
});

scenario("a namespace that several questions are asked about", async (stage) => {
  const { io } = stage;
  const answers = [];
  io.of((name, auth, next) => answers.push(next)).on("connection", (socket) => socket.join("room"));
  const raw = await flooding(stage, ["40/a,", "40/a,", "40/a,"]);
  await eventually(() => answers.length === 3, "all questions");
  answers[0](null, true);
  answers[1](null, true);
  await eventually(() => io._nsps.get("/a")?.sockets.size === 2, "both");
  raw.destroy();
  await eventually(() => io.engine.clientsCount === 0, "the end");
  answers[2](null, true);
  await turns(3);
  nothingLeft(stage, ["/a"]);
});

scenario("differs: middlewares that never answer", async (stage) => {
  const { io } = stage;
  const asked = deferred("the middleware");
  io.use((socket) => {
    socket.join("early");
    asked.resolve();
  });
  const raw = await flooding(stage, ["40"]);
  await asked.promise;
  raw.destroy();
  await eventually(() => io.engine.clientsCount === 0, "the end");
  await turns(2);
  const left = io._nsps.get("/");
  assert.deepEqual(
    [left._preConnectSockets.size, left.adapter.rooms.size],
    stage.either([1, 1], [0, 0]),
  );
});

scenario("differs: protocol 3, several CONNECTs in one write", { options: V3 }, async (stage) => {
  const lives = watch(stage.io.of("/a"));
  const raw = await flooding(stage, ["40/a", "40/a"], "/socket.io/?EIO=3&transport=websocket");
  await eventually(() => lives.connected.length === 2, "both");
  raw.destroy();
  await eventually(() => stage.io.engine.clientsCount === 0, "the end");
  await turns(2);
  // both have the same id there: upstream loses sight of one of them
  const left = lives.connected.filter(({ connected }) => connected);
  assert.deepEqual([lives.ended.length, left.length], stage.either([1, 1], [2, 0]));
  nothingLeft(stage, ["/a"]);
});

scenario("differs: a client that is closed while its socket is being connected", async (stage) => {
  const { io } = stage;
  const lives = watch(io);
  io.of("/").adapter.once("join-room", (room, id) => {
    io.of("/").sockets.get(id).client.close();
  });
  await flooding(stage, ["40"]);
  await eventually(() => io.engine.clientsCount === 0, "the end");
  await eventually(() => lives.connected.length === 1, "the socket");
  await turns(2);
  assert.deepEqual([lives.ended.length, io.of("/").sockets.size], stage.either([0, 1], [1, 0]));
});

scenario("differs: a disconnect listener that throws", async (stage) => {
  const { io } = stage;
  const thrown = catchUncaught(stage);
  const connected = [];
  for (const name of ["/", "/a"])
    io.of(name).on("connection", (socket) => {
      connected.push(socket);
      socket.join("room");
      socket.on("disconnecting", () => {
        throw new Error("on purpose");
      });
    });
  const raw = await flooding(stage, ["40", "40/a,"]);
  await eventually(() => connected.length === 2, "both");
  raw.destroy();
  await eventually(() => thrown.length > 0, "the error");
  await turns(2);
  const left = connected.filter((socket) => socket.nsp.sockets.has(socket.id)).length;
  assert.equal(left, stage.either(2, 0));
});

scenario("differs: a broadcast to two sockets of one client", async (stage) => {
  const { io } = stage;
  const lives = watch(io);
  const raw = await flooding(stage, ["40", "40"]);
  await eventually(() => lives.connected.length === 2, "both");
  for (let i = 0; i < 2; i++) assert.match(await raw.next(), /^40/);
  io.emit("a");
  io.to("room").emit("b");
  const [first, last] = lives.connected;
  first.leave("room");
  io.to("room").emit("c");
  first.emit("end");
  const seen = [];
  for (let packet; (packet = await raw.next()) !== '42["end"]';) seen.push(packet);
  const [a, b, c] = ["a", "b", "c"].map((name) => `42["${name}"]`);
  assert.deepEqual(seen, stage.either([a, a, b, b, c], [a, b, c]));
  // whichever of them goes, the other one hears all that is for it
  first.disconnect();
  assert.equal(await raw.next(), "41");
  io.emit("d");
  io.to("room").emit("e");
  assert.deepEqual([await raw.next(), await raw.next()], ['42["d"]', '42["e"]']);
  assert.equal(last.connected, true);
});
