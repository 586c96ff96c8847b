"use strict";

/**
 * How a Node.js would be that lacks a private part, or in which it does something else: changes to this one. Node.js itself finds
 * all as it was, and goes on. They are to be made before the library is loaded.
 */

const { EventEmitter, once } = require("node:events");
const http = require("node:http");
const net = require("node:net");
const tls = require("node:tls");

const CALLER = 3; // the line of a stack that names who has called the function which calls the one that looks

/** Whether who reads a property, or calls a method, is Node.js. */
function isNode() {
  return /[( ]node:/.test(new Error("where").stack.split("\n")[CALLER]);
}

/** Shows a property, or a method, of all objects of a class to nobody but Node.js. */
function hide({ prototype }, name) {
  const { value: ofClass } = Object.getOwnPropertyDescriptor(prototype, name) ?? {};
  const values = new WeakMap();
  Object.defineProperty(prototype, name, {
    get() {
      if (!isNode()) return undefined;
      return values.has(this) ? values.get(this) : ofClass;
    },
    set(value) {
      values.set(this, value);
    },
  });
}

/** Lets a method do its work only for Node.js, or for objects that it knows. */
function restrict({ prototype }, name, isKnown = () => false) {
  const method = prototype[name];
  prototype[name] = function (...args) {
    if (!isKnown(this) && !isNode()) throw new TypeError(`${name}() does something else`);
    return method.apply(this, args);
  };
}

/** The class of the handles of TCP sockets and servers. */
async function tcpClass() {
  const server = net.createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { constructor } = server._handle;
  server.close();
  await once(server, "close");
  return constructor;
}

/** The class of the parsers of HTTP servers. */
async function parserClass() {
  const server = http.createServer((req, res) => res.end()).listen(0, "127.0.0.1");
  await once(server, "listening");
  const client = net.connect(server.address().port, "127.0.0.1");
  const [socket] = await once(server, "connection");
  const { constructor } = socket.parser;
  client.destroy();
  server.close();
  await once(server, "close");
  return constructor;
}

/**
 * A way in which a part can be missing.
 *
 * @typedef {object} Way
 * @property {boolean} [isPossible] whether it can be so on this Node.js
 * @property {() => void | Promise<void>} change
 * @property {boolean} [isNoticed] whether that is noticed when the library is loaded: else with each object
 * @property {"all" | "upgrades"} [reads] what Node.js then has to read of the first requests of connections
 * @property {boolean} [bridged] whether WebSockets are not taken over
 * @property {boolean} [stays] whether polling connections stay with Node.js when it has read their first request
 */

/** @type {Record<string, Record<string, Way>>} by the name of a part */
const MISSING = {
  "count of connections": {
    "no number": {
      change: () => hide(net.Server, "_connections"),
      isNoticed: true,
      reads: "all",
      stays: true,
    },
    "no end": {
      change: () => hide(net.Server, "_emitCloseIfDrained"),
      isNoticed: true,
      reads: "all",
      stays: true,
    },
  },
  "settings of a server": {
    "another name": {
      change: () => hide(net.Server, "pauseOnConnect"),
      isNoticed: true,
      reads: "all",
      stays: true,
    },
  },
  "TLS of a server": {
    "another name": {
      change: () => hide(tls.Server, "_sharedCreds"),
      isNoticed: true,
    },
  },
  "headers of a request": {
    "no method": {
      change: () => hide(http.IncomingMessage, "_addHeaderLines"),
      isNoticed: true,
      reads: "all",
    },
    "another method": {
      change: () => restrict(http.IncomingMessage, "_addHeaderLines"),
      isNoticed: true,
      reads: "all",
    },
  },
  "classes of requests and responses": {
    "no symbols": {
      change() {
        const { getOwnPropertySymbols } = Object;
        Object.getOwnPropertySymbols = (object) =>
          object instanceof http.Server ? [] : getOwnPropertySymbols(object);
      },
      isNoticed: true,
      reads: "all",
      stays: true,
    },
  },
  "rule for upgrades": {
    "another name": {
      // where there is none, none can be missing
      isPossible: "shouldUpgradeCallback" in http.createServer(),
      change: () => hide(http.Server, "shouldUpgradeCallback"),
      isNoticed: true,
      reads: "upgrades",
    },
  },
  "handle of a socket": {
    "only handles of Node.js are closed": {
      async change() {
        const Tcp = await tcpClass();
        const { _destroy } = net.Socket.prototype;
        net.Socket.prototype._destroy = function (...args) {
          if (!(this._handle instanceof Tcp)) this._handle = null;
          return _destroy.apply(this, args);
        };
      },
      isNoticed: true,
      reads: "all",
      bridged: true,
      stays: true,
    },
    "no descriptor": {
      async change() {
        Object.defineProperty((await tcpClass()).prototype, "fd", { value: undefined });
      },
      reads: "all",
      bridged: true,
      stays: true,
    },
    "another class": {
      async change() {
        Object.defineProperty(await tcpClass(), "name", { value: "Stream" });
      },
      reads: "all",
      bridged: true,
      stays: true,
    },
  },
  accepting: {
    "no handle of a server": {
      change: () => hide(net.Server, "_handle"),
      reads: "all",
    },
    "nobody else may be told": {
      change() {
        const { listen } = net.Server.prototype;
        net.Server.prototype.listen = function (...args) {
          this.prependOnceListener("listening", () =>
            Object.defineProperty(this._handle, "onconnection", { writable: false }),
          );
          return listen.apply(this, args);
        };
      },
      reads: "all",
    },
  },
  "half-open connections": {
    "another name": { change: () => hide(http.Server, "httpAllowHalfOpen"), isNoticed: true },
  },
  "bytes of a response": {
    "another way to write": {
      change() {
        const { _send } = http.ServerResponse.prototype;
        const write = function (...args) {
          return Reflect.apply(_send, this, args);
        };
        // whatever is put there, Node.js writes by its own
        Object.defineProperty(http.ServerResponse.prototype, "_send", {
          get: () => write,
          set() {},
        });
      },
      isNoticed: true,
    },
  },
  parser: {
    "another name": { change: () => hide(net.Socket, "parser"), stays: true },
    ...Object.fromEntries(
      Object.entries({
        "no place for who is told": () => undefined,
        "it never tells": () => 99,
        "it tells of something else": ({ kOnHeadersComplete }) => kOnHeadersComplete,
      }).map(([name, place]) => {
        const change = async () => {
          const Parser = await parserClass();
          Parser.kOnMessageBegin = place(Parser);
        };
        return [name, { change, stays: true }];
      }),
    ),
  },
  "answer of a connection": {
    "no server": { change: () => hide(net.Socket, "_server"), stays: true },
    "no response": { change: () => hide(net.Socket, "_httpMessage"), stays: true },
  },
  "writing of texts": {
    "no method": { change: () => hide(Buffer, "latin1Write"), isNoticed: true },
    "another method": { change: () => restrict(Buffer, "utf8Write"), isNoticed: true },
  },
  "table of listeners": {
    "another place": { change: () => hide(EventEmitter, "_events"), isNoticed: true },
  },
  "emitter without listeners": {
    "the constructor has to be called": {
      change() {
        for (const name of ["on", "once", "emit", "listenerCount"])
          restrict(EventEmitter, name, ({ _events }) => _events !== undefined);
      },
      isNoticed: true,
    },
  },
};

module.exports = { MISSING };
