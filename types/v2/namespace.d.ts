import io = require("../../v2/index");

/** The class of namespaces; programs get them by `io.of()`. */
declare const Namespace: {
  new (server: io.Server, name: string): io.Namespace;
  prototype: io.Namespace;
};

export = Namespace;
