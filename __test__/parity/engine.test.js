"use strict";

/** `io.engine`: the Engine.IO server as programs use it. */

const assert = require("node:assert/strict");
const http = require("node:http");
const { Duplex } = require("node:stream");
const session = require("express-session");
const { Server: ForeignEngine } = require("engine.io");
const { ALL, DIRECT, scenario } = require("./harness");
const { sharedContext } = require("./raw-pairs");
const { gather, until, within } = require("../support/waiting");

const OPEN = "/socket.io/?EIO=4&transport=polling";

scenario("engine: clients is a plain object by id", { modes: ALL }, async ({ io, pair, trace }) => {
  const { clients } = io.engine;
  const { socket } = await pair();
  assert.equal(clients[socket.conn.id], socket.conn);
  assert.equal(clients, io.engine.clients);
  trace(
    "server",
    Object.keys(clients).length,
    io.engine.clientsCount,
    Object.getPrototypeOf(clients) === Object.prototype,
  );
  trace(
    "server",
    io.eio === io.engine,
    io.eio.opts.pingTimeout,
    io.eio.opts.pingInterval,
    io.eio.opts.transports,
  );
  const gone = until(socket.conn, "close");
  socket.disconnect(true);
  await gone;
  trace("server", Object.keys(clients).length, io.engine.clientsCount);
});

scenario(
  "engine: express-session runs unchanged",
  { modes: DIRECT },
  async ({ io, pair, http: request, webSocket, trace }) => {
    const middleware = session({
      secret: "s",
      resave: false,
      saveUninitialized: true,
      name: "sid",
    });
    io.engine.use(middleware);
    const { socket } = await pair();
    trace("server", typeof socket.request.session.id, socket.request.session.cookie.path);
    const { headers } = await request("GET", OPEN);
    const [cookie] = headers["set-cookie"];
    trace("polling", cookie.replace(/=.*?;/, "=…;"));
    const raw = await webSocket();
    trace("websocket", raw.status, raw.headers["set-cookie"].replace(/=.*?;/, "=…;"));
    // the session is found again by its cookie
    const connection = until(io.engine, "connection");
    await webSocket(undefined, { headers: { cookie: cookie.split(";")[0] } });
    const [conn] = await connection;
    trace("again", cookie.includes(encodeURIComponent(conn.request.sessionID)));
  },
);

scenario(
  "engine: middlewares, async, headers, errors",
  async ({ io, http: request, webSocket, trace }) => {
    const seen = [];
    io.engine.on("connection_error", ({ code, message, context }) =>
      seen.push([code, message, sharedContext(context)]),
    );
    io.engine.use(async (req, res, next) => {
      await null;
      res.setHeader("x-one", "1");
      res.setHeader("x-two", "2");
      res.removeHeader("x-two");
      next();
      next(new Error("too late"));
    });
    io.engine.use((req, res, next) => {
      if (req.headers["x-fail"] === "next") next(new Error("no"));
      else if (req.headers["x-fail"] === "throw") throw new Error("no");
      else next();
    });
    io.engine.use(async (req) => {
      if (req.headers["x-fail"] === "reject") throw new Error("no");
      if (req.headers["x-fail"] === "answer") req.answered = true;
    });
    io.engine.middlewares.pop();
    io.engine.use(async (req, res, next) => {
      if (req.headers["x-fail"] === "reject") throw new Error("no");
      next();
    });
    for (const fail of ["", "next", "throw", "reject"]) {
      const answer = await request("GET", OPEN, { headers: { "x-fail": fail } });
      trace(
        "polling",
        fail,
        answer.status,
        answer.headers["x-one"],
        answer.headers["x-two"],
        fail && answer.body,
      );
      const raw = await webSocket(undefined, { headers: { "x-fail": fail } });
      trace("websocket", fail, raw.status, raw.headers["x-one"]);
    }
    trace("errors", seen);
  },
);

