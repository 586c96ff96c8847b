import type { EventEmitter } from "events";
import type { Adapter, Room } from "socket.io-adapter";
import type { Namespace } from "./namespace";

/** How a cluster of servers is joined. */
export interface RedisAdapterOptions {
  /**
   * Where Redis is: `redis://[user:password@]host[:port][/database]`, `rediss://…` for TLS, `unix:///path` for a socket.
   * Several: the seeds of a Redis Cluster, or the sentinels. @default "redis://localhost:6379"
   */
  url?: string | string[];
  /** Whether it is a Redis Cluster. @default false */
  cluster?: boolean;
  /** The name of the master, where the URLs are those of sentinels. */
  sentinel?: string;
  /** Instead of the user in the URL. */
  username?: string;
  /** Instead of the password in the URL. */
  password?: string;
  /** Instead of the database in the URL. */
  database?: number;
  /** For `rediss://`. Without `ca`, those are trusted whom Node.js trusts. */
  tls?: {
    ca?: string | Buffer | Array<string | Buffer>;
    cert?: string | Buffer | Array<string | Buffer>;
    key?: string | Buffer | Array<string | Buffer>;
    /** @default true */
    rejectUnauthorized?: boolean;
  };
  /** What the names of the channels begin with; `channelPrefix` of the official sharded adapter. @default "socket.io" */
  key?: string;
  /** Whether to speak as the official sharded adapter does, by sharded Pub/Sub (Redis 7). @default false */
  sharded?: boolean;
  /**
   * Whether to speak as `@socket.io/redis-streams-adapter` 0.3 does, by streams (Redis 6.2): nothing is missed while the connection
   * is lost, and `connectionStateRecovery` works on any server. @default false
   */
  streams?: boolean | RedisStreamsOptions;
  /**
   * Which channels are subscribed; by streams, it can only be `"static"`.
   *
   * - `"static"`: those of the namespace. What concerns nobody here is dropped as soon as it has come.
   * - `"dynamic"`: one for each room that somebody here is in, so that Redis sends less. With `sharded`, rooms of single sockets
   *   have none; all servers of a sharded cluster must have chosen the same.
   * - `"dynamic-private"`: one for each room, those of single sockets, too. Without `sharded`, the same as `"dynamic"`.
   *
   * @default "static"; with `sharded` "dynamic", as there
   */
  subscriptionMode?: "static" | "dynamic" | "dynamic-private";
  /** How long answers of other servers are awaited, in ms. @default 5000 */
  requestsTimeout?: number;
  /** Whether to answer another server on the channel that is its own; it must listen there. @default false */
  publishOnSpecificResponseChannel?: boolean;
  /**
   * How many bytes may wait while Redis can't be reached. What is more is dropped and counted; clients of this server get it in any
   * case. @default 16 MiB
   */
  maxBufferedBytes?: number;
  /** How long to wait before the first attempt to connect again, in ms. @default 50 */
  minBackoff?: number;
  /** The longest such wait: each is twice as long as the one before. @default 5000 */
  maxBackoff?: number;
  /** How long an attempt may take, in ms. @default 5000 */
  connectTimeout?: number;
}

/** How streams are used. */
export interface RedisStreamsOptions {
  /** The key of the stream. @default "socket.io" */
  streamName?: string;
  /** How many streams there are, among which namespaces are shared out: `streamName-0` and so on. @default 1 */
  streamCount?: number;
  /** How many entries are kept, about. @default 10000 */
  maxLen?: number;
  /** For how long entries are kept, about, in ms; without it, as long as there are no more than `maxLen`. */
  maxAge?: number;
  /** How many entries are read at once. @default 100 */
  readCount?: number;
  /** What the keys of sessions begin with. @default "sio:session:" */
  sessionKeyPrefix?: string;
}

/** Whether Redis can be reached. `"closed"`: the server has been closed. */
export type ConnectionState = "connecting" | "ready" | "reconnecting" | "closed";

/** What a connection has counted since its beginning. */
export interface RedisStats {
  state: ConnectionState;
  /** Messages that were published, and their bytes. */
  published: number;
  publishedBytes: number;
  /** Messages that were not, as too many bytes waited: see `maxBufferedBytes`. */
  dropped: number;
  /** Messages that came, and their bytes. */
  received: number;
  receivedBytes: number;
  /** Those of them that concerned nobody here, or were this server's own. */
  ignored: number;
  /** Those that went to clients without JavaScript. */
  delivered: number;
  /** Those that JavaScript was given. */
  toJavaScript: number;
  /** Those that JavaScript should have been given, but was too busy to take. */
  droppedIn: number;
  /** Those that were none: they were ignored. */
  malformed: number;
  /** How often the connection was made again. */
  reconnects: number;
  /** How often entries of a stream may have been gone before they had been read: see `maxLen`. */
  gaps: number;
  /** Bytes that wait to be published. */
  buffered: number;
}

/** The connection of a server to Redis, which all its namespaces share. */
export interface RedisLink extends EventEmitter {
  readonly state: ConnectionState;
  stats(): RedisStats;
  on(event: "state", listener: (state: ConnectionState, message?: string) => void): this;
  once(event: "state", listener: (state: ConnectionState, message?: string) => void): this;
  off(event: "state", listener: (state: ConnectionState, message?: string) => void): this;
}

/** The adapter of one namespace. */
export declare class RedisAdapter extends Adapter {
  private constructor(nsp: Namespace);
  /** The connection to Redis. */
  readonly redis: RedisLink;
  /** The name of this server in the cluster, for this namespace. */
  readonly uid: string;
  /** How long answers of other servers are awaited, in ms. */
  requestsTimeout: number;
  /** Why JavaScript is shown what other servers broadcast; `undefined`: it is not, and does nothing for it. */
  readonly indirectReason: string | undefined;
  /** The rooms of all servers; not with `sharded` or `streams`, where they can't be asked for. */
  allRooms(): Promise<Set<Room>>;
}

/**
 * Makes an adapter for servers that are one by Redis. They may be mixed with those on `@socket.io/redis-adapter` 8, and
 * `@socket.io/redis-emitter` reaches them; with `streams`, with those on `@socket.io/redis-streams-adapter` 0.3.
 *
 * ```js
 * const io = new Server(httpServer, { adapter: createAdapter("redis://localhost:6379") });
 * ```
 *
 * @throws for options that can't be meant
 */
export declare function createAdapter(
  options?: RedisAdapterOptions,
): (nsp: Namespace) => RedisAdapter;
export declare function createAdapter(
  url: string | URL,
  options?: Omit<RedisAdapterOptions, "url">,
): (nsp: Namespace) => RedisAdapter;
