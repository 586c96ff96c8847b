"use strict";

// The page of @socket.io/admin-ui in a real browser, on both servers: it connects, shows the clients, and has them do things.

const assert = require("node:assert/strict");
const fs = require("node:fs");
const http = require("node:http");
const path = require("node:path");
const { after, before, describe, it } = require("node:test");
const { instrument } = require("@socket.io/admin-ui");
const { io: connect } = require("socket.io-client");
const { selected } = require("../support/implementations");
const { until } = require("../support/waiting");
const { launchBrowser, openPage } = require("./support/browser");

const PAGE = path.join(
  path.dirname(require.resolve("@socket.io/admin-ui/package.json")),
  "ui/dist",
);
const TYPES = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css" };

/** Serves the page as it comes in the package. */
const pageServer = () =>
  http.createServer((req, res) => {
    const { pathname } = new URL(req.url, "http://localhost");
    const file = path.join(PAGE, pathname === "/" ? "index.html" : pathname);
    if (!fs.existsSync(file)) return res.writeHead(404).end();
    res.setHeader("content-type", TYPES[path.extname(file)] ?? "application/octet-stream");
    return fs.createReadStream(file).pipe(res);
  });

async function listen(server) {
  server.listen(0, "127.0.0.1");
  await until(server, "listening");
  return `http://127.0.0.1:${server.address().port}`;
}

describe("@socket.io/admin-ui", () => {
  let browser, page;
  const pages = pageServer();
  before(async () => {
    browser = await launchBrowser();
    page = await listen(pages);
  });
  after(async () => {
    await browser?.close();
    pages.close();
  });

  for (const implementation of selected()) {
    it(`shows the clients of ${implementation.name}, and disconnects one`, async (t) => {
      const httpServer = http.createServer();
      const { Server } = implementation.load();
      const io = new Server(httpServer, { cors: { origin: page, credentials: true } });
      instrument(io, { auth: false, mode: "development" });
      io.on("connection", (socket) => socket.join("a room"));
      const url = await listen(httpServer);
      const view = await openPage(browser, page);
      const client = connect(url, { forceNew: true, reconnection: false });
      t.after(async () => {
        // first: a page that dials again by a connection that it has kept would hold the server, npm's, too
        await view.context().close();
        client.disconnect();
        return io.close();
      });
      await until(client, "connect");

      await view.getByLabel("Server URL").fill(url);
      await view.getByRole("button", { name: "Connect" }).click();
      await view.goto(`${page}/#/sockets/`);
      const row = view.getByRole("row", { name: client.id });
      await row.waitFor();
      await view.goto(`${page}/#/rooms/`);
      await view.getByRole("row", { name: "a room" }).waitFor();
      await view.goto(`${page}/#/sockets/`);
      const gone = until(client, "disconnect");
      await row.getByRole("button").last().click();
      assert.deepEqual((await gone)[0], "io server disconnect");
      // the click has opened the page of the socket, too
      await view.goto(`${page}/#/sockets/`);
      await view.waitForFunction(() => globalThis.document.querySelectorAll("tr").length <= 2);
      assert.equal(await row.count(), 0);
      // its fonts come from elsewhere
      const problems = view.problems.filter((text) => !text.startsWith("Failed to load resource"));
      assert.deepEqual(problems, []);
    });
  }
});
