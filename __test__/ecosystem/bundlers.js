"use strict";

/** Servers that are bundled: the package is kept out of the bundle, or its binary is copied beside. */

const assert = require("node:assert/strict");
const fs = require("node:fs");
const path = require("node:path");
const { test } = require("node:test");
const { execute, installApp, succeed } = require("./support/app");

const SERVER = `
const { createServer } = require("node:http");
const io = require("socket.io");
const { io: connect } = require("socket.io-client");
const httpServer = createServer();
const server = new io.Server(httpServer);
server.on("connection", (socket) => socket.on("echo", (text, reply) => reply(text)));
httpServer.listen(0, "127.0.0.1", async () => {
  const client = connect("http://127.0.0.1:" + httpServer.address().port);
  console.log(await client.emitWithAck("echo", "hello"), io.implementation);
  client.disconnect();
  server.close();
});
`;

/** An app with a bundler and a server in it. */
async function prepare(t, dependencies) {
  const app = await installApp(t, "npm", { dependencies });
  fs.writeFileSync(path.join(app, "server.js"), SERVER);
  return {
    app,
    tool: (name, ...args) =>
      succeed(process.execPath, [path.join("node_modules", name), ...args], app),
    /** Puts the bundle where no packages are, and runs it. */
    async runAlone(folder) {
      fs.rmSync(path.join(app, "node_modules"), { recursive: true });
      return execute(process.execPath, [path.join(folder, "server.js")], app);
    },
  };
}

const esbuild = ["esbuild/bin/esbuild", "server.js", "--bundle", "--platform=node", "--outdir=out"];

test("esbuild, the package kept out", async (t) => {
  const { app, tool } = await prepare(t, { esbuild: "^0.28.0" });
  await tool(...esbuild, "--external:socket.io");
  assert.equal(await succeed(process.execPath, ["out/server.js"], app), "hello ferrosocket\n");
});

test("esbuild, all in one and the binary copied", async (t) => {
  const { tool, runAlone } = await prepare(t, { esbuild: "^0.28.0" });
  await tool(...esbuild, "--loader:.node=copy");
  const { output } = await runAlone("out");
  assert.equal(output, "hello ferrosocket\n");
});

test("esbuild, the binary as a file: the error says what to do instead", async (t) => {
  const { tool, runAlone } = await prepare(t, { esbuild: "^0.28.0" });
  await tool(...esbuild, "--loader:.node=file");
  const { code, output } = await runAlone("out");
  assert.equal(code, 1);
  assert.match(output, /a bundler has put something else in its place\.\n.*--external:socket\.io/);
});

test("webpack, the package kept out", async (t) => {
  const { app, tool } = await prepare(t, { webpack: "^5.0.0", "webpack-cli": "^6.0.0" });
  const config = {
    target: "node",
    mode: "production",
    entry: "./server.js",
    output: { path: path.join(app, "out"), filename: "server.js" },
    externals: { "socket.io": "commonjs socket.io" },
  };
  fs.writeFileSync(
    path.join(app, "webpack.config.js"),
    `module.exports = ${JSON.stringify(config)};`,
  );
  await tool("webpack-cli/bin/cli.js");
  assert.equal(await succeed(process.execPath, ["out/server.js"], app), "hello ferrosocket\n");
});

test("a bundle without the binary, and without the package: the error says what to do instead", async (t) => {
  const { tool, runAlone } = await prepare(t, { esbuild: "^0.28.0" });
  await tool(...esbuild, "--external:*.node", "--external:@ferrosocket/*");
  const { code, output } = await runAlone("out");
  assert.equal(code, 1);
  assert.match(output, /the program is bundled, and the binary is not in the bundle\./);
});
