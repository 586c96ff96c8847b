"use strict";

const { readFile } = require("node:fs");
const { dirname, join } = require("node:path");
const { brotliCompress, deflate, gzip } = require("node:zlib");
const accepts = require("accepts");
const debug = require("debug")("socket.io:server");
const { interceptRequests } = require("../http");
const { version } = require("../../package.json");

/** @typedef {import("node:http").IncomingMessage} IncomingMessage */
/** @typedef {import("node:http").ServerResponse} ServerResponse */

const FILES = new Set([
  "socket.io.esm.min.js",
  "socket.io.esm.min.js.map",
  "socket.io.js",
  "socket.io.js.map",
  "socket.io.min.js",
  "socket.io.min.js.map",
  "socket.io.msgpack.min.js",
  "socket.io.msgpack.min.js.map",
]);

/** The file that is looked up to find the directory of all of them. */
const CLIENT = "socket.io-client/dist/socket.io.js";

const ETAG = `"${version}"`;

/** @type {Record<string, (data: Buffer, done: (error: Error | null, data: Buffer) => void) => void>} */
const COMPRESSORS = { br: brotliCompress, gzip, deflate };

/**
 * Bodies by encoding and name; there are no more than eight files in four encodings.
 *
 * @type {Map<string, Promise<Buffer>>}
 */
const bodies = new Map();

/** whether it has been logged that the files can't be read */
let logged = false;

/**
 * @param {string} name
 * @returns {boolean} whether it is one of the files of the client
 */
function isClientFile(name) {
  return FILES.has(name);
}

/**
 * @param {string} name
 * @returns {Promise<Buffer>} rejected when the client is not installed, as in an application that has been bundled
 */
async function read(name) {
  const directory = dirname(require.resolve(CLIENT));
  return new Promise((resolve, reject) => {
    readFile(join(directory, name), (error, data) => (error ? reject(error) : resolve(data)));
  });
}

/**
 * @param {string} name
 * @param {string} encoding "br", "gzip", "deflate", or "" for none
 * @returns {Promise<Buffer>} compressed at most once
 */
function bodyOf(name, encoding) {
  const key = `${encoding}:${name}`;
  let body = bodies.get(key);
  if (body === undefined) {
    body = encoding === "" ? read(name) : bodyOf(name, "").then((data) => compress(data, encoding));
    bodies.set(key, body);
    body.catch((error) => {
      bodies.delete(key); // so that the next request tries again
      if (!logged) debug("the files of the client can't be served: %s", error.message);
      logged = true;
    });
  }
  return body;
}

/**
 * @param {Buffer} data
 * @param {string} encoding
 * @returns {Promise<Buffer>}
 */
function compress(data, encoding) {
  return new Promise((resolve, reject) => {
    COMPRESSORS[encoding](data, (error, compressed) =>
      error ? reject(error) : resolve(compressed),
    );
  });
}

/**
 * Serves the files of the client from an HTTP server.
 *
 * @param {import("node:http").Server} server
 * @param {() => string} path gives the path under which they are, without a slash at its end
 * @param {((req: IncomingMessage, res: ServerResponse, next: () => void) => void) | undefined} cors a middleware that runs first
 */
function serveClientFiles(server, path, cors) {
  interceptRequests(server, (req, res) => {
    const prefix = path();
    if (!req.url.startsWith(prefix)) return false;
    const name = req.url.substring(prefix.length + 1).split("?")[0];
    if (!isClientFile(name)) return false;
    if (cors) cors(req, res, () => serveClientFile(name, req, res));
    else serveClientFile(name, req, res);
    return true;
  });
}

/**
 * Answers a request for a file of the client.
 *
 * @param {string} name
 * @param {IncomingMessage} req
 * @param {ServerResponse} res
 */
function serveClientFile(name, req, res) {
  const isMap = name.endsWith(".map");
  const known = req.headers["if-none-match"];
  if (known === ETAG || known === `W/${ETAG}`) {
    debug("serve client %s 304", isMap ? "map" : "source");
    res.writeHead(304);
    res.end();
    return;
  }
  debug("serve client %s", isMap ? "map" : "source");
  res.setHeader("Cache-Control", "public, max-age=0");
  res.setHeader("Content-Type", `application/${isMap ? "json" : "javascript"}; charset=utf-8`);
  res.setHeader("ETag", ETAG);
  const encoding = accepts(req).encodings(["br", "gzip", "deflate"]) || "";
  bodyOf(name, encoding).then(
    (body) => {
      if (encoding) res.setHeader("content-encoding", encoding);
      res.writeHead(200);
      res.end(body);
    },
    () => {
      for (const name of ["Cache-Control", "Content-Type", "ETag"]) res.removeHeader(name);
      res.writeHead(404).end();
    },
  );
}

module.exports = { ETAG, bodyOf, isClientFile, serveClientFiles };
