"use strict";

const { bare } = require("./bare");

/**
 * Lets programs give single objects a value of their own where their class has a getter only.
 *
 * What Socket.IO has as a plain property, or does not have at all, a program may assign. Where we have a getter for it, in
 * strict mode that would throw. The getter goes on for all objects to which nothing has been assigned.
 *
 * @param {object} prototype of the class
 * @param {string[]} names of its getters
 */
function assignable(prototype, ...names) {
  for (const name of names) {
    Object.defineProperty(
      prototype,
      name,
      bare({
        get: getterOf(prototype, name),
        enumerable: false,
        configurable: true,
        /** @this {object} @param {any} value */
        set(value) {
          own(this, name, value);
        },
      }),
    );
  }
}

/**
 * Makes a plain property of one object, whatever its class has under that name.
 *
 * @param {object} object
 * @param {string} name
 * @param {any} value
 */
function own(object, name, value) {
  Object.defineProperty(
    object,
    name,
    bare({ value, writable: true, enumerable: true, configurable: true }),
  );
}

/**
 * @param {object} prototype
 * @param {string} name
 * @returns {() => any} its own getter, or the one that it inherits
 */
function getterOf(prototype, name) {
  for (let at = prototype; at !== null; at = Object.getPrototypeOf(at)) {
    const found = Object.getOwnPropertyDescriptor(at, name);
    if (found?.get !== undefined) return found.get;
  }
  throw new TypeError(`there is no getter "${name}"`);
}

module.exports = { assignable, own };
