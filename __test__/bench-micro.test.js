"use strict";

// The micro-benchmarks of the border stand in for the addon: that they still fit the server is seen by running each
// case once. No figures are taken.

const { test } = require("node:test");
const { cases } = require("../bench/micro/cases.js");
const { World } = require("../bench/micro/world.js");

for (const { name, make } of cases) {
  test(name, async () => {
    const world = new World();
    const run = await make(world);
    await run();
    await run(); // what the first left may not be in the way
    await world.close();
  });
}
