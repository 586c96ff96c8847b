"use strict";

/**
 * What keeps a connection from going past Node.js: each row of the table in lib/ingress/reasons.js is turned on over a real
 * server, and closes the ways that it says, and no others.
 */

const assert = require("node:assert/strict");
const cluster = require("node:cluster");
const { channel } = require("node:diagnostics_channel");
const { EventEmitter } = require("node:events");
const fs = require("node:fs");
const http = require("node:http");
const https = require("node:https");
const net = require("node:net");
const os = require("node:os");
const path = require("node:path");
const { Duplex } = require("node:stream");
const threads = require("node:worker_threads");
const tls = require("node:tls");
const { format } = require("node:util");
const { test } = require("node:test");
const createDebug = require("debug");
const { io: connect } = require("socket.io-client");

const { Engine } = require("../lib/engine/engine");
const { Inputs } = require("../lib/ingress/inputs");
const reasons = require("../lib/ingress/reasons");
const { EarlySocket } = require("./support/early-socket");
const { selected } = require("./support/implementations");
const { KeptConnection } = require("./support/kept-connection");
const { RawWebSocket } = require("./support/raw-websocket");
const { eventually, turns, until, within } = require("./support/waiting");

const { mayRelay, NOT_PLAIN, ROWS, reasonAgainst } = reasons;
const { DROP_REQUEST, DROP_SOCKET, MOVE_POLLING, TAKES_POLLING, TAKES_WEBSOCKET } = reasons;
/** What keeps a worker from accepting. */
const LENDS = reasons.LISTEN | reasons.ACCEPT | reasons.LEND;
/** What is looked at in each turn while a worker accepts. */
const LOOKED_AT =
  reasons.ACCEPT |
  reasons.ACCEPT_WEBSOCKET |
  reasons.ACCEPT_POLLING |
  reasons.OPEN_POLLING |
  reasons.LEND;

const POLLING = "/socket.io/?EIO=4&transport=polling";
const WEBSOCKET = "/socket.io/?EIO=4&transport=websocket";
/** An upgrade request that only Node.js reads, as it names no host. */
const HANDSHAKE = `GET ${WEBSOCKET} HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`;

const LINUX = process.platform === "linux";
const OLD = process.versions.node.startsWith("20.");

const fixture = (name) => fs.readFileSync(path.join(__dirname, "fixtures", name));
const CREDENTIALS = { key: fixture("key.pem"), cert: fixture("cert.pem") };

const app = (req, res) => res.end("app");
const nothing = () => {};

class OtherRequest extends http.IncomingMessage {}
class OtherResponse extends http.ServerResponse {}
class OtherServer extends http.Server {}

/** Calls the engine's own method in its place. */
const replace = (method) => ({
  prepare: ({ engine }) => {
    engine[method] = function (...args) {
      return Engine.prototype[method].apply(this, args);
    };
  },
});

/** Calls a method of Node's in its place. */
const patch = (prototype, name) => ({
  prepare: (_io, _httpServer, t) => {
    const own = Object.getOwnPropertyDescriptor(prototype, name);
    const method = prototype[name];
    prototype[name] = function (...args) {
      return Reflect.apply(method, this, args);
    };
    t.after(() => {
      if (own) Object.defineProperty(prototype, name, own);
      else delete prototype[name];
    });
  },
});

/** Sets a property of the HTTP server. */
const setting = (name, value) => ({ prepare: (_io, httpServer) => (httpServer[name] = value) });

/** Listens to the HTTP server, or to the engine. */
const listener = (event) => ({ prepare: (_io, httpServer) => httpServer.on(event, nothing) });
const engineListener = (event) => ({ prepare: ({ engine }) => engine.on(event, nothing) });

/** Subscribes to a channel of Node.js. */
const subscriber = (name) => ({
  prepare: (_io, _httpServer, t) => {
    channel(name).subscribe(nothing);
    t.after(() => channel(name).unsubscribe(nothing));
  },
});

/** Switches a debug scope on. */
const scope = (name) => ({
  prepare: (_io, _httpServer, t) => {
    const { log } = createDebug;
    createDebug.log = nothing;
    createDebug.enable(name);
    t.after(() => {
      createDebug.disable();
      createDebug.log = log;
    });
  },
});

