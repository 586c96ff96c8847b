"use strict";

const { ETAG, bodyOf, isClientFile } = require("./client-files");
const { missingPackage } = require("../base/errors");

/**
 * An application of uWebSockets.js, as far as it is used.
 *
 * @typedef {object} App
 * @property {(pattern: string, handler: (res: AppResponse, req: AppRequest) => void) => unknown} get
 *
 * @typedef {object} AppRequest
 * @property {() => string} getUrl
 * @property {(name: string) => string} getHeader
 * @property {(yields: boolean) => void} setYield
 *
 * @typedef {object} AppResponse
 * @property {(status: string) => AppResponse} writeStatus
 * @property {(name: string, value: string) => AppResponse} writeHeader
 * @property {(body?: Buffer) => void} end
 * @property {(handler: () => void) => void} onAborted
 * @property {(write: () => void) => void} cork
 */

/**
 * @param {object} opts options of Engine.IO
 * @returns {import("node:events").EventEmitter & { attach(app: App, opts: object): void, close(): void }} the engine of the npm package `engine.io` for uWebSockets.js, which is loaded only here
 * @throws {Error} when it is not installed
 */
function createAppEngine(opts) {
  let lib;
  try {
    lib = require("engine.io");
  } catch (error) {
    throw missingPackage("engine.io", "attachApp()", error);
  }
  return new lib.uServer(opts);
}

/**
 * Serves the files of the client from an application of uWebSockets.js.
 *
 * @param {App} app
 * @param {string} path under which they are
 */
function serveAppFiles(app, path) {
  app.get(`${path}/*`, (res, req) => {
    const name = req.getUrl().substring(path.length + 1);
    if (!isClientFile(name)) {
      req.setYield(true);
      return;
    }
    const known = req.getHeader("if-none-match");
    if (known === ETAG || known === `W/${ETAG}`) {
      res.writeStatus("304 Not Modified");
      res.end();
      return;
    }
    let aborted = false;
    res.onAborted(() => {
      aborted = true;
    });
    bodyOf(name, "").then(
      (body) => {
        if (!aborted) res.cork(() => sendFile(res, name, body));
      },
      () => {
        if (!aborted) res.cork(() => res.writeStatus("404 Not Found").end());
      },
    );
  });
}

/**
 * @param {AppResponse} res
 * @param {string} name
 * @param {Buffer} body
 */
function sendFile(res, name, body) {
  const type = name.endsWith(".map") ? "json" : "javascript";
  res.writeHeader("cache-control", "public, max-age=0");
  res.writeHeader("content-type", `application/${type}; charset=utf-8`);
  res.writeHeader("etag", ETAG);
  res.end(body);
}

module.exports = { createAppEngine, serveAppFiles };
