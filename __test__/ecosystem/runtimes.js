"use strict";

/** Bun and Deno: what a server does there, as with npm's socket.io; and what is said where it can't run. */

const assert = require("node:assert/strict");
const fs = require("node:fs");
const path = require("node:path");
const { test } = require("node:test");
const { execute } = require("./support/app");
const { installTwice } = require("./support/samples");

/** Where the binary of a runtime lies: its package has a script that looks for it, and scripts are off. */
function binaryOf(app, scope, inside) {
  const folder = path.join(app, "node_modules", scope);
  const name = fs.readdirSync(folder).find((one) => !/musl|baseline/.test(one));
  return path.join(folder, name, inside);
}

const RUNTIMES = {
  Bun: (app) => [binaryOf(app, "@oven", "bin/bun")],
  Deno: (app) => [binaryOf(app, "@deno", "deno"), "run", "--allow-all"],
};

test("other runtimes", async (t) => {
  const installed = await installTwice(t, "runtimes");
  const { app } = installed.find(({ implementation }) => implementation === "ours");

  for (const [name, command] of Object.entries(RUNTIMES))
    await t.test(`${name}: a server does the same as with npm's`, async () => {
      const outputs = {};
      for (const { implementation, app: folder } of installed) {
        const [binary, ...flags] = command(folder);
        const { code, output } = await execute(binary, [...flags, "main.mjs"], folder);
        assert.equal(code, 0, `${implementation}:\n${output}`);
        outputs[implementation] = output;
      }
      assert.equal(outputs.ours, outputs.oracle);
      assert.match(outputs.ours, /^closed$/m);
    });

  await t.test("Deno without --allow-ffi says what is missing, when it is imported", async () => {
    const [binary] = RUNTIMES.Deno(app);
    const { code, output } = await execute(
      binary,
      ["run", "--allow-read", "--allow-env", "--allow-sys", "main.mjs"],
      app,
    );
    assert.equal(code, 1);
    assert.match(
      output,
      /Deno does not let it load native code\.\n.*start the program with deno run --allow-ffi/,
    );
  });

  for (const [name, command] of Object.entries(RUNTIMES))
    await t.test(`${name}: it is required as well`, async () => {
      fs.writeFileSync(
        path.join(app, "require.cjs"),
        'console.log(require("socket.io").implementation);',
      );
      const [binary, ...flags] = command(app);
      const { output } = await execute(binary, [...flags, "require.cjs"], app);
      assert.equal(output, "ferrosocket\n");
    });
});
