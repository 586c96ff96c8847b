import { EventEmitter } from "events";

/** What an application may describe its events with: event name → listener type. */
export interface EventsMap {
  [event: string]: any;
}

/** The events map used when none is given: every event name, any arguments. */
export interface DefaultEventsMap {
  [event: string]: (...args: any[]) => void;
}

/** The event names of a map, as a union. */
export type EventNames<Map extends EventsMap> = keyof Map & (string | symbol);

/** The arguments of one event of a map, as a tuple; an acknowledgement is the last of them. */
export type EventParams<Map extends EventsMap, Ev extends EventNames<Map>> = Parameters<Map[Ev]>;

/** `true` for `any` alone. Only `any` makes `1 & T` hold `0`. */
type IsAny<T> = 0 extends 1 & T ? true : false;

/** `Yes` when `T` is `any`, else `No`. */
type IfAny<T, Yes, No> = IsAny<T> extends true ? Yes : No;

/** `Parameters<T>` for a `T` that is not known to be a function. */
type LooseParameters<T> = T extends (...args: infer Params) => any ? Params : never;

/** The last element of a tuple; the element type of an array; `never` for the empty tuple. */
export type Last<T extends readonly unknown[]> = T extends readonly [infer Only]
  ? Only
  : T extends readonly [infer _, ...infer Rest]
    ? Last<Rest>
    : T extends ReadonlyArray<infer Element>
      ? Element
      : never;

/** A tuple without its last element; `any[]` when it has none. */
export type AllButLast<T extends any[]> = T extends [...infer Head, infer _] ? Head : any[];

/** The first element of a tuple that is not an `Error`, of the first two. */
export type FirstNonErrorTuple<T extends unknown[]> = T[0] extends Error ? T[1] : T[0];

/** What an acknowledgement callback is called with, its error set aside; `any` for a non-function. */
export type FirstNonErrorArg<T> = T extends (...args: infer Params) => any
  ? FirstNonErrorTuple<Params>
  : any;

/** Every element of a tuple turned into an array of it. */
export type MultiplyArray<T extends unknown[]> = {
  [K in keyof T]: T[K][];
};

/**
 * Probes one or several events of a map for `any`, in the listener itself or as its last argument.
 * Where it is found nothing can be told about acknowledgements, and all names pass.
 */
type AckProbe<Map extends EventsMap, K extends EventNames<Map>> = Last<Parameters<Map[K]>> | Map[K];

/** The names of the events whose last argument is an acknowledgement. */
export type EventNamesWithAck<
  Map extends EventsMap,
  K extends EventNames<Map> = EventNames<Map>,
> = IfAny<
  AckProbe<Map, K>,
  K,
  K extends (
    Parameters<Map[K]> extends never[]
      ? never
      : Last<Parameters<Map[K]>> extends (...args: any[]) => any
        ? K
        : never
  )
    ? K
    : never
>;

/** The names of the events that carry no acknowledgement. */
export type EventNamesWithoutAck<
  Map extends EventsMap,
  K extends EventNames<Map> = EventNames<Map>,
> = IfAny<
  AckProbe<Map, K>,
  K,
  K extends (Parameters<Map[K]> extends never[] ? K : never)
    ? K
    : K extends (Last<Parameters<Map[K]>> extends (...args: any[]) => any ? never : K)
      ? K
      : never
>;

/** The names of the events whose acknowledgement takes an `Error` first, as after `timeout()`. */
export type EventNamesWithError<
  Map extends EventsMap,
  K extends EventNamesWithAck<Map> = EventNamesWithAck<Map>,
> = IfAny<
  AckProbe<Map, K>,
  K,
  K extends (LooseParameters<Last<Parameters<Map[K]>>>[0] extends Error ? K : never) ? K : never
>;

/** A map without the events that carry an acknowledgement. */
export type RemoveAcknowledgements<Map extends EventsMap> = {
  [K in EventNamesWithoutAck<Map>]: Map[K];
};

/** Puts `err: Error` in front of every callback of an argument list that does not take one yet. */
type WithTimeoutError<T extends any[]> = {
  [K in keyof T]: T[K] extends (...args: infer Params) => infer Result
    ? Params[0] extends Error
      ? T[K]
      : (err: Error, ...args: Params) => Result
    : T[K];
};

/** The first element of a tuple, as a tuple that keeps the element's label. */
type FirstWithLabel<T extends any[]> = T extends [any, ...infer Rest]
  ? T extends [...infer Head, ...Rest]
    ? Head
    : never
  : never;

