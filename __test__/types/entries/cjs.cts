// What `require` gives: a function that makes a server, with the classes on it.
import io = require("ferrosocket");
import { Server, type Socket } from "ferrosocket";
import type { BroadcastOperator, DisconnectReason, ServerOptions } from "ferrosocket";
import { createServer } from "node:http";
import { expectType } from "../expect.js";

interface Events {
  news: (headline: string) => void;
}

expectType<Server>()(io());
expectType<Server>()(io(3000));
expectType<Server>()(io(createServer(), { path: "/x" }));
expectType<Server<Events>>()(io<Events>({ workers: 1 }));
expectType<Server>()(new io.Server());
expectType<typeof Server>()(io.Server);
const nsp: io.Namespace = io().of("/");
const options: Partial<io.ServerOptions> = { workers: 1 } satisfies Partial<ServerOptions>;
nsp.on("connection", (socket) => expectType<Socket>()(socket));
// @ts-expect-error: a type, not a property of the module
io.BroadcastOperator;
// @ts-expect-error: a port is a number
io("3000");

export type Types = [BroadcastOperator<{}, {}>, DisconnectReason];
void options;
