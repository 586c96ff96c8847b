"use strict";

/**
 * The addon can't be loaded: what each entry says when it is required, in real installations; and npm's socket.io, which serves in
 * its place when it is asked to.
 */

const assert = require("node:assert/strict");
const fs = require("node:fs");
const path = require("node:path");
const { test } = require("node:test");
const { dependencies, version } = require("../package.json");
const { advise } = require("../lib/base/addon-error");
const { addBinary, BINARY, PLATFORM, install, link, run } = require("./support/installation");

const [NODE_MAJOR] = process.versions.node.split(".").map(Number);
const PERMISSION = NODE_MAJOR < 23 ? "--experimental-permission" : "--permission";
const ORIGINAL = "socket.io-original";

/** Requires an entry, and prints what it throws. */
const requiring = (entry) =>
  `try { require(${JSON.stringify(entry)}); console.log("loaded"); } catch (error) { console.log(error.code, error.message); }`;

/** Checks the error of a program that requires the package. */
async function refuses(app, problem, fix, { entry = "ferrosocket", ...options } = {}) {
  const { stdout, stderr } = await run(app, requiring(entry), options);
  assert.match(stdout, /^SIO_ERR_ADDON /, stderr);
  const [first, second] = stdout.split("\n");
  const platform = options.platform ?? PLATFORM;
  assert.ok(
    first.startsWith(
      `SIO_ERR_ADDON ferrosocket ${version} can't load its native addon on ${platform}, `,
    ),
    first,
  );
  assert.ok(first.includes(`Node.js ${process.versions.node}: `), first);
  assert.match(first, problem);
  assert.match(second, fix);
  return stdout;
}

const place = (ours, file = BINARY) => path.join(ours, "native", file);

test("the package was installed without its optional dependencies", async (t) => {
  const { app } = install(t);
  for (const entry of ["ferrosocket", "ferrosocket/v2", "ferrosocket/dist/socket"]) {
    const text = await refuses(app, /binding-\S+ is not installed\.$/, /--include=optional/, {
      entry,
    });
    assert.match(text, /The loader said:\n {4}Cannot find module/);
    assert.equal(text.includes("Until then: npm i socket.io-original"), !entry.endsWith("/v2"));
  }
});

test("an error that nobody catches is shown with all of it", async (t) => {
  const { app } = install(t);
  const { code, stderr } = await run(app, 'require("ferrosocket")');
  assert.equal(code, 1);
  assert.match(stderr, /is not installed\.\n {2}To mend it: install again/);
});

test("what was installed is the binary of another platform", async (t) => {
  const { app, modules } = install(t);
  fs.mkdirSync(path.join(modules, "@ferrosocket", "binding-plan9-x64"), { recursive: true });
  await refuses(
    app,
    new RegExp(`is the binary for plan9-x64, and this is ${PLATFORM}\\.$`),
    /on the system where it runs/,
  );
});

test("there is no binary for the platform", async (t) => {
  const { app } = install(t);
  fs.writeFileSync(
    path.join(app, "riscv.js"),
    'Object.defineProperty(process, "arch", { value: "riscv64" });',
  );
  await refuses(
    app,
    /there is no binary for \S+-riscv64\S*, but for linux-x64-gnu, /,
    /from a clone/,
    {
      args: ["--require", "./riscv.js"],
      platform: PLATFORM.replace(process.arch, "riscv64"),
    },
  );
});

test("a clone has not been built, and nothing is installed in it", async (t) => {
  const { app, ours, modules } = install(t);
  for (const name of Object.keys(dependencies)) fs.rmSync(path.join(modules, name));
  fs.writeFileSync(path.join(ours, "Cargo.toml"), "");
  await refuses(app, /this clone has not been built\.$/, /run npm run build in /);
});

test("the binary is damaged", async (t) => {
  const { app, ours } = install(t);
  for (const content of ["", "garbage"]) {
    fs.writeFileSync(place(ours), content);
    await refuses(app, /its binary is damaged, or is none for /, /rm -rf node_modules/);
  }
});

