"use strict";

/** @typedef {import("node:events").EventEmitter} EventEmitter */
/** @typedef {(name: string | symbol) => void} Heard */

/** @type {WeakMap<EventEmitter, Heard[]>} */
const heard = new WeakMap();

/**
 * Has a function called when a listener is about to be added. An emitter has one listener for all such functions: Node.js warns
 * of more than ten, and an HTTP server may have several engines.
 *
 * @param {EventEmitter} emitter
 * @param {Heard} onadding called with the name of the event
 */
function onNewListener(emitter, onadding) {
  const known = heard.get(emitter);
  if (known !== undefined) {
    known.push(onadding);
    return;
  }
  const all = [onadding];
  heard.set(emitter, all);
  emitter.on("newListener", (/** @type {string | symbol} */ name) => {
    for (const each of all) each(name);
  });
}

module.exports = { onNewListener };
