import { Server } from "socket.io";
import { io } from "socket.io-client";
import { afterAll, beforeAll, describe, it } from "vitest";
import suite from "../suite.js";

suite({ describe, it, first: beforeAll, last: afterAll }, Server, io);