/** Turns every callback of an argument list into one that takes an array: one answer a client. */
type WithManyAnswers<T extends any[]> = {
  [K in keyof T]: T[K] extends (...args: infer Params) => infer Result
    ? Params extends [Error]
      ? (err: Error) => Result
      : Params extends [Error, ...infer Answers]
        ? (err: Error, ...args: FirstWithLabel<MultiplyArray<Answers>>) => Result
        : Params extends []
          ? () => Result
          : (...args: FirstWithLabel<MultiplyArray<Params>>) => Result
    : T[K];
};

/**
 * A map as the sender sees it after `timeout()`: acknowledgements get an error first.
 *
 * The receiver still answers with the value alone, so the two sides differ:
 *
 * ```ts
 * interface Events { question: (answer: (text: string) => void) => void }
 *
 * socket.on("question", (answer) => answer("42"));
 * socket.timeout(1000).emit("question", (err, text) => {});
 * ```
 */
export type DecorateAcknowledgements<E> = {
  [K in keyof E]: E[K] extends (...args: infer Params) => infer Result
    ? (...args: WithTimeoutError<Params>) => Result
    : E[K];
};

/** A map as a broadcaster sees it: acknowledgements get one answer a client, in an array. */
export type DecorateAcknowledgementsWithMultipleResponses<E> = {
  [K in keyof E]: E[K] extends (...args: infer Params) => infer Result
    ? (...args: WithManyAnswers<Params>) => Result
    : E[K];
};

/** Both of the above: an error first, then the array of answers. */
export type DecorateAcknowledgementsWithTimeoutAndMultipleResponses<E> = {
  [K in keyof E]: E[K] extends (...args: infer Params) => infer Result
    ? (...args: WithManyAnswers<WithTimeoutError<Params>>) => Result
    : E[K];
};

/** The names that can be listened to: the reserved ones and the application's. */
export type ReservedOrUserEventNames<Reserved extends EventsMap, User extends EventsMap> =
  EventNames<Reserved> | EventNames<User>;

/**
 * `T`, or an untyped listener where `T` came out as `never`.
 *
 * In a generic class the listener of an unresolved name is `never`, and no function is assignable to that.
 */
type ListenerOrUntyped<T> = [T] extends [never] ? (...args: any[]) => void | Promise<void> : T;

/** The listener of one event; a reserved event wins over an application's of the same name. */
export type ReservedOrUserListener<
  Reserved extends EventsMap,
  User extends EventsMap,
  Ev extends ReservedOrUserEventNames<Reserved, User>,
> = ListenerOrUntyped<
  Ev extends EventNames<Reserved> ? Reserved[Ev] : Ev extends EventNames<User> ? User[Ev] : never
>;

/** Anything with a typed `emit`, an EventEmitter or not. */
export interface TypedEventBroadcaster<EmitEvents extends EventsMap> {
  /** Sends `ev` with `args`. */
  emit<Ev extends EventNames<EmitEvents>>(ev: Ev, ...args: EventParams<EmitEvents, Ev>): boolean;
}

/**
 * An `EventEmitter` whose names and listeners are checked against events maps.
 *
 * @typeParam ListenEvents what `on` and `once` accept
 * @typeParam EmitEvents what `emit` accepts
 * @typeParam ReservedEvents what the library itself emits, to be listened to only
 */
export declare abstract class StrictEventEmitter<
  ListenEvents extends EventsMap,
  EmitEvents extends EventsMap,
  ReservedEvents extends EventsMap = {},
>
  extends EventEmitter
  implements TypedEventBroadcaster<EmitEvents>
{
  /** Calls `listener` each time that `ev` arrives. */
  on<Ev extends ReservedOrUserEventNames<ReservedEvents, ListenEvents>>(
    ev: Ev,
    listener: ReservedOrUserListener<ReservedEvents, ListenEvents, Ev>,
  ): this;

  /** Calls `listener` the next time that `ev` arrives, then forgets it. */
  once<Ev extends ReservedOrUserEventNames<ReservedEvents, ListenEvents>>(
    ev: Ev,
    listener: ReservedOrUserListener<ReservedEvents, ListenEvents, Ev>,
  ): this;

  /** Sends `ev` with `args`. */
  emit<Ev extends EventNames<EmitEvents>>(ev: Ev, ...args: EventParams<EmitEvents, Ev>): boolean;

  /** Calls the listeners of a reserved event; for subclasses. */
  protected emitReserved<Ev extends EventNames<ReservedEvents>>(
    ev: Ev,
    ...args: EventParams<ReservedEvents, Ev>
  ): boolean;

  /** `emit` without the checks, so that a subclass can spread arguments it does not know. */
  protected emitUntyped(ev: string, ...args: any[]): boolean;

  /** The listeners of `event`, in the order of their registration. */
  listeners<Ev extends ReservedOrUserEventNames<ReservedEvents, ListenEvents>>(
    event: Ev,
  ): ReservedOrUserListener<ReservedEvents, ListenEvents, Ev>[];
}