/** Another copy of the package, loaded while something is otherwise. */
function copy(change) {
  const ours = ["lib", "index.js"].map((name) => path.join(__dirname, "..", name));
  const isOurs = (file) => ours.some((place) => file.startsWith(place));
  const kept = Object.entries(require.cache).filter(([file]) => isOurs(file));
  for (const [file] of kept) delete require.cache[file];
  const undo = change();
  try {
    return require("..").Server;
  } finally {
    undo();
    for (const file of Object.keys(require.cache)) if (isOurs(file)) delete require.cache[file];
    for (const [file, module] of kept) require.cache[file] = module;
  }
}

/** Gives a property another value. @returns what undoes it */
function change(object, name, value) {
  const before = Object.getOwnPropertyDescriptor(object, name);
  Object.defineProperty(object, name, { ...before, value });
  return () => Object.defineProperty(object, name, before);
}

/**
 * How each row is turned on: `options` of the server, its `Server` class, what `create` makes the HTTP server, what is to be
 * done to `prepare` it before it listens, and which requests `refused` are.
 */
const SCENES = {
  Windows: { Server: () => copy(() => change(process, "platform", "win32")) },
  "this version of Node.js": {
    Server: () => copy(() => change(net.Server.prototype, "_emitCloseIfDrained", undefined)),
    // nobody else can count the connection
    more: DROP_SOCKET,
  },
  "requests of this Node.js": {
    Server: () => copy(() => change(http.IncomingMessage.prototype, "_addHeaderLines", undefined)),
    more: DROP_SOCKET, // the request that is kept has one made for it
  },
  TLS: { create: () => https.createServer(CREDENTIALS, app), secure: true },
  "no TCP socket": {
    host: path.join(os.tmpdir(), `ferrosocket-reasons-${process.pid}`),
    skip: process.platform === "win32" && "pipes have other names there",
  },
  "a server that is not attached": {
    detached: true,
    create: () => http.createServer(),
    // who hands in the requests has been given all of them
    prepare: ({ engine }, httpServer) => {
      httpServer.on("request", (req, res) => engine.handleRequest(req, res));
      httpServer.on("upgrade", (req, socket, head) => engine.handleUpgrade(req, socket, head));
    },
  },
  "another attached server": {
    prepare: ({ engine }) => engine.attach(http.createServer(), { path: "/other" }),
  },
  "a worker of node:cluster": {
    prepare: (_io, _httpServer, t) => t.after(change(cluster, "isWorker", true)),
  },
  "another operating system": {
    prepare: ({ engine }, _httpServer, t) => t.after(change(engine.border(), "reachesLoop", false)),
  },
  "a worker thread": {
    prepare: (_io, _httpServer, t) => t.after(change(threads, "isMainThread", false)),
  },
  "another engine": {
    // an "upgrade" listener of it would be a reason, too
    prepare: (_io, httpServer, t) => {
      const { Server } = require("..");
      const other = new Server(httpServer, { transports: ["polling"], path: "/other" });
      t.after(() => other.engine.close());
    },
  },
  "another class of server": { create: () => new OtherServer(app) },
  'a "connection" listener': {
    ...listener("connection"),
    // who listens to connections is given their sockets
    more: DROP_SOCKET,
  },
  "a socket that was shown": {
    prepare: (_io, httpServer) =>
      httpServer.once("connection", nothing).emit("connection", new Half()),
  },
  maxConnections: setting("maxConnections", 100),
  blockList: setting("blockList", new net.BlockList()),
  // a connection would stand still
  pauseOnConnect: { ...setting("pauseOnConnect", true), silent: true },
  keepAlive: { create: () => http.createServer({ keepAlive: true }, app) },
  maxHeadersCount: setting("maxHeadersCount", 100),
  "a class of requests": {
    create: () => http.createServer({ IncomingMessage: OtherRequest }, app),
  },
  "a class of responses": {
    create: () => http.createServer({ ServerResponse: OtherResponse }, app),
  },
  "methods of responses": patch(http.ServerResponse.prototype, "writeHead"),
  "methods of sockets": patch(net.Socket.prototype, "write"),
  'a "request" listener': listener("request"),
  'an "upgrade" listener': listener("upgrade"),
  'no "upgrade" listener': {
    prepare: (_io, httpServer) => httpServer.removeAllListeners("upgrade"),
    refuses: "websocket",
  },
  shouldUpgradeCallback: setting("shouldUpgradeCallback", () => true),
  timeout: setting("timeout", 1_000_000),
  keepAliveTimeout: { ...setting("keepAliveTimeout", -1), skip: OLD && "Node.js 20 throws" },
  httpAllowHalfOpen: setting("httpAllowHalfOpen", true),
  maxRequestsPerSocket: setting("maxRequestsPerSocket", 100),
  "emit of the server": {
    prepare: (_io, httpServer) => {
      httpServer.emit = function (...args) {
        return http.Server.prototype.emit.apply(this, args);
      };
    },
  },
  "net.server.socket": subscriber("net.server.socket"),
  "http.server channels": subscriber("http.server.response.finish"),
  "a middleware": { prepare: ({ engine }) => engine.use((req, res, next) => next()), relays: true },
  "the entry for 2.x": { Server: () => require("../v2") },
  'a "headers" listener': engineListener("headers"),
  'an "initial_headers" listener': engineListener("initial_headers"),
  'a "connection" listener of the engine': engineListener("connection"),
  allowRequest: { options: { allowRequest: (req, done) => done(null, true) } },
  generateId: replace("generateId"),
  prepare: replace("prepare"),
  verify: replace("verify"),
  handleUpgrade: replace("handleUpgrade"),
  handleRequest: replace("handleRequest"),
  "cors with a function": { options: { cors: { origin: (origin, done) => done(null, true) } } },
  "transports without websocket": {
    prepare: ({ engine }) => (engine.opts.transports = ["polling"]),
    refuses: "websocket",
  },
  "transports without polling": {
    prepare: ({ engine }) => (engine.opts.transports = ["websocket"]),
    refuses: "polling",
  },
  cookie: { options: { cookie: true } },
  httpCompression: { options: { httpCompression: { level: 1 } } },
  "debug scope engine": scope("engine"),
  "debug scope engine:ws": scope("engine:ws"),
  "debug scope engine:polling": scope("engine:polling"),
};

