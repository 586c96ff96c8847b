"use strict";

// What is compared with what.

/**
 * Classes: `[title, upstream's file, its class, our declarations, our class, the specimen]`; specimens are made in
 * specimens.js.
 */
const CLASSES = [
  ["Server", "socket.io/dist/index.d.ts", "Server", "types/server.d.ts", "Server", "server"],
  [
    "Namespace",
    "socket.io/dist/namespace.d.ts",
    "Namespace",
    "types/namespace.d.ts",
    "Namespace",
    "namespace",
  ],
  [
    "ParentNamespace",
    "socket.io/dist/parent-namespace.d.ts",
    "ParentNamespace",
    "types/parent-namespace.d.ts",
    "ParentNamespace",
    "parentNamespace",
  ],
  ["Socket", "socket.io/dist/socket.d.ts", "Socket", "types/socket.d.ts", "Socket", "socket"],
  [
    "BroadcastOperator",
    "socket.io/dist/broadcast-operator.d.ts",
    "BroadcastOperator",
    "types/broadcast-operator.d.ts",
    "BroadcastOperator",
    "operator",
  ],
  [
    "RemoteSocket",
    "socket.io/dist/broadcast-operator.d.ts",
    "RemoteSocket",
    "types/broadcast-operator.d.ts",
    "RemoteSocket",
    "remoteSocket",
  ],
  ["Client", "socket.io/dist/client.d.ts", "Client", "types/client.d.ts", "Client", "client"],
  [
    "engine.io Server",
    "engine.io/build/server.d.ts",
    "Server",
    "types/engine.d.ts",
    "EngineServer",
    "engine",
  ],
  [
    "engine.io Socket",
    "engine.io/build/socket.d.ts",
    "Socket",
    "types/engine.d.ts",
    "EngineSocket",
    "conn",
  ],
  [
    "engine.io Transport",
    "engine.io/build/transport.d.ts",
    "Transport",
    "types/engine.d.ts",
    "Transport",
    "transport",
  ],
  [
    "Adapter",
    "socket.io-adapter/dist/in-memory-adapter.d.ts",
    "Adapter",
    "types/adapter.d.ts",
    "Adapter",
    "adapter",
  ],
];

/**
 * Events: `[title, upstream's scripts, our folders or scripts]`; the names are read from
 * their calls of emit() and emitReserved().
 */
const EVENTS = [
  [
    "Server, Namespace",
    [
      "socket.io/dist/index.js",
      "socket.io/dist/namespace.js",
      "socket.io/dist/parent-namespace.js",
    ],
    ["api"],
  ],
  ["Socket", ["socket.io/dist/socket.js"], ["api"]],
  ["engine.io Server", ["engine.io/build/server.js"], ["engine", "http"]],
  ["engine.io Socket", ["engine.io/build/socket.js"], ["engine"]],
  [
    "engine.io Transport",
    [
      "engine.io/build/transport.js",
      "engine.io/build/transports/polling.js",
      "engine.io/build/transports/websocket.js",
    ],
    ["engine/transport.js"],
  ],
  ["Adapter", ["socket.io-adapter/dist/in-memory-adapter.js"], ["api"]],
];

/** Where upstream's debug scopes are named. */
const SCOPED = [
  "socket.io/dist",
  "engine.io/build",
  "engine.io/build/transports",
  "socket.io-parser/build/cjs",
];

/** Options: `[title, the path from ServerOptions to them]`. */
const OPTIONS = [
  ["new Server(options)", []],
  ["connectionStateRecovery", ["connectionStateRecovery"]],
  ["cookie", ["cookie"]],
  ["cors", ["cors"]],
  ["perMessageDeflate", ["perMessageDeflate"]],
];

/** Exports: `[title, upstream's file, our file, our script if values are compared too]`. */
const EXPORTS = [
  ["socket.io", "socket.io/dist/index.d.ts", "index.d.ts", "index.js"],
  ...["broadcast-operator", "client", "namespace", "parent-namespace", "socket-types", "socket"]
    .concat("typed-events")
    .map((name) => [
      `socket.io/dist/${name}`,
      `socket.io/dist/${name}.d.ts`,
      `dist/${name}.d.ts`,
      `dist/${name}.js`,
    ]),
  ["engine.io", "engine.io/build/engine.io.d.ts", "engine.io.d.ts", "engine.io.js"],
];

module.exports = { CLASSES, EVENTS, EXPORTS, OPTIONS, SCOPED };
