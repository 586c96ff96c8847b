"use strict";

/**
 * Loads copies of an implementation, one after the other, has each serve a client by each transport, closes it, and says how
 * many of them, and what else, are left when the garbage has been collected.
 */

const async_hooks = require("node:async_hooks");
const http = require("node:http");
const { once } = require("node:events");
const { io: connect } = require("socket.io-client");
const { loadCopy } = require("../support/copy");
const { eventually } = require("../support/waiting");

const [, , path, how] = process.argv;
const COPIES = 5;

/** What of the addon could call into JavaScript. (That of napi-rs itself, "CustomGC", is one for the process.) */
const wakers = new Map();
async_hooks
  .createHook({
    init(id, type) {
      if (/threadsafe|ferrosocket/i.test(type)) wakers.set(id, type);
    },
    destroy: (id) => wakers.delete(id),
  })
  .enable();

async function serve(Server, options) {
  const httpServer = http.createServer();
  const io = new Server(httpServer, options);
  httpServer.listen(0, "127.0.0.1");
  await once(httpServer, "listening");
  const url = `http://127.0.0.1:${httpServer.address().port}`;
  for (const transports of [["websocket"], ["polling"], ["polling", "websocket"]]) {
    const client = connect(url, { transports, reconnection: false, forceNew: true });
    io.once("connection", (socket) => socket.join("room"));
    await once(client, "connect");
    const echoed = new Promise((resolve) => client.once("x", resolve));
    io.to("room").emit("x", "x");
    await echoed;
    client.disconnect();
  }
  return io;
}

async function copy(refs) {
  const { Server } = loadCopy({ path }).exports;
  refs.push(new WeakRef(Server));
  const options = how === "recovery" ? { connectionStateRecovery: {} } : {};
  const io = await serve(Server, options);
  if (how === "again") {
    // another one in the tick in which the last one is closed
    const closed = io.close();
    const other = new Server(0);
    await Promise.all([closed, once(other.httpServer, "listening")]);
    await other.close();
    await (await serve(Server)).close();
  }
  await io.close();
}

(async () => {
  const refs = [];
  for (let i = 0; i < COPIES; i++) await copy(refs);
  const left = () => refs.filter((ref) => ref.deref() !== undefined).length;
  let error;
  try {
    await eventually(() => {
      global.gc();
      return left() === 0 && wakers.size === 0;
    }, "the copies to be collected");
  } catch (reason) {
    error = reason.message;
  }
  process.send({ left: left(), wakers: [...wakers.values()], error });
  process.disconnect();
})();