/** Those that are about a single connection or request have tests of their own, below. */
const APART = [
  "an option of TLS", // these two: __test__/tls-native.test.js
  "a listener of TLS",
  "a closed engine", // __test__/worker-listener.test.js
  "sockets of this Node.js",
  "unsent bytes",
  "a socket of another server",
  'no "request" listener',
  "a response of another class",
  "a connection that ends",
  "sendDate",
];

/** A stream by which nothing comes. */
class Half extends Duplex {
  _read() {}
  _write(_chunk, _encoding, done) {
    done();
  }
}

/** A server as a scene has it, and ways to connect to it. */
async function serve(t, scene = {}) {
  const { options, create = () => http.createServer(app), prepare, secure, detached } = scene;
  const Server = scene.Server ? scene.Server() : require("..").Server;
  const httpServer = create();
  const io = new Server(detached ? http.createServer() : httpServer, options);
  prepare?.(io, httpServer, t);
  const host = scene.host ?? "127.0.0.1";
  if (scene.host) httpServer.listen(host);
  else httpServer.listen(0, host);
  await until(httpServer, "listening");
  const { port } = scene.host ? { port: host } : httpServer.address();
  const open = [];
  t.after(async () => {
    for (const socket of open) socket.destroy();
    for (const socket of open) await socket.exited;
    if (detached) httpServer.close();
    await within(io.close(), "close");
  });
  const keep = (socket) => {
    open.push(socket);
    return socket;
  };
  /** A connection by which nothing has come when it is accepted. */
  const dial = () => {
    if (secure) return keep(tls.connect({ port, host, rejectUnauthorized: false }));
    return keep(scene.host ? net.connect(host) : net.connect(port, host));
  };
  /** One whose request is there then, where that is possible. */
  const dialEarly = async () =>
    secure || scene.host ? dial() : keep(await EarlySocket.prepare(port));
  const taken = () => io.engine.acceptor.taken;
  const held = () => io.engine.takeover.size;
  return { io, httpServer, dial, dialEarly, taken, held };
}

