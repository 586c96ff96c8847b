// Packages that we depend on and that declare no types: what is used of them.

declare module "debug" {
  interface Debugger {
    (format: string, ...args: unknown[]): void;
    readonly enabled: boolean;
  }
  const createDebug: {
    (scope: string): Debugger;
    /** Those that are on, as they were asked for. */
    readonly namespaces?: string;
  };
  export = createDebug;
}

declare module "accepts" {
  import type { IncomingMessage } from "node:http";
  function accepts(req: IncomingMessage): {
    /** The best of those that are given; false: none will do. */
    encodings(given: string[]): string | false;
  };
  export = accepts;
}
