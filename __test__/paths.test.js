"use strict";

// The paths by which programs ask for single classes, through the package's own exports.

const assert = require("node:assert/strict");
const { once } = require("node:events");
const { it } = require("node:test");
const { Namespace, Server, Socket } = require("ferrosocket");
const connect = require("socket.io-client-2");

for (const folder of ["dist", "lib"]) {
  for (const suffix of ["", ".js"]) {
    it(`${folder}/*${suffix}`, () => {
      assert.equal(require(`ferrosocket/${folder}/socket${suffix}`).Socket, Socket);
      assert.equal(require(`ferrosocket/${folder}/namespace${suffix}`).Namespace, Namespace);
    });
  }
}

it("names for ES modules, and no default", async () => {
  const names = await import("ferrosocket");
  assert.deepEqual(Object.keys(names).sort(), ["Namespace", "Server", "Socket"]);
  assert.equal(names.Server, Server);
});

it("lib/socket and lib/namespace are the classes themselves too", () => {
  const socket = require("ferrosocket/lib/socket");
  const namespace = require("ferrosocket/lib/namespace");
  assert.equal(socket, Socket);
  assert.equal(namespace, Namespace);
  assert.deepEqual(namespace.events, ["connect", "connection", "newListener"]);
  assert.deepEqual(namespace.flags, ["json", "volatile", "local"]);
  assert.equal(namespace.RESERVED_EVENTS, require("ferrosocket/dist/namespace").RESERVED_EVENTS);
});

for (const [entry, folder] of [
  ["ferrosocket", "lib"],
  ["ferrosocket/v2", "v2"],
]) {
  it(`what is patched in ${folder}/socket and ${folder}/namespace is what ${entry} uses`, async (t) => {
    const Patched = {
      Socket: require(`ferrosocket/${folder}/socket`),
      Namespace: require(`ferrosocket/${folder}/namespace`),
    };
    const calls = [];
    const patch = (name, method) => {
      const { prototype } = Patched[name];
      const own = Object.getOwnPropertyDescriptor(prototype, method);
      const original = prototype[method];
      prototype[method] = function (...args) {
        if (typeof args[0] === "string" && args[0].startsWith("patched"))
          calls.push(`${name}.${method} ${args[0]}`);
        return original.apply(this, args);
      };
      t.after(() => {
        if (own) Object.defineProperty(prototype, method, own);
        else delete prototype[method];
      });
    };
    for (const method of ["on", "emit"]) {
      patch("Socket", method);
      patch("Namespace", method);
    }

    const io = require(entry)().listen(0, { allowEIO3: true });
    t.after(() => io.close());
    const connection = once(io, "connection");
    const client = connect(`http://127.0.0.1:${io.httpServer.address().port}`, {
      transports: ["websocket"],
      forceNew: true,
    });
    t.after(() => client.close());
    const [socket] = await connection;
    assert.ok(socket instanceof Patched.Socket);
    assert.ok(io.sockets instanceof Patched.Namespace);
    assert.ok(io.of("/other") instanceof Patched.Namespace);
    socket.on("patched by socket", () => {});
    socket.emit("patched to client");
    io.on("patched by namespace", () => {});
    io.sockets.emit("patched to clients");
    assert.deepEqual(calls, [
      "Socket.on patched by socket",
      "Socket.emit patched to client",
      "Namespace.on patched by namespace",
      "Namespace.emit patched to clients",
    ]);
  });
}
