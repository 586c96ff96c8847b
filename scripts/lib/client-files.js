"use strict";

// `client-dist/`: the client, where upstream has it. Programs serve or copy it from there by its path.

const fs = require("node:fs");
const { fromRoot } = require("./paths");

/** Lays it out: it is that of the package socket.io-client, of the version that we serve. */
function layOutClient() {
  fs.rmSync(fromRoot("client-dist"), { recursive: true, force: true });
  fs.cpSync(fromRoot("node_modules/socket.io-client/dist"), fromRoot("client-dist"), {
    recursive: true,
    dereference: true,
  });
}

module.exports = { layOutClient };
