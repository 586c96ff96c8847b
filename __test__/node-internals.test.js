"use strict";

/**
 * What we use of Node.js that it does not document (lib/node/): that it works on this Node.js, function by function;
 * and that a server on a Node.js that lacks a part of it serves as well, the slow way.
 */

const assert = require("node:assert/strict");
const { spawn: spawnProcess } = require("node:child_process");
const { EventEmitter } = require("node:events");
const fs = require("node:fs");
const http = require("node:http");
const https = require("node:https");
const net = require("node:net");
const os = require("node:os");
const path = require("node:path");
const { test } = require("node:test");
const tls = require("node:tls");
const { io: connect } = require("socket.io-client");

const internals = require("../lib/node");
const { spawn } = require("./support/child");
const { ours } = require("./support/implementations");
const { KeptConnection } = require("./support/kept-connection");
const { MISSING } = require("./support/missing-parts");
const { deferred, turns, until } = require("./support/waiting");

const FOLDER = require.resolve("../lib/node");
const LINUX = process.platform === "linux";
const POSIX = process.platform !== "win32";
const POLLING = "/socket.io/?EIO=4&transport=polling";

const nothing = () => {};

/** Has an HTTP server accept the descriptor 3; runs in another process. */
function acceptThird(internals) {
  const http = require("node:http");
  const server = http.createServer((req, res) => {
    server.getConnections((_error, count) => {
      console.log(req.socket.remoteAddress === "127.0.0.1", count);
      res.end("ok");
      server.close();
    });
  });
  server.listen(0, "127.0.0.1", () => {
    internals.showAccepted(server, () => false);
    internals.acceptDescriptor(internals.listeningHandle(server), 3);
  });
}

/** Has an HTTP server get a relayed connection by the descriptor 3; runs in another process. */
function relayThird(internals) {
  const http = require("node:http");
  const addresses = { address: "1.2.3.4", port: 5, localAddress: "::1", localPort: 6 };
  let resets = 0;
  const server = http.createServer((req, res) => {
    const { remoteAddress, remotePort, remoteFamily, localAddress, localPort } = req.socket;
    const seen = [remoteAddress, remotePort, remoteFamily, localAddress, localPort];
    server.getConnections((_error, count) => {
      console.log(JSON.stringify([...seen, req.socket.address().port, count]));
      if (req.url !== "/reset") return res.end("ok");
      req.socket.resetAndDestroy();
      req.socket.once("close", () => {
        console.log(resets);
        server.close();
      });
    });
  });
  server.listen(0, "127.0.0.1", () => {
    internals.countConnection(server);
    const socket = internals.relayedSocket(server, 3, addresses, () => resets++);
    server.emit("connection", socket);
  });
}

/** A server that listens until the test is over. */
async function listen(t, server) {
  server.listen(0, "127.0.0.1");
  await until(server, "listening");
  t.after(() => {
    server.close();
    server.closeAllConnections?.();
  });
  return server;
}

/** A connection to a server: both its sockets. */
async function open(t, server) {
  const accepted = until(server, "connection");
  const client = net.connect(server.address().port, "127.0.0.1");
  client.on("error", () => {});
  t.after(() => client.destroy());
  const [socket] = await accepted;
  return { client, socket };
}

/** How many connections a server counts. */
async function countOf(server) {
  const { promise, resolve } = deferred("the count of connections");
  server.getConnections((_error, count) => resolve(count));
  return promise;
}

/** An HTTP server that answers, with a connection of which it has just read a request. */
async function ask(t, options, answer = (_req, res) => res.end("ok")) {
  const { promise, resolve } = deferred("the request");
  const server = http.createServer(options, (req, res) => {
    resolve({ req, res });
    answer(req, res);
  });
  await listen(t, server);
  const client = await KeptConnection.open(server.address().port);
  t.after(() => client.destroy());
  return { server, client, asked: promise };
}

