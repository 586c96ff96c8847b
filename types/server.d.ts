import type { IncomingMessage, Server as HTTPServer } from "http";
import type { Http2SecureServer, Http2Server } from "http2";
import type { Server as HTTPSServer } from "https";
import type { AdapterConstructor } from "./adapter";
import type { DrainOptions, DrainProgress } from "./drain";
import type { EngineServer } from "./engine";
import type { HandedOver, HandOverOptions, TakenOver } from "./handover";
import type { Health, Metric } from "./metrics";
import type { Namespace, ServerReservedEventsMap } from "./namespace";
import type { NamespaceFace, OldChain } from "./operators";
import type { Origins, ServerOptions } from "./options";
import type { Encoder } from "./packet";
import type { Socket } from "./socket";
import {
  type DefaultEventsMap,
  type EventsMap,
  type RemoveAcknowledgements,
  StrictEventEmitter,
} from "./typed-events";

/** The HTTP servers that a server can sit on. */
type TServerInstance = HTTPServer | HTTPSServer | Http2SecureServer | Http2Server;

/** Decides whether a namespace called `name` is made for a client that asks for it. */
type ParentNspNameMatchFn = (
  name: string,
  auth: { [key: string]: any },
  fn: (err: Error | null, success: boolean) => void,
) => void;

/**
 * A Socket.IO server.
 *
 * ```ts
 * const io = new Server<ClientToServer, ServerToClient, BetweenServers, PerSocket>(httpServer);
 *
 * io.on("connection", (socket) => {
 *   socket.on("echo", (text, answer) => answer(text));
 * });
 * ```
 *
 * @typeParam ListenEvents the events that clients send
 * @typeParam EmitEvents the events that clients are sent
 * @typeParam ServerSideEvents the events between the servers of a cluster
 * @typeParam SocketData what the application keeps in `socket.data`
 */
export declare class Server<
  ListenEvents extends EventsMap = DefaultEventsMap,
  EmitEvents extends EventsMap = ListenEvents,
  ServerSideEvents extends EventsMap = DefaultEventsMap,
  SocketData = any,
> extends StrictEventEmitter<
  ServerSideEvents,
  RemoveAcknowledgements<EmitEvents>,
  ServerReservedEventsMap<ListenEvents, EmitEvents, ServerSideEvents, SocketData>
