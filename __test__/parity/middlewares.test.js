"use strict";

/** Middlewares of the Express world run unchanged through `io.engine.use()`; and who may come in, and how long one may wait. */

const http = require("node:http");
const net = require("node:net");
const session = require("express-session");
const helmet = require("helmet");
const { Passport } = require("passport");
const { ALL, scenario } = require("./harness");
const { sharedContext } = require("./raw-pairs");
const { deferred, until } = require("../support/waiting");

const OPEN = "/socket.io/?EIO=4&transport=polling";
/** Set by Node or by the protocol, not by a middleware. */
const PLAIN = new Set(["connection", "date", "keep-alive", "sec-websocket-accept", "upgrade"]);

const added = (headers) =>
  Object.entries(headers)
    .filter(([name]) => !PLAIN.has(name))
    .map(([name, value]) => `${name}: ${value}`)
    .sort();

scenario("middlewares: helmet", async ({ io, http: request, webSocket, trace }) => {
  io.engine.use(helmet());
  const { status, headers } = await request("GET", OPEN);
  delete headers["content-length"];
  trace("polling", status, added(headers));
  const raw = await webSocket();
  trace("websocket", raw.status, added(raw.headers), (await raw.next()).slice(0, 1));
});

/** Who sends `x-user` is that user. */
const byHeader = {
  name: "header",
  authenticate(req) {
    const name = req.headers["x-user"];
    if (name === "nobody") this.error(new Error("no such user"));
    else if (name) this.success({ name });
    else this.fail("Header");
  },
};

scenario("middlewares: passport, by header", { modes: ALL }, async (stage) => {
  const { io, trace } = stage;
  const passport = new Passport();
  passport.use(byHeader);
  io.engine.use(passport.initialize());
  io.engine.use(passport.authenticate("header", { session: false }));
  io.use((socket, next) => next(socket.request.user ? undefined : new Error("unauthorized")));
  const { socket } = await stage.pair({ extraHeaders: { "x-user": "ada" } });
  trace("server", socket.request.user, socket.request.isAuthenticated());
});

scenario("middlewares: passport refuses", async ({ io, http: request, webSocket, trace }) => {
  io.engine.on("connection_error", ({ code, context }) =>
    trace("error", code, sharedContext(context)),
  );
  const passport = new Passport();
  passport.use(byHeader);
  io.engine.use(passport.authenticate("header", { session: false }));
  for (const headers of [{}, { "x-user": "nobody" }]) {
    const answer = await request("GET", OPEN, { headers });
    trace("polling", answer.status, answer.headers["www-authenticate"], answer.body);
    const raw = await webSocket(undefined, { headers });
    trace("websocket", raw.status, raw.ended);
  }
});

scenario("middlewares: passport, by session", { modes: ALL }, async (stage) => {
  const { io, trace } = stage;
  const store = new session.MemoryStore();
  const cookie = new session.Cookie();
  await new Promise((resolve) => store.set("known", { cookie, passport: { user: 7 } }, resolve));
  const passport = new Passport();
  passport.deserializeUser((id, done) => done(null, { id, name: "ada" }));
  const secret = "s";
  io.engine.use(session({ secret, store, resave: false, saveUninitialized: false }));
  io.engine.use(passport.session());
  const signed = `s:${require("cookie-signature").sign("known", secret)}`;
  const extraHeaders = { cookie: `connect.sid=${encodeURIComponent(signed)}` };
  const { socket } = await stage.pair({ extraHeaders });
  trace("known", socket.request.user, socket.request.session.passport);
  // what a handler changes is kept for the next request
  socket.request.session.visits = 1;
  await new Promise((resolve) => socket.request.session.save(resolve));
  const again = await stage.pair({ extraHeaders });
  trace("known", again.socket.request.session.visits);
  const stranger = await stage.pair();
  trace("stranger", stranger.socket.request.user, stranger.socket.request.isAuthenticated());
});

const corsByRequest = (req, done) =>
  req.headers["x-api"] === "closed"
    ? done(null, { origin: false })
    : done(null, { origin: req.headers.origin, credentials: true });

scenario(
  "cors: a function that gives the options",
  { options: { cors: corsByRequest } },
  async (stage) => {
    const { http: request, webSocket, trace } = stage;
    for (const method of ["GET", "OPTIONS"]) {
      for (const api of ["open", "closed"]) {
        const headers = { origin: "https://example.com", "x-api": api };
        const answer = await request(method, OPEN, { headers });
        delete answer.headers["content-length"];
        trace("polling", method, api, answer.status, added(answer.headers));
      }
    }
    const raw = await webSocket(undefined, { headers: { origin: "https://example.com" } });
    trace("websocket", raw.status, added(raw.headers));
    const bundle = await request("GET", "/socket.io/socket.io.js", {
      headers: { origin: "https://example.com" },
    });
    trace("bundle", bundle.status, bundle.headers["access-control-allow-origin"]);
  },
);

const throwing = () => {
  throw new Error("a bug in the program");
};

scenario(
  "allowRequest throws: the error is the program's to catch, and other requests go on",
  { options: { allowRequest: throwing } },
  async ({ io, http: request, webSocket, trace }) => {
    for (const name of ["handleRequest", "handleUpgrade"]) {
      const handle = io.engine[name];
      io.engine[name] = (req, out, head) => {
        try {
          handle.call(io.engine, req, out, head);
        } catch (error) {
          trace(name, error.message);
          out.end(name === "handleUpgrade" ? "HTTP/1.1 500 Oops\r\n\r\n" : "oops");
        }
      };
    }
    trace("polling", (await request("GET", OPEN)).body);
    trace("websocket", (await webSocket()).status);
    io.engine.opts.allowRequest = (req, done) => done(null, true);
    trace("polling", (await request("GET", OPEN)).status);
  },
);

scenario("destroyUpgrade: an upgrade that nobody takes", { server: false }, async (stage) => {
  for (const [name, options] of Object.entries({
    ended: { destroyUpgradeTimeout: 1 },
    "left alone": { destroyUpgrade: false },
    "answered by another": { destroyUpgradeTimeout: 1 },
  })) {
    const server = http.createServer();
    const io = new stage.lib.Server(server, options);
    server.listen(0, "127.0.0.1");
    await until(server, "listening");
    const taken = deferred("the other listener");
    server.on("upgrade", (req, socket) => {
      if (name === "answered by another")
        socket.write(
          "HTTP/1.1 101 Switching Protocols\r\nupgrade: other\r\nconnection: upgrade\r\n\r\n",
        );
      taken.resolve(socket);
    });
    const socket = net.connect(server.address().port, "127.0.0.1");
    socket.write("GET /other HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: other\r\n\r\n");
    let answer = "";
    socket.on("data", (chunk) => (answer += chunk));
    const end = until(socket, "end");
    const other = await taken.promise;
    // timers of one length fire in the order in which they were set: the server's has fired before this one
    if (name !== "ended") {
      await new Promise((resolve) => setTimeout(resolve, 1));
      stage.trace("server", name, other.writable);
      other.end("bye");
    }
    await end;
    stage.trace("client", name, answer);
    io.close();
    await until(server, "close");
  }
});