test("the permission model, or --no-addons, forbids addons", async (t) => {
  const { app, ours } = install(t);
  addBinary(ours);
  const forbidden = [/forbids addons\.$/, /--allow-addons/];
  await refuses(app, ...forbidden, { args: ["--no-addons"] });
  const args = [PERMISSION, "--allow-fs-read=*"];
  await refuses(app, ...forbidden, { args });
  const { stdout, stderr } = await run(app, requiring("ferrosocket"), {
    args: [...args, "--allow-addons"],
  });
  assert.equal(stdout, "loaded\n", stderr);
});

test("a bundler has put something else in its place", async (t) => {
  const { app, ours } = install(t);
  fs.writeFileSync(place(ours, "index.js"), 'module.exports = "./ferrosocket.node";');
  await refuses(
    app,
    /: a bundler has put something else in its place\.$/,
    /--external:socket\.io /,
  );
  fs.writeFileSync(place(ours, "index.js"), 'module.exports = require("./ferrosocket.node");');
  fs.writeFileSync(path.join(ours, "package.json"), '{ "name": "program", "version": "4.8.4" }');
  const { stdout } = await run(app, requiring("./node_modules/ferrosocket"));
  assert.match(stdout, /: the program is bundled, and the binary is not in the bundle\./);
});

test("the binary was built from other sources than the JavaScript", async (t) => {
  const { app, ours } = install(t);
  addBinary(ours);
  const numbers = place(ours, "border.js");
  const text = fs.readFileSync(numbers, "utf8");
  const { CONTRACT } = require("../native/border");
  assert.ok(CONTRACT.startsWith(`${version} `), "Cargo.toml and package.json have one version");
  fs.writeFileSync(numbers, text.replace(CONTRACT, `${version} another`));
  await refuses(app, /: its binary was built from other sources than its JavaScript\.$/, /rm -rf/);
  fs.writeFileSync(path.join(ours, "Cargo.toml"), "");
  await refuses(app, /built from other sources than its JavaScript\.$/, /run npm run build in /);
});

test("the binary has another version than the JavaScript, or is from before it told", async (t) => {
  const { app, ours } = install(t);
  const loader = place(ours, "index.js");
  fs.writeFileSync(
    loader,
    "exports.DataPlane = class { static contract() { return '4.8.3 0'; } };",
  );
  await refuses(app, /: its binary is of version 4\.8\.3, and its JavaScript of \d/, /rm -rf/);
  fs.writeFileSync(loader, "exports.DataPlane = class {};");
  await refuses(app, /: its binary was built from other sources than its JavaScript\.$/, /rm -rf/);
});

