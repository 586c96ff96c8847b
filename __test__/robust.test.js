"use strict";

/** Hostile clients and hostile arguments: memory stays bounded, nothing is lost, the same exceptions as upstream. */

const assert = require("node:assert/strict");
const fs = require("node:fs");
const http = require("node:http");
const os = require("node:os");
const path = require("node:path");
const { test } = require("node:test");
const { Worker } = require("node:worker_threads");
const { ours, selected } = require("./support/implementations");
const { RawWebSocket } = require("./support/raw-websocket");
const { OPCODE, frame } = require("./support/raw-websocket");
const { spawn } = require("./support/child");
const { until, within } = require("./support/waiting");
const { deepArray } = require("./support/values");
const { DIRECT, scenario } = require("./parity/harness");

const WEBSOCKET = "/socket.io/?EIO=4&transport=websocket";
/** 192 MB offered to a server that does not read them: far more than the inbox bound of 64 MiB. */
const FLOOD_MESSAGES = 6_000;
const FLOOD_PADDING = 32_000;
/** The inbox bound, twice for its text being made, and what the kernel and the allocator hold besides. */
const FLOOD_TOLERANCE = 220 * 1024 * 1024;

for (const implementation of selected()) {
  test(
    `${implementation.name}: a flood while JavaScript is blocked is bounded, ordered and complete`,
    { timeout: 120_000 },
    async (t) => {
      const directory = fs.mkdtempSync(path.join(os.tmpdir(), "flood-"));
      t.after(() => fs.rmSync(directory, { recursive: true }));
      const release = path.join(directory, "release");
      const server = spawn("flood-server", implementation, { args: [release] });
      t.after(server.kill);
      const { port } = await server.message();
      const raw = await RawWebSocket.open(port, WEBSOCKET);
      t.after(() => raw.destroy());
      await raw.next();
      await raw.join();
      raw.text('42["block"]');
      assert.deepEqual(await server.message(), { blocked: true });

      const padding = "x".repeat(FLOOD_PADDING);
      let pushedBack = false;
      const flood = (async () => {
        for (let n = 0; n < FLOOD_MESSAGES; n++) {
          if (raw.socket.write(frame(OPCODE.text, Buffer.from(`42["n",${n},"${padding}"]`))))
            continue;
          // The first second without a drain shows that the server has stopped reading: JavaScript may go on.
          const timer = setTimeout(() => {
            pushedBack = true;
            fs.writeFileSync(release, "");
          }, 1_000);
          await new Promise((resolve) => raw.socket.once("drain", resolve));
          clearTimeout(timer);
        }
        fs.writeFileSync(release, "");
        raw.text('427["end"]');
      })();
      await within(flood, "the flood to be sent", 60_000);
      assert.equal(pushedBack, true, "a blocked server pushes back on its client");
      const { before, peak } = await server.message(60_000);
      const answer = await within(
        (async () => {
          for (;;) {
            const packet = await raw.next();
            assert.notEqual(packet, null, "the connection lives");
            if (packet.startsWith("437")) return JSON.parse(packet.slice(3))[0];
          }
        })(),
        "the count",
        60_000,
      );
      const grown = Math.max(peak, answer.peak) - before;
      t.diagnostic(`grew by ${Math.round(grown / 2 ** 20)} MiB`);
      assert.deepEqual([answer.count, answer.ordered], [FLOOD_MESSAGES, true]);
      assert.ok(grown < FLOOD_TOLERANCE, `grew by ${grown} bytes`);
      raw.destroy();
      server.send("close");
      const { code, stderr } = await server.exit();
      assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
    },
  );
}