/** Opens a session by `socket`; the connection as the server has it, or nothing when it is refused. */
async function openSession({ io }, socket, request) {
  let conn;
  const seen = Object.values(io.engine.clients);
  if (request === POLLING || request.includes("b64")) {
    const kept = new KeptConnection(socket);
    const { head } = await kept.ask(request);
    if (!head.startsWith("HTTP/1.1 200")) return { head };
    conn = { kept, head };
  } else {
    const raw = new RawWebSocket(socket);
    if (request === WEBSOCKET) raw.request(request);
    else raw.socket.write(request);
    await within(raw.answered, "the answer");
    if (raw.status !== 101) return { head: raw.statusLine };
    await raw.next();
    conn = { raw };
  }
  const find = () => Object.values(io.engine.clients).find((one) => !seen.includes(one));
  await eventually(find, "the session");
  return { ...conn, conn: find() };
}

for (const row of ROWS.filter(({ word }) => !APART.includes(word))) {
  const { word } = row;
  const scene = SCENES[word];
  test(`${word}`, { skip: scene?.skip || false }, async (t) => {
    assert.ok(scene, "no scene turns it on");
    const server = await serve(t, scene);
    const { io, httpServer, dial, dialEarly, taken, held } = server;
    const closes = row.against | (scene.more ?? 0);

    if (!scene.detached) assertAllIsLookedAt(io.engine, httpServer);
    if (scene.refuses === "websocket" || scene.silent)
      assert.equal(reasonAgainst(io.engine, httpServer, TAKES_WEBSOCKET), word);
    if (scene.refuses === "polling" || scene.silent)
      assert.equal(reasonAgainst(io.engine, httpServer, TAKES_POLLING), word);
    if (scene.silent) return;

    await turns(2);
    const lends = [...io.engine.workerListeners].some(({ isOpen }) => isOpen);
    const accepts = (row.against & LENDS) === 0 || scene.relays === true;
    assert.equal(lends, LINUX && accepts, "whether a worker accepts");
    assert.equal(mayRelay(io.engine, httpServer), scene.relays === true, "whether it relays");

    // WebSocket, its request there when it is accepted
    const early = await openSession(server, await dialEarly(), WEBSOCKET);
    if (scene.refuses === "websocket") {
      assert.match(early.head, /400/);
      assert.equal(taken(), 0);
    } else {
      const isTaken = (closes & TAKES_WEBSOCKET) === 0;
      assert.equal(early.conn.doorReason, isTaken ? undefined : word);
      if (!scene.detached) assert.equal(taken(), isTaken ? 1 : 0);
      assert.equal(early.conn.door, closes & reasons.TAKE_OVER ? "bridge" : "takeover");
    }

    // a polling session, likewise
    const before = scene.detached ? 0 : taken();
    const polling = await openSession(server, await dialEarly(), POLLING);
    if (scene.refuses === "polling") {
      assert.match(polling.head, /400/);
      assert.equal(taken(), before);
    } else {
      const isTaken = (closes & TAKES_POLLING) === 0;
      assert.equal(polling.conn.doorReason, isTaken ? undefined : word);
      if (!scene.detached) assert.equal(taken(), before + (isTaken ? 1 : 0));
      assert.equal(polling.conn.door, "polling");
      polling.kept.destroy();
      await eventually(() => held() === 0, "the end of the connection");

      // one that Node.js reads
      const read = await openSession(server, dial(), `${POLLING}&b64=1`);
      assert.equal(read.conn.doorReason, closes & TAKES_POLLING ? word : NOT_PLAIN);
      const moves = (closes & MOVE_POLLING) === 0;
      if (moves) await eventually(() => held() === 1, "the connection to be with a worker");
      else await turns(3);
      const url = `${POLLING}&b64=1&sid=${read.conn.id}`;
      assert.equal((await read.kept.ask(url, { body: "40" })).body, "ok");
      await turns(3);
      assert.equal(held(), moves ? 1 : 0);
    }

    // a WebSocket that Node.js reads
    if (scene.refuses === "websocket") return;
    const late = await openSession(server, dial(), HANDSHAKE);
    assert.equal(late.conn.doorReason, closes & TAKES_WEBSOCKET ? word : NOT_PLAIN);
    if (late.conn.door === "takeover") {
      const isKept = lastWebSocket(io)._socket !== undefined;
      assert.equal(isKept, (closes & DROP_SOCKET) !== 0, "a socket that is kept");
    }
    const keepsRequest = Object.hasOwn(late.conn, "request");
    assert.equal(keepsRequest, (closes & DROP_REQUEST) !== 0, "a request that is kept");
  });
}

