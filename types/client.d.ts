import type { IncomingMessage } from "http";
import type { EngineSocket } from "./engine";
import type { Packet } from "./packet";
import type { Server } from "./server";
import type { Socket } from "./socket";
import type { EventsMap } from "./typed-events";

/** How packets are written. */
interface WriteOptions {
  compress?: boolean;
  volatile?: boolean;
  preEncoded?: boolean;
  wsPreEncoded?: string;
}

/** A connection as Socket.IO sees it: the sockets that one client has in several namespaces share it. */
export declare class Client<
  ListenEvents extends EventsMap,
  EmitEvents extends EventsMap,
  ServerSideEvents extends EventsMap,
  SocketData = any,
> {
  /** The Engine.IO connection underneath. */
  readonly conn: EngineSocket;
  private readonly id;
  private readonly server;
  private readonly encoder;
  private readonly decoder;
  private sockets;
  private nsps;
  private connectTimeout?;
  constructor(
    server: Server<ListenEvents, EmitEvents, ServerSideEvents, SocketData>,
    conn: EngineSocket,
  );
  /** The first request of the connection. */
  get request(): IncomingMessage;
  /** @internal Leaves all namespaces and closes the connection. */
  _disconnect(): void;
  /** @internal Forgets a socket that has left. */
  _remove(socket: Socket<ListenEvents, EmitEvents, ServerSideEvents, SocketData>): void;
  /** @internal Writes a packet, or what a packet was encoded to. */
  _packet(packet: Packet | Packet[], opts?: WriteOptions): void;
  private writeToEngine;
  private ondata;
  private close;
}

export {};
