"use strict";

/** `socket.handshake`, whose parts are made when they are looked at (lib/api/handshake.js): it is as one that has always had them. */

const assert = require("node:assert/strict");
const net = require("node:net");
const { test } = require("node:test");
const { inspect } = require("node:util");

const { buildHandshake, isAsBuilt } = require("../lib/api/handshake");
const { RequestInfo } = require("../lib/engine/request-info");

const ISSUED = Date.UTC(2026, 0, 2, 3, 4, 5, 678);
const DOOR = {
  kind: "takeover",
  isTaken: true,
  clientAt: (peer) => peer,
  socketFor: () => new net.Socket(),
};
const LINES = ["Host", "here", "X-A", "1", "x-a", "2", "Cookie", "a=b", "Origin", "http://there"];

/** One whose parts have not been made, with what it is made of. */
function unseen(lines = LINES) {
  const socket = { encrypted: false, remoteAddress: undefined, remotePort: undefined };
  const first = { method: "GET", url: "/socket.io/?EIO=4&a=b", httpVersion: "1.1", socket };
  const addresses = { address: "192.0.2.1", port: 1, localAddress: "192.0.2.2", localPort: 2 };
  const info = new RequestInfo({ ...first, raw: lines.join("\n") }, DOOR, addresses);
  const { remoteAddress } = info;
  const auth = { token: "t" };
  return { info, lazy: buildHandshake({ requestInfo: () => info, remoteAddress }, auth, ISSUED) };
}

/** One whose parts have not been made, and one that is made of a request at once, which is the first one's, too. */
function both(lines = LINES) {
  const { info, lazy } = unseen(lines);
  const { remoteAddress } = info;
  const request = info.build();
  const { headers, socket, url, _query } = request;
  const stand = { headers, url, _query, socket: { encrypted: socket.encrypted } };
  const eager = buildHandshake({ request: stand, remoteAddress }, lazy.auth, ISSUED);
  return { lazy, eager, request };
}

/** Ways to look at one. */
const LOOKS = {
  "each property": (it) => Object.keys(it).map((key) => [key, it[key]]),
  "own names": (it) => Object.getOwnPropertyNames(it),
  "for … in"(it) {
    const names = [];
    for (const name in it) names.push(name);
    return names;
  },
  entries: (it) => Object.entries(it),
  json: (it) => JSON.stringify(it),
  spread: (it) => ({ ...it }),
  assign: (it) => Object.assign({}, it),
  rest({ auth: _auth, ...rest }) {
    return rest;
  },
  clone: (it) => structuredClone(it),
  inspect: (it) => inspect(it),
  format: (it) => inspect({ it }, { depth: 5, compact: false }),
  prototype: (it) => [Object.getPrototypeOf(it) === Object.prototype, it.constructor === Object],
  "flags of a property": (it) =>
    Object.values(Object.getOwnPropertyDescriptors(it)).map(({ enumerable, configurable }) => [
      enumerable,
      configurable,
    ]),
};

for (const [name, look] of Object.entries(LOOKS)) {
  test(`it is a plain object: ${name}`, () => {
    const { lazy, eager } = both();
    assert.deepEqual(look(lazy), look(eager));
  });
}

test("it equals a plain object", () => {
  const { lazy, eager } = both();
  assert.deepEqual(lazy, eager);
  assert.deepEqual(both().eager, both().lazy);
});

test("what it gives is the same each time, and the request's own", () => {
  const { lazy, request } = both();
  assert.equal(lazy.headers, lazy.headers);
  assert.equal(lazy.headers, request.headers);
  assert.equal(lazy.query, request._query);
  lazy.headers["x-added"] = "1";
  assert.equal(request.headers["x-added"], "1");
});

test("whether there was an Origin does not change with the headers", () => {
  for (const lines of [LINES, ["Host", "here"]]) {
    const { lazy, eager, request } = both(lines);
    if (eager.xdomain) delete request.headers.origin;
    else request.headers.origin = "http://there";
    assert.equal(lazy.xdomain, eager.xdomain);
    assert.equal(lazy.xdomain, lines === LINES);
  }
});

