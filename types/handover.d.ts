import type { DrainOptions } from "./drain";

/** How a server hands its clients over to another process (see `io.handOver()`). */
export interface HandOverOptions {
  /** How many milliseconds the other process has to come and to be ready, that is to listen; `Infinity`: whenever it is. @default 30000 */
  within?: number;
  /**
   * How many milliseconds the other process has to be ready, that is to listen, from when it has come; then it is sent away
   * (`SIO_ERR_HANDOVER_FAILED`). `Infinity`: whenever it is.
   *
   * @default 120000
   */
  ready?: number;
  /**
   * How many milliseconds the program has to finish what it was given last: to answer events of clients, and for `finish`.
   *
   * @default 1000
   */
  settle?: number;
  /** Called when nothing more comes from clients, and awaited: what it sends still reaches them. */
  finish?: () => unknown;
  /** When it is aborted, no process may come any more, and one that has come and is not ready is sent away. */
  signal?: AbortSignal;
  /** How the clients are let go when the other process speaks another version. */
  drain?: DrainOptions;
}

/** What has come of `io.handOver()`. */
export interface HandedOver {
  /** How many clients there were. */
  clients: number;
  /** How many of them have gone over; the others were closed, and come back by themselves, to the other process. */
  moved: number;
  /** Why none has, and all were let go instead. */
  reason?: string;
}

/** What has come of the option `takeOver`. */
export interface TakenOver {
  /** How many clients have come. */
  clients: number;
  /** How many sockets they have been let in with. */
  sockets: number;
  /** How many of their sockets were not, by a middleware or since there is no such namespace. */
  refused: number;
  /** Why not all have come: nobody was there, the other process goes on, speaks another version or has ended, or this server was closed. */
  reason?: string;
}
