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

test("rollup, the package kept out", async (t) => {
  const { app, tool } = await prepare(t, {
    rollup: "^4.0.0",
    "@rollup/plugin-commonjs": "^28.0.0",
    "@rollup/plugin-node-resolve": "^16.0.0",
  });
  fs.writeFileSync(
    path.join(app, "rollup.config.mjs"),
    `import commonjs from "@rollup/plugin-commonjs";
    import resolve from "@rollup/plugin-node-resolve";
    export default {
      input: "server.js",
      output: { file: "out/server.js", format: "cjs" },
      external: ["socket.io"],
      plugins: [resolve(), commonjs()],
    };`,
  );
  await tool("rollup/dist/bin/rollup", "--config", "--silent");
  assert.equal(await succeed(process.execPath, ["out/server.js"], app), "hello ferrosocket\n");
});

test("ncc, all in one: it copies the binary by itself", async (t) => {
  const { app, tool, runAlone } = await prepare(t, { "@vercel/ncc": "^0.45.0" });
  await tool("@vercel/ncc/dist/ncc/cli.js", "build", "server.js", "--out", "out");
  fs.renameSync(path.join(app, "out", "index.js"), path.join(app, "out", "server.js"));
  const { output } = await runAlone("out");
  assert.equal(output, "hello ferrosocket\n");
});

/** Marks the place in the binary of Node.js where the blob belongs. */
const FUSE = "NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2";

test("a single executable of Node.js, with the binary beside it", async (t) => {
  const { app, tool } = await prepare(t, { esbuild: "^0.28.0", postject: "^1.0.0-alpha.6" });
  // What an executable is given as `require` finds nothing but what Node.js brings.
  const banner = 'require = require("node:module").createRequire(process.execPath);';
  await tool(...esbuild, "--loader:.node=copy", `--banner:js=${banner}`);
  const config = {
    main: "out/server.js",
    output: "server.blob",
    disableExperimentalSEAWarning: true,
  };
  fs.writeFileSync(path.join(app, "sea.json"), JSON.stringify(config));
  await succeed(process.execPath, ["--experimental-sea-config", "sea.json"], app);
  const executable = path.join(app, "out", "server");
  fs.copyFileSync(process.execPath, executable);
  fs.rmSync(path.join(app, "out", "server.js"));
  const flags = ["NODE_SEA_BLOB", "server.blob", "--sentinel-fuse", FUSE];
  await tool("postject/dist/cli.js", executable, ...flags);
  fs.rmSync(path.join(app, "node_modules"), { recursive: true });
  assert.equal(await succeed(executable, [], app), "hello ferrosocket\n");
});

test("a bundle without the binary, and without the package: the error says what to do instead", async (t) => {
  const { tool, runAlone } = await prepare(t, { esbuild: "^0.28.0" });
  await tool(...esbuild, "--external:*.node", "--external:@ferrosocket/*");
  const { code, output } = await runAlone("out");
  assert.equal(code, 1);
  assert.match(output, /the program is bundled, and the binary is not in the bundle\./);
});
