"use strict";

// What npm would publish: enough to load the library, and to build it where there is no binary; and nothing else.

const assert = require("node:assert/strict");
const { execFileSync } = require("node:child_process");
const fs = require("node:fs");
const path = require("node:path");
const { before, describe, it } = require("node:test");

const ROOT = path.resolve(__dirname, "../..");
const TOP = [
  "Cargo.lock",
  "Cargo.toml",
  "LICENSE",
  "build.rs",
  "index.d.ts",
  "index.js",
  "package.json",
  "wrapper.d.mts",
  "wrapper.mjs",
];
const WHOLE_FOLDERS = ["dist", "lib", "scripts/lib", "src", "types"];

const filesIn = (folder) =>
  fs
    .readdirSync(path.join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(ROOT, path.join(entry.parentPath, entry.name)));

describe("the package", () => {
  let packed;

  before(() => {
    const output = execFileSync("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"], {
      cwd: ROOT,
      encoding: "utf8",
      shell: process.platform === "win32",
      stdio: ["ignore", "pipe", "ignore"],
    });
    // A list in some versions of npm, an object by package name in others.
    const [entry] = Object.values(JSON.parse(output));
    packed = new Set(entry.files.map((file) => file.path));
  });

  it("has all that loading and building need", () => {
    const needed = [
      ...TOP,
      "native/index.js",
      "native/index.d.ts",
      "native/border.js",
      "scripts/install.js",
      ...WHOLE_FOLDERS.flatMap(filesIn).map((file) => file.split(path.sep).join("/")),
    ];
    assert.deepEqual(
      needed.filter((file) => !packed.has(file)),
      [],
    );
  });

  it("has every target that Cargo.toml names, or cargo would refuse the manifest", () => {
    const manifest = fs.readFileSync(path.join(ROOT, "Cargo.toml"), "utf8");
    const named = [...manifest.matchAll(/^\[\[(bench|test|example|bin)\]\]$([^[]*)/gm)];
    const missing = named
      .map(([, kind, body]) => {
        const file = /^path\s*=\s*"([^"]+)"/m.exec(body)?.[1];
        const folder = kind === "bench" ? "benches" : kind === "bin" ? "src/bin" : `${kind}s`;
        return file ?? `${folder}/${/^name\s*=\s*"([^"]+)"/m.exec(body)[1]}.rs`;
      })
      .filter((file) => !packed.has(file));
    assert.deepEqual(missing, [], "add them to `files` of package.json");
  });

  it("has no tests, examples or build results", () => {
    const strange = [...packed].filter((file) =>
      /^(__test__|bench|examples|fuzz|node_modules|target|tests)\//.test(file),
    );
    assert.deepEqual(strange, []);
  });

  it("names no registry in its lock file: whoever installs chooses their own", () => {
    const { packages } = JSON.parse(fs.readFileSync(path.join(ROOT, "package-lock.json"), "utf8"));
    const named = Object.entries(packages).filter(([, entry]) => entry.resolved !== undefined);
    assert.deepEqual(named, []);
  });
});
