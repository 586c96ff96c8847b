import type { EventEmitter } from "events";
import type { IncomingMessage, Server as HTTPServer, ServerResponse } from "http";
import type { Server as HTTPSServer } from "https";
import type { EngineServer, EngineSocket } from "../types/engine";
import type { Origins, ServerOptions as Options } from "../types/options";

/** The server with the API and the behaviour of Socket.IO 2.5. */
declare const io: io.ServerStatic;

declare namespace io {
  /** What runs for each socket that wants in, or each event that comes. */
  type Middleware<T> = (what: T, next: (error?: any) => void) => void;
  /** Gets the ids of sockets. */
  type ClientsCallback = (error: any, ids: string[]) => void;

  /** The options of a server; those of the main entry count too. */
  interface ServerOptions extends Omit<Partial<Options>, "cookie" | "adapter" | "parser"> {
    /** Which origins may connect. @default "*:*" */
    origins?: Origins;
    /** Answers preflight requests in the place of the engine; false: they are not ours. */
    handlePreflightRequest?: boolean | ((req: IncomingMessage, res: ServerResponse) => void);
    /** A class or function that makes adapters, called with `new`. */
    adapter?: any;
    /** Encodes and decodes packets. */
    parser?: any;
    /** The name of the cookie that holds the session id; false: none. @default "io" */
    cookie?: string | boolean | { name: string; [attribute: string]: any };
    /** Its path; false: none. @default "/" */
    cookiePath?: string | false;
    /** Whether scripts of the page are kept from it. @default true */
    cookieHttpOnly?: boolean;
  }

  /** The module itself. */
  interface ServerStatic {
    (srv?: HTTPServer | HTTPSServer | number | ServerOptions, opts?: ServerOptions): Server;
    new (srv?: HTTPServer | HTTPSServer | number | ServerOptions, opts?: ServerOptions): Server;
    /** The same. */
    listen: ServerStatic;
    prototype: Server;
  }

  /** What a namespace and a socket have in common: rooms and flags count for the next emission. */
  interface Chain extends EventEmitter {
    readonly json: this;
    readonly volatile: this;
    readonly local: this;
    to(room: string): this;
    in(room: string): this;
    binary(binary: boolean): this;
    compress(compress: boolean): this;
    send(...args: any[]): this;
    write(...args: any[]): this;
    emit(event: string | symbol, ...args: any[]): any;
  }

  /** A server. Its emitter methods are those of its main namespace. */
  interface Server extends EventEmitter {
    /** The main namespace, `"/"`. */
    readonly sockets: Namespace;
    /** The namespaces by name. */
    readonly nsps: Record<string, Namespace>;
    engine: EngineServer;
    eio: any;
    httpServer: HTTPServer;
    /** The parser: the one of the options, or ours. */
    readonly parser: any;
    /** The encoder that adapters use. */
    readonly encoder: Encoder;
    readonly json: this;
    readonly volatile: this;
    readonly local: this;
    serveClient(value: boolean): this;
    serveClient(): boolean;
    path(value: string): this;
    path(): string;
    adapter(value: any): this;
    adapter(): any;
    origins(value: Origins): this;
    origins(): Origins;
    checkRequest(req: IncomingMessage, done: (err: any, success: boolean) => void): void;
    set(key: string, value: any): this;
    attach(srv: HTTPServer | HTTPSServer | number, opts?: ServerOptions): this;
    listen(srv: HTTPServer | HTTPSServer | number, opts?: ServerOptions): this;
    bind(engine: any): this;
    of(
      name:
        string | RegExp | ((name: string, query: any, next: (e: any, ok: boolean) => void) => void),
      listener?: (socket: Socket) => void,
    ): Namespace;
    close(callback?: (error?: Error) => void): void;
    to(room: string): Namespace;
    in(room: string): Namespace;
    use(fn: Middleware<Socket>): Namespace;
    send(...args: any[]): Namespace;
    write(...args: any[]): Namespace;
    clients(callback: ClientsCallback): Namespace;
    compress(compress: boolean): Namespace;
    binary(binary: boolean): Namespace;
    emit(event: string | symbol, ...args: any[]): any;
    on(event: "connection" | "connect", listener: (socket: Socket) => void): any;
    on(event: string | symbol, listener: (...args: any[]) => void): any;
  }

  /** A part of the server with its own events, rooms and middlewares. */
  interface Namespace extends Chain {
    readonly name: string;
    readonly server: Server;
    /** All sockets by id. */
    readonly sockets: Record<string, Socket>;
    /** Those that broadcasts reach; a program may delete one, and assign it again. */
    readonly connected: Record<string, Socket>;
    adapter: any;
    use(fn: Middleware<Socket>): this;
    clients(callback: ClientsCallback): this;
    on(event: "connection" | "connect", listener: (socket: Socket) => void): this;
    on(event: string | symbol, listener: (...args: any[]) => void): this;
  }

  /** One client in one namespace. */
  interface Socket extends Chain {
    readonly id: string;
    readonly nsp: Namespace;
    readonly server: Server;
    readonly adapter: any;
    readonly client: Client;
    /** Callbacks of acknowledgements to come, by packet id. */
    acks: Record<string, (...args: any[]) => void>;
    readonly conn: EngineSocket;
    readonly request: IncomingMessage;
    /** The rooms by name, in the order of joining. */
    rooms: Record<string, string>;
    handshake: Handshake;
    connected: boolean;
    readonly disconnected: boolean;
    readonly broadcast: this;
    join(rooms: string | string[], callback?: (error: any) => void): this;
    leave(room: string, callback?: (error: any) => void): this;
    leaveAll(): void;
    use(fn: Middleware<any[]>): this;
    error(data: any): void;
    /** Sends a packet; adapters call it. */
    packet(packet: any, opts?: any): void;
    on(event: "disconnect" | "disconnecting", listener: (reason: string) => void): this;
    on(event: "error", listener: (error: any) => void): this;
    on(event: string | symbol, listener: (...args: any[]) => void): this;
    disconnect(close?: boolean): this;
  }

  /** A connection: one socket in each of some namespaces. */
  interface Client {
    /** The session id, a secret. */
    readonly id: string;
    readonly server: Server;
    readonly conn: EngineSocket;
    readonly request: IncomingMessage;
    /** The sockets by id. */
    readonly sockets: Record<string, Socket>;
    /** The sockets by the name of their namespace. */
    readonly nsps: Record<string, Socket>;
  }

  /** What adapters ask of an encoder. */
  interface Encoder {
    encode(packet: any, callback?: (encoded: any[]) => void): any[];
  }

  /** What is known of a connection from its first request. */
  interface Handshake {
    headers: any;
    time: string;
    address: string;
    xdomain: boolean;
    secure: boolean;
    issued: number;
    url: string;
    /** That of the request and that of the namespace. */
    query: any;
    [key: string]: any;
  }
}

export = io;
