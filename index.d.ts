import type { Server as HTTPServer } from "http";
import type { Http2SecureServer, Http2Server } from "http2";
import type { Server as HTTPSServer } from "https";
import type { BroadcastOperator, RemoteSocket } from "./types/broadcast-operator";
import { type ExtendedError, Namespace } from "./types/namespace";
import type { ServerOptions } from "./types/options";
import { Server } from "./types/server";
import { type Event, Socket } from "./types/socket";
import type { DisconnectReason } from "./types/socket-types";
import type { DefaultEventsMap, EventsMap } from "./types/typed-events";

/**
 * Makes a server: `require("socket.io")(httpServer)` is `new Server(httpServer)`.
 *
 * @param srv an HTTP server or a port, or nothing: `io.attach()` gives it one later
 */
declare function io<
  ListenEvents extends EventsMap = DefaultEventsMap,
  EmitEvents extends EventsMap = ListenEvents,
  ServerSideEvents extends EventsMap = DefaultEventsMap,
  SocketData = any,
>(
  srv?:
    HTTPServer | HTTPSServer | Http2SecureServer | Http2Server | number | Partial<ServerOptions>,
  opts?: Partial<ServerOptions>,
): Server<ListenEvents, EmitEvents, ServerSideEvents, SocketData>;

declare namespace io {
  export { Server, Namespace, Socket };
  /** Tells ours from npm's, which has no such property: `require("socket.io").implementation`. */
  export const implementation: "ferrosocket" | undefined;
  // Types only: the module has no such properties.
  export type {
    BroadcastOperator,
    DefaultEventsMap,
    DisconnectReason,
    Event,
    ExtendedError,
    RemoteSocket,
    ServerOptions,
  };
}

export = io;
