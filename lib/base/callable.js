"use strict";

const { bare } = require("./bare");

/**
 * Lets a class be called without `new`.
 *
 * @template {new (...args: any[]) => any} C
 * @param {C} Class
 * @returns {C & ((...args: ConstructorParameters<C>) => InstanceType<C>)}
 */
function callable(Class) {
  const wrapped = new Proxy(Class, bare({ apply: (target, _self, args) => new target(...args) }));
  Class.prototype.constructor = wrapped;
  return /** @type {any} */ (wrapped);
}

module.exports = { callable };
