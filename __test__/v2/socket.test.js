"use strict";

/** What Socket.IO 2.x documents of a socket, and what both of our entries keep of it. */

const assert = require("node:assert/strict");
const { deferred, until } = require("../support/waiting");
const { BOTH, old } = require("./harness");

old("join() and leave() call back, in a later tick", BOTH, async ({ serve, pair, trace }) => {
  await serve();
  const { socket } = await pair();
  const call = (name, ...args) => {
    const { promise, resolve } = deferred(`${name} to call back`);
    let sync = true;
    socket[name](...args, (error) => {
      trace(name, args, sync, error);
      resolve();
    });
    sync = false;
    return promise;
  };
  await call("join", "a");
  await call("join", ["b", "c"]);
  await call("leave", "a");
  await call("leave", "no such room");
  socket.join("b");
  socket.leave("b");
});

old("the handshake", BOTH, async ({ serve, pair, trace }) => {
  await serve();
  const { socket } = await pair("/", { query: { a: "1" } });
  const { handshake } = socket;
  for (const name of ["time", "issued", "xdomain", "secure", "url", "address"])
    trace(name, typeof handshake[name]);
  trace("values", handshake.xdomain, handshake.secure, handshake.address, handshake.query.a);
  assert.ok(Math.abs(new Date(handshake.time) - handshake.issued) < 2_000);
});

old("sends, answers and asks", BOTH, async ({ serve, pair, trace }) => {
  await serve();
  const { client, socket } = await pair();
  socket.on("ask", (a, b, answer) => answer(b, a));
  const answered = deferred("an answer");
  client.emit("ask", 1, Buffer.from([2]), (...args) => answered.resolve(args));
  trace("answer", await answered.promise);
  const message = until(client, "message");
  socket.send("hello");
  trace("message", await message);
  const gone = until(socket, "disconnect");
  client.disconnect();
  trace("reason", (await gone)[0]);
});
