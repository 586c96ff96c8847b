"use strict";

/**
 * Nothing reaches a client that it is not for: random histories against what the server knows, over real connections, and
 * faults on purpose, of this library's own JavaScript, which must not cross clients either.
 */

const assert = require("node:assert/strict");
const http = require("node:http");
const { test } = require("node:test");
const { Adapter } = require("socket.io-adapter");
const { getBorder } = require("../lib/border");
const { LongText } = require("../lib/codec/long-text");
const { pushConnection, pushRoom } = require("../lib/border/operations");
const { SideData } = require("../lib/border/side-data");
const { RecordSentinel } = require("../native/border");
const { ours, selected } = require("./support/implementations");
const { OPCODE, RawWebSocket, frame } = require("./support/raw-websocket");
const { eventually, turns, until } = require("./support/waiting");

const WEBSOCKET = "/socket.io/?EIO=4&transport=websocket";
const NAMESPACES = ["/", "/a", "/dynamic-1"];
const ROOMS = ["red", "green", "blue"];
const STEPS = 150;

/** A generator of numbers from 0 to `n` − 1, always the same ones for a seed. */
function random(seed) {
  let state = seed;
  return (n) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
}

const stats = () => JSON.parse(getBorder().native.stats());

/** A server with one worker, so that slots are used again at once. */
async function serve(t, options = {}) {
  const { Server } = ours.load();
  const httpServer = http.createServer();
  const io = new Server(httpServer, { workers: 1, ...options });
  httpServer.listen(0, "127.0.0.1");
  await until(httpServer, "listening");
  t.after(() => io.close());
  return { io, port: httpServer.address().port };
}

/** A client that notes the ids of its sockets and what it gets. */
class Client {
  static async open(port) {
    const raw = await RawWebSocket.open(port, WEBSOCKET);
    await raw.next();
    return new Client(raw);
  }

  constructor(raw) {
    this.raw = raw;
    this.ids = new Set();
    this.events = [];
    this.listen();
  }

