import type { IncomingHttpHeaders, IncomingMessage } from "http";
import type { ZlibOptions } from "zlib";
import type { AdapterConstructor } from "./adapter";
import type { ShutdownOptions } from "./drain";
import type { MetricsOptions } from "./metrics";

/** The ways in which an Engine.IO session can be carried. */
export type TransportName = "polling" | "websocket" | "webtransport";

/** Which origins a browser may connect from. */
type StaticOrigin = boolean | string | RegExp | Array<boolean | string | RegExp>;

/** Decides about one origin; it is `undefined` when the request names none. */
type CustomOrigin = (
  requestOrigin: string | undefined,
  callback: (err: Error | null, origin?: StaticOrigin) => void,
) => void;

/** What a {@link CorsOptionsDelegate} sees of a request. */
export interface CorsRequest {
  method?: string | undefined;
  headers: IncomingHttpHeaders;
}

/** Cross-origin rules, in the words of the `cors` package. */
export interface CorsOptions {
  /** The allowed origins. */
  origin?: StaticOrigin | CustomOrigin | undefined;
  /** `Access-Control-Allow-Methods`. @default "GET,HEAD,PUT,PATCH,POST,DELETE" */
  methods?: string | string[] | undefined;
  /** `Access-Control-Allow-Headers`; the requested ones when left out. */
  allowedHeaders?: string | string[] | undefined;
  /** `Access-Control-Expose-Headers`. */
  exposedHeaders?: string | string[] | undefined;
  /** Whether to send `Access-Control-Allow-Credentials: true`. */
  credentials?: boolean | undefined;
  /** `Access-Control-Max-Age`, in seconds. */
  maxAge?: number | undefined;
  /** Whether a preflight request goes on to the next handler. @default false */
  preflightContinue?: boolean | undefined;
  /** The status of the answer to a preflight request. @default 204 */
  optionsSuccessStatus?: number | undefined;
}

/** Chooses the {@link CorsOptions} for one request. */
export type CorsOptionsDelegate<T extends CorsRequest = CorsRequest> = (
  req: T,
  callback: (err: Error | null, options?: CorsOptions) => void,
) => void;

/** The attributes of the session cookie. */
export interface CookieSerializeOptions {
  /** The `Domain` attribute. */
  domain?: string | undefined;
  /** Encodes the value. @default encodeURIComponent */
  encode?(value: string): string;
  /** The `Expires` attribute; `maxAge` wins over it in browsers. */
  expires?: Date | undefined;
  /** Whether scripts of the page are kept from reading the cookie. @default true */
  httpOnly?: boolean | undefined;
  /** The `Max-Age` attribute, in seconds. */
  maxAge?: number | undefined;
  /** The `Partitioned` attribute. */
  partitioned?: boolean | undefined;
  /** The `Path` attribute. @default "/" */
  path?: string | undefined;
  /** The `Priority` attribute. */
  priority?: "low" | "medium" | "high" | undefined;
  /** The `SameSite` attribute; `true` stands for `"strict"`. @default "lax" */
  sameSite?: boolean | "lax" | "strict" | "none" | undefined;
  /** The `Secure` attribute. */
  secure?: boolean | undefined;
}

/** The settings of permessage-deflate (RFC 7692), in the words of the `ws` package. */
export interface PerMessageDeflateOptions {
  /** Whether the server starts each message with an empty window. */
  serverNoContextTakeover?: boolean | undefined;
  /** Whether the client has to start each message with an empty window. */
  clientNoContextTakeover?: boolean | undefined;
  /** The window of the server, 8 to 15 bits. */
  serverMaxWindowBits?: number | undefined;
  /** The window of the client, 8 to 15 bits. */
  clientMaxWindowBits?: number | undefined;
  /** Settings of the compressor, of which `level` counts. */
  zlibDeflateOptions?:
    | {
        flush?: number | undefined;
        finishFlush?: number | undefined;
        chunkSize?: number | undefined;
        windowBits?: number | undefined;
        level?: number | undefined;
        memLevel?: number | undefined;
        strategy?: number | undefined;
        dictionary?: Buffer | Buffer[] | DataView | undefined;
        info?: boolean | undefined;
      }
    | undefined;
  /** Accepted for compatibility. */
  zlibInflateOptions?: ZlibOptions | undefined;
  /** Messages of fewer bytes are sent as they are. @default 1024 */
  threshold?: number | undefined;
  /** Accepted for compatibility: the workers compress, one message at a time each. */
  concurrencyLimit?: number | undefined;
}

