"use strict";

/** Clients of each version that upstream has had, by the names that they have here: what connects. */
module.exports = {
  1: require("socket.io-client-1"),
  2: require("socket.io-client-2"),
  3: require("socket.io-client-3").io,
  "4.0": require("socket.io-client-4.0").io,
  4: require("socket.io-client").io,
};