test("a client is recovered whose end and return come to JavaScript at once", async (t) => {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), "recovered-"));
  t.after(() => fs.rmSync(directory, { recursive: true }));
  const release = path.join(directory, "release");
  const server = spawn("recovering-server", ours, { args: [release] });
  t.after(server.kill);
  const { port } = await server.message();
  const open = async () => {
    const raw = await RawWebSocket.open(port, WEBSOCKET);
    t.after(() => raw.destroy());
    await raw.next();
    return raw;
  };
  const old = await open();
  old.text("40");
  const { pid } = JSON.parse((await old.next()).slice(2));
  const [, offset] = JSON.parse((await old.next()).slice(2));
  assert.deepEqual(await server.message(), { recovered: false });
  const next = await open();

  old.text('42["block"]');
  assert.equal(await server.message(), "blocked");
  old.socket.write(frame(OPCODE.close)); // the worker answers it by itself
  assert.deepEqual(await old.next(), { close: null });
  next.text(`40${JSON.stringify({ pid, offset })}`);
  fs.writeFileSync(release, "");

  assert.deepEqual(await server.message(), { recovered: true });
  next.destroy();
  server.send("close");
  const { code, stderr } = await server.exit();
  assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
});

/** What a call does: its result or what it throws. */
function outcome(call) {
  try {
    return { returned: call() };
  } catch (error) {
    return { threw: error instanceof Error, name: error?.name, message: error?.message ?? error };
  }
}

/** Arguments nobody should emit. Made anew for each use. */
function hostile() {
  const circular = { name: "circular" };
  circular.self = circular;
  const circularArray = [];
  circularArray.push([circularArray]);
  const revoked = Proxy.revocable({}, {});
  revoked.revoke();
  return {
    circular: [circular],
    "circular array": [circularArray],
    BigInt: [1n],
    "nested BigInt": [{ a: [1n] }],
    "throwing toJSON": [
      {
        toJSON() {
          throw new Error("from toJSON");
        },
      },
    ],
    "throwing getter": [
      {
        get x() {
          throw new RangeError("from getter");
        },
      },
    ],
    "throwing a string": [
      {
        get x() {
          throw "a string";
        },
      },
    ], // eslint-disable-line no-throw-literal
    "a revoked proxy": [revoked.proxy],
    "a proxy that throws": [
      new Proxy(
        {},
        {
          ownKeys() {
            throw new Error("from proxy");
          },
        },
      ),
    ],
    "10,000 levels": [deepArray(10_000)],
    "circular with a Buffer": [
      Object.assign(
        { b: Buffer.from("b") },
        {
          get self() {
            return this;
          },
        },
      ),
    ],
    "array buffer of zero length": [new ArrayBuffer(0)],
    "a shared array buffer": [new SharedArrayBuffer(4)],
    "a view of a shared buffer": [new Uint8Array(new SharedArrayBuffer(4))],
    "toJSON that returns itself": [
      (() => {
        const o = { toJSON: () => o, x: 1 };
        return o;
      })(),
    ],
    "an object without prototype": [Object.assign(Object.create(null), { a: 1 })],
    "no arguments but a symbol": [Symbol("s")],
  };
}

for (const kind of Object.keys(hostile())) {
  scenario(`hostile arguments: ${kind}`, { modes: DIRECT }, async ({ io, pair, trace }) => {
    const { client, socket } = await pair();
    const got = [];
    client.on("x", (...args) => got.push(args));
    const calls = {
      emit: () => socket.emit("x", ...hostile()[kind]),
      broadcast: () => io.emit("x", ...hostile()[kind]),
      room: () => io.to(socket.id).emit("x", ...hostile()[kind]),
      "with ack": () => socket.emit("x", ...hostile()[kind], () => {}),
    };
    for (const [name, call] of Object.entries(calls)) trace("outcome", name, outcome(call));
    // In an ack of the server, too.
    const acked = new Promise((resolve) => {
      socket.on("ask", (reply) => {
        trace(
          "ack",
          outcome(() => reply(...hostile()[kind])),
        );
        resolve();
      });
    });
    client.emit("ask");
    client.emit("ask", () => {});
    await within(acked, "the ack");
    client.on("alive", (reply) => reply("yes"));
    assert.equal(
      await within(socket.emitWithAck("alive"), "an ack"),
      "yes",
      "the connection goes on",
    );
    trace("client", JSON.stringify(got).length, got.length);
  });
}

