"use strict";

// A blocked event loop, and pages in a real browser that poll the server which they come from. Such a page names its origin with
// POSTs and not with GETs; that matters as soon as `cors` is set.

const assert = require("node:assert/strict");
const { after, before, describe, it } = require("node:test");
const { PINGS, startBlocking } = require("../support/blocking");
const { ours, selected } = require("../support/implementations");
const { launchBrowser, openPage } = require("./support/browser");

const PAGES = 3;

const CORS = {
  "no cors": undefined,
  "cors for everybody": { origin: "*" },
  "cors for one origin": { origin: "https://elsewhere.example" },
  "cors for some origins": { origin: ["https://elsewhere.example"], credentials: true },
  "cors for whoever asks": { origin: true, credentials: true },
};

/** In the page: connects, and keeps account of what it hears. */
function connectInPage(pings) {
  const client = globalThis.io({ reconnection: false, transports: ["polling"] });
  const state = { pings: 0, sent: 0, reason: null, over: false };
  Object.assign(globalThis, { client, state });
  client.on("disconnect", (reason) => Object.assign(state, { reason, over: true }));
  globalThis.sitOut = () => {
    client.io.on("ping", () => {
      if (state.pings++ < pings) client.emit("n", state.sent++);
      if (state.pings === pings) state.over = true;
    });
  };
  globalThis.ask = () => new Promise((done) => client.emit("got", (...args) => done(args)));
}

describe("a blocked event loop, in a browser", { timeout: 480_000 }, () => {
  let browser;
  before(async () => {
    browser = await launchBrowser();
  });
  after(() => browser?.close());

  for (const implementation of selected()) {
    for (const [name, cors] of Object.entries(CORS)) {
      const expected = implementation === ours ? "loses no page" : "loses all pages";
      it(`${implementation.name}: ${expected} [${name}]`, async (t) => {
        const server = await startBlocking(t, implementation, { cors });
        const pages = [];
        t.after(() => Promise.all(pages.map((page) => page.context().close())));
        for (let i = 0; i < PAGES; i++) {
          const page = await openPage(browser, `http://127.0.0.1:${server.port}/`);
          pages.push(page);
          await page.evaluate(connectInPage, PINGS);
          await page.waitForFunction(() => globalThis.client.connected);
          assert.deepEqual(await page.evaluate(() => globalThis.ask()), [[], []]);
          // both of its connections have been used, and neither is in use by a POST
          await page.evaluate(() => globalThis.ask());
        }
        await pages[0].evaluate(() => void globalThis.client.emit("block"));
        assert.equal(await server.message(), "blocked");
        for (const page of pages) await page.evaluate(() => globalThis.sitOut());
        await Promise.all(pages.map((page) => page.waitForFunction(() => globalThis.state.over)));
        server.release();
        for (const page of pages) {
          const { reason, sent } = await page.evaluate(() => globalThis.state);
          if (implementation === ours) {
            assert.deepEqual({ reason, sent }, { reason: null, sent: PINGS });
            const all = Array.from(Array(sent).keys());
            assert.deepEqual(await page.evaluate(() => globalThis.ask()), [all, []]);
            assert.deepEqual(page.problems, []);
          } else {
            assert.equal(reason, "ping timeout");
          }
        }
      });
    }
  }
});
