"use strict";

/**
 * Makes an object inherit nothing, as descriptors of properties and the handlers of proxies must: what somebody has put into
 * `Object.prototype` would be part of them.
 *
 * @template {object} T
 * @param {T} object
 * @returns {T} a copy
 */
function bare(object) {
  return Object.assign(Object.create(null), object);
}

module.exports = { bare };
