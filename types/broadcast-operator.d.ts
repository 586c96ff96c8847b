import type { Adapter, BroadcastFlags, Room, SocketId } from "./adapter";
import type {
  MessageSender,
  OldChain,
  OldClients,
  RoomTargets,
  SendFlags,
  SocketsControl,
} from "./operators";
import type { Handshake } from "./socket-types";
import type {
  AllButLast,
  DecorateAcknowledgements,
  EventNames,
  EventNamesWithError,
  EventParams,
  EventsMap,
  FirstNonErrorArg,
  Last,
  TypedEventBroadcaster,
} from "./typed-events";

/** A set of sockets, chosen by rooms, and the flags for what is sent to them. Immutable. */
export declare class BroadcastOperator<
  EmitEvents extends EventsMap,
  SocketData,
> implements TypedEventBroadcaster<EmitEvents> {
  private readonly adapter;
  private readonly rooms;
  private readonly exceptRooms;
  private readonly flags;
  constructor(
    adapter: Adapter,
    rooms?: Set<Room>,
    exceptRooms?: Set<Room>,
    flags?: BroadcastFlags & { expectSingleResponse?: boolean },
  );

  /**
   * Gives acknowledgements that many milliseconds; after them the callback gets an error, and the
   * answers that came.
   */
  timeout(timeout: number): BroadcastOperator<DecorateAcknowledgements<EmitEvents>, SocketData>;

  /**
   * Sends an event to the sockets. Always `true`.
   *
   * ```ts
   * io.to("room").timeout(1000).emit("question", (err, answers) => {
   *   // err: not all have answered in time; answers: those that came
   * });
   * ```
   */
  emit<Ev extends EventNames<EmitEvents>>(ev: Ev, ...args: EventParams<EmitEvents, Ev>): boolean;

  /** Sends an event and promises the answers of all; needs `timeout()` before it. */
  emitWithAck<Ev extends EventNamesWithError<EmitEvents>>(
    ev: Ev,
    ...args: AllButLast<EventParams<EmitEvents, Ev>>
  ): Promise<FirstNonErrorArg<Last<EventParams<EmitEvents, Ev>>>>;
}

export interface BroadcastOperator<EmitEvents extends EventsMap, SocketData>
  extends
    RoomTargets<BroadcastOperator<EmitEvents, SocketData>>,
    SendFlags<BroadcastOperator<EmitEvents, SocketData>>,
    SocketsControl<EmitEvents, SocketData>,
    // those of 2.x, where a chain is the namespace itself
    MessageSender<EmitEvents>,
    OldChain<BroadcastOperator<EmitEvents, SocketData>>,
    OldClients {}

/** What is sent between servers about a socket. */
interface SocketDetails<SocketData> {
  id: SocketId;
  handshake: Handshake;
  rooms: Room[];
  data: SocketData;
}

/** A socket of any server of the cluster: what `fetchSockets()` gives. */
export declare class RemoteSocket<
  EmitEvents extends EventsMap,
  SocketData,
> implements TypedEventBroadcaster<EmitEvents> {
  /** The id of the socket. */
  readonly id: SocketId;
  /** What is known about the connection from its first request. */
  readonly handshake: Handshake;
  /** The rooms, as they were when it was asked for. */
  readonly rooms: Set<Room>;
  /** What the application keeps with the socket. */
  readonly data: SocketData;
  private readonly operator;
  constructor(adapter: Adapter, details: SocketDetails<SocketData>);
  /** Gives acknowledgements that many milliseconds. */
  timeout(timeout: number): BroadcastOperator<DecorateAcknowledgements<EmitEvents>, SocketData>;
  /** Sends an event to this client. Always `true`. */
  emit<Ev extends EventNames<EmitEvents>>(ev: Ev, ...args: EventParams<EmitEvents, Ev>): boolean;
  /** Makes the socket join a room, or several. */
  join(room: Room | Room[]): void;
  /** Makes the socket leave a room. */
  leave(room: Room): void;
  /** Disconnects the socket; `close` ends its connection too. */
  disconnect(close?: boolean): this;
}

export {};
