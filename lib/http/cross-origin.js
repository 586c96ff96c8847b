"use strict";

/**
 * @param {any} option `cors`
 * @returns {boolean} whether the headers depend on nothing but the request's `Origin`
 */
function isConstant(option) {
  return (
    typeof option !== "function" &&
    Object.values(option).every((value) => typeof value !== "function")
  );
}

/**
 * @param {any} option `cors`, constant
 * @returns {boolean} whether the headers are others for another `Origin`; otherwise they are the same for all
 */
function variesByOrigin(option) {
  const { origin } = option;
  return !!origin && typeof origin !== "string";
}

/**
 * @param {Function} middleware made of the option `cors`, which must be constant
 * @param {string} origin empty: none
 * @returns {string} the headers that it sets for requests from there, OPTIONS excepted
 */
function crossOriginLines(middleware, origin) {
  /** @type {Map<string, [string, any]>} */
  const headers = new Map();
  const res = {
    getHeader: (/** @type {string} */ name) => headers.get(name.toLowerCase())?.[1],
    setHeader: (/** @type {string} */ name, /** @type {any} */ value) =>
      headers.set(name.toLowerCase(), [name, value]),
  };
  const req = { method: "GET", headers: origin === "" ? {} : { origin } };
  middleware(req, res, () => {});
  let lines = "";
  for (const [name, value] of headers.values()) lines += `${name}: ${value}\r\n`;
  return lines;
}

module.exports = { crossOriginLines, isConstant, variesByOrigin };
