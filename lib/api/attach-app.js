"use strict";

const { ETAG, bodyOf, isClientFile } = require("./client-files");
const { missingPackage } = require("../base/errors");

/**
 * @param {any} opts options of Engine.IO
 * @returns {any} the engine of the npm package `engine.io` for uWebSockets.js, which is loaded only here
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
 * @param {any} app
 * @param {string} path under which they are
 */
function serveAppFiles(app, path) {
  app.get(`${path}/*`, (/** @type {any} */ res, /** @type {any} */ req) => {
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
 * @param {any} res
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
