"use strict";

// Client libraries in a real browser, on pages of another origin than the server's.

const assert = require("node:assert/strict");
const fs = require("node:fs");
const http = require("node:http");
const { after, afterEach, before, describe, it } = require("node:test");
const { shortenCloseTimeout } = require("../parity/harness");
const { oracle, selected } = require("../support/implementations");
const { eventually, until } = require("../support/waiting");
const { launchBrowser, openPage } = require("./support/browser");

/** Releases by the script that a page loads. */
const SCRIPTS = {
  "1.7.4": require.resolve("socket.io-client-1/dist/socket.io.min.js"),
  "2.5.0": require.resolve("socket.io-client-2/dist/socket.io.js"),
  "4.8.4": require.resolve("socket.io-client/dist/socket.io.js"),
};

const BYTES = [0, 1, 2, 30, 127, 128, 253, 254, 255];
const PLAIN = ["", 'quoted "\\', "line\nbreak\t", "</script>", "%25+&=\\n"];
const TEXTS = [...PLAIN, "é€😀\u2028", "\0"];

async function listen(server) {
  server.listen(0, "127.0.0.1");
  await until(server, "listening");
  return `http://127.0.0.1:${server.address().port}`;
}

/** Serves an empty page for each release, which does nothing but load its script. */
function pagesServer() {
  return http.createServer((req, res) => {
    const [, version, script] = req.url.split("/");
    if (!(version in SCRIPTS)) return res.writeHead(204).end();
    if (script === "client.js") {
      return fs
        .createReadStream(SCRIPTS[version])
        .pipe(res.setHeader("content-type", "text/javascript"));
    }
    res.setHeader("content-type", "text/html; charset=utf-8");
    return res.end("<!doctype html><title>a client</title><script src=client.js></script>");
  });
}

/** In the page: connects, answers what it is asked, and keeps account of what it hears. */
function connectInPage({ url, options }) {
  const client = globalThis.io(url, { reconnection: false, forceNew: true, ...options });
  const plain = (value) => {
    if (value instanceof ArrayBuffer) return { bytes: [...new Uint8Array(value)] };
    if (Array.isArray(value)) return value.map(plain);
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item)]));
  };
  globalThis.client = client;
  globalThis.said = [];
  client.on("down", (...args) => globalThis.said.push(plain(args)));
  client.on("disconnect", (reason) => globalThis.said.push(`gone: ${reason}`));
  globalThis.ask = (bytes, ...args) =>
    new Promise((resolve) => {
      const rest = bytes === null ? [] : [new Uint8Array(bytes).buffer];
      client.emit("up", ...args, ...rest, (...answer) => resolve(plain(answer)));
    });
}

