import type { IncomingHttpHeaders } from "http";
import type { ParsedUrlQuery } from "querystring";

/** Why a socket left its namespace. */
export type DisconnectReason =
  // The connection failed or went away.
  | "transport error"
  | "transport close"
  | "forced close"
  | "ping timeout"
  | "parse error"
  // More waited for the client than `maxBufferedBytes` (not in npm `socket.io`).
  | "buffer overflow"
  // This side ended it.
  | "server shutting down"
  | "forced server close"
  | "server namespace disconnect"
  // The client ended it.
  | "client namespace disconnect";

/** The events a socket emits by itself. */
export interface SocketReservedEventsMap {
  /** The socket is gone; its rooms are empty. */
  disconnect: (reason: DisconnectReason, description?: any) => void;
  /** The socket is about to go; its rooms are still there. */
  disconnecting: (reason: DisconnectReason, description?: any) => void;
  /** A middleware of `socket.use()` refused an event. */
  error: (err: Error) => void;
}

/** The events of every Node.js EventEmitter. */
export interface EventEmitterReservedEventsMap {
  /** A listener is about to be added. */
  newListener: (eventName: string | Symbol, listener: (...args: any[]) => void) => void;
  /** A listener was removed. */
  removeListener: (eventName: string | Symbol, listener: (...args: any[]) => void) => void;
}

/** The names that can't be emitted to a client. */
export declare const RESERVED_EVENTS: ReadonlySet<string | Symbol>;

/** What is known about a connection from its first request. */
export interface Handshake {
  /** The headers of the request, names in lower case. */
  headers: IncomingHttpHeaders;
  /** When the connection came, as `Date#toString()` writes it. */
  time: string;
  /** The IP address of the client, or of the proxy before it. */
  address: string;
  /** Whether the request had an `Origin`, that is, came from a page of another origin. */
  xdomain: boolean;
  /** Whether the connection is encrypted. */
  secure: boolean;
  /** When the connection came, in milliseconds since 1970. */
  issued: number;
  /** The URL of the request, path and query. */
  url: string;
  /** The query of the request, `EIO` and `transport` included. */
  query: ParsedUrlQuery;
  /** The `auth` object of the client. */
  auth: { [key: string]: any };
}
