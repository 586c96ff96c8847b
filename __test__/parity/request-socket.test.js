"use strict";

/** `socket.request` and its socket, as middlewares and handlers read them, whatever door the connection came in by. */

const assert = require("node:assert/strict");
const fs = require("node:fs");
const http = require("node:http");
const https = require("node:https");
const net = require("node:net");
const path = require("node:path");

const { ALL, DIRECT, scenario } = require("./harness");
const { eventually, until } = require("../support/waiting");

const fixture = (name) => fs.readFileSync(path.join(__dirname, "..", "fixtures", name));
const identity = { key: fixture("key.pem"), cert: fixture("cert.pem") };

/** A server on an HTTP server of the scenario's own. */
async function serve(stage, httpServer, { host = "127.0.0.1", options = {} } = {}) {
  const io = new stage.lib.Server(httpServer, options);
  stage.defer(() => stage.shut(io, httpServer));
  httpServer.listen(0, host);
  await until(httpServer, "listening");
  const { port } = httpServer.address();
  const scheme = httpServer instanceof https.Server ? "https" : "http";
  return Object.assign(stage, { io, httpServer, port, url: `${scheme}://127.0.0.1:${port}` });
}

/** What makes somebody see requests or sockets, and so decides which way a connection goes. */
const WITNESSES = {
  nobody() {},
  "an engine middleware": ({ io }) => io.engine.use((_req, _res, next) => next()),
  "a listener for connections": ({ httpServer }) => httpServer.on("connection", () => {}),
  "a listener that has gone": ({ httpServer }) => httpServer.once("connection", () => {}),
  allowRequest: ({ io }) => (io.engine.opts.allowRequest = (_req, done) => done(null, true)),
};

/** What a socket says of itself while it is open. */
function describe({ request }) {
  const { socket } = request;
  const addresses = [socket.remoteAddress, socket.remoteFamily];
  const open = socket.destroyed
    ? "closed"
    : [socket.localAddress, socket.localFamily, socket.address().family];
  return {
    kind: [socket instanceof net.Socket, request instanceof http.IncomingMessage],
    same: [request.connection === socket, request.client === socket],
    addresses,
    open,
    state: [socket.destroyed, socket.readyState, socket.writable],
    server: socket.server?.constructor.name,
    port:
      socket.destroyed ||
      [socket.localPort, socket.address().port].map(
        (p) => p === request.socket.server.address().port,
      ),
    remotePort: typeof socket.remotePort,
    counts: [socket.bytesRead, socket.bytesWritten].map((count) => typeof count),
    encrypted: [socket.encrypted, socket.authorized],
    methods: [socket.setTimeout, socket.setKeepAlive, socket.setNoDelay, socket.ref, socket.on].map(
      (method) => typeof method,
    ),
    request: [request.upgrade, request.complete, request.aborted, request.destroyed],
  };
}

for (const [witness, bring] of Object.entries(WITNESSES)) {
  scenario(`request.socket, seen by ${witness}`, { modes: ALL, server: false }, async (stage) => {
    await serve(stage, http.createServer());
    bring(stage);
    stage.io.use((socket, next) => {
      stage.trace("middleware", describe(socket));
      next();
    });
    const first = await stage.pair();
    stage.trace("connected", describe(first.socket));
    assert.equal(first.socket.request.socket, first.socket.request.socket);
    if (stage.mode === "websocket") assert.equal(first.socket.request.socket.remotePort > 0, true);
    const second = await stage.pair();
    stage.trace("the next", describe(second.socket));
    assert.notEqual(first.socket.request.socket, second.socket.request.socket);
  });
}

scenario(
  "a server on all addresses knows the one",
  { modes: DIRECT, server: false },
  async (stage) => {
    await serve(stage, http.createServer(), { host: "::" });
    stage.io.use(({ request: { socket } }, next) => {
      stage.trace("addresses", socket.remoteAddress, socket.remoteFamily);
      if (!socket.destroyed) stage.trace("addresses", socket.localAddress, socket.localFamily);
      next();
    });
    await stage.pair();
  },
);

