// Engine.IO by itself, for an ES module: the names, and no default export.
import * as all from "ferrosocket/engine.io";
import { Server, type ServerOptions, type Socket, transports } from "ferrosocket/engine.io";
// @ts-expect-error: no default export
import engine from "ferrosocket/engine.io";
import { expectType } from "../expect.js";

const options: ServerOptions = { pingInterval: 1 };
new Server(options).on("connection", (socket: Socket) => socket.close(true));
expectType<typeof Server>()(all.Server);
expectType<string[]>()(transports.polling.upgradesTo);
void engine;
