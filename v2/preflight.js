"use strict";

/**
 * Takes preflight requests (OPTIONS) for our path away from the engine, as the option `handlePreflightRequest` of 2.x
 * says.
 *
 * @param {import("node:http").Server} srv
 * @param {Function[]} before the listeners for requests that were there before the engine's
 * @param {{ path: string, handlePreflightRequest?: any }} opts a function that answers them; false: they are not ours
 */
function divertPreflight(srv, before, { path, handlePreflightRequest: handle }) {
  if (handle !== false && typeof handle !== "function") return;
  const prefix = `${path.replace(/\/$/, "")}/`;
  const listeners = srv.listeners("request").slice();
  srv.removeAllListeners("request");
  srv.on("request", (req, res) => {
    const ours = req.method === "OPTIONS" && /** @type {string} */ (req.url).startsWith(prefix);
    if (ours && handle !== false) handle.call(srv, req, res);
    else for (const listener of ours ? before : listeners) listener.call(srv, req, res);
  });
}

module.exports = { divertPreflight };
