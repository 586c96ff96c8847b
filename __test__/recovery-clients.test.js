"use strict";

// Clients of npm's socket.io-client come back by connections that the server does not know to be dead: a proxy between
// the two stops to carry anything, without a word to either.

const assert = require("node:assert/strict");
const net = require("node:net");
const { describe, it } = require("node:test");
const { io: connect } = require("socket.io-client");
const { Server } = require("..");
const { eventually, turns, until, within } = require("./support/waiting");

/** A proxy whose connections can be cut off in silence. */
class Proxy {
  #pairs = new Set();
  #server;
  #dead = false;

  static async open(port) {
    const proxy = new Proxy();
    proxy.#server = net.createServer((near) => {
      if (proxy.#dead) return near.destroy();
      const far = net.connect(port, "127.0.0.1");
      proxy.#pairs.add([near, far]);
      near.on("error", () => {}).pipe(far);
      far.on("error", () => {}).pipe(near);
    });
    proxy.#server.listen(0, "127.0.0.1");
    await until(proxy.#server, "listening");
    return proxy;
  }

  get url() {
    return `http://127.0.0.1:${this.#server.address().port}`;
  }

  /** The client's side ends, the server's hears nothing of it. Nobody comes through until the client has noticed. */
  async cut(client) {
    const noticed = until(client, "disconnect");
    this.#dead = true;
    for (const [near, far] of this.#pairs) {
      near.unpipe(far);
      far.unpipe(near);
      far.pause();
      near.destroy();
    }
    await noticed;
    this.#dead = false;
  }

