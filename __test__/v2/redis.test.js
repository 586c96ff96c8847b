"use strict";

/** npm `socket.io-redis` 5 between two servers; and between one of ours and npm `socket.io` 2.5.1. */

const { after, before } = require("node:test");
const redisAdapter = require("socket.io-redis");
const { startRedis } = require("../support/redis");
const { until, within } = require("../support/waiting");
const { ONLY_V2, old } = require("./harness");

let redis;
before(async () => (redis = await startRedis()));
after(() => redis?.stop());

/** What a function that takes a callback gives to it; fails with its error. */
const asked = (fn) =>
  within(
    new Promise((resolve, reject) =>
      fn((error, answer) => (error ? reject(error) : resolve(answer))),
    ),
    "a callback",
  );

/** A server on Redis, and one client of each of its two namespaces. */
async function join(stage, name) {
  const adapter = redisAdapter(redis.path);
  const io = await stage.serve({ adapter });
  stage.defer(() => Promise.all([adapter.pubClient, adapter.subClient].map(quit)));
  const other = io.of("/n"); // asks Redis for messages as soon as it is there
  // answered after all that was asked before
  await asked((done) => adapter.subClient.psubscribe("nothing*", done));
  const main = await stage.pair();
  const inOther = await stage.pair("/n");
  for (const [where, { client }] of Object.entries({ main, "/n": inOther }))
    client.on("event", (...data) => stage.trace(`${name} ${where}`, ...data));
  return { io, other, main, inOther, adapter: io.sockets.adapter };
}

const sort = (list) => list.slice().sort();

async function quit(client) {
  const end = until(client, "end");
  client.quit();
  await end;
}

/**
 * The scenario.
 *
 * @param {object} stage
 * @param {(name: string) => void} choose called before each server is made
 */
async function cluster(stage, choose) {
  const { trace } = stage;
  choose("one");
  const one = await join(stage, "one");
  choose("two");
  const two = await join(stage, "two");
  const [a, b] = [one.main.socket, two.main.socket];
  await asked((done) => a.join("room", done));
  await asked((done) => b.join(["room", "room of b"], done));

  for (const [name, { io, other, main }] of Object.entries({ one, two })) {
    const last = [one, two].flatMap((each) => [
      until(each.main.client, "last"),
      until(each.inOther.client, "last"),
    ]);
    io.emit("event", name, "to all");
    io.in("room").emit("event", name, "to the room");
    io.in("room of b").in("room").emit("event", name, "to two rooms");
    main.socket.to("room").emit("event", name, "to others in the room");
    main.socket.broadcast.emit("event", name, "to others");
    io.emit("event", name, { bytes: Buffer.from([1, 2, 3]) }, Buffer.from([4]));
    io.local.emit("event", name, "to those of this server");
    io.to(b.id).emit("event", name, "to b");
    other.emit("event", name, "to all of the namespace");
    other.emit("last");
    io.emit("last");
    await Promise.all(last);
  }

  const ids = [a.id, b.id];
  const known = (list) => list.map((id) => ids.indexOf(id)).sort();
  trace("clients", known(await asked((done) => one.io.clients(done))));
  trace("clients", known(await asked((done) => two.io.in("room of b").clients(done))));
  trace("rooms of b", sort(await asked((done) => one.adapter.clientRooms(b.id, done))).length);
  const rooms = await asked((done) => one.adapter.allRooms(done));
  trace("all rooms", sort(rooms.filter((room) => room.startsWith("room"))));
  await asked((done) => one.adapter.remoteJoin(b.id, "joined from afar", done));
  trace("joined", Object.hasOwn(b.rooms, "joined from afar"));
  await asked((done) => one.adapter.remoteLeave(b.id, "room", done));
  trace("left", Object.hasOwn(b.rooms, "room"));
  for (const [name, { adapter }] of Object.entries({ one, two }))
    adapter.customHook = (data, answer) => answer(`${name} got ${data}`);
  trace("custom", sort(await asked((done) => two.adapter.customRequest("it", done))));
  const gone = [until(b, "disconnect"), until(two.main.client, "disconnect")];
  await asked((done) => one.adapter.remoteDisconnect(b.id, true, done));
  trace("disconnected", ...(await Promise.all(gone)).map(([reason]) => reason));
}

old("two servers", ONLY_V2, (stage) => cluster(stage, () => {}));

for (const place of ["one", "two"]) {
  old(`server ${place} is npm socket.io 2.5.1`, ONLY_V2, (stage) => {
    const { lib } = stage;
    return cluster(stage, (name) => (stage.lib = name === place ? require("socket.io-2") : lib));
  });
}
