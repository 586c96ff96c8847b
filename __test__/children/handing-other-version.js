"use strict";

/** Before a server: this process speaks another version to the one whose clients it asks for. */

const states = require("../../lib/api/handover-states");

states.writeHello = () => Buffer.from(JSON.stringify({ version: 99, clone: 1, node: "v1" }));
