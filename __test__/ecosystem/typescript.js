"use strict";

/** TypeScript, strict and with the declarations of packages checked, in each way to find modules: as with npm's socket.io. */

const assert = require("node:assert/strict");
const fs = require("node:fs");
const path = require("node:path");
const { test } = require("node:test");
const { execute } = require("./support/app");
const { installTwice } = require("./support/samples");

/** What all have. */
const STRICT = {
  strict: true,
  noUncheckedIndexedAccess: true,
  exactOptionalPropertyTypes: true,
  esModuleInterop: true,
  isolatedModules: true,
  skipLibCheck: false,
  noEmit: true,
  target: "es2022",
  lib: ["es2023"],
  types: ["node"],
};

/** How modules are found: the compiler, its options, and the kind of the package that is compiled. */
const ways = [
  ["typescript-5", { module: "commonjs", moduleResolution: "node10" }, "commonjs"],
  ["typescript-5", { module: "node16", moduleResolution: "node16" }, "commonjs"],
  ["typescript-5", { module: "node16", moduleResolution: "node16" }, "module"],
  ["typescript-5", { module: "esnext", moduleResolution: "bundler" }, "module"],
  ["typescript-6", { module: "nodenext", moduleResolution: "nodenext" }, "commonjs"],
  ["typescript-6", { module: "nodenext", moduleResolution: "nodenext" }, "module"],
  ["typescript-6", { module: "esnext", moduleResolution: "bundler" }, "module"],
];

test("TypeScript", async (t) => {
  const installed = await installTwice(t, "typescript");
  for (const [compiler, options, kind] of ways) {
    await t.test(`${compiler}, ${options.moduleResolution}, ${kind}`, async () => {
      for (const { implementation, app } of installed) {
        const manifest = path.join(app, "package.json");
        const before = JSON.parse(fs.readFileSync(manifest, "utf8"));
        fs.writeFileSync(manifest, JSON.stringify({ ...before, type: kind }));
        const config = { compilerOptions: { ...STRICT, ...options }, include: ["*.ts", "*.cts"] };
        fs.writeFileSync(path.join(app, "tsconfig.json"), JSON.stringify(config));
        const { code, output } = await execute(
          process.execPath,
          [path.join("node_modules", compiler, "bin", "tsc")],
          app,
        );
        assert.equal(code, 0, `${implementation}:\n${output}`);
      }
    });
  }
});
