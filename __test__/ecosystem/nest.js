"use strict";

/** NestJS, whose gateway pins a version of npm's socket.io: by overrides it gets this package, with each package manager. */

const assert = require("node:assert/strict");
const path = require("node:path");
const { test } = require("node:test");
const { execute, installApp, runProgram } = require("./support/app");

const nest = (major) => ({
  ...Object.fromEntries(
    ["common", "core", "platform-express", "platform-socket.io", "websockets"].map((name) => [
      `@nestjs/${name}`,
      `^${major}.0.0`,
    ]),
  ),
  "reflect-metadata": "^0.2.0",
  rxjs: "^7.8.0",
});

/** A gateway, written as the compiler of TypeScript would, and a client of it. */
const GATEWAY = `
import "reflect-metadata";
import { createRequire } from "node:module";
import { Module } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import { SubscribeMessage, WebSocketGateway, WebSocketServer } from "@nestjs/websockets";
import { io } from "socket.io-client";

class Gateway {
  echo(client, text) {
    return { event: "echo", data: [text, client.conn.door !== undefined] };
  }
}
SubscribeMessage("echo")(Gateway.prototype, "echo", Object.getOwnPropertyDescriptor(Gateway.prototype, "echo"));
WebSocketServer()(Gateway.prototype, "server");
WebSocketGateway()(Gateway);
class App {}
Module({ providers: [Gateway] })(App);

const app = await NestFactory.create(App, { logger: ["error"] });
await app.listen(0, "127.0.0.1");
const client = io(await app.getUrl());
client.emit("echo", "hello");
const [text, isOurs] = await new Promise((resolve) => client.once("echo", resolve));
client.disconnect();
await app.close();
const framework = createRequire(import.meta.resolve("@nestjs/platform-socket.io"));
console.log(JSON.stringify([text, isOurs, framework("socket.io").implementation]));
`;

const served = (output) => JSON.parse(output.trim().split("\n").at(-1));

const ways = [
  ["npm", 11],
  ["npm", 12],
  ["pnpm", 11],
  ["yarn", 11, "node-modules"],
  ["yarn", 11, "pnp"],
  ["yarn 1", 11],
];
for (const [manager, major, linker] of ways) {
  test(`NestJS ${major}, installed by ${manager} ${linker ?? ""}`, async (t) => {
    const app = await installApp(t, manager, { dependencies: nest(major), linker });
    const flags =
      linker === "pnp" ? ["--require", "./.pnp.cjs", "--loader", "./.pnp.loader.mjs"] : [];
    const output = await runProgram(app, "gateway.mjs", GATEWAY, flags);
    assert.deepEqual(served(output), ["hello", true, "ferrosocket"]);
    if (linker === "pnp") return;
    const doctor = path.join("node_modules", "socket.io", "bin", "ferrosocket.js");
    const { code, output: said } = await execute(process.execPath, [doctor, "doctor"], app);
    assert.equal(code, 0, said);
  });
}

test("without overrides NestJS runs the original, and the doctor says so", async (t) => {
  const app = await installApp(t, "npm", { dependencies: nest(11), overrides: false });
  assert.deepEqual(served(await runProgram(app, "gateway.mjs", GATEWAY)), ["hello", false, null]);
  const doctor = path.join("node_modules", "socket.io", "bin", "ferrosocket.js");
  const { code, output } = await execute(process.execPath, [doctor, "doctor"], app);
  assert.equal(code, 1);
  assert.match(
    output,
    /- @nestjs\/platform-socket\.io gets npm's socket\.io 4\.8\.\d+: .*overrides/,
  );
});
