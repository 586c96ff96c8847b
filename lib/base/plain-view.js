"use strict";

const { bare } = require("./bare");
const { inspect } = require("node:util");

/**
 * Shows a Map as the plain object that older programs expect in its place: one can list its keys, look things up,
 * assign and delete. It is live and holds nothing itself.
 *
 * @template T
 * @param {() => Map<string, T>} source gives the Map, which may be another one later
 * @param {(key: string, value: any) => void} assign called when a program assigns
 * @param {(key: string) => void} remove called when a program deletes
 * @param {(value: T) => any} [form] turns a value into what is shown
 * @returns {Record<string, any>}
 */
function plainView(source, assign, remove, form = (value) => value) {
  /** @param {string | symbol} key */
  const has = (key) => typeof key === "string" && source().has(key);
  /** @param {string | symbol} key */
  const get = (key) => form(/** @type {T} */ (source().get(/** @type {string} */ (key))));
  const shown = /** @type {Record<string, any>} */ ({});
  // Node.js looks through a proxy when it prints one, and would find nothing
  Object.defineProperty(
    shown,
    inspect.custom,
    bare({
      configurable: true,
      value: () => Object.fromEntries([...source().keys()].map((key) => [key, get(key)])),
    }),
  );
  return new Proxy(
    shown,
    bare({
      has: (target, key) => has(key) || Reflect.has(target, key),
      get: (target, key) => (has(key) ? get(key) : Reflect.get(target, key)),
      set(_target, key, value) {
        if (typeof key === "string") assign(key, value);
        return true;
      },
      defineProperty(_target, key, { value }) {
        if (typeof key === "string") assign(key, value);
        return true;
      },
      deleteProperty(_target, key) {
        if (has(key)) remove(/** @type {string} */ (key));
        return true;
      },
      ownKeys: () => [...source().keys()],
      getOwnPropertyDescriptor(_target, key) {
        if (!has(key)) return undefined;
        const value = get(key);
        return bare({ value, writable: true, enumerable: true, configurable: true });
      },
    }),
  );
}

/**
 * Gives such a view the entries of another object, and no others: what a program means that assigns one in its place.
 *
 * @param {Record<string, any>} view
 * @param {any} entries
 */
function refill(view, entries) {
  if (entries === view) return;
  const wanted = Object.entries(Object(entries));
  for (const key of Object.keys(view)) if (!wanted.some(([name]) => name === key)) delete view[key];
  for (const [key, value] of wanted) if (view[key] !== value) view[key] = value;
}

module.exports = { plainView, refill };
