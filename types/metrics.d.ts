import type { IncomingMessage } from "http";

/** How many values were how large. */
export interface MetricDistribution {
  /** How many there were. */
  count: number;
  /** All of them together. */
  sum: number;
  /** Up to what, and how many were so or less; the last bound is `Infinity`. */
  buckets: [bound: number, count: number][];
}

/** A value of a metric. */
export interface MetricSample {
  /** What it is of; few in number, whatever clients name. */
  labels: Record<string, string>;
  /** A number, or the distribution of a histogram. */
  value: number | MetricDistribution;
}

/** A metric, with all its values. */
export interface Metric {
  type: "counter" | "gauge" | "histogram";
  /** `"seconds"` or `"bytes"`, where its values have one. */
  unit?: "seconds" | "bytes";
  /** What it tells. */
  help: string;
  values: MetricSample[];
}

/** Who may read the metrics, and where (see `metrics` of the options). */
export interface MetricsOptions {
  /** Their path. @default "/metrics" */
  path?: string;
  /**
   * From where they may be read: addresses and networks, as in `["10.0.0.0/8"]`; or a function that is given the request.
   * Without a function, no request is answered that has come by a proxy.
   *
   * @default this machine and private networks
   */
  allow?: readonly string[] | ((req: IncomingMessage) => unknown);
}

/** Whether a server is to be sent clients. */
export interface Health {
  ready: boolean;
  /**
   * `"overloaded"`: the event loop is far behind, or was a moment ago; `"draining"`: `io.drain()` was called; `"closed"`: it
   * takes no clients, as it was closed or does not listen yet.
   */
  status: "ready" | "overloaded" | "draining" | "closed";
  /** Why it is not ready, in words. */
  reasons: string[];
}
