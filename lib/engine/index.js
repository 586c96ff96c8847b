"use strict";

// The Engine.IO server and its sessions, as programs see them: `io.engine` and `socket.conn`.

const { Conn } = require("./conn");
const { Engine } = require("./engine");

module.exports = {
  Conn,
  Engine,
};
