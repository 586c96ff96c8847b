"use strict";

/** A Node.js without the private parts that the short ways stand on: everything works, the long way. */

const assert = require("node:assert/strict");
const http = require("node:http");
const path = require("node:path");
const { test } = require("node:test");

const { KeptConnection } = require("./support/kept-connection");
const { turns, until, within } = require("./support/waiting");

const POLLING = "/socket.io/?EIO=4&transport=polling";

/** Where our modules are. */
const OURS = ["lib", "index.js"].map((name) => path.join(__dirname, "..", name));

/** The class of the parsers of Node's HTTP servers. */
async function parserClass() {
  const server = http.createServer((req, res) => res.end()).listen(0, "127.0.0.1");
  await until(server, "listening");
  const accepted = until(server, "connection");
  const client = await KeptConnection.open(server.address().port);
  const [socket] = await accepted;
  const { constructor } = socket.parser;
  client.destroy();
  server.close();
  return constructor;
}

/** How a parser may be that does not tell where requests begin. */
const PARSERS = {
  "has no such place": (Parser) => (Parser.kOnMessageBegin = undefined),
  "never tells": (Parser) => (Parser.kOnMessageBegin = 99),
  "tells of something else": (Parser) => (Parser.kOnMessageBegin = Parser.kOnHeadersComplete),
};

for (const [name, change] of Object.entries(PARSERS)) {
  test(`a parser that ${name}: polling connections stay with Node.js`, async (t) => {
    const Parser = await parserClass();
    const { kOnMessageBegin } = Parser;
    // what a parser can do is found out once: each time by a new copy of ours
    for (const file of Object.keys(require.cache))
      if (OURS.some((place) => file.startsWith(place))) delete require.cache[file];
    change(Parser);
    t.after(() => (Parser.kOnMessageBegin = kOnMessageBegin));
    const { Server } = require("..");
    const httpServer = http.createServer();
    const io = new Server(httpServer);
    httpServer.on("connection", () => {}); // Node.js reads
    httpServer.listen(0, "127.0.0.1");
    await until(httpServer, "listening");
    const client = await KeptConnection.open(httpServer.address().port);
    t.after(async () => {
      client.destroy();
      await within(io.close(), "close");
    });
    const connection = until(io, "connection");
    const { sid } = JSON.parse((await client.ask(POLLING)).body.slice(1));
    const url = `${POLLING}&sid=${sid}`;
    assert.equal((await client.ask(url, { body: "40" })).body, "ok");
    const [socket] = await connection;
    assert.match((await client.ask(url)).body, /^40/);
    socket.emit("hello");
    assert.equal((await client.ask(url)).body, '42["hello"]');
    await turns(3);
    assert.equal(io.engine.takeover.size, 0);
  });
}