scenario("engine: the response of an upgrade is an emitter", async ({ io, webSocket, trace }) => {
  const events = [];
  let closed;
  io.engine.use((req, res, next) => {
    for (const event of ["finish", "close"]) res.on(event, () => events.push(event));
    closed = until(res, "close");
    trace("server", res.getHeader("x"), typeof res.writeHead, typeof res.write);
    if (req.headers["x-end"]) res.end("no");
    else next();
  });
  const refused = webSocket(undefined, { headers: { "x-end": "1" } });
  await closed;
  await refused.catch(() => {});
  trace("events", events);
});

scenario("engine: middlewares after which nothing comes", async ({ io, startHttp, trace }) => {
  io.engine.use((req, res) => {
    res.writeHead(503, { "x-own": "1" });
    res.end("own answer");
  });
  const { status, headers, body } = await startHttp("GET", OPEN).response;
  trace("wire", status, headers["x-own"], body, io.engine.clientsCount);
});

for (const [name, generateId] of Object.entries({
  "a promise": async () => "an-id",
  "a rejection": async () => {
    throw new Error("no id");
  },
  "a throw": () => {
    throw new Error("no id");
  },
})) {
  scenario(`engine: generateId gives ${name}`, async ({ io, http: request, trace }) => {
    io.engine.on("connection_error", ({ code, context }) =>
      trace("error", code, context.name, context.error),
    );
    io.engine.generateId = generateId;
    const { status, body } = await request("GET", OPEN);
    trace("wire", status, body, Object.keys(io.engine.clients));
  });
}

for (const [name, allowRequest] of Object.entries({
  "a text": (req, done) => done("not you", false),
  nothing: (req, done) => done(null, false),
  later: (req, done) => setImmediate(done, "later", false),
  "a text, and lets pass": (req, done) => done("hello", true),
})) {
  scenario(
    `engine: allowRequest says ${name}`,
    { options: { allowRequest } },
    async ({ io, http: request, webSocket, trace }) => {
      io.engine.on("connection_error", ({ code, message, context }) =>
        trace("error", code, message, context),
      );
      const { status, body } = await request("GET", OPEN);
      trace("polling", status, status === 200 ? "" : body);
      const raw = await webSocket();
      trace("websocket", raw.status, raw.body);
    },
  );
}

const PATHS = ["/custom", "/custom/", "/customer/", "/custom/x"];
for (const addTrailingSlash of [true, false]) {
  scenario(
    `engine: addTrailingSlash ${addTrailingSlash}`,
    { options: { path: "/custom", addTrailingSlash } },
    async (stage) => {
      for (const path of PATHS) {
        const { status } = await stage.http("GET", `${path}?EIO=4&transport=polling`);
        stage.trace("wire", path, status);
      }
    },
  );
}

for (const transports of [["polling"], ["websocket"]]) {
  scenario(
    `engine: transports ${transports}`,
    { options: { transports } },
    async ({ http: request, trace }) => {
      for (const transport of ["polling", "websocket", "webtransport", "__proto__"]) {
        const { status, body } = await request("GET", `/socket.io/?EIO=4&transport=${transport}`);
        trace("wire", transport, status, body);
      }
    },
  );
}

scenario(
  "engine: initialPacket, allowUpgrades and intervals",
  {
    options: {
      initialPacket: "4hello",
      allowUpgrades: false,
      pingInterval: 1234,
      pingTimeout: 567,
      maxHttpBufferSize: 89,
    },
  },
  async ({ polling, webSocket, trace }) => {
    const opened = await polling();
    trace("polling", opened.opening.body);
    trace("polling", opened.unread.length > 0 ? opened.unread : [await opened.next()]);
    const raw = await webSocket();
    trace("websocket", await raw.next(), await raw.next());
  },
);

scenario("engine: used without attach", { server: false, modes: ["websocket"] }, async (stage) => {
  const io = new stage.lib.Server();
  const host = new stage.lib.Server(http.createServer(), { path: "/unused" });
  io.bind(host.engine);
  const server = http.createServer((req, res) => host.engine.handleRequest(req, res));
  server.on("upgrade", (req, socket, head) => host.engine.handleUpgrade(req, socket, head));
  server.listen(0, "127.0.0.1");
  await until(server, "listening");
  stage.defer(() => {
    host.engine.close();
    server.close();
    server.closeAllConnections();
  });
  const url = `http://127.0.0.1:${server.address().port}`;
  const { client } = await stage.pair({ url, io });
  io.on("connection", (socket) => socket.emit("hello"));
  stage.trace("server", client.connected, io.sockets.sockets.size);
});

