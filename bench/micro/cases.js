"use strict";

// What is measured: `make` prepares a server and gives a function that does `BATCH` operations, and is over when their
// consequences are.

const { RecordKind } = require("../../native/border");
const { settled } = require("./world.js");

/** Operations of one call: about what a busy server does in one tick. */
const BATCH = 100;
/** Members of the room that broadcasts go to. The cost does not depend on it. */
const MEMBERS = 100;

const OBJECT = { id: 7, name: "user 7", score: 12.5, tags: ["a", "b"], on: true };
const KIB = Buffer.alloc(1024, 7);

/** @typedef {import("./world.js").World} World */
/** @typedef {{ name: string, make: (world: World) => Promise<() => Promise<void>> }} Case */

/** @param {(n: number) => void} operation @returns {() => Promise<void>} a tick with a batch of it */
const tickOf = (operation) => async () => {
  for (let n = 0; n < BATCH; n++) operation(n);
  await settled();
};

/**
 * @param {string} name
 * @param {(socket: any, world: World, sockets: any[]) => (n: number) => void} prepare gives one operation
 * @returns {Case} something that goes down
 */
const down = (name, prepare) => ({
  name: `down: ${name}`,
  async make(world) {
    const { sockets } = await world.connect(MEMBERS);
    for (const socket of sockets) socket.join("room");
    const run = tickOf(prepare(sockets[0], world, sockets));
    return async () => {
      const { bytes } = world.native;
      await run();
      if (world.native.bytes === bytes) throw new Error(`${name}: nothing went down`);
    };
  },
});

/**
 * @param {string} name
 * @param {unknown[]} event the rest of the record, after the handle
 * @param {(socket: any) => (...args: any[]) => void} handler
 * @param {Buffer[]} [buffers] of each event
 * @returns {Case} events that come up, one from each client
 */
const up = (name, event, handler, buffers = []) => ({
  name: `up: ${name}`,
  async make(world) {
    const { handles, sockets } = await world.connect(BATCH);
    let calls = 0;
    for (const socket of sockets) {
      const handle = handler(socket);
      socket.on("news", (...args) => {
        calls++;
        handle(...args);
      });
    }
    const text = JSON.stringify(handles.map((handle) => [RecordKind.EVENT, handle, ...event]));
    const all = handles.flatMap(() => buffers);
    return async () => {
      calls = 0;
      world.native.give(text, all);
      await settled();
      if (calls !== BATCH) throw new Error(`${name}: ${calls} of ${BATCH} events`);
    };
  },
});

/** @type {Case} an emit that asks for an ack, and the ack */
const acknowledged = {
  name: "both: emit and its ack",
  async make(world) {
    const { handles, sockets } = await world.connect(BATCH);
    let first = 0; // the namespace numbers its acks
    let answers = 0;
    const answered = () => answers++;
    return async () => {
      answers = 0;
      for (const socket of sockets) socket.emit("news", "hello", answered);
      await settled();
      const records = handles.map(
        (handle, n) => `[${RecordKind.ACK},${handle},${first + n},["ok"]]`,
      );
      world.native.give(`[${records.join(",")}]`);
      await settled();
      first += BATCH;
      if (answers !== BATCH) throw new Error(`${answers} of ${BATCH} acks`);
    };
  },
};

/** @type {Case} the whole life of a client */
const lives = {
  name: "both: a client connects and goes",
  async make(world) {
    let lost = 0;
    world.io.on("connection", (socket) => socket.on("disconnect", () => lost++));
    const handles = world.handles(BATCH);
    const [connecting, closing] = [world.connecting(handles), world.closing(handles)];
    return async () => {
      lost = 0;
      world.native.give(connecting);
      await settled();
      world.native.give(closing);
      await settled(); // the leaving is told in the next turn of the event loop
      await settled();
      if (lost !== BATCH) throw new Error(`${lost} of ${BATCH} clients`);
    };
  },
};

/** @type {Case[]} */
const cases = [
  down("emit of a string", (socket) => () => socket.emit("news", "hello, world")),
  down("emit of an object", (socket) => () => socket.emit("news", OBJECT)),
  down("emit of a Buffer of 1 KiB", (socket) => () => socket.emit("news", KIB)),
  down(
    "emit to a room",
    (_, { io }) =>
      () =>
        io.to("room").emit("news", "hello, world"),
  ),
  down("broadcast of a socket", (socket) => () => socket.broadcast.emit("news", "hello, world")),
  down("one target of an adapter that names each", (_, __, sockets) => {
    // A new array at the first client: with the same one all the time, all would be one operation.
    let packets;
    return (n) => {
      if (n === 0) packets = ['2["news","hello, world"]'];
      sockets[n].client.writeToEngine(packets, {});
    };
  }),
  down("join and leave a room of nobody else", (socket) => () => {
    socket.join("other");
    socket.leave("other");
  }),
  up("event of a string", [-1, ["news", "hello, world"]], () => () => {}),
  up("event of an object", [-1, ["news", OBJECT]], () => () => {}),
  up(
    "event with an attachment of 1 KiB",
    [-1, ["news", { _placeholder: true, num: 0 }], "/", 1],
    () => () => {},
    [KIB],
  ),
  up("event that is echoed", [-1, ["news", "hello, world"]], (socket) => (text) => {
    socket.emit("news", text);
  }),
  up("event that is acknowledged", [1, ["news", "hello, world"]], () => (_, done) => done("ok")),
  acknowledged,
  lives,
];

module.exports = { BATCH, cases };