for (const implementation of selected()) {
  describe(`clients in a browser, on ${implementation.name}`, { timeout: 120_000 }, () => {
    const { Server } = implementation.load();
    let browser;
    let pages;
    let pagesUrl;
    let page;
    let io;
    let url;

    before(async () => {
      pages = pagesServer();
      [browser, pagesUrl] = await Promise.all([launchBrowser(), listen(pages)]);
    });

    after(async () => {
      await browser?.close();
      pages.close();
    });

    afterEach(async () => {
      const problems = page?.problems;
      await page?.context().close();
      io?.disconnectSockets(true);
      await io?.close();
      assert.deepEqual(problems, [], "errors in the console of the page");
    });

    /** A page with a client of this release, and the server's socket for it. */
    async function connect(version, clientOptions, serverOptions) {
      const httpServer = http.createServer();
      io = new Server(httpServer, serverOptions);
      if (implementation === oracle) shortenCloseTimeout(io.engine);
      url = await listen(httpServer);
      page = await openPage(browser, `${pagesUrl}/${version}/`);
      page.requests = [];
      page.on("request", (request) => {
        if (request.url().startsWith(url)) page.requests.push(request);
      });
      const connection = until(io, "connection");
      await page.evaluate(connectInPage, { url, options: clientOptions });
      const [socket] = await connection;
      socket.on("up", (...args) => args.pop()(...args));
      return socket;
    }

    /** Waits until the page has heard so much. */
    async function heard(count) {
      await page.waitForFunction((wanted) => globalThis.said.length >= wanted, count);
      return page.evaluate(() => globalThis.said);
    }

    /** Text and bytes, in both directions and back. */
    async function converse(socket, texts = TEXTS) {
      for (const text of texts) {
        const echoed = await page.evaluate((value) => globalThis.ask(null, value), text);
        assert.deepEqual(echoed, [text]);
      }
      const up = until(socket, "up");
      const echo = page.evaluate((bytes) => globalThis.ask(bytes, "with bytes"), BYTES);
      const [, bytes] = await up;
      assert.deepEqual(bytes, Buffer.from(BYTES));
      assert.deepEqual(await echo, ["with bytes", { bytes: BYTES }]);

      const large = texts.at(-2).repeat(20_000);
      assert.deepEqual(await page.evaluate((value) => globalThis.ask(null, value), large), [large]);

      socket.emit("down", ...texts);
      socket.emit("down", { deep: [Buffer.from(BYTES)] }, Buffer.alloc(0));
      io.emit("down", "to all");
      assert.deepEqual(await heard(3), [
        texts,
        [{ deep: [{ bytes: BYTES }] }, { bytes: [] }],
        ["to all"],
      ]);
    }

    /** How the requests of the page were made: XMLHttpRequest, script, … */
    const kinds = () => new Set(page.requests.map((request) => request.resourceType()));

    // 1.7.4 takes what comes by polling for UTF-8 written as characters, as no server since 2.0 does
    for (const [version, texts] of Object.entries({ "2.5.0": TEXTS, "1.7.4": PLAIN })) {
      const jsonp = { forceJSONP: true, transports: ["polling"] };

      it(`${version}: JSONP, both ways`, async () => {
        const socket = await connect(version, jsonp, { allowEIO3: true });
        assert.equal(socket.conn.protocol, 3);
        await converse(socket, texts);
        assert.ok(kinds().has("script"), "answers come as scripts");
        assert.ok(!kinds().has("xhr"), "and nothing by XMLHttpRequest");

        const gone = until(socket, "disconnect");
        await page.evaluate(() => globalThis.client.close());
        assert.equal((await gone)[0], "client namespace disconnect");
      });

      it(`${version}: JSONP, closed by the server`, async () => {
        const socket = await connect(version, jsonp, { allowEIO3: true });
        socket.disconnect(true);
        const [said] = await heard(1);
        assert.equal(said, "gone: io server disconnect");
      });
    }

    it("4.8.4: polling, then WebSocket, from another origin", async () => {
      const cors = { origin: pagesUrl, credentials: true };
      const socket = await connect("4.8.4", { withCredentials: true }, { cors, cookie: true });
      await eventually(() => socket.conn.transport.name === "websocket", "the upgrade");
      // the browser may tell of it a little later
      await eventually(() => page.webSockets.length === 1, "the page's WebSocket");
      assert.deepEqual([...kinds()], ["xhr"]);
      const { headers } = socket.handshake;
      assert.equal(headers.origin, pagesUrl);
      await converse(socket);

      const gone = until(socket, "disconnect");
      await page.evaluate(() => globalThis.client.disconnect());
      assert.equal((await gone)[0], "client namespace disconnect");
    });

    it("4.8.4: polling alone, with a header that needs a preflight", async () => {
      const cors = { origin: [pagesUrl], allowedHeaders: ["x-token"] };
      const options = { transports: ["polling"], extraHeaders: { "x-token": "a" } };
      const socket = await connect("4.8.4", options, { cors });
      assert.equal(socket.handshake.headers["x-token"], "a");
      await converse(socket);
      assert.equal(socket.conn.transport.name, "polling");
    });

    it("4.8.4: an origin that is not allowed", async () => {
      const httpServer = http.createServer();
      io = new Server(httpServer, { cors: { origin: "http://other.example" } });
      url = await listen(httpServer);
      page = await openPage(browser, `${pagesUrl}/4.8.4/`);
      const message = await page.evaluate(
        (to) =>
          new Promise((resolve) => {
            const client = globalThis.io(to, { reconnection: false, transports: ["polling"] });
            client.on("connect_error", (error) => resolve(error.message));
            client.on("connect", () => resolve("connected"));
          }),
        url,
      );
      assert.equal(message, "xhr poll error");
      assert.ok(page.problems.some((problem) => /CORS/.test(problem)));
      page.problems.length = 0;
    });
  });
}
