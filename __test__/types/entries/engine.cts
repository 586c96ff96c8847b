// Engine.IO by itself, by `require`, and member by member against upstream's.
import engine = require("ferrosocket/engine.io");
import { attach, listen, parser, protocol, Server, Socket, Transport } from "ferrosocket/engine.io";
import type {
  AttachOptions,
  BaseServer,
  ErrorCallback,
  ServerOptions,
} from "ferrosocket/engine.io";
import type * as Upstream from "engine.io";
import { createServer } from "node:http";
import { expectTrue, expectType, type Same } from "../expect.js";

expectType<Server>()(listen(3000));
expectType<Server>()(listen(3000, () => {}));
expectType<Server>()(listen(3000, { path: "/x", pingInterval: 1 }, () => {}));
expectType<Server>()(attach(createServer()));
expectType<number>()(protocol);
expectType<typeof Server>()(engine.Server);
// @ts-expect-error: a port is a number
listen("3000");

const server: BaseServer = new Server({ cors: { origin: true }, workers: 1 });
server.attach(createServer(), { path: "/x" });
server.on("connection", (socket: Socket) => {
  expectType<"takeover" | "bridge" | "polling">()(socket.door);
  socket.send("text", { compress: false }, (transport) => expectType<Transport>()(transport));
  expectType<boolean>()(socket.transport instanceof engine.transports.websocket);
});
parser.encodePacket({ type: "message", data: "x" }, true, (encoded) => encoded);

type Missing<Theirs, Ours> = Exclude<keyof Theirs, keyof Ours>;
expectTrue<Same<Missing<Upstream.Server, Server>, never>>();
expectTrue<Same<Missing<Upstream.Socket, Socket>, "_maybeUpgrade">>();
expectTrue<Same<Missing<Upstream.ServerOptions, ServerOptions>, never>>();
expectTrue<Same<Missing<Upstream.AttachOptions, AttachOptions>, never>>();
expectTrue<Same<Missing<typeof Upstream, typeof engine>, never>>();

export type Types = [ErrorCallback];
