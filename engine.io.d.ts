import type { Server as HTTPServer } from "http";
import type { Server as HTTPSServer } from "https";
import type { EventEmitter } from "events";
import * as parser from "engine.io-parser";
import {
  EngineServer,
  EngineSocket,
  type ErrorCallback,
  Transport,
  type TransportClass,
} from "./types/engine";
import type { AttachOptions, StandaloneOptions, TransportName } from "./types/options";

export { EngineServer as Server, EngineSocket as Socket, parser, Transport };
export type { AttachOptions, ErrorCallback, StandaloneOptions as ServerOptions };

/** The Engine.IO server, without what only one of Node.js has. */
export type BaseServer = EngineServer;

/** The revision of the Engine.IO protocol. */
export declare const protocol: number;

/** The kinds of transports: `conn.transport instanceof transports.websocket`. They can't be made by a program. */
export declare const transports: Record<TransportName, TransportClass>;

/**
 * Makes an HTTP server that has nothing but an engine, and listens.
 *
 * @param port where to listen
 * @param options those of the engine and of `attach()`; may be left out
 * @param listenCallback called when it listens
 */
export declare function listen(
  port: number,
  options?: AttachOptions & StandaloneOptions,
  listenCallback?: () => void,
): EngineServer;
export declare function listen(port: number, listenCallback?: () => void): EngineServer;

/**
 * Attaches an engine of its own to an HTTP server.
 *
 * @param server whose requests for the path of the engine are to be its own
 * @param options those of the engine and of `attach()`
 */
export declare function attach(
  server: HTTPServer | HTTPSServer,
  options?: AttachOptions & StandaloneOptions,
): EngineServer;

/** The server for applications of uWebSockets.js: that of npm `engine.io`, which has to be installed beside this package. */
export declare const uServer: new (opts?: StandaloneOptions) => EventEmitter & {
  attach(app: any, options?: any): void;
  close(): any;
};

/** Tells ours from npm's, which has no such property. */
export declare const implementation: "ferrosocket" | undefined;
