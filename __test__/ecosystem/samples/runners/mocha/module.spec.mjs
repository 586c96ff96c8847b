import { Server } from "socket.io";
import { io } from "socket.io-client";
import suite from "../suite.js";

/* global after, before, describe, it */
suite({ describe, it, first: before, last: after }, Server, io);
