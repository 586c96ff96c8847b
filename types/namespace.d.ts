import type { Adapter, SocketId } from "./adapter";
import type { Client } from "./client";
import type { NamespaceFace, OldChain } from "./operators";
import type { Server } from "./server";
import type { Socket } from "./socket";
import {
  type DefaultEventsMap,
  type EventNamesWithoutAck,
  type EventParams,
  type EventsMap,
  type RemoveAcknowledgements,
  StrictEventEmitter,
} from "./typed-events";

/** An error whose `data` is sent to the client that is refused. */
export interface ExtendedError extends Error {
  data?: any;
}

/** The names that `serverSideEmit()` refuses. */
export declare const RESERVED_EVENTS: ReadonlySet<string | Symbol>;

/** The events a namespace emits by itself. */
export interface NamespaceReservedEventsMap<
  ListenEvents extends EventsMap,
  EmitEvents extends EventsMap,
  ServerSideEvents extends EventsMap,
  SocketData,
> {
  /** The same as `connection`. */
  connect: (socket: Socket<ListenEvents, EmitEvents, ServerSideEvents, SocketData>) => void;
  /** A client joined the namespace. */
  connection: (socket: Socket<ListenEvents, EmitEvents, ServerSideEvents, SocketData>) => void;
}

/** The events a server emits by itself. */
export interface ServerReservedEventsMap<
  ListenEvents extends EventsMap,
  EmitEvents extends EventsMap,
  ServerSideEvents extends EventsMap,
  SocketData,
> extends NamespaceReservedEventsMap<ListenEvents, EmitEvents, ServerSideEvents, SocketData> {
  /** A namespace was made. */
  new_namespace: (
    namespace: Namespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData>,
  ) => void;
}

/** A part of the server with its own events, rooms and middlewares; one connection can carry several. */
export declare class Namespace<
  ListenEvents extends EventsMap = DefaultEventsMap,
  EmitEvents extends EventsMap = ListenEvents,
  ServerSideEvents extends EventsMap = DefaultEventsMap,
  SocketData = any,
> extends StrictEventEmitter<
  ServerSideEvents,
  RemoveAcknowledgements<EmitEvents>,
  NamespaceReservedEventsMap<ListenEvents, EmitEvents, ServerSideEvents, SocketData>
> {
  /** The name, with its slash. */
  readonly name: string;
  /** The connected sockets by their id. */
  readonly sockets: Map<SocketId, Socket<ListenEvents, EmitEvents, ServerSideEvents, SocketData>>;
  /** The adapter: who is in which room. */
  adapter: Adapter;
  /** The connected sockets by their id, in a plain object. @deprecated use {@link sockets} */
  readonly connected: Record<
    SocketId,
    Socket<ListenEvents, EmitEvents, ServerSideEvents, SocketData>
  >;
  /** Events that `emit()` does not send to clients; may be added to. @deprecated */
  static events: string[];
  /** @internal The server of the namespace. */
  readonly server: Server<ListenEvents, EmitEvents, ServerSideEvents, SocketData>;
  /** @internal The last ack id given out. */
  _ids: number;
  private _preConnectSockets;
  private _fns;
  constructor(server: Server<ListenEvents, EmitEvents, ServerSideEvents, SocketData>, name: string);

  /** Sends an event to all sockets of the namespace. Always `true`. Acknowledgements need `timeout()`. */
  emit<Ev extends EventNamesWithoutAck<EmitEvents>>(
    ev: Ev,
    ...args: EventParams<EmitEvents, Ev>
  ): boolean;

  /** @internal Makes the adapter, again when `io.adapter()` changes it. */
  _initAdapter(): void;
  /** @internal Lets a client in: runs the middlewares, then `fn` with the socket. */
  _add(
    client: Client<ListenEvents, EmitEvents, ServerSideEvents>,
    auth: Record<string, unknown>,
    fn: (socket: Socket<ListenEvents, EmitEvents, ServerSideEvents, SocketData>) => void,
  ): Promise<void>;
  /** @internal Forgets a socket that has left. */
  _remove(socket: Socket<ListenEvents, EmitEvents, ServerSideEvents, SocketData>): void;
  /** @internal Emits what another server has sent. */
  _onServerSideEmit(args: [string, ...any[]]): void;
}

export interface Namespace<
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
    OldChain<Namespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData>> {}