/**
 * Origins as Socket.IO 2.x has them: `"*"`, `"host:port"`, `"host:*"`, `"*:port"`, `"scheme://host:port"`; one, several
 * with spaces between them, or an array of them; or a function.
 */
export type Origins =
  | string
  | string[]
  | ((origin: string, callback: (error: string | null, success: boolean) => void) => void);

/** How the server sits on an HTTP server. */
export interface AttachOptions {
  /** The path whose requests are ours. */
  path?: string;
  /** Whether upgrade requests that nobody takes are ended. @default true */
  destroyUpgrade?: boolean;
  /** After how many milliseconds they are. @default 1000 */
  destroyUpgradeTimeout?: number;
  /** Whether the path ends in a slash. @default true */
  addTrailingSlash?: boolean;
}

/** The settings of the Engine.IO floor: sessions, transports, limits. */
export interface EngineOptions {
  /** How many milliseconds a pong may take before the session counts as lost. @default 20000 */
  pingTimeout?: number;
  /** How many milliseconds lie between two pings. @default 25000 */
  pingInterval?: number;
  /** How many milliseconds an upgrade may take. @default 10000 */
  upgradeTimeout?: number;
  /** How many bytes a message may have; a longer one closes the session. @default 1e6 */
  maxHttpBufferSize?: number;
  /** How many milliseconds the body of a request may take; 408 and the end of the session then. @default 30000 */
  httpRequestBodyTimeout?: number;
  /**
   * How many chunks the body of a request, or a frame of a WebSocket, may come in; beyond, the session ends.
   * @default 10000
   */
  maxBufferedChunks?: number;
  /**
   * Admits or refuses a handshake or upgrade request.
   *
   * Call `fn(null, true)` to admit it; `fn("reason", false)` answers 403 with that message.
   */
  allowRequest?: (
    req: IncomingMessage,
    fn: (err: string | null | undefined, success: boolean) => void,
  ) => void;
  /** The transports that are offered. @default ["polling", "websocket"] */
  transports?: TransportName[];
  /** Whether a session may move to a better transport. @default true */
  allowUpgrades?: boolean;
  /** Compression of WebSocket messages. @default false */
  perMessageDeflate?: boolean | PerMessageDeflateOptions;
  /** Compression of polling responses: the options of zlib, and `threshold` (bytes). @default { threshold: 1024 } */
  httpCompression?: false | (ZlibOptions & { threshold: number });
  /** A WebSocket implementation; accepted for compatibility, WebSockets are served natively. */
  wsEngine?: any;
  /** A message that is sent right after the handshake. */
  initialPacket?: any;
  /** The cookie that holds the session id; `true` names it `io`. @default false */
  cookie?: (CookieSerializeOptions & { name: string }) | boolean;
  /** Cross-origin rules; without them no CORS header is sent. @default false */
  cors?: CorsOptions | CorsOptionsDelegate;
  /** Whether Socket.IO 1.x and 2.x clients (Engine.IO protocol 3) are served. @default false */
  allowEIO3?: boolean;
  /**
   * How many bytes may wait for one client that does not read (not in npm `socket.io`).
   *
   * What counts is told by `socket.conn.bufferedAmount`; it is compared when the client has been offered all that a tick
   * has emitted, so choose more than you ever send at once. Connections that Node.js keeps (TLS, Windows) count from
   * 256 KiB on.
   *
   * @default no limit
   */
  maxBufferedBytes?: number;
  /**
   * What happens at {@link maxBufferedBytes} (not in npm `socket.io`).
   *
   * `"disconnect"`: the session is closed at once and what waits is dropped; the reason is `"buffer overflow"`.
   * `"dropVolatile"`: nobody is disconnected. Volatile packets wait like others, up to the limit, and are dropped
   * beyond; without this policy they are dropped as soon as anything does. Packets that are not volatile always wait.
   *
   * @default "disconnect"
   */
  bufferPolicy?: "disconnect" | "dropVolatile";
  /**
   * How much may come, of sessions and clients, in all and from each address (not in npm `socket.io`). It is looked at before
   * this thread hears of who comes.
   *
   * @default no limits
   */
  limits?: LimitsOptions;
  /**
   * `"native"`: the workers speak TLS for the HTTPS servers that the server is attached to, and not Node.js (not in npm
   * `socket.io`). Handshakes leave the event loop, and while that is blocked, nobody is kept out or lost over TLS either.
   *
   * It takes what the HTTPS server has been told (`key`, `cert`, `ca`, `passphrase`, `minVersion`, `maxVersion`, `ciphers`,
   * `addContext()`, `setSecureContext()` …). What it can't do, such as certificates of clients, is named by an error when the
   * server is attached. Linux only; elsewhere Node.js speaks TLS.
   *
   * @default Node.js speaks TLS
   */
  tls?: "native";
  /**
   * When the server has so much to do that nobody else is let in (not in npm `socket.io`): handshakes are refused with status 503,
   * Engine.IO error 7 and `Retry-After`, also while the event loop is blocked; clients that are there go on. It ends when all has
   * been low for two seconds: at half of what is too much, memory at seven eighths. `true`: `{ inboxAge: 10_000 }`.
   *
   * @default false
   */
  admission?: boolean | AdmissionOptions;
  /**
   * Which proxies are believed when they say where a request comes from (not in npm `socket.io`). The address that they tell
   * is `handshake.address` and `conn.remoteAddress`; `request.socket` goes on showing the peer of the connection.
   *
   * - a number: how many proxies are before the server. The client is who has come to the farthest of them.
   * - an array: their addresses and networks, `"10.0.0.0/8"`; `"loopback"`, `"linklocal"` and `"uniquelocal"` are networks, too,
   *   and `"unix"` is who comes by a Unix socket. The client is the nearest one that is not in them.
   * - `true`: all. Then a client can choose its address, unless the first proxy drops the header that it brings.
   *
   * A function can't be given: clients are let in before JavaScript runs.
   *
   * @default false
   */
  trustProxy?: TrustedProxies | TrustProxyOptions;
  /**
   * `true`: every connection begins with the header of the PROXY protocol, version 1 or 2, as HAProxy (`send-proxy`), nginx
   * (`proxy_protocol on`, in a `stream` block) and load balancers of clouds send it (not in npm `socket.io`). The addresses that it tells are
   * those of the connection from then on, for every request that comes by it. A connection without it is closed.
   *
   * Linux, and an HTTP or HTTPS server that listens on a TCP port of the main thread; elsewhere an error says so.
   *
   * @default false
   */
  proxyProtocol?: boolean | ProxyProtocolOptions;
}

