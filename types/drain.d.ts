/** How a server lets its clients go (see `io.drain()`). */
export interface DrainOptions {
  /** Over how many milliseconds they are let go. @default 30000 */
  over?: number;
  /** How many milliseconds a client has, when its turn has come, for answers to events that it owes. @default 5000 */
  acks?: number;
  /** When it is aborted, all that are left go at once. */
  signal?: AbortSignal;
  /** Called when some have been let go. */
  progress?: (progress: DrainProgress) => void;
}

/** How far it has come. */
export interface DrainProgress {
  /** How many clients there were. */
  clients: number;
  /** How many of them have not been let go; in the end: how many had to be cut off. */
  left: number;
}

/** At which signals a server lets its clients go, and how (see `shutdown` of the options). */
export interface ShutdownOptions extends Pick<DrainOptions, "over" | "acks"> {
  /** @default ["SIGTERM"] */
  signals?: NodeJS.Signals[];
}
