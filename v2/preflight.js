"use strict";

const { interceptRequests, passOn } = require("../lib/http");

/**
 * Keeps preflight requests (OPTIONS) for our path from the engine, if the option `handlePreflightRequest` of 2.x says so.
 *
 * @param {import("node:http").Server} srv
 * @param {Function[]} before the listeners for requests that were there before the engine's
 * @param {{ path: string, handlePreflightRequest?: any }} opts a function that answers them; false: they are not ours
 */
function divertPreflight(srv, before, { path, handlePreflightRequest: handle }) {
  if (handle !== false && typeof handle !== "function") return;
  const prefix = `${path.replace(/\/$/, "")}/`;
  interceptRequests(srv, (req, res) => {
    if (req.method !== "OPTIONS" || !req.url.startsWith(prefix)) return false;
    if (handle !== false) handle.call(srv, req, res);
    else passOn(srv, before, req, res);
    return true;
  });
}

module.exports = { divertPreflight };
