"use strict";

// What is published: enough to load the library and to read about it, and nothing else; nothing runs where it is installed.

const assert = require("node:assert/strict");
const fs = require("node:fs");
const path = require("node:path");
const { before, describe, it } = require("node:test");
const { layOutMain } = require("../../scripts/release/pack");
const { TARGETS } = require("../../scripts/release/targets");
const { PLATFORMS } = require("../../lib/base/addon-error");

const ROOT = path.resolve(__dirname, "../..");
const TOP = [
  "LICENSE",
  "README.md",
  "index.d.ts",
  "index.js",
  "package.json",
  "wrapper.d.mts",
  "wrapper.mjs",
];
const NATIVE = ["native/border.js", "native/index.d.ts", "native/index.js"];
const WHOLE_FOLDERS = ["bin", "dist", "lib", "types", "v2"];

/** @param {string} folder @returns {string[]} all files below, by their paths from there */
const filesIn = (folder) =>
  fs
    .readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)))
    .map((file) => file.split(path.sep).join("/"));

describe("the package", () => {
  /** @type {string} */
  let folder;
  /** @type {Set<string>} */
  let packed;
  let manifest;

  before(() => {
    folder = layOutMain();
    packed = new Set(filesIn(folder));
    manifest = JSON.parse(fs.readFileSync(path.join(folder, "package.json"), "utf8"));
  });

  it("has all that loading needs", () => {
    const needed = [
      ...TOP,
      ...NATIVE,
      ...WHOLE_FOLDERS.flatMap((name) =>
        filesIn(path.join(ROOT, name)).map((file) => `${name}/${file}`),
      ),
    ];
    assert.deepEqual(
      needed.filter((file) => !packed.has(file)),
      [],
    );
  });

  it("has no binary, no sources of it, and nothing that only a checkout needs", () => {
    const strange = [...packed].filter(
      (file) =>
        /\.(node|rs|toml|lock)$/.test(file) ||
        /^(__test__|bench|benches|examples|fuzz|node_modules|scripts|src|target|tests)\//.test(
          file,
        ),
    );
    assert.deepEqual(strange, []);
  });

  it("runs nothing where it is installed, and names no tools", () => {
    for (const key of ["scripts", "devDependencies", "napi", "private"])
      assert.equal(manifest[key], undefined, key);
  });

  it("has the client where upstream has it, byte for byte", () => {
    const upstream = path.join(ROOT, "node_modules/socket.io/client-dist");
    const files = filesIn(upstream);
    assert.deepEqual(filesIn(path.join(folder, "client-dist")).sort(), files.sort());
    for (const file of files)
      assert.ok(
        fs
          .readFileSync(path.join(upstream, file))
          .equals(fs.readFileSync(path.join(folder, "client-dist", file))),
        file,
      );
  });

  it("brings a binary for each platform, of its own version, and the loader asks for that", () => {
    const wanted = TARGETS.map((target) => [target.package, manifest.version]);
    assert.deepEqual(manifest.optionalDependencies, Object.fromEntries(wanted));
    const loader = fs.readFileSync(path.join(folder, "native/index.js"), "utf8");
    for (const target of TARGETS) {
      assert.ok(loader.includes(`require('${target.package}')`), target.package);
      assert.ok(loader.includes(`require('./${target.file}')`), target.file);
    }
    assert.deepEqual(
      TARGETS.map(({ platform }) => platform),
      PLATFORMS,
      "the error of a missing addon names them, too",
    );
  });

  it("has what its README leads to", () => {
    const readme = fs.readFileSync(path.join(folder, "README.md"), "utf8");
    const links = Array.from(readme.matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g), ([, file]) => file);
    assert.ok(links.length > 5);
    assert.deepEqual(
      links.filter((file) => !packed.has(file)),
      [],
    );
  });

  it("names no registry in its lock file: whoever installs chooses their own", () => {
    const { packages } = JSON.parse(fs.readFileSync(path.join(ROOT, "package-lock.json"), "utf8"));
    const named = Object.entries(packages).filter(([, entry]) => entry.resolved !== undefined);
    assert.deepEqual(named, []);
  });
});
