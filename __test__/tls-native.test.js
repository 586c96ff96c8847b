"use strict";

/**
 * HTTPS servers: one script on npm's, where Node.js speaks TLS, on ours likewise, and on ours with `tls: "native"`, where the
 * workers do. What clients and programs see is the same; whom a blocked event loop costs is not.
 */

const assert = require("node:assert/strict");
const { X509Certificate } = require("node:crypto");
const fs = require("node:fs");
const http = require("node:http");
const https = require("node:https");
const net = require("node:net");
const path = require("node:path");
const tls = require("node:tls");
const { test } = require("node:test");
const { io: connect } = require("socket.io-client");
const { doorsOf } = require("./support/doors");
const { oracle, ours, selected } = require("./support/implementations");
const { KeptConnection } = require("./support/kept-connection");
const { RawWebSocket } = require("./support/raw-websocket");
const { ask, PATIENCE, sitOut, startBlocking } = require("./support/blocking");
const { eventually, turns, until, within } = require("./support/waiting");

const LINUX = process.platform === "linux";

const fixture = (name) => fs.readFileSync(path.join(__dirname, "fixtures", name), "utf8");
const OWN = { key: fixture("key.pem"), cert: fixture("cert.pem") };
const CURVE = { key: fixture("ec-key.pem"), cert: fixture("ec-cert.pem") };
const PLACES = fixture("places-cert.pem");
const OTHER = { key: fixture("other-key.pem"), cert: fixture("other-cert.pem") };

const PROTOCOL_VERSION = "ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION";
const HANDSHAKE_FAILURE = /^ERR_SSL_(SSLV3|SSL\/TLS)_ALERT_HANDSHAKE_FAILURE$/; // the former until OpenSSL 3.5

const POLLING = "/socket.io/?EIO=4&transport=polling";
const WEBSOCKET = "/socket.io/?EIO=4&transport=websocket";

/** Who speaks TLS, with which package. */
const SETUPS = [
  { name: "oracle", implementation: oracle },
  { name: "ours", implementation: ours },
  { name: "native", implementation: ours, options: { tls: "native" } },
].filter(
  ({ implementation, name }) => selected().includes(implementation) && (LINUX || name !== "native"),
);

/** What a program finds out of a socket. */
function facts(socket) {
  const { authorized, authorizationError, encrypted, servername, alpnProtocol } = socket;
  return {
    isTls: socket instanceof tls.TLSSocket,
    encrypted,
    authorized,
    authorizationError,
    servername,
    alpnProtocol,
    protocol: socket.getProtocol(),
    cipher: socket.getCipher(),
    peer: socket.getPeerCertificate(),
    isReused: socket.isSessionReused(),
    from: socket.remoteAddress,
    to: [socket.localAddress, socket.localPort === socket.server?.address()?.port],
  };
}

/** What it has to find out. */
const FACTS = {
  isTls: true,
  encrypted: true,
  authorized: false,
  authorizationError: null,
  servername: "localhost",
  alpnProtocol: "http/1.1",
  protocol: "TLSv1.3",
  cipher: {
    name: "TLS_AES_256_GCM_SHA384",
    standardName: "TLS_AES_256_GCM_SHA384",
    version: "TLSv1.3",
  },
  peer: {},
  isReused: false,
  from: "127.0.0.1",
  to: ["127.0.0.1", true],
};

/** A server that listens. `told`: what the HTTPS server is told of TLS; `prepare`: done before it listens. */
async function serve(
  t,
  setup,
  { told = {}, options, app = (req, res) => res.end("app"), prepare } = {},
) {
  const { Server } = setup.implementation.load();
  const httpServer = https.createServer({ ...OWN, ...told }, app);
  const io = new Server(httpServer, { ...setup.options, ...options });
  prepare?.({ io, httpServer });
  httpServer.listen(0, "127.0.0.1");
  await until(httpServer, "listening");
  await turns(2); // a worker accepts now, if any does
  const { port } = httpServer.address();
  const open = [];
  t.after(async () => {
    for (const socket of open) socket.destroy();
    await within(io.close(), "close");
  });
  /** A connection with which TLS is spoken. */
  const dial = async (settings) => {
    const socket = tls.connect({
      port,
      host: "127.0.0.1",
      servername: "localhost",
      ALPNProtocols: ["http/1.1"],
      rejectUnauthorized: false,
      ...settings,
    });
    open.push(socket);
    await until(socket, "secureConnect");
    return socket;
  };
  const client = (settings) => {
    const socket = connect(`https://localhost:${port}`, {
      forceNew: true,
      reconnection: false,
      rejectUnauthorized: false,
      ...settings,
    });
    t.after(() => socket.disconnect());
    return socket;
  };
  const accepts = () => [...(io.engine.workerListeners ?? [])].some(({ isOpen }) => isOpen);
  if (setup.name === "native" && prepare === undefined) assert.equal(accepts(), true);
  return { io, httpServer, port, dial, client, accepts };
}

