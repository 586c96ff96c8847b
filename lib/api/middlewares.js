"use strict";

/**
 * Runs middlewares one after the other; each goes on when the one before has called its `next`.
 *
 * @param {Function[]} middlewares (subject, next); those that are added meanwhile don't count
 * @param {unknown} subject a socket that wants in, or an event that has come
 * @param {(error?: unknown) => void} done called with the first error, in the tick of the last `next`
 */
function runMiddlewares(middlewares, subject, done) {
  if (middlewares.length === 0) return done();
  const fns = middlewares.slice();
  const step = (/** @type {number} */ i) => {
    fns[i](subject, (/** @type {unknown} */ error) => {
      if (error || i + 1 === fns.length) done(error || undefined);
      else step(i + 1);
    });
  };
  step(0);
}

module.exports = { runMiddlewares };
