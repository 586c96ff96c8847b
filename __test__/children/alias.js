"use strict";

/** Required before a program: the name `socket.io` leads to the library of ALIAS_OF_SOCKET_IO, as where that is installed by that name. */

const Module = require("node:module");

const resolve = Module._resolveFilename;
Module._resolveFilename = function (request, ...rest) {
  const isServer = request === "socket.io";
  return resolve.call(this, isServer ? process.env.ALIAS_OF_SOCKET_IO : request, ...rest);
};
