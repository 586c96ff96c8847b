"use strict";

const { Server } = require("socket.io");
const { io } = require("socket.io-client");
const suite = require("../suite");

suite({ describe, it, first: beforeAll, last: afterAll }, Server, io);
