import { EventEmitter } from "events";
import type { IncomingMessage, Server as HttpServer, ServerResponse } from "http";
import type { Duplex } from "stream";
import type {
  AttachOptions,
  EngineOptions,
  PerMessageDeflateOptions,
  StandaloneOptions,
  TransportName,
} from "./options";

/** The state of a connection. */
type ReadyState = "opening" | "open" | "closing" | "closed";

/** How a connection came in (see {@link EngineSocket.door}). */
export type Door = "takeover" | "bridge" | "polling";

/** The types of the packets of the Engine.IO protocol. */
export type EnginePacketType = "open" | "close" | "ping" | "pong" | "message" | "upgrade" | "noop";

/** What carries a session at the moment. */
export declare abstract class Transport extends EventEmitter {
  /** The transports that a session may go on with. */
  static upgradesTo: string[];
  /** The options of the engine that concern transports. */
  protected readonly opts: TransportOptions;
  /** The session id. */
  sid: string;
  /** Whether packets can be sent right now. */
  writable: boolean;
  /** The revision of the Engine.IO protocol: 3 for Socket.IO 2.x clients, else 4. */
  protocol: 3 | 4;
  protected discarded: boolean;
  /** Whether bytes travel as they are; false for a client that asked for base64. */
  protected supportsBinary: boolean;
  /** The state of the transport. */
  get readyState(): "open" | "closing" | "closed";
  set readyState(state: "open" | "closing" | "closed");
  /** `"polling"`, `"websocket"` or `"webtransport"`. */
  abstract get name(): string;
  /** Marks the transport as one that may be closed, as an upgrade does with the old one. */
  discard(): void;
  /** Sends packets that are not shown to `packetCreate` and `flush` listeners. */
  send(packets: Array<{ type: EnginePacketType; data?: any; options?: SendOptions }>): void;
  /** Closes the transport. */
  close(fn?: () => void): void;
}

/** Stands for the transports of one name, which the workers make. */
export interface TransportClass {
  /** The transports that a session may go on with. */
  readonly upgradesTo: string[];
  [Symbol.hasInstance](value: unknown): boolean;
}

/** The options of the engine that concern transports. */
export type TransportOptions = Pick<
  EngineOptions,
  "maxHttpBufferSize" | "maxBufferedChunks" | "httpRequestBodyTimeout" | "httpCompression"
> & { perMessageDeflate?: PerMessageDeflateOptions };

/** What `send` and `write` of a connection take. */
export interface SendOptions {
  /** Whether the packet may be compressed. */
  compress?: boolean;
}

/**
 * One Engine.IO connection: what `socket.conn` is, and `Socket` of `ferrosocket/engine.io`.
 *
 * | event | arguments | when |
 * |---|---|---|
 * | `upgrading` | transport | a better transport is being tried |
 * | `upgrade` | transport | the session moved to a better transport |
 * | `close` | reason, description | the session ended |
 * | `packet`, `packetCreate` | packet | a packet came in, is about to go out |
 * | `data`, `message` | data | a message came in |
 * | `heartbeat` | | a ping or pong came in |
 * | `flush`, `drain` | write buffer | packets were handed over, have left |
 */
export declare class EngineSocket extends EventEmitter {
  /** The revision of the Engine.IO protocol: 3 for Socket.IO 2.x clients, else 4. */
  readonly protocol: number;
  /**
   * The first request of the session. Its `socket` is one by every door, with the addresses of both ends, and over TLS with
   * the client's certificate; of a connection that a worker has, it can be ended, and neither written to nor counted.
   */
  request: IncomingMessage;
  /** The IP address of the other end; what a program behind a proxy assigns stays (declared as upstream has it). */
  readonly remoteAddress: string;
  /** What carries the session at the moment. */
  transport: Transport;
  /**
   * How the connection reached the server (not in npm `socket.io`).
   *
   * `"takeover"`: the TCP connection itself was handed to a worker thread. `"bridge"`: Node.js keeps
   * the stream (TLS, Windows, any Duplex) and its bytes are pumped. `"polling"`: HTTP requests.
   */
  readonly door: Door;
  /**
   * Why Node.js had to do with the connection, and it did not go straight to a worker (not in npm `socket.io`): a word such
   * as `"TLS"`, `"maxConnections"` or `"a middleware"`, of the table in docs/fast-paths.md. `undefined`: it did.
   *
   * `"no plain request when it was accepted"`: nothing stood against it but the connection itself. `"WebTransport"`: such
   * a session has no other way.
   */
  readonly doorReason: string | undefined;
  /**
   * How many bytes wait for the client because it does not read (not in npm `socket.io`).
   *
   * That is what its kernel, or over polling its next request, has not taken when a worker last wrote to it: framed and
   * compressed as it will be sent. What this tick has emitted is not among them yet. 0 for a client that keeps up.
   */
  get bufferedAmount(): number;
  /** Whether an upgrade is under way. */
  upgrading: boolean;
  /** Whether an upgrade has happened. */
  upgraded: boolean;
  /** The state of the connection; {@link readyState} reads it. */
  _readyState: ReadyState;
  private readonly id;
  private server;
  /** The packets that the transport could not take yet; counted from the first look on. */
  get writeBuffer(): Array<{ type: string; data?: any; options?: SendOptions }>;
  /** The state of the connection. */
  get readyState(): ReadyState;
  set readyState(state: ReadyState);
  /** Sends an Engine.IO message; `callback` is called once it has left. */
  send(data: any, options?: SendOptions, callback?: (transport: Transport) => void): this;
  /** The same as {@link send}. */
  write(data: any, options?: SendOptions, callback?: (transport: Transport) => void): this;
  /**
   * Sends an Engine.IO packet of any type (upstream has this method too, undeclared). It changes nothing in the session:
   * a `close` tells the client to go and leaves it to the client.
   */
  sendPacket(
    type: EnginePacketType,
    data?: any,
    options?: SendOptions,
    callback?: (transport: Transport) => void,
  ): void;
  /** Closes the connection; `discard` drops what is not sent yet. */
  close(discard?: boolean): void;
}