> {
  /** The main namespace, `"/"`; what is called on the server is called on it. */
  readonly sockets: Namespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData>;
  /** The Engine.IO server underneath; `io.engine.clientsCount` is the number of connections. */
  engine: EngineServer;
  /** The HTTP server underneath: the one given, or the one made for a port. */
  httpServer: TServerInstance;
  /** @internal The parser: the one of the options, or ours. */
  readonly _parser: any;
  /** @internal The encoder that the adapters use. */
  readonly encoder: Encoder;
  /** @internal The namespaces by their name. */
  _nsps: Map<string, Namespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData>>;
  /** @internal What {@link connectTimeout} sets. */
  _connectTimeout: number;
  private readonly opts;
  private eio;
  private parentNsps;
  private parentNamespacesFromRegExp;
  private onconnection;
  private initEngine;

  /** A server on an HTTP server or a port, or on none yet: see {@link attach}. */
  constructor(opts?: Partial<ServerOptions>);
  constructor(srv?: TServerInstance | number, opts?: Partial<ServerOptions>);
  constructor(
    srv: undefined | Partial<ServerOptions> | TServerInstance | number,
    opts?: Partial<ServerOptions>,
  );

  /** @internal The options. */
  get _opts(): Partial<ServerOptions>;

  /** Whether the client's files are served; with an argument, sets it. */
  serveClient(v: boolean): this;
  serveClient(): boolean;
  serveClient(v?: boolean): this | boolean;

  /** The path whose requests are ours; with an argument, sets it. */
  path(v: string): this;
  path(): string;
  path(v?: string): this | string;

  /** How many milliseconds a client has to join its first namespace; with an argument, sets it. */
  connectTimeout(v: number): this;
  connectTimeout(): number;
  connectTimeout(v?: number): this | number;

  /** The adapter; with an argument, sets it in every namespace. */
  adapter(): AdapterConstructor | undefined;
  adapter(v: AdapterConstructor): this;

  /**
   * Which origins may connect, as Socket.IO 2.x has it; with an argument, sets it.
   *
   * @deprecated use the options `cors` and `allowRequest`
   */
  origins(v: Origins): this;
  origins(): Origins;
  /** Says whether a request comes from such an origin. @deprecated use `allowRequest` */
  checkRequest(req: IncomingMessage, done: (err: any, success: boolean) => void): void;
  /** Sets an option. @deprecated kept for programs written for Socket.IO 2.x */
  set(key: string, value: any): this;
  /** The namespaces by their name, in a plain object. @deprecated use `of()` */
  readonly nsps: Record<string, Namespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData>>;

  /** Puts the server on an HTTP server, or on a port. */
  listen(srv: TServerInstance | number, opts?: Partial<ServerOptions>): this;
  /** The same as {@link listen}. */
  attach(srv: TServerInstance | number, opts?: Partial<ServerOptions>): this;
  /** Puts the server on a uWebSockets.js `App`. */
  attachApp(app: any, opts?: Partial<ServerOptions>): void;
  /** Takes the connections of an Engine.IO server, or of one that is like it. */
  bind(engine: any): this;

  /**
   * The namespace called `name`, made when it is not there yet.
   *
   * A regular expression or a function makes a parent namespace, which makes one for each matching
   * name that a client asks for.
   *
   * @param fn a listener of its event `connection`
   */
  of(
    name: string | RegExp | ParentNspNameMatchFn,
    fn?: (socket: Socket<ListenEvents, EmitEvents, ServerSideEvents, SocketData>) => void,
  ): Namespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData>;

  /** Disconnects all clients and closes the HTTP server; `fn` and the promise come after the last of them. */
  close(fn?: (err?: Error) => void): Promise<void>;

  /**
   * What has been counted since the start, by the names of docs/metrics.md (not in npm `socket.io`).
   *
   * With `format`, as the text that Prometheus reads (OpenMetrics 1.0).
   */
  metrics(options?: { format?: undefined }): Record<string, Metric>;
  metrics(options: { format: "prometheus" }): string;

  /**
   * Lets all clients go, in no order and spread over a time, then closes the server (not in npm `socket.io`).
   *
   * From the call on `health()` tells `"draining"`, and who opens a session is answered 503. What was emitted to a client
   * leaves before it goes, and it comes back by itself, to another server.
   */
  drain(options?: DrainOptions): Promise<DrainProgress>;

  /**
   * Hands all clients over to another process while they stay connected, then closes the server (not in npm `socket.io`): to one
   * whose server has the option `takeOver` with the same path.
   *
   * Here, no "disconnect" tells of them; there, "connection" does, with `socket.recovered`. Rejected when no process comes in time,
   * or when it ends before it has them: then all is as before.
   *
   * @param path of a Unix socket, which is made, for this user only
   */
  handOver(path: string, options?: HandOverOptions): Promise<HandedOver>;

  /** Resolved when the clients of the other process have been let in, or none come (see the option `takeOver`; not in npm `socket.io`). */
  readonly takenOver: Promise<TakenOver>;

  /** Whether the server is to be sent clients, for a probe (not in npm `socket.io`). */
  health(): Health;

  /** @internal The namespace `name` of a parent that lets it be made, or `false`. */
  _checkNamespace(
    name: string,
    auth: { [key: string]: any },
    fn: (nsp: Namespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData> | false) => void,
  ): void;
}

export interface Server<
  ListenEvents extends EventsMap = DefaultEventsMap,
  EmitEvents extends EventsMap = ListenEvents,
  ServerSideEvents extends EventsMap = DefaultEventsMap,
  SocketData = any,
>
  extends
    NamespaceFace<
      Socket<ListenEvents, EmitEvents, ServerSideEvents, SocketData>,
      EmitEvents,
      ServerSideEvents,
      SocketData
    >,
    OldChain<Server<ListenEvents, EmitEvents, ServerSideEvents, SocketData>> {}