/** Each property that `read` reads of an engine and an HTTP server, and of what they have. */
function readsOf(engine, server, read) {
  const reads = new Set();
  const shown = new Map();
  const show = (object, name) => {
    if (typeof object !== "object" || object === null) return object;
    if (!shown.has(object)) shown.set(object, new Proxy(object, traps(name)));
    return shown.get(object);
  };
  const traps = (name) => ({
    get(target, property, receiver) {
      const at = `${name}.${String(property)}`;
      const value = Reflect.get(target, property, receiver);
      if (!(Array.isArray(target) && typeof value === "function")) reads.add(at);
      return show(value, at);
    },
    has(target, property) {
      reads.add(`${name}.${String(property)}`);
      return Reflect.has(target, property);
    },
    ownKeys(target) {
      reads.add(`the keys of ${name}`);
      return Reflect.ownKeys(target);
    },
    getPrototypeOf(target) {
      reads.add(`the prototype of ${name}`);
      return Reflect.getPrototypeOf(target);
    },
  });
  read(show(engine, "engine"), show(server, "server"), reads);
  return reads;
}

/** What is compared when all is as it was at the first look. */
function lookedAt(engine, server) {
  let reads;
  readsOf(engine, server, (shownEngine, shownServer, all) => {
    const inputs = new Inputs(shownEngine, shownServer);
    inputs.areSame();
    reads = all;
    all.clear();
    assert.equal(inputs.areSame(), true);
  });
  return reads;
}

/** Where `Inputs` does not see that something has changed which a row reads, a worker would accept by what was. */
function assertAllIsLookedAt(engine, server) {
  engine.nativeId(); // is there when a worker accepts
  const looked = lookedAt(engine, server);
  for (const { word, against, holds } of ROWS.filter((row) => row.against & LOOKED_AT)) {
    const read = readsOf(engine, server, holds);
    const missed = [...read].filter((at) => !looked.has(at));
    assert.deepEqual(missed, [], `${word}: read, but not looked at (${against})`);
  }
}

/** The door of the WebSocket that came last. */
function lastWebSocket(io) {
  const doors = [...io.engine.border().doors.values()];
  return doors.findLast(({ kind }) => kind === "takeover");
}

test("each row has a word of its own, and a test", () => {
  const words = ROWS.map(({ word }) => word);
  assert.equal(new Set(words).size, words.length);
  assert.deepEqual([...Object.keys(SCENES), ...APART].sort(), [...words].sort());
});

for (const row of ROWS.filter(
  ({ against, word }) => against & LOOKED_AT && !APART.includes(word),
)) {
  const { word } = row;
  const { create, detached, options, prepare, Server, skip = false } = SCENES[word];
  if (create || detached || Server) continue; // this is so, or is not, for good
  test(`${word}: is seen when it begins and ends`, { skip }, async (t) => {
    const ends = [];
    const { io, httpServer } = await serve(t);
    const inputs = new Inputs(io.engine, httpServer);
    assert.deepEqual([inputs.areSame(), inputs.areSame()], [false, true]);
    Object.assign(io.engine.opts, options);
    prepare?.(io, httpServer, { after: (end) => ends.push(end) });
    assert.deepEqual([inputs.areSame(), inputs.areSame()], [false, true]);
    for (const end of ends) {
      end();
      assert.equal(
        inputs.areSame(),
        row.holds(io.engine, httpServer),
        "what has not ended is as it was",
      );
    }
  });
}

