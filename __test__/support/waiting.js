"use strict";

/**
 * Waiting for events: no test sleeps and none asserts a time.
 *
 * Each wait carries a generous deadline, so that a missing event fails with its name instead of hanging the run.
 */

const DEADLINE = 60_000;

/** The promise's outcome, or a failure naming `what` when it does not settle before the deadline. */
function within(promise, what, deadline = DEADLINE) {
  let timer;
  const failure = new Error(`still waiting for ${what}`); // here, so that it tells who waits
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(failure), deadline);
  });
  const outcome = Promise.race([promise, late]).finally(() => clearTimeout(timer));
  // A test that fails before it comes to this wait must not fail a second time, later, for the wait.
  outcome.catch(() => {});
  return outcome;
}

/** The arguments of the next `event` of an emitter (of Node or of the client library). */
function until(emitter, event, deadline = DEADLINE) {
  const next = new Promise((resolve) => emitter.once(event, (...args) => resolve(args)));
  return within(next, `"${String(event)}"`, deadline);
}

/** The arguments of the next `count` calls of `event`, one array each. */
function gather(emitter, event, count) {
  const calls = [];
  const all = new Promise((resolve) => {
    emitter.on(event, (...args) => {
      calls.push(args);
      if (calls.length === count) resolve(calls);
    });
  });
  return within(all, `${count} × "${event}"`).catch((error) => {
    throw new Error(`${error.message}, got ${calls.length}`);
  });
}

/** A promise with its `resolve` on the outside. */
function deferred(what = "a deferred") {
  let resolve;
  const promise = new Promise((settle) => {
    resolve = settle;
  });
  return { resolve, promise: within(promise, what) };
}

/** Lets what is already queued on the event loop run: `turns` times round, without any clock. */
async function turns(count = 1) {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
}

/** Turns the event loop until `condition()` holds; it may be async. */
function eventually(condition, what = "a condition") {
  let given = true;
  const poll = async () => {
    while (given && !(await condition())) await turns();
  };
  return within(poll(), what).finally(() => {
    given = false;
  });
}

module.exports = { DEADLINE, deferred, eventually, gather, turns, until, within };
