"use strict";

/** Before a server: this process is killed as soon as another one has greeted it that hands its clients over. */

const { HandoverChannel } = require("../../lib/api/handover-channel");

HandoverChannel.prototype.onhandover = () => process.kill(process.pid, "SIGKILL");
