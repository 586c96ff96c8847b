"use strict";

/**
 * The table of the calls into the program while a client is served: every call from a record, a request, an upgrade or a
 * timer. Each row has the program throw there, once (`fault`). A call that is new in `lib/` gets a row here.
 *
 * - `options(fault, lib)`: options of the server;
 * - `setup({ io, engine, fault })`: the program;
 * - `act({ bad, io })`: what the client does once it has connected; an event "ev" when there is none;
 * - `stuck`: the connection is stuck upstream afterwards (`ws` never reads again), so what becomes of it is not compared;
 * - `quiet`: the second of two answers throws upstream, and is passed over here;
 * - `old`: the client speaks protocol 3.
 */

/** Listens to something of the bad client's connection, as soon as there is one. */
const onConn = (event, more) => ({
  setup({ io, fault }) {
    io.on("connection", ({ conn }) => conn.on(event, () => fault()));
  },
  ...more,
});

const onSocket = (name, wire, more) => ({
  name,
  setup({ io, fault }) {
    io.on("connection", (socket) => wire(socket, fault, io));
  },
  ...more,
});

const wait = { act: ({ rounds, fault }) => rounds(100_000, () => fault.fired) };
const leave = { act: ({ bad }) => bad.disconnect() };

const table = [
  // --- namespaces ---
  {
    name: "io.use throws",
    setup: ({ io, fault }) => io.use((_socket, next) => (fault(), next())),
  },
  {
    name: "io.use rejects",
    setup: ({ io, fault }) => io.use(async (_socket, next) => (fault(), next())),
  },
  {
    name: "io.use throws after next()",
    setup: ({ io, fault }) => io.use((_socket, next) => (next(), fault())),
  },
  {
    name: "the second io.use throws",
    setup: ({ io, fault }) =>
      io.use((_socket, next) => next()).use((_socket, next) => (fault(), next())),
  },
  {
    name: "io.use throws in a later turn",
    setup: ({ io, fault }) => io.use((_socket, next) => setImmediate(() => (next(), fault()))),
  },
  {
    name: "the second io.use throws, in a later turn",
    setup: ({ io, fault }) =>
      io.use((_socket, next) => setImmediate(next)).use((_socket, next) => (fault(), next())),
  },
  {
    name: "nsp.use throws",
    namespace: "/other",
    setup: ({ io, fault }) => io.of("/other").use((_socket, next) => (fault(), next())),
  },
  {
    name: "nsp.use of a dynamic namespace throws",
    namespace: "/d1",
    setup: ({ io, fault }) => io.of(/^\/d\d$/).use((_socket, next) => (fault(), next())),
  },
  { name: '"connect" throws', setup: ({ io, fault }) => io.on("connect", () => fault()) },
  { name: '"connection" throws', setup: ({ io, fault }) => io.on("connection", () => fault()) },
  {
    name: '"connection" rejects',
    setup: ({ io, fault }) => io.on("connection", async () => fault()),
  },
  {
    name: '"connection" of a dynamic namespace throws',
    namespace: "/d1",
    setup: ({ io, fault }) => io.of(/^\/d\d$/).on("connection", () => fault()),
  },
  {
    name: '"connection" throws for a recovering server',
    options: () => ({ connectionStateRecovery: {} }),
    setup: ({ io, fault }) => io.on("connection", () => fault()),
  },
  {
    name: "io.use throws in a recovering server",
    options: () => ({ connectionStateRecovery: {} }),
    setup: ({ io, fault }) => io.use((_socket, next) => (fault(), next())),
  },
  {
    name: "a namespace function throws",
    namespace: "/d1",
    setup: ({ io, fault }) => io.of((_name, _auth, next) => (fault(), next(null, true))),
  },
  {
    name: "a namespace function rejects",
    namespace: "/d1",
    setup: ({ io, fault }) => io.of(async (_name, _auth, next) => (fault(), next(null, true))),
  },
  {
    name: "a namespace function throws after next()",
    namespace: "/d1",
    setup: ({ io, fault }) => io.of((_name, _auth, next) => (next(null, true), fault())),
  },
  {
    name: "a namespace function throws in a later turn",
    namespace: "/d1",
    setup: ({ io, fault }) =>
      io.of((_name, _auth, next) => setImmediate(() => (next(null, true), fault()))),
  },
  {
    name: '"new_namespace" throws for a regular expression',
    namespace: "/d1",
    setup({ io, fault }) {
      io.of(/^\/d\d$/);
      io.on("new_namespace", () => fault());
    },
  },
  {
    name: '"new_namespace" throws for a function',
    namespace: "/d1",
    setup({ io, fault }) {
      io.of((_name, _auth, next) => next(null, true));
      io.on("new_namespace", () => fault());
    },
  },
  {
    name: '"new_namespace" throws in a later turn',
    namespace: "/d1",
    setup({ io, fault }) {
      io.of((_name, _auth, next) => setImmediate(next, null, true));
      io.on("new_namespace", () => fault());
    },
  },
  // --- adapters ---
  ...["constructor", "init", "addAll", "delAll"].map((method) => ({
    name: `an adapter's ${method} throws`,
    namespace: "/d1",
    setup({ io, fault }) {
      const Base = io.adapter();
      const { prototype } = Base;
      const Adapter = {
        constructor: class extends Base {
          constructor(nsp) {
            super(nsp);
            fault();
          }
        },
        init: class extends Base {
          init() {
            fault();
            return prototype.init.call(this);
          }
        },
        addAll: class extends Base {
          addAll(...args) {
            fault();
            return prototype.addAll.apply(this, args);
          }
        },
        delAll: class extends Base {
          delAll(...args) {
            fault();
            return prototype.delAll.apply(this, args);
          }
        },
      }[method];
      io.of(/^\/d\d$/);
      io.adapter(Adapter);
    },
    ...(method === "delAll" ? leave : undefined),
  })),
  {
    name: "an adapter's init rejects",
    namespace: "/d1",
    setup({ io, fault }) {
      const Base = io.adapter();
      io.of(/^\/d\d$/);
      io.adapter(
        class extends Base {
          async init() {
            fault();
          }
        },
      );
    },
  },
  {
    name: "an adapter's persistSession throws",
    options: () => ({ connectionStateRecovery: {} }),
    setup({ io, fault }) {
      io.of("/").adapter.persistSession = () => fault();
    },
    act: ({ bad }) => bad.io.engine.close(),
  },
  // --- events ---
  onSocket("a handler throws", (socket, fault) => socket.on("ev", () => fault())),
  onSocket("a handler rejects", (socket, fault) => socket.on("ev", async () => fault())),
  onSocket("the first of two handlers throws", (socket, fault) => {
    socket.on("ev", () => fault());
    socket.on("ev", () => socket.disconnect());
  }),
  onSocket("socket.use throws", (socket, fault) => socket.use((_event, next) => (fault(), next()))),
  onSocket("socket.use rejects", (socket, fault) =>
    socket.use(async (_event, next) => (fault(), next())),
  ),
  onSocket("socket.use throws after next()", (socket, fault) =>
    socket.use((_event, next) => (next(), fault())),
  ),
  onSocket('"error" throws', (socket, fault) => {
    socket.on("error", () => fault());
    socket.use((_event, next) => next(new Error("refused")));
  }),
  onSocket("onAny throws", (socket, fault) => socket.onAny(() => fault())),
  onSocket("onAnyOutgoing throws", (socket, fault) => {
    socket.onAnyOutgoing(() => fault());
    socket.on("ev", () => socket.emit("ask"));
  }),
  onSocket("onAnyOutgoing throws in a broadcast", (socket, fault, io) => {
    socket.onAnyOutgoing(() => fault());
    socket.on("ev", () => io.emit("ask"));
  }),
  onSocket('"disconnecting" throws', (socket, fault) => socket.on("disconnecting", () => fault()), {
    ...leave,
  }),
  onSocket('"disconnect" throws', (socket, fault) => socket.on("disconnect", () => fault()), {
    ...leave,
  }),
  onSocket(
    '"disconnecting" throws when the transport ends',
    (socket, fault) => socket.on("disconnecting", () => fault()),
    { act: ({ bad }) => bad.io.engine.close() },
  ),
  onSocket(
    '"disconnect" throws when the transport ends',
    (socket, fault) => socket.on("disconnect", () => fault()),
    { act: ({ bad }) => bad.io.engine.close() },
  ),
  onSocket('"disconnect" throws when the program disconnects', (socket, fault) => {
    socket.on("disconnect", () => fault());
    socket.on("ev", () => socket.disconnect(true));
  }),
  onSocket("an acknowledgement throws", (socket, fault) => socket.emit("ask", () => fault())),
  onSocket("an acknowledgement with a timeout throws", (socket, fault) =>
    socket.timeout(10_000).emit("ask", () => fault()),
  ),
  onSocket("an acknowledgement throws when its time is over", (socket, fault) =>
    socket.timeout(1).emit("nobody answers", () => fault()),
  ),
  onSocket("the acknowledgement of a broadcast throws", (socket, fault, io) =>
    io.timeout(10_000).emit("ask", () => fault()),
  ),
  onSocket("the acknowledgement of a broadcast throws when its time is over", (socket, fault, io) =>
    io.timeout(1).emit("nobody answers", () => fault()),
  ),
  onSocket("an argument's getter throws", (socket, fault) =>
    socket.on("ev", () =>
      socket.emit("ask", {
        get a() {
          fault();
          return 1;
        },
      }),
    ),
  ),
  onSocket("an argument's toJSON throws", (socket, fault) =>
    socket.on("ev", () => socket.emit("ask", { toJSON: () => fault() })),
  ),
  onSocket("an argument's toJSON throws in a broadcast", (socket, fault, io) =>
    socket.on("ev", () => io.emit("ask", { toJSON: () => fault() })),
  ),
  onSocket("a reply's toJSON throws", (socket, fault) =>
    socket.on("ev", (_x, reply) => reply({ toJSON: () => fault() })),
  ),
  onSocket("socket.onevent throws", (socket, fault) => {
    const { onevent } = socket;
    socket.onevent = function (packet) {
      fault();
      onevent.call(this, packet);
    };
  }),
  {
    name: "getter of data of a fetched socket",
    setup: ({ io, fault }) =>
      io.on("connection", (socket) => {
        Object.defineProperty(socket, "data", { get: () => fault(), configurable: true });
        socket.on("ev", () => socket.data);
      }),
  },
  // --- broken rules ---
  ...Object.entries({
    "a second CONNECT": "0",
    "a CONNECT_ERROR": "4",
    "an invalid packet": "9",
  }).flatMap(([what, packet]) =>
    ["disconnecting", "disconnect", "error"].map((event) =>
      onSocket(`"${event}" throws at ${what}`, (socket, fault) => socket.on(event, () => fault()), {
        act: ({ bad }) => bad.io.engine.write(packet),
        stuck: event === "error" && packet === "9",
      }),
    ),
  ),
  // --- protocol 3 ---
  ...["/", "/other"].map((namespace) => ({
    name: `nsp.use of ${namespace} throws [protocol 3]`,
    old: true,
    namespace,
    options: () => ({ allowEIO3: true }),
    setup: ({ io, fault }) => io.of(namespace).use((_socket, next) => (fault(), next())),
  })),
  {
    name: "a namespace function throws [protocol 3]",
    old: true,
    namespace: "/d1",
    options: () => ({ allowEIO3: true }),
    setup: ({ io, fault }) => io.of((_name, _auth, next) => (fault(), next(null, true))),
  },
  {
    name: '"connection" throws [protocol 3]',
    old: true,
    options: () => ({ allowEIO3: true }),
    setup: ({ io, fault }) => io.on("connection", () => fault()),
  },
  {
    name: '"connection" of the engine throws [protocol 3]',
    old: true,
    options: () => ({ allowEIO3: true }),
    setup: ({ engine, fault }) =>
      engine.on("connection", ({ request }) => request.url.includes("bad") && fault()),
  },
  // --- requests ---
  {
    name: "engine.use throws",
    setup: ({ engine, fault }) => engine.use((_req, _res, next) => (fault(), next())),
  },
  {
    name: "engine.use rejects",
    setup: ({ engine, fault }) => engine.use(async (_req, _res, next) => (fault(), next())),
  },
  {
    name: "engine.use throws after next()",
    setup: ({ engine, fault }) => engine.use((_req, _res, next) => (next(), fault())),
  },
  {
    name: "engine.use throws in a later turn",
    setup: ({ engine, fault }) =>
      engine.use((_req, _res, next) => setImmediate(() => (next(), fault()))),
  },
  {
    name: "allowRequest throws",
    options: (fault) => ({ allowRequest: (_req, done) => (fault(), done(null, true)) }),
  },
  {
    name: "allowRequest throws behind a middleware",
    options: (fault) => ({ allowRequest: (_req, done) => (fault(), done(null, true)) }),
    setup: ({ engine }) => engine.use((_req, _res, next) => next()),
  },
  {
    name: "allowRequest rejects",
    options: (fault) => ({ allowRequest: async (_req, done) => (fault(), done(null, true)) }),
  },
  {
    name: "allowRequest throws after its answer",
    options: (fault) => ({ allowRequest: (_req, done) => (done(null, true), fault()) }),
  },
  {
    name: "allowRequest throws after a refusal",
    options: (fault) => ({
      allowRequest(req, done) {
        done(null, !req.url.includes("bad"));
        if (req.url.includes("bad")) fault();
      },
    }),
  },
  ...[
    [true, true],
    [true, false],
    [false, true],
    [false, false],
  ].map((answers) => ({
    name: `allowRequest answers twice: ${answers.join(", ")}`,
    options: (fault) => ({
      allowRequest(req, done) {
        fault.fired = true;
        if (!req.url.includes("bad")) done(null, true);
        else for (const answer of answers) done(null, answer);
      },
    }),
    quiet: true,
  })),
  {
    name: "allowRequest answers twice, in later turns",
    options: (fault) => ({
      allowRequest(req, done) {
        fault.fired = true;
        setImmediate(done, null, true);
        if (req.url.includes("bad")) setImmediate(() => setImmediate(done, null, true));
      },
    }),
    quiet: true,
  },
  {
    name: "allowRequest never answers",
    options: (fault) => ({
      allowRequest(req, done) {
        fault.fired = true;
        if (!req.url.includes("bad")) done(null, true);
      },
    }),
  },
  {
    name: "generateId throws",
    setup({ engine, fault }) {
      const { generateId } = engine;
      engine.generateId = function (req) {
        fault();
        return generateId.call(this, req);
      };
    },
  },
  {
    name: "generateId rejects",
    setup({ engine, fault }) {
      const { generateId } = engine;
      engine.generateId = async function (req) {
        fault();
        return generateId.call(this, req);
      };
    },
  },
  {
    name: "cors.origin throws",
    options: (fault) => ({ cors: { origin: (_origin, done) => (fault(), done(null, true)) } }),
  },
  {
    name: "cors.origin tells an error",
    options: (fault) => ({
      cors: {
        origin(_origin, done) {
          try {
            fault();
          } catch (error) {
            return done(error);
          }
          done(null, true);
        },
      },
    }),
  },
  {
    name: "cors throws",
    options: (fault) => ({ cors: (_req, done) => (fault(), done(null, { origin: true })) }),
  },
  {
    name: "cookie.encode throws",
    options: (fault) => ({ cookie: { name: "io", encode: (value) => (fault(), value) } }),
  },
  {
    name: "engine.verify throws",
    setup({ engine, fault }) {
      const { verify } = engine;
      engine.verify = function (...args) {
        fault();
        return verify.apply(this, args);
      };
    },
  },
  ...["connection", "flush", "drain"].map((event) => ({
    name: `"${event}" of the engine throws`,
    setup: ({ engine, fault }) =>
      engine.on(event, ({ request }) => request.url.includes("bad") && fault()),
    stuck: event === "drain",
  })),
  ...["initial_headers", "headers"].map((event) => ({
    name: `"${event}" of the engine throws`,
    setup: ({ engine, fault }) => engine.on(event, () => fault()),
  })),
  {
    name: '"headers" of the engine throws behind a middleware',
    setup({ engine, fault }) {
      engine.use((_req, _res, next) => next());
      engine.on("headers", () => fault());
    },
  },
  {
    name: '"headers" of the engine throws when the session is open',
    setup: ({ engine, fault }) =>
      engine.on("headers", (_headers, req) => req._query.sid && fault()),
    transports: ["polling"],
  },
  {
    name: '"connection_error" throws',
    query: { EIO: "3" },
    setup: ({ engine, fault }) => engine.on("connection_error", () => fault()),
  },
  {
    name: '"connection_error" throws behind allowRequest',
    options: () => ({ allowRequest: (req, done) => done(null, !req.url.includes("bad")) }),
    setup: ({ engine, fault }) => engine.on("connection_error", () => fault()),
  },
  {
    name: '"connection_error" throws behind a middleware',
    setup({ engine, fault }) {
      engine.use((req, _res, next) => next(req.url.includes("bad") ? new Error("no") : undefined));
      engine.on("connection_error", () => fault());
    },
  },
  // --- connections ---
  { name: '"packet" of a connection throws', ...onConn("packet"), stuck: true },
  { name: '"data" of a connection throws', ...onConn("data"), stuck: true },
  { name: '"message" of a connection throws', ...onConn("message"), stuck: true },
  {
    name: '"packetCreate" of a connection throws',
    ...onConn("packetCreate"),
  },
  {
    name: '"flush" of a connection throws',
    ...onConn("flush"),
    stuck: true,
  },
  {
    name: '"drain" of a connection throws',
    ...onConn("drain"),
  },
  { name: '"close" of a connection throws', ...onConn("close"), ...leave },
  {
    name: '"heartbeat" of a connection throws',
    options: () => ({ pingInterval: 20 }),
    ...onConn("heartbeat"),
    ...wait,
    stuck: true,
  },
  {
    name: "the callback of conn.send throws",
    setup: ({ io, fault }) =>
      io.on("connection", ({ conn }) => conn.send('2["ask"]', () => fault())),
    stuck: true,
  },
  {
    name: '"upgrade" of a connection throws',
    upgrade: true,
    transports: ["websocket"],
    setup: ({ engine, fault }) =>
      engine.on("connection", (conn) => conn.on("upgrade", () => fault())),
    ...wait,
    stuck: true,
  },
  {
    name: '"upgrading" of a connection throws',
    upgrade: true,
    transports: ["websocket"],
    setup: ({ engine, fault }) =>
      engine.on("connection", (conn) => conn.on("upgrading", () => fault())),
    ...wait,
    stuck: true,
  },
  // --- parsers ---
  ...["encode", "add", "Decoder", "destroy"].map((where) => ({
    name: `a parser's ${where} throws`,
    options(fault) {
      const parser = require("socket.io-parser");
      class Encoder extends parser.Encoder {
        encode(packet) {
          if (where === "encode" && packet.nsp !== "/canary") fault();
          return super.encode(packet);
        }
      }
      class Decoder extends parser.Decoder {
        constructor() {
          super();
          if (where === "Decoder") fault();
        }
        add(data) {
          if (where === "add" && !data.includes("/canary")) fault();
          super.add(data);
        }
        destroy() {
          if (where === "destroy") fault();
          super.destroy();
        }
      }
      return { parser: { Encoder, Decoder } };
    },
    ...(where === "destroy" ? leave : undefined),
  })),
];

module.exports = { table };
