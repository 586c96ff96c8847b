"use strict";

/** Before a server: this process finds that the one whose clients it asks for speaks another version. */

const states = require("../../lib/api/handover-states");

states.reasonAgainstPeer = () => "it speaks another version";