test("what the rules are made of is looked at", { skip: !LINUX }, async (t) => {
  const cors = { origin: ["http://a", "http://b"], credentials: true };
  const { io, httpServer } = await serve(t, {
    options: { cors, httpCompression: { threshold: 1 } },
  });
  await turns(2);
  const { engine } = io;
  const [listener] = engine.workerListeners;
  const read = readsOf(engine, httpServer, (shownEngine, shownServer) => {
    const opts = engine._opts;
    engine._opts = shownEngine._opts;
    Object.create(listener, { server: { value: shownServer } }).rules();
    engine._opts = opts;
  });
  const looked = lookedAt(engine, httpServer);
  assert.ok(read.size > 10);
  assert.deepEqual(
    [...read].filter((at) => !looked.has(at)),
    [],
  );
});

test("parts of cors are seen when they change, wherever they stand", async (t) => {
  const cors = { origin: "http://a", methods: ["GET"] };
  const { io, httpServer } = await serve(t, { options: { cors } });
  const inputs = new Inputs(io.engine, httpServer);
  inputs.areSame();
  for (const change of [
    () => (cors.origin = ["http://a"]),
    () => cors.origin.push("http://b"),
    () => (cors.origin = ["http://a", "http://b"]),
    () => (cors.origin[0] = "http://c"),
    () => (cors.methods = []),
    () => (cors.credentials = true),
    () => delete cors.credentials,
    () => (cors.origin = () => {}),
    () => delete cors.origin,
    () => Object.assign(cors, { origin: cors.methods }) && delete cors.methods,
    () => (io.engine.opts.cors = undefined),
  ]) {
    assert.equal(inputs.areSame(), true);
    change();
    assert.equal(inputs.areSame(), false, String(change));
  }
});

test("what has no scene is seen when it changes", async (t) => {
  const { io, httpServer } = await serve(t, { options: { cors: { origin: "*" } } });
  const { engine } = io;
  const inputs = new Inputs(engine, httpServer);
  inputs.areSame();
  const names = ["http.server.request.start", "http.server.response.created"];
  t.after(() => names.forEach((name) => channel(name).unsubscribe(nothing)));
  for (const change of [
    ...names.map((name) => () => channel(name).subscribe(nothing)),
    () => (engine.opts.perMessageDeflate = true),
    () => (engine.opts.httpCompression = { ...engine.opts.httpCompression }),
    () => (engine.middlewares[0] = nothing),
    () => (engine._registration.id = engine._registration.open() + 1),
  ]) {
    assert.equal(inputs.areSame(), true);
    change();
    assert.equal(inputs.areSame(), false, String(change));
  }
  engine._registration.id--;
});

test("what throws when it is looked at counts as changed until it does not", async (t) => {
  const { io, httpServer } = await serve(t);
  const inputs = new Inputs(io.engine, httpServer);
  inputs.areSame();
  const { opts } = io.engine;
  Object.defineProperty(opts, "cookie", {
    configurable: true,
    get() {
      throw new Error("no cookie");
    },
  });
  assert.throws(() => inputs.areSame(), /no cookie/);
  Object.defineProperty(opts, "cookie", { value: false });
  assert.deepEqual([inputs.areSame(), inputs.areSame()], [false, true]);
});

test("nothing stands against it", async (t) => {
  const { io, httpServer } = await serve(t);
  const all = TAKES_WEBSOCKET | TAKES_POLLING | DROP_REQUEST;
  assert.equal(reasonAgainst(io.engine, httpServer, all), undefined);
});

test("sockets of this Node.js: a WebSocket is pumped", async (t) => {
  const server = await serve(t, {
    Server: () => copy(() => change(net.Socket.prototype, "_getpeername", undefined)),
  });
  const { conn } = await openSession(server, await server.dialEarly(), WEBSOCKET);
  assert.deepEqual([conn.door, conn.doorReason], ["bridge", "sockets of this Node.js"]);
  assert.equal(server.taken(), 0);
});

test("unsent bytes: a WebSocket behind an answer that is not all written is pumped", async (t) => {
  const body = Buffer.alloc(8_000_000, "a");
  const create = () => http.createServer((req, res) => res.end(body));
  const { io, dial } = await serve(t, { create });
  const connection = until(io.engine, "connection");
  const socket = dial();
  socket.pause();
  socket.write(`GET /app HTTP/1.1\r\nHost: a\r\n\r\n${HANDSHAKE}`);
  const [conn] = await connection;
  assert.deepEqual([conn.door, conn.doorReason], ["bridge", "unsent bytes"]);
});