test("each thing that loaders say has its advice", () => {
  const here = {
    platform: "linux-x64-gnu",
    runtime: "Node.js 20.0.0",
    libc: "glibc 2.27",
    deno: false,
    bundled: false,
    clone: false,
    others: [],
  };
  const rows = [
    [
      "/lib/libc.so.6: version `GLIBC_2.28' not found (required by /a.node)",
      /needs glibc 2\.28 or newer/,
    ],
    ["Error loading shared library libc.musl-x86_64.so.1: No such file", /another C library/],
    ["libgcc_s.so.1: cannot open shared object file: No such file", /another C library/],
    ["Error relocating /a.node: gnu_get_libc_version: symbol not found", /another C library/],
    ["/a.node: failed to map segment: Operation not permitted", /map the file as code/],
    ["dlopen(/a.node, 0x0001): tried: '/a.node' (not a mach-o file)", /damaged/],
    ["(mach-o file, but is an incompatible architecture (have 'x86_64'))", /damaged/],
    ["\\\\?\\C:\\a.node is not a valid Win32 application.", /damaged/],
    ["/a.node: wrong ELF class: ELFCLASS32", /damaged/],
    ["something new", /can't be loaded/],
    ["Access to this API has been restricted. Use --allow-fs-read", /reading/],
  ];
  const missing = "Cannot find module './a.node'";
  for (const [said, problem] of rows)
    assert.match(advise([missing, said, missing], here).problem, problem);
  const refused = 'Requires ffi access to "/a.node", run again with the --allow-ffi flag';
  assert.match(advise([refused, missing], { ...here, deno: true }).fix, /deno run --allow-ffi/);
});

test("npm's socket.io serves in its place when it is asked to, and says so once", async (t) => {
  const { app, modules } = install(t, "socket.io");
  link(modules, "socket.io", ORIGINAL);
  const { code, stdout, stderr } = await run(
    app,
    `
    const io = require("socket.io");
    const original = require("${ORIGINAL}");
    const { io: connect } = require("socket.io-client");
    console.log(io === original, io.implementation);
    for (const part of ["socket", "namespace", "index"])
      console.log(require("socket.io/dist/" + part).Socket === original[part === "namespace" ? "" : "Socket"]);
    const engine = require("socket.io/engine.io");
    const theirs = require.resolve("engine.io", { paths: [require.resolve("${ORIGINAL}")] });
    console.log(engine === require(theirs), engine.implementation);
    import("socket.io").then(({ Server }) => {
      const server = new Server(0);
      server.on("connection", (socket) => socket.on("ask", (reply) => reply("alive")));
      const client = connect("http://127.0.0.1:" + server.httpServer.address().port);
      client.emit("ask", (answer) => {
        console.log(answer, Server === original.Server);
        client.close();
        server.close();
      });
    });
    `,
    { env: { FERROSOCKET_FALLBACK: ORIGINAL } },
  );
  assert.equal(code, 0, stderr);
  assert.equal(stdout, "true undefined\ntrue\ntrue\ntrue\ntrue undefined\nalive true\n");
  const told = stderr.split("\n").filter((line) => line.includes("[SIO_ERR_ADDON]"));
  assert.equal(told.length, 1, stderr);
  assert.match(told[0], /Warning: socket\.io-original 4\.8\.4 serves instead of ferrosocket/);
  assert.match(told[0], /is not installed\. To mend it: /);
});

test("who asks for a fallback that is not there, or for ourselves, is told", async (t) => {
  const { app } = install(t, "socket.io");
  for (const name of ["socket.io", "nothing-of-that-name"]) {
    const text = await refuses(app, /is not installed\.$/, /--include=optional/, {
      entry: "socket.io",
      env: { FERROSOCKET_FALLBACK: name },
    });
    assert.ok(text.includes(`FERROSOCKET_FALLBACK=${name} names no npm socket.io`), text);
  }
});

test("the fallback is not touched where the addon can be loaded", async (t) => {
  const { app, ours, modules } = install(t);
  addBinary(ours);
  link(modules, "socket.io");
  const { stdout, stderr } = await run(
    app,
    'console.log(require("ferrosocket").implementation, Object.keys(require.cache).some((file) => /engine\\.io.build/.test(file)))',
    { env: { FERROSOCKET_FALLBACK: "socket.io", DEBUG: "socket.io:border", DEBUG_COLORS: "0" } },
  );
  assert.equal(stdout, "ferrosocket false\n");
  assert.match(stderr, new RegExp(`ferrosocket ${version} serves, with the addon \\S+${BINARY}`));
});

test(
  "requiring the package starts no thread",
  { skip: process.platform !== "linux" },
  async (t) => {
    const { app, ours } = install(t);
    addBinary(ours);
    const { stdout } = await run(
      app,
      `
    const threads = () => require("node:fs").readdirSync("/proc/self/task").length;
    require("node:http");
    const before = threads();
    const { Server } = require("ferrosocket");
    console.log(threads() - before);
    const io = new Server(0);
    const client = require("socket.io-client").io("http://127.0.0.1:" + io.httpServer.address().port);
    client.on("connect", () => {
      console.log(threads() > before);
      client.close();
      io.close();
    });
    `,
    );
    assert.equal(stdout, "0\ntrue\n");
  },
);
