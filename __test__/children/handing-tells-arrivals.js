"use strict";

/** Before a server: this process says when five of the clients that it takes over have come. */

const { TakeOver } = require("../../lib/api/take-over");

const { onadopted } = TakeOver.prototype;
let count = 0;
TakeOver.prototype.onadopted = function (...args) {
  onadopted.apply(this, args);
  if (++count === 5) process.send({ arrived: true });
};
