"use strict";

/**
 * Assigns to every property of every object that a program gets from a server, and says what came of it: of each of them the
 * value that it has, a copy of that, and another one, which is taken back at once.
 *
 *     node assignable.js PATH VERSION TRANSPORT   then, by a message: { subject: [names to try besides] }
 */

const { EventEmitter, once } = require("node:events");
const http = require("node:http");

const [, , path, version, transport] = process.argv;

/** The ends of what is looked at: classes of JavaScript and of Node.js. */
const ENDS = new Set([Object.prototype, EventEmitter.prototype, http.IncomingMessage.prototype]);

/** @returns {Map<string, PropertyDescriptor>} the properties of an object, and those of its classes */
function propertiesOf(object) {
  const found = new Map();
  for (let at = object; at !== null && !ENDS.has(at); at = Object.getPrototypeOf(at))
    for (const [name, descriptor] of Object.entries(Object.getOwnPropertyDescriptors(at)))
      if (name !== "constructor" && !found.has(name)) found.set(name, descriptor);
  return found;
}

/** @returns {any} the same in another object, where that can be told */
function copyOf(value) {
  if (value instanceof Map) return new Map(value);
  if (value instanceof Set) return new Set(value);
  if (Array.isArray(value)) return value.slice();
  if (typeof value !== "object" || value === null) return value;
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null ? { ...value } : value;
}

/** @returns {string} what comes of it, in strict mode: "ok", "else" (something else is read then), or what is thrown */
function assign(object, name, value) {
  try {
    object[name] = value;
    return object[name] === value ? "ok" : "else";
  } catch (error) {
    return error instanceof TypeError && /only a getter/.test(error.message)
      ? "only a getter"
      : `throws: ${error.message}`;
  }
}

/** What came of all that was assigned to one property, which is then as it was. */
function probe(object, name, tables) {
  const before = Object.getOwnPropertyDescriptor(object, name);
  const value = object[name];
  const results = { same: assign(object, name, value), copy: assign(object, name, copyOf(value)) };
  if (!tables.has(name)) results.odd = assign(object, name, { odd: true });
  // an accessor of its own, or of its class, keeps what it was given
  if (results.same !== "only a getter") object[name] = value;
  if (before === undefined) delete object[name];
  else if ("value" in before) Object.defineProperty(object, name, before);
  return results;
}

async function main() {
  const two = version === "2";
  const loaded = require(path);
  const { connect } = require(two ? "socket.io-client-2" : "socket.io-client");
  const httpServer = http.createServer();
  const io = new (two ? loaded : loaded.Server)(httpServer);
  const engine = io.eio;
  const parent = io.of(two ? (_name, _query, next) => next(null, true) : /^\/dynamic-/);
  httpServer.listen(0, "127.0.0.1");
  await once(httpServer, "listening");
  const url = `http://127.0.0.1:${httpServer.address().port}`;
  const client = connect(url, { transports: [transport], reconnection: false });
  const [socket] = await once(io.sockets, "connection");
  socket.on("echo", (text) => socket.emit("echo", text));
  const { nsp, conn } = socket;
  const subjects = { io, nsp, parent, socket, client: socket.client, engine, conn };
  Object.assign(subjects, { transport: conn.transport, adapter: nsp.adapter });
  Object.assign(subjects, { request: conn.request, handshake: socket.handshake });
  if (!two) subjects.operator = io.to("room");
  // views of what the server knows: other entries are other sockets
  const tables = new Set(["nsps", "connected", "sockets", "acks"]);

  process.send({ ready: true });
  const [more] = await once(process, "message");
  const results = {};
  for (const [subject, object] of Object.entries(subjects)) {
    const names = new Set([...propertiesOf(object).keys(), ...(more[subject] ?? [])]);
    results[subject] = {};
    for (const name of names) results[subject][name] = probe(object, name, tables);
  }
  socket.flags = {}; // looking at the getters of 2.x has set them
  // and all of it goes on
  const echoed = new Promise((resolve) => client.on("echo", resolve));
  client.emit("echo", "still here");
  results.echo = await echoed;
  process.send(results, () => process.exit());
}

main().catch((error) => {
  process.send({ error: error.stack }, () => process.exit(1));
});
