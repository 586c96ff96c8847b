"use strict";

/** All of acceptor.test.js once more, with connections that Node.js accepts: as where no worker can. */

process.env.TEST_ACCEPTS_BY = "node";
require("./acceptor.test");