  async listen() {
    for (;;) {
      let packet;
      try {
        packet = await this.raw.nextFrame();
      } catch {
        continue; // nothing has come for long
      }
      if (packet === null) return;
      const text = packet.payload.toString();
      if (text === "2") this.raw.text("3");
      const connected = /^40(?:[^,{]*,)?\{"sid":"([^"]+)"/.exec(text);
      if (connected) this.ids.add(connected[1]);
      const event = /^42(?:[^,[]*,)?(\[.*)$/.exec(text);
      if (event) this.events.push(JSON.parse(event[1]));
    }
  }

  /** Sends packets in one write. */
  send(...packets) {
    if (!this.raw.ended)
      this.raw.socket.write(Buffer.concat(packets.map((one) => frame(OPCODE.text, one))));
  }
}

/** An adapter of a program: it knows nothing of workers, and names each receiver. */
class PlainAdapter extends Adapter {}

const KINDS = {
  "in memory": {},
  "an adapter of npm": { adapter: PlainAdapter },
  recovery: { connectionStateRecovery: {} },
};

for (const implementation of selected([ours])) {
  for (const [name, options] of Object.entries(KINDS)) {
    for (const seed of [1, 2, 3]) {
      test(`${implementation.name}: random histories, ${name}, ${seed}`, async (t) => {
        const { io, port } = await serve(t, options);
        const before = stats();
        const pick = random(seed * 7919 + name.length);
        const of = (list) => list[pick(list.length)];
        io.of(/^\/dynamic-/);
        const waiting = [];
        let isOver = false;
        for (const nsp of [io.of("/"), io.of("/a"), io.of("/dynamic-1")])
          nsp.use((socket, next) => {
            if (pick(4) === 0 && !isOver) waiting.push(next);
            else next();
          });
        /** @type {Client[]} */
        const clients = [];
        /** which sockets each event was for */
        const meant = new Map();
        let events = 0;
        const sockets = () => NAMESPACES.flatMap((nsp) => [...io.of(nsp).sockets.values()]);

        const emit = (nsp) => {
          const { adapter } = io.of(nsp);
          const to = ROOMS.filter(() => pick(3) === 0);
          const except = ROOMS.filter(() => pick(4) === 0);
          const members = (rooms) =>
            new Set(rooms.flatMap((room) => [...(adapter.rooms.get(room) ?? [])]));
          const all = to.length > 0 ? members(to) : new Set(io.of(nsp).sockets.keys());
          for (const id of members(except)) all.delete(id);
          meant.set(++events, all);
          io.of(nsp).to(to).except(except).emit("news", events);
        };
        const steps = [
          async () => {
            clients.push(await Client.open(port));
          },
          async () => {
            if (clients.length < 20) clients.push(await Client.open(port));
          },
          () => {
            if (clients.length === 0) return;
            const connect = of(["40", "40/a,", "40/dynamic-1,"]);
            of(clients).send(...Array(1 + pick(3)).fill(connect));
          },
          () => {
            const socket = of(sockets());
            socket?.join(of(ROOMS));
          },
          () => {
            const socket = of(sockets());
            socket?.join([of(ROOMS), of(ROOMS)]);
          },
          () => {
            const socket = of(sockets());
            socket?.leave(of(ROOMS));
          },
          () => emit(of(NAMESPACES)),
          () => emit(of(NAMESPACES)),
          () => {
            const socket = of(sockets());
            if (socket === undefined) return;
            meant.set(++events, new Set([socket.id]));
            socket.emit("news", events);
          },
          () => {
            const socket = of(sockets());
            if (pick(3) === 0) socket?.disconnect(pick(2) === 0);
          },
          () => {
            waiting.splice(pick(waiting.length + 1), 1)[0]?.(
              pick(5) === 0 ? new Error("no") : undefined,
            );
          },
          () => {
            if (clients.length > 0) of(clients).raw.destroy();
          },
          () => io.of(of(NAMESPACES)).in(of(ROOMS)).socketsJoin(of(ROOMS)),
          () =>
            io
              .of(of(NAMESPACES))
              .in(of(ROOMS))
              .disconnectSockets(pick(2) === 0),
          () => turns(1 + pick(4)),
        ];
        for (let i = 0; i < STEPS; i++) await of(steps)();
        await turns(3);
        isOver = true;

        // on a busy machine nobody else may have been let in
        const witness = await Client.open(port);
        clients.push(witness);
        witness.send("40");
        await eventually(() => witness.ids.size > 0, "the last client to be let in");

        // all that is on its way has come when a last event has
        const last = ++events;
        for (const nsp of NAMESPACES) {
          meant.set(last, new Set([...(meant.get(last) ?? []), ...io.of(nsp).sockets.keys()]));
          io.of(nsp).emit("news", last);
        }
        const alive = clients.filter(
          ({ ids, raw }) => !raw.ended && [...ids].some((id) => meant.get(last).has(id)),
        );
        await eventually(
          () =>
            alive.every((client) => client.raw.ended || client.events.some(([, n]) => n === last)),
          "the last event",
        );
        let got = 0;
        for (const { ids, events: seen } of clients) {
          for (const [, number] of seen) {
            got++;
            const receivers = meant.get(number);
            assert.ok(
              [...ids].some((id) => receivers.has(id)),
              `event ${number} reached a stranger`,
            );
          }
        }
        assert.ok(got > 0, "something has been sent");

        for (const { raw } of clients) raw.destroy();
        await eventually(() => io.engine.clientsCount === 0, "the end of all clients");
        for (const next of waiting) next();
        await turns(3);
        await eventually(() => stats().handles === before.handles, "the release of all handles");
        for (const { sockets: left, adapter, _preConnectSockets: pending } of io._nsps.values())
          assert.deepEqual(
            [left.size, pending.size, adapter.rooms.size, adapter.sids.size],
            [0, 0, 0, 0],
          );
        const { rooms, sessions, stale, unreadable, roomsLeft } = stats();
        assert.deepEqual({ rooms, sessions }, { rooms: before.rooms, sessions: before.sessions });
        // in good order nothing has to be dropped or put right
        assert.deepEqual(
          { stale, unreadable, roomsLeft },
          { stale: before.stale, unreadable: before.unreadable, roomsLeft: before.roomsLeft },
        );
      });
    }
  }

  test(`${implementation.name}: faults on purpose`, async (t) => {
    const { io, port } = await serve(t, { connectionStateRecovery: {} });
    const before = stats();
    const connect = async () => {
      const connection = until(io, "connection");
      const client = await Client.open(port);
      client.send("40");
      const [socket] = await connection;
      return { client, socket };
    };
    const old = await connect();
    const { conn } = old.socket;
    const { _border: border } = conn;
    const { operations } = border;
    old.client.raw.destroy();
    await until(old.socket, "disconnect");
    await eventually(() => stats().handles === before.handles, "its release");

    // whoever has the slot now
    const next = await connect();
    const { conn: successor } = next.socket;
    assert.equal(successor._handle, conn._handle);
    assert.notEqual(successor._generation, conn._generation);
    next.socket.join("own");

    const room = io.of("/").adapter._numbers.get("own");
    const secret = '2["secret"]';
    const toOld = [];
    pushConnection(toOld, conn);
    const toRoom = [];
    pushRoom(toRoom, room);
    const kept = { log: 1, time: 0, rooms: [], except: [] };
    const long = new LongText().end(secret);
    const parts = [secret];
    const faults = {
      send: () => operations.send(conn, 0, secret),
      sendLong: () => operations.sendLong(conn, 0, long),
      sendBinary: () => operations.sendBinary(conn, 0, [secret, Buffer.from("secret")]),
      sendRaw: () => operations.sendRaw(conn, 0, secret),
      sendPacket: () => operations.sendPacket(conn, 0, "4secret"),
      transport: () => conn.transport.send([{ type: "message", data: secret }]),
      writePacket: () => conn.writePacket("message", secret),
      broadcast: () => operations.broadcast(0, toOld, [], secret),
      keep: () => operations.keep(kept, 0, toOld, [], secret),
      multicast: () => {
        operations.multicast(conn, 0, parts);
        operations.multicast({ _handle: conn._handle, _generation: 0 }, 0, parts);
      },
      replay: () => operations.replay(conn, 1, 0, 0),
      join: () => operations.join(conn, room),
      leave: () => operations.leave(conn, room),
      close: () => operations.close(conn, true),
      observe: () => operations.observe(conn, 255),
      fence: () => operations.fence(conn),
      joined: () => operations.joined(conn),
      release: () => operations.release(conn),
      "release, early": () => operations.release(successor),
      forget: () => border.forget(conn),
      except: () => operations.broadcast(0, toRoom, toOld, '2["own"]'),
      "a handle made up": () =>
        operations.send({ _handle: successor._handle, _generation: NaN }, 0, secret),
      "no handle": () =>
        operations.send({ _handle: /** @type {any} */ ("x"), _generation: -1 }, 0, secret),
    };
    for (const [name, fault] of Object.entries(faults)) {
      const { stale } = stats();
      fault();
      operations.flush();
      if (name !== "forget") assert.ok(stats().stale > stale, `${name} is dropped and counted`);
    }
    // it is as if nothing had been: it is in its room, nobody has closed it, and it is let go of once
    io.to("own").emit("check");
    await eventually(() => next.client.events.some(([event]) => event === "check"), "the event");
    assert.deepEqual(
      next.client.events.map(([event]) => event),
      ["own", "check"],
    );
    assert.equal(stats().unreadable, before.unreadable);
    const again = until(next.socket, "hello");
    next.client.send('42["hello"]');
    await again;
    next.client.raw.destroy();
    await until(next.socket, "disconnect");
    await eventually(() => stats().handles === before.handles, "its release");
    assert.equal(stats().rooms, before.rooms);
  });

  test(`${implementation.name}: rooms that a client has not left are taken from it`, async (t) => {
    const { io, port } = await serve(t);
    const before = stats();
    const connection = until(io, "connection");
    const client = await Client.open(port);
    client.send("40");
    const [{ conn }] = await connection;
    // which no adapter knows
    const number = conn._border.allocateRoom();
    conn._border.operations.join(conn, number);
    client.raw.destroy();
    await eventually(() => stats().handles === before.handles, "its release");
    assert.equal(stats().rooms, before.rooms);
    assert.equal(stats().roomsLeft, before.roomsLeft + 1);
  });
}

/** What the addon does for `SideData`: it gives what is beside the batch that was taken last. */
class Batches {
  take(strings, buffers, moreWait) {
    Object.assign(this, { strings, buffers });
    const { BUFFERS_BESIDE, MORE_WAIT, STRINGS_BESIDE } = RecordSentinel;
    const ends = [strings.length > 0 && STRINGS_BESIDE, buffers.length > 0 && BUFFERS_BESIDE];
    ends.push(moreWait && MORE_WAIT);
    return `[]${String.fromCharCode(...ends.filter(Boolean))}`;
  }

  takeStrings() {
    return this.strings.splice(0);
  }

  takeBuffers() {
    return this.buffers.splice(0);
  }
}

test("what travels beside a batch stays with it, though another one is taken in the middle of it", () => {
  const some = { none: [], one: ["1"], three: ["1", "2", "3"] };
  for (const strings of Object.values(some))
    for (const buffers of Object.values(some))
      for (const moreWait of [false, true]) {
        const batches = new Batches();
        const text = batches.take([...strings], [...buffers], moreWait);
        assert.deepEqual(JSON.parse(text), []);
        const first = new SideData(batches, text);
        // a listener runs the event loop from within, which takes what has come for others
        const second = new SideData(batches, batches.take(["x"], ["y", "z"], !moreWait));
        assert.deepEqual([first.moreWait, second.moreWait], [moreWait, !moreWait]);
        assert.deepEqual(
          strings.map(() => first.string()),
          strings,
        );
        assert.equal(second.buffer(), "y");
        assert.deepEqual(
          buffers.map(() => first.buffer()),
          buffers,
        );
        assert.deepEqual([second.string(), ...second.buffers(1)], ["x", "z"]);
        for (const each of [first, second])
          assert.deepEqual([each.string(), each.buffer()], [undefined, undefined]);
      }
});
