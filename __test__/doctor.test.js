"use strict";

/** `npx ferrosocket doctor`: what it says of installations that are right, and of such as are not. */

const assert = require("node:assert/strict");
const fs = require("node:fs");
const path = require("node:path");
const { test } = require("node:test");
const { version } = require("../package.json");
const { addBinary, BINARY, install, link, runFile } = require("./support/installation");

/** Runs the command of an installation. */
const doctor = ({ app, ours }, args = [], env = {}) =>
  runFile(app, [path.join(ours, "bin", "ferrosocket.js"), "doctor", ...args], {
    DEBUG: "",
    ...env,
  });

/** Installs a package that depends on socket.io. */
function addDependent(modules, name) {
  const folder = path.join(modules, name);
  fs.mkdirSync(folder, { recursive: true });
  const manifest = { name, version: "1.0.0", dependencies: { "socket.io": "4.8.3" } };
  fs.writeFileSync(path.join(folder, "package.json"), JSON.stringify(manifest));
  return folder;
}

test("all is well where everybody gets this package, and the addon loads", async (t) => {
  const installation = install(t, "socket.io");
  addBinary(installation.ours);
  addDependent(installation.modules, "@some/framework");
  const { code, stdout, stderr } = await doctor(installation);
  assert.equal(code, 0, stdout + stderr);
  assert.match(stdout, new RegExp(`require\\("socket\\.io"\\) here +ferrosocket ${version}, `));
  assert.match(stdout, new RegExp(`in @some/framework 1\\.0\\.0 +ferrosocket ${version}, `));
  assert.match(stdout, new RegExp(`on +\\S+, .*Node\\.js ${process.versions.node}\n`));
  assert.match(stdout, new RegExp(`loaded +\\S+${BINARY}\n`));
  if (process.platform === "linux") assert.match(stdout, /Nothing here is against them/);
  assert.match(stdout, /All is well\n$/);
});

test("a package with an original of its own is named, with what mends it", async (t) => {
  const installation = install(t, "socket.io");
  addBinary(installation.ours);
  const dependent = addDependent(installation.modules, "framework");
  link(path.join(dependent, "node_modules"), "socket.io");
  const { code, stdout } = await doctor(installation);
  assert.equal(code, 1);
  assert.match(stdout, /in framework 1\.0\.0 +npm's socket\.io 4\.8\.4, \S+/);
  assert.match(stdout, /To be mended\n- framework gets npm's socket\.io 4\.8\.4: .*overrides/);
});

test("an addon that can't be loaded, and a program for which nothing is installed", async (t) => {
  const { app, ours, modules } = install(t);
  const { code, stdout } = await doctor({ app, ours });
  assert.equal(code, 1);
  assert.match(stdout, /- the addon can't be loaded, as the package \S+ is not installed: /);
  addBinary(ours);
  const elsewhere = await doctor({ app: path.dirname(app), ours });
  assert.equal(elsewhere.code, 1);
  assert.match(elsewhere.stdout, /- neither is installed here: npm i socket\.io@npm:ferrosocket/);
  link(modules, "socket.io");
  fs.renameSync(ours, path.join(app, "elsewhere"));
  const original = await doctor({ app, ours: path.join(app, "elsewhere") });
  assert.match(original.stdout, /- "socket\.io" is npm's here: /);
});

test("what the environment has against the fast ways is told", async (t) => {
  const installation = install(t, "socket.io");
  addBinary(installation.ours);
  const { stdout } = await doctor(installation, [], { DEBUG: "engine" });
  assert.match(stdout, /\n- debug scope engine: .*Closed: .*polling, when accepted/);
});

/** A program with a server; `more` is what it does to it. */
const program = (more) => `
  const { createServer } = require("node:http");
  const { Server } = require("socket.io");
  const server = createServer();
  const io = new Server(server);
  ${more}
  server.listen(0, "127.0.0.1", () => setImmediate(() => setImmediate(() => io.close())));
`;

test("a program is run, and what it does against the fast ways is told", async (t) => {
  const installation = install(t, "socket.io");
  addBinary(installation.ours);
  const file = path.join(installation.app, "server.js");
  fs.writeFileSync(file, program(""));
  const plain = await doctor(installation, ["server.js"]);
  if (process.platform === "linux")
    assert.match(plain.stderr, /^doctor: the server on 127\.0\.0\.1, port \d+: workers accept/);
  fs.writeFileSync(
    file,
    program("io.engine.use((req, res, next) => next()); process.exitCode = 3;"),
  );
  const { code, stderr } = await doctor(installation, ["server.js"]);
  assert.match(
    stderr,
    /^doctor: the server on .*:\n {2}.*io\.engine\.use\(\).*Closed: accepted by a worker/,
  );
  assert.equal(code, 3, "the exit code is that of the program");
});

test("a program is told for what reasons its workers speak no TLS", async (t) => {
  const installation = install(t, "socket.io");
  addBinary(installation.ours);
  const [key, cert] = ["key.pem", "cert.pem"].map((name) => path.join(__dirname, "fixtures", name));
  const secure = (more) => `
    const fs = require("node:fs");
    const told = { key: fs.readFileSync(${JSON.stringify(key)}), cert: fs.readFileSync(${JSON.stringify(cert)}) };
    const server = require("node:https").createServer(told);
    const io = new (require("socket.io").Server)(server, { tls: "native" });
    ${more}
    server.listen(0, "127.0.0.1", () => setImmediate(() => setImmediate(() => io.close())));
  `;
  const file = path.join(installation.app, "server.js");
  const word = /tls is "native", and Node\.js speaks it, for these reasons\n$/;
  for (const [more, isTold] of [
    ["", process.platform !== "linux"],
    ['server.on("connection", () => {});', true],
  ]) {
    fs.writeFileSync(file, secure(more));
    const { code, stderr } = await doctor(installation, ["server.js"]);
    assert.equal(code, 0, stderr);
    assert.equal(word.test(stderr), isTold, stderr);
  }
});

test("who asks for something else is told what there is", async (t) => {
  const { app, ours } = install(t);
  const { code, stderr } = await runFile(app, [path.join(ours, "bin", "ferrosocket.js"), "help"]);
  assert.equal(code, 2);
  assert.match(stderr, /^ferrosocket doctor /);
});
