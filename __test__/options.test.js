"use strict";

/** The table of options: what is refused and how, and that declarations and documents say what the code does. */

const assert = require("node:assert/strict");
const fs = require("node:fs");
const http = require("node:http");
const path = require("node:path");
const { test } = require("node:test");
const { Server } = require("..");
const OldServer = require("../v2");
const { OPTIONS } = require("../lib/base/options");

const TYPES = fs.readFileSync(path.join(__dirname, "..", "types", "options.d.ts"), "utf8");
const DOCUMENT = fs.readFileSync(path.join(__dirname, "..", "docs", "OPTIONS.md"), "utf8");

const make = (options, Class = Server) => new Class(http.createServer(), options);

function refused(error) {
  assert.equal(error.code, "SIO_ERR_INVALID_OPTION", error.stack);
  assert.match(error.message, /^option \w+[.\w]* can't be [^]+: .+/);
  return error instanceof TypeError;
}

const throwing = { valueOf: () => assert.fail("no number") };
const REFUSED = {
  pingInterval: [5n, Symbol("x"), Object.create(null), throwing],
  pingTimeout: [5n, Symbol("x")],
  upgradeTimeout: [5n, Symbol("x")],
  connectTimeout: [5n, Symbol("x")],
  destroyUpgradeTimeout: [5n],
  httpRequestBodyTimeout: [5n],
  maxBufferedChunks: [Symbol("x")],
  maxHttpBufferSize: [5n, Symbol("x"), 0, -1, null, "", false, 0.5],
  transports: [null, undefined, 5, { polling: true }, new Set(["polling"])],
  allowRequest: [true, "x", {}],
  path: [5, {}, ["/x"]],
  parser: [{}, { Encoder: String }, "x"],
  cookie: [{ name: "a b" }, { sameSite: "x" }, { domain: "-" }, { maxAge: "x" }, { path: ";" }],
  perMessageDeflate: [
    { serverMaxWindowBits: 7 },
    { clientMaxWindowBits: 16 },
    { zlibDeflateOptions: { level: 10 } },
    { zlibDeflateOptions: { level: "6" } },
  ],
  workers: [0, 17, "x", null],
  maxBufferedBytes: ["x", 0, -1, NaN],
  bufferPolicy: ["x", null],
  shutdown: [
    true,
    "SIGTERM",
    [],
    ["SIGKILL"],
    ["TERM"],
    { over: -1 },
    { acks: "5" },
    { signals: "SIGTERM" },
  ],
  proxyProtocol: [1, "10.0.0.0/8", {}, { from: [] }, { from: ["x"] }, { from: [""] }, { from: 1 }],
  admission: [1, "x", { age: 1 }, { inboxAge: 0 }, { inboxBytes: "5" }, { memory: NaN }],
  trustProxy: [
    -1,
    0.5,
    "1",
    "",
    "10.0.0.0/33",
    "fe80::1%lo",
    "a.b.c.d",
    [1],
    ["loopback", ""],
    () => true,
    { proxies: "x" },
    { proxies: 1, header: "a b" },
    { proxies: 1, header: 5 },
  ],
  takeOver: [true, 1, "", null, "x".repeat(108), "a\0b"],
  metrics: [
    1,
    "/metrics",
    { path: "metrics" },
    { allow: "10.0.0.0/8" },
    { allow: ["10.0.0.0/33"] },
    { allow: ["localhost"] },
  ],
  connectionStateRecovery: [{ maxDisconnectionDuration: 5n }, { maxStoredBytes: -1 }],
};

for (const [name, values] of Object.entries(REFUSED))
  for (const value of values)
    test(`refused in the constructor: ${name}, ${describe(value)}`, () => {
      for (const Class of [Server, OldServer])
        assert.throws(() => make({ [name]: value }, Class), refused);
    });

function describe(value) {
  if (typeof value === "bigint" || typeof value === "symbol") return String(value);
  return typeof value === "object" && value !== null
    ? Object.keys(value).join() || value.constructor?.name
    : JSON.stringify(value);
}

test("a httpCompression that throws is refused in the constructor", () => {
  assert.throws(() => make({ httpCompression: { level: 99 } }), { code: "ERR_OUT_OF_RANGE" });
  const message = "no threshold";
  const httpCompression = Object.defineProperty({}, "threshold", {
    enumerable: true,
    get() {
      throw new Error(message);
    },
  });
  assert.throws(() => make({ httpCompression }), { message });
});

test("a time that makes clients come and go is told of", async () => {
  const warnings = [];
  const listen = (warning) => warnings.push(warning.message);
  process.on("warning", listen);
  make({
    pingTimeout: undefined,
    pingInterval: "25000",
  });
  await new Promise((resolve) => setImmediate(resolve));
  process.off("warning", listen);
  assert.deepEqual(warnings, [
    "option pingTimeout is undefined, which setTimeout() takes for 1 ms",
  ]);
});

/** @returns {string[]} the options that an interface declares, each with its comment */
function declared(name) {
  const start = TYPES.search(new RegExp(`export interface ${name}\\b`));
  const end = TYPES.indexOf("\n}", start);
  return TYPES.slice(start, end);
}

const INTERFACES = {
  server: "ServerOptions",
  engine: "EngineOptions",
  attach: "AttachOptions",
  connectionStateRecovery: "ConnectionStateRecoveryOptions",
};

test("the declarations have the options of the table, with their defaults, and no others", () => {
  for (const [of, name] of Object.entries(INTERFACES)) {
    const text = declared(name);
    const own = OPTIONS.filter((option) => option.of === of);
    const names = [...text.matchAll(/^ {2}(\w+)\??:/gm)].map((match) => match[1]);
    assert.deepEqual(
      names.filter((one) => one !== "path" || of === "server").sort(),
      own.map((option) => option.name).sort(),
      name,
    );
    for (const { name: option, value } of own) {
      if (value === undefined) continue;
      const comment = text.slice(0, text.search(new RegExp(`^ {2}${option}\\??:`, "m")));
      const last = comment.slice(comment.lastIndexOf("/**"));
      const [, told] = last.match(/@default (.+?)(?: \*\/|\n)/) ?? [];
      if (told === undefined) assert.fail(`${option} has no @default`);
      assert.deepEqual(evaluate(told), value, option);
    }
  }
});

/** The value of an `@default`: JSON, or an object with plain keys. */
function evaluate(text) {
  return JSON.parse(text.trim().replaceAll(/(\w+): /g, '"$1": '));
}

test("the document has all options", () => {
  for (const { name, bounds } of OPTIONS) {
    const row = DOCUMENT.split("\n").find((line) => line.startsWith(`| \`${name}\``));
    assert.ok(row !== undefined, name);
    assert.ok(row.replaceAll("\\|", "|").includes(bounds), name);
  }
});
