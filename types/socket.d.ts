import type { IncomingMessage } from "http";
import type { Room, Session, SocketId } from "./adapter";
import type { BroadcastOperator } from "./broadcast-operator";
import type { Client } from "./client";
import type { EngineSocket } from "./engine";
import type { Namespace } from "./namespace";
import type { MessageSender, OldChain, RoomTargets } from "./operators";
import type { Packet } from "./packet";
import type { DisconnectReason, Handshake, SocketReservedEventsMap } from "./socket-types";
import {
  type AllButLast,
  type DecorateAcknowledgements,
  type DecorateAcknowledgementsWithMultipleResponses,
  type DefaultEventsMap,
  type EventNames,
  type EventNamesWithAck,
  type EventParams,
  type EventsMap,
  type FirstNonErrorArg,
  type Last,
  StrictEventEmitter,
} from "./typed-events";

/** An event as a middleware of `socket.use()` sees it: the name, then the arguments. */
export type Event = [string, ...any[]];

/** A listener of the catch-all methods; it gets the name of the event first. */
type AnyListener = (...args: any[]) => void;

/**
 * One client in one namespace.
 *
 * ```ts
 * io.on("connection", (socket) => {
 *   socket.join("lobby");
 *   socket.emit("hello", "you");
 *   socket.to("lobby").emit("hello", "others");
 *   socket.on("question", (text, answer) => answer("42"));
 *   socket.on("disconnect", (reason) => {});
 * });
 * ```
 */
export declare class Socket<
  ListenEvents extends EventsMap = DefaultEventsMap,
  EmitEvents extends EventsMap = ListenEvents,
  ServerSideEvents extends EventsMap = DefaultEventsMap,
  SocketData = any,
> extends StrictEventEmitter<ListenEvents, EmitEvents, SocketReservedEventsMap> {
  /** The namespace. */
  readonly nsp: Namespace<ListenEvents, EmitEvents, ServerSideEvents>;
  /** The connection, shared with the sockets the client has in other namespaces. */
  readonly client: Client<ListenEvents, EmitEvents, ServerSideEvents>;
  /** The public id, and the name of the room that holds this socket alone. */
  readonly id: SocketId;
  /** Whether rooms, data and missed packets of an earlier connection came back. */
  readonly recovered: boolean;
  /** What is known about the connection from its first request. */
  readonly handshake: Handshake;
  /** For the application; `fetchSockets()` brings it along. */
  data: SocketData;
  /** Whether the socket is in its namespace; still `false` inside a middleware. */
  connected: boolean;
  private readonly pid;
  private readonly server;
  private readonly adapter;
  private acks;
  private fns;
  private flags;
  private _anyListeners?;
  private _anyOutgoingListeners?;
  constructor(
    nsp: Namespace<ListenEvents, EmitEvents, ServerSideEvents>,
    client: Client<ListenEvents, EmitEvents, ServerSideEvents>,
    auth: Record<string, unknown>,
    previousSession?: Session,
  );

  /** Whether the socket is out of its namespace. */
  get disconnected(): boolean;
  /** The first request of the connection. */
  get request(): IncomingMessage;
  /** The Engine.IO connection underneath. */
  get conn(): EngineSocket;
  /** The rooms the socket is in, its own included; empty once disconnected. */
  get rooms(): Set<Room>;
  /** Targets all other sockets of the namespace. */
  get broadcast(): BroadcastOperator<
    DecorateAcknowledgementsWithMultipleResponses<EmitEvents>,
    SocketData
  >;
  /** What is sent next may be lost when the client cannot take it at once. */
  get volatile(): this;

  /** Sends an event to this client; a function at the end gets the answer. Always `true`. */
  emit<Ev extends EventNames<EmitEvents>>(ev: Ev, ...args: EventParams<EmitEvents, Ev>): boolean;
  /** Sends an event and promises the answer; without `timeout()` it waits for ever. */
  emitWithAck<Ev extends EventNamesWithAck<EmitEvents>>(
    ev: Ev,
    ...args: AllButLast<EventParams<EmitEvents, Ev>>
  ): Promise<FirstNonErrorArg<Last<EventParams<EmitEvents, Ev>>>>;
  /** Gives the next acknowledgement that many milliseconds; after them the callback gets an error. */
  timeout(
    timeout: number,
  ): Socket<ListenEvents, DecorateAcknowledgements<EmitEvents>, ServerSideEvents, SocketData>;
  /** Whether what is sent next may be compressed, where compression is on. */
  compress(compress: boolean): this;

  /** Joins a room, or several; a promise only with an adapter that gives one. */
  join(rooms: Room | Array<Room>, callback?: (error: any) => void): Promise<void> | void;
  /** Leaves a room. */
  leave(room: string, callback?: (error: any) => void): Promise<void> | void;
  /** Leaves the namespace; `close` ends the connection too, with all other namespaces on it. */
  disconnect(close?: boolean): this;
  /** Runs `fn` for each event before its listeners; an error given to `next` becomes the event `error`. */
  use(fn: (event: Event, next: (err?: Error) => void) => void): this;

  /** Calls `listener` for every event that comes in. */
  onAny(listener: AnyListener): this;
  /** The same, before the listeners that are there. */
  prependAny(listener: AnyListener): this;
  /** Removes a listener of {@link onAny}, or all of them. */
  offAny(listener?: AnyListener): this;
  /** The listeners of {@link onAny}; the array itself, which may be changed. */
  listenersAny(): AnyListener[];
  /** Calls `listener` for every event that goes out, broadcasts included, answers not. */
  onAnyOutgoing(listener: AnyListener): this;
  /** The same, before the listeners that are there. */
  prependAnyOutgoing(listener: AnyListener): this;
  /** Removes a listener of {@link onAnyOutgoing}, or all of them. */
  offAnyOutgoing(listener?: AnyListener): this;
  /** The listeners of {@link onAnyOutgoing}; the array itself, which may be changed. */
  listenersAnyOutgoing(): AnyListener[];

  /** @internal The namespace has let the socket in. */
  _onconnect(): void;
  /** @internal A packet came in. */
  _onpacket(packet: Packet): void;
  /** @internal Emits `error`, or writes it to stderr when nobody listens. */
  _onerror(err: Error): void;
  /** @internal The connection or the namespace is gone. */
  _onclose(reason: DisconnectReason, description?: any): this | undefined;
  /** @internal Leaves all rooms for good. */
  _cleanup(): void;
  /** @internal Sends a connect error. */
  _error(err: any): void;
  private leaveAll;
  private packet;
  private dispatch;
  private onevent;
  private ack;
}

export interface Socket<
  ListenEvents extends EventsMap = DefaultEventsMap,
  EmitEvents extends EventsMap = ListenEvents,
  ServerSideEvents extends EventsMap = DefaultEventsMap,
  SocketData = any,
>
  extends
    RoomTargets<
      BroadcastOperator<DecorateAcknowledgementsWithMultipleResponses<EmitEvents>, SocketData>
    >,
    OldChain<Socket<ListenEvents, EmitEvents, ServerSideEvents, SocketData>>,
    MessageSender<EmitEvents> {}
