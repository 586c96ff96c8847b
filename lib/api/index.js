"use strict";

// Socket.IO as programs see it: the server, its namespaces and sockets, the adapters and operators.

const { NativeAdapter, flagsOf } = require("./adapter");
const { Client } = require("./client");
const { Namespace } = require("./namespace");
const { createChild, ParentNamespace } = require("./parent-namespace");
const { Server, serverAndOptions } = require("./server");
const { Socket } = require("./socket");

module.exports = {
  Client,
  createChild,
  flagsOf,
  Namespace,
  NativeAdapter,
  ParentNamespace,
  Server,
  serverAndOptions,
  Socket,
};