/** By its name, what each function does on this Node.js. */
const WORKS = {
  async countConnection(t) {
    const server = await listen(t, net.createServer());
    internals.countConnection(server);
    assert.equal(await countOf(server), 1);
    internals.uncountConnection(server);
  },

  async uncountConnection(t) {
    const server = await listen(t, http.createServer());
    internals.countConnection(server);
    internals.countConnection(server);
    let closed = false;
    server.close(() => (closed = true));
    internals.uncountConnection(server);
    await turns(3);
    assert.equal(closed, false);
    internals.uncountConnection(server);
    await turns(1);
    assert.equal(closed, true);
  },

  async isOver(t) {
    const server = await listen(t, net.createServer());
    const { client } = await open(t, server);
    assert.equal(internals.isOver(server), false);
    server.close();
    assert.equal(internals.isOver(server), false);
    client.destroy();
    await until(server, "close");
    assert.equal(internals.isOver(server), true);
  },

  async listeningHandle(t) {
    const server = net.createServer();
    assert.ok(!internals.listeningHandle(server));
    await listen(t, server);
    const first = internals.listeningHandle(server);
    assert.ok(first);
    server.close();
    assert.ok(!internals.listeningHandle(server));
    server.listen(0, "127.0.0.1");
    await until(server, "listening");
    assert.notEqual(internals.listeningHandle(server), first);
  },

  async beforeClose(t) {
    const server = await listen(t, net.createServer());
    const handle = internals.listeningHandle(server);
    const calls = [];
    const note = (name) => () => calls.push([name, internals.listeningHandle(server) === handle]);
    assert.equal(internals.beforeClose(handle, note("replaced")), true);
    assert.equal(internals.beforeClose(handle, note("last")), true);
    server.close();
    assert.deepEqual(calls, [["last", true]]);
    await until(server, "close");
  },

  /** In a process of its own, as `socketOf`. */
  async acceptDescriptor(t) {
    if (!POSIX) return t.skip("no descriptors");
    const server = await listen(t, net.createServer({ pauseOnConnect: true }));
    const { client, socket } = await open(t, server);
    const child = spawnProcess(
      process.execPath,
      ["-e", `(${acceptThird})(require(${JSON.stringify(FOLDER)}))`],
      { stdio: ["ignore", "pipe", "inherit", socket._handle.fd] },
    );
    const exit = until(child, "exit");
    child.stdout.setEncoding("utf8");
    let text = "";
    child.stdout.on("data", (chunk) => (text += chunk));
    client.write("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    client.setEncoding("utf8");
    let answer = "";
    client.on("data", (chunk) => (answer += chunk));
    assert.deepEqual((await exit)[0], 0);
    assert.equal(text, "true 1\n");
    socket.destroy();
    await until(client, "close");
    assert.match(answer, /^HTTP\/1.1 200 OK.*\r\n\r\n/s);
  },

  /** In a process of its own, which has one end of a pair of sockets. */
  async relayedSocket(t) {
    if (!POSIX) return t.skip("no descriptors");
    const child = spawnProcess(
      process.execPath,
      ["-e", `(${relayThird})(require(${JSON.stringify(FOLDER)}))`],
      { stdio: ["ignore", "pipe", "inherit", "pipe"] },
    );
    const exit = until(child, "exit");
    child.stdout.setEncoding("utf8");
    let text = "";
    child.stdout.on("data", (chunk) => (text += chunk));
    const end = child.stdio[3];
    end.setEncoding("utf8");
    end.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert.match((await until(end, "data"))[0], /^HTTP\/1.1 200 OK.*\r\n\r\nok$/s);
    end.write("GET /reset HTTP/1.1\r\nHost: a\r\n\r\n");
    assert.deepEqual((await exit)[0], 0);
    const seen = JSON.stringify(["1.2.3.4", 5, "IPv4", "::1", 6, 6, 1]);
    assert.equal(text, `${seen}\n${seen}\n1\n`);
  },

  /** As when its peer resets the connection. */
  async breakSocket(t) {
    const server = await listen(t, net.createServer());
    const errors = [];
    for (const end of [
      (client) => client.resetAndDestroy(),
      (_, socket) => internals.breakSocket(socket),
    ]) {
      const { client, socket } = await open(t, server);
      socket.resume();
      const error = new Promise((resolve) => socket.once("error", resolve));
      end(client, socket);
      const { message, errno, code, syscall } = await error;
      errors.push({ message, errno, code, syscall });
    }
    assert.deepEqual(errors[1], errors[0]);
  },

  async awaitAnswer(t) {
    const told = [];
    const answer = (req, res) => {
      req.socket.on("end", () => {
        told.push("end");
        setImmediate(() => res.end("ok"));
      });
      internals.awaitAnswer(req.socket, { res, onhalfEnd: () => told.push("half") });
    };
    const { client, server } = await ask(t, {}, (req, res) => {
      if (req.url === "/") answer(req, res); // nobody answers the other one
    });
    client.send("/");
    client.send("/other");
    client.socket.end();
    assert.equal((await client.answer()).body, "ok");
    assert.equal((await client.answer()).head, "", "the connection ends behind it");
    assert.deepEqual(told, ["half", "end"]);
    assert.equal(server.httpAllowHalfOpen, false);
  },

  async leaveUnanswered(t) {
    const answer = (req, res) => {
      const request = { res, onhalfEnd: () => assert.fail("nobody waits") };
      internals.awaitAnswer(req.socket, request);
      internals.leaveUnanswered(req.socket, request);
      req.on("error", () => {});
    };
    const { client } = await ask(t, {}, answer);
    client.send("/");
    client.socket.end();
    assert.equal((await client.answer()).head, "");
  },

  async keepHalfOpen(t) {
    const server = await listen(t, net.createServer());
    const { client, socket } = await open(t, server);
    internals.keepHalfOpen(socket);
    const ended = until(socket.resume(), "end");
    client.end();
    await ended;
    socket.end("late");
    assert.equal(String((await until(client, "data"))[0]), "late");
    // over TLS, one whose peer is gone ends all the same
    const key = fs.readFileSync(path.join(__dirname, "fixtures", "key.pem"));
    const cert = fs.readFileSync(path.join(__dirname, "fixtures", "cert.pem"));
    const secure = await listen(t, tls.createServer({ key, cert }));
    const accepted = until(secure, "secureConnection");
    const tcp = net.connect(secure.address().port, "127.0.0.1");
    const peer = tls.connect({ socket: tcp, rejectUnauthorized: false });
    for (const one of [tcp, peer]) one.on("error", nothing);
    const [secured] = await accepted;
    secured.on("error", nothing);
    internals.keepHalfOpen(secured.resume());
    const closed = until(secured, "close");
    tcp.resetAndDestroy();
    await closed;
  },

  MUTES_RESPONSES() {
    assert.equal(internals.MUTES_RESPONSES, true);
  },

  async beforeSending(t) {
    const asked = [];
    const answer = (req, res) => {
      internals.beforeSending(res, () => asked.push(req.url) === 2);
      if (req.url === "/three") res.writeContinue();
      res.write(req.url);
      res.end();
    };
    const { client } = await ask(t, {}, answer);
    for (const url of ["/one", "/two", "/three"]) client.send(url);
    assert.equal((await client.answer()).body, "/one");
    assert.match((await client.answer()).head, /^HTTP\/1.1 100 Continue$/);
    assert.equal((await client.answer()).body, "/three");
    assert.deepEqual(asked, ["/one", "/two", "/three"]);
  },

  async mute(t) {
    const answer = (req, res) => {
      if (req.url === "/muted") internals.mute(res);
      res.once("finish", () => finished.push(req.url));
      res.setHeader("a", "b");
      res.write(Buffer.from("some"));
      res.end(req.url);
    };
    const finished = [];
    const { client } = await ask(t, {}, answer);
    client.write("GET /one HTTP/1.1\r\nHost: a\r\n\r\n");
    client.write("GET /muted HTTP/1.1\r\nHost: a\r\n\r\n");
    client.write("GET /two HTTP/1.1\r\nHost: a\r\n\r\n");
    assert.equal((await client.answer()).body, "some/one");
    assert.equal((await client.answer()).body, "some/two");
    assert.deepEqual(finished, ["/one", "/muted", "/two"]);
  },

  async countingServer(t) {
    const server = await listen(t, net.createServer());
    const { client, socket } = await open(t, server);
    assert.equal(internals.countingServer(socket), server);
    assert.equal(internals.countingServer(client), undefined);
  },

  async httpServerOf(t) {
    const server = await listen(t, http.createServer());
    const { client, socket } = await open(t, server);
    assert.equal(internals.httpServerOf(socket), server);
    assert.equal(internals.httpServerOf(client), undefined);
    assert.equal(internals.httpServerOf(undefined), undefined);
  },

  hasSetting() {
    const server = http.createServer({ keepAlive: true });
    server.blockList = new net.BlockList();
    assert.equal(internals.hasSetting(server, "keepAlive"), true);
    assert.equal(internals.hasSetting(server, "blockList"), true);
    assert.equal(internals.hasSetting(server, "pauseOnConnect"), false);
    const paused = net.createServer({ pauseOnConnect: true });
    assert.equal(internals.hasSetting(paused, "pauseOnConnect"), true);
    assert.equal(internals.hasSetting(paused, "keepAlive"), false);
  },

  answersHalfOpen() {
    const server = http.createServer();
    assert.equal(internals.answersHalfOpen(server), false);
    server.httpAllowHalfOpen = true;
    assert.equal(internals.answersHalfOpen(server), true);
  },

  settingsOf() {
    const server = http.createServer();
    const same = () => internals.isSetAs(server, internals.settingsOf(server));
    assert.ok(same());
    for (const [name, value] of Object.entries({
      blockList: new net.BlockList(),
      keepAlive: true,
      maxHeaderSize: 999,
      pauseOnConnect: true,
      shouldUpgradeCallback: () => false,
    })) {
      const before = internals.settingsOf(server);
      server[name] = value;
      assert.ok(!internals.isSetAs(server, before), name);
      assert.ok(same());
    }
  },

  isSetAs() {
    const settings = internals.settingsOf(http.createServer());
    for (const name of ["IncomingMessage", "ServerResponse"]) {
      const other = http.createServer({ [name]: class extends http[name] {} });
      other.shouldUpgradeCallback = settings.upgradeRule;
      assert.ok(!internals.isSetAs(other, settings), name);
    }
    const like = http.createServer();
    like.shouldUpgradeCallback = settings.upgradeRule; // each server has its own
    assert.ok(internals.isSetAs(like, settings));
  },

  longestHead() {
    assert.equal(internals.longestHead(http.createServer()), http.maxHeaderSize);
    assert.equal(internals.longestHead(http.createServer({ maxHeaderSize: 999 })), 999);
  },

  /** In a process of its own, which is given a connection: two sockets of one descriptor would close each other's. */
  async socketOf(t) {
    if (!POSIX) return t.skip("no descriptors");
    const server = await listen(t, net.createServer({ pauseOnConnect: true }));
    const { client, socket } = await open(t, server);
    const script = `
      const { countConnection, countingServer, socketOf } = require(${JSON.stringify(FOLDER)});
      const http = require("node:http");
      const net = require("node:net");
      const keepAlive = { keepAlive: true, keepAliveInitialDelay: 5000 };
      const asked = [];
      net.Socket.prototype.setKeepAlive = (...args) => asked.push(...args);
      const server = http.createServer(keepAlive, (req, res) => {
        res.setHeader("connection", "close");
        const { allowHalfOpen } = req.socket;
        const isCounted = countingServer(req.socket) === server;
        res.end(JSON.stringify({ allowHalfOpen, isCounted, asked }));
        server.close();
      });
      server.listen(0, "127.0.0.1", () => {
        countConnection(server);
        server.emit("connection", socketOf(server, 3));
      });`;
    const child = spawnProcess(process.execPath, ["-e", script], {
      stdio: ["ignore", "ignore", "inherit", socket],
    });
    const exit = until(child, "exit");
    await until(child, "spawn");
    socket.destroy();
    const answer = await new KeptConnection(client).ask("/");
    const expected = { allowHalfOpen: true, isCounted: true, asked: [true, 5000] };
    assert.deepEqual(JSON.parse(answer.body), expected);
    const [code] = await exit; // the server has closed: it counted the connection, and then no more
    assert.equal(code, 0);
  },

  async buildRequest(t) {
    const { client, asked } = await ask(t);
    const headers = { "X-A": "1", Cookie: "a=b", "x-a": "2", COOKIE: "c=d", Referer: "one" };
    await client.ask("/path?query=1", { headers });
    const { req } = await asked;
    const { method, url, httpVersion, rawHeaders } = req;
    for (const upgrade of [false, true]) {
      const sockets = [];
      const lender = {
        findSocket() {
          sockets.push(new net.Socket());
          return sockets[0];
        },
      };
      const parts = { method, url, httpVersion, rawHeaders, upgrade };
      const built = internals.buildRequest(parts, lender);
      assert.ok(built instanceof http.IncomingMessage);
      const names = ["method", "url", "httpVersion", "httpVersionMajor", "httpVersionMinor"];
      for (const name of [...names, "headers", "rawHeaders", "headersDistinct", "complete"])
        assert.deepEqual(built[name], req[name], name);
      assert.equal(built.upgrade, upgrade);
      assert.equal(built.aborted, false);
      assert.equal(built.destroyed, !upgrade);
      for (const name of ["socket", "client"]) assert.ok(Object.keys(built).includes(name));
      assert.equal(Object.getPrototypeOf(built), http.IncomingMessage.prototype);
      assert.equal(sockets.length, 0, "it is made at the first look");
      assert.equal(built.socket, sockets[0]);
      assert.equal(built.client, sockets[0]);
      assert.equal(built.connection, sockets[0]);
      assert.equal(sockets.length, 1);
      assert.equal(sockets[0].destroyed, false);
      built.socket = null;
      built.socket = new net.Socket();
      assert.notEqual(built.socket, sockets[0]);
      const given = { "x-given": "1" };
      assert.equal(internals.buildRequest({ ...parts, headers: given }, lender).headers, given);
    }
  },

  async readHeaders(t) {
    const { client, asked } = await ask(t);
    const headers = {
      "X-A": "1",
      Cookie: "a=b",
      "x-a": "2",
      COOKIE: "c=d",
      Referer: "one",
      REFERER: "two",
      "Set-Cookie": "e=f",
      "SET-COOKIE": "g=h",
      Age: "1",
      AGE: "2",
      ETag: "",
    };
    await client.ask("/", { headers });
    const { req } = await asked;
    assert.deepEqual(internals.readHeaders(req.rawHeaders), req.headers);
    assert.deepEqual(internals.readHeaders([]), {});
  },

  setSocket() {
    const req = new http.IncomingMessage(new net.Socket());
    const socket = new net.Socket();
    internals.setSocket(req, socket);
    assert.equal(req.socket, socket);
    assert.equal(req.connection, socket);
  },

  hasOwnRequests() {
    class Other extends http.IncomingMessage {}
    assert.ok(internals.hasOwnRequests(http.createServer()));
    assert.ok(!internals.hasOwnRequests(http.createServer({ IncomingMessage: Other })));
    assert.ok(!internals.hasOwnRequests(net.createServer()));
  },

  hasOwnResponses() {
    class Other extends http.ServerResponse {}
    assert.ok(internals.hasOwnResponses(http.createServer()));
    assert.ok(!internals.hasOwnResponses(http.createServer({ ServerResponse: Other })));
    assert.ok(!internals.hasOwnResponses(net.createServer()));
  },

  upgradesByDefault(t) {
    assert.ok(internals.upgradesByDefault(http.createServer()));
    const told = http.createServer({ shouldUpgradeCallback: () => true });
    if (told.shouldUpgradeCallback === undefined) return t.skip("this Node.js can't be told");
    assert.ok(!internals.upgradesByDefault(told));
  },

  async closeSilently(t) {
    const server = await listen(t, net.createServer());
    const { client, socket } = await open(t, server);
    for (const name of ["close", "end", "error"]) socket.on(name, () => assert.fail(name));
    internals.closeSilently(socket);
    client.resume();
    await until(client, "end");
    await turns(3);
    assert.equal(socket.destroyed, false);
    assert.equal(await countOf(server), 1);
    internals.uncountConnection(server);
  },

  async descriptorOf(t) {
    const server = await listen(t, net.createServer());
    const { client, socket } = await open(t, server);
    if (!POSIX) return assert.equal(internals.descriptorOf(socket), -1);
    assert.ok(internals.descriptorOf(socket) > 2);
    assert.ok(internals.descriptorOf(client) > 2);
    assert.notEqual(internals.descriptorOf(client), internals.descriptorOf(socket));
    assert.equal(internals.descriptorOf(new net.Socket()), -1);
    const encrypted = new tls.TLSSocket(client, { isServer: false });
    encrypted.on("error", () => {});
    assert.equal(internals.descriptorOf(encrypted), -1);
    encrypted.destroy();
    while (socket.write(Buffer.alloc(1 << 20)));
    assert.equal(internals.descriptorOf(socket), -1, "there is something left to write");
    socket.destroy();
    assert.equal(internals.descriptorOf(socket), -1, "destroyed");
  },

  async replaceHandle(t) {
    const server = await listen(t, http.createServer());
    const { client, socket } = await open(t, server);
    const { remotePort } = { remotePort: client.localPort };
    let ended = 0;
    internals.replaceHandle(socket, () => void ended++, 129);
    client.resume();
    await until(client, "end");
    await turns(3);
    assert.equal(socket.destroyed, false);
    assert.equal(socket.remotePort, remotePort);
    assert.equal(socket.localPort, server.address().port);
    assert.equal(socket.bytesWritten, 129);
    assert.equal(await countOf(server), 1);
    assert.equal(ended, 0);
    const error = until(socket, "error");
    const close = until(socket, "close");
    socket.write("x");
    assert.equal((await error)[0].code, "EPIPE");
    await close;
    assert.equal(ended, 1);
    assert.equal(await countOf(server), 0);
  },

  async hasConnection(t) {
    const server = await listen(t, http.createServer());
    for (const lose of [
      (socket) => internals.replaceHandle(socket, nothing, 0),
      (socket) => {
        internals.closeSilently(socket);
        internals.uncountConnection(server);
      },
      (socket) => socket.destroy(),
    ]) {
      const { socket } = await open(t, server);
      assert.equal(internals.hasConnection(socket), true);
      lose(socket);
      assert.equal(internals.hasConnection(socket), false);
    }
  },

  async standInSocket(t) {
    const server = await listen(t, http.createServer());
    const names = { address: "1.2.3.4", port: 5, localAddress: "::1", localPort: 6 };
    for (const way of ["destroy", "end"]) {
      internals.countConnection(server);
      let ended = 0;
      const socket = internals.standInSocket(names, server, 129, () => void ended++);
      assert.ok(socket instanceof net.Socket);
      const { remoteAddress, remoteFamily, remotePort, localAddress, localPort } = socket;
      assert.deepEqual([remoteAddress, remoteFamily, remotePort], ["1.2.3.4", "IPv4", 5]);
      assert.deepEqual([localAddress, socket.localFamily, localPort], ["::1", "IPv6", 6]);
      assert.equal(socket.bytesWritten, 129);
      assert.equal(internals.httpServerOf(socket), server);
      assert.ok(socket.readable && socket.writable && !socket.pending);
      socket[way]();
      await turns(3);
      assert.equal(ended, 1, way);
      if (way === "end") internals.endStandIn(socket);
      assert.equal(await countOf(server), 0, way);
    }
    const gone = internals.standInSocket(names, server);
    assert.equal(gone.destroyed, true);
    assert.equal(gone.remotePort, 5);
    assert.equal(await countOf(server), 0);
  },

  async endStandIn(t) {
    const server = await listen(t, http.createServer());
    const names = { address: "", port: 0, localAddress: "", localPort: 0 };
    internals.countConnection(server);
    const socket = internals.standInSocket(names, server, 129, () => assert.fail("asked to end"));
    const close = until(socket, "close");
    internals.endStandIn(socket);
    await close;
    assert.equal(await countOf(server), 0);
    internals.endStandIn(socket);
    const { socket: other } = await open(t, server);
    internals.endStandIn(other);
    assert.equal(other.destroyed, true);
  },

  async showAccepted(t) {
    const server = await listen(
      t,
      http.createServer((req, res) => res.end("ok")),
    );
    const shown = [];
    let isTaken = false;
    const take = (descriptor) => {
      shown.push(descriptor);
      return isTaken;
    };
    assert.equal(internals.showAccepted(server, take), POSIX);
    assert.equal(internals.showAccepted(server, take), false, "once is enough");
    assert.equal(internals.showAccepted(http.createServer(), take), false, "it does not listen");
    if (!POSIX) return;
    const { client } = await open(t, server);
    assert.equal((await new KeptConnection(client).ask("/")).body, "ok");
    assert.equal(shown.length, 1);
    assert.ok(shown[0] > 2);
    isTaken = true;
    server.on("connection", () => assert.fail("Node.js has it"));
    const other = net.connect(server.address().port, "127.0.0.1");
    other.resume();
    await until(other, "end"); // nobody has a duplicate
    assert.equal(shown.length, 2);
  },

  async listensOnTcp(t) {
    const server = http.createServer();
    assert.equal(internals.listensOnTcp(server), false);
    await listen(t, server);
    assert.equal(internals.listensOnTcp(server), true);
    const onPipe = net.createServer();
    onPipe.listen(
      POSIX ? path.join(os.tmpdir(), `${process.pid}.sock`) : `\\\\.\\pipe\\${process.pid}`,
    );
    t.after(() => onPipe.close());
    await until(onPipe, "listening");
    assert.equal(internals.listensOnTcp(onPipe), false);
  },

  async listeningDescriptor(t) {
    const server = await listen(t, http.createServer());
    assert.equal(internals.listeningDescriptor(server), -1);
    internals.showAccepted(server, () => false);
    if (POSIX) assert.ok(internals.listeningDescriptor(server) > 2);
    server.close();
    assert.equal(internals.listeningDescriptor(server), -1);
  },

  async lacksHeaders(t) {
    const seen = [];
    const { client, server } = await ask(t, {}, (req, res) => {
      seen.push([req.rawHeaders.length, internals.lacksHeaders(req)]);
      res.end();
    });
    for (const most of [null, 10, 0]) {
      server.maxHeadersCount = most;
      await client.ask("/");
    }
    server.maxHeadersCount = 1;
    await client.ask("/");
    assert.deepEqual(
      seen.map(([, lacks]) => lacks),
      [false, false, false, true],
    );
  },

  async anyListeningDescriptor(t) {
    const server = await listen(t, http.createServer());
    if (POSIX) assert.ok(internals.anyListeningDescriptor(server) > 2);
    server.close();
    assert.equal(internals.anyListeningDescriptor(server), -1);
  },

  async expectNext(t) {
    const { client, asked } = await ask(t, {}, (req, res) => {
      internals.expectNext(req.socket);
      res.end("ok");
    });
    await client.ask("/");
    const { req } = await asked;
    assert.ok(internals.isQuiet(req));
    internals.expectNext(req.socket);
    assert.ok(internals.isQuiet(req));
    internals.expectNext(undefined);
    internals.expectNext(new net.Socket());
  },

  async isQuiet(t) {
    const states = {};
    const { client, asked } = await ask(t, {}, (req, res) => {
      internals.expectNext(req.socket);
      states.unanswered = internals.isQuiet(req);
      res.end("ok");
    });
    await client.ask("/", { body: "a body" });
    const { req } = await asked;
    assert.deepEqual(states, { unanswered: false });
    assert.ok(internals.isQuiet(req));
    const data = until(req.socket, "data");
    client.write("G"); // the first byte of the next request
    await data;
    assert.ok(!internals.isQuiet(req));
    req.socket.destroy();
    assert.ok(!internals.isQuiet(req));
  },

  async isBetweenRequests(t) {
    const states = [];
    const { client, asked } = await ask(t, {}, (req, res) => {
      states.push(internals.isBetweenRequests(req.socket));
      res.end("ok");
    });
    await client.ask("/", { body: "a body" });
    const { req } = await asked;
    assert.ok(internals.isBetweenRequests(req.socket));
    await client.ask("/");
    assert.deepEqual(states, [false, false]);
    assert.ok(internals.isBetweenRequests(req.socket));
    assert.ok(!internals.isBetweenRequests(new net.Socket()));
  },

  async responseOn(t) {
    const found = [];
    const { client, asked } = await ask(t, {}, (req, res) => {
      found.push(internals.responseOn(req.socket) === res);
      res.end("ok");
    });
    await client.ask("/");
    const { req } = await asked;
    assert.deepEqual(found, [true]);
    assert.ok(!internals.responseOn(req.socket));
    assert.ok(!internals.responseOn(new net.Socket()));
  },

  async keepsConnection(t) {
    const found = [];
    const { client } = await ask(t, {}, (_req, res) => {
      found.push(internals.keepsConnection(res));
      res.end("ok");
    });
    await client.ask("/");
    await client.ask("/", { headers: { Connection: "close" } });
    assert.deepEqual(found, [true, false]);
  },

  HAS_DESCRIPTORS: () => assert.equal(internals.HAS_DESCRIPTORS, POSIX),
  MOVES_CONNECTIONS: () => assert.equal(internals.MOVES_CONNECTIONS, true),
  REBUILDS_REQUESTS: () => assert.equal(internals.REBUILDS_REQUESTS, true),
  SWAPS_HANDLES: () => assert.equal(internals.SWAPS_HANDLES, true),

  writeUtf8: () =>
    checkWriting(internals.writeUtf8, "utf8", ["", "plain", "é€ß", "\ud83d\ude00", "\ud83d"]),
  writeLatin1: () => checkWriting(internals.writeLatin1, "latin1", ["", "plain", "\x00\x80ÿ"]),
  writeUtf16: () => checkWriting(internals.writeUtf16, "utf16le", ["", "plain", "é€", "\ud83d"]),

  LazyEmitter() {
    const emitter = new internals.LazyEmitter();
    assert.deepEqual(Object.keys(emitter), []);
    assert.ok(emitter instanceof EventEmitter);
    const calls = [];
    for (const name of ["on", "prependListener", "once"])
      emitter[name]("a", (value) => calls.push([name, value]));
    assert.equal(emitter.emit("a", 1), true);
    assert.equal(emitter.emit("a", 2), true);
    assert.equal(calls.map(([name]) => name).join(), "prependListener,on,once,prependListener,on");
    for (const use of [
      (none) => assert.equal(none.emit("a"), false),
      (none) => assert.deepEqual([none.eventNames(), none.listeners("a")], [[], []]),
      (none) => assert.equal(none.listenerCount("a"), 0),
      (none) => none.removeAllListeners(),
      (none) => none.off("a", () => {}),
      (none) => assert.throws(() => none.emit("error", new RangeError("a")), RangeError),
    ])
      use(new internals.LazyEmitter());
  },

  listenersOf() {
    const emitter = new EventEmitter();
    const names = ["a", "toString", "constructor"];
    const sole = () => {
      const listeners = internals.listenersOf(emitter);
      return names.map((name) => internals.soleOf(listeners[name]));
    };
    const raw = () => {
      const all = names.map((name) => emitter.rawListeners(name));
      return all.map((listeners) => (listeners.length === 1 ? listeners[0] : listeners.length));
    };
    for (const change of [
      () => emitter,
      () => emitter.on("a", nothing),
      () => emitter.once("toString", nothing),
      () => emitter.on("a", nothing).on("a", nothing),
      () => emitter.off("a", nothing).off("a", nothing),
      () => emitter.off("a", nothing),
      () => emitter.emit("toString"),
      () => emitter.on("constructor", nothing).removeAllListeners(),
    ]) {
      change();
      assert.deepEqual(sole(), raw(), String(change));
    }
  },

  soleOf() {
    const given = [undefined, nothing, [nothing], [nothing, nothing]];
    assert.deepEqual(given.map(internals.soleOf), [0, nothing, nothing, 2]);
  },

  useTable() {
    const emitters = [new EventEmitter(), new EventEmitter()];
    internals.useTable(emitters[0]);
    const seen = emitters.map((emitter) => {
      const before = [emitter.eventNames(), emitter.listenerCount("toString"), emitter.emit("a")];
      emitter.on("a", nothing).once("toString", nothing).on("b", nothing).off("a", nothing);
      const during = [emitter.eventNames(), emitter.emit("toString"), emitter.rawListeners("b")];
      emitter.removeAllListeners("b");
      return [before, during, emitter.eventNames(), Object.keys(emitter)];
    });
    assert.deepEqual(seen[0], seen[1]);
  },

  listenFirst() {
    const calls = [];
    const note = (name) => (value) => calls.push([name, value]);
    const first = note("first");
    const emitters = [new EventEmitter(), new EventEmitter()];
    internals.listenFirst(emitters[0], "error", first);
    emitters[1].on("error", first);
    const seen = emitters.map((emitter) => {
      emitter.on("error", note("second")).once("toString", note("once")).on("__proto__", first);
      for (const name of ["error", "toString", "toString", "__proto__", "constructor"])
        calls.push([name, emitter.emit(name, 1)]);
      const names = emitter.eventNames();
      emitter.off("error", first).prependListener("error", note("before"));
      for (let n = 0; n < 40; n++) emitter.on(`event ${n}`, first);
      const count = emitter.listenerCount("error");
      emitter.removeAllListeners("error").removeAllListeners("event 7");
      const left = emitter.eventNames();
      assert.throws(() => emitter.emit("error", new RangeError("a")), RangeError);
      emitter.removeAllListeners().once("a", note("a")).emit("a");
      return [calls.splice(0), names, count, left, emitter.eventNames(), Object.keys(emitter)];
    });
    assert.deepEqual(seen[0], seen[1]);
  },

  /** The peer goes while it has not read what was written. */
  async FAILS_BROKEN_WRITES(t) {
    const server = await listen(t, net.createServer());
    const { client, socket } = await open(t, server);
    socket.on("error", () => {});
    const { promise, resolve } = deferred("the end of the write");
    socket.write(Buffer.alloc(1 << 25), resolve);
    client.resetAndDestroy();
    assert.equal((await promise) instanceof Error, internals.FAILS_BROKEN_WRITES);
  },

  SHOWS_TLS() {
    assert.equal(internals.SHOWS_TLS, true);
  },

  /** What https servers have been told, those of their options that are no property by their own names, too. */
  tlsOptions() {
    const told = { SNICallback: () => {}, handshakeTimeout: 5, pskCallback: () => {} };
    const server = https.createServer({ ...told, minVersion: "TLSv1.3", ALPNProtocols: ["a"] });
    const read = internals.tlsOptions(server);
    for (const [name, value] of Object.entries(told)) assert.equal(read[name], value, name);
    assert.equal(read.minVersion, "TLSv1.3");
    assert.deepEqual(read.ALPNProtocols, Buffer.from("\x01a"));
    assert.equal(internals.tlsOptions(https.createServer()).handshakeTimeout, 120_000);
  },

  speaksTls() {
    assert.equal(internals.speaksTls(https.createServer()), true);
    assert.equal(internals.speaksTls(http.createServer()), false);
  },

  secureContextOf() {
    const server = https.createServer();
    const before = internals.secureContextOf(server);
    assert.equal(internals.secureContextOf(server), before);
    server.setSecureContext({});
    assert.notEqual(internals.secureContextOf(server), before);
  },

  tlsSetting() {
    const server = https.createServer();
    const get = (name, of = server) => internals.tlsSetting(of, name);
    assert.equal(get("requestCert"), false);
    assert.equal(get("requestCert", https.createServer({ requestCert: true })), true);
    assert.equal(String(get("ALPNProtocols")), "\bhttp/1.1");
    const ALPNCallback = String;
    assert.equal(get("ALPNCallback"), undefined);
    assert.equal(get("ALPNCallback", https.createServer({ ALPNCallback })), ALPNCallback);
  },

  countContexts() {
    const server = https.createServer();
    assert.equal(internals.countContexts(server), 0);
    server.addContext("a", {});
    assert.equal(internals.countContexts(server), 1);
  },

  PARTS() {
    for (const { name, uses, otherwise, works } of internals.PARTS) {
      assert.ok(uses && otherwise, name);
      assert.notEqual(works, false, `this Node.js has no ${name}: ${otherwise}`);
    }
  },
};

/** Writes texts as Node's own `write()` does. */
function checkWriting(write, encoding, texts) {
  for (const text of texts) {
    const [buffer, expected] = [Buffer.alloc(32, 7), Buffer.alloc(32, 7)];
    assert.equal(write(buffer, text, 3), expected.write(text, 3, encoding), text);
    assert.deepEqual(buffer, expected, text);
  }
}

for (const name of Object.keys(internals)) {
  test(`${name} works`, async (t) => {
    assert.ok(Object.hasOwn(WORKS, name), "there is no test for it");
    await WORKS[name](t);
  });
}

/** All that the server acknowledges with. */
function answerTo(client, ...args) {
  const { promise, resolve } = deferred("an acknowledgement");
  client.emit(...args, (...got) => resolve(got));
  return promise;
}

/** What a client of the library sees of a server. */
async function talk(t, port, transports) {
  const extraHeaders = { "X-Name": "a name" };
  const client = connect(`http://127.0.0.1:${port}`, { transports, extraHeaders, forceNew: true });
  t.after(() => client.close());
  await until(client, "connect");
  const { engine } = client.io;
  if (transports.length > 1 && engine.transport.name === "polling") await until(engine, "upgrade");
  const texts = ["short", "é".repeat(300), "€".repeat(300), "\ud83d\ude00".repeat(300)];
  const values = [...texts, { deep: [null, ...texts] }, Buffer.from([1, 2, 3])];
  assert.deepEqual(await answerTo(client, "echo", ...values), values);
  const [seen] = await answerTo(client, "seen");
  assert.equal(seen.name, "a name");
  assert.match(seen.url, /^\/socket.io\/\?EIO=4&transport=/);
  assert.ok(seen.port > 0);
}

/** Polling requests by one connection, which is kept. */
async function poll(t, port) {
  const client = await KeptConnection.open(port);
  t.after(() => client.destroy());
  const { sid } = JSON.parse((await client.ask(POLLING)).body.slice(1));
  const url = `${POLLING}&sid=${sid}`;
  assert.equal((await client.ask(url, { body: "40" })).body, "ok");
  assert.match((await client.ask(url)).body, /^40/);
  const text = "é€".repeat(100);
  for (let id = 1; id < 4; id++) {
    assert.equal((await client.ask(url, { body: `42${id}["echo","${text}"]` })).body, "ok");
    assert.equal((await client.ask(url)).body, `43${id}["${text}"]`);
  }
}

/** What a server in a process of its own does for clients of all kinds; it must end by itself. */
async function serve(t, ...args) {
  const child = spawn("missing-part", ours, { args });
  t.after(() => child.kill());
  const { ports, missing } = await child.message();
  for (const port of Object.values(ports)) {
    await talk(t, port, ["websocket"]);
    await talk(t, port, ["polling"]);
    await talk(t, port, ["polling", "websocket"]);
    await poll(t, port);
    assert.equal(await (await fetch(`http://127.0.0.1:${port}/`)).text(), "the program");
  }
  child.send("state");
  const { alone, shown } = await child.message();
  child.send("close");
  const { code, stderr } = await child.exit();
  assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
  return { alone, shown, missing };
}

/** Checks which ways the connections of a server have come. */
function checkWays({ alone, shown }, { reads, bridged = false, stays = false }) {
  assert.equal(shown.taken, 0);
  if (POSIX) {
    const door = bridged ? "bridge" : "takeover";
    assert.deepEqual([alone.doors[0], shown.doors[0]], [door, door]);
    assert.equal(shown.moved > 0, !stays, `${shown.moved} polling connections have moved`);
  }
  if (reads === "all") assert.equal(alone.taken, 0);
  else if (LINUX) assert.ok(alone.taken > 0, "no connection was taken as it was accepted");
  if (LINUX) assert.equal(alone.reasons[0] !== null, reads !== undefined); // that of a WebSocket
}

test("nothing is missing: all the fast ways", async (t) => {
  const { missing, ...found } = await serve(t);
  assert.deepEqual(missing, []);
  checkWays(found, {});
});

test("of each part, it is known how it can be missing", () => {
  assert.deepEqual(Object.keys(MISSING).sort(), internals.PARTS.map(({ name }) => name).sort());
});

for (const { name: part } of internals.PARTS) {
  for (const [name, way] of Object.entries(MISSING[part] ?? {})) {
    const skip = way.isPossible === false;
    test(`without ${part} (${name}): served the slow way`, { skip }, async (t) => {
      const { missing, ...found } = await serve(t, part, name);
      assert.deepEqual(missing, way.isNoticed ? [part] : []);
      checkWays(found, way);
    });
  }
}

/** What Node.js has and does not document, beside names with an underscore. */
const PRIVATE = [
  /(?<!this)\.onconnection\b/,
  /\bkOn[A-Z]\w*/,
  /\b(ascii|latin1|ucs2|utf8)Write\b/,
  /\b(allowHalfOpen|keepAliveInitialDelay|shouldKeepAlive|shouldUpgradeCallback|unconsume|writeQueueSize)\b/,
  /\b(getOwnPropertySymbols|_linkedBinding)\b|\bprocess\.binding\b/,
  /\brequire\((node:)?_/,
  /\.constructor\.name\b/,
  /\b(handle|listener)\??\.(close|fd)\b/,
  /\breq\??\.client\b|\bsocket\??\.parser\b/,
  /\bserver\??\.(blockList|keepAlive|maxHeaderSize|pauseOnConnect)\b/,
];

/** The same below `api`: there, sockets are Node's. */
const PRIVATE_BELOW = /\bsocket\??\.server\b/;

/** Names with an underscore that are ours, though objects of Node.js have such too: with the floors on which they are. */
const ALSO_OURS = { _closed: ["api"], _handle: ["api", "border", "engine"] };

/** Names that are neither ours nor Node's: of the protocol, and of Engine.IO for the query of a request. */
const OTHERS = ["_placeholder", "_query"];

/** @returns {Promise<Set<string>>} the names with an underscore that objects of Node.js have */
async function namesOfNode(t) {
  const names = new Set();
  const { server, client, asked } = await ask(t);
  await client.ask("/");
  const { req, res } = await asked;
  const { socket } = req;
  const objects = [server, req, res, socket, socket.parser, server._handle, socket._handle];
  objects.push(new tls.TLSSocket(new net.Socket()), tls.createServer(), new EventEmitter());
  objects.push(
    Buffer.alloc(1),
    process,
    setTimeout(() => {}),
    socket._readableState,
  );
  for (const object of objects)
    for (let at = object; at !== null && at !== Object.prototype; at = Object.getPrototypeOf(at))
      for (const name of Object.getOwnPropertyNames(at)) if (name.startsWith("_")) names.add(name);
  return names;
}

/** What a pattern finds in a text, by its first group or its second. */
const all = (text, pattern) => [...text.matchAll(pattern)].map(([, one, other]) => one ?? other);

test("no file of another folder names a private part of Node.js", async (t) => {
  const root = path.join(__dirname, "..");
  const files = ["dist", "lib", "v2"].flatMap((folder) =>
    fs
      .readdirSync(path.join(root, folder), { recursive: true })
      .map((file) => path.posix.join(folder, String(file).split(path.sep).join("/")))
      .filter((file) => file.endsWith(".js") && !file.startsWith("lib/node/")),
  );
  const sources = [...files, "index.js"].map((file) => {
    const source = fs.readFileSync(path.join(root, file), "utf8");
    const noise = /\/\*[^]*?\*\/|(?<=^|\s)\/\/.*$|"[^"\n]*"/gm; // comments and texts
    return { file, code: source.replace(noise, (text) => (text[0] === '"' ? '""' : " ")) };
  });
  const declared = /this\??\.(_[a-z]\w*)|^ +(?:async |get |set |static )*(_[a-z]\w*)\(/gim;
  const ours = new Set([...OTHERS, ...sources.flatMap(({ code }) => all(code, declared))]);
  const nodes = await namesOfNode(t);
  const found = [];
  for (const { file, code } of sources) {
    const floor = file.startsWith("lib/") ? file.split("/")[1] : "api";
    for (const pattern of floor === "api" ? PRIVATE : [...PRIVATE, PRIVATE_BELOW]) {
      const [match] = pattern.exec(code) ?? [];
      if (match !== undefined) found.push(`${file}: ${match}`);
    }
    // what is taken of another object, by a dot or out of braces
    const used = all(
      code,
      /(?<!\bthis\??)\.(_[a-z]\w*)|[{,]\s*(_[a-z]\w*)(?=[^(){}]*\}\)? ?(?:[,)]|=(?! this\b)))/gi,
    );
    for (const name of new Set(used)) {
      const isAllowed = ALSO_OURS[name]?.includes(floor) ?? !nodes.has(name);
      if (!isAllowed || !ours.has(name)) found.push(`${file}: ${name}`);
    }
  }
  assert.deepEqual(found, []);
});
