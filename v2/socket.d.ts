import io = require("./index");

/** The class of sockets; programs get them by "connection", and may add to its prototype. */
declare const Socket: {
  new (nsp: io.Namespace, client: io.Client, query: any): io.Socket;
  prototype: io.Socket;
  /** Events that `emit()` gives to listeners only; programs may add to it. */
  events: string[];
};

export = Socket;
