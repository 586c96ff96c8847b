"use strict";

// What npm socket.io 2.x has, for which there are no declarations of its own: read from its objects at run time, and
// from its scripts.

const { EventEmitter } = require("node:events");
const http = require("node:http");
const path = require("node:path");
const ts = require("typescript");
const { walk } = require("./scripts");

/** Where npm has put it. */
const PACKAGE = path.dirname(path.dirname(require.resolve("socket.io-2")));
/** What its own requires find. */
const theirs = (name) => require.resolve(name, { paths: [PACKAGE] });

/** The scripts whose classes are compared, by the title of the class. */
const SCRIPTS = {
  Server: path.join(PACKAGE, "lib/index.js"),
  Namespace: path.join(PACKAGE, "lib/namespace.js"),
  ParentNamespace: path.join(PACKAGE, "lib/parent-namespace.js"),
  Socket: path.join(PACKAGE, "lib/socket.js"),
  Client: path.join(PACKAGE, "lib/client.js"),
  Adapter: theirs("socket.io-adapter"),
};

/** The scripts that read options. */
const OPTION_SCRIPTS = [SCRIPTS.Server, path.join(path.dirname(theirs("engine.io")), "server.js")];

/** Node.js writes these into every emitter. */
const EMITTER = new Set(Object.getOwnPropertyNames(new EventEmitter()).concat("domain"));

/** @returns {Record<string, any>} one object of each class, made without a connection */
function oldSpecimens() {
  const server = require(SCRIPTS.Server)(http.createServer());
  const conn = Object.assign(new EventEmitter(), {
    id: "sid",
    request: { headers: {}, url: "/", connection: {} },
  });
  const Client = require(SCRIPTS.Client);
  const Socket = require(SCRIPTS.Socket);
  const namespace = server.of("/specimen");
  const client = new Client(server, conn);
  return {
    Server: server,
    Namespace: namespace,
    ParentNamespace: server.of(/specimens/),
    Client: client,
    Socket: new Socket(namespace, client, {}),
    Adapter: namespace.adapter,
  };
}

/**
 * @param {object} object
 * @returns {string[]} what it and its classes have, but for what every emitter has
 */
function membersOf(object) {
  const names = new Set(Object.keys(object).filter((name) => !EMITTER.has(name)));
  for (
    let prototype = Object.getPrototypeOf(object);
    prototype !== EventEmitter.prototype && prototype !== Object.prototype;
    prototype = Object.getPrototypeOf(prototype)
  ) {
    for (const name of Object.getOwnPropertyNames(prototype))
      if (name !== "constructor" && !(name in EventEmitter.prototype && name !== "emit"))
        names.add(name);
  }
  return [...names];
}

/**
 * @param {any} holder
 * @param {string} name
 * @returns {string} what kind of thing is there; "" when nothing is
 */
function shapeOf(holder, name) {
  if (!(name in holder)) return "";
  const value = holder[name];
  if (typeof value === "function") return "method";
  if (Array.isArray(value)) return "array";
  if (value instanceof Map) return "Map";
  if (value instanceof Set) return "Set";
  return value === undefined || value === null ? "property" : typeof value;
}

/**
 * @param {string} title of a class
 * @returns {Set<string>} the methods that comments call private: `Title.prototype.name = …` below `@api private`
 */
function privateMethods(title) {
  /** @type {Set<string>} */
  const names = new Set();
  walk(SCRIPTS[title], (node) => {
    if (!ts.isExpressionStatement(node)) return;
    const source = node.getSourceFile().text;
    const last = ts.getLeadingCommentRanges(source, node.getFullStart())?.at(-1);
    if (last === undefined || !source.slice(last.pos, last.end).includes("@api private")) return;
    // a = b = function
    for (
      let { expression } = node;
      ts.isBinaryExpression(expression);
      expression = expression.right
    ) {
      const { left } = expression;
      if (ts.isPropertyAccessExpression(left) && left.expression.getText() === `${title}.prototype`)
        names.add(left.name.text);
    }
  });
  return names;
}

/** @returns {string[]} the options that are read: `opts.name` */
function oldOptions() {
  /** @type {Set<string>} */
  const names = new Set();
  for (const script of OPTION_SCRIPTS) {
    walk(script, (node) => {
      if (!ts.isPropertyAccessExpression(node) || !ts.isIdentifier(node.expression)) return;
      if (["opts", "options"].includes(node.expression.text)) names.add(node.name.text);
    });
  }
  return [...names];
}

module.exports = { SCRIPTS, membersOf, oldOptions, oldSpecimens, privateMethods, shapeOf };