/** Connects as `dial` does. @returns {Promise<string>} the code of the error by which that fails */
async function refusal(port, settings) {
  const socket = tls.connect({ port, host: "127.0.0.1", rejectUnauthorized: false, ...settings });
  const [error] = await until(socket, "error");
  return error.code;
}

/** Negotiates keys again. @returns {Promise<Error | null>} */
const renegotiate = (socket) =>
  within(new Promise((resolve) => socket.renegotiate({}, resolve)), "the answer");

for (const setup of SETUPS) {
  const { name } = setup;
  const isNative = name === "native";

  for (const transports of [["websocket"], ["polling"], ["polling", "websocket"]]) {
    test(`${name}: clients come, talk and go [${transports}]`, async (t) => {
      const { io, client } = await serve(t, setup);
      const came = until(io, "connection");
      const peer = client({ transports });
      const [socket] = await came;
      socket.on("echo", (value, reply) => reply(value));
      if (isNative) assert.equal(socket.conn.doorReason, undefined);
      assert.equal(socket.handshake.secure, true);
      if (transports[0] === "websocket") {
        const seen = facts(socket.request.socket);
        assert.deepEqual(seen, { ...FACTS, to: seen.to, alpnProtocol: seen.alpnProtocol });
      }
      if (transports.length === 2) await until(socket.conn, "upgrade");
      for (const value of ["x", "é".repeat(100_000), Buffer.alloc(300_000, 7), { a: [1] }]) {
        const answer = await within(peer.emitWithAck("echo", value), "the answer");
        assert.deepEqual(answer, value);
      }
      const gone = until(socket, "disconnect");
      peer.disconnect();
      assert.deepEqual((await gone)[0], "client namespace disconnect");
      await eventually(() => io.engine.clientsCount === 0, "the end of the session");
    });
  }

  test(`${name}: other requests reach the program, on connections that go to and fro`, async (t) => {
    const seen = [];
    const app = (req, res) => {
      seen.push({ ...facts(req.socket), url: req.url });
      req.pipe(res);
    };
    const { io, httpServer, dial } = await serve(t, setup, { app });
    const socket = await dial();
    const kept = new KeptConnection(socket);
    const body = "b".repeat(200_000);
    assert.equal((await kept.ask("/first", { body })).body, body);
    const { body: opening } = await kept.ask(POLLING);
    const { sid } = JSON.parse(opening.slice(1));
    const url = `${POLLING}&sid=${sid}`;
    assert.equal((await kept.ask(url, { body: "40" })).body, "ok");
    assert.match((await kept.ask(url)).body, /^40\{/);
    assert.equal((await kept.ask("/second", { body: "2" })).body, "2");
    assert.equal((await kept.ask(url, { body: '42["a"]' })).body, "ok");
    assert.deepEqual(seen, [
      { ...FACTS, url: "/first" },
      { ...FACTS, url: "/second" },
    ]);
    const [connection] = io.sockets.sockets.values();
    assert.equal(connection.request.socket.encrypted, true);
    await eventually(async () => (await connections(httpServer)) === 1, "one connection");
    // from both sides
    const ended = until(socket, "close");
    socket.end();
    await ended;
    await eventually(async () => (await connections(httpServer)) === 0, "no connection");
  });

  test(`${name}: a proxy's connection, by which one client comes after another`, async (t) => {
    const { io, dial } = await serve(t, setup);
    const kept = new KeptConnection(await dial());
    for (let clients = 0; clients < 3; clients++) {
      assert.equal((await kept.ask("/")).body, "app");
      for (let times = 0; times < 2; times++) {
        const { sid } = JSON.parse((await kept.ask(POLLING)).body.slice(1));
        const came = until(io, "connection");
        assert.equal((await kept.ask(`${POLLING}&sid=${sid}`, { body: "40" })).body, "ok");
        const [{ handshake, request }] = await came;
        const { address, secure } = handshake;
        const { encrypted, remoteAddress } = request.socket;
        assert.deepEqual([address, secure], ["127.0.0.1", true]);
        assert.deepEqual([remoteAddress, encrypted], ["127.0.0.1", true]);
        assert.match((await kept.ask(`${POLLING}&sid=${sid}`)).body, /^40\{/);
        if (name === "native")
          await eventually(() => io.engine.takeover.size === 1, "the connection with a worker");
      }
    }
  });

  test(`${name}: a WebSocket behind another request`, async (t) => {
    const { io, dial } = await serve(t, setup);
    const socket = await dial();
    const kept = new KeptConnection(socket);
    assert.equal((await kept.ask("/")).body, "app");
    socket.removeAllListeners("data");
    const raw = new RawWebSocket(socket);
    raw.request(WEBSOCKET);
    await within(raw.answered, "the answer");
    assert.equal(raw.status, 101);
    await raw.next();
    const came = until(io, "connection");
    raw.text("40");
    const [connection] = await came;
    assert.deepEqual(facts(connection.request.socket), FACTS);
    const gone = until(connection, "disconnect");
    socket.destroy();
    assert.equal((await gone)[0], "transport close");
  });

  for (const transport of ["websocket", "polling"])
    test(`${name}: who resets a connection that has gone on from Node.js by ${transport} is gone`, async (t) => {
      // nobody sees its requests, so no socket is kept for the program
      const { io, httpServer, port, dial } = await serve(t, setup, { app: null });
      const tcp = net.connect(port, "127.0.0.1");
      tcp.on("error", () => {}); // that it is reset
      const socket = await dial({ socket: tcp });
      const kept = new KeptConnection(socket);
      assert.match((await kept.ask(POLLING, { body: "40" })).body, /Bad handshake method/);
      if (transport === "websocket") {
        socket.removeAllListeners("data");
        const raw = new RawWebSocket(socket);
        raw.request(WEBSOCKET);
        await within(raw.answered, "the answer");
        await raw.next();
      } else {
        await kept.ask(POLLING);
        if (setup.name === "native")
          await eventually(() => io.engine.takeover.size === 1, "the connection with a worker");
      }
      tcp.resetAndDestroy();
      await eventually(async () => (await connections(httpServer)) === 0, "no connection");
      if (transport === "websocket")
        await eventually(() => io.engine.clientsCount === 0, "the end of the session");
      await eventually(() => doorsOf(io.engine) === "", "that nothing is left");
    });

  test(`${name}: an answer that is not read waits, and one that is cut is noticed`, async (t) => {
    const body = Buffer.alloc(32_000_000, "a");
    const responses = [];
    const app = (req, res) => {
      responses.push(res);
      res.end(body);
    };
    const { dial } = await serve(t, setup, { app });
    const socket = await dial();
    socket.pause();
    socket.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    await eventually(() => responses.length === 1, "the request");
    await turns(20);
    assert.equal(responses[0].writableFinished, false);
    let came = 0;
    socket.on("data", (chunk) => (came += chunk.length));
    socket.resume();
    await eventually(() => came > body.length && responses[0].writableFinished, "all of it");
    socket.pause();
    socket.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    await eventually(() => responses.length === 2, "the request");
    const closed = until(responses[1], "close");
    socket.destroy();
    await closed;
  });

  test(`${name}: certificates by name, and new ones at run time`, async (t) => {
    const prepare = ({ httpServer }) => httpServer.addContext("*.other.example", OTHER);
    const { httpServer, dial, accepts } = await serve(t, setup, { prepare });
    const shown = async (servername) =>
      (await dial({ servername })).getPeerCertificate().subject.CN;
    assert.equal(await shown("a.other.example"), "other.example");
    assert.equal(await shown("a.b.other.example"), "localhost");
    assert.equal(await shown("localhost"), "localhost");
    httpServer.addContext("localhost", OTHER);
    await turns(2);
    assert.equal(await shown("localhost"), "other.example");
    httpServer.setSecureContext(OTHER);
    await turns(2);
    assert.equal(await shown("c"), "other.example");
    assert.equal(accepts(), isNative);
  });

  test(`${name}: a program is told which certificate was shown`, async (t) => {
    const seen = [];
    const app = (req, res) => {
      seen.push([req.socket.getCertificate(), req.socket.getX509Certificate()?.fingerprint256]);
      res.end();
    };
    const told = { key: [OWN.key, CURVE.key], cert: [PLACES, CURVE.cert] };
    const prepare = ({ httpServer }) => httpServer.addContext("*.other.example", OTHER);
    const { io, httpServer, dial, accepts } = await serve(t, setup, { app, told, prepare });
    const look = async (settings, expected) => {
      const socket = await dial(settings);
      await new KeptConnection(socket).ask("/");
      const [certificate, fingerprint] = seen.pop();
      const { fingerprint256 } = socket.getPeerCertificate();
      assert.deepEqual([fingerprint, certificate.fingerprint256], [fingerprint256, fingerprint256]);
      assert.equal(certificate.subject.CN, expected);
      return certificate;
    };
    const [rsa, curve] = ["RSA-PSS+SHA256:RSA+SHA256", "ECDSA+SHA256"];
    const places = await look({ sigalgs: rsa }, "localhost");
    assert.deepEqual(places.infoAccess, {
      __proto__: null,
      "OCSP - URI": ["http://ocsp.example/a:b", "http://other.example"],
      "CA Issuers - DNS": ["a.example"],
    });
    assert.deepEqual(places, new X509Certificate(PLACES).toLegacyObject());
    await look({ sigalgs: curve }, "curve.example");
    await look({ sigalgs: curve, maxVersion: "TLSv1.2" }, "curve.example");
    await look({ servername: "a.other.example" }, "other.example");
    // that of a WebSocket which no program has seen before
    const came = until(io, "connection");
    const raw = new RawWebSocket(await dial({ sigalgs: curve }));
    raw.request(WEBSOCKET);
    await within(raw.answered, "the answer");
    raw.text("40");
    const [{ request }] = await came;
    assert.equal(request.socket.getCertificate().subject.CN, "curve.example");
    // a handshake may be older than the newest certificate
    const early = new KeptConnection(await dial());
    httpServer.setSecureContext(OTHER);
    await turns(2);
    await early.ask("/");
    assert.notEqual(seen.pop()[0].subject.CN, "other.example");
    await look({}, "other.example");
    assert.equal(accepts(), isNative);
  });

  test(`${name}: versions and ciphers that are not wanted are refused`, async (t) => {
    const newer = await serve(t, setup, { told: { minVersion: "TLSv1.3" } });
    assert.equal(await refusal(newer.port, { maxVersion: "TLSv1.2" }), PROTOCOL_VERSION);
    assert.equal((await newer.dial()).getProtocol(), "TLSv1.3");
    const ciphers = "ECDHE-RSA-AES128-GCM-SHA256:!RC4:!aNULL";
    const older = await serve(t, setup, { told: { ciphers } });
    const socket = await older.dial();
    assert.equal(socket.getCipher().name, "TLS_AES_256_GCM_SHA384");
    const old = await older.dial({ maxVersion: "TLSv1.2" });
    assert.deepEqual(old.getCipher(), {
      name: "ECDHE-RSA-AES128-GCM-SHA256",
      standardName: "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
      version: "TLSv1.2",
    });
    const wanted = { maxVersion: "TLSv1.2", ciphers: "ECDHE-RSA-AES256-GCM-SHA384" };
    assert.match(await refusal(older.port, wanted), HANDSHAKE_FAILURE);
    const newest = await serve(t, setup, { told: { ciphers: "TLS_AES_128_GCM_SHA256" } });
    assert.equal(await refusal(newest.port, { maxVersion: "TLSv1.2" }), PROTOCOL_VERSION);
    assert.equal((await newest.dial()).getCipher().name, "TLS_AES_128_GCM_SHA256");
    // HTTP/2 is not spoken
    const other = await refusal(newer.port, { ALPNProtocols: ["h2"] });
    assert.equal(other, "ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL");
    for (const { accepts } of [newer, older, newest]) assert.equal(accepts(), isNative);
  });

  test(`${name}: what is offered by ALPN may change at run time`, async (t) => {
    const { httpServer, port, dial, accepts } = await serve(t, setup);
    const offer = { ALPNProtocols: ["http/1.0"] };
    const NONE = "ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL";
    assert.equal(await refusal(port, offer), NONE);
    httpServer.ALPNProtocols = Buffer.from("\x08http/1.0");
    await turns(2);
    assert.equal((await dial(offer)).alpnProtocol, "http/1.0");
    assert.equal(await refusal(port, { ALPNProtocols: ["http/1.1"] }), NONE);
    httpServer.ALPNProtocols = undefined;
    await turns(2);
    assert.equal((await dial(offer)).alpnProtocol, false);
    assert.equal(accepts(), isNative);
  });

  test(`${name}: a program puts its own listeners in the place of those that are there`, async (t) => {
    const { io, httpServer, port, dial, accepts } = await serve(t, setup);
    const early = new KeptConnection(await dial());
    assert.match((await early.ask(POLLING)).body, /^0\{/);
    const seen = [];
    const replace = (event, own) => {
      const before = httpServer.listeners(event);
      httpServer.removeAllListeners(event);
      httpServer.on(event, own);
      return () => {
        httpServer.off(event, own);
        for (const listener of before) httpServer.on(event, listener);
      };
    };
    const undo = [
      replace("request", (req, res) => {
        seen.push([req.url, req.socket.encrypted]);
        res.end("own");
      }),
      replace("upgrade", (req, socket) => {
        seen.push([req.url, socket.encrypted]);
        socket.end("HTTP/1.1 418 own\r\nConnection: close\r\n\r\n");
      }),
    ];
    const upgrade = async () => {
      const raw = new RawWebSocket(await dial());
      raw.request(WEBSOCKET);
      await within(raw.answered, "the answer");
      return raw.status;
    };
    // Whoever comes now, by a new connection or by one that was there, comes to them.
    await turns(2);
    assert.equal((await new KeptConnection(await dial()).ask(POLLING)).body, "own");
    assert.equal(await upgrade(), 418);
    assert.deepEqual(seen, [
      [POLLING, true],
      [WEBSOCKET, true],
    ]);
    for (const back of undo) back();
    const raws = [];
    undo.splice(
      0,
      2,
      replace("connection", (socket) => {
        raws.push(socket instanceof tls.TLSSocket);
        socket.destroy();
      }),
    );
    await turns(2);
    assert.equal(await refusal(port, {}), "ECONNRESET");
    assert.deepEqual(raws, [false]);
    undo[0]();
    await turns(2);
    assert.equal(await upgrade(), 101);
    assert.equal((await early.ask("/")).body, "app");
    assert.equal(accepts(), isNative);
    assert.equal(io.engine.clientsCount, 2);
  });

  for (const version of ["TLSv1.2", "TLSv1.3"])
    test(`${name}: who comes again goes on with the keys of before [${version}]`, async (t) => {
      const { dial } = await serve(t, setup);
      const limits = { minVersion: version, maxVersion: version };
      const first = await dial(limits);
      let session;
      first.on("session", (given) => (session = given));
      await new KeptConnection(first).ask("/");
      if (version === "TLSv1.2") session = first.getSession();
      await eventually(() => session !== undefined, "a session");
      const second = await dial({ ...limits, session });
      assert.equal(second.isSessionReused(), true);
    });

  test(`differs: ${name}: a name may be any text, or must be one of DNS`, async (t) => {
    const { port, dial } = await serve(t, setup);
    for (const servername of ["x".repeat(64), "a..b", "1.2.3", "*.a"])
      if (isNative) assert.match(await refusal(port, { servername }), /ILLEGAL_PARAMETER$/);
      else await dial({ servername });
  });

  test(`differs: ${name}: keys are negotiated again, or not`, async (t) => {
    const sockets = [];
    const app = (req, res) => {
      sockets.push(req.socket);
      res.end();
    };
    const { dial } = await serve(t, setup, { app });
    const socket = await dial({ maxVersion: "TLSv1.2" });
    await new KeptConnection(socket).ask("/");
    const error = await renegotiate(sockets[0]);
    if (isNative) assert.match(error.message, /a worker, which does not renegotiate$/);
    else assert.equal(error, null);
    // a socket that fails calls nobody back
    const outcome = new Promise((resolve) => {
      socket.once("error", resolve);
      socket.renegotiate({}, resolve);
    });
    const answer = await within(outcome, "the answer");
    if (isNative) assert.equal(answer.code, "ERR_SSL_NO_RENEGOTIATION");
    else assert.equal(answer, null);
  });

  test(`${name}: who does not speak TLS is heard of, and closed`, async (t) => {
    const failures = [];
    const prepare = ({ httpServer }) =>
      httpServer.on("tlsClientError", (error, socket) => failures.push([error, socket]));
    const { httpServer, port } = await serve(t, setup, { prepare });
    for (const bytes of ["GET / HTTP/1.1\r\nHost: a\r\n\r\n", Buffer.alloc(100, 0xff), undefined]) {
      const before = failures.length;
      const socket = net.connect(port, "127.0.0.1");
      socket.on("error", () => {});
      if (bytes === undefined) socket.end("\x16\x03");
      else socket.write(bytes);
      socket.resume();
      await until(socket, "close");
      await eventually(() => failures.length > before, "the error");
      const [error, shown] = failures[before];
      assert.ok(error instanceof Error && typeof error.code === "string");
      assert.equal(shown.destroyed || shown.writableEnded || !shown.writable, true);
    }
    await eventually(async () => (await connections(httpServer)) === 0, "no connection");
  });

  test(`${name}: a server that closes lets go of all connections`, async (t) => {
    const { io, httpServer, dial, client } = await serve(t, setup);
    const idle = new KeptConnection(await dial());
    await idle.ask("/");
    const peer = client({ transports: ["websocket"] });
    await until(peer, "connect");
    const gone = until(peer, "disconnect");
    await within(io.close(), "close");
    assert.equal((await gone)[0], "transport close");
    await eventually(() => idle.ended, "the end of the idle connection");
    assert.equal(await connections(httpServer), 0);
  });

  if (name !== "ours")
    test(
      `${name}: a blocked event loop ${isNative ? "keeps nobody out and loses nobody" : "loses all"}`,
      { timeout: 2 * PATIENCE },
      async (t) => {
        const settings = { ...setup.options, secure: true };
        const server = await startBlocking(t, setup.implementation, settings);
        const dial = (transport, keepAlive) => {
          const agent = new https.Agent({ keepAlive });
          const client = connect(`https://localhost:${server.port}`, {
            agent,
            forceNew: true,
            reconnection: false,
            rejectUnauthorized: false,
            transports: [transport],
            timeout: PATIENCE,
          });
          t.after(() => {
            client.disconnect();
            agent.destroy();
          });
          return client;
        };
        const kinds = [
          ["websocket", true],
          ["polling", true],
          ["polling", false],
        ];
        const clients = kinds.map((kind) => dial(...kind));
        await Promise.all(clients.map((client) => until(client, "connect", PATIENCE)));
        clients[0].emit("block");
        assert.equal(await server.message(), "blocked");
        if (!isNative) {
          for (const { reason } of await Promise.all(clients.map((client) => sitOut(client))))
            assert.notEqual(reason, null);
          server.release();
          return;
        }
        const newcomers = kinds.map((kind) => dial(...kind));
        const opened = newcomers.map((client) => until(client.io, "open", PATIENCE));
        const connected = newcomers.map((client) => until(client, "connect", 2 * PATIENCE));
        await Promise.all(opened);
        const outcomes = await Promise.all(clients.map((client) => sitOut(client, 50)));
        server.release();
        for (const [i, client] of clients.entries()) {
          assert.equal(outcomes[i].reason, null);
          const [got] = await ask(client);
          assert.deepEqual(got, Array.from(Array(outcomes[i].sent).keys()));
        }
        await Promise.all(connected);
      },
    );
}

/** How many connections an HTTPS server counts. */
function connections(httpServer) {
  return new Promise((resolve, reject) =>
    httpServer.getConnections((error, count) => (error ? reject(error) : resolve(count))),
  );
}

const native = SETUPS.find(({ name }) => name === "native");

/** What can't be had with `tls: "native"`, and what the error has to name. */
const UNSERVED = {
  requestCert: [{ requestCert: true }, /requestCert of the HTTPS server is true/],
  minVersion: [{ minVersion: "TLSv1.1" }, /minVersion of the HTTPS server is TLSv1\.1/],
  ciphers: [{ ciphers: "AES128-SHA" }, /ciphers of the HTTPS server has AES128-SHA/],
  "ciphers in words": [{ ciphers: "HIGH:!MEDIUM" }, /ciphers of the HTTPS server has HIGH/],
  ecdhCurve: [{ ecdhCurve: "P-521" }, /ecdhCurve of the HTTPS server is P-521/],
  SNICallback: [{ SNICallback: () => {} }, /SNICallback of the HTTPS server is a function/],
  ticketKeys: [{ ticketKeys: Buffer.alloc(48) }, /ticketKeys of the HTTPS server is given/],
  ALPNProtocols: [
    { ALPNProtocols: ["h2", "http/1.1"] },
    /ALPNProtocols of the HTTPS server is "h2"/,
  ],
  key: [{ key: OTHER.key }, /key/, "by Node.js"],
};

for (const [what, [told, message, by]] of Object.entries(UNSERVED))
  test(`${what} stands against it, and is named`, { skip: !native }, () => {
    const { Server } = ours.load();
    const make = () => new Server(https.createServer({ ...OWN, ...told }), { tls: "native" });
    assert.throws(make, (error) => {
      if (by === undefined) assert.equal(error.code, "SIO_ERR_INVALID_OPTION");
      assert.match(error.message, message);
      if (by === undefined) assert.match(error.message, /^option tls can't be "native": .*: \S/);
      return true;
    });
  });

test("curves that are chosen for the process stand against it", { skip: !native }, (t) => {
  const { Server } = ours.load();
  const before = tls.DEFAULT_ECDH_CURVE;
  t.after(() => (tls.DEFAULT_ECDH_CURVE = before));
  tls.DEFAULT_ECDH_CURVE = "P-384";
  const make = () => new Server(https.createServer(OWN), { tls: "native" });
  assert.throws(make, /ecdhCurve of the HTTPS server is P-384/);
});

test("contexts that can't be seen stand against it", { skip: !native }, () => {
  const { Server } = ours.load();
  const httpServer = https.createServer(OWN);
  httpServer.addContext("a", OTHER);
  assert.throws(() => new Server(httpServer, { tls: "native" }), /addContext\(\)/);
  assert.equal(httpServer.listenerCount("request"), 0, "nothing is left of the attempt");
});

test("servers that speak no TLS, or HTTP/2, are as ever", { skip: !native }, () => {
  const { Server } = ours.load();
  new Server(http.createServer(), { tls: "native" });
  const other = require("node:http2").createSecureServer({ ...OWN, allowHTTP1: true });
  assert.throws(() => new Server(other, { tls: "native" }), /class of the HTTPS server/);
});

/** What an HTTPS server offers by ALPN. */
const SPOKEN = Buffer.from("\x08http/1.1");

/** What a program does while the server runs, and what ends it. */
const CHANGES = {
  "a listener of TLS": {
    begin: ({ httpServer }) => httpServer.on("secureConnection", noop),
    end: ({ httpServer }) => httpServer.off("secureConnection", noop),
  },
  "an option of TLS": {
    begin: ({ httpServer }) => httpServer.setSecureContext({ ...OWN, ciphers: "HIGH" }),
    end: ({ httpServer }) => httpServer.setSecureContext(OWN),
  },
  "certificates of clients are asked for": {
    begin: ({ httpServer }) =>
      Object.assign(httpServer, { requestCert: true, rejectUnauthorized: false }),
    end: ({ httpServer }) => Object.assign(httpServer, { requestCert: false }),
  },
  "what is spoken is chosen by the program": {
    begin: ({ httpServer }) =>
      Object.assign(httpServer, { ALPNCallback: () => "http/1.1", ALPNProtocols: undefined }),
    end: ({ httpServer }) =>
      Object.assign(httpServer, { ALPNCallback: undefined, ALPNProtocols: SPOKEN }),
  },
  "another protocol is offered": {
    begin: ({ httpServer }) => (httpServer.ALPNProtocols = Buffer.from("\x08http/1.1\x02h9")),
    end: ({ httpServer }) => (httpServer.ALPNProtocols = SPOKEN),
  },
  'a "connection" listener': {
    begin: ({ httpServer }) => httpServer.on("connection", noop),
    end: ({ httpServer }) => httpServer.off("connection", noop),
  },
};

function noop() {}

for (const [word, { begin, end }] of Object.entries(CHANGES))
  test(`${word}: Node.js speaks TLS as long as that is so`, { skip: !native }, async (t) => {
    const server = await serve(t, native);
    const { io, dial, accepts } = server;
    assert.equal(accepts(), true);
    const early = new KeptConnection(await dial());
    begin(server);
    await turns(2);
    assert.equal(accepts(), false);
    const raw = new RawWebSocket(await dial());
    raw.request(WEBSOCKET);
    await within(raw.answered, "the answer");
    const [conn] = Object.values(io.engine.clients);
    assert.deepEqual([conn.door, conn.doorReason], ["bridge", "TLS"]);
    // what had come before is spoken with on
    assert.equal((await early.ask("/")).body, "app");
    end(server);
    await turns(2);
    assert.equal(accepts(), true);
    assert.equal((await new KeptConnection(await dial()).ask("/")).body, "app");
  });

test("a server that listens again speaks TLS again", { skip: !native }, async (t) => {
  const { io, httpServer, accepts } = await serve(t, native);
  httpServer.close();
  httpServer.listen(0, "127.0.0.1"); // before "close", which would close the engine
  await until(httpServer, "listening");
  await turns(2);
  assert.equal(accepts(), true);
  const { port } = httpServer.address();
  const plain = await KeptConnection.open(port);
  assert.deepEqual((await plain.ask(POLLING)).head, "");
  const socket = tls.connect({ port, host: "127.0.0.1", rejectUnauthorized: false });
  t.after(() => socket.destroy());
  await until(socket, "secureConnect");
  assert.match((await new KeptConnection(socket).ask(POLLING)).body, /^0/);
  await eventually(() => io.engine.clientsCount === 1, "a client");
  assert.equal(Object.values(io.engine.clients)[0].doorReason, undefined);
});

test("plain requests on the port of TLS are not taken", { skip: !native }, async (t) => {
  const { io, port } = await serve(t, native, {
    // so that Node.js accepts
    prepare: ({ httpServer }) => httpServer.on("secureConnection", noop),
  });
  for (const request of [POLLING, WEBSOCKET]) {
    const kept = await KeptConnection.open(port);
    assert.deepEqual((await kept.ask(request)).head, "");
  }
  assert.equal(io.engine.clientsCount, 0);
});

test(
  "what the options of TLS are may change only by what is looked at",
  { skip: !native },
  async (t) => {
    const { Inputs } = require("../lib/ingress/inputs");
    const { io, httpServer } = await serve(t, native);
    const inputs = new Inputs(io.engine, httpServer);
    inputs.areSame();
    const events = ["secureConnection", "newSession", "resumeSession", "OCSPRequest", "keylog"];
    for (const change of [
      ...events.map((event) => () => httpServer.on(event, noop)),
      () => httpServer.on("tlsClientError", noop),
      () => httpServer.on("clientError", noop),
      () => httpServer.addContext("a", OTHER),
      () => httpServer.setSecureContext(OWN),
      () => (httpServer.requestCert = true),
      () => (httpServer.ALPNProtocols = SPOKEN),
      () => (httpServer.ALPNCallback = noop),
    ]) {
      assert.equal(inputs.areSame(), true);
      change();
      assert.equal(inputs.areSame(), false, String(change));
    }
  },
);

test(
  "a certificate is completed from ca, and a key may have a passphrase",
  { skip: !native },
  async (t) => {
    const { createPrivateKey } = require("node:crypto");
    const cipher = { type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase: "secret" };
    const key = createPrivateKey(OWN.key).export(cipher);
    for (const told of [
      { key, passphrase: "secret" },
      { key: [{ pem: key, passphrase: "secret" }] },
      { key: [OTHER.key, OWN.key], cert: [OWN.cert, OTHER.cert] },
    ]) {
      const { dial, accepts } = await serve(t, native, { told });
      assert.equal((await dial()).getPeerCertificate().subject.CN, "localhost");
      assert.equal(accepts(), true);
    }
  },
);