test("a socket of another server: its polling connection stays with Node.js", async (t) => {
  const server = await serve(t);
  const { httpServer, held } = server;
  const front = net.createServer((socket) => httpServer.emit("connection", socket));
  front.listen(0, "127.0.0.1");
  await until(front, "listening");
  const { conn, kept } = await openSession(
    server,
    net.connect(front.address().port, "127.0.0.1"),
    POLLING,
  );
  const url = `${POLLING}&sid=${conn.id}`;
  assert.equal((await kept.ask(url, { body: "40" })).body, "ok");
  await turns(3);
  assert.deepEqual([held(), conn.doorReason], [0, NOT_PLAIN]);
  kept.destroy();
  front.close();
  await until(front, "close");
});

test('no "request" listener: a WebSocket needs none, a polling connection stays with Node.js', async (t) => {
  const server = await serve(t);
  const { io, httpServer, dial, dialEarly, taken, held } = server;
  io.engine.once("connection", () => httpServer.removeAllListeners("request"));
  await openSession(server, dial(), `${POLLING}&b64=1`);
  await turns(3);
  assert.equal(held(), 0);
  assert.equal(reasonAgainst(io.engine, httpServer, TAKES_POLLING), 'no "request" listener');
  const { conn } = await openSession(server, await dialEarly(), WEBSOCKET);
  assert.deepEqual([taken(), conn.doorReason], [1, undefined]);
  assert.equal(Object.hasOwn(conn, "request"), false);
});

/** What a program does to the response of the request that opens a session. */
for (const [word, spoil] of Object.entries({
  "a response of another class": (res) => Object.setPrototypeOf(res, OtherResponse.prototype),
  "a connection that ends": (res) => Object.assign(res, { shouldKeepAlive: false }),
  sendDate: (res) => Object.assign(res, { sendDate: false }),
})) {
  test(`${word}: the connection stays with Node.js`, async (t) => {
    const options = { allowRequest: (req, done) => done(null, spoil(req.res) !== undefined) };
    const server = await serve(t, { options });
    const { conn, kept } = await openSession(server, server.dial(), POLLING);
    await turns(3);
    assert.equal(server.held(), 0);
    if (word === "a connection that ends") return;
    // as soon as there is an answer as usual, it goes
    const url = `${POLLING}&sid=${conn.id}`;
    assert.equal((await kept.ask(url, { body: "40" })).body, "ok");
    await eventually(() => server.held() === 1, "the connection to be with a worker");
  });
}

for (const implementation of selected()) {
  for (const [method, transport] of [
    ["handleRequest", "polling"],
    ["handleUpgrade", "websocket"],
    ["verify", "websocket"],
  ]) {
    test(`${implementation.name}: what ${method}() of a program has put on a request stays there`, async (t) => {
      const { Server } = implementation.load();
      const httpServer = http.createServer();
      const io = new Server(httpServer);
      const original = io.engine[method];
      io.engine[method] = function (req, ...rest) {
        req.mark = method;
        return original.call(this, req, ...rest);
      };
      httpServer.listen(0, "127.0.0.1");
      await until(httpServer, "listening");
      const url = `http://127.0.0.1:${httpServer.address().port}`;
      const client = connect(url, { transports: [transport], reconnection: false });
      t.after(async () => {
        client.disconnect();
        await within(io.close(), "close");
      });
      const [socket] = await until(io, "connection");
      assert.equal(socket.request.mark, method);
    });
  }
}