// Upstream throws these out of a later write, where no application can catch it.
for (const kind of ["ArrayBuffer", "Uint8Array", "Uint16Array", "DataView"]) {
  for (const transport of DIRECT) {
    for (const implementation of selected()) {
      test(`${implementation.name}: bytes that have been given away: ${kind}, ${transport}`, async (t) => {
        const program = spawn("given-away", implementation, { args: [kind, transport] });
        t.after(program.kill);
        const { emitted, uncaught, goesOn } = await program.message();
        const thrown = implementation === ours ? emitted : uncaught;
        assert.equal(thrown, "TypeError");
        assert.equal(goesOn, implementation === ours);
      });
    }
  }
}

scenario(
  "hostile arguments: views that are larger than their memory",
  { modes: DIRECT },
  async ({ pair, trace }) => {
    const { client, socket } = await pair();
    const got = [];
    client.on("x", (...args) => got.push(...args));
    client.on("alive", (reply) => reply("yes"));
    for (const View of [Uint8Array, Uint16Array, Float64Array]) {
      const memory = new ArrayBuffer(64, { maxByteLength: 128 });
      const views = [new View(memory), new View(memory, 8), new View(memory, 8, 2)];
      for (const size of [128, 16, 12, 8, 0]) {
        memory.resize(size);
        for (const view of views)
          trace(
            View.name,
            size,
            outcome(() => socket.emit("x", view)),
          );
        // Upstream reads them as late as it writes them.
        await within(socket.emitWithAck("alive"), "an ack");
      }
    }
    trace(got.map((bytes) => Buffer.from(bytes).length).join());
  },
);

scenario(
  "hostile arguments: shared memory that another thread makes larger",
  { modes: DIRECT },
  async ({ pair }) => {
    const { client, socket } = await pair();
    const lengths = [];
    client.on("x", (...args) => lengths.push(...args.map((bytes) => bytes.length)));
    client.on("alive", (reply) => reply("yes"));
    const first = 16 << 10;
    const most = first + 4_096;
    const grown = `
      const { workerData } = require("node:worker_threads");
      while (workerData.byteLength < ${most}) workerData.grow(workerData.byteLength + 1);
    `;
    for (let n = 0; n < 4; n++) {
      const memory = new SharedArrayBuffer(first, { maxByteLength: most });
      const views = [new Uint8Array(memory), new Uint8Array(memory, 1), new DataView(memory)];
      const thread = new Worker(grown, { eval: true, workerData: memory });
      const ended = until(thread, "exit");
      while (memory.byteLength === first) await new Promise(setImmediate);
      socket.emit("x", ...views);
      // no more than that: upstream's polling takes seconds for some hundreds of them
      for (let left = 30; left > 0 && memory.byteLength < most; left--) socket.emit("x", ...views);
      await within(ended, "the end of the thread");
      await within(socket.emitWithAck("alive"), "an ack");
    }
    assert.ok(lengths.length >= 12 && lengths.every((it) => it >= first - 1 && it <= most));
  },
);

scenario(
  "hostile arguments: emit, join and to with odd names",
  { modes: ["websocket"] },
  async ({ io, pair, trace }) => {
    const { socket } = await pair();
    // The client ends the connection for a name that is not a string; here only the server's calls count.
    for (const name of [1, {}, [], Symbol("s"), () => {}, NaN, undefined, null]) {
      const label = String(name);
      trace(
        "emit",
        label,
        outcome(() => socket.emit(name, 1)),
      );
      trace(
        "join",
        label,
        outcome(() => socket.join(name)),
        outcome(() => io.to(name).emit("r", 1)),
      );
    }
  },
);

scenario(
  "hostile arguments: a number where bytes are expected",
  { modes: ["websocket"] },
  async ({ pair }) => {
    const { client, socket } = await pair();
    const got = new Promise((resolve) => client.once("x", (...args) => resolve(args)));
    socket.emit("x", 1e9);
    assert.deepEqual(await within(got, "the event"), [1e9]);
  },
);

/** What a client may send in one message by default, as brackets. */
const LEVELS = 490_000;

