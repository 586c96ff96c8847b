"use strict";

const { Server } = require("socket.io");
const { io } = require("socket.io-client");
const suite = require("../suite");

/* global after, before, describe, it */
suite({ describe, it, first: before, last: after }, Server, io);
