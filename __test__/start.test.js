"use strict";

// `npm start` in a checkout where nothing is installed or built: what stands in the way is said before anything is fetched.

const assert = require("node:assert/strict");
const { spawn } = require("node:child_process");
const { once } = require("node:events");
const fs = require("node:fs");
const net = require("node:net");
const os = require("node:os");
const path = require("node:path");
const { text } = require("node:stream/consumers");
const { after, before, describe, it } = require("node:test");

const ROOT = path.resolve(__dirname, "..");
const NEEDED = ["scripts", "package.json", "package-lock.json", "Cargo.toml"];

describe("npm start", { timeout: 60_000 }, () => {
  let checkout;

  before(() => {
    checkout = fs.mkdtempSync(path.join(os.tmpdir(), "ferrosocket-start-"));
    for (const name of NEEDED) {
      fs.cpSync(path.join(ROOT, name), path.join(checkout, name), { recursive: true });
    }
  });

  after(() => fs.rmSync(checkout, { recursive: true, force: true }));

  /** Runs it where neither npm nor Rust can be found: an installation would fail at once, and say so. */
  async function start(env) {
    const child = spawn(process.execPath, ["scripts/start.js"], {
      cwd: checkout,
      env: { ...process.env, PATH: checkout, ...env },
    });
    const output = Promise.all([text(child.stdout), text(child.stderr)]);
    const [code] = await once(child, "close");
    return { code, said: (await output).join("") };
  }

  it("says that the port is taken", async (t) => {
    const other = net.createServer().listen(0);
    t.after(() => other.close());
    await once(other, "listening");
    const { port } = other.address();
    const { code, said } = await start({ PORT: String(port) });
    assert.equal(code, 1);
    assert.match(
      said,
      new RegExp(`Cannot go on: Port ${port} is taken\\.\\s+Choose another: PORT=`),
    );
    assert.doesNotMatch(said, /==>/, "nothing has begun");
  });

  it("says that PORT is no port", async () => {
    const { code, said } = await start({ PORT: "http" });
    assert.equal(code, 1);
    assert.match(said, /PORT is http, which is no port/);
  });

  it("says that Rust is missing", async () => {
    const { code, said } = await start({ PORT: "0" });
    assert.equal(code, 1);
    assert.match(said, /Cannot go on: Rust is missing;[^\n]+\n\s+Install Rust with rustup/);
    assert.doesNotMatch(said, /==>/, "nothing has begun");
  });
});