for (const [who, client] of [
  ["with a certificate", { ...identity, rejectUnauthorized: false }],
  ["without one", { rejectUnauthorized: false }],
]) {
  scenario(`a client ${who} logs in over TLS`, { modes: ALL, server: false }, async (stage) => {
    const options = {
      ...identity,
      ca: identity.cert,
      requestCert: true,
      rejectUnauthorized: false,
    };
    await serve(stage, https.createServer(options));
    stage.io.use(({ request: { socket } }, next) => {
      const { encrypted, authorized, authorizationError } = socket;
      stage.trace(
        "tls",
        encrypted,
        authorized,
        String(authorizationError?.code ?? authorizationError),
      );
      // of a connection that is closed already, as over polling, nothing is known
      if (!socket.destroyed)
        stage.trace(
          "tls",
          socket.getPeerCertificate().subject?.CN,
          socket.getProtocol(),
          socket.getCipher().version,
          socket.remoteFamily,
          socket.localAddress,
        );
      next();
    });
    const agent = new https.Agent({ keepAlive: true, ...client });
    stage.defer(() => agent.destroy());
    await stage.pair({ agent, ...client });
  });
}

scenario("a request of a class of the program", { modes: DIRECT, server: false }, async (stage) => {
  class Mine extends http.IncomingMessage {
    get tenant() {
      return `${this.headers["x-tenant"]}!`;
    }
  }
  class Answer extends http.ServerResponse {}
  await serve(stage, http.createServer({ IncomingMessage: Mine, ServerResponse: Answer }));
  stage.io.use(({ request }, next) => {
    stage.trace("request", request.constructor.name, request instanceof Mine, request.tenant);
    next();
  });
  const { socket } = await stage.pair({ extraHeaders: { "X-Tenant": "a" } });
  stage.trace("request", socket.request instanceof Mine, socket.request.socket.readyState);
});

for (const how of ["destroy", "end", "destroySoon", "resetAndDestroy"]) {
  for (const witness of ["nobody", "a listener for connections"]) {
    scenario(
      `request.socket.${how}() ends that connection alone, seen by ${witness}`,
      { modes: ["websocket", "upgrade"], server: false },
      async (stage) => {
        await serve(stage, http.createServer());
        WITNESSES[witness](stage);
        const pairs = [];
        for (let i = 0; i < 8; i++) pairs.push(await stage.pair());
        const [{ client, socket }] = pairs.splice(3, 1);
        const connection = socket.request.socket;
        if (stage.mode === "upgrade") {
          // that of polling, which is over
          stage.trace("closed", connection.destroyed, connection.readyState);
          connection[how]();
          assert.equal(client.connected, true);
        } else {
          const seen = [
            until(client, "disconnect"),
            until(socket, "disconnect"),
            until(connection, "close"),
          ];
          connection[how]();
          const [[ofClient], [ofSocket]] = await Promise.all(seen);
          stage.trace("reasons", ofClient, ofSocket, connection.destroyed, connection.readyState);
        }
        for (const { client: other } of pairs) {
          assert.equal(other.connected, true);
          const answer = new Promise((resolve) => other.once("still", resolve));
          stage.io.to(other.id).emit("still");
          await answer;
        }
        await eventually(
          () => stage.io.sockets.sockets.size === (stage.mode === "upgrade" ? 8 : 7),
        );
      },
    );
  }
}

scenario("conn.remoteAddress is the program's to set", { modes: DIRECT }, async (stage) => {
  stage.io.engine.on("connection", (conn) => {
    stage.trace("address", conn.remoteAddress);
    conn.remoteAddress = "192.0.2.1"; // of a proxy's header
  });
  const { socket } = await stage.pair();
  stage.trace("address", socket.conn.remoteAddress, socket.handshake.address);
});
