"use strict";

/** What is on purpose not as upstream for programs: what each of the two does. The README says why. */

const assert = require("node:assert/strict");
const { Server: WebSocketServer } = require("ws");
const { scenario } = require("./harness");
const { pollingPair, webSocketPair } = require("./raw-pairs");

scenario("differs: conn.writeBuffer counts from the first look on", async (stage) => {
  const { socket } = await pollingPair(stage);
  socket.emit("a");
  assert.equal(socket.conn.writeBuffer.length, stage.either(1, 0));
});

scenario("differs: files of dist/", { server: false }, async (stage) => {
  const name = stage.either("socket.io", "ferrosocket");
  for (const file of ["dist/socket", "dist/socket.js", "lib/socket", "lib/namespace"]) {
    const load = () => require(`${name}/${file}`);
    if (stage.either(true, false)) assert.throws(load, { code: "ERR_PACKAGE_PATH_NOT_EXPORTED" });
    else
      assert.match(String(file.startsWith("lib/") ? load() : Object.values(load())[0]), /^class /);
  }
});

scenario("differs: wsEngine", { server: false }, async (stage) => {
  let made = false;
  const wsEngine = class extends WebSocketServer {
    constructor(...args) {
      super(...args);
      made = true;
    }
  };
  stage.server = true;
  stage.options = { wsEngine };
  await stage.open();
  await webSocketPair(stage);
  assert.equal(made, stage.either(true, false));
});