/** Why a request was refused: the code, and what is known about it. */
export type ErrorCallback = (
  errorCode?: 0 | 1 | 2 | 3 | 4 | 5,
  errorContext?: Record<string, unknown> & { name?: string; message?: string },
) => void;

/**
 * The Engine.IO server: what `io.engine` is, and `Server` of `ferrosocket/engine.io`.
 *
 * | event | arguments | when |
 * |---|---|---|
 * | `connection` | {@link EngineSocket} | a session began |
 * | `initial_headers` | headers, request | the headers of a session's first response can be changed |
 * | `headers` | headers, request | the headers of any response can be changed |
 * | `connection_error` | `{ req, code, message, context }` | a request was refused |
 * | `flush`, `drain` | connection, write buffer | packets were handed over, have left |
 */
export declare class EngineServer extends EventEmitter {
  /** The codes of refusals, by name. */
  static errors: {
    readonly UNKNOWN_TRANSPORT: 0;
    readonly UNKNOWN_SID: 1;
    readonly BAD_HANDSHAKE_METHOD: 2;
    readonly BAD_REQUEST: 3;
    readonly FORBIDDEN: 4;
    readonly UNSUPPORTED_PROTOCOL_VERSION: 5;
  };
  /** The messages of refusals, by code. */
  static errorMessages: {
    readonly 0: "Transport unknown";
    readonly 1: "Session ID unknown";
    readonly 2: "Bad handshake method";
    readonly 3: "Bad request";
    readonly 4: "Forbidden";
    readonly 5: "Unsupported protocol version";
  };
  /** @param opts the options of the engine; those of the HTTP server's side go to {@link attach} */
  constructor(opts?: StandaloneOptions);
  /** The options, with the defaults filled in. */
  opts: EngineOptions;
  /** The number of sessions. */
  clientsCount: number;
  /** The HTTP server underneath, once attached. */
  httpServer?: HttpServer;
  /** The sessions by their id. */
  protected clients: Record<string, EngineSocket>;
  protected middlewares: Array<
    (req: IncomingMessage, res: ServerResponse, next: (err?: any) => void) => void
  >;
  /** Reads the query string of a request into `req._query`, before all else. */
  protected prepare(req: IncomingMessage): void;
  /** Says whether a request may pass; replace it for rules of your own. */
  protected verify(req: IncomingMessage, upgrade: boolean, fn: ErrorCallback): void;
  /** Adds an Express-style `(req, res, next)` middleware in front of all our requests. */
  use(fn: any): void;
  /** Makes the id of a session; replace it to choose your own. The id is a secret of the client. */
  generateId(req: IncomingMessage): string | PromiseLike<string>;
  /** The transports that a session on `transport` can move to. */
  upgrades(transport: TransportName): string[];
  /** Answers an HTTP request. */
  handleRequest(req: IncomingMessage, res: ServerResponse): void;
  /** Answers an upgrade request. */
  handleUpgrade(req: IncomingMessage, socket: Duplex, upgradeHead: Buffer): void;
  /** Takes the requests of `server` that are for our path. */
  attach(server: HttpServer, options?: AttachOptions): void;
  /** Takes a WebTransport session. */
  onWebTransportSession(session: any): Promise<any>;
  /** Closes all sessions. */
  close(): this;
}
