import io = require("../../v2/index");

/** The class of sockets; programs get them by "connection", and may add to its prototype. */
declare const Socket: {
  new (nsp: io.Namespace, client: io.Client, query: any): io.Socket;
  prototype: io.Socket;
};

export = Socket;