for (const [kind, text] of Object.entries({
  arrays: `${"[".repeat(LEVELS)}${"]".repeat(LEVELS)}`,
  "arrays left open": "[".repeat(2 * LEVELS),
  objects: `${'{"":'.repeat(LEVELS / 3)}0${"}".repeat(LEVELS / 3)}`,
})) {
  for (const packet of [
    `421["deep",${text}]`,
    `40/x,${text}`,
    `431[${text}]`,
    `451-["deep",${text}]`,
  ]) {
    const name = `hostile packets: ${kind} as deep as a message allows, in ${packet.slice(0, 4)}`;
    scenario(name, async ({ io, webSocket, trace }) => {
      io.on("connection", (socket) => {
        socket.on("deep", (...args) => args.at(-1)?.("seen"));
        socket.on("alive", (reply) => reply());
      });
      const raw = await webSocket();
      await raw.next();
      await raw.join();
      raw.text(packet);
      // Whatever the server makes of it, the next client finds it at work.
      const next = await webSocket();
      await next.next();
      await next.join();
      next.text('421["alive"]');
      assert.equal(await next.next(), "431[]");
      if (packet.startsWith("421") && !kind.includes("open")) {
        const answer = await raw.next();
        trace("wire", answer);
        assert.equal(answer, '431["seen"]');
      }
    });
  }
}

scenario(
  "hostile packets: a trickle that never pongs does not live on",
  {
    options: { pingInterval: 30, pingTimeout: 1_000 }, // a slow machine has to join within that
  },
  async ({ io, webSocket }) => {
    const connection = until(io, "connection");
    const raw = await webSocket();
    await raw.next();
    await raw.join();
    const [socket] = await connection;
    raw.autoPong = false;
    const gone = until(socket, "disconnect");
    const trickle = setInterval(() => raw.text('42["x"]'), 15);
    try {
      assert.equal((await gone)[0], "ping timeout");
    } finally {
      clearInterval(trickle);
    }
  },
);

scenario(
  "hostile packets: thousands of rooms, left in the middle of a broadcast",
  { modes: ["websocket"] },
  async ({ io, pair }) => {
    const leaving = await pair();
    const staying = await pair();
    const rooms = Array.from({ length: 5_000 }, (_, n) => `room ${n}`);
    leaving.socket.join(rooms);
    staying.socket.join(rooms.slice(0, 10));
    const end = until(staying.client, "end");
    for (const room of rooms.slice(0, 200)) io.to(room).emit("x", room);
    leaving.socket.disconnect(true);
    io.to(rooms).emit("end");
    await end;
    assert.equal(io.sockets.adapter.rooms.size, 11);
  },
);

for (const implementation of selected())
  test(`${implementation.name}: what has been put into Object.prototype is in no descriptor`, async (t) => {
    for (const key of ["get", "set", "value", "writable", "enumerable", "configurable"]) {
      const child = spawn("polluted", implementation, { args: [key] });
      t.after(child.kill);
      assert.deepEqual(await child.message(), { echoed: "a", serves: "/", rooms: 2 }, key);
      await child.exit();
    }
  });

test("ferrosocket: a JSON.parse of the program that throws takes no event of anybody", async (t) => {
  const { parse } = JSON;
  t.after(() => (JSON.parse = parse));
  const { Server } = ours.load();
  const httpServer = http.createServer();
  const io = new Server(httpServer);
  t.after(() => void io.close()); // its clients leave behind it
  const heard = [];
  let told;
  io.on("connection", (socket) =>
    socket.onAny((...args) => {
      heard.push(args);
      told?.();
    }),
  );
  httpServer.listen(0, "127.0.0.1");
  await until(httpServer, "listening");
  const join = async () => {
    const raw = await RawWebSocket.open(httpServer.address().port, WEBSOCKET);
    t.after(() => raw.destroy());
    await raw.next();
    await raw.join();
    return raw;
  };
  const [bad, good] = [await join(), await join()];
  JSON.parse = () => {
    throw new Error("the program's");
  };
  // alone, and several in one batch
  for (const count of [1, 20]) {
    const all = new Promise((resolve) => (told = () => heard.length === 2 * count && resolve()));
    for (let n = 0; n < count; n++) {
      bad.text(`42["bad",{"n":${n}}]`);
      good.text(`42["good",{"n":${n}}]`);
    }
    await within(all, `${2 * count} events`);
    for (const name of ["bad", "good"]) {
      const numbers = heard.filter(([which]) => which === name).map(([, { n }]) => n);
      assert.deepEqual(numbers, [...Array(count).keys()]);
    }
    heard.length = 0;
  }
});
