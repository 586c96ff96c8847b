"use strict";

/** Runs one of the scripts in `children/` in a process of its own. */

const childProcess = require("node:child_process");
const path = require("node:path");
const { within } = require("./waiting");

/**
 * @param {string} script name of the file in `children/`, without extension
 * @param {{ path: string }} implementation the server library it has to load (its `process.argv[2]`)
 * @param {{ args?: string[], execArgv?: string[], env?: object, files?: number }} [options]
 *     files: so many it may have open
 */
function spawn(script, implementation, { args = [], execArgv = [], env = {}, files } = {}) {
  const file = path.join(__dirname, "..", "children", `${script}.js`);
  const command = [process.execPath, ...execArgv, file, implementation.path, ...args];
  if (files !== undefined) command.unshift("sh", "-c", `ulimit -n ${files}; exec "$0" "$@"`);
  const child = childProcess.spawn(command[0], command.slice(1), {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe", "ipc"],
  });
  const output = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"])
    child[name].on("data", (chunk) => (output[name] += chunk));

  const inbox = [];
  const waiters = [];
  child.on("message", (message) => {
    const waiter = waiters.shift();
    if (waiter) waiter(message);
    else inbox.push(message);
  });
  const exit = new Promise((resolve) =>
    child.on("close", (code, signal) => resolve({ code, signal, ...output })),
  );

  return {
    child,
    output,
    /** The next message the script sends; fails with its output when it ends instead. */
    message(deadline) {
      if (inbox.length > 0) return Promise.resolve(inbox.shift());
      const next = new Promise((resolve) => waiters.push(resolve));
      const early = exit.then(({ code, signal, stderr }) => {
        throw new Error(`${script} ended (${code ?? signal}): ${stderr}`);
      });
      early.catch(() => {});
      return within(Promise.race([next, early]), `a message of ${script}`, deadline);
    },
    send: (message) => child.send(message),
    /** How the process ended: `{ code, signal, stdout, stderr }`. */
    exit: (deadline) => within(exit, `the end of ${script}`, deadline),
    kill: () => child.exitCode === null && child.signalCode === null && child.kill("SIGKILL"),
  };
}

module.exports = { spawn };
