"use strict";

/** Connection state recovery: what a client that was away for a moment gets back. */

const assert = require("node:assert/strict");
const { Adapter } = require("socket.io-adapter");
const { eventually, turns, until } = require("../support/waiting");
const { ALL, scenario } = require("./harness");

const ON = { connectionStateRecovery: {} };

/** Offsets are made up by the server: they get names in order of appearance. */
function offsets() {
  const names = new Map();
  return (offset) => {
    assert.equal(typeof offset, "string");
    if (!names.has(offset)) names.set(offset, `<offset ${names.size + 1}>`);
    return names.get(offset);
  };
}

/** A client over the bare protocol. */
class Raw {
  constructor(raw) {
    this.raw = raw;
  }

  static async open({ webSocket }, auth) {
    const client = new Raw(await webSocket());
    await client.raw.next(); // the handshake
    client.raw.text("40" + (auth === undefined ? "" : JSON.stringify(auth)));
    return client;
  }

  /** The next packet: its type digits, and its JSON. */
  async next() {
    const text = String(await this.raw.next());
    const at = text.search(/[[{]/);
    return { text, type: text.slice(0, at), data: JSON.parse(text.slice(at)) };
  }

  /** The packets up to and with the first of this type. */
  async upTo(type) {
    const packets = [];
    do packets.push(await this.next());
    while (packets.at(-1).type !== type);
    return packets;
  }

  /** Goes without a goodbye, and waits until the server knows. */
  async lose(socket) {
    const gone = until(socket, "disconnect");
    this.raw.destroy();
    return (await gone)[0];
  }
}

/** A raw client that is connected and has got one event: it has a pid and an offset. */
async function visit(stage) {
  const connection = until(stage.io, "connection");
  const raw = await Raw.open(stage);
  const { sid, pid } = (await raw.next()).data;
  const [socket] = await connection;
  socket.emit("first");
  const { data } = await raw.next();
  return { raw, socket, sid, pid, offset: data.at(-1) };
}

scenario(
  "recovery: the client gets back what it was and what it has missed",
  { modes: ALL, options: ON },
  async ({ io, pair, trace, connected }) => {
    const { client, socket } = await pair();
    const { id } = socket;
    socket.join(["a", "b"]);
    socket.data.name = "kept";
    trace("first", client.recovered, socket.recovered);
    socket.emit("known", 1);
    await until(client, "known");
    const gone = until(socket, "disconnect");
    client.io.engine.close();
    trace("reason", (await gone)[0], socket.rooms);
    io.emit("missed", "all");
    io.to("a").emit("missed", "a", Buffer.from([1, 2]));
    io.to("c").emit("missed", "c");
    io.except("b").emit("missed", "not b");
    io.to(["a", "b"]).emit("missed", "a and b");
    io.to(id).emit("missed", "self");
    io.volatile.emit("missed", "volatile");
    io.timeout(1_000).emit("missed", "ack", () => {});
    client.on("missed", (...args) => trace("missed", ...args.slice(0, -1)));
    const connection = until(io, "connection");
    client.connect();
    const [again] = await connection;
    await connected(client);
    trace("again", client.recovered, again.recovered, again.data, again.rooms);
    assert.equal(again.id, id);
    assert.equal(client.id, id);
    assert.notEqual(again, socket);
    const end = until(client, "end");
    io.to("b").emit("end");
    await end;
  },
);

scenario("recovery: on the wire", { options: ON }, async (stage) => {
  const { io, trace } = stage;
  const name = offsets();
  const { raw, socket, sid, pid, offset } = await visit(stage);
  assert.match(pid, /^[\w-]{20}$/);
  assert.notEqual(pid, sid);
  name(offset);
  trace("reason", await raw.lose(socket));
  io.emit("x", { a: [1, "ü"] });
  io.emit("y");
  const back = await Raw.open(stage, { pid, offset });
  const packets = await back.upTo("40");
  assert.deepEqual(
    packets.map(({ type }) => type),
    ["42", "42", "40"],
  );
  for (const { text, type, data } of packets) {
    if (type === "40") trace("wire", text.replace(sid, "<sid>").replace(pid, "<pid>"));
    else trace("wire", text.replace(data.at(-1), name(data.at(-1))));
  }
});

scenario(
  "recovery: whoever watches a connection sees what is sent again",
  { options: ON },
  async (stage) => {
    const { io, trace } = stage;
    const name = offsets();
    const { raw, socket, sid, pid, offset } = await visit(stage);
    name(offset);
    await raw.lose(socket);
    io.emit("x", 1);
    io.emit("y", Buffer.from([1]));
    io.engine.on("connection", (conn) => {
      conn.on("packetCreate", ({ type, data }) => {
        const known = typeof data === "string" && data.replace(sid, "<sid>").replace(pid, "<pid>");
        trace("seen", type, known ? known.replace(/"[^"<]*"\]$/, (end) => name(end)) : data);
      });
    });
    const back = await Raw.open(stage, { pid, offset });
    trace("first", (await back.next()).type);
  },
);

scenario(
  "recovery: a namespace, and a room that is not named by a string",
  { modes: ALL, options: ON },
  async (stage) => {
    const { io, pair, trace, connected } = stage;
    const nsp = io.of("/other");
    const { client, socket } = await pair("/other");
    socket.join([1, "2"]);
    socket.emit("known");
    await until(client, "known");
    const gone = until(socket, "disconnect");
    client.io.engine.close();
    await gone;
    for (const room of [1, "1", 2, "2"]) nsp.to(room).emit("missed", room);
    io.emit("missed", "elsewhere");
    client.on("missed", (room) => trace("missed", room));
    const connection = until(nsp, "connection");
    client.connect();
    const [again] = await connection;
    await connected(client);
    trace("again", client.recovered, [...again.rooms].slice(1));
  },
);

scenario("recovery: what leads to a new session", { options: ON }, async (stage) => {
  const { trace } = stage;
  const cases = {
    "wrong pid": ({ offset }) => ({ pid: "x".repeat(20), offset }),
    "wrong offset": ({ pid }) => ({ pid, offset: "nothing" }),
    "empty offset": ({ pid }) => ({ pid, offset: "" }),
    "offset is a number": ({ pid }) => ({ pid, offset: 1 }),
    "pid is an array": ({ pid, offset }) => ({ pid: [pid], offset }),
    "pid of Object.prototype": ({ offset }) => ({ pid: "__proto__", offset }),
  };
  for (const [what, auth] of Object.entries(cases)) {
    const first = await visit(stage);
    await first.raw.lose(first.socket);
    const back = await Raw.open(stage, auth(first));
    const [{ data }] = await back.upTo("40");
    trace(what, data.sid === first.sid, data.pid === first.pid, Object.keys(data));
  }
});

scenario("recovery: which ends are recoverable", { options: ON }, async (stage) => {
  const { trace } = stage;
  const ends = {
    "client namespace disconnect": ({ raw }) => raw.raw.text("41"),
    "server namespace disconnect": ({ socket }) => socket.disconnect(),
    "forced close": ({ socket }) => socket.conn.close(),
    "transport close": ({ raw }) => raw.raw.destroy(),
    "a bad packet": ({ raw }) => raw.raw.text("4bad"),
    "closed by the server": ({ socket }) => socket.disconnect(true),
  };
  for (const [what, end] of Object.entries(ends)) {
    const first = await visit(stage);
    const gone = until(first.socket, "disconnect");
    end(first);
    const [reason] = await gone;
    const back = await Raw.open(stage, { pid: first.pid, offset: first.offset });
    const packets = await back.upTo("40");
    trace(what, reason, packets.at(-1).data.sid === first.sid);
  }
});

scenario(
  "recovery: too late",
  { options: { connectionStateRecovery: { maxDisconnectionDuration: -1 } } },
  async (stage) => {
    const { raw, socket, sid, pid, offset } = await visit(stage);
    await raw.lose(socket);
    const back = await Raw.open(stage, { pid, offset });
    const [{ data }] = await back.upTo("40");
    stage.trace("same", data.sid === sid);
  },
);

for (const skipMiddlewares of [true, false]) {
  scenario(
    `recovery: skipMiddlewares ${skipMiddlewares}`,
    { options: { connectionStateRecovery: { skipMiddlewares } } },
    async (stage) => {
      const { io, trace } = stage;
      io.use((socket, next) => {
        trace("middleware", socket.recovered, [...socket.rooms].length);
        next();
      });
      const { raw, socket, pid, offset } = await visit(stage);
      socket.join("r");
      await raw.lose(socket);
      io.on("connection", ({ recovered }) => trace("connection", recovered));
      await (await Raw.open(stage, { pid, offset })).upTo("40");
      await eventually(() => io.of("/").sockets.size === 1);
      trace("room", io.of("/").adapter.rooms.get("r")?.size);
    },
  );
}

scenario(
  "recovery: refused by a middleware, or closed meanwhile",
  { options: { connectionStateRecovery: { skipMiddlewares: false } } },
  async (stage) => {
    const { io, trace } = stage;
    const first = await visit(stage);
    await first.raw.lose(first.socket);
    io.use((_socket, next) => next(new Error("no")));
    const packets = await (
      await Raw.open(stage, { pid: first.pid, offset: first.offset })
    ).upTo("44");
    trace("refused", packets.at(-1).data);
    await turns(2);
    trace("left", io.of("/").sockets.size, io.of("/")._preConnectSockets.size);
  },
);

scenario("recovery: options", { server: false }, async ({ lib, trace, defer }) => {
  for (const connectionStateRecovery of [{}, true, { skipMiddlewares: false }, undefined]) {
    const io = new lib.Server({ connectionStateRecovery });
    defer(() => io.of("/").adapter.close());
    const { maxDisconnectionDuration, skipMiddlewares } = io.opts.connectionStateRecovery ?? {};
    trace("merged", maxDisconnectionDuration, skipMiddlewares);
  }
});

scenario(
  "recovery: an adapter of the program restores",
  {
    options: () => ({
      connectionStateRecovery: {},
      adapter: class extends Adapter {
        restoreSession(pid, offset) {
          if (offset === "throw") throw new Error("can't");
          if (offset === "reject") return Promise.reject(new Error("can't"));
          if (offset === "nothing") return Promise.resolve(null);
          const missedPackets = [["missed", 1, offset]];
          return Promise.resolve({
            sid: "s".repeat(20),
            pid,
            rooms: ["r"],
            data: 7,
            missedPackets,
          });
        }
      },
    }),
  },
  async (stage) => {
    for (const offset of ["throw", "reject", "nothing", "good"]) {
      const connection = until(stage.io, "connection");
      const raw = await Raw.open(stage, { pid: "p", offset });
      const packets = await raw.upTo("40");
      const [socket] = await connection;
      stage.trace(offset, packets.slice(0, -1), socket.recovered, socket.data, socket.rooms.size);
    }
  },
);
