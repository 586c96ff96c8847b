"use strict";

// The chat's server as a child process, so that a test can kill it and start it again.

const { fork } = require("node:child_process");
const { once } = require("node:events");
const path = require("node:path");

const SERVER = path.resolve(__dirname, "../../../examples/chat/server.js");

/**
 * Starts the chat.
 * @param {number} [port] 0 for a free one
 * @param {Record<string, string>} [env] environment variables for it
 * @returns {Promise<{ port: number, url: string, pid: number, stop: () => Promise<void> }>} when it listens
 */
async function startChatServer(port = 0, env = {}) {
  const child = fork(SERVER, { env: { ...process.env, ...env, PORT: String(port) } });
  const exited = once(child, "exit");
  const ready = once(child, "message").then(([message]) => message);
  const failed = exited.then(([code]) => {
    throw new Error(`the chat's server ended with ${code} before it listened`);
  });
  failed.catch(() => {}); // It also rejects when we stop the child, and then nobody waits for it.
  const { port: actual } = await Promise.race([ready, failed]);
  return {
    port: actual,
    url: `http://127.0.0.1:${actual}`,
    pid: child.pid,
    async stop() {
      child.kill("SIGKILL"); // As a crash would end it: no goodbye to the pages.
      await exited;
    },
  };
}

module.exports = { startChatServer };
