"use strict";

const { readFile } = require("node:fs");
const { dirname, join } = require("node:path");
const { interceptRequests } = require("../lib/http");

/** The name under which a program installs the client of 2.x beside others. */
const PACKAGE = "socket.io-client-2";

/** @type {Record<string, string>} the type of each file */
const TYPES = {
  "socket.io.js": "application/javascript",
  "socket.io.js.map": "application/json",
};

/**
 * Finds the client of Socket.IO 2.x.
 *
 * @returns {{ directory: string, version: string } | undefined} undefined when it is not installed
 */
function findClient() {
  try {
    const manifest = require.resolve(`${PACKAGE}/package.json`);
    return { directory: join(dirname(manifest), "dist"), version: require(manifest).version };
  } catch {
    return undefined;
  }
}

/**
 * Serves the files of the client from an HTTP server.
 *
 * @param {any} server
 * @param {{ directory: string, version: string }} client
 * @param {() => string} path gives the path under which they are, without a slash at its end
 */
function serveClientFiles(server, client, path) {
  interceptRequests(server, (req, res) => {
    const prefix = `${path()}/`;
    if (!req.url.startsWith(prefix)) return false;
    return serveClientFile(client, req.url.slice(prefix.length).split("?")[0], req, res);
  });
}

/**
 * Answers a request for a file of the client.
 *
 * @param {{ directory: string, version: string }} client
 * @param {string} name
 * @param {any} req
 * @param {import("node:http").ServerResponse} res
 * @returns {boolean} whether it is one
 */
function serveClientFile({ directory, version }, name, req, res) {
  if (!Object.hasOwn(TYPES, name)) return false;
  const etag = `"${version}"`;
  if (req.headers["if-none-match"] === etag) {
    res.writeHead(304).end();
    return true;
  }
  readFile(join(directory, name), (error, body) => {
    if (error) {
      res.writeHead(404).end();
      return;
    }
    if (!name.endsWith(".map")) res.setHeader("Cache-Control", "public, max-age=0");
    res.writeHead(200, { "Content-Type": TYPES[name], ETag: etag });
    res.end(body);
  });
  return true;
}

module.exports = { findClient, serveClientFiles };
