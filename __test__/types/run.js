"use strict";

// Compiles the type tests: on our types in both module systems, then on upstream's own, where they must
// hold too. `@ts-expect-error` marks what must not compile; without an error it is one itself.

const { spawnSync } = require("node:child_process");
const path = require("node:path");

const tsc = require.resolve("typescript/bin/tsc");

const projects = [
  ["tsconfig.json", "our types, CommonJS"],
  ["tsconfig.bundler.json", "our types, ES modules"],
  ["tsconfig.entries.json", "the package's entries, and its surface against upstream's"],
  ["tsconfig.v2.json", "the entry for 2.x"],
  ["tsconfig.upstream.json", "upstream's types"],
];

let failed = 0;
for (const [config, what] of projects) {
  const { status } = spawnSync(process.execPath, [tsc, "-p", path.join(__dirname, config)], {
    stdio: "inherit",
  });
  console.log(`${status === 0 ? "ok    " : "FAILED"} ${what}`);
  if (status !== 0) failed += 1;
}
console.log(`type tests: ${projects.length - failed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