for (const implementation of selected()) {
  /** An HTTP server to which connections come that nobody has to see, and how to connect to it. */
  const listening = async (t) => {
    const { Server } = implementation.load();
    const httpServer = http.createServer();
    const io = new Server(httpServer);
    httpServer.listen(0, "127.0.0.1");
    await until(httpServer, "listening");
    const url = `http://127.0.0.1:${httpServer.address().port}`;
    const clients = [];
    t.after(async () => {
      for (const client of clients) client.disconnect();
      await within(io.close(), "close");
    });
    const outcome = async (transport) => {
      const client = connect(url, { transports: [transport], reconnection: false, forceNew: true });
      clients.push(client);
      const end = new Promise((resolve) => {
        for (const name of ["connect", "connect_error"]) client.once(name, () => resolve(name));
      });
      return within(end, "the outcome");
    };
    await turns(3); // a worker accepts, if it may
    return { engine: io.engine, httpServer, outcome };
  };

  for (const [event, transport] of [
    ["connection", "websocket"],
    ["connection", "polling"],
    ["request", "polling"],
    ["upgrade", "websocket"],
  ]) {
    test(`${implementation.name}: what is put in the place of the "${event}" listener sees all, ${transport}`, async (t) => {
      const { httpServer, outcome } = await listening(t);
      assert.equal(await outcome(transport), "connect");
      const [own, ...others] = httpServer.listeners(event);
      assert.deepEqual(others, []);
      let calls = 0;
      httpServer.removeAllListeners(event).on(event, (first, second) => {
        calls++;
        const socket = event === "upgrade" ? second : (first.socket ?? first);
        socket.destroy();
      });
      await turns(3);
      assert.equal(await outcome(transport), "connect_error");
      assert.ok(calls > 0);
      httpServer.removeAllListeners(event).on(event, own);
      await turns(3);
      assert.equal(await outcome(transport), "connect");
    });
  }

  for (const [method, transport] of [
    ["generateId", "websocket"],
    ["handleRequest", "polling"],
    ["handleUpgrade", "websocket"],
    ["prepare", "websocket"],
    ["verify", "polling"],
  ]) {
    test(`${implementation.name}: ${method}() that is replaced for all engines is called`, async (t) => {
      const { engine, outcome } = await listening(t);
      assert.equal(await outcome(transport), "connect");
      let owner = engine;
      while (!Object.hasOwn(owner, method)) owner = Object.getPrototypeOf(owner);
      const original = owner[method];
      t.after(() => (owner[method] = original));
      let calls = 0;
      owner[method] = function (...args) {
        calls++;
        return original.apply(this, args);
      };
      await turns(3);
      assert.equal(await outcome(transport), "connect");
      assert.ok(calls > 0);
    });
  }

  test(`${implementation.name}: an emit() that is given to all emitters sees all`, async (t) => {
    const { httpServer, outcome } = await listening(t);
    const { prototype } = EventEmitter;
    const { emit } = prototype;
    const seen = [];
    t.after(() => (prototype.emit = emit));
    prototype.emit = function (name, ...args) {
      if (this === httpServer) seen.push(name);
      return emit.call(this, name, ...args);
    };
    await turns(3);
    assert.equal(await outcome("websocket"), "connect");
    assert.deepEqual(seen, ["connection", "upgrade"]);
  });
}

test("reasons are logged and counted, and to log them closes no way", async (t) => {
  const { log } = createDebug;
  const lines = [];
  createDebug.log = (...args) => lines.push(format(...args));
  createDebug.enable("engine:door");
  t.after(() => {
    createDebug.disable();
    createDebug.log = log;
  });
  const server = await serve(t);
  const border = server.io.engine.border();
  const count = (word) => border.stats().reasons[word] ?? 0;
  const before = [count(NOT_PLAIN), count("timeout")];
  await openSession(server, await server.dialEarly(), WEBSOCKET);
  await openSession(server, await server.dialEarly(), POLLING);
  assert.equal(server.taken(), 2);
  assert.equal(lines.length, 0);
  await openSession(server, server.dial(), HANDSHAKE);
  server.httpServer.timeout = 1_000_000;
  await openSession(server, server.dial(), `${POLLING}&b64=1`);
  const told = [
    `WebSocket came by way of Node.js: ${NOT_PLAIN}`,
    "polling came by way of Node.js: timeout",
    "a polling connection stays with Node.js: timeout",
  ];
  assert.deepEqual(
    told.filter((text) => lines.some((line) => line.includes(text))),
    told,
  );
  assert.deepEqual([count(NOT_PLAIN), count("timeout")], [before[0] + 1, before[1] + 1]);
});
