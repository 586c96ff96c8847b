"use strict";

// Socket.IO as programs see it: the server, its namespaces and sockets, the adapters and operators.

const { NativeAdapter, flagsOf } = require("./adapter");
const { Client } = require("./client");
const { Namespace } = require("./namespace");
const { ParentNamespace } = require("./parent-namespace");
const { Server } = require("./server");
const { Socket } = require("./socket");

module.exports = {
  Client,
  flagsOf,
  Namespace,
  NativeAdapter,
  ParentNamespace,
  Server,
  Socket,
};
