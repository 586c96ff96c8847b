"use strict";

/** Frameworks and packages that use socket.io: each sample does the same on this package as on npm's. */

const assert = require("node:assert/strict");
const fs = require("node:fs");
const path = require("node:path");
const { test } = require("node:test");
const ts = require("typescript");
const { succeed } = require("./support/app");
const { installTwice, sameOutput } = require("./support/samples");

/** Takes out the deprecations that packages cause. @param {string} output */
const withoutWarnings = (output) =>
  output
    .split("\n")
    .filter((line) => !/^\(node:\d+\)|^\(Use `node --trace/.test(line))
    .join("\n");

/** What a sample is called; its programs; the packages that bring socket.io by themselves; and a line that both have to print. */
const samples = [
  ["Express 5 with sessions and passport", "express", ["main.js"], [], "closed"],
  ["Koa with sessions", "koa", ["main.js"], [], "closed"],
  [
    "Fastify 5, with fastify-socket.io and without",
    "fastify",
    ["main.js"],
    ["fastify-socket.io"],
    "closed",
  ],
  ["Feathers", "feathers", ["main.js"], ["@feathersjs/socketio"], "closed"],
  ["OpenTelemetry", "otel", ["main.js"], [], "hello"],
  [
    "socket.io-stream, @thream/socketio-jwt, socket.io-msgpack-parser",
    "packages",
    ["streams.js", "tokens.js", "msgpack.js"],
    ["@thream/socketio-jwt"],
    "closed",
  ],
];

for (const [title, name, programs, users, line] of samples) {
  test(title, async (t) => {
    const installed = await installTwice(t, name, users);
    for (const program of programs) {
      const output = await sameOutput(installed, [program], withoutWarnings);
      assert.ok(output.split("\n").includes(line), output);
    }
  });
}

test("a NestJS gateway in its testing module", async (t) => {
  const installed = await installTwice(t, "nest", ["@nestjs/platform-socket.io"]);
  const compilerOptions = {
    module: ts.ModuleKind.CommonJS,
    target: ts.ScriptTarget.ES2022,
    experimentalDecorators: true,
    emitDecoratorMetadata: true,
  };
  for (const { app } of installed) {
    const source = fs.readFileSync(path.join(app, "main.ts"), "utf8");
    const { outputText } = ts.transpileModule(source, { compilerOptions });
    fs.writeFileSync(path.join(app, "main.js"), outputText);
  }
  const output = await sameOutput(installed, ["main.js"]);
  assert.match(output, /^closed true,true,true$/m);
});

/** Takes out what Next.js says: it tells how long it took to compile what. @param {string} output */
const ofSample = (output) => output.match(/^(socket|page|missing|closed).*$/gm).join("\n");

test("Next.js with a server of one's own, built and in development", async (t) => {
  const installed = await installTwice(t, "next");
  for (const { app } of installed)
    await succeed(process.execPath, ["node_modules/next/dist/bin/next", "build"], app);
  for (const mode of ["built", "dev"]) {
    const output = await sameOutput(installed, ["main.js", mode], ofSample);
    assert.match(output, /^closed$/m);
  }
});
