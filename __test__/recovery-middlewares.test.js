"use strict";

// Sessions that come back where middlewares are asked again: they think, they refuse, their client is gone meanwhile.

const assert = require("node:assert/strict");
const { describe, it } = require("node:test");
const { Server } = require("..");
const { RawWebSocket } = require("./support/raw-websocket");
const { eventually, turns, until } = require("./support/waiting");

const ASKED = { connectionStateRecovery: { skipMiddlewares: false } };

/** A server whose middleware leaves the answer to the test: `asked` are the sockets that wait, with `answer(error)`. */
async function stage(t) {
  const io = new Server(0, ASKED);
  t.after(() => io.close());
  /** @type {{ socket: any, answer: (error?: Error) => void }[]} */
  const asked = [];
  io.use((socket, answer) => void asked.push({ socket, answer }));
  const { port } = /** @type {any} */ (io.httpServer.address());
  const open = async (auth) => {
    const raw = await RawWebSocket.open(port, "/socket.io/?EIO=4&transport=websocket");
    await raw.next();
    raw.text(`40${JSON.stringify(auth)}`);
    return raw;
  };
  const ask = async (auth = {}) => {
    const before = asked.length;
    const raw = await open(auth);
    await eventually(() => asked.length > before, "the middleware");
    return { raw, ...asked.at(-1) };
  };
  /** One that has got an event and is lost: `{ id, auth }`. */
  const lost = async () => {
    const { raw, socket, answer } = await ask();
    answer();
    const { sid, pid } = JSON.parse((await raw.next()).slice(2));
    socket.join("room");
    socket.emit("first");
    const offset = JSON.parse((await raw.next()).slice(2)).at(-1);
    const gone = until(socket, "disconnect");
    raw.destroy();
    await gone;
    return { id: sid, auth: { pid, offset } };
  };
  return { io, ask, asked, lost };
}

const nameOf = (packet) => (packet.startsWith("42") ? JSON.parse(packet.slice(2))[0] : packet);

/** The names of what comes up to an event "end"; CONNECT is "CONNECT". */
async function names(raw) {
  const all = [];
  for (let name = ""; name !== "end"; all.push(name)) {
    name = nameOf(await raw.next());
    if (name.startsWith("40")) name = "CONNECT";
  }
  return all;
}

describe("a session that comes back by middlewares", () => {
  it("gets what is sent while they think", async (t) => {
    const { io, ask, lost } = await stage(t);
    const { id, auth } = await lost();
    io.emit("while away");
    const { raw, socket, answer } = await ask(auth);
    assert.equal(socket.id, id);
    assert.equal(socket.recovered, true);
    io.to("room").emit("while they think");
    await turns(3);
    io.to("another room").emit("for others");
    answer();
    await eventually(() => socket.connected, "the socket");
    io.to("room").emit("end");
    assert.deepEqual(await names(raw), ["while away", "while they think", "CONNECT", "end"]);
    raw.destroy();
  });

  it("gets nothing when they refuse, and may come again", async (t) => {
    const { io, ask, lost } = await stage(t);
    const { id, auth } = await lost();
    io.emit("a secret");
    const refused = await ask(auth);
    refused.answer(new Error("no"));
    assert.equal(await refused.raw.next(), '44{"message":"no"}');
    const again = await ask(auth);
    again.answer();
    await eventually(() => again.socket.connected, "the socket");
    assert.equal(again.socket.id, id);
    io.to("room").emit("end");
    assert.deepEqual(await names(again.raw), ["a secret", "CONNECT", "end"]);
    refused.raw.destroy();
    again.raw.destroy();
  });

  it("stays in its rooms when they answer late for a connection that has gone", async (t) => {
    for (const error of [undefined, new Error("no")]) {
      const { io, ask, lost } = await stage(t);
      const { auth } = await lost();
      const gone = await ask(auth);
      const ended = until(gone.socket.conn, "close");
      gone.raw.destroy();
      await ended;
      const back = await ask(auth);
      gone.answer(error);
      await turns(3);
      assert.equal(back.socket.rooms.has("room"), true, "before it is in");
      back.answer();
      await eventually(() => back.socket.connected, "the socket");
      gone.answer(error);
      gone.socket.leave("room");
      gone.socket.leaveAll();
      await turns(3);
      assert.equal(back.socket.recovered, true);
      assert.equal(back.socket.rooms.has("room"), true);
      assert.equal(io.of("/").sockets.get(back.socket.id), back.socket);
      io.to("room").emit("end");
      assert.deepEqual(await names(back.raw), ["CONNECT", "end"]);
      back.raw.destroy();
    }
  });

  it("is taken over from a connection for which they still think", async (t) => {
    const { io, ask, lost } = await stage(t);
    const { id, auth } = await lost();
    io.emit("while away");
    const zombie = await ask(auth);
    const second = await ask(auth);
    assert.equal(second.socket.id, id);
    assert.equal(second.socket.recovered, true);
    assert.deepEqual(await zombie.raw.next(), { close: null });
    zombie.answer();
    second.answer();
    await eventually(() => second.socket.connected, "the socket");
    assert.equal(zombie.socket.connected, false);
    io.to("room").emit("end");
    assert.deepEqual(await names(second.raw), ["while away", "CONNECT", "end"]);
    assert.equal(io.of("/").sockets.size, 1);
    assert.equal(io.engine.clientsCount, 1);
    second.raw.destroy();
  });

  it("is not taken over by a second CONNECT of the same connection", async (t) => {
    const { io, ask, asked, lost } = await stage(t);
    const { id, auth } = await lost();
    const { raw, socket, answer } = await ask(auth);
    raw.text(`40${JSON.stringify(auth)}`);
    await eventually(() => asked.at(-1).socket !== socket, "the middleware");
    assert.equal(socket.id, id);
    assert.notEqual(asked.at(-1).socket.id, id);
    assert.equal(socket.conn.readyState, "open");
    answer();
    await eventually(() => socket.connected, "the socket");
    io.to("room").emit("end");
    const all = await names(raw);
    assert.equal(all.at(-1), "end");
    raw.destroy();
  });
});