  close() {
    for (const pair of this.#pairs) for (const side of pair) side.destroy();
    this.#server.close();
  }
}

async function stage(t, transport, options = {}) {
  const io = new Server(0, { connectionStateRecovery: {}, ...options });
  const proxy = await Proxy.open(/** @type {any} */ (io.httpServer.address()).port);
  const clients = [];
  t.after(async () => {
    for (const client of clients) client.disconnect();
    proxy.close();
    await io.close();
  });
  const client = (namespace = "/", more = {}) => {
    const one = connect(proxy.url + namespace, {
      transports: [transport],
      reconnectionDelay: 1,
      reconnectionDelayMax: 5,
      ...more,
    });
    clients.push(one);
    return one;
  };
  return { io, proxy, client };
}

/** The events that a client gets, without their offsets, after it has begun to look. */
function events(client) {
  const all = [];
  client.onAny((...args) => all.push(args.slice(0, 2).join(" ")));
  return all;
}

/** Joins by a connection of its own with what it says it is. */
async function join(client, auth) {
  const one = client("/", { forceNew: true, reconnection: false, auth });
  await until(one, "connect");
  return one;
}

for (const transport of ["websocket", "polling"]) {
  describe(`recovery of a client that is back before its end was noticed [${transport}]`, () => {
    it("takes over in every namespace; nothing is lost, nothing comes twice", async (t) => {
      const { io, proxy, client } = await stage(t, transport);
      const names = ["/", "/chat", "/news"];
      const parties = await Promise.all(
        names.map(async (name) => {
          const joined = until(io.of(name), "connection");
          const one = client(name);
          const [socket] = await joined;
          if (!one.connected) await until(one, "connect");
          return { name, one, socket, all: events(one), id: one.id, reasons: [], back: null };
        }),
      );
      assert.equal(new Set(parties.map(({ one }) => one.io)).size, 1, "one connection");
      for (const party of parties) {
        const { name, socket, one, all } = party;
        socket.data.name = name;
        socket.join("room");
        socket.on("disconnect", (reason) => party.reasons.push(reason));
        party.back = until(io.of(name), "connection");
        const got = until(one, "before");
        io.of(name).to("room").emit("before", 1);
        await got;
        while (!all.includes("passing a text")) {
          io.of(name).volatile.to("room").emit("passing", "a text"); // it may be dropped
          await turns(10);
        }
      }
      const noticed = proxy.cut(parties[0].one);
      for (const { name } of parties) {
        io.of(name).to("room").emit("lost", 2);
        io.of(name).to("another room").emit("for others", 3);
        io.of(name).emit("lost", 4);
      }
      await noticed;
      for (const { name, one, id, back, reasons, all } of parties) {
        const [socket] = await back;
        assert.equal(socket.recovered, true);
        assert.equal(socket.data.name, name);
        assert.ok(socket.rooms.has("room"));
        assert.deepEqual(reasons, ["transport close"]);
        io.of(name).to("room").emit("after", 5);
        await eventually(() => all.includes("after 5"), "the last event");
        const stored = all.filter((event) => !event.startsWith("passing"));
        assert.deepEqual(stored, ["before 1", "lost 2", "lost 4", "after 5"]);
        assert.equal(one.id, id);
        assert.equal(one.recovered, true);
        assert.equal(io.of(name).sockets.size, 1);
      }
      assert.equal(io.engine.clientsCount, 1, "the dead connection is gone");
    });

    it("recovers one that has not got an event yet", async (t) => {
      const { io, proxy, client } = await stage(t, transport);
      const joined = until(io, "connection");
      const one = client();
      const [socket] = await joined;
      if (!one.connected) await until(one, "connect");
      const { id } = one;
      const all = events(one);
      const back = until(io, "connection");
      const noticed = proxy.cut(one);
      socket.emit("lost", 1);
      await noticed;
      assert.equal((await back)[0].recovered, true);
      await eventually(() => all.length > 0, "what was lost");
      assert.deepEqual([all, one.id], [["lost 1"], id]);
    });
  });
}

describe("who comes with the pid of another", () => {
  it("must know it", async (t) => {
    const { io, client } = await stage(t, "websocket");
    const joined = until(io, "connection");
    const one = await join(client, {});
    const [socket] = await joined;
    const { pid } = socket;
    for (const wrong of [
      pid.slice(0, -1),
      `${pid}x`,
      pid.toUpperCase(),
      socket.id,
      "",
      "__proto__",
    ]) {
      const other = await join(client, { pid: wrong, offset: undefined });
      assert.notEqual(other.id, one.id);
    }
    assert.equal(socket.connected, true);
    assert.equal(io.of("/").sockets.size, 7);
  });

  it("must not be too late", async (t) => {
    const late = { connectionStateRecovery: { maxDisconnectionDuration: -1 } };
    const { io, client } = await stage(t, "websocket", late);
    const joined = until(io, "connection");
    const one = await join(client, {});
    const [socket] = await joined;
    const gone = until(socket, "disconnect");
    socket.conn.close();
    await gone;
    assert.notEqual((await join(client, { pid: socket.pid })).id, one.id);
  });

  it("is one of two that come at a time, whatever the middlewares do", async (t) => {
    for (const connectionStateRecovery of [{}, { skipMiddlewares: false }]) {
      const { io, client } = await stage(t, "websocket", { connectionStateRecovery });
      io.use((_socket, next) => void turns(3).then(() => next()));
      const joined = until(io, "connection");
      const one = await join(client, {});
      const [socket] = await joined;
      const { id } = one;
      const gone = until(socket, "disconnect");
      socket.conn.close();
      await gone;
      const auth = { pid: socket.pid };
      const two = await Promise.all(
        [1, 2, 3, 4].map(async () => {
          const each = client("/", { forceNew: true, reconnection: false, auth });
          // that of another may take the session while middlewares look at this one
          const settled = new Promise((resolve) => {
            for (const event of ["connect", "disconnect"]) each.once(event, resolve);
          });
          await within(settled, '"connect" or "disconnect"');
          return each;
        }),
      );
      const { sockets } = io.of("/");
      // one that comes when another is in already takes the session from it
      const connected = () => two.filter((each) => each.connected);
      await eventually(() => connected().length === sockets.size, "the others' end");
      assert.deepEqual(
        [...sockets.keys()].sort(),
        connected()
          .map((each) => each.id)
          .sort(),
      );
      assert.equal(sockets.has(id), true);
      assert.equal(new Set([...sockets.values()].map((each) => each.pid)).size, sockets.size);
    }
  });

  it("does not spare a listener that throws at the end of the old connection", async (t) => {
    const { io, client } = await stage(t, "websocket");
    const joined = until(io, "connection");
    await join(client, {});
    const [socket] = await joined;
    const thrown = new Promise((resolve) => {
      process.prependOnceListener("uncaughtException", resolve);
    });
    socket.on("disconnect", () => {
      throw new Error("of the program");
    });
    const others = process.listeners("uncaughtException").slice(1);
    for (const other of others) process.removeListener("uncaughtException", other);
    const back = until(io, "connection");
    await join(client, { pid: socket.pid });
    assert.equal((await thrown).message, "of the program");
    for (const other of others) process.on("uncaughtException", other);
    assert.equal((await back)[0].recovered, true);
  });
});
