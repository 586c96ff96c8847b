// What an ES module gets: the names, and no default export.
import { createServer } from "node:http";
import * as all from "ferrosocket";
import { Namespace, Server, Socket, type ServerOptions } from "ferrosocket";
import type {
  BroadcastOperator,
  DefaultEventsMap,
  DisconnectReason,
  Event,
  ExtendedError,
  RemoteSocket,
} from "ferrosocket";
// @ts-expect-error: no default export
import io from "ferrosocket";
import { expectTrue, expectType, type Same } from "../expect.js";

const options: Partial<ServerOptions> = { workers: 2 };
const server = new Server<DefaultEventsMap>(createServer(), options);
server.on("connection", (socket) => {
  expectTrue<Same<typeof socket extends Socket ? true : false, true>>();
  expectType<"takeover" | "bridge" | "polling">()(socket.conn.door);
  expectType<string | undefined>()(socket.conn.doorReason);
});
expectType<typeof Namespace>()(all.Namespace);
// @ts-expect-error: a type, not a property of the module
all.BroadcastOperator;

export type Types = [
  BroadcastOperator<{}, {}>,
  DisconnectReason,
  Event,
  ExtendedError,
  RemoteSocket<{}, {}>,
];
void io;
