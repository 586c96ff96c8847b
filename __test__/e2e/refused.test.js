"use strict";

// Who comes while there is too much to do, or beyond a limit, in a real browser: the page is told to come again, and gets in by itself.

const assert = require("node:assert/strict");
const fs = require("node:fs");
const http = require("node:http");
const { after, before, describe, it } = require("node:test");
const { startBlocking, WELL } = require("../support/blocking");
const { ours } = require("../support/implementations");
const { until } = require("../support/waiting");
const { launchBrowser, openPage } = require("./support/browser");

const CLIENT = fs.readFileSync(require.resolve("socket.io-client/dist/socket.io.js"));

const WAYS = [["polling"], ["websocket"], ["polling", "websocket"]];

/**
 * A server for pages with the client: on a connection by which it has given a page, the server under test would be Node's to ask.
 *
 * @returns {Promise<string>} its address
 */
async function servePages(t) {
  const pages = http.createServer((req, res) => {
    const isScript = req.url === "/client.js";
    res.setHeader("Content-Type", isScript ? "text/javascript" : "text/html");
    res.end(
      isScript
        ? CLIENT
        : '<!doctype html><link rel="icon" href="data:," /><script src="/client.js"></script>',
    );
  });
  pages.listen(0, "127.0.0.1");
  await until(pages, "listening");
  t.after(() => pages.close());
  return `http://127.0.0.1:${pages.address().port}/`;
}

/** In the page: connects by each way, and keeps account of what it hears. */
function connectInPage({ ways, port }) {
  globalThis.states = ways.map((transports) => {
    const state = { errors: [], connected: false };
    const client = globalThis.io(`http://127.0.0.1:${port}`, {
      transports,
      forceNew: true,
      reconnectionDelay: 100,
    });
    client.on("connect_error", ({ message, description }) => {
      const status = typeof description === "number" ? description : undefined;
      state.errors.push({ message, status });
    });
    client.on("connect", () => (state.connected = true));
    state.client = client;
    return state;
  });
}

/** In the page: what it has heard; undefined: not yet. */
const whenAllRefused = () => globalThis.states.every(({ errors }) => errors.length > 0);
const whenAllConnected = () => globalThis.states.every(({ connected }) => connected);
const firstErrors = () => globalThis.states.map(({ errors }) => errors[0]);
const leave = () => globalThis.states.forEach(({ client }) => client.disconnect());

/** What is answered to a handshake. */
async function handshake(port) {
  const { status } = await fetch(`http://127.0.0.1:${port}/socket.io/?EIO=4&transport=polling`);
  return status;
}

describe(
  "who is refused, in a browser",
  { timeout: 120_000, skip: process.platform !== "linux" },
  () => {
    let browser;
    before(async () => {
      browser = await launchBrowser();
    });
    after(() => browser?.close());

    const CASES = {
      "too much to do": { options: { admission: { inboxAge: 200 } }, status: 503 },
      "too many of one address": { options: { limits: { maxClientsPerAddress: 1 } }, status: 429 },
    };

    for (const [name, { options, status }] of Object.entries(CASES))
      it(`gets in when it may: ${name}`, async (t) => {
        const server = await startBlocking(t, ours, { cors: { origin: true }, ...options });
        const { port } = server;
        const address = await servePages(t);
        const open = () => openPage(browser, address);
        const [first, page] = [await open(), await open()];
        t.after(() => Promise.all([first, page].map((each) => each.context().close())));
        await first.evaluate(connectInPage, { ways: [["websocket"]], port });
        await first.waitForFunction(whenAllConnected);
        if (status === 503) {
          await first.evaluate(() => {
            const [{ client }] = globalThis.states;
            client.emit("block");
            client.emit("what waits");
          });
          assert.equal(await server.message(), "blocked");
          while ((await handshake(port)) !== status);
        }
        await page.evaluate(connectInPage, { ways: WAYS, port });
        await page.waitForFunction(whenAllRefused);
        assert.deepEqual(await page.evaluate(firstErrors), [
          { message: "xhr poll error", status },
          { message: "websocket error", status: undefined },
          { message: "xhr poll error", status },
        ]);
        if (status === 503) server.release();
        else await first.evaluate(leave);
        if (status === 429) {
          // one after the other
          await page.waitForFunction(() => globalThis.states.some(({ connected }) => connected));
        } else await page.waitForFunction(whenAllConnected);
        for (const each of [page, first]) await each.evaluate(leave);
        assert.deepEqual(await server.close(), WELL);
      });
  },
);
