"use strict";

// The paths by which programs ask for single classes, through the package's own exports.

const assert = require("node:assert/strict");
const { it } = require("node:test");
const { Namespace, Server, Socket } = require("ferrosocket");

for (const folder of ["dist", "lib"]) {
  for (const suffix of ["", ".js"]) {
    it(`${folder}/*${suffix}`, () => {
      assert.equal(require(`ferrosocket/${folder}/socket${suffix}`).Socket, Socket);
      assert.equal(require(`ferrosocket/${folder}/namespace${suffix}`).Namespace, Namespace);
    });
  }
}

it("names for ES modules, and no default", async () => {
  const names = await import("ferrosocket");
  assert.deepEqual(Object.keys(names).sort(), ["Namespace", "Server", "Socket"]);
  assert.equal(names.Server, Server);
});
