"use strict";

/** Before a server: this process says when it has been told of the clients that it takes over. */

const { HandoverEvent } = require("../../lib/border");
const { HandoverChannel } = require("../../lib/api/handover-channel");

const { onhandover } = HandoverChannel.prototype;
HandoverChannel.prototype.onhandover = function (event, ...args) {
  onhandover.call(this, event, ...args);
  if (event === HandoverEvent.STATE) process.send({ stated: true });
};
