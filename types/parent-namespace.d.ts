import type { RemoteSocket } from "./broadcast-operator";
import { Namespace } from "./namespace";
import type { Server } from "./server";
import type {
  DefaultEventsMap,
  EventNamesWithoutAck,
  EventParams,
  EventsMap,
} from "./typed-events";

/**
 * What `io.of(/regex/)` and `io.of(function)` give: makes a child namespace for each matching name.
 *
 * Listeners and middlewares of the parent hold for every child, and what is sent to the parent is
 * sent to all children.
 */
export declare class ParentNamespace<
  ListenEvents extends EventsMap = DefaultEventsMap,
  EmitEvents extends EventsMap = ListenEvents,
  ServerSideEvents extends EventsMap = DefaultEventsMap,
  SocketData = any,
> extends Namespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData> {
  private readonly children;
  constructor(server: Server<ListenEvents, EmitEvents, ServerSideEvents, SocketData>);
  /** Sends an event to all sockets of all children. */
  emit<Ev extends EventNamesWithoutAck<EmitEvents>>(
    ev: Ev,
    ...args: EventParams<EmitEvents, Ev>
  ): boolean;
  /** Makes the child called `name`. */
  createChild(name: string): Namespace<ListenEvents, EmitEvents, ServerSideEvents, SocketData>;
  /** Not available on a parent namespace: throws. */
  fetchSockets(): Promise<RemoteSocket<EmitEvents, SocketData>[]>;
}