scenario("bind: an engine of the npm package engine.io", { modes: ALL }, async (stage) => {
  const { io, trace } = stage;
  const server = http.createServer();
  const engine = new ForeignEngine();
  engine.attach(server, { path: "/socket.io" });
  server.listen(0, "127.0.0.1");
  await until(server, "listening");
  stage.defer(() => {
    engine.close();
    server.close();
    server.closeAllConnections();
  });
  const native = io.engine;
  io.bind(engine);
  assert.equal(io.engine, engine);
  stage.defer(() => native.close());
  const url = `http://127.0.0.1:${server.address().port}`;
  const foreign = await stage.pair({ url });
  const own = await stage.pair();
  for (const { socket } of [foreign, own]) {
    socket.join("room");
    socket.on("ack", (data, reply) => reply(data));
  }
  const arrived = Promise.all([gather(foreign.client, "a", 3), gather(own.client, "a", 3)]);
  io.emit("a", "all");
  io.to("room").emit("a", Buffer.from("binary"));
  io.except(own.socket.id).emit("a", "but one");
  own.socket.emit("a", "but one");
  trace("clients", await arrived);
  for (const { client, socket } of [foreign, own]) {
    client.on("q", (reply) => reply("yes"));
    trace(
      "acks",
      await client.timeout(5000).emitWithAck("ack", Buffer.from("x")),
      await socket.timeout(5000).emitWithAck("q"),
    );
  }
  trace("acks", await io.timeout(5000).emitWithAck("q"));
  const gone = until(foreign.socket, "disconnect");
  foreign.client.disconnect();
  trace("server", await gone, io.sockets.sockets.size);
});

/** A stream in front of a socket, as a process that passes on connections makes it. */
class Relay extends Duplex {
  constructor(socket) {
    super();
    this.socket = socket;
    this.remoteAddress = "192.0.2.1";
    socket.on("data", (chunk) => this.push(chunk) || socket.pause());
    socket.on("end", () => this.push(null));
    socket.on("close", () => this.destroy());
    socket.on("error", () => this.destroy());
    this.on("error", () => {});
  }
  _read() {
    this.socket.resume();
  }
  _write(chunk, encoding, done) {
    this.socket.write(chunk, encoding, done);
  }
  _final(done) {
    this.socket.end(done);
  }
  _destroy(error, done) {
    this.socket.destroy();
    done(error);
  }
}

for (const [name, pass] of Object.entries({
  "a stream": (socket) => new Relay(socket),
  "the socket, the first bytes put back": (socket, first) => {
    socket.unshift(first);
    return socket;
  },
})) {
  scenario(`engine: connections that are passed on as ${name}`, { modes: ALL }, async (stage) => {
    const { io, httpServer, trace } = stage;
    const balancer = require("node:net").createServer((socket) => {
      socket.once("data", (first) => {
        socket.pause();
        const passed = pass(socket, first);
        if (passed !== socket) passed.push(first);
        httpServer.emit("connection", passed);
        if (passed === socket) socket.resume();
      });
      socket.on("error", () => {});
    });
    balancer.listen(0, "127.0.0.1");
    await until(balancer, "listening");
    const sockets = new Set();
    balancer.on("connection", (socket) => sockets.add(socket));
    stage.defer(() => {
      for (const socket of sockets) socket.destroy();
      balancer.close();
    });
    const { client, socket } = await stage.pair({
      url: `http://127.0.0.1:${balancer.address().port}`,
    });
    socket.on("echo", (data, reply) => reply(data));
    const data = Buffer.alloc(100_000, 3);
    const answer = await within(client.emitWithAck("echo", data), "the echo");
    assert.deepEqual(answer, data);
    io.emit("all", 1);
    trace("client", await until(client, "all"));
  });
}
