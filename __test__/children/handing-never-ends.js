"use strict";

/** Before a server: this process hands five clients over, and then nothing more happens: it is about to be killed, or its peer is. */

const { Conn } = require("../../lib/engine");
const { HandOver } = require("../../lib/api/hand-over");

const { handOver } = Conn.prototype;
let gone = 0;
Conn.prototype.handOver = function (...args) {
  return ++gone > 5 ? new Promise(() => {}) : handOver.apply(this, args);
};

const { handAll } = HandOver.prototype;
HandOver.prototype.handAll = function (going) {
  this._border.native.finishHandover = () => {};
  return handAll.call(this, going);
};
