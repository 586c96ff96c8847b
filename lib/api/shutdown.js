"use strict";

const { constants } = require("node:os");
const { invalidOption } = require("../base/errors");

/** @typedef {NodeJS.Signals[]} Signals */
/** @typedef {{ signals?: Signals } & Pick<import("./drain").DrainOptions, "over" | "acks">} ShutdownOptions */
/** What is asked of a server. @typedef {{ drain(options: import("./drain").DrainOptions): Promise<unknown> }} Server */

/** @type {Signals} what ends a process in order, where something else ends it */
const SIGNALS = ["SIGTERM"];

/** Signals that no process can listen for. */
const UNCAUGHT = new Set(["SIGKILL", "SIGSTOP"]);

/**
 * Drains a server at a signal; a second one has all that are left go at once.
 *
 * @param {Server} server
 * @param {Signals | ShutdownOptions} option
 * @returns {() => void} has it listen for no signal any more
 */
function shutDownAt(server, option) {
  const { signals = SIGNALS, ...options } = Array.isArray(option) ? { signals: option } : option;
  /** @type {AbortController | undefined} */
  let controller;
  const listener = () => {
    if (controller !== undefined) {
      controller.abort();
      return;
    }
    controller = new AbortController();
    server.drain({ ...options, signal: controller.signal });
  };
  for (const signal of signals) process.on(signal, listener);
  return () => {
    for (const signal of signals) process.removeListener(signal, listener);
  };
}

/**
 * @param {unknown} value the option `shutdown`
 * @throws {TypeError} when it can't have that value
 */
function checkShutdown(value) {
  if (value === undefined || value === null || value === false) return;
  const fix =
    'give an array of signals, as in ["SIGTERM"], or an object with signals, over and acks';
  if (typeof value !== "object") throw invalidOption("option shutdown", value, fix);
  const given = /** @type {{ signals?: unknown, over?: unknown, acks?: unknown }} */ (value);
  const { signals = SIGNALS } = Array.isArray(value) ? { signals: value } : given;
  if (!Array.isArray(signals) || signals.length === 0 || !signals.every(isSignal))
    throw invalidOption("option shutdown", signals, fix);
  for (const name of /** @type {const} */ (["over", "acks"])) {
    const time = given[name];
    if (time !== undefined && !(typeof time === "number" && time >= 0))
      throw invalidOption(
        `option shutdown.${name}`,
        time,
        "give a number of milliseconds from 0 on",
      );
  }
}

/** @param {unknown} name @returns {boolean} whether it may be the name of a signal that can be listened for */
function isSignal(name) {
  return typeof name === "string" && Object.hasOwn(constants.signals, name) && !UNCAUGHT.has(name);
}

module.exports = { checkShutdown, shutDownAt };