/** See `proxyProtocol`. */
export interface ProxyProtocolOptions {
  /** The addresses and networks of the proxies: connections from elsewhere have no header, and one that they bring is not read. */
  from: string | readonly string[];
}

/** What is too much to let others in. See `admission`. */
export interface AdmissionOptions {
  /** Milliseconds for which what clients have sent may wait for the event loop. */
  inboxAge?: number;
  /** Bytes of it that may wait. From 64 MiB on nobody is read. */
  inboxBytes?: number;
  /** Bytes of memory that the process may have (resident). Linux only. */
  memory?: number;
}

/** See `trustProxy`. */
export type TrustedProxies = boolean | number | string | readonly string[];

/** See `trustProxy`. */
export interface TrustProxyOptions {
  /** Which proxies. @default false */
  proxies?: TrustedProxies;
  /**
   * The header that they write: `"forwarded"` is read as RFC 7239 says, any other as a list like `X-Forwarded-For`. Only this one is
   * read: a proxy passes on headers that it does not know, and that would be the client's word.
   *
   * @default "x-forwarded-for"
   */
  header?: string;
}

/** Connection state recovery: what a client that was away for a moment gets back. */
/** So many a second: a number, or that and how many at once; by default as many as in a second, and at least one. */
export type RateOptions = number | { rate: number; burst?: number };

