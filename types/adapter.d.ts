import type { Adapter } from "socket.io-adapter";
import type { Namespace } from "./namespace";

export type {
  Adapter,
  BroadcastFlags,
  BroadcastOptions,
  PrivateSessionId,
  Room,
  Session,
  SocketId,
} from "socket.io-adapter";

/** What the `adapter` option takes: an adapter class, or a function that makes one for a namespace. */
export type AdapterConstructor = typeof Adapter | ((nsp: Namespace) => Adapter);
