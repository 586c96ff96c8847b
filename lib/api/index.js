"use strict";

// Socket.IO as programs see it: the server, its namespaces and sockets, the adapters and operators. What is here besides
// classes is for the entry for 2.x.

const { NativeAdapter, flagsOf } = require("./adapter");
const { addMethods } = require("./chain");
const { Client } = require("./client");
const { Namespace } = require("./namespace");
const { createChild, ParentNamespace } = require("./parent-namespace");
const { Server, serverAndOptions } = require("./server");
const { Socket } = require("./socket");

module.exports = {
  addMethods,
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
