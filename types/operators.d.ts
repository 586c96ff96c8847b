import type { Room, SocketId } from "./adapter";
import type { BroadcastOperator, RemoteSocket } from "./broadcast-operator";
import type { ExtendedError } from "./namespace";
import type {
  AllButLast,
  DecorateAcknowledgements,
  DecorateAcknowledgementsWithMultipleResponses,
  DecorateAcknowledgementsWithTimeoutAndMultipleResponses,
  EventNames,
  EventNamesWithAck,
  EventParams,
  EventsMap,
  FirstNonErrorArg,
  Last,
} from "./typed-events";

/**
 * Choosing who gets what is sent next.
 *
 * Each call gives a new operator and leaves the old one as it was, so that one can be kept and used again:
 *
 * ```ts
 * const everyone = io.to("news");
 * everyone.except("muted").emit("headline", "It works");
 * everyone.emit("ping"); // the muted ones too
 * ```
 *
 * @typeParam Operator what the calls give
 */
export interface RoomTargets<Operator> {
  /** Targets the sockets of a room, or of several; one that is in two of them gets one copy. */
  to(room: Room | Room[]): Operator;
  /** The same as {@link to}; reads better before `disconnectSockets()` and its like. */
  in(room: Room | Room[]): Operator;
  /** Leaves out the sockets of a room, or of several. */
  except(room: Room | Room[]): Operator;
  /** Targets the sockets of this server only, not those of the cluster. */
  readonly local: Operator;
}

/**
 * What Socket.IO 2.x has besides.
 *
 * @typeParam Operator what the calls give
 */
export interface OldChain<Operator> {
  /** @deprecated every event is sent as JSON */
  readonly json: Operator;
  /** @deprecated what is binary is found in any case */
  binary(binary: boolean): Operator;
}

/** How Socket.IO 2.x asks who is there. */
export interface OldClients {
  /** Gives the ids of the sockets. @deprecated use `fetchSockets()` */
  clients(callback: (error: Error | null, ids: string[]) => void): this;
}

/**
 * How what is sent next is sent.
 *
 * @typeParam Operator what the calls give
 */
export interface SendFlags<Operator> {
  /** Whether what is sent may be compressed, where compression is on. */
  compress(compress: boolean): Operator;
  /** What is sent may be lost for clients that cannot take it at once. */
  readonly volatile: Operator;
}

/** `send` and `write`: short for the event `"message"`, after the WebSocket of browsers. */
export interface MessageSender<EmitEvents extends EventsMap> {
  /** Sends the event `"message"`. */
  send(...args: EventParams<EmitEvents, "message">): this;
  /** The same as {@link send}. */
  write(...args: EventParams<EmitEvents, "message">): this;
}

/** Acting on the sockets that are targeted, on every server of the cluster when the adapter has one. */
export interface SocketsControl<EmitEvents extends EventsMap, SocketData> {
  /**
   * The ids of the sockets.
   *
   * @deprecated goes with the next major release: use `fetchSockets()` or `serverSideEmit()`.
   */
  allSockets(): Promise<Set<SocketId>>;
  /** The sockets, those of other servers included. */
  fetchSockets(): Promise<RemoteSocket<EmitEvents, SocketData>[]>;
  /** Makes the sockets join a room, or several. */
  socketsJoin(room: Room | Room[]): void;
  /** Makes the sockets leave a room, or several. */
  socketsLeave(room: Room | Room[]): void;
  /** Disconnects the sockets; `close` ends their connections too, with all other namespaces on them. */
  disconnectSockets(close?: boolean): void;
}

/** Talking to the other servers of the cluster; needs an adapter that has one. */
export interface ServerMessenger<ServerSideEvents extends EventsMap> {
  /** Sends an event to the other servers; a callback at the end gets one answer of each. */
  serverSideEmit<Ev extends EventNames<ServerSideEvents>>(
    ev: Ev,
    ...args: EventParams<
      DecorateAcknowledgementsWithTimeoutAndMultipleResponses<ServerSideEvents>,
      Ev
    >
  ): boolean;
  /** The same with a promise of the answers; it is rejected when a server does not answer in time. */
  serverSideEmitWithAck<Ev extends EventNamesWithAck<ServerSideEvents>>(
    ev: Ev,
    ...args: AllButLast<EventParams<ServerSideEvents, Ev>>
  ): Promise<FirstNonErrorArg<Last<EventParams<ServerSideEvents, Ev>>>[]>;
}

/**
 * What a namespace has, and with it the server, which means its main namespace.
 *
 * @typeParam Socket those of the namespace
 */
export interface NamespaceFace<
  Socket,
  EmitEvents extends EventsMap,
  ServerSideEvents extends EventsMap,
  SocketData,
>
  extends
    RoomTargets<
      BroadcastOperator<DecorateAcknowledgementsWithMultipleResponses<EmitEvents>, SocketData>
    >,
    SendFlags<
      BroadcastOperator<DecorateAcknowledgementsWithMultipleResponses<EmitEvents>, SocketData>
    >,
    MessageSender<EmitEvents>,
    SocketsControl<EmitEvents, SocketData>,
    OldClients,
    ServerMessenger<ServerSideEvents> {
  /** Runs `fn` for each socket that wants into the namespace; an error given to `next` keeps it out. */
  use(fn: (socket: Socket, next: (err?: ExtendedError) => void) => void): this;

  /** Gives acknowledgements that many milliseconds; after them the callback gets an error. */
  timeout(
    timeout: number,
  ): BroadcastOperator<
    DecorateAcknowledgements<DecorateAcknowledgementsWithMultipleResponses<EmitEvents>>,
    SocketData
  >;
}
