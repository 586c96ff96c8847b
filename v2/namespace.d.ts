import io = require("./index");

/** The class of namespaces; programs get them by `io.of()`. */
declare const Namespace: {
  new (server: io.Server, name: string): io.Namespace;
  prototype: io.Namespace;
  /** Events that `emit()` gives to listeners only; programs may add to it. */
  events: string[];
  /** The getters that set a flag. */
  flags: string[];
};

export = Namespace;