test("the request can be looked at through others", () => {
  const { request } = both();
  const { socket } = request;
  assert.ok(socket);
  for (const it of [new Proxy(request, {}), Object.create(request)]) {
    assert.equal(it.socket, socket);
    assert.equal(it.connection, socket);
    assert.equal(it.client, socket);
  }
});

test("no headers at all", () => {
  const { lazy, eager } = both([]);
  assert.deepEqual(lazy.headers, {});
  assert.deepEqual(lazy, eager);
});

for (const name of Object.keys(both().eager)) {
  test(`a program may change it: ${name}`, () => {
    const { lazy, eager } = both();
    for (const it of [lazy, eager]) it[name] = { of: "the program" };
    assert.deepEqual(lazy, eager);
    assert.deepEqual(Object.getOwnPropertyDescriptor(lazy, name).value, { of: "the program" });
    for (const it of [lazy, eager]) delete it[name];
    assert.equal(name in lazy, false);
    assert.deepEqual(Object.keys(lazy), Object.keys(eager));
    for (const it of [lazy, eager]) it[name] = "again";
    assert.deepEqual(lazy, eager);
  });
}

test("it can be looked at through others", () => {
  const { lazy, eager } = both();
  for (const through of [
    (it) => new Proxy(it, {}),
    (it) => Object.create(it),
    (it) => Object.freeze(it),
  ])
    for (const name of Object.keys(eager)) assert.deepEqual(through(lazy)[name], eager[name]);
});

test("it can be frozen", () => {
  const { lazy, eager } = both();
  Object.freeze(lazy);
  assert.deepEqual(lazy, eager);
  assert.throws(() => {
    lazy.headers = {};
  }, TypeError);
});

test("the text of its time is that of its date, whichever was asked for before", () => {
  const conn = { request: null, remoteAddress: undefined };
  for (const issued of [ISSUED, ISSUED + 321, ISSUED + 322, ISSUED, 0])
    assert.equal(buildHandshake(conn, {}, issued).time, new Date(issued).toString());
});

/** What a program may do with one, and whether it need not be carried to another process then. */
const TOUCHES = {
  nothing: [() => {}, true],
  "reads what is a value": [
    ({ auth, address, issued, secure, time, url }) => [auth, address, issued, secure, time, url],
    true,
  ],
  "changes auth": [(it) => (it.auth.token = "u"), true], // it is carried as that of the socket
  "assigns the same": [(it) => Object.assign(it, { auth: it.auth }), true],
  "assigns auth": [(it) => (it.auth = { token: "t" }), false],
  "reads headers": [(it) => it.headers, false],
  "changes query": [(it) => (it.query.more = "1"), false],
  "asks whether it has an Origin": [(it) => it.xdomain, false],
  "assigns headers": [(it) => (it.headers = {}), false],
  "assigns query": [(it) => (it.query = {}), false],
  "assigns xdomain": [(it) => (it.xdomain = true), false],
  "assigns address": [(it) => (it.address = "192.0.2.9"), false],
  "assigns time": [(it) => (it.time = "now"), false],
  "assigns issued": [(it) => (it.issued = 1), false],
  "assigns secure": [(it) => (it.secure = true), false],
  "assigns url": [(it) => (it.url = "/"), false],
  "adds something": [(it) => (it.user = "u"), false],
  "takes something away": [(it) => delete it.time, false],
  "replaces a getter": [(it) => Object.defineProperty(it, "query", { get: () => 1 }), false],
};

for (const [name, [touch, expected]] of Object.entries(TOUCHES)) {
  test(`whether it can be built again: a program ${name}`, () => {
    const { info, lazy } = unseen();
    const { address, auth } = lazy;
    touch(lazy);
    assert.equal(isAsBuilt(lazy, address, auth, ISSUED), expected);
    if (!expected) return;
    const again = buildHandshake({ requestInfo: () => info, remoteAddress: address }, auth, ISSUED);
    assert.deepEqual(again, lazy);
  });
}

test("one that was made of a request at once can't be built again", () => {
  const { eager } = both();
  assert.equal(isAsBuilt(eager, eager.address, eager.auth, ISSUED), false);
});
