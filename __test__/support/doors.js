"use strict";

/**
 * @param {any} engine
 * @returns {string} the names of what our border has for connections and requests; empty: nothing, as for another implementation
 */
function doorsOf(engine) {
  const doors = engine.border?.().doors.values() ?? [];
  return [...doors].map((door) => door.constructor.name).join();
}

module.exports = { doorsOf };