/** How much may come; what is left out is not limited (not in npm `socket.io`). docs/limits.md says what each limit does. */
export interface LimitsOptions {
  /** Sessions that may be opened. Who is refused gets the status 429, and may try again. */
  connects?: {
    /** By one address. */
    perAddress?: RateOptions;
    /** By all together. */
    total?: RateOptions;
  };
  /** Clients that the server may have. Who is refused gets the status 503, and may try again. */
  maxClients?: number;
  /** Clients of one address. Who is refused gets the status 429. */
  maxClientsPerAddress?: number;
  /** Clients that have joined no namespace yet. Who is refused gets the status 503. */
  maxUnauthenticated?: number;
  /** Such clients of one address. Who is refused gets the status 429. */
  maxUnauthenticatedPerAddress?: number;
  /** Handshakes that middlewares of the engine, `allowRequest` or `generateId()` are at. Who is refused gets the status 503. */
  maxPendingHandshakes?: number;
  /** Such handshakes of one address. Who is refused gets the status 429. */
  maxPendingHandshakesPerAddress?: number;
  /** Bits that IPv6 addresses have in common which count as one. @default 64 */
  ipv6Prefix?: number;
  /** Events that clients may send: packets that JavaScript would have to look at. */
  events?: TrafficOptions & {
    /** Of all clients of an address. */
    perAddress?: RateOptions;
  };
  /** Bytes of the messages that clients may send. */
  bytes?: TrafficOptions & {
    /** Of all clients of an address. */
    perAddress?: RateOptions;
  };
  /** What counts for namespaces besides, by their names. */
  namespaces?: Record<string, { events?: TrafficOptions; bytes?: TrafficOptions }>;
}

/** How much clients may send. */
export interface TrafficOptions {
  /** Of a client. */
  perClient?: RateOptions;
  /**
   * What is done about more: `"pause"` reads the client no more until it may send again, so that it has to wait and nothing is lost;
   * `"drop"` drops its events, and those that are to be answered are answered by `{ error, retryAfter }`; `"disconnect"` ends its
   * session, by the code 1008 of WebSocket or the status 429.
   *
   * @default "pause"
   */
  action?: "pause" | "drop" | "disconnect";
}

export interface ConnectionStateRecoveryOptions {
  /** For how many milliseconds a state is kept. @default 120000 */
  maxDisconnectionDuration?: number;
  /** Whether middlewares are passed over after a recovery. @default true */
  skipMiddlewares?: boolean;
  /**
   * How many bytes a namespace keeps of packets to send again, and of sessions: beyond, the oldest go first. (Ours.)
   * @default 67108864
   */
  maxStoredBytes?: number;
}

/** The options of a server. All of them are optional: see `Partial<ServerOptions>` where they are taken. */
export interface ServerOptions extends EngineOptions, AttachOptions {
  /** The path whose requests are ours. @default "/socket.io" */
  path: string;
  /** Whether the client's files are served under the path. @default true */
  serveClient: boolean;
  /** The adapter. @default an in-memory one whose broadcasts are fanned out natively */
  adapter: AdapterConstructor;
  /** A replacement of the encoding: `{ Encoder, Decoder }`. */
  parser: any;
  /** Which origins may connect. @deprecated use `cors` and `allowRequest` */
  origins: Origins;
  /** How many milliseconds a client has to join its first namespace. @default 45000 */
  connectTimeout: number;
  /** Keeps rooms, data and missed packets of clients that go away for a moment. Off when left out. */
  connectionStateRecovery: ConnectionStateRecoveryOptions;
  /** Whether a namespace made by a parent namespace goes with its last socket. @default false */
  cleanupEmptyChildNamespaces: boolean;
  /**
   * How many data-plane threads the process runs (not in npm `socket.io`).
   *
   * They are one per process, shared by all servers: the first server that starts decides. The
   * environment variable `FERROSOCKET_WORKERS` wins over the option.
   *
   * @default the number of cores − 1, at least 1 and at most 4
   */
  workers?: number;
  /**
   * Serves what `io.metrics()` tells, for Prometheus, by the HTTP server (not in npm `socket.io`): `true` under `/metrics`, for
   * this machine and private networks.
   *
   * @default false
   */
  metrics?: boolean | MetricsOptions;
  /**
   * At which signals of the process `io.drain()` is called, and how (not in npm `socket.io`), as in `["SIGTERM"]`; at another one
   * meanwhile, all that are left go at once. Then nothing of the server keeps the process.
   *
   * @default none
   */
  shutdown?: NodeJS.Signals[] | ShutdownOptions;
  /**
   * Takes the clients of another process over (not in npm `socket.io`), which calls `io.handOver()` with this path. The HTTP server
   * listens when they are there, with the socket of that process. If nobody hands over, it listens at once, as without this.
   *
   * @default none
   */
  takeOver?: string;
}

/** The settings of an Engine.IO server without Socket.IO. */
export interface StandaloneOptions extends EngineOptions, Pick<ServerOptions, "workers"> {}
