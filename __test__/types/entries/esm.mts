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
expectType<string>()(server.metrics({ format: "prometheus" }));
expectType<"counter" | "gauge" | "histogram">()(server.metrics()["socketio_sockets"]!.type);
expectType<boolean>()(server.health().ready);
// @ts-expect-error: no such format
server.metrics({ format: "xml" });
expectType<Promise<{ clients: number; left: number }>>()(
  server.drain({ over: 1, signal: new AbortController().signal, progress: ({ left }) => left }),
);
expectType<Promise<{ clients: number; moved: number; reason?: string }>>()(
  server.handOver("/run/app.sock", { within: Infinity, settle: 1, finish: async () => {} }),
);
expectType<number>()((await new Server({ takeOver: "/run/app.sock" }).takenOver).refused);
// @ts-expect-error: a path is a text
new Server({ takeOver: true });
new Server({ shutdown: ["SIGTERM"] });
new Server({ shutdown: { signals: ["SIGINT"], over: 1, acks: 1 } });
// @ts-expect-error: no signal
new Server({ shutdown: ["TERM"] });
new Server({ metrics: true });
new Server({ metrics: { path: "/m", allow: ["10.0.0.0/8"] } });
new Server({ metrics: { allow: (request) => request.url === "/metrics" } });
// @ts-expect-error: a network is a text
new Server({ metrics: { allow: [10] } });
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
